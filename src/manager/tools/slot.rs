//! Places in the table of peers, and the ordered sets that are kept of them.
//!
//! Below everything else: a deadline, a connection and a decision each name a peer by its place.

use std::collections::BTreeSet;

use crate::manager::tools::steps::step;

/// A record. Stays unique when its place is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::manager) struct Ix {
    slot: u32,
    generation: u32,
}

impl Ix {
    /// Before all others.
    pub(in crate::manager) const FIRST: Self = Self {
        slot: 0,
        generation: 0,
    };
    /// After all others.
    pub(in crate::manager) const LAST: Self = Self {
        slot: u32::MAX,
        generation: u32::MAX,
    };

    /// The place, and how often it was used before.
    pub(in crate::manager) fn new(slot: u32, generation: u32) -> Self {
        Self { slot, generation }
    }

    /// How often its place was used before.
    pub(in crate::manager) fn generation(self) -> u32 {
        self.generation
    }

    /// Its place among the records.
    pub(in crate::manager) fn place(self) -> usize {
        self.slot as usize
    }

    pub(in crate::manager) fn packed(self) -> u64 {
        u64::from(self.slot) << 32 | u64::from(self.generation)
    }

    pub(in crate::manager) fn unpacked(packed: u64) -> Self {
        Self {
            slot: (packed >> 32) as u32,
            generation: packed as u32,
        }
    }
}

/// One of the ordered sets: all are of the same type, because each type is kilobytes of code.
pub(in crate::manager) type Set = BTreeSet<[u64; 3]>;

/// Adds a key, or removes it.
pub(in crate::manager) fn change(set: &mut Set, key: [u64; 3], comes: bool) {
    step();
    if comes {
        set.insert(key);
    } else {
        set.remove(&key);
    }
}
