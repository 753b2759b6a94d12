//! Whom the user holds at any cost, and whose connection they want left alone (4.8).
//!
//! Owns both sets. Together they have one budget, so that needs keep the rest of the connections.

use litemap::LiteMap;

use crate::manager::tools::changed::Changed;
use crate::manager::tools::slot::Ix;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Pins {
    pub(in crate::manager) held: LiteMap<Ix, ()>,
    /// Of these, whom the user waits for right now.
    pub(in crate::manager) urgent: LiteMap<Ix, ()>,
    /// Of these, whom nobody held before the user's dials of them: how many, those left out that were given up. A dial that
    /// succeeds is never given up, so its peer stays.
    pub(in crate::manager) tried: LiteMap<Ix, u32>,
    /// Whose connection a tag of the user's protects, held or not.
    pub(in crate::manager) protected: LiteMap<Ix, ()>,
    changed: Changed,
}

impl Pins {
    /// The user wants a peer connected.
    pub(in crate::manager) fn hold(&mut self, ix: Ix) {
        self.held.insert(ix, ());
        self.changed.mark();
    }

    /// Nobody wants a peer held any more, nor waits for it.
    pub(in crate::manager) fn release(&mut self, ix: Ix) {
        self.held.remove(&ix);
        self.urgent.remove(&ix);
        self.tried.remove(&ix);
        self.changed.mark();
    }

    /// The connection of a peer is to be left alone.
    pub(in crate::manager) fn protect(&mut self, ix: Ix) {
        self.protected.insert(ix, ());
        self.changed.mark();
    }

    /// Or no longer.
    pub(in crate::manager) fn unprotect(&mut self, ix: Ix) {
        self.protected.remove(&ix);
        self.changed.mark();
    }

    /// How often somebody began or ceased to be held or protected.
    pub(in crate::manager) fn revision(&self) -> u64 {
        self.changed.count()
    }

    /// How many peers the budget of 4.8 counts.
    pub(in crate::manager) fn len(&self) -> usize {
        let also = |ix: &&Ix| self.held.contains_key(ix);
        self.held.len() + self.protected.len() - self.protected.keys().filter(also).count()
    }

    /// Whether a peer is counted.
    pub(in crate::manager) fn counts(&self, ix: Ix) -> bool {
        self.held.contains_key(&ix) || self.protected.contains_key(&ix)
    }
}
