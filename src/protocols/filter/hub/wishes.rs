//! What the user wants, and what became of it.

use std::collections::VecDeque;

use libp2p_identity::PeerId;

use super::Hub;
use super::pairs::PairId;
use super::session::Standing;
use super::types::{Action, Cause, Delivery, Group, Now, WishId, WishState};
use crate::protocols::verdict::Verdict;

/// What servers said that refused, for the caller.
const MAX_ERRORS: usize = 8;
/// What is kept for a wish that is not opened yet.
const MAX_HELD: usize = 256;
const MAX_HELD_BYTES: usize = 1024 * 1024;

#[derive(Debug)]
pub(super) struct Wish {
    pub(super) pairs: Vec<PairId>,
    peers: u8,
    catch_up: bool,
    pub(super) since: Now,
    /// What was told of it last; `None` before it is made.
    told: Option<(WishState, Vec<PeerId>)>,
    pub(super) errors: Vec<(PeerId, Verdict)>,
    /// What came before it was opened.
    held: Option<Held>,
}

#[derive(Debug, Default)]
struct Held {
    messages: VecDeque<(u64, Delivery)>,
    bytes: usize,
    /// When what had to go came.
    lost: Option<(u64, u64)>,
}

impl Held {
    fn push(&mut self, wall_ms: u64, delivery: Delivery) {
        self.bytes += delivery.received.message.size();
        self.messages.push_back((wall_ms, delivery));
        while self.messages.len() > MAX_HELD || self.bytes > MAX_HELD_BYTES {
            let Some((at, lost)) = self.messages.pop_front() else {
                break;
            };
            self.bytes -= lost.received.message.size();
            let (from, to) = self.lost.unwrap_or((at, at));
            self.lost = Some((from.min(at), to.max(at)));
        }
    }
}

impl Wish {
    /// Whether what comes is handed over at once.
    pub(super) fn is_open(&self) -> bool {
        self.held.is_none()
    }

    pub(super) fn hold(&mut self, wall_ms: u64, delivery: Delivery) {
        if let Some(held) = &mut self.held {
            held.push(wall_ms, delivery);
        }
    }

    pub(super) fn note(&mut self, peer: PeerId, verdict: &Verdict) {
        if self.told.is_some() {
            return;
        }
        self.errors.retain(|(of, _)| *of != peer);
        if self.errors.len() >= MAX_ERRORS {
            self.errors.remove(0);
        }
        self.errors.push((peer, verdict.clone()));
    }
}

impl Hub {
    /// Wants messages of these topics from `peers` servers, or from as many as there are. With `catch_up` a store is asked
    /// for what was missed in gaps. [`Action::Made`] or [`Action::Failed`] follows; until [`open`](Self::open) what comes is
    /// held.
    pub fn want(&mut self, now: Now, groups: Vec<Group>, peers: u8, catch_up: bool) -> WishId {
        self.now = now;
        let id = WishId(self.next_wish);
        self.next_wish += 1;
        let mut pairs = Vec::new();
        for group in groups {
            for topic in group.content_topics {
                let pair = self.pairs.want(group.pubsub_topic, topic, id);
                if !pairs.contains(&pair) {
                    pairs.push(pair);
                }
            }
        }
        let wish = Wish {
            pairs: pairs.clone(),
            peers: peers.max(1),
            catch_up,
            since: now,
            told: None,
            errors: Vec::new(),
            held: Some(Held::default()),
        };
        self.wishes.insert(id, wish);
        self.count_wants(&pairs);
        self.dirty = true;
        id
    }

    /// Wants it no more. A wish that has ended is none.
    pub fn unwant(&mut self, now: Now, id: WishId) {
        self.now = now;
        if let Some(wish) = self.wishes.remove(&id) {
            self.forget(id, wish);
        }
    }

    /// The caller has the subscription: what was held, to be handed over now; from here on [`pushed`](Self::pushed) gives
    /// each message.
    pub fn open(&mut self, now: Now, id: WishId) -> Vec<Delivery> {
        self.now = now;
        let Some(held) = self.wishes.get_mut(&id).and_then(|wish| wish.held.take()) else {
            return Vec::new();
        };
        if let Some((from, to)) = held.lost {
            let topics = self.topics_of(&self.wishes[&id].pairs);
            self.act(Action::Gap {
                topics,
                from_wall_ms: from,
                to_wall_ms: to.max(from + 1),
                cause: Cause::Overflow,
                filled: false,
                recovered: 0,
            });
        }
        held.messages.into_iter().map(|(_, held)| held).collect()
    }

    /// Why a wish is not made yet: what servers said that refused it, and the shards that none of them serves.
    pub fn why(&self, id: WishId) -> (Vec<(PeerId, Verdict)>, Vec<u16>) {
        match self.wishes.get(&id) {
            Some(wish) => (wish.errors.clone(), self.unserved(&wish.pairs)),
            None => (Vec::new(), Vec::new()),
        }
    }

    /// What a wish leaves behind.
    pub(super) fn forget(&mut self, id: WishId, wish: Wish) {
        for pair in &wish.pairs {
            if let Some(pair) = self.pairs.get_mut(*pair) {
                pair.wishes.retain(|wish| *wish != id);
            }
        }
        self.count_wants(&wish.pairs);
        self.dirty = true;
    }

    fn count_wants(&mut self, pairs: &[PairId]) {
        for id in pairs {
            let Some(pair) = self.pairs.get_mut(*id) else {
                continue;
            };
            let wishes = pair.wishes.iter().filter_map(|id| self.wishes.get(id));
            let (mut peers, mut catch_up) = (0, false);
            for wish in wishes {
                peers = peers.max(wish.peers);
                catch_up |= wish.catch_up;
            }
            pair.peers = peers;
            pair.catch_up = catch_up;
            if peers == 0 {
                // Nobody misses what comes from here on.
                pair.covered_until = None;
                self.outages.forget(*id);
            }
        }
    }

    pub(super) fn topics_of(&self, pairs: &[PairId]) -> Vec<String> {
        let mut topics: Vec<String> = Vec::new();
        for pair in pairs.iter().filter_map(|id| self.pairs.get(*id)) {
            if !topics.contains(&pair.content_topic) {
                topics.push(pair.content_topic.clone());
            }
        }
        topics
    }

    fn unserved(&self, pairs: &[PairId]) -> Vec<u16> {
        let mut shards = Vec::new();
        for pair in pairs.iter().filter_map(|id| self.pairs.get(*id)) {
            let shard = pair.pubsub_topic.shard;
            // Without any server the shard is not to blame.
            if !self.servers.is_empty()
                && !shards.contains(&shard)
                && !self.sessions.iter().any(|session| session.serves(shard))
            {
                shards.push(shard);
            }
        }
        shards
    }

    /// Tells what became of each wish.
    pub(super) fn outcomes(&mut self) {
        let ids: Vec<_> = self.wishes.keys().copied().collect();
        for id in ids {
            let wish = &self.wishes[&id];
            let mut peers = Vec::new();
            let mut active = true;
            for pair in &wish.pairs {
                let mut on = false;
                for session in &self.sessions {
                    if session.conn.is_some()
                        && session.at(*pair).is_some_and(super::session::At::is_on)
                    {
                        on = true;
                        if !peers.contains(&session.peer) {
                            peers.push(session.peer);
                        }
                    }
                }
                active &= on;
            }
            let state = if active {
                WishState::Active
            } else {
                WishState::Moving
            };
            let told = Some((state, peers.clone()));
            let action = match &wish.told {
                None if active => Action::Made { id, peers },
                None if wish.pairs.iter().any(|pair| self.is_hopeless(*pair)) => {
                    let unserved_shards = self.unserved(&wish.pairs);
                    if let Some(mut wish) = self.wishes.remove(&id) {
                        let errors = std::mem::take(&mut wish.errors);
                        self.forget(id, wish);
                        self.act(Action::Failed {
                            id,
                            errors,
                            unserved_shards,
                        });
                    }
                    continue;
                }
                None => continue,
                before if *before == told => continue,
                Some(_) => Action::State { id, state, peers },
            };
            if let Some(wish) = self.wishes.get_mut(&id) {
                wish.told = told;
                wish.errors.clear();
            }
            self.act(action);
        }
    }

    /// Whether every server that serves the shard calls the pair wrong.
    fn is_hopeless(&self, id: PairId) -> bool {
        let Some(pair) = self.pairs.get(id) else {
            return false;
        };
        let now = self.now.mono_ms;
        let mut serving = self
            .sessions
            .iter()
            .filter(|session| session.serves(pair.pubsub_topic.shard))
            .peekable();
        serving.peek().is_some()
            && serving.all(|session| {
                session
                    .at(id)
                    .is_some_and(|at| at.standing == Standing::Idle && at.refused_until > now)
            })
    }
}
