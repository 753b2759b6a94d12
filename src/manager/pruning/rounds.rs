//! One round of regulation (4.13): what is closed, and in which order.
//!
//! | phase | closes |
//! |---|---|
//! | 0, 1 | the banned, duplicates, whom the user hung up: nothing is left to do here, they are closed at once where that arises |
//! | 2 | what only closed bursts used, the last burst first |
//! | 3 | what no protocol uses: first what serves nothing, the longest silent before others, then the least useful |
//! | 4 | of the protocol that exceeds its share most, what is missed least, and again |
//! | 5 | what all targets hold without, the least useful first |
//! | 6 | above the hard cap, or when memory is very short: locks are revoked, then targets break |
//! | 7 | when memory is all but used up: minima break |
//!
//! Phase 2 leaves nothing behind; the others close no more than it takes to come down to the soft target, and phases 3
//! to 5 at most a quarter of it in one round, so that nothing is torn down at once (F9). A phase closes only when those
//! before it have nothing left to close. Owns nothing.

use crate::manager::Manager;
use crate::manager::boundary::command::Command;
use crate::manager::boundary::event::{Class, ConnId};
use crate::manager::boundary::reason::{Guard, Reason, Revocation, Trigger};
use crate::manager::boundary::view::What;
use crate::manager::machine::environment::MemoryLevel;
use crate::manager::pruning::guards::Pressure;
use crate::manager::tools::services::{Services, WHOLE};

/// Connections that one protocol is asked about in a round.
const MAX_SCORED: usize = 32;

/// A round that runs.
#[derive(Debug, Clone, Copy)]
struct Round {
    /// Whether one connection is to make room for what is missing.
    makes_room: bool,
    /// Closures that phases 3 to 5 may still make.
    left: usize,
    closed: u16,
    /// Why what is too much is closed.
    reason: Reason,
}

impl Round {
    fn closes(&mut self) {
        self.closed = self.closed.saturating_add(1);
    }

    fn spends(&mut self) {
        self.left = self.left.saturating_sub(1);
        self.closes();
    }
}

impl Manager {
    /// Runs one round.
    pub(in crate::manager) fn run_round(&mut self, trigger: Trigger) {
        self.regulation.round += 1;
        self.regulation.last_at = Some(self.now.mono_ms);
        self.regulation.held_until = None;
        self.out.stats.rounds += 1;
        self.request_scores();
        let memory = self.environment.memory();
        let mut round = Round {
            makes_room: core::mem::take(&mut self.regulation.makes_room),
            left: self.limits.soft().div_ceil(4).max(1),
            closed: 0,
            reason: if memory >= MemoryLevel::Pressure {
                Reason::MemoryPressure
            } else {
                Reason::OverLimit
            },
        };
        self.end_bursts(&mut round);
        self.close_unused(&mut round);
        self.arbitrate(&mut round);
        self.close_surplus(&mut round);
        // What the limit of this round left is for the next one.
        let voluntary = || self.least_useful(Pressure::Voluntary, |_| true);
        let owed = || self.next_payer(&mut Vec::new());
        if round.left > 0 || voluntary().or_else(owed).is_none() {
            self.break_targets(&mut round);
        }
        if memory == MemoryLevel::Critical {
            self.break_minima(&mut round);
        }
        let what = What::Regulated {
            round: self.regulation.round,
            trigger,
            closed: round.closed,
        };
        self.ring.push(self.now, what);
        if round.left > 0 && self.excess(&round) > 0 {
            self.overcommitted();
        }
    }

    /// How many connections a round wants to close still.
    fn excess(&self, round: &Round) -> usize {
        // What bursts may have beyond the soft target counts towards the hard cap.
        let over = self.over_soft().max(self.over_hard());
        if over == 0 && round.makes_room && self.is_full() {
            1
        } else {
            over
        }
    }

    /// Asks protocols what their connections are worth to them. Nothing waits for the answers: this round goes by the
    /// last ones.
    fn request_scores(&mut self) {
        let scorers: Vec<_> = self.enrollments.scorers().map(|(_, id)| id).collect();
        for enrollment in scorers {
            let open = self.connections.open().take(MAX_SCORED);
            let peers: Vec<_> = open.map(|(_, conn)| conn.peer).collect();
            if peers.is_empty() {
                return;
            }
            self.out.order(Command::RequestScores {
                round: self.regulation.round,
                enrollment,
                peers,
                deadline_ms: self.config.scores_ms,
            });
        }
    }

    /// Phase 2.
    fn end_bursts(&mut self, round: &mut Round) {
        for conn in self.burst_leftovers() {
            if self.guard(conn, Pressure::Voluntary).is_none() {
                self.release(conn, Reason::BurstOver);
                round.closes();
            }
        }
    }

    /// Phase 3.
    fn close_unused(&mut self, round: &mut Round) {
        let unused = |manager: &Self, id| manager.used_by(id).is_empty();
        while round.left > 0 && self.excess(round) > 0 {
            let idle = self.connections.open().filter(|(id, conn)| {
                conn.serving.is_empty()
                    && unused(self, *id)
                    && !self.leaving.awaits(*id)
                    && self.guard(*id, Pressure::Voluntary).is_none()
            });
            let longest = idle.map(|(id, conn)| (conn.heard_at, id)).min();
            if let Some((_, conn)) = longest {
                self.release(conn, Reason::Idle);
            } else if let Some(conn) = self.least_useful(Pressure::Voluntary, |id| unused(self, id))
            {
                self.release(conn, round.reason);
            } else {
                return;
            }
            round.spends();
        }
    }

    /// Phase 4. What the offender loses may be below its own target: it is above its share, and only others' needs are
    /// held against it.
    fn arbitrate(&mut self, round: &mut Round) {
        let mut spared: Vec<usize> = Vec::new();
        while round.left > 0 && self.excess(round) > 0 {
            let Some(victim) = self.next_payer(&mut spared) else {
                return;
            };
            self.release(victim, Reason::OverQuota);
            round.spends();
        }
    }

    /// What the worst offender who can pay would miss least. Who can't is spared from now on.
    fn next_payer(&self, spared: &mut Vec<usize>) -> Option<ConnId> {
        loop {
            let (offender, its_own) = self.offender(spared)?;
            let pressure = Pressure::Arbitration(its_own);
            let uses = |conn| self.used_by(conn).contains(&offender);
            if let Some(victim) = self.least_useful(pressure, uses) {
                return Some(victim);
            }
            spared.push(offender);
        }
    }

    /// The protocol that exceeds its share most, and what it requires.
    fn offender(&self, spared: &[usize]) -> Option<(usize, Services)> {
        let mut worst: Option<(u64, u64, usize, Services)> = None;
        for (place, protocol) in self.protocols().into_iter().enumerate() {
            let Some(grant) = protocol.granted else {
                continue;
            };
            let share = u64::from(protocol.share);
            let high = u64::from(grant.high) * u64::from(WHOLE);
            if share <= high || spared.contains(&place) {
                continue;
            }
            // share / high against the worst so far, without a fraction; nothing granted exceeds everything.
            let worse = worst.is_none_or(|(s, h, ..)| share * h.max(1) > s * high.max(1));
            if worse {
                let requires = protocol.requirement.into_iter().collect();
                worst = Some((share, high, place, requires));
            }
        }
        worst.map(|(_, _, place, requires)| (place, requires))
    }

    /// Phase 5.
    fn close_surplus(&mut self, round: &mut Round) {
        while round.left > 0 && self.excess(round) > 0 {
            let Some(victim) = self.least_useful(Pressure::Voluntary, |_| true) else {
                return;
            };
            self.release(victim, round.reason);
            round.spends();
        }
    }

    /// Phase 6.
    fn break_targets(&mut self, round: &mut Round) {
        let hard_memory = self.environment.memory() >= MemoryLevel::Hard;
        let why = if hard_memory {
            Revocation::Memory
        } else {
            Revocation::HardLimit
        };
        for pressure in [Pressure::BreakLocks, Pressure::BreakTargets] {
            loop {
                let too_many = if hard_memory {
                    self.over_soft()
                } else {
                    self.over_hard()
                };
                if too_many == 0 {
                    return;
                }
                let Some(victim) = self.least_useful(pressure, |_| true) else {
                    break;
                };
                self.evict(victim, why, round.reason, Some(pressure));
                round.closes();
            }
        }
    }

    /// Phase 7: down to half of the soft target, and never the last one. What breaks nothing goes first, then what
    /// matters least, and what the user holds last.
    fn break_minima(&mut self, round: &mut Round) {
        let keep = (self.limits.soft() / 2).max(1);
        while self.counted() > keep {
            let open = self.connections.open().filter(|(id, _)| {
                !self.leaving.awaits(*id) && self.guard(*id, Pressure::BreakMinima).is_none()
            });
            let last_first = open.filter_map(|(id, conn)| {
                let peer = self.table.get(conn.ix)?;
                let breaks = [Pressure::BreakTargets, Pressure::Voluntary]
                    .map(|pressure| self.guard(id, pressure).is_some());
                let class = self.class_of_use(id);
                Some((peer.held(), breaks, class, self.usefulness(id)?, id))
            });
            let Some((.., victim)) = last_first.min() else {
                return;
            };
            self.evict(
                victim,
                Revocation::Memory,
                Reason::MemoryPressure,
                Some(Pressure::BreakMinima),
            );
            round.closes();
        }
    }

    /// The most important protocol that uses a connection.
    fn class_of_use(&self, conn: ConnId) -> Class {
        let users = self.used_by(conn);
        let classes = users.into_iter().map(|place| self.class_of(place));
        classes.max().unwrap_or(Class::Opportunistic)
    }

    /// Guards left nothing to close: that is told, and tried again when something changes, or after a while (L6).
    fn overcommitted(&mut self) {
        let now = self.now.mono_ms;
        let mut until = now.saturating_add(self.seed.about(self.config.round_timer_ms));
        let mut held_by: Vec<(Guard, u16)> = Vec::new();
        for (id, conn) in self.connections.open() {
            let Some(guard) = self.guard(id, Pressure::Voluntary) else {
                continue;
            };
            if guard == Guard::Grace {
                until = until.min(self.grace_ends(conn));
            }
            match held_by.iter_mut().find(|(held, _)| *held == guard) {
                Some((_, count)) => *count += 1,
                None => held_by.push((guard, 1)),
            }
        }
        self.regulation.held_until = Some(until);
        if self.over_soft() > 0 {
            self.ring.push(self.now, What::Overcommitted { held_by });
        }
    }
}
