//! What the user wants, and what became of it.

use std::collections::VecDeque;

use libp2p_identity::PeerId;

use super::Hub;
use super::pairs::{At, Pair, PairId, Pairs, Standing};
use super::session::Session;
use super::types::{Action, Cause, Delivery, Group, Now, WishId, WishState};
use crate::protocols::verdict::Verdict;

/// What servers said that refused, for the caller.
const MAX_ERRORS: usize = 8;
/// What is kept for a wish that is not opened yet.
const MAX_HELD: usize = 256;
const MAX_HELD_BYTES: usize = 1024 * 1024;

#[derive(Debug)]
pub(super) struct Wish {
    pub(super) id: WishId,
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
            id,
            pairs: pairs.clone(),
            peers: peers.max(1),
            catch_up,
            since: now,
            told: None,
            errors: Vec::new(),
            held: Some(Held::default()),
        };
        self.wishes.push(wish);
        self.count_wants(&pairs);
        self.dirty = true;
        id
    }

    /// Wants it no more. A wish that has ended is none.
    pub fn unwant(&mut self, now: Now, id: WishId) {
        self.now = now;
        if let Some(place) = self.wishes.iter().position(|wish| wish.id == id) {
            let wish = self.wishes.remove(place);
            self.forget(&wish);
        }
    }

    /// The caller has the subscription: what was held, to be handed over now; from here on [`pushed`](Self::pushed) gives
    /// each message.
    pub fn open(&mut self, now: Now, id: WishId) -> Vec<Delivery> {
        self.now = now;
        let Some(wish) = self.wishes.iter_mut().find(|wish| wish.id == id) else {
            return Vec::new();
        };
        let held = wish.held.take().unwrap_or_default();
        if let Some((from, to)) = held.lost {
            let topics = topics_of(&self.pairs, &wish.pairs);
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
        match self.wishes.iter().find(|wish| wish.id == id) {
            Some(wish) => (wish.errors.clone(), self.unserved(&wish.pairs)),
            None => (Vec::new(), Vec::new()),
        }
    }

    /// What a wish leaves behind.
    pub(super) fn forget(&mut self, wish: &Wish) {
        for pair in &mut self.pairs.all {
            pair.wishes.retain(|id| *id != wish.id);
        }
        self.count_wants(&wish.pairs);
        self.dirty = true;
    }

    fn count_wants(&mut self, pairs: &[PairId]) {
        for id in pairs {
            let Some(pair) = self.pairs.get_mut(*id) else {
                continue;
            };
            pair.peers = 0;
            pair.catch_up = false;
            for wish in &self.wishes {
                if pair.wishes.contains(&wish.id) {
                    pair.peers = pair.peers.max(wish.peers);
                    pair.catch_up |= wish.catch_up;
                }
            }
            if pair.peers == 0 {
                // Nobody misses what comes from here on.
                pair.covered_until = None;
                self.outages.forget(*id);
            }
        }
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
        let mut hopeless = Vec::new();
        for wish in &mut self.wishes {
            let mut peers = Vec::new();
            let (mut active, mut fails) = (true, false);
            for pair in wish.pairs.iter().filter_map(|id| self.pairs.get(*id)) {
                let mut on = false;
                for at in pair.at.iter().filter(|at| at.is_on()) {
                    let session = &self.sessions[at.of];
                    if session.conn.is_some() {
                        on = true;
                        if !peers.contains(&session.peer) {
                            peers.push(session.peer);
                        }
                    }
                }
                active &= on;
                fails |= is_hopeless(pair, &self.sessions, self.now.mono_ms);
            }
            let id = wish.id;
            let state = if active {
                WishState::Active
            } else {
                WishState::Moving
            };
            let action = match &wish.told {
                None if active => Action::Made {
                    id,
                    peers: peers.clone(),
                },
                None => {
                    if fails {
                        hopeless.push(id);
                    }
                    continue;
                }
                Some((before, by)) if *before == state && *by == peers => continue,
                Some(_) => Action::State {
                    id,
                    state,
                    peers: peers.clone(),
                },
            };
            wish.told = Some((state, peers));
            wish.errors.clear();
            self.actions.push_back(action);
        }
        for id in hopeless {
            let (errors, unserved_shards) = self.why(id);
            self.unwant(self.now, id);
            self.act(Action::Failed {
                id,
                errors,
                unserved_shards,
            });
        }
    }
}

pub(super) fn topics_of(pairs: &Pairs, ids: &[PairId]) -> Vec<String> {
    let mut topics: Vec<String> = Vec::new();
    for pair in ids.iter().filter_map(|id| pairs.get(*id)) {
        if !topics.contains(&pair.content_topic) {
            topics.push(pair.content_topic.clone());
        }
    }
    topics
}

/// Whether every server that serves the shard calls the pair wrong.
fn is_hopeless(pair: &Pair, sessions: &[Session], now: u64) -> bool {
    let mut any = false;
    for (index, session) in sessions.iter().enumerate() {
        if session.serves(pair.pubsub_topic.shard) {
            any = true;
            let refused = |at: &At| at.standing == Standing::Idle && at.refused_until > now;
            if !pair.at(index).is_some_and(refused) {
                return false;
            }
        }
    }
    any
}
