//! Many connections for a short time (4.10).

use super::Manager;
use super::event::{BurstId, ConnId, EnrollmentId};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Bursts {}

impl Manager {
    pub(super) fn on_open_burst(
        &mut self,
        _burst: BurstId,
        _enrollment: EnrollmentId,
        _slots: u8,
        _max_ms: u64,
    ) {
    }

    pub(super) fn on_close_burst(&mut self, _burst: BurstId) {}

    /// Dials for open bursts; called by the plan after the needs.
    pub(super) fn dial_bursts(&mut self) {}

    /// Connections that only closed bursts used, the last closed first: phase 2 of a round of regulation.
    pub(super) fn burst_leftovers(&self) -> Vec<ConnId> {
        Vec::new()
    }

    /// Connections that belong to bursts: they count towards the hard cap, not towards the soft target.
    pub(super) fn burst_connections(&self) -> usize {
        0
    }
}
