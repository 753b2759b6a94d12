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
    ix: Ix,
    serving: Services,
    bootstrap: bool,
}

/// Who goes first: bootstrap peers, those in whose place another serves, then who is cared for least and does least.
type Turn = (bool, bool, Priority, usize, i16, Reverse<ConnId>);

/// What targets need and what they do not.
pub(in crate::manager::pruning) struct Sorted {
    /// What is surplus, in the order in which it goes.
    pub(in crate::manager::pruning) surplus: Vec<ConnId>,
    /// What remains, and could go for something better; in no order.
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
    fn in_turn(&self, candidates: Vec<Candidate>) -> Vec<Candidate> {
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

    fn target(&self, id: RequirementId) -> u8 {
        self.needs.need(id).map_or(0, |need| need.target)
    }

    /// One verified peer that could do what two do, and not worse: it is dialed first, and the two go when it serves.
    pub(in crate::manager::pruning) fn wish_for_swap(&self, sorted: &Sorted) -> Option<Wish> {
        let rest = &sorted.rest;
        if rest.len() < 2 {
            return None;
        }
        let proven: Vec<(Ix, Services)> = self.candidates.proven().take(SUCCESSORS).collect();
        let widest = proven.iter().map(|(_, services)| services.len()).max()?;
        let could = |needed: Services| {
            needed.len() <= widest
                && proven
                    .iter()
                    .any(|(_, able)| needed.minus(*able).is_empty())
        };
        // Mostly nobody could do what two do: then no records are looked at, and nobody is weighed.
        let lost = self.losses(&sorted.cover);
        let can_go = |pair: [&Candidate; 2]| lost.needed_of_pair(pair).is_some_and(could);
        let mut some: Vec<Candidate> = Vec::new();
        for pair in pairs(rest).filter(|pair| can_go(*pair)) {
            for one in pair {
                if some.iter().all(|other| other.id != one.id) {
                    some.push(*one);
                }
            }
        }
        if some.is_empty() {
            return None;
        }
        let census = LazyCell::new(|| self.census());
        let spreads = |ix: Ix, pair, serves| {
            let admitted = self.admits(ix, Purpose::Relief, &census);
            admitted.is_some_and(|admitted| {
                !admitted.relaxed && self.keeps_spread(pair, admitted.route.group, serves)
            })
        };
        let some = self.in_turn(some);
        pairs(&some).find_map(|pair| {
            let needed = lost.needed_of_pair(pair)?;
            let ids = pair.map(|candidate| candidate.id);
            let able = proven.iter().find(|(ix, services)| {
                needed.minus(*services).is_empty()
                    && self.not_worse(*ix, needed, pair)
                    && spreads(*ix, ids, *services)
            });
            able.map(|(ix, _)| Wish {
                what: For::Swap(ids),
                whom: Some(*ix),
                needed,
                after_ms: 0,
            })
        })
    }

    /// What would be missing of each requirement without one of its providers, and without two.
    fn losses(&self, cover: &Cover) -> Losses {
        let mut losses = Losses::default();
        for id in self.needs.ids() {
            for (loss, lost) in [&mut losses.one, &mut losses.two].into_iter().zip(1..) {
                let left = cover.of(id).saturating_sub(lost);
                match self.target(id).saturating_sub(left) {
                    0 => {}
                    1 => loss.one_missing.insert(id),
                    _ => loss.more_missing.insert(id),
                }
            }
        }
        losses
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

/// Every two, in the order of the first.
fn pairs(list: &[Candidate]) -> impl Iterator<Item = [&Candidate; 2]> {
    let later = |(place, first)| list[place + 1..].iter().map(move |second| [first, second]);
    list.iter().enumerate().flat_map(later)
}

/// Requirements that would lack one provider, or several.
#[derive(Debug, Default)]
struct Loss {
    one_missing: Services,
    more_missing: Services,
}

/// What would be lost with one provider of a requirement, and with two.
#[derive(Debug, Default)]
struct Losses {
    one: Loss,
    two: Loss,
}

impl Losses {
    /// What is missing without these two; `None` when one peer could not make it good.
    fn needed_of_pair(&self, [first, second]: [&Candidate; 2]) -> Option<Services> {
        let two = first.serving.and(second.serving);
        let one = first.serving.union(second.serving).minus(two);
        let missing = |one: Services, two: Services, of: fn(&Loss) -> Services| {
            one.and(of(&self.one)).union(two.and(of(&self.two)))
        };
        let more = missing(one, two, |loss| loss.more_missing);
        more.is_empty()
            .then(|| missing(one, two, |loss| loss.one_missing))
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
