//! One question to one peer, and what its end says of the peer.
//!
//! Every outcome that the manager hears of a request passes [`Driver::judge`], which asks the gatekeeper
//! (`protocols::charge`) whether it counts.

use std::time::Duration;

use libp2p::PeerId;

use super::driver::{Done, Driver, Exchange, Opened, Opening, exchange, within};
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

/// Makes a request for the protocol that was agreed on. Not a type parameter, because asking is kilobytes of code.
pub(super) type Encode<'a> = dyn Fn(&str) -> Vec<u8> + Send + Sync + 'a;

/// A question whose stream is being opened.
pub(super) struct Question {
    asked: Asked,
    begun: u64,
    rtt: Option<Duration>,
    pub(super) opening: Option<Opening>,
}

impl Question {
    /// Sends what `request` makes for the protocol that is agreed on, and reads the answer. The time that passes until
    /// the stream is open is not the peer's: it may be our own bound that holds it back. What only the driver knows of
    /// the circumstances follows by [`Driver::conclude`]. Nothing once the node is closed.
    pub(super) async fn ask(
        &mut self,
        request: &Encode<'_>,
        limit: usize,
        timeout: Duration,
    ) -> Option<Answer> {
        let mut how = Circumstances::default();
        let opened: Option<Opened> = {
            let opening = self.opening.as_mut()?;
            match within(timeout, &mut opening.opened).await {
                Some(opened) => Some(opened.ok()?),
                None => None,
            }
        };
        let Some(opened) = opened else {
            // Whoever waits for one of our places has not been asked yet.
            how.ours = true;
            return Some(Answer {
                exchange: Exchange::TimedOut,
                spoken: String::new(),
                how,
            });
        };
        self.opening = None;
        let (exchange, spoken) = match opened {
            Err(error) => {
                how.ours = matches!(error, OpenError::LimitReached | OpenError::ConnectionClosed);
                // It had all the time that negotiating may take.
                how.had_time = true;
                (Exchange::NotOpened(error), String::new())
            }
            Ok((stream, protocol)) => {
                let asked_at = platform::now().mono_ms;
                let bytes = request(protocol.as_ref());
                let left = timeout.saturating_sub(Duration::from_millis(asked_at - self.begun));
                let answer = exchange(stream, bytes, limit, left).await;
                let waited = Duration::from_millis(platform::now().mono_ms - asked_at);
                how.had_time = had_time(self.asked.protocol, waited, self.rtt);
                (answer, protocol.as_ref().to_owned())
            }
        };
        Some(Answer {
            exchange,
            spoken,
            how,
        })
    }

    /// When it began.
    pub(super) fn begun(&self) -> u64 {
        self.begun
    }
}

impl Node {
    /// Asks one peer one question: opens a stream for the first of `protocols` that it speaks, sends what `request`
    /// makes for it and reads the answer. Whoever stops waiting takes the question back.
    ///
    /// # Errors
    /// `closed`, when the node is closed meanwhile. How the peer did is in the [`Answer`].
    pub(super) async fn ask(
        &self,
        asked: Asked,
        protocols: &[&'static str],
        request: &Encode<'_>,
        limit: usize,
        timeout: Duration,
    ) -> Result<Answer, NodeError> {
        let question = self.open_driver()?.question(asked, protocols);
        let mut waiting = Waiting(self, question);
        let answer = waiting.1.ask(request, limit, timeout).await;
        let mut answer = answer.ok_or_else(NodeError::closed)?;
        let begun = waiting.1.begun();
        drop(waiting);
        self.open_driver()?
            .conclude(asked.conn, begun, &mut answer.how);
        Ok(answer)
    }

    /// See [`Driver::judge`].
    pub(super) fn judge(&self, asked: Asked, result: Result<(), &Verdict>, how: Circumstances) {
        self.lock().judge(asked, result, how);
    }
}

impl Driver {
    /// Begins a question.
    pub(super) fn question(&mut self, asked: Asked, protocols: &[&'static str]) -> Question {
        let rtt = self.manager().peer(&asked.peer);
        let rtt = rtt.and_then(|view| view.rtt_ms);
        Question {
            asked,
            begun: platform::now().mono_ms,
            rtt: rtt.map(|ms| Duration::from_millis(ms.into())),
            opening: Some(self.open(asked.conn, protocols)),
        }
    }

    /// Adds what only we know of how a question ended.
    pub(super) fn conclude(&self, conn: ConnId, begun: u64, how: &mut Circumstances) {
        how.ours |= self.is_leaving(conn);
        how.disturbed = self.manager().disturbed_since(begun);
        // A sleep that the manager has not been told of yet counts, too.
        how.disturbed |= self.just_slept();
    }

    /// Tells the manager how a request ended, and whether it counts.
    pub(super) fn judge(&mut self, asked: Asked, result: Result<(), &Verdict>, how: Circumstances) {
        if self.is_closed() {
            return;
        }
        match result {
            Err(verdict) if verdict.class == ExactClass::StreamReset && !how.ours => {
                self.after(LOSS_SHOWS, Done::Judge(asked, verdict.clone(), how));
            }
            _ => self.judge_now(asked, result, how),
        }
    }

    /// A broken stream, once it has shown whether its connection broke.
    pub(super) fn judge_late(&mut self, asked: Asked, verdict: &Verdict, mut how: Circumstances) {
        how.ours = self.is_leaving(asked.conn);
        self.judge_now(asked, Err(verdict), how);
    }

    fn judge_now(&mut self, asked: Asked, result: Result<(), &Verdict>, mut how: Circumstances) {
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

/// A question of a call; taken back when nobody waits for it any more.
struct Waiting<'a>(&'a Node, Question);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(opening) = self.1.opening.take() {
            self.0.lock().take_back(opening);
        }
    }
}
