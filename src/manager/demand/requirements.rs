//! Requirements that come and go with the protocols that enroll (4.3).
//!
//! A requirement of the configuration keeps its place for ever. One that is opened later takes the place that its name
//! had before, or else the next, or else one that is free; nothing of what was in a place outlives it (R3). Peers that
//! were asked before it was opened are unknown for it: who is connected is looked at again by what identify listed, and
//! the others are placed among its candidates a few at a time, so that no input has to move them all.

use crate::manager::Manager;
use crate::manager::RequirementSpec;
use crate::manager::boundary::event::{Need, RequirementId};
use crate::manager::tools::deadlines::Timer;
use crate::manager::tools::services::Services;

/// Of the protocols that identify lists, this many bytes are remembered: no list is longer than its one frame of 4,096.
const KEPT_BYTES: usize = 4_096;

/// What is remembered of a list of protocols.
pub(in crate::manager) fn kept(protocols: &[String]) -> Vec<String> {
    let mut left = KEPT_BYTES;
    let fits = |protocol: &&String| {
        let fits = protocol.len() < left;
        left = left.saturating_sub(protocol.len() + 1);
        fits
    };
    protocols.iter().take_while(fits).cloned().collect()
}

impl Manager {
    /// The name of a requirement, or of the last one in its place.
    pub fn requirement_name(&self, requirement: RequirementId) -> Option<&str> {
        self.needs.name(requirement)
    }

    /// Requirements that discovery can say a peer to serve: those of the configuration.
    pub(in crate::manager) fn nameable(&self) -> Services {
        Services::all(self.enrollments.built_in())
    }

    pub(in crate::manager) fn on_set_need(&mut self, requirement: RequirementId, need: Need) {
        let Some(before) = self.needs.need(requirement) else {
            return;
        };
        self.needs.set(requirement, need);
        // Whoever was let go because nobody needed it may be dialed again: somebody does now.
        self.forgive_cooling();
        self.need_changed(requirement, before);
    }

    /// How many more requirements can be opened.
    pub(in crate::manager) fn open_places(&self) -> usize {
        Services::CAPACITY - self.needs.live().len()
    }

    /// Opens a requirement; `None` when every place is taken.
    pub(in crate::manager) fn open_requirement(
        &mut self,
        name: &str,
        protocols: &[String],
        need: Need,
    ) -> Option<RequirementId> {
        let id = self.needs.open(RequirementSpec {
            name: name.to_owned(),
            protocols: protocols.to_vec(),
            need,
        })?;
        self.candidates.open(id);
        for conn in self.connections.ids() {
            self.look_again(conn, id, protocols);
        }
        self.recall(id);
        self.place_all();
        Some(id)
    }

    /// Ends a requirement and everything that refers to it.
    pub(in crate::manager) fn close_requirement(&mut self, id: RequirementId) {
        if !self.needs.live().contains(id) {
            return;
        }
        self.needs.retire(id);
        self.candidates.retire(id);
        self.dials.forget_requirement(id);
        self.connections.forget_requirement(id);
        self.outage.forget_requirement(id);
        for ix in self.table.forget_requirement(id) {
            self.deadlines.clear(Timer::Rest(ix, id));
        }
    }
}
