//! How a connection is let go for others (4.13): told before it happens, given time to end its requests, and its peer
//! not dialed again for a while.
//!
//! Owns the connections whose locks were revoked and that go when their grace is over, and the peers that cool down.

use litemap::LiteMap;

use crate::manager::Manager;
use crate::manager::book::peer::Bar;
use crate::manager::boundary::command::Notice;
use crate::manager::boundary::event::ConnId;
use crate::manager::boundary::reason::{Reason, Revocation};
use crate::manager::connected::connections::Conn;
use crate::manager::pruning::guards::Pressure;
use crate::manager::tools::backoff;
use crate::manager::tools::deadlines::{Timer, Wake};
use crate::manager::tools::services::Services;
use crate::manager::tools::slot::Ix;

/// Peers that cool down and may be called back early. The others wait for their time: this only bounds the list.
const MAX_COOLING: usize = 256;

/// A connection whose locks were revoked.
#[derive(Debug, Clone, Copy)]
struct Evicted {
    conn: ConnId,
    /// Why its locks were revoked, in case new ones were granted since.
    why: Revocation,
    reason: Reason,
    /// What was to be eased, for the guards to hold against when the grace is over; `None`: they do not.
    pressure: Option<Pressure>,
    /// When it may be closed.
    at: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Leaving {
    evicted: Vec<Evicted>,
    cooling: LiteMap<Ix, ()>,
}

impl Leaving {
    /// Whether a connection is about to go.
    pub(in crate::manager) fn awaits(&self, conn: ConnId) -> bool {
        self.evicted.iter().any(|evicted| evicted.conn == conn)
    }

    /// A peer is barred from now on, or no longer.
    pub(in crate::manager) fn barred(&mut self, ix: Ix, bar: Bar) {
        let cools = matches!(
            bar,
            Bar::Until {
                why: Reason::CoolingDown,
                ..
            }
        );
        if !cools {
            self.cooling.remove(&ix);
        } else if self.cooling.len() < MAX_COOLING {
            self.cooling.insert(ix, ());
        }
    }

    /// A record is forgotten.
    pub(in crate::manager) fn forget(&mut self, ix: Ix) {
        self.cooling.remove(&ix);
    }
}

/// Whether a peer whose connection we closed for this waits before it is dialed again (E2).
fn cools_down(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::NotNeeded
            | Reason::HandedOff
            | Reason::OverLimit
            | Reason::Idle
            | Reason::OverQuota
            | Reason::MemoryPressure
            | Reason::Surplus
            | Reason::LifetimeOver
            | Reason::BurstOver
    )
}

/// Whether the user hears beforehand that a connection which worked is closed to stay within the limits.
fn is_pruning(reason: Reason) -> bool {
    // The others are hand-overs: somebody else does the work, and that is told.
    cools_down(reason) && !matches!(reason, Reason::HandedOff | Reason::LifetimeOver)
}

impl Manager {
    /// Lets a connection go. One that serves may end its requests first.
    pub(in crate::manager) fn release(&mut self, conn: ConnId, reason: Reason) {
        let Some(open) = self.connections.get(conn).filter(|c| c.is_open()) else {
            return;
        };
        if open.serving.is_empty() {
            self.close(conn, reason);
            return;
        }
        let peer = open.peer;
        if is_pruning(reason) {
            self.out.tell(Notice::Pruned { peer, reason });
        }
        let drain_ms = self.config.drain_ms;
        self.part(conn, reason, Some(drain_ms));
    }

    /// Lets a connection go although it may be locked: its locks are revoked now, and it goes when their grace is over,
    /// unless a guard holds it by then.
    pub(in crate::manager) fn evict(
        &mut self,
        conn: ConnId,
        why: Revocation,
        reason: Reason,
        pressure: Option<Pressure>,
    ) {
        if self.leaving.awaits(conn) {
            return;
        }
        let at = self.revoke_locks(conn, why);
        if at <= self.now.mono_ms {
            self.release(conn, reason);
            return;
        }
        self.leaving.evicted.push(Evicted {
            conn,
            why,
            reason,
            pressure,
            at,
        });
        self.arm_evictions();
    }

    /// Lets those go whose grace is over.
    pub(in crate::manager) fn finish_evictions(&mut self) {
        for evicted in core::mem::take(&mut self.leaving.evicted) {
            let open = self.connections.get(evicted.conn);
            if !open.is_some_and(Conn::is_open) {
                continue;
            }
            let Evicted {
                conn,
                why,
                reason,
                pressure,
                at,
            } = evicted;
            if self.now.mono_ms < at {
                self.leaving.evicted.push(evicted);
            } else if pressure.is_none_or(|pressure| self.guard(conn, pressure).is_none()) {
                // Locks that were granted since are revoked like the first.
                self.evict(conn, why, reason, pressure);
            }
        }
        self.arm_evictions();
    }

    /// Those that wait to go may stay after all.
    pub(in crate::manager) fn forget_evictions(&mut self) {
        self.leaving.evicted.clear();
        self.arm_evictions();
    }

    fn arm_evictions(&mut self) {
        let mut wake = Wake::default();
        for evicted in &self.leaving.evicted {
            wake.by(evicted.at);
        }
        self.deadlines.put(Timer::Evict, wake.0);
    }

    /// The peer of a connection that we closed waits before it is dialed again, unless the reason was its own. Returns
    /// whether it does.
    pub(in crate::manager) fn cool_down(&mut self, ix: Ix, reason: Reason) -> bool {
        if !cools_down(reason) {
            return false;
        }
        let Some(peer) = self.table.get_mut(ix) else {
            return false;
        };
        if peer.bar() == Bar::HungUp || peer.banned().is_some() {
            return false;
        }
        let (wait, cap) = (self.config.prune_wait_ms, self.config.prune_cap_ms);
        let wait = backoff::doubled(wait, peer.pruned(), cap);
        let at = self.now.mono_ms.saturating_add(wait);
        self.bar_until(ix, at, Reason::CoolingDown);
        true
    }

    /// Nobody cools down any more.
    pub(in crate::manager) fn forgive_cooling(&mut self) {
        let cooling: Vec<Ix> = self.leaving.cooling.keys().copied().collect();
        for ix in cooling {
            self.set_bar(ix, Bar::Open);
        }
    }

    /// While a minimum is violated and nobody else can be dialed for it, those that cool down may be (E2).
    pub(in crate::manager) fn call_back(&mut self) {
        let lacking: Services = self
            .needs
            .deficits()
            .filter(|id| {
                let need = self.needs.need(*id);
                need.is_some_and(|need| self.needs.have(*id) < need.min)
                    && !self.candidates.any(*id)
            })
            .collect();
        if lacking.is_empty() {
            return;
        }
        let all = self.all();
        let could = |ix: &&Ix| {
            let peer = self.table.get(**ix);
            peer.is_some_and(|peer| !peer.possible(all).and(lacking).is_empty())
        };
        let called: Vec<Ix> = self.leaving.cooling.keys().filter(could).copied().collect();
        for ix in called {
            self.set_bar(ix, Bar::Open);
        }
    }

    /// Whether what leaves is what it must be (R1, R4).
    pub(in crate::manager) fn check_leaving(&self) {
        assert!(self.leaving.cooling.len() <= MAX_COOLING);
        for ix in self.leaving.cooling.keys() {
            let peer = self.table.get(*ix).expect("only known peers cool down");
            assert!(matches!(
                peer.bar(),
                Bar::Until {
                    why: Reason::CoolingDown,
                    ..
                }
            ));
        }
        let evicted = &self.leaving.evicted;
        assert_eq!(
            self.deadlines.at(Timer::Evict).is_some(),
            !evicted.is_empty()
        );
        for (place, one) in evicted.iter().enumerate() {
            assert!(evicted[..place].iter().all(|other| other.conn != one.conn));
        }
    }
}
