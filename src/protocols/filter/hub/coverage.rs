//! When messages surely came, when they may not have, and what is done about that.
//!
//! A server covers a pair from the moment at which it has acknowledged it until its last sign of life: an answer that says yes,
//! or a push. What several servers cover together is the union. A *gap* is time of which it is known that nobody covers it: it
//! begins at the last sign of life of the last server that covered the pair, and ends when another one has acknowledged it. As
//! long as a server that covers its beginning may still prove to be alive, nobody can say, and nothing is told.
//!
//! The gaps of all pairs that go dark together are one *outage*. A moment after it has ended a store is asked for what was
//! missed, with an overlap on both sides; what it gives passes the same memory of hashes as every push. So a gap is filled as
//! far back as that memory reaches: for a quarter of an hour before the gap and all of the gap itself, but never behind a time
//! of which hashes had to go for want of room.

use libp2p_identity::PeerId;

use super::Hub;
use super::pairs::{At, Pair, PairId, Standing};
use super::session::{NEVER, Session};
use super::types::{Action, CatchUpId, Cause, Delivery, Now, Via};
use super::wishes::topics_of;
use crate::protocols::filter::push::Received;

/// How far a catch-up reaches over both ends of a gap: senders' clocks differ, and messages take their time.
const OVERLAP_MS: u64 = 10_000;
/// How long after the end of an outage a store is asked: it may get a message a little later than a filter server.
const SETTLE_MS: u64 = 1_000;
/// How long an outage waits for pairs that are still dark, before what has ended is told.
const GATHER_MS: u64 = 5_000;
/// After so long a store's answer does not come any more.
const PATIENCE_MS: u64 = 2 * 60 * 1_000;
/// How long lost messages may have been on their way.
const ON_THE_WAY_MS: u64 = 1_000;

/// A time without cover.
#[derive(Debug, Clone, Copy)]
struct Hole {
    pair: PairId,
    from: Now,
    to: Now,
    cause: Cause,
    /// A store is of no use: it would give what we refuse.
    lost: bool,
}

/// An outage that a store is asked about.
#[derive(Debug)]
struct CatchUp {
    id: CatchUpId,
    pairs: Vec<PairId>,
    from: Now,
    to: Now,
    cause: Cause,
    asked_at: u64,
}

#[derive(Debug, Default)]
pub(super) struct Outages {
    holes: Vec<Hole>,
    catching: Option<CatchUp>,
    next: u32,
    /// Hashes from then on are needed.
    keep_from: u64,
}

impl Outages {
    /// Nobody wants the pair any more.
    pub(super) fn forget(&mut self, pair: PairId) {
        self.holes.retain(|hole| hole.pair != pair);
    }

    /// Time passed in which nothing could come.
    pub(super) fn slept(&mut self, ms: u64) {
        if let Some(catching) = &mut self.catching {
            catching.asked_at += ms;
        }
    }

    pub(super) fn keep_from(&self) -> u64 {
        self.keep_from
    }

    /// Holes of a pair that nobody has told of yet are one.
    fn add(&mut self, new: Hole) {
        let mut holes = self.holes.iter_mut();
        let same = |hole: &&mut Hole| hole.pair == new.pair && hole.lost == new.lost;
        match holes.find(same) {
            Some(hole) => {
                hole.from = hole.from.min(new.from);
                hole.to = hole.to.max(new.to);
                hole.cause = hole.cause.max(new.cause);
            }
            None => self.holes.push(new),
        }
    }
}

impl Hub {
    /// What the server has covered so far counts; from here on nothing does until it has acknowledged its pairs anew, or
    /// answered.
    pub(super) fn lose_all(&mut self, index: usize) {
        for pair in &mut self.pairs.all {
            if pair.at(index).is_some_and(|at| at.since != NEVER) {
                settle(pair, &self.sessions, self.now, &mut self.outages);
                if let Some(at) = pair.at_mut(index) {
                    at.since = NEVER;
                }
            }
        }
    }

    pub(super) fn cover(&mut self) {
        let mut probe = false;
        for index in 0..self.sessions.len() {
            if self.sessions[index].lossy {
                self.break_cover(index);
                probe = true;
            }
        }
        if probe {
            self.probe();
        }
        for pair in &mut self.pairs.all {
            settle(pair, &self.sessions, self.now, &mut self.outages);
        }
    }

    /// Messages of this server were lost to our bounds. What others bring all the same is not missing. All losses of one
    /// turn are one.
    pub fn lost_bytes(&mut self, now: Now, peer: &PeerId) {
        self.now = now;
        if let Some(index) = self.find(peer) {
            self.sessions[index].lossy = true;
            self.dirty = true;
        }
    }

    /// What the server covers begins anew, a little after what is known to be covered: unless others go on over that, this
    /// becomes a gap.
    fn break_cover(&mut self, index: usize) {
        let now = self.now;
        let sent_from = now.mono_ms.saturating_sub(ON_THE_WAY_MS);
        for pair in &mut self.pairs.all {
            let on = |at: &&At| at.is_on() && at.since != NEVER;
            let Some(since) = pair.at(index).filter(on).map(|at| at.since) else {
                continue;
            };
            settle(pair, &self.sessions, now, &mut self.outages);
            let earliest = now.before(sent_from.max(since));
            pair.covered_until = pair.covered_until.map(|until| until.min(earliest));
            if let Some(at) = pair.at_mut(index) {
                at.since = now.mono_ms;
            }
        }
        let session = &mut self.sessions[index];
        session.cause = Cause::Overflow;
        session.life = now;
        session.lossy = false;
    }

    /// A message of this pair is over the network's limit: it is missing, and nobody is to blame.
    pub(super) fn oversized(&mut self, id: PairId) {
        let to = self.now;
        self.outages.add(Hole {
            pair: id,
            from: to.before(to.mono_ms.saturating_sub(ON_THE_WAY_MS)),
            to,
            cause: Cause::Overflow,
            lost: true,
        });
        self.dirty = true;
    }

    /// Tells of the outages that are over, and has them filled.
    pub(super) fn tell_outages(&mut self) {
        let now = self.now.mono_ms;
        let given_up = |catching: &CatchUp| catching.asked_at + PATIENCE_MS <= now;
        if let Some(catching) = self.outages.catching.take_if(|catching| given_up(catching)) {
            self.tell_gap(catching, false, 0);
        }
        if let Some(catching) = &self.outages.catching {
            let at = catching.asked_at + PATIENCE_MS;
            self.wake(at);
        } else if let Some(last) = self.outages.holes.iter().map(|hole| hole.to.mono_ms).max() {
            let first = self.outages.holes.iter().map(|hole| hole.to.mono_ms).min();
            let first = first.unwrap_or(last);
            let due = if self.is_dark() {
                first + GATHER_MS
            } else {
                (last + SETTLE_MS).min(first + GATHER_MS)
            };
            if due <= now {
                self.end_outage();
            } else {
                self.wake(due);
            }
        }
        self.keep();
    }

    /// Whether some pair that was covered once is not, or nobody can say.
    fn is_dark(&self) -> bool {
        self.pairs.all.iter().any(|pair| {
            pair.covered_until.is_some()
                && !pair
                    .at
                    .iter()
                    .any(|at| at.standing == Standing::Acked && at.since != NEVER)
        })
    }

    fn end_outage(&mut self) {
        let holes = std::mem::take(&mut self.outages.holes);
        let wanted = |hole: &Hole| self.pairs.get(hole.pair).is_some_and(|p| p.catch_up);
        let (fill, leave): (Vec<_>, Vec<_>) = holes
            .into_iter()
            .partition(|hole| !hole.lost && wanted(hole));
        if let Some(gap) = self.outage(&leave) {
            self.tell_gap(gap, false, 0);
        }
        let Some(gap) = self.outage(&fill) else {
            return;
        };
        // Before that, what was delivered is not known any more.
        let crowded_out = self.now.before(self.seen.crowded_out()).wall_ms;
        let from = gap.from.wall_ms.saturating_sub(OVERLAP_MS).max(crowded_out);
        self.act(Action::CatchUp {
            catch_up: gap.id,
            groups: self.pairs.groups(&gap.pairs),
            from_wall_ms: from.min(gap.to.wall_ms),
            to_wall_ms: gap.to.wall_ms + OVERLAP_MS,
        });
        self.outages.catching = Some(gap);
        self.wake(self.now.mono_ms + PATIENCE_MS);
    }

    fn outage(&mut self, holes: &[Hole]) -> Option<CatchUp> {
        let first = holes.first()?;
        let id = CatchUpId(self.outages.next);
        self.outages.next += 1;
        let (from, to, cause) = holes.iter().fold(
            (first.from, first.to, first.cause),
            |(from, to, cause), hole| (from.min(hole.from), to.max(hole.to), cause.max(hole.cause)),
        );
        Some(CatchUp {
            id,
            pairs: holes.iter().map(|hole| hole.pair).collect(),
            from,
            to,
            cause,
            asked_at: self.now.mono_ms,
        })
    }

    fn tell_gap(&mut self, gap: CatchUp, filled: bool, recovered: u32) {
        let topics = topics_of(&self.pairs, &gap.pairs);
        if !topics.is_empty() {
            self.act(Action::Gap {
                topics,
                from_wall_ms: gap.from.wall_ms,
                to_wall_ms: gap.to.wall_ms.max(gap.from.wall_ms + 1),
                cause: gap.cause,
                filled,
                recovered,
            });
        }
    }

    /// What a store has of the time of a [`Action::CatchUp`], each with who gave it, and whether that is all. Without a store:
    /// nothing, and `false`. What is new among it comes back in the order of its time; the gap is told after that.
    pub fn stored(
        &mut self,
        now: Now,
        id: CatchUpId,
        messages: Vec<(PeerId, Received)>,
        complete: bool,
    ) -> Vec<Delivery> {
        self.now = now;
        let Some(gap) = self.outages.catching.take_if(|gap| gap.id == id) else {
            return Vec::new();
        };
        let mut recovered = 0;
        let mut deliveries: Vec<Delivery> = Vec::new();
        for (peer, received) in messages {
            let Ok(pubsub_topic) = received.pubsub_topic.parse() else {
                continue;
            };
            let Some(pair) = self
                .pairs
                .find(pubsub_topic, received.message.content_topic())
            else {
                continue;
            };
            // Who came later than the gap does not get what was before.
            let sent_at = u64::try_from(received.message.timestamp() / 1_000_000).unwrap_or(0);
            let mut to = Vec::new();
            for wish in &self.wishes {
                if pair.wishes.contains(&wish.id)
                    && wish.since.wall_ms <= sent_at.saturating_add(OVERLAP_MS)
                {
                    to.push(wish.id);
                }
            }
            let keep_from = self.outages.keep_from();
            if to.is_empty() || !self.seen.insert(&received.hash, now.mono_ms, keep_from) {
                continue;
            }
            recovered += 1;
            // A store gives its pages from the end, or nearly in order: each place is found in a few steps, and to move what
            // comes after it costs less than a sort's code.
            let time = |received: &Received| (received.message.timestamp(), received.hash);
            let of_this = time(&received);
            let place = deliveries.partition_point(|known| time(&known.received) < of_this);
            let delivery = Delivery {
                to,
                peer,
                via: Via::Store,
                received,
            };
            deliveries.insert(place, delivery);
        }
        let mut open = Vec::new();
        for delivery in deliveries {
            open.extend(self.hand_over(delivery));
        }
        self.tell_gap(gap, complete, recovered);
        self.dirty = true;
        open
    }

    /// From when on hashes are needed: from the overlap of what is or may become a gap.
    fn keep(&mut self) {
        let mut first = NEVER;
        for until in self.pairs.all.iter().filter_map(|pair| pair.covered_until) {
            first = first.min(until.mono_ms);
        }
        for hole in &self.outages.holes {
            first = first.min(hole.from.mono_ms);
        }
        if let Some(catching) = &self.outages.catching {
            first = first.min(catching.from.mono_ms);
        }
        self.outages.keep_from = first.saturating_sub(2 * OVERLAP_MS);
    }
}

/// Moves the end of what is covered of a pair as far as it is known, over gaps that are certain.
pub(super) fn settle(pair: &mut Pair, sessions: &[Session], now: Now, outages: &mut Outages) {
    if pair.wishes.is_empty() {
        return;
    }
    loop {
        let covered = pair.covered_until.map(|until| until.mono_ms);
        let mut until = pair.covered_until;
        let (mut may_go_on, mut next) = (false, (NEVER, Cause::Moved));
        for at in &pair.at {
            let session = &sessions[at.of];
            if !at.is_on() || at.since == NEVER {
                continue;
            }
            if covered.is_some_and(|covered| at.since <= covered) {
                may_go_on = true;
                until = until.max(Some(session.life));
            } else if at.since < next.0 {
                next = (at.since, session.cause);
            }
        }
        if until != pair.covered_until {
            pair.covered_until = until;
            continue;
        }
        let (since, cause) = next;
        if may_go_on || since == NEVER {
            return;
        }
        let to = now.before(since);
        if let Some(from) = until {
            outages.add(Hole {
                pair: pair.id,
                from,
                to,
                cause,
                lost: false,
            });
        }
        pair.covered_until = Some(to);
    }
}
