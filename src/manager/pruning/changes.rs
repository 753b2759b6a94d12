//! Whether decisions on connections have to be taken again.
//!
//! Each owner marks itself where it changes; here they are asked. Owns nothing.

use crate::manager::Manager;
use crate::manager::book::peer::Role;

impl Manager {
    /// Whether anything changed that decisions on connections depend on.
    pub(in crate::manager) fn is_changed(&self) -> bool {
        self.needs.is_dirty()
            || self.connections.is_changed()
            || self.releases.is_due(self.run, self.mode)
            || self.pins.changed.is_set()
            || self.locks.changed.is_set()
            || self.limits.changed.is_set()
            || self.bursts.changed.is_set()
            || self.enrollments.changed.is_set()
            || self.candidates_matter()
    }

    /// The same since the last call.
    pub(in crate::manager::pruning) fn take_changed(&mut self) -> bool {
        let candidates = self.candidates_matter();
        self.candidates.seen();
        [
            candidates,
            self.needs.take_dirty(),
            self.connections.take_changed(),
            self.releases.take_due(self.run, self.mode),
            self.pins.changed.take(),
            self.locks.changed.take(),
            self.limits.changed.take(),
            self.bursts.changed.take(),
            self.enrollments.changed.take(),
        ]
        .contains(&true)
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
            peer.is_some_and(|peer| peer.role == Role::Bootstrap)
        };
        let mut open = self.connections.open();
        open.any(|(_, conn)| bootstrap(conn.ix))
            || self.sole_provider().is_some()
            || self.crowded().next().is_some()
    }
}
