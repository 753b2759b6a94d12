//! Whom the user holds at any cost, and whose connection they want left alone (4.8).
//!
//! Owns both sets. Together they have one budget, so that needs keep the rest of the connections.

use litemap::LiteMap;

use crate::manager::book::table::Table;
use crate::manager::tools::changed::Changed;
use crate::manager::tools::slot::Ix;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Pins {
    held: LiteMap<Ix, ()>,
    /// Of these, whom the user waits for right now.
    urgent: LiteMap<Ix, ()>,
    /// Of these, whom nobody held before the user's dials of them: how many, those left out that were given up. A dial that
    /// succeeds is never given up, so its peer stays.
    tried: LiteMap<Ix, u32>,
    /// Whose connection a tag of the user's protects, held or not.
    protected: LiteMap<Ix, ()>,
    changed: Changed,
}

impl Pins {
    /// The user wants a peer connected, whatever becomes of this one dial if it is for good.
    pub(in crate::manager) fn hold(&mut self, ix: Ix, for_good: bool) {
        let held = self.held.insert(ix, ()).is_some();
        if for_good {
            self.tried.remove(&ix);
        } else if !held {
            self.tried.insert(ix, 1);
        }
        self.changed.mark();
    }

    /// Nobody wants a peer held any more, nor waits for it.
    pub(in crate::manager) fn release(&mut self, ix: Ix) {
        self.held.remove(&ix);
        self.urgent.remove(&ix);
        self.tried.remove(&ix);
        self.changed.mark();
    }

    /// The user dials a peer once more, which may be given up in its turn.
    pub(in crate::manager) fn dial_again(&mut self, ix: Ix) {
        if let Some(tries) = self.tried.get_mut(&ix) {
            *tries = tries.saturating_add(1);
        }
    }

    /// A dial of the user's came to nothing. Returns whether it was the last that its peer was held for.
    pub(in crate::manager) fn give_up(&mut self, ix: Ix) -> bool {
        self.tried.get_mut(&ix).is_some_and(|tries| {
            *tries -= 1;
            *tries == 0
        })
    }

    /// The user waits for a peer that is held.
    pub(in crate::manager) fn wait_for(&mut self, ix: Ix) {
        self.urgent.insert(ix, ());
    }

    /// Nobody does any longer: it came, or its dial failed.
    pub(in crate::manager) fn stop_waiting(&mut self, ix: Ix) {
        self.urgent.remove(&ix);
    }

    /// The user waits for nobody.
    pub(in crate::manager) fn stop(&mut self) {
        self.urgent.clear();
    }

    /// Whether the user waits for a peer.
    pub(in crate::manager) fn is_urgent(&self, ix: Ix) -> bool {
        self.urgent.contains_key(&ix)
    }

    /// Whom the user holds.
    pub(in crate::manager) fn held(&self) -> impl Iterator<Item = Ix> + '_ {
        self.held.keys().copied()
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
    fn len(&self) -> usize {
        let also = |ix: &&Ix| self.held.contains_key(ix);
        self.held.len() + self.protected.len() - self.protected.keys().filter(also).count()
    }

    /// Whether one peer more would exceed the budget.
    pub(in crate::manager) fn is_full_for(&self, ix: Ix, budget: usize) -> bool {
        let counts = self.held.contains_key(&ix) || self.protected.contains_key(&ix);
        !counts && self.len() >= budget
    }

    /// Whether they are what they must be, as the records of peers say (S6, R4).
    pub(in crate::manager) fn check(&self, table: &Table, budget: usize) {
        for (ix, peer) in table.iter() {
            assert_eq!(peer.pinned(), self.held.contains_key(&ix));
            assert_eq!(peer.protected(), self.protected.contains_key(&ix));
        }
        assert!(self.len() <= budget);
        let mut of_held = self.tried.keys().chain(self.urgent.keys());
        assert!(of_held.all(|ix| self.held.contains_key(ix)));
    }
}
