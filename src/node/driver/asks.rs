//! Enrollments, locks and bursts between the calls that ask for them and the manager that answers.
//!
//! The first answer goes to the call, as does that to each renewal; what comes later becomes an event, until the manager
//! says that it is over. A call that gave up gets nothing, and nobody is told of what it asked for.

use futures::channel::oneshot;
use litemap::LiteMap;

use super::Driver;
use crate::manager::{
    BurstAnswer, BurstId, EnrollmentId, Event, LockAnswer, LockId, Offer, PeerView,
};
use crate::node::event::NodeEvent;

/// What the manager answered.
#[derive(Debug, Clone, Copy)]
pub(in crate::node) enum Answer {
    Offer(Offer),
    Lock(LockAnswer),
    Burst(BurstAnswer),
}

impl Answer {
    /// Whether it is the last of its kind, for something that was or was not granted before.
    fn ends(self, granted: bool) -> bool {
        match self {
            Self::Offer(Offer::Granted(_) | Offer::Counter { .. })
            | Self::Lock(LockAnswer::Granted { .. })
            | Self::Burst(BurstAnswer::Granted { .. }) => false,
            // A lock that is not renewed lasts until its time.
            Self::Lock(LockAnswer::Denied(_)) => !granted,
            Self::Offer(Offer::Rejected(_) | Offer::Ended)
            | Self::Lock(LockAnswer::Revoked { .. } | LockAnswer::Ended)
            | Self::Burst(BurstAnswer::Denied(_) | BurstAnswer::Closed) => true,
        }
    }

    fn event(self, id: u64) -> NodeEvent {
        match self {
            Self::Offer(offer) => NodeEvent::Offer(EnrollmentId(id), offer),
            Self::Lock(answer) => NodeEvent::Lock(LockId(id), answer),
            Self::Burst(answer) => NodeEvent::Burst(BurstId(id), answer),
        }
    }
}

/// See the module's documentation. One counter names all three kinds.
#[derive(Debug, Default)]
pub(super) struct Asks {
    next: u64,
    /// Calls whose answer has not come. Empty after each turn: the manager answers in the input that asks.
    waiting: Vec<(u64, oneshot::Sender<Answer>)>,
    /// What was granted and is not over. As bounded as the manager's own tables.
    granted: LiteMap<u64, ()>,
}

impl Asks {
    /// A fresh id.
    fn name(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The manager has seen everything: who has no answer gets none.
    pub(super) fn end(&mut self) {
        self.waiting.clear();
    }

    /// Hands an answer to the call that waits for it; what is no answer to a call is an event.
    fn take(&mut self, id: u64, answer: Answer) -> Option<NodeEvent> {
        let granted = self.granted.contains_key(&id);
        let ends = answer.ends(granted);
        let caller = self.waiting.iter().position(|(asked, _)| *asked == id);
        if let Some(caller) = caller {
            let (_, caller) = self.waiting.remove(caller);
            let taken = caller.send(answer).is_ok();
            if !granted && !ends && taken {
                self.granted.insert(id, ());
            }
            // That it is over concerns more than the call that wanted to renew it.
            if !granted || !ends {
                return None;
            }
        }
        if ends {
            self.granted.remove(&id);
        }
        granted.then(|| answer.event(id))
    }
}

impl Driver {
    /// A fresh name for something that the manager is asked for.
    pub(in crate::node) fn name_ask(&mut self) -> u64 {
        self.asks.name()
    }

    /// Nobody wants to hear of it any more.
    pub(in crate::node) fn drop_interest(&mut self, id: u64) {
        self.asks.granted.remove(&id);
    }

    /// Asks the manager. The channel closes without an answer when the node is closed, or when there is none.
    pub(in crate::node) fn ask_manager(
        &mut self,
        id: u64,
        event: Event,
    ) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        self.asks.waiting.push((id, sender));
        self.input(event);
        receiver
    }

    pub(super) fn answered(&mut self, id: u64, answer: Answer) {
        if let Some(event) = self.asks.take(id, answer) {
            self.emit(event);
        }
    }

    pub(super) fn request_scores(
        &mut self,
        round: u64,
        enrollment: EnrollmentId,
        peers: &[libp2p::PeerId],
        deadline_ms: u32,
    ) {
        if !self.asks.granted.contains_key(&enrollment.0) {
            return;
        }
        let peers: Vec<PeerView> = {
            let manager = self.manager();
            peers.iter().filter_map(|peer| manager.peer(peer)).collect()
        };
        self.emit(NodeEvent::Scores {
            enrollment,
            round,
            peers,
            deadline_ms,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::{Grant, LockDenial, Reason, Revocation};

    const GRANTED: Answer = Answer::Lock(LockAnswer::Granted { ttl_ms: 1 });
    const ENDED: Answer = Answer::Lock(LockAnswer::Ended);

    fn ask(asks: &mut Asks) -> (u64, oneshot::Receiver<Answer>) {
        let id = asks.name();
        (id, again(asks, id))
    }

    fn again(asks: &mut Asks, id: u64) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        asks.waiting.push((id, sender));
        receiver
    }

    #[test]
    fn the_first_answer_goes_to_the_call_and_later_ones_become_events() {
        let mut asks = Asks::default();
        let (id, mut call) = ask(&mut asks);
        let granted = Answer::Offer(Offer::Granted(Grant::default()));
        assert!(asks.take(id, granted).is_none());
        assert!(matches!(
            call.try_recv(),
            Ok(Some(Answer::Offer(Offer::Granted(_))))
        ));
        let offered = asks.take(id, granted);
        assert!(matches!(offered, Some(NodeEvent::Offer(EnrollmentId(of), _)) if of == id));
        let ended = Answer::Offer(Offer::Ended);
        assert!(asks.take(id, ended).is_some());
        assert!(asks.take(id, ended).is_none(), "it was over");
    }

    #[test]
    fn what_was_denied_tells_nothing_more() {
        let mut asks = Asks::default();
        let (id, mut call) = ask(&mut asks);
        let denied = Answer::Burst(BurstAnswer::Denied(Reason::LimitReached));
        assert!(asks.take(id, denied).is_none());
        assert!(matches!(call.try_recv(), Ok(Some(Answer::Burst(_)))));
        assert!(asks.take(id, denied).is_none());
        assert!(asks.granted.is_empty() && asks.waiting.is_empty());
    }

    #[test]
    fn a_renewal_that_is_denied_leaves_the_lock() {
        let mut asks = Asks::default();
        let (id, _call) = ask(&mut asks);
        asks.take(id, GRANTED);
        let mut renewal = again(&mut asks, id);
        let denied = Answer::Lock(LockAnswer::Denied(LockDenial::RenewedTooOften));
        assert!(asks.take(id, denied).is_none());
        assert!(matches!(renewal.try_recv(), Ok(Some(Answer::Lock(_)))));
        assert!(asks.take(id, ENDED).is_some(), "it lasted until now");
    }

    #[test]
    fn a_lock_that_ends_while_it_is_renewed_tells_the_holder_too() {
        let mut asks = Asks::default();
        let (id, _call) = ask(&mut asks);
        asks.take(id, GRANTED);
        let mut renewal = again(&mut asks, id);
        let revoked = Answer::Lock(LockAnswer::Revoked {
            reason: Revocation::HardLimit,
            grace_ms: 0,
        });
        assert!(asks.take(id, revoked).is_some());
        assert!(matches!(renewal.try_recv(), Ok(Some(Answer::Lock(_)))));
        assert!(asks.granted.is_empty());
    }

    #[test]
    fn a_call_that_gave_up_leaves_nothing() {
        let mut asks = Asks::default();
        let (id, call) = ask(&mut asks);
        drop(call);
        assert!(asks.take(id, GRANTED).is_none());
        assert!(asks.take(id, ENDED).is_none());
        assert!(asks.granted.is_empty() && asks.waiting.is_empty());
    }
}
