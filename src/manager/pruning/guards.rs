//! May this connection be closed for others? (4.13, guards) The one place that answers.
//!
//! Whoever wants to close a connection that did nothing wrong asks here first: rounds of regulation, lean-down, swaps,
//! lifetimes, hand-offs, and what tidies up. Ends that are not for others do not ask: bans, hang-ups, stops,
//! duplicates, and connections that died.

use crate::manager::Manager;
use crate::manager::boundary::event::ConnId;
use crate::manager::boundary::reason::Guard;
use crate::manager::connected::connections::Conn;
use crate::manager::tools::services::Services;

/// How much pressure there is: what may be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Pressure {
    /// Its own work is over: it failed, serves nothing, or was handed off. Neither youth nor variety excuses it.
    Spent,
    /// Every target holds without it (lean-down, lifetime, phases 2, 3 and 5).
    Voluntary,
    /// As before, but for the targets of these requirements: they belong to the protocol that has too much (phase 4).
    Arbitration(Services),
    /// Every target holds without it, but its locks may be revoked, and it may be young (phase 6, first half).
    BreakLocks,
    /// Targets may break, minima not (phase 6, second half).
    BreakTargets,
    /// Minima may break, and what the user holds (phase 7).
    BreakMinima,
}

impl Pressure {
    /// Whether locks may be revoked for it. Whoever closes then revokes them first, and comes back after their grace.
    fn breaks_locks(self) -> bool {
        match self {
            Self::Spent | Self::Voluntary | Self::Arbitration(_) => false,
            Self::BreakLocks | Self::BreakTargets | Self::BreakMinima => true,
        }
    }

    /// Whether a connection that gave no sign of life is left alone until it was asked again: what it serves then
    /// nobody knows yet.
    fn spares_the_asked(self) -> bool {
        matches!(self, Self::Spent | Self::Voluntary | Self::Arbitration(_))
    }

    /// Whether new connections are left alone, and the last of their networks.
    fn spares_the_new(self) -> bool {
        matches!(self, Self::Voluntary | Self::Arbitration(_))
    }

    /// The requirements among these whose targets must hold.
    fn holds_targets(self, serving: Services) -> Services {
        match self {
            Self::Spent | Self::Voluntary | Self::BreakLocks => serving,
            Self::Arbitration(offender) => serving.minus(offender),
            Self::BreakTargets | Self::BreakMinima => Services::NONE,
        }
    }
}

impl Manager {
    /// The first rule that forbids it.
    pub(in crate::manager) fn guard(&self, conn: ConnId, pressure: Pressure) -> Option<Guard> {
        let open = self.connections.get(conn)?;
        let peer = self.table.get(open.ix)?;
        let last_resort = pressure == Pressure::BreakMinima;
        if peer.pinned() && !last_resort {
            return Some(Guard::Pinned);
        }
        if peer.protected() && !last_resort {
            return Some(Guard::Protected);
        }
        if !pressure.breaks_locks() && self.locked(conn) {
            return Some(Guard::Locked);
        }
        if self.mode.keeps(conn) {
            return Some(Guard::Sync);
        }
        if pressure.spares_the_asked() && open.ping_failures > 0 {
            return Some(Guard::Asked);
        }
        if !last_resort && open.serving.iter().any(|id| self.at_minimum(id)) {
            return Some(Guard::Minimum);
        }
        let held = pressure.holds_targets(open.serving);
        let holds = |id| self.needs.met_without_one_of(id, self.staying(id));
        if !held.iter().all(holds) {
            return Some(Guard::Target);
        }
        if pressure.spares_the_new() {
            if self.in_grace(conn, open) {
                return Some(Guard::Grace);
            }
            if self.last_of_its_group(conn, open) {
                return Some(Guard::LastGroup);
            }
        }
        None
    }

    /// Whether a requirement would fall below its minimum without one of its providers. What a protocol that enrolled
    /// wants beyond its share is no minimum: or else who asks for more than there is would keep it (A6). What it locks
    /// and is not served by is paid from that share.
    fn at_minimum(&self, id: crate::manager::RequirementId) -> bool {
        let mut protocols = self.enrollments.iter();
        let guest = protocols
            .find(|protocol| protocol.requirement() == Some(id))
            .filter(|protocol| protocol.enrollment().is_some());
        let funded = guest.map_or(u16::MAX, |protocol| {
            let idle = self.connections.open().filter(|(conn, open)| {
                let lock = |of| self.locks.held_by(of, *conn);
                !open.serving.contains(id) && protocol.enrollment().is_some_and(lock)
            });
            let idle = u16::try_from(idle.count()).unwrap_or(u16::MAX);
            protocol.grant().high.saturating_sub(idle)
        });
        self.needs
            .need(id)
            .is_some_and(|need| self.staying(id) <= usize::from(u16::from(need.min).min(funded)))
    }

    /// Providers that are to stay: each of several that go when their grace is over could go alone.
    fn staying(&self, id: crate::manager::RequirementId) -> usize {
        let providers = self.needs.providers(id).iter();
        let staying = providers.filter(|provider| !self.leaving.awaits(provider.conn));
        staying.count()
    }

    /// When a connection has had its time to show what it is worth.
    pub(in crate::manager) fn grace_ends(&self, open: &Conn) -> u64 {
        let by_age = open.opened_at.saturating_add(self.config.grace_connect_ms);
        let known = open.identified_at;
        known.map_or(by_age, |at| {
            by_age.min(at.saturating_add(self.config.grace_identify_ms))
        })
    }

    fn is_new(&self, open: &Conn) -> bool {
        self.now.mono_ms < self.grace_ends(open)
    }

    /// It is new. Only so many connections may say so at once, and the oldest lose it first: otherwise good ones would
    /// be closed for ever newer ones.
    fn in_grace(&self, conn: ConnId, open: &Conn) -> bool {
        let limit = (self.limits.soft() / 4).max(2);
        let younger = self.connections.open().filter(|(id, other)| {
            (other.opened_at, *id) > (open.opened_at, conn) && self.is_new(other)
        });
        self.is_new(open) && younger.count() < limit
    }

    /// Without it, some requirement that wants several providers would have them all in one network, and with it has
    /// not; or too many of those that are left would be of one netgroup to count (4.3, spread). Where one provider is
    /// enough, there is no variety to lose.
    pub(in crate::manager) fn last_of_its_group(&self, conn: ConnId, open: &Conn) -> bool {
        open.serving.iter().any(|id| {
            let target = self
                .needs
                .need(id)
                .map_or(0, |need| usize::from(need.target));
            if target < 2 {
                return false;
            }
            let mut others = self
                .needs
                .providers(id)
                .iter()
                .filter(|provider| provider.conn != conn)
                .map(|provider| provider.group);
            let first = others.next();
            let alone = first
                .is_some_and(|first| first != open.group && others.all(|other| other == first));
            if alone {
                return true;
            }
            let left = self.covered(id, Some(conn));
            let wanted = target.min(usize::from(self.needs.have(id)).saturating_sub(1));
            left < wanted && left < self.covered(id, None)
        })
    }

    /// Whether every requirement would have its providers in as many netgroups as it wants, or as it has, when others come
    /// for these, of these netgroups, who serve so much. Or else one of these would be kept, and nothing won.
    pub(in crate::manager::pruning) fn keeps_spread(
        &self,
        gone: &[ConnId],
        come: &[(u64, Services)],
    ) -> bool {
        self.needs.ids().all(|id| {
            let staying = self.needs.providers(id).iter();
            let staying = staying.filter(|provider| !gone.contains(&provider.conn));
            let groups = staying.map(|provider| provider.group);
            let come = come.iter().filter(|(_, serves)| serves.contains(id));
            let groups = groups.chain(come.map(|(group, _)| *group));
            let target = self
                .needs
                .need(id)
                .map_or(0, |need| usize::from(need.target));
            self.covered_by(id, groups) >= self.covered(id, None).min(target)
        })
    }
}
