//! How fast each server may be asked by each of our services.

use libp2p::PeerId;
use litemap::LiteMap;

use super::platform;
use crate::manager::RequirementId;
use crate::protocols::pace::{Pace, Pacer};

/// Servers that are remembered; those of which nothing is left to remember make room.
const MAX: usize = 256;

/// See the module's documentation. Filter keeps its own, because its requests wait in batches.
#[derive(Debug, Default)]
pub(super) struct Paces(LiteMap<(PeerId, RequirementId), Pacer>);

impl Paces {
    /// The pace of one server at one service.
    pub(super) fn of(&mut self, peer: PeerId, requirement: RequirementId) -> &mut Pacer {
        if self.0.len() >= MAX {
            let now = platform::now().mono_ms;
            self.0.retain(|_, pacer| !pacer.is_idle(now));
        }
        self.0
            .entry((peer, requirement))
            .or_insert_with(|| Pacer::new(Pace::UNTOLD))
    }
}
