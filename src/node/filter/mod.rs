//! `filter.subscribe`: one serving peer for each subscription, replaced when it is lost (api.md; filter.md).
//!
//! [`Subscriptions`] is the table: what is wanted, from whom it comes, and which pushes may be delivered. The requests, and
//! the loop that keeps a subscription alive, are plain async code in `keeper`.

mod keeper;
mod seen;

use std::time::Duration;

use futures::channel::oneshot;
use libp2p::PeerId;
use litemap::LiteMap;

use super::event::{Received, SubscriptionId};
use crate::protocols::filter::push::MessagePush;
use crate::protocols::message::MAX_SIZE;
use crate::protocols::network::Network;
use crate::protocols::topic::PubsubTopic;

pub use keeper::Subscribed;
use seen::Seen;

/// How long pushes of an ended or moved subscription are dropped without blaming the sender (filter.md, section 6).
const GRACE: Duration = Duration::from_secs(60);
/// Requests to one server are this far apart: go-waku takes one a second (protocols/README.md, go-waku).
const REQUEST_SPACING: Duration = Duration::from_millis(1_100);

/// The content topics of one subscription that lie on one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) pubsub_topic: PubsubTopic,
    pub(super) content_topics: Vec<String>,
}

/// One subscription of the user's.
#[derive(Debug)]
struct Subscription {
    groups: Vec<Group>,
    /// Who serves it, or is being asked to.
    peer: Option<PeerId>,
    /// Dropping it ends the loop that keeps the subscription alive.
    _keeper: oneshot::Sender<()>,
}

impl Subscription {
    fn wants(&self, pubsub_topic: PubsubTopic, content_topic: &str) -> bool {
        self.groups.iter().any(|group| {
            group.pubsub_topic == pubsub_topic
                && group.content_topics.iter().any(|t| t == content_topic)
        })
    }
}

/// What became of a push.
#[derive(Debug)]
pub(super) enum Delivery {
    /// Give it to these subscriptions.
    To(Vec<SubscriptionId>, Box<Received>),
    /// Known already, or of a subscription that just ended: dropped without a word.
    Dropped,
    /// Nobody asked this peer for it, or it breaks a rule: dropped, and the peer is at fault.
    Unwanted(String),
}

/// All subscriptions.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    next: u32,
    active: LiteMap<SubscriptionId, Subscription>,
    /// Servers whose pushes are still on the way after we left them, until when (monotonic ms).
    left: LiteMap<PeerId, u64>,
    /// When each server may be asked again (monotonic ms).
    next_request: LiteMap<PeerId, u64>,
    seen: Seen,
}

impl Subscriptions {
    /// Notes a subscription and gives it a name. The receiver ends when it is removed.
    pub(super) fn add(&mut self, groups: Vec<Group>) -> (SubscriptionId, oneshot::Receiver<()>) {
        let id = SubscriptionId(self.next);
        self.next += 1;
        let (keeper, ended) = oneshot::channel();
        self.active.insert(
            id,
            Subscription {
                groups,
                peer: None,
                _keeper: keeper,
            },
        );
        (id, ended)
    }

    /// Forgets a subscription: who served it, and the groups of which that peer need not send anything any more.
    pub(super) fn remove(
        &mut self,
        id: SubscriptionId,
        now_ms: u64,
    ) -> Option<(Option<PeerId>, Vec<Group>)> {
        let removed = self.active.remove(&id)?;
        let Some(peer) = removed.peer else {
            return Some((None, Vec::new()));
        };
        self.leave(peer, now_ms);
        Some((Some(peer), self.not_wanted_from(peer, removed.groups)))
    }

    /// The part of `groups` that no other subscription has from this peer.
    pub(super) fn not_wanted_from(&self, peer: PeerId, groups: Vec<Group>) -> Vec<Group> {
        groups
            .into_iter()
            .filter_map(|mut group| {
                group.content_topics.retain(|topic| {
                    !self
                        .active
                        .values()
                        .any(|s| s.peer == Some(peer) && s.wants(group.pubsub_topic, topic))
                });
                (!group.content_topics.is_empty()).then_some(group)
            })
            .collect()
    }

    /// Whether any subscription comes from this peer.
    pub(super) fn uses(&self, peer: PeerId) -> bool {
        self.active.values().any(|s| s.peer == Some(peer))
    }

    /// What a subscription wants; nothing, once it has ended.
    pub(super) fn groups(&self, id: SubscriptionId) -> Vec<Group> {
        self.active
            .get(&id)
            .map_or_else(Vec::new, |subscription| subscription.groups.clone())
    }

    /// Notes who serves a subscription from now on, before it is asked: its pushes may come before its answer.
    pub(super) fn set_peer(&mut self, id: SubscriptionId, peer: Option<PeerId>, now_ms: u64) {
        let before = self
            .active
            .get_mut(&id)
            .and_then(|subscription| std::mem::replace(&mut subscription.peer, peer));
        if let Some(before) = before
            && peer != Some(before)
        {
            self.leave(before, now_ms);
        }
    }

    /// Every content topic that is wanted from this peer, for the word about a gap.
    pub(super) fn topics_from(&self, peer: PeerId) -> Vec<String> {
        let mut topics: Vec<String> = Vec::new();
        for subscription in self.active.values().filter(|s| s.peer == Some(peer)) {
            for topic in subscription.groups.iter().flat_map(|g| &g.content_topics) {
                if !topics.contains(topic) {
                    topics.push(topic.clone());
                }
            }
        }
        topics
    }

    /// Takes the server's next place in time: how long to wait before asking it.
    pub(super) fn pace(&mut self, peer: PeerId, now_ms: u64) -> Duration {
        self.next_request.retain(|_, at| *at > now_ms);
        let at = self.next_request.get(&peer).copied().unwrap_or(now_ms);
        self.next_request
            .insert(peer, at + REQUEST_SPACING.as_millis() as u64);
        Duration::from_millis(at - now_ms)
    }

    /// Judges a push by the rules of filter.md, section 6.
    pub(super) fn accept(
        &mut self,
        network: &Network,
        peer: PeerId,
        push: MessagePush,
        now_ms: u64,
    ) -> Delivery {
        let grace = self.left.get(&peer).is_some_and(|until| *until > now_ms);
        if !grace && !self.uses(peer) {
            return Delivery::Unwanted("push from a peer that we did not subscribe at".into());
        }
        let mut to = Vec::new();
        let accepted = push.accept(network, MAX_SIZE, |pubsub_topic, content_topic| {
            let Ok(pubsub_topic) = pubsub_topic.parse() else {
                return false;
            };
            // Everybody who wants it gets it, whoever sent it first; but this peer must have been asked.
            to.extend(self.wanting(pubsub_topic, content_topic));
            grace
                || self
                    .active
                    .values()
                    .any(|s| s.peer == Some(peer) && s.wants(pubsub_topic, content_topic))
        });
        let received = match accepted {
            Ok(received) => received,
            Err(error) => return Delivery::Unwanted(error.to_string()),
        };
        if to.is_empty() || !self.seen.insert(received.hash, now_ms) {
            return Delivery::Dropped;
        }
        let Ok(pubsub_topic) = received.pubsub_topic.parse() else {
            return Delivery::Dropped;
        };
        Delivery::To(
            to,
            Box::new(Received {
                message: received.message,
                hash: received.hash,
                pubsub_topic,
                peer,
            }),
        )
    }

    fn wanting(&self, pubsub_topic: PubsubTopic, content_topic: &str) -> Vec<SubscriptionId> {
        self.active
            .iter()
            .filter(|(_, s)| s.wants(pubsub_topic, content_topic))
            .map(|(id, _)| *id)
            .collect()
    }

    fn leave(&mut self, peer: PeerId, now_ms: u64) {
        self.left.retain(|_, until| *until > now_ms);
        self.left.insert(peer, now_ms + GRACE.as_millis() as u64);
    }
}

/// Sorts content topics by their shards: a request has exactly one (message.md, section 5).
pub(super) fn group(
    network: &Network,
    content_topics: &[String],
    shard: Option<u16>,
) -> Result<Vec<Group>, crate::protocols::network::ShardError> {
    let mut groups: Vec<Group> = Vec::new();
    for topic in content_topics {
        let pubsub_topic = network.shard_of(topic, shard)?;
        match groups.iter_mut().find(|g| g.pubsub_topic == pubsub_topic) {
            Some(group) if group.content_topics.contains(topic) => {}
            Some(group) => group.content_topics.push(topic.clone()),
            None => groups.push(Group {
                pubsub_topic,
                content_topics: vec![topic.clone()],
            }),
        }
    }
    Ok(groups)
}

#[cfg(test)]
mod tests;
