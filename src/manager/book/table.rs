//! The known peers.
//!
//! Owns every [`Peer`] record, the way from ids to records, who was never reached, the order of those that were, and the
//! counts that decide who is forgotten for a newcomer. Bounded (4.15): a newcomer displaces one of the peers that were
//! never reached, of a random few the one whose netgroup and introducer have most others here; when none of these may
//! go, the one that was reached longest ago; nobody whom the user named, holds or banned, nor anybody in use. So whoever
//! floods the table displaces itself.

use std::hash::{DefaultHasher, Hash, Hasher};

use libp2p_identity::PeerId;

use crate::manager::book::netgroups::{Counts, Label, Tally};
use crate::manager::book::peer::Peer;
use crate::manager::boundary::event::{RequirementId, Source};
use crate::manager::tools::seed::{Domain, Draw, Seed};
use crate::manager::tools::slot::{Ix, Set};
use crate::manager::tools::steps::step;

/// How many records are looked at for one that may be forgotten.
const SAMPLED: usize = 32;

#[derive(Debug)]
struct Slot {
    generation: u32,
    peer: Option<Peer>,
    /// When it was reached last, in the table's own time; 0: never.
    reached_at: u64,
    /// The netgroup under which it is counted; 0: none, without any address.
    group: u64,
    /// Its place among the new, while it was never reached.
    among_new: u32,
}

impl Slot {
    /// Under whom it is counted while it was never reached.
    fn teller(peer: &Peer) -> u64 {
        peer.introducer().unwrap_or(peer.source() as u64)
    }
}

/// Somebody who was never reached, and where its company is counted: a choice among many looks at no records.
#[derive(Debug, Clone, Copy)]
struct New {
    place: u32,
    /// None without any address.
    group: Option<Tally>,
    teller: Tally,
}

/// The table.
#[derive(Debug, Default)]
pub(in crate::manager) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// The key of [`Self::mark`].
    key: u64,
    /// (mark of an id, who, 0). Ids themselves would weigh four times as much.
    by_id: Set,
    /// Those that were never reached, in no order.
    new: Vec<New>,
    /// (when, 0, who): the reached.
    reached: Set,
    counts: Counts,
    clock: u64,
    /// How many records were made so far.
    inserted: u64,
}

impl Table {
    /// An empty one. Whoever does not know the key can't make ids that are slow to tell apart.
    pub(in crate::manager) fn new(key: u64) -> Self {
        Self {
            key,
            ..Self::default()
        }
    }

    /// Only for finding: no decision depends on it, so that the hash may change with the compiler.
    fn mark(&self, id: &PeerId) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.key.hash(&mut hasher);
        hasher.write(id.as_ref().digest());
        hasher.finish()
    }

    /// How many share a netgroup or an introducer.
    pub(in crate::manager) fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(in crate::manager) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(in crate::manager) fn find(&self, id: &PeerId) -> Option<Ix> {
        step();
        let mark = self.mark(id);
        self.by_id
            .range([mark, 0, 0]..=[mark, u64::MAX, 0])
            .map(|key| Ix::unpacked(key[1]))
            .find(|ix| self.get(*ix).is_some_and(|peer| peer.id() == *id))
    }

    pub(in crate::manager) fn get(&self, ix: Ix) -> Option<&Peer> {
        step();
        self.slot(ix)?.peer.as_ref()
    }

    pub(in crate::manager) fn get_mut(&mut self, ix: Ix) -> Option<&mut Peer> {
        step();
        let slot = self.slots.get_mut(ix.place())?;
        (slot.generation == ix.generation())
            .then_some(slot.peer.as_mut())
            .flatten()
    }

    fn slot(&self, ix: Ix) -> Option<&Slot> {
        let slot = self.slots.get(ix.place())?;
        (slot.generation == ix.generation() && slot.peer.is_some()).then_some(slot)
    }

    /// Every peer, in the order of their records.
    pub(in crate::manager) fn iter(&self) -> impl Iterator<Item = (Ix, &Peer)> {
        (0..).zip(&self.slots).filter_map(|(place, slot)| {
            step();
            let ix = Ix::new(place, slot.generation);
            slot.peer.as_ref().map(|peer| (ix, peer))
        })
    }

    /// A requirement is gone, for everybody. Returns who had a record of it.
    pub(in crate::manager) fn forget_requirement(&mut self, id: RequirementId) -> Vec<Ix> {
        let mut had = Vec::new();
        for (place, slot) in (0..).zip(&mut self.slots) {
            step();
            let Some(peer) = &mut slot.peer else {
                continue;
            };
            if peer
                .services()
                .iter()
                .any(|service| service.requirement() == id)
            {
                had.push(Ix::new(place, slot.generation));
            }
            peer.forget_requirement(id);
        }
        had
    }

    /// The next peers after this one in the order of their records, around the end; for rotations.
    pub(in crate::manager) fn after(&self, ix: Option<Ix>, limit: usize) -> Vec<Ix> {
        let next = ix.map_or(0, |ix| ix.place() + 1);
        let (earlier, later) = self.slots.split_at(next.min(self.slots.len()));
        let later = (earlier.len()..).zip(later);
        later
            .chain((0..).zip(earlier))
            .filter(|(_, slot)| {
                step();
                slot.peer.is_some()
            })
            .map(|(place, slot)| {
                Ix::new(
                    u32::try_from(place).expect("the table is bounded"),
                    slot.generation,
                )
            })
            .take(limit)
            .collect()
    }

    /// Who would have to go for a newcomer; `Err` when the table is full of peers that may not be forgotten.
    pub(in crate::manager) fn room(
        &mut self,
        limit: usize,
        seed: &Seed,
    ) -> Result<Option<Ix>, Full> {
        if self.by_id.len() < limit {
            return Ok(None);
        }
        if let Some(ix) = self.most_crowded(seed, |_| true) {
            return Ok(Some(ix));
        }
        for _ in 0..SAMPLED.min(self.reached.len()) {
            let Some(&[_, _, packed]) = self.reached.first() else {
                break;
            };
            let ix = Ix::unpacked(packed);
            if self.get(ix).is_some_and(Peer::forgettable) {
                return Ok(Some(ix));
            }
            // Whoever may not go now is asked last the next time.
            self.reached(ix);
        }
        Err(Full)
    }

    /// Another than `but` that an introducer named and that may be forgotten, if one is met.
    pub(in crate::manager::book) fn any_of_introducer(
        &self,
        introducer: u64,
        but: Ix,
        seed: &Seed,
    ) -> Option<Ix> {
        let teller = self.counts.find(Label::New(introducer))?;
        self.most_crowded(seed, |new| {
            new.teller == teller && new.place as usize != but.place()
        })
    }

    /// Another than `but` of a netgroup that may be forgotten, if one is met.
    pub(in crate::manager::book) fn any_of_group(
        &self,
        group: u64,
        but: Ix,
        seed: &Seed,
    ) -> Option<Ix> {
        let group = self.counts.find(Label::Group(group))?;
        self.most_crowded(seed, |new| {
            new.group == Some(group) && new.place as usize != but.place()
        })
    }

    /// Of a random few that were never reached, and that `among` admits and may be forgotten: the one of whose netgroup
    /// and from whose introducer most others are here. Whoever has no address goes before all others.
    fn most_crowded(&self, seed: &Seed, among: impl Fn(&New) -> bool) -> Option<Ix> {
        let len = self.new.len();
        let Draw(mut random) = seed.draw(Domain::Room, 0, self.inserted);
        let mut few: [Option<(usize, u32)>; SAMPLED] = [None; SAMPLED];
        for (number, sample) in few.iter_mut().enumerate().take(len) {
            // All of a few, from a random one on; else as a linear congruential generator says, whose low bits are poor.
            if len > SAMPLED {
                random = random
                    .wrapping_mul(0x5851_f42d_4c95_7f2d)
                    .wrapping_add(0x1405_7b7e_f767_814f);
            }
            let first = (random >> 32) as usize;
            let place = if len > SAMPLED { first } else { first + number } % len;
            let new = &self.new[place];
            if among(new) {
                let of_group = |group| self.counts.at(group) + self.counts.at(new.teller);
                *sample = Some((new.group.map_or(usize::MAX, of_group), new.place));
            }
        }
        loop {
            step();
            let most = few
                .iter_mut()
                .max_by_key(|sample| sample.map(|(company, _)| company))?;
            let (_, place) = most.take()?;
            let slot = &self.slots[place as usize];
            if slot.peer.as_ref().is_some_and(Peer::forgettable) {
                return Some(Ix::new(place, slot.generation));
            }
        }
    }

    pub(in crate::manager) fn insert(
        &mut self,
        id: PeerId,
        source: Source,
        introducer: Option<u64>,
        seed: &Seed,
    ) -> Ix {
        self.inserted += 1;
        let salt = seed.mark(Domain::Peer, &id.to_bytes());
        let peer = Peer::new(id, salt, source, introducer);
        let teller = Slot::teller(&peer);
        let slot = Slot {
            generation: 0,
            peer: Some(peer),
            reached_at: 0,
            group: 0,
            among_new: u32::try_from(self.new.len()).expect("the table is bounded"),
        };
        let ix = match self.free.pop() {
            Some(free) => {
                let place = &mut self.slots[free as usize];
                let generation = place.generation;
                *place = Slot { generation, ..slot };
                Ix::new(free, generation)
            }
            None => {
                /// Doubling the largest part of all memory would leave half of it unused.
                const STEP: usize = 256;
                if self.slots.len() == self.slots.capacity() {
                    self.slots.reserve_exact(STEP);
                }
                let slot_number = u32::try_from(self.slots.len()).expect("the table is bounded");
                self.slots.push(slot);
                Ix::new(slot_number, 0)
            }
        };
        self.by_id.insert([self.mark(&id), ix.packed(), 0]);
        self.new.push(New {
            place: ix.place() as u32,
            group: None,
            teller: self.counts.join(Label::New(teller)),
        });
        if let Some(introducer) = introducer {
            self.counts.join(Label::Introducer(introducer));
        }
        ix
    }

    pub(in crate::manager) fn remove(&mut self, ix: Ix) -> Option<Peer> {
        let (reached_at, group) = {
            let slot = self.slot(ix)?;
            (slot.reached_at, slot.group)
        };
        if reached_at == 0 {
            self.no_longer_new(ix);
        } else {
            self.reached.remove(&[reached_at, 0, ix.packed()]);
        }
        let slot = &mut self.slots[ix.place()];
        let peer = slot.peer.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        slot.group = 0;
        self.free.push(ix.place() as u32);
        self.by_id.remove(&[self.mark(&peer.id()), ix.packed(), 0]);
        if group != 0 {
            self.counts.leave(Label::Group(group));
        }
        if let Some(introducer) = peer.introducer() {
            self.counts.leave(Label::Introducer(introducer));
        }
        Some(peer)
    }

    /// Takes it from among those that were never reached; the last of them takes its place.
    fn no_longer_new(&mut self, ix: Ix) {
        let slot = &self.slots[ix.place()];
        let place = slot.among_new as usize;
        if let Some(peer) = &slot.peer {
            self.counts.leave(Label::New(Slot::teller(peer)));
        }
        self.new.swap_remove(place);
        if let Some(moved) = self.new.get(place) {
            self.slots[moved.place as usize].among_new = place as u32;
        }
    }

    /// It was reached: it is forgotten after all who never were.
    pub(in crate::manager) fn reached(&mut self, ix: Ix) {
        let Some(slot) = self.slot(ix) else {
            return;
        };
        let before = slot.reached_at;
        self.clock += 1;
        if before == 0 {
            self.no_longer_new(ix);
        } else {
            self.reached.remove(&[before, 0, ix.packed()]);
        }
        self.reached.insert([self.clock, 0, ix.packed()]);
        self.slots[ix.place()].reached_at = self.clock;
    }

    /// Those that were reached, the last first.
    pub(in crate::manager) fn reached_last(&self) -> impl Iterator<Item = Ix> + '_ {
        self.reached.iter().rev().map(|key| {
            step();
            Ix::unpacked(key[2])
        })
    }

    /// Counts the peer under the netgroup of its best address.
    pub(in crate::manager) fn regroup(&mut self, ix: Ix) {
        let Some(peer) = self.get(ix) else {
            return;
        };
        let new = peer.routes().best().map_or(0, |route| route.group);
        let old = self.slots[ix.place()].group;
        if old == new {
            return;
        }
        let group = (new != 0).then(|| self.counts.join(Label::Group(new)));
        if old != 0 {
            self.counts.leave(Label::Group(old));
        }
        let slot = &mut self.slots[ix.place()];
        slot.group = new;
        if slot.reached_at == 0
            && let Some(new) = self.new.get_mut(slot.among_new as usize)
        {
            new.group = group;
        }
    }

    /// Whether the views agree (R4).
    pub(in crate::manager) fn check(&self, limit: usize) {
        assert!(self.by_id.len() <= limit, "the table is bounded");
        assert_eq!(self.slots.len() - self.free.len(), self.by_id.len());
        let (mut counts, mut reached) = (Counts::default(), 0);
        for (ix, peer) in self.iter() {
            let slot = self.slot(ix).expect("it has a record");
            assert_eq!(self.find(&peer.id()), Some(ix));
            let group = peer.routes().best().map_or(0, |route| route.group);
            assert_eq!(slot.group, group);
            if group != 0 {
                counts.join(Label::Group(group));
            }
            if let Some(introducer) = peer.introducer() {
                counts.join(Label::Introducer(introducer));
            }
            if slot.reached_at > 0 {
                reached += 1;
                assert!(self.reached.contains(&[slot.reached_at, 0, ix.packed()]));
            } else {
                let teller = Label::New(Slot::teller(peer));
                counts.join(teller);
                let new = self.new[slot.among_new as usize];
                assert_eq!(new.place as usize, ix.place());
                assert_eq!(new.group, self.counts.find(Label::Group(group)));
                assert_eq!(Some(new.teller), self.counts.find(teller));
            }
        }
        assert_eq!(reached, self.reached.len());
        assert_eq!(self.new.len() + reached, self.len());
        assert!(counts.agrees(&self.counts));
    }
}

/// The table is full of peers that may not be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) struct Full;
