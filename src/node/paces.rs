//! How fast each server may be asked by each of our services.

use libp2p::PeerId;
use litemap::LiteMap;

use super::driver::Driver;
use super::platform;
use crate::manager::RequirementId;
use crate::protocols::pace::{Pace, Pacer};

/// Servers that are remembered; those of which nothing is left to remember make room.
const MAX: usize = 256;

/// See the module's documentation. Filter keeps its own, because its requests wait in batches.
#[derive(Debug, Default)]
pub(super) struct Paces(LiteMap<(PeerId, RequirementId), Pacer>);

impl Driver {
    /// The pace of one server. A server that was not asked yet has nothing to wait for.
    pub(super) fn pace(&mut self, peer: PeerId, requirement: RequirementId) -> &mut Pacer {
        let paces = &mut self.paces.0;
        if paces.len() >= MAX {
            let now = platform::now().mono_ms;
            paces.retain(|_, pacer| !pacer.is_idle(now));
        }
        paces
            .entry((peer, requirement))
            .or_insert_with(|| Pacer::new(Pace::UNTOLD))
    }
}
