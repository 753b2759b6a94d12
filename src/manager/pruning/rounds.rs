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
//! | 7 | when memory is all but used up: minima break, down to half of the soft target |
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
use crate::manager::tools::seed::Domain;
use crate::manager::tools::services::{Services, WHOLE};

/// Connections that one protocol is asked about in a round.
const MAX_SCORED: usize = 32;

/// What is closed, and in which order. See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Bursts,
    Unused,
    Shares,
    Surplus,
    Locks,
    Targets,
    Minima,
}

impl Phase {
    const ALL: [Self; 7] = [
        Self::Bursts,
        Self::Unused,
        Self::Shares,
        Self::Surplus,
        Self::Locks,
        Self::Targets,
        Self::Minima,
    ];

    /// Whether it closes a quarter of the soft target in one round at most.
    fn is_gentle(self) -> bool {
        matches!(self, Self::Unused | Self::Shares | Self::Surplus)
    }

    /// What it may break, if it revokes locks.
    fn breaks(self) -> Option<Pressure> {
        match self {
            Self::Bursts | Self::Unused | Self::Shares | Self::Surplus => None,
            Self::Locks => Some(Pressure::BreakLocks),
            Self::Targets => Some(Pressure::BreakTargets),
            Self::Minima => Some(Pressure::BreakMinima),
        }
    }
}

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

impl Manager {
    /// Runs one round.
    pub(in crate::manager::pruning) fn run_round(&mut self, trigger: Trigger, makes_room: bool) {
        let number = self.regulation.begin_round(self.now.mono_ms);
        self.out.stats.rounds += 1;
        self.request_scores(number);
        let memory = self.environment.memory();
        let mut round = Round {
            makes_room,
            left: self.limits.soft().div_ceil(4).max(1),
            closed: 0,
            reason: if memory >= MemoryLevel::Pressure {
                Reason::MemoryPressure
            } else {
                Reason::OverLimit
            },
        };
        for phase in Phase::ALL {
            while let Some(victim) = self.victim(phase, &round) {
                self.close_in(phase, victim, &round);
                round.closed = round.closed.saturating_add(1);
                if phase.is_gentle() {
                    round.left = round.left.saturating_sub(1);
                }
            }
        }
        let what = What::Regulated {
            round: number,
            trigger,
            closed: round.closed,
        };
        self.ring.push(self.now, what);
        if round.left > 0 && self.excess(&round) > 0 {
            self.overcommitted(number);
        }
    }

    /// Who goes next in a phase.
    fn victim(&self, phase: Phase, round: &Round) -> Option<ConnId> {
        let wanted = match phase {
            Phase::Bursts => true,
            Phase::Unused | Phase::Shares | Phase::Surplus => {
                round.left > 0 && self.excess(round) > 0
            }
            // What the limit of this round left is for the next one.
            Phase::Locks | Phase::Targets => {
                self.pressing() > 0 && (round.left > 0 || !self.could_go_gently())
            }
            Phase::Minima => {
                let keep = (self.limits.soft() / 2).max(1);
                self.environment.memory() == MemoryLevel::Critical && self.counted() > keep
            }
        };
        if !wanted {
            return None;
        }
        let unused = |id| self.used_by(id).is_empty();
        match phase {
            Phase::Bursts => {
                // What only a burst used has done its work: that it is new excuses it no more.
                let mut left = self.burst_leftovers().into_iter();
                left.find(|id| self.guard(*id, Pressure::Spent).is_none())
            }
            Phase::Unused => self
                .longest_idle()
                .or_else(|| self.least_useful(Pressure::Voluntary, unused)),
            Phase::Shares => self.next_payer(),
            Phase::Surplus => self.least_useful(Pressure::Voluntary, |_| true),
            Phase::Locks | Phase::Targets => self.least_useful(phase.breaks()?, |_| true),
            Phase::Minima => self.least_vital(),
        }
    }

    fn close_in(&mut self, phase: Phase, victim: ConnId, round: &Round) {
        if let Some(pressure) = phase.breaks() {
            let why = if self.environment.memory() >= MemoryLevel::Hard {
                Revocation::Memory
            } else {
                Revocation::HardLimit
            };
            self.evict(victim, why, round.reason, Some(pressure));
            return;
        }
        let serves = self
            .connections
            .get(victim)
            .is_some_and(|conn| !conn.serving.is_empty());
        let reason = match phase {
            Phase::Bursts => Reason::BurstOver,
            Phase::Shares => Reason::OverQuota,
            Phase::Unused if !serves => Reason::Idle,
            _ => round.reason,
        };
        self.release(victim, reason);
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
    fn request_scores(&mut self, round: u64) {
        let scorers: Vec<_> = self.enrollments.scorers().map(|(_, id)| id).collect();
        for enrollment in scorers {
            let open = self.connections.open().take(MAX_SCORED);
            let peers: Vec<_> = open.map(|(_, conn)| conn.peer).collect();
            if peers.is_empty() {
                return;
            }
            self.out.order(Command::RequestScores {
                round,
                enrollment,
                peers,
                deadline_ms: self.config.scores_ms,
            });
        }
    }

    /// How many are too many for phase 6.
    fn pressing(&self) -> usize {
        if self.environment.memory() >= MemoryLevel::Hard {
            self.over_soft()
        } else {
            self.over_hard()
        }
    }

    /// Whether anything is left for phases 3 to 5.
    fn could_go_gently(&self) -> bool {
        let surplus = self.least_useful(Pressure::Voluntary, |_| true);
        surplus.is_some() || self.next_payer().is_some()
    }

    /// Phase 3: of those that serve nothing and that nobody uses, the longest silent.
    fn longest_idle(&self) -> Option<ConnId> {
        let idle = self.connections.open().filter(|(id, conn)| {
            conn.serving.is_empty()
                && self.used_by(*id).is_empty()
                && !self.leaving.awaits(*id)
                && self.guard(*id, Pressure::Voluntary).is_none()
        });
        let longest = idle.map(|(id, conn)| (conn.heard_at, id)).min();
        longest.map(|(_, id)| id)
    }

    /// Phase 4: what the worst offender who can pay would miss least. What the offender loses may be below its own
    /// target: it is above its share, and only others' needs are held against it.
    fn next_payer(&self) -> Option<ConnId> {
        let mut spared: Vec<usize> = Vec::new();
        loop {
            let (offender, its_own) = self.offender(&spared)?;
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

    /// Phase 7: down to half of the soft target, and never the last one. What breaks nothing goes first, then what
    /// matters least, and what the user holds last.
    fn least_vital(&self) -> Option<ConnId> {
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
        last_first.min().map(|(.., victim)| victim)
    }

    /// The most important protocol that uses a connection.
    fn class_of_use(&self, conn: ConnId) -> Class {
        let users = self.used_by(conn);
        let classes = users.into_iter().map(|place| self.class_of(place));
        classes.max().unwrap_or(Class::Opportunistic)
    }

    /// Guards left nothing to close: that is told, and tried again when something changes, or after a while (L6).
    fn overcommitted(&mut self, round: u64) {
        let now = self.now.mono_ms;
        let wait = self.seed.draw(Domain::Round, 0, round);
        let mut until = now.saturating_add(wait.about(self.config.round_timer_ms));
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
        self.regulation.hold(until);
        if self.over_soft() > 0 {
            self.ring.push(self.now, What::Overcommitted { held_by });
        }
    }
}
