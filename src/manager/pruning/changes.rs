//! Whether decisions on connections have to be taken again.
//!
//! Each owner marks itself where it changes; here they are asked. Owns nothing.

use crate::manager::book::peer::Role;
use crate::manager::machine::modes::Mode;
use crate::manager::{Manager, Run};

/// What the node is at, and how often anything changed that decisions on connections depend on.
pub(in crate::manager::pruning) type Basis = (Run, Mode, u64);

impl Manager {
    /// Whether anything changed that decisions on connections depend on.
    pub(in crate::manager) fn is_changed(&self) -> bool {
        !self.releases.saw(self.basis()) || self.candidates_matter()
    }

    /// The same since the last call.
    pub(in crate::manager::pruning) fn take_changed(&mut self) -> bool {
        let changed = self.is_changed();
        self.releases.see(self.basis());
        self.candidates.seen();
        changed
    }

    fn basis(&self) -> Basis {
        let revisions = [
            self.needs.revision(),
            self.connections.revision(),
            self.releases.times_due(),
            self.pins.revision(),
            self.locks.revision(),
            self.limits.revision(),
            self.bursts.revision(),
            self.enrollments.revision(),
        ];
        (self.run, self.mode, revisions.iter().sum())
    }

    /// Whether somebody can be dialed who could not, and may do the work of two (4.6) or relieve a connection.
    fn candidates_matter(&self) -> bool {
        self.candidates.has_proven_grown()
            || (self.candidates.has_grown() && self.newcomers_matter())
    }

    /// Whether somebody of whom nothing is proven could relieve a connection: a bootstrap peer is connected, or too
    /// much depends on one peer or on one netgroup.
    fn newcomers_matter(&self) -> bool {
        let bootstrap = |ix| {
            let peer = self.table.get(ix);
            peer.is_some_and(|peer| peer.role() == Role::Bootstrap)
        };
        let mut open = self.connections.open();
        open.any(|(_, conn)| bootstrap(conn.ix))
            || self.sole_provider().is_some()
            || self.crowded().next().is_some()
    }
}
