//! The pairs of shard and content topic that anybody wants, or that some server may still push.

use litemap::LiteMap;

use super::types::{Group, Now, WishId};
use crate::protocols::topic::PubsubTopic;

/// A pair's place in the table. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PairId(u32);

#[derive(Debug)]
pub(super) struct Pair {
    pub(super) pubsub_topic: PubsubTopic,
    pub(super) content_topic: String,
    /// Who wants it.
    pub(super) wishes: Vec<WishId>,
    /// On how many servers: the most that any of them wants.
    pub(super) peers: u8,
    /// Whether any of them wants gaps to be filled.
    pub(super) catch_up: bool,
    /// Until when messages are known to have come without a gap; `None` before the first server has acknowledged.
    pub(super) covered_until: Option<Now>,
}

#[derive(Debug, Default)]
pub(super) struct Pairs {
    next: u32,
    ids: LiteMap<PubsubTopic, LiteMap<String, PairId>>,
    all: LiteMap<PairId, Pair>,
}

impl Pairs {
    pub(super) fn find(&self, pubsub_topic: PubsubTopic, content_topic: &str) -> Option<PairId> {
        self.ids.get(&pubsub_topic)?.get(content_topic).copied()
    }

    pub(super) fn get(&self, id: PairId) -> Option<&Pair> {
        self.all.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: PairId) -> Option<&mut Pair> {
        self.all.get_mut(&id)
    }

    pub(super) fn ids(&self) -> Vec<PairId> {
        self.all.keys().copied().collect()
    }

    /// Notes that a wish wants a pair.
    pub(super) fn want(
        &mut self,
        pubsub_topic: PubsubTopic,
        content_topic: String,
        wish: WishId,
    ) -> PairId {
        let id = match self.find(pubsub_topic, &content_topic) {
            Some(id) => id,
            None => {
                let id = PairId(self.next);
                self.next += 1;
                let topics = self.ids.entry(pubsub_topic).or_default();
                topics.insert(content_topic.clone(), id);
                let pair = Pair {
                    pubsub_topic,
                    content_topic,
                    wishes: Vec::new(),
                    peers: 0,
                    catch_up: false,
                    covered_until: None,
                };
                self.all.insert(id, pair);
                id
            }
        };
        if let Some(pair) = self.all.get_mut(&id)
            && !pair.wishes.contains(&wish)
        {
            pair.wishes.push(wish);
        }
        id
    }

    /// Forgets the pairs that nobody wants and no server may push.
    pub(super) fn tidy(&mut self, remembered: impl Fn(PairId) -> bool) {
        let idle = |(id, pair): &(&PairId, &Pair)| pair.wishes.is_empty() && !remembered(**id);
        let idle: Vec<_> = self.all.iter().filter(idle).map(|(id, _)| *id).collect();
        for id in idle {
            if let Some(pair) = self.all.remove(&id)
                && let Some(topics) = self.ids.get_mut(&pair.pubsub_topic)
            {
                topics.remove(&pair.content_topic);
                if topics.is_empty() {
                    self.ids.remove(&pair.pubsub_topic);
                }
            }
        }
    }

    /// The pairs, sorted by shard.
    pub(super) fn groups(&self, ids: &[PairId]) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for pair in ids.iter().filter_map(|id| self.get(*id)) {
            let topic = pair.content_topic.clone();
            match groups
                .iter_mut()
                .find(|g| g.pubsub_topic == pair.pubsub_topic)
            {
                Some(group) => group.content_topics.push(topic),
                None => groups.push(Group {
                    pubsub_topic: pair.pubsub_topic,
                    content_topics: vec![topic],
                }),
            }
        }
        groups
    }
}
