//! What is to happen when.
//!
//! Owns all pending deadlines: one for each [`Timer`], so that nothing can be armed twice and nothing outlives what it
//! was for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::manager::boundary::event::{
    BurstId, ConnId, DialId, EnrollmentId, LockId, RequirementId,
};
use crate::manager::tools::slot::Ix;

/// What a deadline is for. At most one of each value is pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::manager) enum Timer {
    /// The shell never told how a dial ended.
    Dial(DialId),
    /// The shell never told that a connection closed.
    Closing(ConnId),
    /// Identify must have come.
    Identify(ConnId),
    /// The connection no longer counts as cover on its way.
    Verify(ConnId),
    /// The second connection to a peer goes.
    Duplicate(ConnId),
    /// The connection may have been silent for too long.
    Ping(ConnId),
    /// The shell never told how a ping ended.
    Pong(ConnId),
    /// The connection has not answered for longer than it takes.
    Trial(ConnId),
    /// A peer may be dialed again. This and the next stay neighbours: they matter only while the node runs.
    Bar(Ix),
    /// A provider may serve again.
    Rest(Ix, RequirementId),
    /// Silence to a counter-offer counts as consent.
    Answer(EnrollmentId),
    /// A changed grant may be told.
    Offer(EnrollmentId),
    /// A lock ends, or the grace after it.
    Lock(LockId),
    /// A burst ends, or is forgotten.
    Burst(BurstId),
    /// Somebody uses more than its share for too long.
    Quota,
    /// More peers are to be placed among the candidates.
    Sweep,
    /// A hint of the user's is over.
    Hint(Ix),
    /// A ban, or the memory of one, is over.
    Bans,
    /// A subnet is no longer refused.
    Quarantine,
    /// Something to decide on dials.
    Plan,
    /// Something to decide on connections.
    Tidy,
    /// The grace of a revoked lock is over.
    Evict,
    /// Something to decide on what is too much.
    Regulate,
    /// Nobody has seen the page for a while.
    Hidden,
    /// A window of memory pressure ends.
    Window,
}

impl Timer {
    /// Whether it can wait for others while nothing is urgent: signs of life, rests, and what is closed for thrift.
    fn can_wait(self) -> bool {
        matches!(self, Self::Ping(_) | Self::Rest(..) | Self::Tidy)
    }
}

/// Deadlines that can wait come on whole minutes, counted from the first moment there was (4.14): browsers wake a hidden
/// page no more often.
const LAZY_MS: u64 = 60_000;

/// The earliest moment at which a decision has to be taken again.
#[derive(Debug, Default, Clone, Copy)]
pub(in crate::manager) struct Wake(pub(in crate::manager) Option<u64>);

impl Wake {
    /// Not later than that.
    pub(in crate::manager) fn by(&mut self, at: u64) {
        self.0 = Some(self.0.map_or(at, |old| old.min(at)));
    }
}

/// The pending deadlines.
#[derive(Debug, Default)]
pub(in crate::manager) struct Deadlines {
    by_time: BTreeSet<(u64, Timer)>,
    by_timer: BTreeMap<Timer, u64>,
    /// Nothing is urgent: what can wait is put together.
    pub(in crate::manager) lazy: bool,
    from: u64,
}

impl Deadlines {
    /// None is pending. Minutes count from this moment.
    pub(in crate::manager) fn new(from: u64) -> Self {
        Self {
            from,
            ..Self::default()
        }
    }

    /// Arms, or moves, a timer. What can wait is put off here and not when it is due, so that a tick at another time
    /// finds nothing due (D4).
    pub(in crate::manager) fn set(&mut self, timer: Timer, at: u64) {
        let at = if self.lazy && timer.can_wait() {
            let since = at.saturating_sub(self.from);
            let whole = since.div_ceil(LAZY_MS).saturating_mul(LAZY_MS);
            self.from.saturating_add(whole)
        } else {
            at
        };
        match self.by_timer.insert(timer, at) {
            Some(old) if old == at => return,
            Some(old) => {
                self.by_time.remove(&(old, timer));
            }
            None => {}
        }
        self.by_time.insert((at, timer));
    }

    /// Disarms a timer.
    pub(in crate::manager) fn clear(&mut self, timer: Timer) {
        if let Some(at) = self.by_timer.remove(&timer) {
            self.by_time.remove(&(at, timer));
        }
    }

    /// Whether a timer is armed.
    pub(in crate::manager) fn is_set(&self, timer: Timer) -> bool {
        self.by_timer.contains_key(&timer)
    }

    /// Arms or disarms.
    pub(in crate::manager) fn put(&mut self, timer: Timer, at: Option<u64>) {
        match at {
            Some(at) => self.set(timer, at),
            None => self.clear(timer),
        }
    }

    /// Disarms everything that belongs to a connection.
    pub(in crate::manager) fn forget_connection(&mut self, conn: ConnId) {
        for timer in [
            Timer::Closing(conn),
            Timer::Identify(conn),
            Timer::Verify(conn),
            Timer::Duplicate(conn),
            Timer::Ping(conn),
            Timer::Pong(conn),
            Timer::Trial(conn),
        ] {
            self.clear(timer);
        }
    }

    /// When a timer is due.
    pub(in crate::manager) fn at(&self, timer: Timer) -> Option<u64> {
        self.by_timer.get(&timer).copied()
    }

    /// The earliest deadline.
    pub(in crate::manager) fn next(&self) -> Option<u64> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// The earliest deadline but those of peers that wait: nobody is dialed, so that they can be looked at later.
    pub(in crate::manager) fn next_while_stopped(&self) -> Option<u64> {
        let waits = Timer::Bar(Ix::FIRST)..=Timer::Rest(Ix::LAST, RequirementId(u8::MAX));
        let before = self.by_timer.range(..waits.start());
        let after = self
            .by_timer
            .range((Bound::Excluded(waits.end()), Bound::Unbounded));
        before.chain(after).map(|(_, at)| *at).min()
    }

    /// Takes the earliest timer that is due.
    pub(in crate::manager) fn pop_due(&mut self, now: u64) -> Option<Timer> {
        let &(at, timer) = self.by_time.first()?;
        if at > now {
            return None;
        }
        self.by_time.pop_first();
        self.by_timer.remove(&timer);
        Some(timer)
    }

    /// What is due of the waits for the shell, and for a peer's answer to it: a sleep makes them all too long.
    pub(in crate::manager) fn due_of_shell(&self, now: u64) -> Vec<Timer> {
        let waits = |timer: &Timer| {
            matches!(
                timer,
                Timer::Dial(_) | Timer::Identify(_) | Timer::Ping(_) | Timer::Pong(_)
            )
        };
        self.by_timer
            .range(..Timer::Bar(Ix::FIRST))
            .filter(|(timer, at)| **at <= now && waits(timer))
            .map(|(timer, _)| *timer)
            .collect()
    }

    /// Whether any peer waits for its bar to end.
    pub(in crate::manager) fn anybody_barred(&self) -> bool {
        let bars = Timer::Bar(Ix::FIRST)..=Timer::Bar(Ix::LAST);
        self.by_timer.range(bars).next().is_some()
    }

    /// The peers whose bar is to end, the soonest first.
    pub(in crate::manager) fn barred_soonest(&self) -> impl Iterator<Item = Ix> + '_ {
        self.by_time.iter().filter_map(|(_, timer)| match timer {
            Timer::Bar(ix) => Some(*ix),
            _ => None,
        })
    }

    /// Whether both views agree (R4).
    pub(in crate::manager) fn check(&self) {
        assert_eq!(self.by_time.len(), self.by_timer.len());
        for (at, timer) in &self.by_time {
            assert_eq!(self.by_timer.get(timer), Some(at));
        }
    }
}
