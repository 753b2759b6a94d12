//! What an enrolled protocol has for a while: locks on connections (contract.md 4.9) and bursts (4.10).

use futures::channel::oneshot;
use libp2p::PeerId;

use super::driver::Answer;
use super::error::{ErrorCode, NodeError};
use super::handle::Node;
use super::platform;
use super::undo::Undo;
use crate::manager::{BurstAnswer, BurstId, EnrollmentId, Event, LockAnswer, LockId};

/// A lock that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locked {
    /// Its name.
    pub id: LockId,
    /// When it ends by itself, wall clock.
    pub expires_at_wall_ms: u64,
}

/// A burst that began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    /// Its name.
    pub id: BurstId,
    /// Connections that may be made for it; perhaps fewer than were asked for.
    pub slots: u8,
}

impl Node {
    /// Has a peer's connection left alone for a while. That it ends is told by an event.
    ///
    /// # Errors
    /// `denied` with the manager's reason, `closed`.
    pub async fn lock_peer(
        &self,
        enrollment: EnrollmentId,
        peer: PeerId,
        ttl_ms: u64,
    ) -> Result<Locked, NodeError> {
        let (id, asked, undo) = self.request(
            |id| Event::Lock {
                lock: LockId(id),
                enrollment,
                peer,
                ttl_ms,
            },
            |id| Event::Unlock { lock: LockId(id) },
        )?;
        let answered = expiry(answer(self, asked).await?);
        undo.disarm();
        match answered {
            Ok(expires_at_wall_ms) => Ok(Locked {
                id: LockId(id),
                expires_at_wall_ms,
            }),
            Err(error) => Err(error.about(peer)),
        }
    }

    /// Renews a lock from now on. Returns when it ends, by the wall clock.
    ///
    /// # Errors
    /// `denied`: the lock lasts until its time then, if it has not ended already; `closed`.
    pub async fn extend_lock(&self, lock: LockId, ttl_ms: u64) -> Result<u64, NodeError> {
        let asked = self
            .open_driver()?
            .ask_manager(lock.0, Event::ExtendLock { lock, ttl_ms });
        expiry(answer(self, asked).await?)
    }

    /// Gives a lock back. One that has ended already is none.
    ///
    /// # Errors
    /// `closed`.
    pub fn unlock(&self, lock: LockId) -> Result<(), NodeError> {
        self.input(Event::Unlock { lock })
    }

    /// Makes up to `slots` connections more for a protocol, for at most `max_ms`. That it ends is told by an event.
    ///
    /// # Errors
    /// `denied` with the manager's reason, `closed`.
    pub async fn open_burst(
        &self,
        enrollment: EnrollmentId,
        slots: u8,
        max_ms: u64,
    ) -> Result<Burst, NodeError> {
        let (id, asked, undo) = self.request(
            |id| Event::OpenBurst {
                burst: BurstId(id),
                enrollment,
                slots,
                max_ms,
            },
            |id| Event::CloseBurst { burst: BurstId(id) },
        )?;
        let answered = answer(self, asked).await?;
        undo.disarm();
        match answered {
            Answer::Burst(BurstAnswer::Granted { slots }) => Ok(Burst {
                id: BurstId(id),
                slots,
            }),
            Answer::Burst(BurstAnswer::Denied(reason)) => {
                Err(NodeError::denied("no burst", reason.as_str()))
            }
            _ => Err(unanswered()),
        }
    }

    /// Ends a burst that has done its work. One that has ended already is none.
    ///
    /// # Errors
    /// `closed`.
    pub fn close_burst(&self, burst: BurstId) -> Result<(), NodeError> {
        self.input(Event::CloseBurst { burst })
    }

    /// Asks the manager for something new. Who drops the returned guard without disarming it gives it back.
    pub(super) fn request(
        &self,
        request: impl FnOnce(u64) -> Event,
        undo: impl FnOnce(u64) -> Event,
    ) -> Result<(u64, oneshot::Receiver<Answer>, Undo), NodeError> {
        let mut driver = self.open_driver()?;
        let id = driver.name_ask();
        let asked = driver.ask_manager(id, request(id));
        drop(driver);
        let undo = undo(id);
        let undo = Undo::new(self, move |driver| {
            driver.drop_interest(id);
            driver.input(undo);
        });
        Ok((id, asked, undo))
    }
}

/// Waits for the manager's answer.
pub(super) async fn answer(
    node: &Node,
    asked: oneshot::Receiver<Answer>,
) -> Result<Answer, NodeError> {
    asked.await.map_err(|_| {
        if node.lock().is_closed() {
            NodeError::closed()
        } else {
            unanswered()
        }
    })
}

/// The manager knows nothing of what was named: it ended.
pub(super) fn unanswered() -> NodeError {
    NodeError::new(ErrorCode::Denied, "it has ended, or never began")
}

fn expiry(answer: Answer) -> Result<u64, NodeError> {
    let denied = |reason| Err(NodeError::denied("not locked", reason));
    match answer {
        Answer::Lock(LockAnswer::Granted { ttl_ms }) => {
            Ok(platform::now().wall_ms.saturating_add(ttl_ms))
        }
        Answer::Lock(LockAnswer::Denied(reason)) => denied(reason.as_str()),
        Answer::Lock(LockAnswer::Revoked { reason, .. }) => denied(reason.as_str()),
        _ => Err(unanswered()),
    }
}
