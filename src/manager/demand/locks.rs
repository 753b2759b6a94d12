//! Connections that a protocol wants left alone for a while (4.9).
//!
//! Owns every lock. Each is separate, so that nobody gives back what another holds, and a connection may have several.
//! At most three quarters of the soft target are locked, and for each protocol no more than its share allows. A lock
//! ends exactly once (S6): when its time is over, when it is given back, with its connection, or when it is revoked;
//! after a revocation the connection is still left alone for a grace, so that its holder can move its work.

use libp2p_identity::PeerId;
use litemap::LiteMap;

use crate::manager::Manager;
use crate::manager::book::peer::Link;
use crate::manager::boundary::command::{Command, LockAnswer};
use crate::manager::boundary::event::{ConnId, EnrollmentId, LockId};
use crate::manager::boundary::reason::{LockDenial, Reason, Revocation};
use crate::manager::boundary::view::What;
use crate::manager::tools::changed::Changed;
use crate::manager::tools::deadlines::Timer;

/// Locks that there may be at once (4.2).
const MAX_LOCKS: usize = 256;
/// Of these, by one protocol: none can take them all from the others (A6).
const MAX_LOCKS_OF_ONE: usize = 64;
/// How often a lock may be renewed (4.9).
const MAX_RENEWALS: u8 = 3;

/// Where a lock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// It holds.
    Held {
        /// Monotonic milliseconds.
        until: u64,
    },
    /// It was revoked: its connection is left alone until then.
    Revoked {
        /// Monotonic milliseconds.
        until: u64,
    },
}

#[derive(Debug, Clone, Copy)]
struct Lock {
    enrollment: EnrollmentId,
    conn: ConnId,
    hold: Hold,
    renewals: u8,
    /// The later granted, the greater.
    order: u64,
}

impl Lock {
    fn holds(&self) -> bool {
        matches!(self.hold, Hold::Held { .. })
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Locks {
    list: LiteMap<LockId, Lock>,
    granted: u64,
    changed: Changed,
}

impl Locks {
    /// How often one began or ended.
    pub(in crate::manager) fn revision(&self) -> u64 {
        self.changed.count()
    }

    /// Locks that hold.
    pub(in crate::manager) fn len(&self) -> usize {
        self.list.values().filter(|lock| lock.holds()).count()
    }

    fn on(&self, conn: ConnId) -> impl Iterator<Item = (LockId, &Lock)> {
        let all = self.list.iter().map(|(id, lock)| (*id, lock));
        all.filter(move |(_, lock)| lock.conn == conn)
    }

    /// Whether a protocol holds a connection.
    pub(in crate::manager) fn held_by(&self, enrollment: EnrollmentId, conn: ConnId) -> bool {
        self.on(conn).any(|(_, lock)| lock.enrollment == enrollment)
    }

    /// Connections on which locks hold, of one protocol or of all; the last locked first.
    fn connections(&self, of: Option<EnrollmentId>) -> Vec<ConnId> {
        let mut first: LiteMap<ConnId, u64> = LiteMap::new();
        for lock in self.list.values() {
            if lock.holds() && of.is_none_or(|of| of == lock.enrollment) {
                let order = first
                    .get(&lock.conn)
                    .map_or(lock.order, |o| lock.order.min(*o));
                first.insert(lock.conn, order);
            }
        }
        let mut list: Vec<(ConnId, u64)> = first.into_tuple_vec();
        crate::manager::tools::sort::sort_short_by_key(&mut list, |entry| {
            core::cmp::Reverse(entry.1)
        });
        list.into_iter().map(|(conn, _)| conn).collect()
    }
}

impl Manager {
    pub(in crate::manager) fn on_lock(
        &mut self,
        lock: LockId,
        enrollment: EnrollmentId,
        peer: &PeerId,
        ttl_ms: u64,
    ) {
        if self.locks.list.contains_key(&lock) {
            return;
        }
        match self.lockable(enrollment, peer, ttl_ms) {
            Ok(conn) => {
                let until = self.now.mono_ms.saturating_add(ttl_ms);
                self.locks.granted += 1;
                let order = self.locks.granted;
                let granted = Lock {
                    enrollment,
                    conn,
                    hold: Hold::Held { until },
                    renewals: 0,
                    order,
                };
                self.locks.list.insert(lock, granted);
                self.deadlines.set(Timer::Lock(lock), until);
                let peer = *peer;
                self.ring.push(self.now, What::Locked { lock, peer });
                self.answer_lock(lock, LockAnswer::Granted { ttl_ms });
                self.locks.changed.mark();
            }
            Err(denial) => self.answer_lock(lock, LockAnswer::Denied(denial)),
        }
    }

    /// The connection that may be locked, or the first rule that forbids it.
    fn lockable(
        &self,
        enrollment: EnrollmentId,
        peer: &PeerId,
        ttl_ms: u64,
    ) -> Result<ConnId, LockDenial> {
        let protocol = self.enrollments.enrolled(enrollment);
        let protocol = protocol.ok_or(LockDenial::NotEnrolled)?;
        if ttl_ms > self.config.lock_max_ms {
            return Err(LockDenial::TtlTooLong);
        }
        let record = self.table.find(peer).and_then(|ix| self.table.get(ix));
        let Some(Link::Connected(conn)) = record.map(|record| record.link()) else {
            return Err(LockDenial::NotConnected);
        };
        let open = self
            .connections
            .get(conn)
            .is_some_and(|open| open.is_open());
        if !open || self.locks.on(conn).any(|(_, lock)| !lock.holds()) {
            return Err(LockDenial::Draining);
        }
        let list = &self.locks.list;
        let own = list.values().filter(|lock| lock.enrollment == enrollment);
        if list.len() >= MAX_LOCKS || own.count() >= MAX_LOCKS_OF_ONE {
            return Err(LockDenial::LockBudget);
        }
        let of_own = self.locks.connections(Some(enrollment));
        if !of_own.contains(&conn) && of_own.len() >= usize::from(protocol.grant().high) {
            return Err(LockDenial::QuotaExceeded);
        }
        let locked = self.locks.connections(None);
        if !locked.contains(&conn) && locked.len() >= self.lock_budget() {
            return Err(LockDenial::LockBudget);
        }
        Ok(conn)
    }

    pub(in crate::manager) fn on_extend_lock(&mut self, lock: LockId, ttl_ms: u64) {
        let answer = match self.extend_lock(lock, ttl_ms) {
            Ok(()) => LockAnswer::Granted { ttl_ms },
            Err(denial) => LockAnswer::Denied(denial),
        };
        self.answer_lock(lock, answer);
    }

    /// The budgets need no second look: who no longer fits them is revoked at once.
    fn extend_lock(&mut self, lock: LockId, ttl_ms: u64) -> Result<(), LockDenial> {
        let now = self.now.mono_ms;
        let Some(held) = self.locks.list.get_mut(&lock) else {
            return Err(LockDenial::NotEnrolled);
        };
        if !held.holds() {
            return Err(LockDenial::Draining);
        }
        if ttl_ms > self.config.lock_max_ms {
            return Err(LockDenial::TtlTooLong);
        }
        if held.renewals >= MAX_RENEWALS {
            return Err(LockDenial::RenewedTooOften);
        }
        held.renewals += 1;
        let until = now.saturating_add(ttl_ms);
        held.hold = Hold::Held { until };
        self.deadlines.set(Timer::Lock(lock), until);
        Ok(())
    }

    pub(in crate::manager) fn on_unlock(&mut self, lock: LockId) {
        self.deadlines.clear(Timer::Lock(lock));
        self.lock_over(lock);
    }

    /// A lock was given back, its time is over, or the grace after its revocation is.
    pub(in crate::manager) fn lock_over(&mut self, lock: LockId) {
        let Some(gone) = self.locks.list.remove(&lock) else {
            return;
        };
        if gone.holds() {
            self.answer_lock(lock, LockAnswer::Ended);
        }
        self.locks.changed.mark();
    }

    /// Whether a lock holds a connection, or the grace after one.
    pub(in crate::manager) fn locked(&self, conn: ConnId) -> bool {
        self.locks.on(conn).next().is_some()
    }

    /// Ends every lock on a connection before its time, with the grace that the reason allows. Returns when the
    /// connection may be closed, in monotonic milliseconds: whoever wants that comes back then, as every input and the
    /// end of the grace make it.
    pub(in crate::manager) fn revoke_locks(&mut self, conn: ConnId, why: Revocation) -> u64 {
        let ids: Vec<LockId> = self.locks.on(conn).map(|(id, _)| id).collect();
        let ends = ids.into_iter().map(|id| self.revoke(id, why)).max();
        ends.unwrap_or(self.now.mono_ms)
    }

    /// Ends the locks on a connection that is gone, or that is closed whatever holds it.
    pub(in crate::manager) fn end_locks(&mut self, conn: ConnId, reason: Option<Reason>) {
        let why = match reason {
            Some(Reason::BannedByUser | Reason::BannedForFaults | Reason::BadBehaviour) => {
                Revocation::Ban
            }
            Some(Reason::Stopped) => Revocation::Stop,
            _ => Revocation::ConnectionLost,
        };
        self.revoke_locks(conn, why);
    }

    /// Ends every lock of a protocol that leaves.
    pub(in crate::manager) fn withdraw_locks(&mut self, enrollment: EnrollmentId) {
        let all = self.locks.list.iter();
        let own = all.filter(|(_, lock)| lock.enrollment == enrollment);
        let ids: Vec<LockId> = own.map(|(id, _)| *id).collect();
        for id in ids {
            self.revoke(id, Revocation::Withdrawn);
        }
    }

    /// The limits, or what protocols are granted, may have shrunk: what was locked last goes first.
    pub(in crate::manager) fn keep_lock_budgets(&mut self) {
        let budgets: Vec<(Option<EnrollmentId>, usize)> = self
            .enrollments
            .iter()
            .filter_map(|protocol| {
                let id = protocol.enrollment()?;
                Some((Some(id), usize::from(protocol.grant().high)))
            })
            .chain([(None, self.lock_budget())])
            .collect();
        for (of, budget) in budgets {
            let locked = self.locks.connections(of);
            for conn in locked.iter().take(locked.len().saturating_sub(budget)) {
                let on = self.locks.on(*conn);
                let affected = on.filter(|(_, lock)| of.is_none_or(|of| of == lock.enrollment));
                let ids: Vec<LockId> = affected.map(|(id, _)| id).collect();
                for id in ids {
                    self.revoke(id, Revocation::QuotaBreach);
                }
            }
        }
    }

    /// How many connections may be locked.
    fn lock_budget(&self) -> usize {
        self.limits.soft() * 3 / 4
    }

    /// Revokes one lock, if that was not done before. Returns when its grace is over.
    fn revoke(&mut self, id: LockId, why: Revocation) -> u64 {
        let now = self.now.mono_ms;
        let grace = match why {
            Revocation::Ban
            | Revocation::Stop
            | Revocation::ConnectionLost
            | Revocation::Withdrawn => 0,
            Revocation::HardLimit
            | Revocation::Memory
            | Revocation::QuotaBreach
            | Revocation::ModeChange => self.config.lock_grace_ms,
        };
        let Some(lock) = self.locks.list.get_mut(&id) else {
            return now;
        };
        // Never longer than it would have lasted.
        let (told, Hold::Held { until: end } | Hold::Revoked { until: end }) =
            (!lock.holds(), lock.hold);
        let until = end.min(now.saturating_add(grace)).max(now);
        lock.hold = Hold::Revoked { until };
        self.deadlines.set(Timer::Lock(id), until);
        if until <= now {
            self.locks.list.remove(&id);
            self.deadlines.clear(Timer::Lock(id));
        }
        if !told {
            let reason = why;
            let lock = id;
            self.ring.push(self.now, What::Revoked { lock, reason });
            let grace_ms = until - now;
            self.answer_lock(id, LockAnswer::Revoked { reason, grace_ms });
        }
        self.locks.changed.mark();
        until
    }

    fn answer_lock(&mut self, lock: LockId, answer: LockAnswer) {
        self.out.order(Command::Lock { lock, answer });
    }

    /// Whether the locks are as they must be (S6, R1, R4).
    pub(in crate::manager) fn check_locks(&self) {
        let list = &self.locks.list;
        assert!(list.len() <= MAX_LOCKS);
        for (id, lock) in list {
            let (Hold::Held { until } | Hold::Revoked { until }) = lock.hold;
            assert_eq!(self.deadlines.at(Timer::Lock(*id)), Some(until));
            let conn = self.connections.get(lock.conn);
            assert!(
                conn.is_some_and(|conn| conn.is_open()),
                "locked, so open (S6)"
            );
            assert!(self.enrollments.enrolled(lock.enrollment).is_some());
            assert!(lock.renewals <= MAX_RENEWALS);
        }
        assert!(self.locks.connections(None).len() <= self.lock_budget());
        for protocol in self.enrollments.iter() {
            let locked = protocol
                .enrollment()
                .map_or(0, |id| self.locks.connections(Some(id)).len());
            assert!(
                locked <= usize::from(protocol.grant().high),
                "locks fit (S6)"
            );
        }
    }
}
