//! What no target needs (4.6).
//!
//! A connection is *surplus* when every target holds without it and without all others that are surplus (reverse
//! delete): who is missed least is looked at first. Of what remains, some may be done by fewer (`swaps`). Owns nothing.

use core::cmp::Reverse;

use crate::manager::Manager;
use crate::manager::book::peer::Role;
use crate::manager::boundary::event::{ConnId, Priority, RequirementId};
use crate::manager::tools::services::Services;
use crate::manager::tools::slot::Ix;
use crate::manager::tools::sort::sort_short_by_key;

/// Providers of each requirement, by its place.
pub(in crate::manager::pruning) struct Cover(Vec<u8>);

/// One that may go.
#[derive(Debug, Clone, Copy)]
pub(in crate::manager::pruning) struct Candidate {
    pub(in crate::manager::pruning) id: ConnId,
    pub(in crate::manager::pruning) ix: Ix,
    pub(in crate::manager::pruning) serving: Services,
    bootstrap: bool,
}

/// Who goes first: bootstrap peers, those in whose place another serves, then who is cared for least and does least.
type Turn = (bool, bool, Priority, usize, i16, Reverse<ConnId>);

/// What targets need and what they do not.
pub(in crate::manager::pruning) struct Sorted {
    /// What is surplus, in the order in which it goes.
    pub(in crate::manager::pruning) surplus: Vec<ConnId>,
    /// What remains, and could go for something better; in no order.
    pub(in crate::manager::pruning) rest: Vec<Candidate>,
    /// How many serve each requirement, of what remains.
    pub(in crate::manager::pruning) cover: Cover,
}

impl Sorted {
    /// What remains, and could go for something better.
    pub(in crate::manager::pruning) fn needed(&self) -> Vec<ConnId> {
        self.rest.iter().map(|candidate| candidate.id).collect()
    }
}

impl Manager {
    /// Sorts out what is surplus. Bootstrap peers leave by themselves once others do their work: they are neither
    /// surplus nor needed.
    pub(in crate::manager::pruning) fn sort_out(&self) -> Sorted {
        let mut cover = self.cover();
        let spares = |cover: &Cover, candidate: &Candidate| {
            let mut serving = candidate.serving.iter();
            serving.all(|id| cover.of(id) > self.target(id))
        };
        // Who is needed while all others are there is needed whatever the order: mostly that is everybody, and nobody has
        // to be weighed.
        let (mut surplus, mut free) = (Vec::new(), Vec::new());
        let mut rest = self.candidates_to_go();
        rest.retain(|candidate| {
            let is_free = spares(&cover, candidate) && !self.is_last_of_group(candidate);
            if is_free {
                free.push(*candidate);
            }
            !is_free && !candidate.bootstrap
        });
        for candidate in self.in_turn(free) {
            let spared = spares(&cover, &candidate);
            if spared {
                cover.without(candidate.serving);
            }
            match (candidate.bootstrap, spared) {
                (true, _) => {}
                (false, true) => surplus.push(candidate.id),
                (false, false) => rest.push(candidate),
            }
        }
        Sorted {
            surplus,
            rest,
            cover,
        }
    }

    /// How many serve each requirement. What bursts made does not count: it leaves before long (S12).
    fn cover(&self) -> Cover {
        let mut cover = Cover(self.needs.ids().map(|id| self.needs.have(id)).collect());
        for (id, conn) in self.connections.open() {
            if self.bursts.holds(id) {
                cover.without(conn.serving);
            }
        }
        cover
    }

    /// Connections that serve and that nobody holds.
    fn candidates_to_go(&self) -> Vec<Candidate> {
        let mut candidates = Vec::with_capacity(self.connections.len());
        candidates.extend(self.connections.open().filter_map(|(id, conn)| {
            let (_, peer) = self.judged(id)?;
            let free = !conn.serving.is_empty() && !self.releases.reliefs.replaces(conn.ix);
            free.then_some(Candidate {
                id,
                ix: conn.ix,
                serving: conn.serving,
                bootstrap: peer.role() == Role::Bootstrap,
            })
        }));
        candidates
    }

    /// Without it some requirement would have its providers in fewer netgroups than it wants (4.3, spread).
    fn is_last_of_group(&self, candidate: &Candidate) -> bool {
        let conn = self.connections.get(candidate.id);
        conn.is_some_and(|conn| self.last_of_its_group(candidate.id, conn))
    }

    /// In the order in which they go.
    pub(in crate::manager::pruning) fn in_turn(
        &self,
        candidates: Vec<Candidate>,
    ) -> Vec<Candidate> {
        if candidates.len() < 2 {
            return candidates;
        }
        let turns = candidates.into_iter().map(|one| (self.turn(&one), one));
        let mut turns: Vec<(Turn, Candidate)> = turns.collect();
        sort_short_by_key(&mut turns, |(turn, _)| *turn);
        turns.into_iter().map(|(_, one)| one).collect()
    }

    fn turn(&self, candidate: &Candidate) -> Turn {
        let peer = self.table.get(candidate.ix);
        let wanted = candidate
            .serving
            .iter()
            .filter(|id| self.target(*id) > 0)
            .count();
        (
            !candidate.bootstrap,
            !self.releases.reliefs.is_replaced(candidate.id),
            peer.map_or(Priority::default(), |peer| peer.priority()),
            wanted,
            peer.map_or(0, |peer| peer.score(self.now.mono_ms)),
            Reverse(candidate.id),
        )
    }

    pub(in crate::manager::pruning) fn target(&self, id: RequirementId) -> u8 {
        self.needs.need(id).map_or(0, |need| need.target)
    }
}

impl Cover {
    pub(in crate::manager::pruning) fn of(&self, id: RequirementId) -> u8 {
        self.0.get(usize::from(id.0)).copied().unwrap_or(0)
    }

    fn without(&mut self, serving: Services) {
        for id in serving.iter() {
            if let Some(count) = self.0.get_mut(usize::from(id.0)) {
                *count = count.saturating_sub(1);
            }
        }
    }
}
