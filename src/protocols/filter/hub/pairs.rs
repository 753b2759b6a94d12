//! The pairs of shard and content topic that anybody wants, or that some server may still push, and where each stands at each
//! server.

use super::session::{MEMORY_MS, NEVER, Session};
use super::types::{Group, Now, WishId};
use crate::protocols::topic::PubsubTopic;

/// Names a pair. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PairId(u32);

#[derive(Debug)]
pub(super) struct Pair {
    pub(super) id: PairId,
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
    /// The servers that have to do with it.
    pub(super) at: Vec<At>,
}

/// Where a pair stands at a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not wanted from there. It may be pushed all the same.
    Idle,
    /// To be asked for.
    Want,
    /// Asked for.
    Asking,
    /// The server has acknowledged it.
    Acked,
    /// To be given up. The server pushes it until it hears so.
    Leave,
    /// The server is being told.
    Leaving,
}

/// A pair at a server.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    /// The place of the session.
    pub(super) of: usize,
    pub(super) standing: Standing,
    /// Since when the server surely pushes it; [`NEVER`] when it is not sure.
    pub(super) since: u64,
    /// Whether it was ever asked for there.
    pub(super) asked: bool,
    /// Whether the server may have it.
    pub(super) stored: bool,
    /// When the standing began to wait for a request, or when the server gave the pair up.
    pub(super) at: u64,
    /// The request for it that is under way.
    pub(super) ask: u64,
    /// That request takes suspiciously long.
    pub(super) late: bool,
    /// Most pairs in the request for it: halved when a request with it was called wrong, so that one wrong topic does not
    /// spoil the others.
    pub(super) batch: u8,
    /// The server calls it wrong: not before this time.
    pub(super) refused_until: u64,
}

impl At {
    /// Whether the server is asked for it, or will be, or has it.
    pub(super) fn is_live(&self) -> bool {
        matches!(
            self.standing,
            Standing::Want | Standing::Asking | Standing::Acked
        )
    }

    /// Whether the server has acknowledged it and not confirmed its end.
    pub(super) fn is_on(&self) -> bool {
        self.standing == Standing::Acked
            || matches!(self.standing, Standing::Leave | Standing::Leaving) && self.since != NEVER
    }

    /// Whether a push of it was asked for, now or lately.
    pub(super) fn is_remembered(&self, session: &Session, now: u64) -> bool {
        let since = if self.stored {
            session.last_request
        } else {
            self.at
        };
        self.asked && (self.standing != Standing::Idle || now.saturating_sub(since) <= MEMORY_MS)
    }
}

impl Pair {
    /// What is known of it at a session.
    pub(super) fn at(&self, of: usize) -> Option<&At> {
        self.at.iter().find(|at| at.of == of)
    }

    pub(super) fn at_mut(&mut self, of: usize) -> Option<&mut At> {
        self.at.iter_mut().find(|at| at.of == of)
    }

    pub(super) fn at_or_new(&mut self, of: usize) -> &mut At {
        let place = self.at.iter().position(|at| at.of == of);
        let place = place.unwrap_or_else(|| {
            self.at.push(At {
                of,
                standing: Standing::Idle,
                since: NEVER,
                asked: false,
                stored: false,
                at: 0,
                ask: NEVER,
                late: false,
                batch: u8::MAX,
                refused_until: 0,
            });
            self.at.len() - 1
        });
        &mut self.at[place]
    }
}

/// All of them, in the order of their names.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    next: u32,
    pub(super) all: Vec<Pair>,
}

impl Pairs {
    pub(super) fn find(&self, pubsub_topic: PubsubTopic, content_topic: &str) -> Option<&Pair> {
        self.all
            .iter()
            .find(|pair| pair.pubsub_topic == pubsub_topic && pair.content_topic == content_topic)
    }

    pub(super) fn get(&self, id: PairId) -> Option<&Pair> {
        let place = self.all.binary_search_by_key(&id, |pair| pair.id).ok()?;
        self.all.get(place)
    }

    pub(super) fn get_mut(&mut self, id: PairId) -> Option<&mut Pair> {
        let place = self.all.binary_search_by_key(&id, |pair| pair.id).ok()?;
        self.all.get_mut(place)
    }

    /// Notes that a wish wants a pair.
    pub(super) fn want(
        &mut self,
        pubsub_topic: PubsubTopic,
        content_topic: String,
        wish: WishId,
    ) -> PairId {
        let id = match self.find(pubsub_topic, &content_topic) {
            Some(pair) => pair.id,
            None => {
                let id = PairId(self.next);
                self.next += 1;
                self.all.push(Pair {
                    id,
                    pubsub_topic,
                    content_topic,
                    wishes: Vec::new(),
                    peers: 0,
                    catch_up: false,
                    covered_until: None,
                    at: Vec::new(),
                });
                id
            }
        };
        if let Some(pair) = self.get_mut(id)
            && !pair.wishes.contains(&wish)
        {
            pair.wishes.push(wish);
        }
        id
    }

    /// The pairs, sorted by shard.
    pub(super) fn groups(&self, ids: &[PairId]) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for pair in ids.iter().filter_map(|id| self.get(*id)) {
            Group::add(&mut groups, pair.pubsub_topic, &pair.content_topic);
        }
        groups
    }
}
