//! The node as its shells hold it: cheap to clone, every call is plain async code beside the driver.

use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::channel::mpsc;
use libp2p::PeerId;

use super::config::NodeConfig;
use super::driver::{Driver, within};
use super::error::{ErrorCode, NodeError};
use super::event::NodeEvent;
use crate::manager::{
    ConnId, Decision, Event, Explanation, Health, HealthReason, Need, PeerView, ProtocolView,
    RequirementId, RequirementView, Stats,
};

/// A light node. Clones are handles to the same node; it lives until [`Node::close`].
#[derive(Clone)]
pub struct Node {
    driver: Arc<Mutex<Driver>>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").finish_non_exhaustive()
    }
}

/// How much [`Node::ready`] waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadyLevel {
    /// Every minimum holds.
    Minimal,
    /// Every target holds.
    Met,
}

/// The summary of `health()`.
#[derive(Debug, Clone)]
pub struct HealthView {
    /// How the node does.
    pub state: Health,
    /// Why.
    pub reason: HealthReason,
    /// The requirements, each for itself.
    pub requirements: Vec<RequirementView>,
}

impl Node {
    /// A stopped node and the channel on which it tells what happens. Nothing moves until [`Self::run`] is polled.
    ///
    /// # Errors
    /// When the transport can't be made.
    pub fn new(
        config: NodeConfig,
    ) -> Result<(Self, mpsc::UnboundedReceiver<NodeEvent>), NodeError> {
        let (driver, events) = Driver::new(config)?;
        let driver = Arc::new(Mutex::new(driver));
        lock(&driver).know(Arc::downgrade(&driver));
        Ok((Self { driver }, events))
    }

    /// The node of this driver.
    pub(super) fn of(driver: Arc<Mutex<Driver>>) -> Self {
        Self { driver }
    }

    /// The loop; ends when the node is closed. The shell runs it beside everything else.
    pub fn run(&self) -> impl Future<Output = ()> + Send + 'static {
        let driver = self.driver.clone();
        poll_fn(move |cx| lock(&driver).poll(cx))
    }

    /// Begins to connect. Idempotent; also ends what [`Self::stop_connections`] and [`Self::pause_connections`] began.
    ///
    /// # Errors
    /// `closed`.
    pub fn start(&self) -> Result<(), NodeError> {
        self.open_driver()?.start();
        Ok(())
    }

    /// Closes every connection and dials nobody; ends when all are closed. Idempotent.
    ///
    /// # Errors
    /// `closed`.
    pub async fn stop(&self) -> Result<(), NodeError> {
        self.open_driver()?.stop();
        self.disconnected().await
    }

    /// Ends when nothing is connected or being dialed.
    pub(super) async fn disconnected(&self) -> Result<(), NodeError> {
        self.until(|driver| driver.is_disconnected().then_some(Ok(())))
            .await
    }

    /// Frees everything. Every later call, and every call that still waits, fails with `closed`.
    pub fn close(&self) {
        self.lock().close();
    }

    /// Our own id.
    pub fn peer_id(&self) -> PeerId {
        self.lock().setup().local
    }

    /// Every known peer.
    pub fn peers(&self) -> Vec<PeerView> {
        self.lock().manager().peers()
    }

    /// One peer.
    pub fn peer(&self, peer: &PeerId) -> Option<PeerView> {
        self.lock().manager().peer(peer)
    }

    /// The summary.
    pub fn health(&self) -> HealthView {
        let driver = self.lock();
        let manager = driver.manager();
        let (state, reason) = manager.health();
        HealthView {
            state,
            reason,
            requirements: manager.requirements(),
        }
    }

    /// Why a peer stands where it stands.
    pub fn explain(&self, peer: &PeerId) -> Option<Explanation> {
        self.lock().manager().explain(peer)
    }

    /// The protocols that share the connections, the built-in ones first.
    pub fn protocols(&self) -> Vec<ProtocolView> {
        self.lock().manager().protocols()
    }

    /// The last decisions, the oldest first.
    pub fn decisions(&self, limit: usize) -> Vec<Decision> {
        self.lock().manager().decisions(limit)
    }

    /// The names of the requirements by their places. Withdrawn ones keep theirs.
    pub fn requirement_names(&self) -> Vec<String> {
        self.lock().requirement_names()
    }

    /// Gauges and counters.
    pub fn stats(&self) -> Stats {
        self.lock().manager().stats()
    }

    /// The log of everything that the manager was told, from which its run can be repeated exactly (see
    /// [`crate::manager::record`]). It names peers and addresses; the node's own key is not in it.
    pub fn record(&self) -> Vec<u8> {
        self.lock().manager().log()
    }

    /// Changes what a requirement wants.
    ///
    /// # Errors
    /// `invalid-options` for an unknown name or bounds out of order; `closed`.
    pub fn set_requirement(&self, name: &str, need: Need) -> Result<(), NodeError> {
        let mut driver = self.open_driver()?;
        let requirement = driver.requirement(name)?;
        if need.min > need.target || need.target > need.max {
            return Err(NodeError::option(
                name.to_owned(),
                "a need should have min ≤ target ≤ max",
            ));
        }
        driver.input(Event::SetNeed { requirement, need });
        Ok(())
    }

    /// Tells the manager that the browser has a network, or has none.
    pub fn set_online(&self, online: bool) {
        let mut driver = self.lock();
        if !driver.is_closed() {
            driver.input(if online {
                Event::Online
            } else {
                Event::Offline
            });
        }
    }

    /// Ends when the requirements hold at `level`: all of them, or those named.
    ///
    /// # Errors
    /// `invalid-options` for an unknown name, `not-started` (also when it is stopped meanwhile), `closed`.
    pub async fn ready(
        &self,
        level: ReadyLevel,
        names: Option<&[String]>,
    ) -> Result<(), NodeError> {
        let wanted = {
            let driver = self.open_driver()?;
            let places = |names: &[String]| {
                let places = names.iter().map(|name| driver.requirement(name));
                places.collect::<Result<Vec<_>, _>>()
            };
            names.map(places).transpose()?
        };
        self.until(|driver| {
            if !driver.is_started() {
                return Some(Err(NodeError::not_started()));
            }
            if driver.has_inputs() {
                return None;
            }
            let holds = driver
                .manager()
                .requirements()
                .iter()
                .filter(|view| wanted.as_ref().is_none_or(|ids| ids.contains(&view.id)))
                .all(|view| match level {
                    ReadyLevel::Minimal => view.have >= view.min,
                    ReadyLevel::Met => view.have >= view.target,
                });
            holds.then_some(Ok(()))
        })
        .await
    }

    // --- for the protocols of this module ---------------------------------------------------------------------------

    pub(super) fn lock(&self) -> MutexGuard<'_, Driver> {
        lock(&self.driver)
    }

    pub(super) fn open_driver(&self) -> Result<MutexGuard<'_, Driver>, NodeError> {
        let driver = self.lock();
        if driver.is_closed() {
            return Err(NodeError::closed());
        }
        Ok(driver)
    }

    /// Gives the manager an input.
    pub(super) fn input(&self, event: Event) -> Result<(), NodeError> {
        self.open_driver()?.input(event);
        Ok(())
    }

    /// Looks after every change until `look` has an answer. Fails with `closed` when the node is closed meanwhile.
    pub(super) async fn until<T>(
        &self,
        mut look: impl FnMut(&mut Driver) -> Option<Result<T, NodeError>>,
    ) -> Result<T, NodeError> {
        loop {
            let changed = {
                let mut driver = self.open_driver()?;
                if let Some(answer) = look(&mut driver) {
                    return answer;
                }
                driver.changed()
            };
            changed.await.map_err(|_| NodeError::closed())?;
        }
    }

    /// Waits for a peer that serves `requirement`, none of `tried`; one that names `shard` is preferred.
    ///
    /// # Errors
    /// `not-started`, `closed`; `no-peer` after `timeout`.
    pub(super) async fn serving(
        &self,
        requirement: RequirementId,
        shard: u16,
        tried: &[PeerId],
        timeout: Duration,
    ) -> Result<(PeerId, ConnId), NodeError> {
        let found = within(
            timeout,
            self.until(|driver| {
                if !driver.is_started() {
                    return Some(Err(NodeError::not_started()));
                }
                driver
                    .serving(requirement, shard)
                    .into_iter()
                    .find(|(peer, _)| !tried.contains(peer))
                    .map(Ok)
            }),
        )
        .await;
        if let Some(found) = found {
            return found;
        }
        Err(self.no_peer(requirement))
    }

    /// That all who serve were asked, and how each failed: `busy` or `timeout` when that is what all of them did, else
    /// `no-peer`.
    pub(super) fn exhausted(&self, requirement: RequirementId, tried: Vec<NodeError>) -> NodeError {
        if tried.is_empty() {
            return self.no_peer(requirement);
        }
        let name = self.lock().requirement_name(requirement);
        let all = |code| tried.iter().all(|one| one.code == code);
        let same = [ErrorCode::Busy, ErrorCode::Timeout]
            .into_iter()
            .find(|code| all(*code));
        let code = same.unwrap_or(ErrorCode::NoPeer);
        let last = tried.last().map_or("", |last| &*last.message);
        let message = format!("no peer served {name}; the last of {}: {last}", tried.len());
        NodeError::new(code, message).tried(tried)
    }

    fn no_peer(&self, requirement: RequirementId) -> NodeError {
        let name = self.lock().requirement_name(requirement);
        let reason = self.health().reason.as_str();
        let message = format!("no peer serves {name} ({reason})");
        NodeError::new(ErrorCode::NoPeer, message).because(reason)
    }
}

fn lock(driver: &Mutex<Driver>) -> MutexGuard<'_, Driver> {
    driver
        .lock()
        .expect("nothing panics while it holds the driver")
}

/// A request id: unique among those of this page, which is all that a stream of its own needs.
pub(super) fn request_id() -> String {
    let mut bytes = [0; 8];
    // Without entropy ids repeat, and each still belongs to its own stream.
    let _ = getrandom::fill(&mut bytes);
    data_encoding::HEXLOWER.encode(&bytes)
}
