//! One question to one peer, and what its end says of the peer.
//!
//! Every outcome that the manager hears of a request passes [`Node::judge`], which asks the gatekeeper
//! (`protocols::charge`) whether it counts.

use std::time::Duration;

use libp2p::PeerId;

use super::driver::{Driver, Exchange, exchange, within};
use super::error::NodeError;
use super::handle::Node;
use super::platform;
use super::streams::OpenError;
use super::verdicts::outcome;
use crate::manager::{ConnId, Outcome, RequirementId};
use crate::protocols::charge::{Circumstances, charged, had_time};
use crate::protocols::verdict::{ExactClass, Protocol, Verdict};

/// After a stream broke, it shows within this time whether its whole connection did: that is charged once, as a loss.
const LOSS_SHOWS: Duration = Duration::from_millis(200);

/// Whom a question is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) peer: PeerId,
    pub(super) conn: ConnId,
    pub(super) requirement: RequirementId,
    pub(super) protocol: Protocol,
}

/// How a question ended.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) exchange: Exchange,
    /// The protocol that was agreed on; empty when none was.
    pub(super) spoken: String,
    pub(super) how: Circumstances,
}

impl Node {
    /// Asks one peer one question: opens a stream for the first of `protocols` that it speaks, sends what `request`
    /// makes for it and reads the answer. The time that passes until the stream is open is not the peer's: it may be
    /// our own bound that holds it back.
    ///
    /// # Errors
    /// `closed`, when the node is closed meanwhile. How the peer did is in the [`Answer`].
    pub(super) async fn ask(
        &self,
        asked: Asked,
        protocols: &[&'static str],
        request: impl FnOnce(&str) -> Vec<u8>,
        limit: usize,
        timeout: Duration,
    ) -> Result<Answer, NodeError> {
        let begun = platform::now().mono_ms;
        let (opening, rtt) = {
            let mut driver = self.open_driver()?;
            let rtt = driver.manager().peer(&asked.peer);
            (
                driver.open(asked.conn, protocols),
                rtt.and_then(|view| view.rtt_ms),
            )
        };
        let mut opening = Opening::new(self, opening);
        let opened = within(timeout, opening.opened()).await;
        let mut spoken = String::new();
        let mut how = Circumstances::default();
        let exchange = match opened {
            // Whoever waits for one of our places has not been asked yet.
            None => {
                how.ours = true;
                Exchange::TimedOut
            }
            Some(Err(closed)) => return Err(closed),
            Some(Ok(Err(error))) => {
                how.ours = matches!(error, OpenError::LimitReached | OpenError::ConnectionClosed);
                // It had all the time that negotiating may take.
                how.had_time = true;
                Exchange::NotOpened(error)
            }
            Some(Ok(Ok((stream, protocol)))) => {
                let asked_at = platform::now().mono_ms;
                let bytes = request(protocol.as_ref());
                protocol.as_ref().clone_into(&mut spoken);
                let left = timeout.saturating_sub(Duration::from_millis(asked_at - begun));
                let answer = exchange(stream, bytes, limit, left).await;
                let waited = Duration::from_millis(platform::now().mono_ms - asked_at);
                let rtt = rtt.map(|ms| Duration::from_millis(ms.into()));
                how.had_time = had_time(asked.protocol, waited, rtt);
                answer
            }
        };
        let driver = self.open_driver()?;
        how.ours |= driver.is_leaving(asked.conn);
        how.disturbed = driver.manager().disturbed_since(begun);
        drop(driver);
        Ok(Answer {
            exchange,
            spoken,
            how,
        })
    }

    /// Tells the manager how a request ended, and whether it counts.
    pub(super) fn judge(&self, asked: Asked, result: Result<(), &Verdict>, how: Circumstances) {
        let broke = result.is_err_and(|verdict| verdict.class == ExactClass::StreamReset);
        if !broke || how.ours {
            return self.lock().judge(asked, result, how);
        }
        let verdict = result.err().cloned();
        let node = self.clone();
        platform::spawn(async move {
            platform::sleep(LOSS_SHOWS).await;
            let mut driver = node.lock();
            let mut how = how;
            how.ours = driver.is_leaving(asked.conn);
            driver.judge(asked, verdict.as_ref().map_or(Ok(()), Err), how);
        });
    }
}

impl Driver {
    /// Whether a connection is gone, or we are closing it.
    pub(super) fn is_leaving(&self, conn: ConnId) -> bool {
        self.connections
            .get(conn)
            .is_none_or(|connection| connection.leaving)
    }

    /// See [`Node::judge`].
    pub(super) fn judge(
        &mut self,
        asked: Asked,
        result: Result<(), &Verdict>,
        mut how: Circumstances,
    ) {
        if self.is_closed() {
            return;
        }
        let now = platform::now().mono_ms;
        let pace = self.pace(asked.peer, asked.requirement);
        match result {
            Ok(()) => pace.ok(now),
            Err(verdict) if verdict.class == ExactClass::RateLimited => {
                pace.limited(now);
                how.persistent = pace.refuses();
            }
            Err(_) => {}
        }
        let (outcome, charged) = match result {
            Ok(()) => (Outcome::Success, false),
            Err(verdict) => (outcome(verdict), charged(verdict.class, how)),
        };
        self.report(asked.peer, asked.requirement, outcome, charged);
    }
}

/// A stream that is being opened; taken back when nobody waits for it any more.
struct Opening<'a> {
    node: &'a Node,
    opening: Option<super::driver::Opening>,
}

impl<'a> Opening<'a> {
    fn new(node: &'a Node, opening: super::driver::Opening) -> Self {
        Self {
            node,
            opening: Some(opening),
        }
    }

    async fn opened(&mut self) -> Result<super::driver::Opened, NodeError> {
        let Some(opening) = &mut self.opening else {
            return Err(NodeError::closed());
        };
        let opened = (&mut opening.opened).await;
        self.opening = None;
        opened.map_err(|_| NodeError::closed())
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        if let Some(opening) = self.opening.take() {
            self.node.lock().take_back(opening);
        }
    }
}
