//! Few connections in the steady state (4.6): what no target needs is let go, and two are replaced by one.
//!
//! A connection is *surplus* when every target holds without it and without all others that are surplus (reverse
//! delete). Of these some are kept warm, so that a loss costs no dial; the rest go after a while, because what needs
//! them may come back. Owns the pair that a swap replaces; who is dialed for it is with `relief`.

use core::cell::LazyCell;

use litemap::LiteMap;

use crate::manager::book::peer::Role;
use crate::manager::boundary::event::{ConnId, Priority, RequirementId};
use crate::manager::boundary::reason::Reason;
use crate::manager::connected::connections::Conn;
use crate::manager::dialing::purpose::Purpose;
use crate::manager::machine::modes::Mode;
use crate::manager::pruning::guards::Pressure;
use crate::manager::pruning::relief::Relief;
use crate::manager::tools::changed::Changed;
use crate::manager::tools::deadlines::Wake;
use crate::manager::tools::services::Services;
use crate::manager::tools::slot::Ix;
use crate::manager::tools::sort::sort_short_by_key;
use crate::manager::{Manager, Run};

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Lean {
    pub(in crate::manager) relief: Relief,
    /// The last swap that came about.
    pub(in crate::manager) swapped: Option<Swapped>,
    /// Since when a requirement has more providers than it keeps.
    pub(in crate::manager) over_since: LiteMap<RequirementId, u64>,
    /// It is time to look again.
    pub(in crate::manager) due: Changed,
    /// What the node was at when it was looked at last.
    seen: Option<(Run, Mode)>,
}

impl Lean {
    /// A requirement is gone.
    pub(in crate::manager) fn forget_requirement(&mut self, id: RequirementId) {
        self.over_since.remove(&id);
    }
}

/// Two were replaced by one: they go before others, and that one stays until they are gone or needed again.
#[derive(Debug, Clone, Copy)]
pub(in crate::manager) struct Swapped {
    pub(in crate::manager) pair: [ConnId; 2],
    pub(in crate::manager) by: Ix,
}

/// Providers of each requirement, by its place.
pub(in crate::manager) struct Cover(Vec<u8>);

/// One that may go.
#[derive(Debug, Clone, Copy)]
pub(in crate::manager) struct Candidate {
    id: ConnId,
    serving: Services,
    bootstrap: bool,
    /// Without it some requirement would have its providers in fewer netgroups than it wants (4.3, spread).
    spreads: bool,
    /// Who goes first: bootstrap peers, the replaced pair, then who is cared for least and does least.
    key: (bool, bool, Priority, usize, i16, core::cmp::Reverse<ConnId>),
}

/// Of those who were verified once, how many are looked at for one that could replace two. Who serves most stands first.
const SUCCESSORS: usize = 128;

impl Manager {
    /// Whether anything changed that decisions on connections depend on.
    pub(in crate::manager) fn is_changed(&self) -> bool {
        self.needs.is_dirty()
            || self.connections.is_changed()
            || self.lean.due.is_set()
            || self.pins.changed.is_set()
            || self.locks.changed.is_set()
            || self.limits.changed.is_set()
            || self.bursts.changed.is_set()
            || self.enrollments.changed.is_set()
            || self.candidates.has_grown(self.any_bootstrap())
            || self.lean.seen != Some((self.run, self.mode))
    }

    /// The same since the last call.
    pub(in crate::manager) fn take_changed(&mut self) -> bool {
        let bootstrap = self.any_bootstrap();
        let seen = Some((self.run, self.mode));
        let before = core::mem::replace(&mut self.lean.seen, seen);
        [
            self.needs.take_dirty(),
            self.connections.take_changed(),
            self.lean.due.take(),
            self.pins.changed.take(),
            self.locks.changed.take(),
            self.limits.changed.take(),
            self.bursts.changed.take(),
            self.enrollments.changed.take(),
            self.candidates.take_grown(bootstrap),
            before != seen,
        ]
        .contains(&true)
    }

    /// Whether a bootstrap peer is connected: whoever becomes known may take over from it.
    fn any_bootstrap(&self) -> bool {
        let mut open = self.connections.open();
        open.any(|(_, conn)| {
            let peer = self.table.get(conn.ix);
            peer.is_some_and(|peer| peer.role == Role::Bootstrap)
        })
    }

    /// Lets go what is surplus, and looks for one that could replace two.
    pub(in crate::manager) fn lean_down(&mut self, wake: &mut Wake) {
        let lean = self.config.lean_after_ms > 0 && !self.needs.short();
        let mut cover = self.cover();
        let (surplus, rest) = if lean {
            self.reverse_delete(&mut cover)
        } else {
            (Vec::new(), Vec::new())
        };
        // A replaced one that is needed again undoes the swap: whoever took over is one as any other.
        if rest.iter().any(|candidate| self.is_replaced(candidate.id)) {
            self.lean.swapped = None;
            self.lean.due.mark();
        }
        let spare = usize::from(self.config.spare_connections);
        let leaving = &surplus[..surplus.len().saturating_sub(spare)];
        for id in self.connections.ids() {
            if leaving.contains(&id) {
                self.leave_soon(id, wake);
            } else if let Some(conn) = self.connections.get_mut(id) {
                conn.leaves_at = None;
            }
        }
        if lean && self.lean.relief.is_idle() {
            self.look_for_swap(&cover, &rest, wake);
        }
    }

    fn leave_soon(&mut self, id: ConnId, wake: &mut Wake) {
        let now = self.now.mono_ms;
        let Some(conn) = self.connections.get_mut(id) else {
            return;
        };
        let leaves_at = match conn.leaves_at {
            Some(at) => at,
            None => {
                let wait = self.seed.about(self.config.lean_after_ms);
                *conn.leaves_at.insert(now.saturating_add(wait))
            }
        };
        if now < leaves_at {
            wake.by(leaves_at);
        } else {
            self.retire(id, Pressure::Voluntary, Reason::Surplus, wake);
        }
    }

    /// How many serve each requirement. What bursts made does not count: it leaves before long (S12).
    pub(in crate::manager) fn cover(&self) -> Cover {
        let mut cover = Cover(self.needs.ids().map(|id| self.needs.have(id)).collect());
        for (id, conn) in self.connections.open() {
            if self.bursts.holds(id) {
                cover.without(conn.serving);
            }
        }
        cover
    }

    /// What is surplus, in the order in which it goes, and what remains and could go for something better. `cover` is
    /// then what remains. Bootstrap peers leave by themselves once others do their work: they are neither.
    pub(in crate::manager) fn reverse_delete(
        &self,
        cover: &mut Cover,
    ) -> (Vec<ConnId>, Vec<Candidate>) {
        let mut candidates = self.candidates_to_go();
        sort_short_by_key(&mut candidates, |candidate| candidate.key);
        let (mut surplus, mut rest) = (Vec::new(), Vec::new());
        for candidate in candidates {
            let spared = candidate
                .serving
                .iter()
                .all(|id| cover.of(id) > self.target(id))
                && !candidate.spreads;
            if spared {
                cover.without(candidate.serving);
            }
            match (candidate.bootstrap, spared) {
                (true, _) => {}
                (false, true) => surplus.push(candidate.id),
                (false, false) => rest.push(candidate),
            }
        }
        (surplus, rest)
    }

    /// Connections that serve and that nobody holds.
    fn candidates_to_go(&self) -> Vec<Candidate> {
        let open = self.connections.open();
        open.filter_map(|(id, conn)| {
            let (_, peer) = self.tidied(id)?;
            let free = !conn.serving.is_empty() && !self.locked(id) && !self.replaces(conn);
            let bootstrap = peer.role == Role::Bootstrap;
            let key = (
                !bootstrap,
                !self.is_replaced(id),
                peer.priority,
                self.wanted_of(conn).len(),
                peer.score(self.now.mono_ms),
                core::cmp::Reverse(id),
            );
            free.then_some(Candidate {
                id,
                serving: conn.serving,
                bootstrap,
                spreads: self.last_of_its_group(id, conn),
                key,
            })
        })
        .collect()
    }

    fn is_replaced(&self, id: ConnId) -> bool {
        let swapped = self.lean.swapped;
        swapped.is_some_and(|swapped| swapped.pair.contains(&id))
    }

    /// Whether it took over from two of whom one is still there: without it they would be needed again, and nothing
    /// would be won.
    fn replaces(&self, conn: &Conn) -> bool {
        self.lean.swapped.is_some_and(|swapped| {
            let mut pair = swapped.pair.iter();
            let there = |id: &ConnId| self.connections.get(*id).is_some_and(Conn::is_open);
            swapped.by == conn.ix && pair.any(there)
        })
    }

    /// What a connection serves that anybody wants.
    fn wanted_of(&self, conn: &Conn) -> Services {
        let wanted = conn.serving.iter().filter(|id| self.target(*id) > 0);
        wanted.collect()
    }

    fn target(&self, id: RequirementId) -> u8 {
        self.needs.need(id).map_or(0, |need| need.target)
    }

    /// One verified peer that could do what two do, and not worse: it is dialed first, and the two go when it serves.
    fn look_for_swap(&mut self, cover: &Cover, rest: &[Candidate], wake: &mut Wake) {
        if rest.len() < 2 {
            return;
        }
        // Asked about the few who could do it, and mostly nobody can.
        let census = LazyCell::new(|| self.census());
        let admitted = |ix: Ix| {
            let admitted = self.admits(ix, Purpose::Relief, &census);
            admitted.is_some_and(|admitted| !admitted.relaxed)
        };
        let proven: Vec<(Ix, Services)> = self.candidates.proven().take(SUCCESSORS).collect();
        let swap = rest.iter().enumerate().find_map(|(place, first)| {
            rest[place + 1..].iter().find_map(|second| {
                let needed = self.needed_of_pair(cover, first, second)?;
                let able = proven.iter().find(|(ix, services)| {
                    needed.minus(*services).is_empty()
                        && self.not_worse(*ix, needed, [first, second])
                        && admitted(*ix)
                });
                able.map(|(ix, _)| (*ix, [first.id, second.id], needed))
            })
        });
        let Some((ix, pair, needed)) = swap else {
            return;
        };
        let at = self.lean.relief.next_at();
        if self.now.mono_ms < at {
            wake.by(at);
        } else {
            self.lean.relief.swap(ix, pair, needed);
        }
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
        let cared = |conn: &Conn| self.table.get(conn.ix).map(|peer| peer.priority);
        pair.iter().all(|candidate| {
            let Some(conn) = self.connections.get(candidate.id) else {
                return false;
            };
            let other = self.table.get(conn.ix);
            let served = needed.and(candidate.serving);
            let as_good = |id: RequirementId| {
                let before = other.map_or(0, |other| other.quality(id, self.now.mono_ms));
                peer.quality(id, self.now.mono_ms).min(0) >= before.min(0)
            };
            cared(conn).is_some_and(|priority| peer.priority >= priority)
                && served.iter().all(as_good)
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
