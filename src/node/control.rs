//! How many connections there are, and whether there are any.

use libp2p::PeerId;

use super::config::{check_limits, hard_for};
use super::error::NodeError;
use super::handle::Node;
use crate::manager::{Event, Transport};

impl Node {
    /// Connects again after [`Self::stop_connections`] or [`Self::pause_connections`].
    ///
    /// # Errors
    /// `not-started` when the whole node is stopped; `closed`.
    pub fn start_connections(&self) -> Result<(), NodeError> {
        let mut driver = self.open_driver()?;
        if !driver.is_started() {
            return Err(NodeError::not_started());
        }
        driver.input(Event::Start);
        Ok(())
    }

    /// Ends every connection and dials nobody, but keeps the node alive: what it knows of peers and what it is looking up
    /// stay. Ends when all are closed.
    ///
    /// # Errors
    /// `closed`.
    pub async fn stop_connections(&self) -> Result<(), NodeError> {
        self.input(Event::Stop)?;
        self.disconnected().await
    }

    /// Keeps the connections and makes no new ones, until [`Self::resume_connections`] or [`Self::start_connections`].
    ///
    /// # Errors
    /// `closed`.
    pub fn pause_connections(&self) -> Result<(), NodeError> {
        self.input(Event::Pause)
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// `closed`.
    pub fn resume_connections(&self) -> Result<(), NodeError> {
        self.input(Event::Unpause)
    }

    /// Changes how many connections there should be, and how many connections and dials there may be at most; of the
    /// latter a quarter more than of the former when it is not said.
    ///
    /// # Errors
    /// `invalid-options` for limits out of order; `closed`.
    pub fn set_limits(&self, soft: Option<u16>, hard: Option<u16>) -> Result<(), NodeError> {
        let hard = hard.or(soft.map(hard_for));
        if let Some(hard) = hard {
            check_limits(soft.unwrap_or(1), hard)?;
        }
        self.input(Event::SetLimits { soft, hard })
    }

    /// Changes the most connections and dials of one transport; `None`: as many as the other limits allow.
    ///
    /// # Errors
    /// `closed`.
    pub fn set_max_by_transport(
        &self,
        transport: Transport,
        max: Option<u16>,
    ) -> Result<(), NodeError> {
        self.input(Event::SetMaxByTransport { transport, max })
    }

    /// Connections older than this are replaced by others; `None`: never.
    ///
    /// # Errors
    /// `closed`.
    pub fn set_lifetime(&self, ms: Option<u64>) -> Result<(), NodeError> {
        self.input(Event::SetLifetime { ms })
    }

    /// Holds one connection only, with `peer` or the best that is known, until [`Self::stop_sync`].
    ///
    /// # Errors
    /// `closed`.
    pub fn start_sync(&self, peer: Option<PeerId>) -> Result<(), NodeError> {
        self.input(Event::StartSync { peer })
    }

    /// Back to normal.
    ///
    /// # Errors
    /// `closed`.
    pub fn stop_sync(&self) -> Result<(), NodeError> {
        self.input(Event::StopSync)
    }
}
