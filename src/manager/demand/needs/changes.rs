//! What is told of needs: the lines that were crossed, and who took over from whom.
//!
//! Owns nothing: what the user was told last is kept with each requirement.

use super::Needs;
use crate::manager::boundary::command::{Crossed, Health};
use crate::manager::boundary::event::{Need, RequirementId};
use libp2p_identity::PeerId;

/// One requirement was taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) struct Takeover {
    pub(in crate::manager) lost: PeerId,
    pub(in crate::manager) gained: PeerId,
    pub(in crate::manager) requirement: RequirementId,
    pub(in crate::manager) gap_ms: u64,
}

/// A line that was crossed since the last time somebody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) struct Change {
    pub(in crate::manager) requirement: RequirementId,
    pub(in crate::manager) have: u8,
    pub(in crate::manager) need: Need,
    pub(in crate::manager) crossed: Crossed,
}

impl Needs {
    /// Whether anything changed since the last call: otherwise there is nothing to tell.
    pub(in crate::manager) fn has_news(&mut self) -> bool {
        let now = self.revision();
        core::mem::replace(&mut self.told_at, now) != now
    }

    /// Who took over from whom since the last call.
    pub(in crate::manager) fn take_takeovers(&mut self) -> Vec<Takeover> {
        core::mem::take(&mut self.takeovers)
    }

    /// Lines crossed since the last call; rising ones from the minimum up, falling ones from the target down.
    pub(in crate::manager) fn changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (place, requirement) in self.list.iter_mut().enumerate() {
            let Some(requirement) = requirement else {
                continue;
            };
            let now = requirement.health();
            let before = core::mem::replace(&mut requirement.told, now);
            let lines: &[Crossed] = match (before, now) {
                (Health::Unmet, Health::Minimal) => &[Crossed::MinReached],
                (Health::Unmet, Health::Met) => &[Crossed::MinReached, Crossed::TargetReached],
                (Health::Minimal, Health::Met) => &[Crossed::TargetReached],
                (Health::Met, Health::Minimal) => &[Crossed::TargetLost],
                (Health::Met, Health::Unmet) => &[Crossed::TargetLost, Crossed::MinLost],
                (Health::Minimal, Health::Unmet) => &[Crossed::MinLost],
                (Health::Unmet, Health::Unmet)
                | (Health::Minimal, Health::Minimal)
                | (Health::Met, Health::Met) => &[],
            };
            // A requirement without a minimum never crosses it.
            let lines = lines.iter().filter(|line| {
                requirement.need.min > 0 || !matches!(line, Crossed::MinReached | Crossed::MinLost)
            });
            changes.extend(lines.map(|crossed| Change {
                requirement: RequirementId(u8::try_from(place).unwrap_or(u8::MAX)),
                have: requirement.have(),
                need: requirement.need,
                crossed: *crossed,
            }));
        }
        changes
    }

    /// The summary before and after, if it changed since the last call.
    pub(in crate::manager) fn health_change(&mut self) -> Option<(Health, Health)> {
        let now = self.health();
        let before = core::mem::replace(&mut self.told, now);
        (before != now).then_some((before, now))
    }
}
