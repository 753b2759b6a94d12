//! The known peers.
//!
//! Owns every [`Peer`] record, the way from ids to records, the sizes of netgroups and the order in which records are
//! forgotten. Bounded: a newcomer displaces the peer that was heard of longest ago and never reached, then one that was
//! reached; nobody whom the user named, holds or banned, nor anybody in use.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use libp2p_identity::PeerId;
use litemap::LiteMap;

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
}

/// How many of the oldest records are looked at for one that may be forgotten.
const EVICTION_TRIES: usize = 32;

#[derive(Debug)]
struct Slot {
    generation: u32,
    peer: Option<Peer>,
    /// Its key in the order of forgetting.
    age: (bool, u64),
    /// The group under which it is counted.
    group: Option<u64>,
}

/// The table.
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_id: BTreeMap<PeerId, Ix>,
    /// (was reached, when heard of) → who.
    by_age: BTreeSet<((bool, u64), Ix)>,
    groups: LiteMap<u64, u32>,
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
        let slot = self.slots.get(ix.slot as usize)?;
        (slot.generation == ix.generation)
            .then_some(slot.peer.as_ref())
            .flatten()
    }

    pub(super) fn get_mut(&mut self, ix: Ix) -> Option<&mut Peer> {
        let slot = self.slots.get_mut(ix.slot as usize)?;
        (slot.generation == ix.generation)
            .then_some(slot.peer.as_mut())
            .flatten()
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
        self.groups.len()
    }

    /// Who would have to go for a newcomer; `Err` when the table is full of peers that may not be forgotten.
    pub(super) fn room(&mut self, limit: usize) -> Result<Option<Ix>, Full> {
        if self.by_id.len() < limit {
            return Ok(None);
        }
        for _ in 0..EVICTION_TRIES.min(self.by_age.len()) {
            let Some(&(age, ix)) = self.by_age.first() else {
                break;
            };
            if self.get(ix).is_some_and(Peer::forgettable) {
                return Ok(Some(ix));
            }
            // Whoever may not go now is asked last the next time.
            self.touch(ix, age.0);
        }
        Err(Full)
    }

    pub(super) fn insert(&mut self, id: PeerId, source: Source, seed: &Seed) -> Ix {
        let peer = Peer::new(id, seed.mark(Domain::Peer, &id.to_bytes()), source);
        self.clock += 1;
        let age = (false, self.clock);
        let ix = match self.free.pop() {
            Some(slot) => {
                let place = &mut self.slots[slot as usize];
                place.peer = Some(peer);
                place.age = age;
                place.group = None;
                Ix {
                    slot,
                    generation: place.generation,
                }
            }
            None => {
                let slot = u32::try_from(self.slots.len()).expect("the table is bounded");
                self.slots.push(Slot {
                    generation: 0,
                    peer: Some(peer),
                    age,
                    group: None,
                });
                Ix {
                    slot,
                    generation: 0,
                }
            }
        };
        self.by_id.insert(id, ix);
        self.by_age.insert((age, ix));
        ix
    }

    pub(super) fn remove(&mut self, ix: Ix) -> Option<Peer> {
        self.get(ix)?;
        let slot = &mut self.slots[ix.slot as usize];
        let peer = slot.peer.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.by_age.remove(&(slot.age, ix));
        let group = slot.group.take();
        self.free.push(ix.slot);
        self.by_id.remove(&peer.id);
        self.count_group(group, None);
        Some(peer)
    }

    /// It was reached: it is forgotten after all who never were.
    pub(super) fn reached(&mut self, ix: Ix) {
        self.touch(ix, true);
    }

    /// Those that were reached, the last first.
    pub(super) fn reached_last(&self) -> impl Iterator<Item = Ix> + '_ {
        self.by_age
            .iter()
            .rev()
            .take_while(|((reached, _), _)| *reached)
            .map(|(_, ix)| *ix)
    }

    /// Counts the peer under the group of its best address.
    pub(super) fn regroup(&mut self, ix: Ix) {
        let Some(group) = self
            .get(ix)
            .map(|peer| peer.routes.best().map(|route| route.group))
        else {
            return;
        };
        let slot = &mut self.slots[ix.slot as usize];
        let old = core::mem::replace(&mut slot.group, group);
        if old != group {
            self.count_group(old, group);
        }
    }

    fn touch(&mut self, ix: Ix, reached: bool) {
        if self.get(ix).is_none() {
            return;
        }
        self.clock += 1;
        let slot = &mut self.slots[ix.slot as usize];
        self.by_age.remove(&(slot.age, ix));
        slot.age = (reached, self.clock);
        self.by_age.insert((slot.age, ix));
    }

    fn count_group(&mut self, old: Option<u64>, new: Option<u64>) {
        if let Some(group) = new {
            let count = self.groups.get(&group).copied().unwrap_or(0);
            self.groups.insert(group, count + 1);
        }
        if let Some(group) = old
            && let Some(count) = self.groups.get_mut(&group)
        {
            *count -= 1;
            if *count == 0 {
                self.groups.remove(&group);
            }
        }
    }

    /// Whether the views agree (R4).
    pub(super) fn check(&self, limit: usize) {
        assert!(self.by_id.len() <= limit, "the table is bounded");
        assert_eq!(self.by_id.len(), self.by_age.len());
        assert_eq!(self.slots.len() - self.free.len(), self.by_id.len());
        for (id, ix) in &self.by_id {
            let peer = self.get(*ix).expect("every id leads to a record");
            assert_eq!(peer.id, *id);
            let slot = &self.slots[ix.slot as usize];
            assert!(self.by_age.contains(&(slot.age, *ix)));
            assert_eq!(slot.group, peer.routes.best().map(|route| route.group));
        }
        let counted: u32 = self.groups.values().sum();
        let grouped = self
            .slots
            .iter()
            .filter(|slot| slot.group.is_some())
            .count();
        assert_eq!(counted as usize, grouped);
    }
}

/// The table is full of peers that may not be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;
