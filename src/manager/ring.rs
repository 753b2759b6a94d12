//! The last decisions, for `explain()` and for the log of a failure (4.19).
//!
//! Owns a bounded queue: the oldest decision makes room for the newest.

use std::collections::VecDeque;

use libp2p_identity::PeerId;

use super::event::Time;
use super::view::{Decision, What};

/// Decisions that are remembered (4.2).
const CAPACITY: usize = 1_024;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ring {
    list: VecDeque<Decision>,
}

impl Ring {
    pub(super) fn push(&mut self, now: Time, what: What) {
        if self.list.len() >= CAPACITY {
            self.list.pop_front();
        }
        self.list.push_back(Decision {
            at_wall_ms: now.wall_ms,
            what,
        });
    }

    /// The last `limit` decisions, the oldest first.
    pub(super) fn last(&self, limit: usize) -> impl Iterator<Item = &Decision> {
        let skip = self.list.len().saturating_sub(limit);
        self.list.iter().skip(skip)
    }

    /// The last `limit` decisions about a peer, the oldest first.
    pub(super) fn about(&self, peer: PeerId, limit: usize) -> Vec<Decision> {
        let mut found: Vec<Decision> = self
            .list
            .iter()
            .rev()
            .filter(|decision| decision.what.peer() == Some(peer))
            .take(limit)
            .cloned()
            .collect();
        found.reverse();
        found
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }
}
