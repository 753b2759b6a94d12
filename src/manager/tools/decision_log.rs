//! The last decisions, for `explain()` and for the log of a failure (4.19).
//!
//! Owns a bounded queue: the oldest decision makes room for the newest. Nothing is decided by it.

use std::collections::VecDeque;

use libp2p_identity::PeerId;

use crate::manager::boundary::event::Time;
use crate::manager::boundary::view::{Decision, What};
use crate::manager::tools::slot::Ix;

/// Decisions that are remembered (4.2).
const CAPACITY: usize = 1_024;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Ring {
    list: VecDeque<Decision>,
    /// Decisions since the manager was made.
    pub(in crate::manager) pushed: u64,
    /// The last choice among candidates: the dial that follows from it is told with what it was compared.
    chosen: Option<Chosen>,
}

/// A choice among candidates.
#[derive(Debug, Clone, Copy)]
struct Chosen {
    /// In which input, by its time.
    at: u64,
    ix: Ix,
    compared: u16,
    value: u32,
}

impl Ring {
    pub(in crate::manager) fn push(&mut self, now: Time, what: What) {
        self.pushed += 1;
        if self.list.len() >= CAPACITY {
            self.list.pop_front();
        }
        self.list.push_back(Decision {
            at_wall_ms: now.wall_ms,
            what,
        });
    }

    /// A candidate was chosen from so many, for so much.
    pub(in crate::manager) fn chose(&mut self, now: Time, ix: Ix, compared: usize, value: u32) {
        self.chosen = Some(Chosen {
            at: now.mono_ms,
            ix,
            compared: u16::try_from(compared).unwrap_or(u16::MAX),
            value,
        });
    }

    /// How many candidates a dial was chosen from, and for what worth; 1 and nothing when there was no choice.
    pub(in crate::manager) fn choice(&mut self, now: Time, ix: Ix) -> (u16, u32) {
        self.chosen
            .take()
            .filter(|chosen| chosen.ix == ix && chosen.at == now.mono_ms)
            .map_or((1, 0), |chosen| (chosen.compared, chosen.value))
    }

    /// The last `limit` decisions, the oldest first.
    pub(in crate::manager) fn last(&self, limit: usize) -> impl Iterator<Item = &Decision> {
        let skip = self.list.len().saturating_sub(limit);
        self.list.iter().skip(skip)
    }

    /// The last `limit` decisions about a peer, the oldest first.
    pub(in crate::manager) fn about(&self, peer: PeerId, limit: usize) -> Vec<Decision> {
        self.found(limit, &|what| what.peer() == Some(peer))
    }

    /// The last `limit` failures of a peer, the oldest first.
    pub(in crate::manager) fn failures(&self, peer: PeerId, limit: usize) -> Vec<Decision> {
        self.found(
            limit,
            &|what| matches!(what, What::Failed { peer: of, .. } if *of == peer),
        )
    }

    fn found(&self, limit: usize, wanted: &dyn Fn(&What) -> bool) -> Vec<Decision> {
        let mut found: Vec<Decision> = self
            .list
            .iter()
            .rev()
            .filter(|decision| wanted(&decision.what))
            .take(limit)
            .cloned()
            .collect();
        found.reverse();
        found
    }

    /// Whether it is bounded (R1).
    pub(in crate::manager) fn check(&self) {
        assert!(self.list.len() <= CAPACITY, "the ring is bounded (R1)");
    }
}
