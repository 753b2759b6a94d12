//! What servers push: what is delivered, what is dropped in silence, and what the server itself answers for (filter.md,
//! section 6).
//!
//! Only a pair that was never asked for at this server, and too much of anything, say something about the server. What is in a
//! message is its sender's doing, and what we have given up is still on its way.

use libp2p_identity::PeerId;

use super::Hub;
use super::session::LONG_REST_MS;
use super::types::{Action, Admission, Delivery, Now, Push, Via};
use crate::protocols::filter::push::{MessagePush, PushError};
use crate::protocols::message::MessageError;

/// Pushes in a minute that were never asked for, until the server answers for them (filter.md, section 7).
const MAX_UNREQUESTED: u8 = 10;
const MINUTE_MS: u64 = 60_000;

impl Hub {
    /// Whether a peer may open a push stream.
    pub fn may_push(&self, now: Now, peer: &PeerId) -> Admission {
        match self.find(peer).map(|index| &self.sessions[index]) {
            Some(session) if session.blocked_until > now.mono_ms => Admission::Refused,
            Some(_) if self.remembers_any(peer, now.mono_ms) => Admission::Welcome,
            _ => Admission::Stranger,
        }
    }

    /// Judges a push. `frame_len` is what it took on the wire, in bytes.
    pub fn pushed(&mut self, now: Now, peer: &PeerId, push: MessagePush, frame_len: usize) -> Push {
        self.now = now;
        let Some(index) = self.find(peer) else {
            return Push::Stranger;
        };
        let session = &mut self.sessions[index];
        if session.blocked_until > now.mono_ms {
            return Push::OverBudget;
        }
        if !self.remembers_any(peer, now.mono_ms) {
            return Push::Stranger;
        }
        let session = &mut self.sessions[index];
        if !session.budget.take(now.mono_ms, frame_len) {
            self.act(Action::OverBudget { peer: *peer });
            self.shut_out(index);
            return Push::OverBudget;
        }
        let session = &self.sessions[index];
        let pairs = &self.pairs;
        let find = |pubsub_topic: &str, content_topic: &str| {
            let pubsub_topic = pubsub_topic.parse().ok()?;
            let pair = pairs.find(pubsub_topic, content_topic)?;
            let at = pair.at(index)?;
            at.is_remembered(session, now.mono_ms)
                .then_some((pair.id, !pair.wishes.is_empty()))
        };
        // What the message is about, also when it is not taken.
        let message = push.waku_message.as_ref();
        let about = push.pubsub_topic.as_deref().zip(message);
        let about = about.and_then(|(topic, message)| find(topic, message.content_topic()));
        let mut pair = None;
        let limit = self.limits.max_message_bytes;
        let accepted = push.accept(&self.network, limit, |pubsub_topic, content_topic| {
            pair = about.or_else(|| find(pubsub_topic, content_topic));
            pair.is_some()
        });
        let (id, is_wanted, received) = match (accepted, pair) {
            (Ok(received), Some((id, is_wanted))) => (id, is_wanted, received),
            (Err(PushError::Unrequested), _) => return self.unrequested(index),
            (Err(PushError::Message(MessageError::TooLarge { .. })), _) => {
                if let Some((id, true)) = about {
                    self.oversized(id);
                }
                return Push::Dropped;
            }
            _ => return Push::Dropped,
        };
        let session = &mut self.sessions[index];
        session.brought(now);
        // Nothing else may be due when it falls silent.
        let quiet_at = session.quiet_at;
        self.wake(quiet_at);
        if !is_wanted {
            return Push::Dropped;
        }
        let keep_from = self.outages.keep_from();
        if !self.seen.insert(&received.hash, now.mono_ms, keep_from) {
            self.repeated(index, &received.hash);
            return Push::Dropped;
        }
        self.watch(index, id, received.hash);
        let to = self.pairs.get(id).map(|pair| pair.wishes.clone());
        let delivery = Delivery {
            to: to.unwrap_or_default(),
            peer: *peer,
            via: Via::Filter,
            received,
        };
        match self.hand_over(delivery) {
            Some(delivery) => Push::Deliver(Box::new(delivery)),
            None => Push::Held,
        }
    }

    /// What is to be handed over now; the rest is held.
    pub(super) fn hand_over(&mut self, mut delivery: Delivery) -> Option<Delivery> {
        let mut open = Vec::new();
        for id in std::mem::take(&mut delivery.to) {
            match self.wishes.iter_mut().find(|wish| wish.id == id) {
                Some(wish) if wish.is_open() => open.push(id),
                Some(wish) => {
                    let mut copy = delivery.clone();
                    copy.to.push(id);
                    wish.hold(self.now.wall_ms, copy);
                }
                None => {}
            }
        }
        delivery.to = open;
        (!delivery.to.is_empty()).then_some(delivery)
    }

    /// Whether anything was asked of a peer, now or lately.
    fn remembers_any(&self, peer: &PeerId, now: u64) -> bool {
        self.find(peer).is_some_and(|index| {
            let session = &self.sessions[index];
            let mut ats = self.pairs.all.iter().filter_map(|pair| pair.at(index));
            ats.any(|at| at.is_remembered(session, now))
        })
    }

    fn unrequested(&mut self, index: usize) -> Push {
        let now = self.now.mono_ms;
        let session = &mut self.sessions[index];
        if now.saturating_sub(session.unrequested_since) > MINUTE_MS {
            session.unrequested = 0;
            session.unrequested_since = now;
        }
        session.unrequested += 1;
        if session.unrequested >= MAX_UNREQUESTED {
            session.unrequested = 0;
            let peer = session.peer;
            self.act(Action::Unrequested { peer });
            self.shut_out(index);
        }
        Push::Unrequested
    }

    /// The server is unsubscribed, replaced, and not listened to for a while.
    fn shut_out(&mut self, index: usize) {
        let now = self.now.mono_ms;
        let session = &mut self.sessions[index];
        session.rest_long(now);
        session.blocked_until = now + LONG_REST_MS;
        self.give_up_all(index);
        self.dirty = true;
    }
}
