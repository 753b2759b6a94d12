//! May this connection be closed for others? (4.13, guards) The one place that answers.

use super::Manager;
use super::event::ConnId;
use super::reason::Guard;

/// How much pressure there is: what may be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pressure {
    /// Every target holds without it (lean-down, lifetime, hand-off, phases 2, 3 and 5).
    Voluntary,
    /// Targets may break, minima not (phases 4 and 6).
    BreakTargets,
    /// Minima may break (phase 7).
    BreakMinima,
}

impl Manager {
    /// The first rule that forbids it.
    pub(super) fn guard(&self, _conn: ConnId, _pressure: Pressure) -> Option<Guard> {
        None
    }
}
