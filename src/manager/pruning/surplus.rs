//! What no target needs (4.6).
//!
//! A connection is *surplus* when every target holds without it and without all others that are surplus (reverse
//! delete): who is missed least is looked at first. Of what remains, two may be done by one who is known. Owns nothing.

use core::cell::LazyCell;
use core::cmp::Reverse;

use crate::manager::Manager;
use crate::manager::book::peer::{Peer, Role};
use crate::manager::boundary::event::{ConnId, Priority, RequirementId};
use crate::manager::connected::connections::Conn;
use crate::manager::dialing::purpose::Purpose;
use crate::manager::pruning::relief::{For, Wish};
use crate::manager::tools::services::Services;
use crate::manager::tools::slot::Ix;
use crate::manager::tools::sort::sort_short_by_key;

/// Providers of each requirement, by its place.
struct Cover(Vec<u8>);

/// One that may go.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    id: ConnId,
    serving: Services,
    bootstrap: bool,
    /// Without it some requirement would have its providers in fewer netgroups than it wants (4.3, spread).
    last_of_group: bool,
    /// Who goes first: bootstrap peers, those in whose place another serves, then who is cared for least and does
    /// least.
    key: (bool, bool, Priority, usize, i16, Reverse<ConnId>),
}

/// What targets need and what they do not.
pub(in crate::manager::pruning) struct Sorted {
    /// What is surplus, in the order in which it goes.
    pub(in crate::manager::pruning) surplus: Vec<ConnId>,
    /// What remains, and could go for something better.
    rest: Vec<Candidate>,
    /// How many serve each requirement, of what remains.
    cover: Cover,
}

impl Sorted {
    /// What remains, and could go for something better.
    pub(in crate::manager::pruning) fn needed(&self) -> Vec<ConnId> {
        self.rest.iter().map(|candidate| candidate.id).collect()
    }
}

/// Of those who were verified once, how many are looked at for one that could replace two. Who serves most stands
/// first.
const SUCCESSORS: usize = 128;

impl Manager {
    /// Sorts out what is surplus. Bootstrap peers leave by themselves once others do their work: they are neither
    /// surplus nor needed.
    pub(in crate::manager::pruning) fn sort_out(&self) -> Sorted {
        let mut candidates = self.candidates_to_go();
        sort_short_by_key(&mut candidates, |candidate| candidate.key);
        let mut cover = self.cover();
        let (mut surplus, mut rest) = (Vec::new(), Vec::new());
        for candidate in candidates {
            let mut serving = candidate.serving.iter();
            let spared =
                serving.all(|id| cover.of(id) > self.target(id)) && !candidate.last_of_group;
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
        let open = self.connections.open();
        open.filter_map(|(id, conn)| {
            let (_, peer) = self.judged(id)?;
            let bootstrap = peer.role() == Role::Bootstrap;
            let reliefs = &self.releases.reliefs;
            let wanted = conn.serving.iter().filter(|id| self.target(*id) > 0);
            let key = (
                !bootstrap,
                !reliefs.is_replaced(id),
                peer.priority(),
                wanted.count(),
                peer.score(self.now.mono_ms),
                Reverse(id),
            );
            let free = !conn.serving.is_empty() && !reliefs.replaces(conn.ix);
            free.then_some(Candidate {
                id,
                serving: conn.serving,
                bootstrap,
                last_of_group: self.last_of_its_group(id, conn),
                key,
            })
        })
        .collect()
    }

    fn target(&self, id: RequirementId) -> u8 {
        self.needs.need(id).map_or(0, |need| need.target)
    }

    /// One verified peer that could do what two do, and not worse: it is dialed first, and the two go when it serves.
    pub(in crate::manager::pruning) fn wish_for_swap(&self, sorted: &Sorted) -> Option<Wish> {
        let rest = &sorted.rest;
        if rest.len() < 2 {
            return None;
        }
        // Asked about the few who could do it, and mostly nobody can.
        let census = LazyCell::new(|| self.census());
        let spreads = |ix: Ix, pair, serves| {
            let admitted = self.admits(ix, Purpose::Relief, &census);
            admitted.is_some_and(|admitted| {
                !admitted.relaxed && self.keeps_spread(pair, admitted.route.group, serves)
            })
        };
        let proven: Vec<(Ix, Services)> = self.candidates.proven().take(SUCCESSORS).collect();
        rest.iter().enumerate().find_map(|(place, first)| {
            rest[place + 1..].iter().find_map(|second| {
                let needed = self.needed_of_pair(&sorted.cover, first, second)?;
                let able = proven.iter().find(|(ix, services)| {
                    needed.minus(*services).is_empty()
                        && self.not_worse(*ix, needed, [first, second])
                        && spreads(*ix, [first.id, second.id], *services)
                });
                able.map(|(ix, _)| Wish {
                    what: For::Swap([first.id, second.id]),
                    whom: Some(*ix),
                    needed,
                    after_ms: 0,
                })
            })
        })
    }

    /// What is missing without these two; `None` when one peer could not make it good.
    fn needed_of_pair(
        &self,
        cover: &Cover,
        first: &Candidate,
        second: &Candidate,
    ) -> Option<Services> {
        let both = first.serving.union(second.serving);
        let mut needed = Services::NONE;
        for id in both.iter() {
            let lost = u8::from(first.serving.contains(id)) + u8::from(second.serving.contains(id));
            let left = cover.of(id).saturating_sub(lost);
            match self.target(id).saturating_sub(left) {
                0 => {}
                1 => needed.insert(id),
                _ => return None,
            }
        }
        Some(needed)
    }

    /// Whether a peer is cared for as much as these two, and did not do worse. Above nothing, one quality is as good as
    /// another: who is not used earns none.
    fn not_worse(&self, ix: Ix, needed: Services, pair: [&Candidate; 2]) -> bool {
        let Some(peer) = self.table.get(ix) else {
            return false;
        };
        let quality = |peer: &Peer, id| peer.quality(id, self.now.mono_ms).min(0);
        pair.iter().all(|candidate| {
            let conn = self.connections.get(candidate.id);
            let Some(other) = conn.and_then(|conn: &Conn| self.table.get(conn.ix)) else {
                return false;
            };
            let mut served = needed.and(candidate.serving).iter();
            peer.priority() >= other.priority()
                && served.all(|id| quality(peer, id) >= quality(other, id))
        })
    }
}

impl Cover {
    fn of(&self, id: RequirementId) -> u8 {
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
