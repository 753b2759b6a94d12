//! The known peers.
//!
//! Owns every [`Peer`] record, the way from ids to records, who counts for which network and introducer, and who is
//! forgotten for a newcomer. Bounded (4.15): a newcomer displaces one of the peers that were never reached, at random
//! among those of the introducer and netgroup that are represented most; when all were reached, the one that was reached
//! longest ago; nobody whom the user named, holds or banned, nor anybody in use. Every operation is a few searches in
//! ordered sets.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use libp2p_identity::PeerId;

use super::event::{RequirementId, Source};
use super::peer::Peer;
use super::seed::{Domain, Seed};

/// A record. Stays unique when its place is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ix {
    slot: u32,
    generation: u32,
}

impl Ix {
    /// Before all others.
    pub(super) const FIRST: Self = Self {
        slot: 0,
        generation: 0,
    };
    /// After all others.
    pub(super) const LAST: Self = Self {
        slot: u32::MAX,
        generation: u32::MAX,
    };

    fn packed(self) -> u64 {
        u64::from(self.slot) << 32 | u64::from(self.generation)
    }

    fn unpacked(packed: u64) -> Self {
        Self {
            slot: (packed >> 32) as u32,
            generation: packed as u32,
        }
    }
}

/// One of the ordered sets: all are of the same type, because each type is kilobytes of code.
type Set = BTreeSet<[u64; 3]>;

/// How many of the first records in line are looked at for one that may be forgotten.
const EVICTION_TRIES: usize = 32;

/// What peers are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    /// A netgroup.
    Group(u64),
    /// Who named them.
    Introducer(u64),
    /// Who named them, among those that were never reached.
    New(u64),
    /// Netgroup and introducer (half of its mark), among those that may be forgotten.
    Cell(u64, u32),
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    peer: Option<Peer>,
    /// When it was reached last, in the table's own time; 0: never.
    reached_at: u64,
    /// The netgroup under which it is listed among the new that may be forgotten.
    listed: Option<u64>,
    /// The netgroup under which it is counted.
    group: Option<u64>,
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_id: BTreeMap<PeerId, Ix>,
    /// (when, 0, who): the reached.
    reached: Set,
    /// (netgroup, introducer and salt, who): the new ones that may be forgotten.
    by_group: Set,
    /// (introducer, salt, who): the same.
    by_introducer: Set,
    /// (how many, netgroup, introducer): the cells of the same.
    cells: Set,
    counts: BTreeMap<Label, u32>,
    /// Labels of each kind that count somebody.
    groups: usize,
    introducers: usize,
    clock: u64,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn find(&self, id: &PeerId) -> Option<Ix> {
        self.by_id.get(id).copied()
    }

    pub(super) fn get(&self, ix: Ix) -> Option<&Peer> {
        self.slot(ix)?.peer.as_ref()
    }

    pub(super) fn get_mut(&mut self, ix: Ix) -> Option<&mut Peer> {
        let slot = self.slots.get_mut(ix.slot as usize)?;
        (slot.generation == ix.generation)
            .then_some(slot.peer.as_mut())
            .flatten()
    }

    fn slot(&self, ix: Ix) -> Option<&Slot> {
        let slot = self.slots.get(ix.slot as usize)?;
        (slot.generation == ix.generation && slot.peer.is_some()).then_some(slot)
    }

    /// Every peer, in the order of their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Ix, &Peer)> {
        self.by_id
            .values()
            .filter_map(|ix| self.get(*ix).map(|peer| (*ix, peer)))
    }

    /// A requirement is gone, for everybody. Returns who had a record of it.
    pub(super) fn forget_requirement(&mut self, id: RequirementId) -> Vec<Ix> {
        let mut had = Vec::new();
        for (place, slot) in (0..).zip(&mut self.slots) {
            let Some(peer) = &mut slot.peer else {
                continue;
            };
            if peer
                .services
                .iter()
                .any(|service| service.requirement == id)
            {
                had.push(Ix {
                    slot: place,
                    generation: slot.generation,
                });
            }
            peer.forget_requirement(id);
        }
        had
    }

    /// The next peers after this one in the order of ids, around the end; for rotations.
    pub(super) fn after(&self, id: Option<&PeerId>, limit: usize) -> Vec<Ix> {
        let start = match id {
            Some(id) => Bound::Excluded(*id),
            None => Bound::Unbounded,
        };
        let later = self.by_id.range((start, Bound::Unbounded));
        let earlier = id.into_iter().flat_map(|id| self.by_id.range(..=*id));
        later
            .chain(earlier)
            .map(|(_, ix)| *ix)
            .take(limit)
            .collect()
    }

    /// How many netgroups are known.
    pub(super) fn groups(&self) -> usize {
        self.groups
    }

    /// How many peers named somebody who is known.
    pub(super) fn introducers(&self) -> usize {
        self.introducers
    }

    /// How many of a netgroup are known.
    pub(super) fn of_group(&self, group: u64) -> usize {
        self.count_of(Label::Group(group))
    }

    /// How many are known that an introducer named and that were never reached.
    pub(super) fn new_of(&self, introducer: u64) -> usize {
        self.count_of(Label::New(introducer))
    }

    fn count_of(&self, label: Label) -> usize {
        self.counts.get(&label).map_or(0, |count| *count as usize)
    }

    /// Who would have to go for a newcomer; `Err` when the table is full of peers that may not be forgotten.
    pub(super) fn room(&mut self, limit: usize, seed: &mut Seed) -> Result<Option<Ix>, Full> {
        if self.by_id.len() < limit {
            return Ok(None);
        }
        for _ in 0..EVICTION_TRIES {
            let Some(&[_, group, introducer]) = self.cells.last() else {
                break;
            };
            // Somewhere in the cell, or else its first.
            let cell = introducer << 32;
            let within = |key: &&[u64; 3]| key[0] == group && key[1] >> 32 == introducer;
            let mut after = self.by_group.range([group, cell | seed.draw() >> 32, 0]..);
            let mut all = self.by_group.range([group, cell, 0]..);
            let Some(key) = after.next().filter(within).or_else(|| all.next()) else {
                break;
            };
            let ix = Ix::unpacked(key[2]);
            if self.get(ix).is_some_and(Peer::forgettable) {
                return Ok(Some(ix));
            }
            self.list(ix);
        }
        for _ in 0..EVICTION_TRIES.min(self.reached.len()) {
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

    /// Another than `but` of a netgroup, at random, that may be forgotten and was never reached.
    pub(super) fn any_of_group(&self, group: u64, but: Ix, draw: u64) -> Option<Ix> {
        any(&self.by_group, group, but, draw)
    }

    /// Another than `but` that an introducer named, at random, that may be forgotten and was never reached.
    pub(super) fn any_of_introducer(&self, introducer: u64, but: Ix, draw: u64) -> Option<Ix> {
        any(&self.by_introducer, introducer, but, draw)
    }

    pub(super) fn insert(
        &mut self,
        id: PeerId,
        source: Source,
        introducer: Option<u64>,
        seed: &Seed,
    ) -> Ix {
        let mut peer = Peer::new(id, seed.mark(Domain::Peer, &id.to_bytes()), source);
        peer.introducer = introducer;
        let slot = Slot {
            generation: 0,
            peer: Some(peer),
            reached_at: 0,
            listed: None,
            group: None,
        };
        let ix = match self.free.pop() {
            Some(free) => {
                let place = &mut self.slots[free as usize];
                let generation = place.generation;
                *place = Slot { generation, ..slot };
                Ix {
                    slot: free,
                    generation,
                }
            }
            None => {
                /// Doubling the largest part of all memory would leave half of it unused.
                const STEP: usize = 256;
                if self.slots.len() == self.slots.capacity() {
                    self.slots.reserve_exact(STEP);
                }
                let slot_number = u32::try_from(self.slots.len()).expect("the table is bounded");
                self.slots.push(slot);
                Ix {
                    slot: slot_number,
                    generation: 0,
                }
            }
        };
        self.by_id.insert(id, ix);
        if let Some(introducer) = introducer {
            self.count(Label::Introducer(introducer), true);
            self.count(Label::New(introducer), true);
        }
        ix
    }

    pub(super) fn remove(&mut self, ix: Ix) -> Option<Peer> {
        let (reached_at, group) = {
            let slot = self.slot(ix)?;
            (slot.reached_at, slot.group)
        };
        self.relist(ix, None);
        self.reached.remove(&[reached_at, 0, ix.packed()]);
        let slot = &mut self.slots[ix.slot as usize];
        let peer = slot.peer.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        slot.group = None;
        self.free.push(ix.slot);
        self.by_id.remove(&peer.id);
        if let Some(group) = group {
            self.count(Label::Group(group), false);
        }
        if let Some(introducer) = peer.introducer {
            self.count(Label::Introducer(introducer), false);
            if reached_at == 0 {
                self.count(Label::New(introducer), false);
            }
        }
        Some(peer)
    }

    /// It was reached: it is forgotten after all who never were.
    pub(super) fn reached(&mut self, ix: Ix) {
        let Some(slot) = self.slot(ix) else {
            return;
        };
        let before = slot.reached_at;
        let introducer = slot.peer.as_ref().and_then(|peer| peer.introducer);
        self.clock += 1;
        self.reached.remove(&[before, 0, ix.packed()]);
        self.reached.insert([self.clock, 0, ix.packed()]);
        self.slots[ix.slot as usize].reached_at = self.clock;
        if before == 0 {
            if let Some(introducer) = introducer {
                self.count(Label::New(introducer), false);
            }
            self.list(ix);
        }
    }

    /// Those that were reached, the last first.
    pub(super) fn reached_last(&self) -> impl Iterator<Item = Ix> + '_ {
        self.reached.iter().rev().map(|key| Ix::unpacked(key[2]))
    }

    /// Counts the peer under the netgroup of its best address.
    pub(super) fn regroup(&mut self, ix: Ix) {
        let Some(peer) = self.get(ix) else {
            return;
        };
        let new = peer.routes.best().map(|route| route.group);
        let old = core::mem::replace(&mut self.slots[ix.slot as usize].group, new);
        if old == new {
            return;
        }
        for (group, comes) in [(new, true), (old, false)] {
            if let Some(group) = group {
                self.count(Label::Group(group), comes);
            }
        }
        self.list(ix);
    }

    /// Lists the peer among the new that may be forgotten, if it is one.
    pub(super) fn list(&mut self, ix: Ix) {
        let Some(slot) = self.slot(ix) else {
            return;
        };
        let may_go = slot.reached_at == 0 && slot.peer.as_ref().is_some_and(Peer::forgettable);
        // Those without any address are a network of their own.
        let group = slot.group.unwrap_or_default();
        self.relist(ix, may_go.then_some(group));
    }

    fn relist(&mut self, ix: Ix, group: Option<u64>) {
        let Some(slot) = self.slots.get_mut(ix.slot as usize) else {
            return;
        };
        let Some(peer) = &slot.peer else {
            return;
        };
        let old = core::mem::replace(&mut slot.listed, group);
        if old == group {
            return;
        }
        let (salt, introducer, teller) = (peer.salt, peer.introducer, teller(peer));
        let packed = ix.packed();
        for (group, comes) in [(old, false), (group, true)] {
            let Some(group) = group else {
                continue;
            };
            change(
                &mut self.by_group,
                [group, teller << 32 | salt >> 32, packed],
                comes,
            );
            if let Some(introducer) = introducer {
                change(&mut self.by_introducer, [introducer, salt, packed], comes);
            }
            let label = Label::Cell(group, teller as u32);
            let before = self.count_of(label) as u64;
            self.count(label, comes);
            self.cells.remove(&[before, group, teller]);
            let after = self.count_of(label) as u64;
            if after > 0 {
                self.cells.insert([after, group, teller]);
            }
        }
    }

    fn count(&mut self, label: Label, comes: bool) {
        let count = self.counts.entry(label).or_insert(0);
        let before = *count;
        let after = if comes { before + 1 } else { before - 1 };
        *count = after;
        if after == 0 {
            self.counts.remove(&label);
        }
        if (before == 0) == (after == 0) {
            return;
        }
        let kinds = match label {
            Label::Group(_) => &mut self.groups,
            Label::Introducer(_) => &mut self.introducers,
            Label::New(_) | Label::Cell(..) => return,
        };
        if comes {
            *kinds += 1;
        } else {
            *kinds -= 1;
        }
    }

    /// Whether the views agree (R4).
    pub(super) fn check(&self, limit: usize) {
        assert!(self.by_id.len() <= limit, "the table is bounded");
        assert_eq!(self.slots.len() - self.free.len(), self.by_id.len());
        let mut counts: BTreeMap<Label, u32> = BTreeMap::new();
        let mut add = |label| *counts.entry(label).or_insert(0) += 1;
        let (mut reached, mut listed, mut introduced) = (0, 0, 0);
        for (id, ix) in &self.by_id {
            let slot = self.slot(*ix).expect("every id leads to a record");
            let peer = self.get(*ix).expect("every id leads to a record");
            assert_eq!(peer.id, *id);
            let best = peer.routes.best().map(|route| route.group);
            assert_eq!(slot.group, best);
            if let Some(group) = best {
                add(Label::Group(group));
            }
            if let Some(introducer) = peer.introducer {
                add(Label::Introducer(introducer));
                if slot.reached_at == 0 {
                    add(Label::New(introducer));
                }
            }
            if slot.reached_at > 0 {
                reached += 1;
                assert!(self.reached.contains(&[slot.reached_at, 0, ix.packed()]));
            }
            if let Some(group) = slot.listed {
                let teller = teller(peer);
                let key = [group, teller << 32 | peer.salt >> 32, ix.packed()];
                assert!(self.by_group.contains(&key));
                assert_eq!(group, best.unwrap_or_default());
                add(Label::Cell(group, teller as u32));
                listed += 1;
                if let Some(introducer) = peer.introducer {
                    introduced += 1;
                    let key = [introducer, peer.salt, ix.packed()];
                    assert!(self.by_introducer.contains(&key));
                }
            } else if slot.reached_at == 0 {
                assert!(!peer.forgettable(), "{id} can be forgotten");
            }
        }
        assert_eq!(counts, self.counts);
        assert_eq!(reached, self.reached.len());
        assert_eq!(listed, self.by_group.len());
        assert_eq!(introduced, self.by_introducer.len());
        let known =
            |wanted: fn(&Label) -> bool| counts.keys().filter(|label| wanted(label)).count();
        assert_eq!(self.groups, known(|label| matches!(label, Label::Group(_))));
        assert_eq!(
            self.introducers,
            known(|label| matches!(label, Label::Introducer(_)))
        );
        assert_eq!(
            self.cells.len(),
            known(|label| matches!(label, Label::Cell(..)))
        );
        for [count, group, teller] in &self.cells {
            let label = Label::Cell(*group, *teller as u32);
            assert_eq!(counts.get(&label).copied().map(u64::from), Some(*count));
        }
    }
}

/// Half of the mark of who named a peer, or else the kind of source.
fn teller(peer: &Peer) -> u64 {
    peer.introducer
        .map_or(peer.source as u64, |mark| mark >> 32)
}

fn change(set: &mut Set, key: [u64; 3], comes: bool) {
    if comes {
        set.insert(key);
    } else {
        set.remove(&key);
    }
}

/// Another than `but` of the records that begin with `first`, the next after `draw`.
fn any(set: &Set, first: u64, but: Ix, draw: u64) -> Option<Ix> {
    let after = set.range([first, draw, 0]..=[first, u64::MAX, u64::MAX]);
    let before = set.range([first, 0, 0]..[first, draw, 0]);
    let mut all = after.chain(before).map(|key| Ix::unpacked(key[2]));
    all.find(|ix| *ix != but)
}

/// The table is full of peers that may not be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;
