//! Many connections for a short time (4.10).
//!
//! Owns the bursts, and which connections were made for which. Those count towards the hard cap and not towards the soft
//! target, so that they take nobody's place. When a burst is over, what only it used is let go; whatever somebody else
//! uses by then stays and is no longer the burst's.

use litemap::LiteMap;

use crate::manager::Manager;
use crate::manager::Run;
use crate::manager::book::peer::Peer;
use crate::manager::boundary::command::{BurstAnswer, Command, DialWhy};
use crate::manager::boundary::event::{BurstId, ConnId, EnrollmentId, RequirementId};
use crate::manager::boundary::reason::{Reason, Trigger};
use crate::manager::boundary::view::What;
use crate::manager::machine::modes::Mode;
use crate::manager::tools::changed::Changed;
use crate::manager::tools::deadlines::Timer;
use crate::manager::tools::services::WHOLE;

/// Bursts that are remembered, those that ended lately among them.
const MAX_BURSTS: usize = 16;
/// Of these, open.
const MAX_OPEN: usize = 8;

/// Where a burst stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Connections may be made for it.
    Open {
        /// At most that many.
        slots: u8,
    },
    /// It ended: what is left of it goes.
    Closed {
        /// Monotonic milliseconds.
        at: u64,
    },
}

#[derive(Debug, Clone, Copy)]
struct Burst {
    enrollment: EnrollmentId,
    requirement: RequirementId,
    stage: Stage,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Bursts {
    list: LiteMap<BurstId, Burst>,
    members: LiteMap<ConnId, BurstId>,
    changed: Changed,
}

impl Bursts {
    fn open(&self) -> impl Iterator<Item = (BurstId, &Burst, u8)> {
        self.list
            .iter()
            .filter_map(|(id, burst)| match burst.stage {
                Stage::Open { slots } => Some((*id, burst, slots)),
                Stage::Closed { .. } => None,
            })
    }

    /// How often one ended.
    pub(in crate::manager) fn revision(&self) -> u64 {
        self.changed.count()
    }

    /// What is dialed for: each open burst, what it requires, and how many connections it may have.
    pub(in crate::manager) fn wanted(&self) -> Vec<(BurstId, RequirementId, u8)> {
        let open = self.open();
        open.map(|(id, burst, slots)| (id, burst.requirement, slots))
            .collect()
    }

    fn is_open(&self, burst: BurstId) -> bool {
        self.open().any(|(id, _, _)| id == burst)
    }

    /// Whether a connection was made for a burst that is open, or ended a short time ago: it goes by the rules of bursts.
    pub(in crate::manager) fn holds(&self, conn: ConnId) -> bool {
        self.members.contains_key(&conn)
    }

    /// Whether a protocol's open burst made a connection.
    pub(in crate::manager) fn made_by(&self, enrollment: EnrollmentId, conn: ConnId) -> bool {
        self.members.get(&conn).is_some_and(|id| {
            self.is_open(*id)
                && self
                    .list
                    .get(id)
                    .is_some_and(|burst| burst.enrollment == enrollment)
        })
    }

    /// A connection was made for a burst.
    pub(in crate::manager) fn join(&mut self, conn: ConnId, burst: BurstId) {
        if self.is_open(burst) {
            self.members.insert(conn, burst);
        }
    }

    /// A connection is gone.
    pub(in crate::manager) fn forget(&mut self, conn: ConnId) {
        self.members.remove(&conn);
    }
}

impl Manager {
    pub(in crate::manager) fn on_open_burst(
        &mut self,
        burst: BurstId,
        enrollment: EnrollmentId,
        slots: u8,
        max_ms: u64,
    ) {
        if self.bursts.list.contains_key(&burst) {
            return;
        }
        match self.burst_room(enrollment, slots) {
            Ok((requirement, slots)) => {
                let stage = Stage::Open { slots };
                let opened = Burst {
                    enrollment,
                    requirement,
                    stage,
                };
                self.bursts.list.insert(burst, opened);
                let lasts = max_ms.min(self.config.burst_max_ms);
                let until = self.now.mono_ms.saturating_add(lasts);
                self.deadlines.set(Timer::Burst(burst), until);
                self.ring.push(self.now, What::BurstOpened { burst, slots });
                self.answer_burst(burst, BurstAnswer::Granted { slots });
            }
            Err(reason) => self.answer_burst(burst, BurstAnswer::Denied(reason)),
        }
    }

    /// How many connections a burst may have, or why none.
    fn burst_room(
        &self,
        enrollment: EnrollmentId,
        wanted: u8,
    ) -> Result<(RequirementId, u8), Reason> {
        let protocol = self.enrollments.enrolled(enrollment);
        let protocol = protocol.ok_or(Reason::NotEnrolled)?;
        if self.run == Run::Stopped {
            return Err(Reason::Stopped);
        }
        if self.outage.is_offline() {
            return Err(Reason::Offline);
        }
        match self.mode {
            Mode::Normal => {}
            Mode::Paused => return Err(Reason::Paused),
            Mode::Sync { .. } => return Err(Reason::InitialSync),
        }
        // A protocol that brought no requirement has nobody to dial.
        let requirement = protocol.requirement().ok_or(Reason::NoRoute)?;
        let bursts = &self.bursts;
        let nested = bursts.open().any(|(_, b, _)| b.enrollment == enrollment);
        if nested || bursts.open().count() >= MAX_OPEN || bursts.list.len() >= MAX_BURSTS {
            return Err(Reason::OverBudget);
        }
        let promised: usize = bursts
            .open()
            .map(|(id, _, slots)| usize::from(slots).saturating_sub(self.burst_size(id)))
            .sum();
        let room = self
            .limits
            .hard()
            .saturating_sub(self.occupied())
            .saturating_sub(promised);
        if room == 0 {
            return Err(Reason::LimitReached);
        }
        let share = self.share_of(enrollment).div_ceil(WHOLE);
        let headroom = u32::from(protocol.grant().high).saturating_sub(share);
        if headroom == 0 {
            return Err(Reason::OverQuota);
        }
        let slots = usize::from(wanted)
            .min(room)
            .min(usize::try_from(headroom).unwrap_or(usize::MAX));
        let slots = u8::try_from(slots).unwrap_or(u8::MAX);
        if slots == 0 {
            return Err(Reason::NotNeeded);
        }
        Ok((requirement, slots))
    }

    /// Connections and dials of a burst.
    pub(in crate::manager) fn burst_size(&self, burst: BurstId) -> usize {
        let members = self.bursts.members.values().filter(|id| **id == burst);
        let dials = self.dials.iter();
        let dials = dials.filter(|(_, job)| job.why == DialWhy::Burst(burst));
        members.count() + dials.count()
    }

    pub(in crate::manager) fn on_close_burst(&mut self, burst: BurstId) {
        if !self.bursts.is_open(burst) {
            return;
        }
        let at = self.now.mono_ms;
        if let Some(open) = self.bursts.list.get_mut(&burst) {
            open.stage = Stage::Closed { at };
        }
        let dialing: Vec<_> = self
            .dials
            .iter()
            .filter(|(_, job)| job.why == DialWhy::Burst(burst))
            .map(|(ix, _)| ix)
            .collect();
        for ix in dialing {
            self.cancel_dial(ix);
        }
        let idle_at = at.saturating_add(self.config.burst_idle_ms);
        self.deadlines.set(Timer::Burst(burst), idle_at);
        self.ring.push(self.now, What::BurstClosed { burst });
        self.answer_burst(burst, BurstAnswer::Closed);
        self.bursts.changed.mark();
    }

    /// A burst's deadline passed: it ends, then its leftovers go, then it is forgotten.
    pub(in crate::manager) fn burst_due(&mut self, burst: BurstId) {
        let Some(Burst { stage, .. }) = self.bursts.list.get(&burst).copied() else {
            return;
        };
        let now = self.now.mono_ms;
        match stage {
            Stage::Open { .. } => self.on_close_burst(burst),
            Stage::Closed { at } if now < at.saturating_add(self.config.burst_memory_ms) => {
                self.regulation.ask(Trigger::BurstClosed);
                let forgotten_at = at.saturating_add(self.config.burst_memory_ms);
                // What was still in use is looked at again now and then.
                let again_at = now.saturating_add(self.config.burst_idle_ms);
                self.deadlines
                    .set(Timer::Burst(burst), again_at.min(forgotten_at));
            }
            Stage::Closed { .. } => self.forget_burst(burst),
        }
    }

    fn forget_burst(&mut self, burst: BurstId) {
        self.bursts.list.remove(&burst);
        self.bursts.members.retain(|_, of| *of != burst);
        self.deadlines.clear(Timer::Burst(burst));
    }

    /// A protocol leaves: its burst ends.
    pub(in crate::manager) fn end_bursts_of(&mut self, enrollment: EnrollmentId) {
        let open: Vec<BurstId> = self
            .bursts
            .open()
            .filter(|(_, burst, _)| burst.enrollment == enrollment)
            .map(|(id, _, _)| id)
            .collect();
        for burst in open {
            self.on_close_burst(burst);
        }
    }

    /// The node stops: every burst ends, and nothing is left of any.
    pub(in crate::manager) fn stop_bursts(&mut self) {
        let all: Vec<BurstId> = self.bursts.list.keys().copied().collect();
        for burst in all {
            self.on_close_burst(burst);
            self.forget_burst(burst);
        }
    }

    fn answer_burst(&mut self, burst: BurstId, answer: BurstAnswer) {
        self.out.order(Command::Burst { burst, answer });
    }

    /// Whether a connection was made for a burst and nobody else uses it by now: no requirement, no lock, no wish of the
    /// user's.
    fn is_purely_of_burst(&self, conn: ConnId) -> bool {
        let Some(open) = self.connections.get(conn).filter(|open| open.is_open()) else {
            return false;
        };
        let held = self.table.get(open.ix).is_some_and(Peer::held);
        let assigned = open.serving.iter().any(|id| self.needs.assigned(id, conn));
        self.bursts.members.contains_key(&conn) && !held && !assigned && !self.locked(conn)
    }

    /// Connections that only closed bursts used, and that have been idle since, the last closed first: phase 2 of a round
    /// of regulation.
    pub(in crate::manager) fn burst_leftovers(&self) -> Vec<ConnId> {
        let now = self.now.mono_ms;
        let mut left: Vec<(u64, ConnId)> = Vec::new();
        for (conn, burst) in self.bursts.members.iter() {
            let Some(Stage::Closed { at }) = self.bursts.list.get(burst).map(|b| b.stage) else {
                continue;
            };
            let idle = now >= at.saturating_add(self.config.burst_idle_ms);
            if idle && self.is_purely_of_burst(*conn) {
                left.push((at, *conn));
            }
        }
        crate::manager::tools::sort::sort_short_by_key(&mut left, |(at, conn)| {
            (core::cmp::Reverse(*at), *conn)
        });
        left.into_iter().map(|(_, conn)| conn).collect()
    }

    /// Connections that belong to bursts alone: they count towards the hard cap, not towards the soft target.
    pub(in crate::manager) fn burst_connections(&self) -> usize {
        let members = self.bursts.members.keys();
        members
            .filter(|conn| self.is_purely_of_burst(**conn))
            .count()
    }

    /// Connections and dials that count towards the soft target.
    pub(in crate::manager) fn filled(&self) -> usize {
        if self.bursts.list.is_empty() {
            return self.occupied();
        }
        let dials = self.dials.iter();
        let dials = dials.filter(|(_, job)| matches!(job.why, DialWhy::Burst(_)));
        let of_bursts = self.burst_connections() + dials.count();
        self.occupied().saturating_sub(of_bursts)
    }

    /// Whether the bursts are what they must be (R1, R4).
    pub(in crate::manager) fn check_bursts(&self) {
        assert!(self.bursts.list.len() <= MAX_BURSTS && self.bursts.open().count() <= MAX_OPEN);
        for (id, burst, slots) in self.bursts.open() {
            assert!(self.burst_size(id) <= usize::from(slots));
            assert!(self.enrollments.enrolled(burst.enrollment).is_some());
        }
        for id in self.bursts.list.keys() {
            assert!(self.deadlines.at(Timer::Burst(*id)).is_some());
        }
        for (conn, burst) in self.bursts.members.iter() {
            assert!(self.connections.get(*conn).is_some(), "{conn:?} is gone");
            assert!(self.bursts.list.contains_key(burst));
        }
    }
}
