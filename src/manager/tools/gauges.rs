//! What is measured beside the counters (4.19). Owns it, and nothing is decided by it.

use litemap::LiteMap;

use crate::manager::boundary::event::RequirementId;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Gauges {
    /// The first start, monotonic.
    started_at: Option<u64>,
    /// From there to the first time that a target was reached.
    first_met: LiteMap<RequirementId, u64>,
    /// The longest that a deadline was missed by.
    pub(in crate::manager) lag_ms: u64,
}

impl Gauges {
    /// The node starts, perhaps not for the first time.
    pub(in crate::manager) fn started(&mut self, now: u64) {
        self.started_at.get_or_insert(now);
    }

    /// A requirement's target is reached, perhaps not for the first time.
    pub(in crate::manager) fn met(&mut self, now: u64, requirement: RequirementId) {
        if let Some(start) = self.started_at
            && !self.first_met.contains_key(&requirement)
        {
            self.first_met
                .insert(requirement, now.saturating_sub(start));
        }
    }

    /// See [`RequirementView`](crate::manager::RequirementView).
    pub(in crate::manager) fn first_met(&self, requirement: RequirementId) -> Option<u64> {
        self.first_met.get(&requirement).copied()
    }

    /// An input came so long after the earliest deadline.
    pub(in crate::manager) fn late(&mut self, ms: u64) {
        self.lag_ms = self.lag_ms.max(ms);
    }
}
