//! Who goes without being pressed, why, and when (4.6, 4.11, 4.17).
//!
//! Every connection has at most one reason to go, the first of these that applies:
//!
//! | case | applies to | goes |
//! |---|---|---|
//! | over a cap | of a transport with more connections than its cap: who is missed least | at once |
//! | failed | it failed, or never was verified, and all that it could serve is met without it | at once |
//! | handed off | a bootstrap peer whose work others do | after half a minute, and a time of its own |
//! | useless | it serves nothing | half a minute after nothing is missing |
//! | old | it serves, and its lifetime is over | at once |
//! | above `max` | surplus, and more serve what it does than are ever wanted | after a few seconds |
//! | surplus | no target needs it; some are kept warm | after about two minutes |
//!
//! Its moment is kept as long as it has the same case, and a guard may hold it even then (`guards`). Nothing here takes
//! a requirement below its target (S5), but for a cap that the user set. Where a connection could go if somebody else
//! did its work, a relief is wished for (`relief`). Rounds of regulation, for what is too much, are in `rounds`.
//!
//! Owns these cases with their moments, and the reliefs.

use litemap::LiteMap;

use crate::manager::book::peer::{Link, Peer, Role};
use crate::manager::boundary::event::ConnId;
use crate::manager::boundary::reason::{Guard, Reason};
use crate::manager::boundary::view::What;
use crate::manager::connected::connections::{Conn, Network};
use crate::manager::machine::modes::Mode;
use crate::manager::pruning::changes::Basis;
use crate::manager::pruning::guards::Pressure;
use crate::manager::pruning::relief::{For, Reliefs, Wish};
use crate::manager::pruning::surplus::Sorted;
use crate::manager::tools::changed::Changed;
use crate::manager::tools::deadlines::{Timer, Wake};
use crate::manager::tools::seed::Domain;
use crate::manager::tools::services::Services;
use crate::manager::{Manager, Run};

/// Closing something can make something else superfluous only a few times over: there are few connections.
const ROUNDS: usize = 24;

/// Why a connection is to go. See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    OverCap,
    Failed,
    HandedOff,
    Useless,
    Old,
    AboveMax,
    Surplus,
}

impl Case {
    fn reason(self) -> Reason {
        match self {
            Self::OverCap => Reason::TransportLimit,
            Self::Failed => Reason::FailedService,
            Self::HandedOff => Reason::HandedOff,
            Self::Useless | Self::AboveMax => Reason::NotNeeded,
            Self::Old => Reason::LifetimeOver,
            Self::Surplus => Reason::Surplus,
        }
    }

    fn pressure(self) -> Pressure {
        match self {
            Self::OverCap => Pressure::BreakTargets,
            Self::Failed | Self::HandedOff | Self::Useless => Pressure::Spent,
            Self::Old | Self::AboveMax | Self::Surplus => Pressure::Voluntary,
        }
    }

    /// Whether it goes for thrift alone: not when everything would then depend on one peer.
    fn is_thrift(self) -> bool {
        matches!(self, Self::AboveMax | Self::Surplus)
    }
}

/// When a connection goes.
#[derive(Debug, Clone, Copy)]
struct Release {
    case: Case,
    at: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Releases {
    list: LiteMap<ConnId, Release>,
    pub(in crate::manager::pruning) reliefs: Reliefs,
    /// Bootstrap peers of which the user was told that nobody could take over from them.
    retained: LiteMap<ConnId, ()>,
    /// It is time to look again.
    due: Changed,
    /// What was there when it was looked at last.
    seen: Option<Basis>,
}

impl Releases {
    /// It is time to look again.
    pub(in crate::manager) fn look_again(&mut self) {
        self.due.mark();
    }

    /// How often it was time to look again.
    pub(in crate::manager::pruning) fn times_due(&self) -> u64 {
        self.due.count()
    }

    /// Whether nothing changed since it was looked at last.
    pub(in crate::manager::pruning) fn saw(&self, basis: Basis) -> bool {
        self.seen == Some(basis)
    }

    /// It is looked at now.
    pub(in crate::manager::pruning) fn see(&mut self, basis: Basis) {
        self.seen = Some(basis);
    }

    /// The node stops: nobody has a reason to go, and nobody is to be relieved.
    pub(in crate::manager) fn clear(&mut self) {
        self.list = LiteMap::new();
        self.retained = LiteMap::new();
        self.reliefs.clear();
    }
}

impl Manager {
    /// Lets go whoever is due, whenever something changed.
    pub(in crate::manager) fn tidy(&mut self) {
        if !self.take_changed() {
            return;
        }
        let mut wake = Wake::default();
        if self.run == Run::Running {
            if self.mode != Mode::Normal {
                self.keep_one();
            }
            for _ in 0..ROUNDS {
                wake = Wake::default();
                self.release_due(&mut wake);
                if !self.take_changed() {
                    break;
                }
            }
        }
        self.deadlines.put(Timer::Tidy, wake.0);
        self.rearm_pings();
    }

    fn release_due(&mut self, wake: &mut Wake) {
        let mut cases: Vec<(ConnId, Case)> = self.over_caps();
        let mut wishes: Vec<Wish> = Vec::new();
        // Paused, or for an initial sync, connections stay but for what the user limits.
        if self.mode == Mode::Normal {
            let sorted = self.sort_out();
            self.end_swaps(&sorted.needed(), wake);
            self.judge_each(&mut cases, &mut wishes, wake);
            self.thrift(&sorted, &mut cases, &mut wishes);
        }
        self.releases.reliefs.want(&wishes, self.now.mono_ms, wake);
        self.set_moments(&cases);
        for (id, release) in self.releases.list.clone() {
            if self.now.mono_ms < release.at {
                wake.by(release.at);
            } else {
                self.retire(id, release.case, wake);
            }
        }
    }

    /// The first case of each connection, with the moment that it had, or a new one.
    fn set_moments(&mut self, cases: &[(ConnId, Case)]) {
        let before = core::mem::take(&mut self.releases.list);
        for (id, case) in cases {
            if self.releases.list.contains_key(id) {
                continue;
            }
            let old = before.get(id).filter(|release| release.case == *case);
            let at = old.map_or_else(|| self.moment(*id, *case), |release| release.at);
            self.releases.list.insert(*id, Release { case: *case, at });
        }
    }

    /// When a connection goes to which a case applies from now on. Clients that started together let go apart.
    fn moment(&self, id: ConnId, case: Case) -> u64 {
        let config = &self.config;
        let draw = self.seed.draw(Domain::Release, id.0, 0);
        let wait = match case {
            Case::OverCap | Case::Failed | Case::Old => 0,
            Case::HandedOff => {
                let (min, max) = (config.hand_off_min_ms, config.hand_off_max_ms);
                config
                    .hand_off_after_ms
                    .saturating_add(draw.between(min, max))
            }
            Case::Useless => config.useless_grace_ms,
            Case::AboveMax => config.surplus_grace_ms,
            Case::Surplus => draw.about(config.lean_after_ms),
        };
        self.now.mono_ms.saturating_add(wait)
    }

    /// Lets a connection go if nothing forbids it, or looks again when it is no longer new. The end of every other
    /// guard is an input.
    fn retire(&mut self, id: ConnId, case: Case, wake: &mut Wake) {
        match self.guard(id, case.pressure()) {
            None if case.is_thrift() && self.spreads(id) => {}
            None if case == Case::OverCap => self.close(id, case.reason()),
            None => self.release(id, case.reason()),
            Some(Guard::Grace) => {
                if let Some(conn) = self.connections.get(id) {
                    wake.by(self.grace_ends(conn));
                }
            }
            Some(_) => {}
        }
    }

    /// A connection that may be judged: open, the peer's own, not held by the user, by a protocol or by a burst, and no
    /// longer being verified.
    pub(in crate::manager::pruning) fn judged(&self, id: ConnId) -> Option<(&Conn, &Peer)> {
        let conn = self.connections.get(id)?;
        let peer = self.table.get(conn.ix)?;
        let judged = conn.is_open()
            && !conn.verifying()
            && !peer.held()
            && peer.link() == Link::Connected(id);
        let judged = judged && !self.locked(id) && !self.bursts.holds(id);
        judged.then_some((conn, peer))
    }

    /// Connections beyond the caps that the user set for their transports, who is missed least first. That somebody is
    /// new or the last of a network keeps none of them, nor does a target; what the user or a protocol holds, and what
    /// a minimum needs, stays until that ends.
    fn over_caps(&self) -> Vec<(ConnId, Case)> {
        let mut cases = Vec::new();
        for (transport, max) in self.limits.transports() {
            let of_transport = |id| {
                let conn = self.connections.get(id);
                conn.is_some_and(|conn| conn.transport == transport)
            };
            let open = self.connections.open().filter(|(id, _)| of_transport(*id));
            let over = open.count().saturating_sub(max);
            let by_use = self.by_use(Case::OverCap.pressure(), &|id| {
                of_transport(id) && !self.locked(id)
            });
            let over = by_use.into_iter().take(over);
            cases.extend(over.map(|id| (id, Case::OverCap)));
        }
        cases
    }

    /// What each connection does by itself.
    fn judge_each(
        &mut self,
        cases: &mut Vec<(ConnId, Case)>,
        wishes: &mut Vec<Wish>,
        wake: &mut Wake,
    ) {
        let mut retained = LiteMap::new();
        for id in self.connections.ids() {
            let Some((conn, peer)) = self.judged(id) else {
                continue;
            };
            let serves = !conn.serving.is_empty();
            let case = if !serves && self.failed_and_replaced(conn, peer) {
                Some(Case::Failed)
            } else if peer.role() == Role::Bootstrap {
                self.hand_off(id, conn, &mut retained, wishes)
            } else if serves {
                self.old(id, conn, wishes, wake)
            } else {
                self.is_useless(conn, peer).then_some(Case::Useless)
            };
            cases.extend(case.map(|case| (id, case)));
        }
        for id in retained.keys() {
            if !self.releases.retained.contains_key(id)
                && let Some(peer) = self.connections.get(*id).map(|conn| conn.peer)
            {
                self.ring.push(self.now, What::BootstrapRetained { peer });
            }
        }
        self.releases.retained = retained;
    }

    /// It failed at something, or never was verified, and everything that it could have served is met without it.
    fn failed_and_replaced(&self, conn: &Conn, peer: &Peer) -> bool {
        let could = conn.offers.unwrap_or_else(|| peer.possible(self.all()));
        let failed = if conn.verified() {
            could.and(peer.resting())
        } else {
            could
        };
        !failed.is_empty() && failed.iter().all(|id| self.needs.met(id))
    }

    /// Whether a connection that serves nothing is of no use. It is while it can still name other peers, or serve again
    /// what nobody else does; and, as long as there is room, when it only serves other shards (metadata.md, 5.6).
    fn is_useless(&self, conn: &Conn, peer: &Peer) -> bool {
        let could = conn.offers.unwrap_or_else(|| peer.possible(self.all()));
        let awaited = could.iter().any(|id| !self.needs.met(id));
        let names = conn.exchanges && self.needs.short();
        !(awaited || names || conn.network == Network::OtherShards)
    }

    /// A bootstrap connection goes once others do its work, or once somebody else was dialed to do it (4.11). The only
    /// provider of something stays, and that is told once.
    fn hand_off(
        &self,
        id: ConnId,
        conn: &Conn,
        retained: &mut LiteMap<ConnId, ()>,
        wishes: &mut Vec<Wish>,
    ) -> Option<Case> {
        let serving = conn.serving;
        let missed = self.needs.ids().filter(|id| {
            if serving.contains(*id) {
                !self.needs.met_without_one(*id)
            } else {
                !self.needs.met(*id)
            }
        });
        let missed: Services = missed.collect();
        if missed.is_empty() {
            return Some(Case::HandedOff);
        }
        let needed = serving.and(missed);
        if self.needs.short() || needed.is_empty() || self.releases.reliefs.is_under_way(id) {
            return None;
        }
        if missed.iter().all(|id| self.candidates.any(id)) {
            wishes.push(Wish {
                what: For::HandOff(id),
                whom: None,
                needed,
                after_ms: self.config.hand_off_after_ms,
            });
        } else {
            retained.insert(id, ());
        }
        None
    }

    /// With a lifetime, a connection that is older goes as soon as every target holds without it; somebody is dialed to
    /// take over if need be. Without anybody to take over it stays.
    fn old(
        &self,
        id: ConnId,
        conn: &Conn,
        wishes: &mut Vec<Wish>,
        wake: &mut Wake,
    ) -> Option<Case> {
        let ends_at = self.lifetime_ends(id, conn)?;
        if self.now.mono_ms < ends_at {
            wake.by(ends_at);
            return None;
        }
        let needed = matches!(
            self.guard(id, Pressure::Voluntary),
            Some(Guard::Target | Guard::Minimum)
        );
        if !needed {
            return Some(Case::Old);
        }
        // One at a time, the oldest first: ids are given in the order of time.
        let rotates = |wish: &Wish| matches!(wish.what, For::Rotation(_));
        let free = !self.releases.reliefs.is_busy() && !wishes.iter().any(rotates);
        if free && !self.needs.short() {
            let missed = conn.serving.iter();
            wishes.push(Wish {
                what: For::Rotation(id),
                whom: None,
                needed: missed
                    .filter(|id| !self.needs.met_without_one(*id))
                    .collect(),
                after_ms: 0,
            });
        }
        None
    }

    /// Up to a fifth sooner or later than the lifetime, by the seed: connections that opened together do not all go
    /// together.
    fn lifetime_ends(&self, id: ConnId, conn: &Conn) -> Option<u64> {
        let lifetime_ms = self.limits.lifetime_ms()?;
        let mark = self.seed.mark(Domain::Lifetime, &id.0.to_le_bytes());
        let span = u128::from(lifetime_ms) * 2 / 5 + 1;
        let offset = ((u128::from(mark) * span) >> 64) as u64;
        let sooner = lifetime_ms - lifetime_ms / 5;
        Some(conn.opened_at.saturating_add(sooner).saturating_add(offset))
    }

    /// What no target needs goes, the last of it is kept warm, and fewer may do what is needed.
    fn thrift(&mut self, sorted: &Sorted, cases: &mut Vec<(ConnId, Case)>, wishes: &mut Vec<Wish>) {
        self.above_max(sorted, cases);
        if self.needs.short() {
            return;
        }
        wishes.extend(self.wish_for_alternative());
        if self.config.lean_after_ms == 0 {
            return;
        }
        let surplus = &sorted.surplus;
        let spare = usize::from(self.config.spare_connections);
        let leaving = &surplus[..surplus.len().saturating_sub(spare)];
        let leaving = leaving.iter().filter(|id| !self.spreads(**id));
        cases.extend(leaving.map(|id| (*id, Case::Surplus)));
        if !self.releases.reliefs.is_busy() {
            wishes.extend(self.wish_for_swap(sorted));
        }
    }

    /// Of the providers above `max` those that are surplus anyway. Bootstrap peers and what bursts made neither count
    /// nor go here: they are on their way out, and their successors must not go in their stead.
    fn above_max(&self, sorted: &Sorted, cases: &mut Vec<(ConnId, Case)>) {
        for requirement in self.needs.ids() {
            let Some(need) = self.needs.need(requirement) else {
                continue;
            };
            let providers = self.needs.providers(requirement);
            if providers.len() <= usize::from(need.max) {
                continue;
            }
            let staying = providers
                .iter()
                .filter(|provider| !self.is_passing(provider.conn));
            let over = staying.count().saturating_sub(usize::from(need.max));
            let going = sorted.surplus.iter().filter(|id| {
                let conn = self.connections.get(**id);
                let serves = conn.is_some_and(|conn| conn.serving.contains(requirement));
                let guard = self.guard(**id, Pressure::Voluntary);
                serves && matches!(guard, None | Some(Guard::Grace)) && !self.spreads(**id)
            });
            cases.extend(going.take(over).map(|id| (*id, Case::AboveMax)));
        }
    }

    /// Whether a connection goes by itself before long: that of a bootstrap peer, or one that a burst made (S12).
    fn is_passing(&self, id: ConnId) -> bool {
        let peer = self.connections.get(id).map(|conn| conn.ix);
        let peer = peer.and_then(|ix| self.table.get(ix));
        self.bursts.holds(id) || peer.is_some_and(|peer| peer.role() == Role::Bootstrap)
    }
}
