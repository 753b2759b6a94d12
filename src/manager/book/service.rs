//! How a peer does at one requirement: its quality, its slips, and when it rests (4.5).
//!
//! Owns what one failure after another adds up to. Knows no peer; whether a failure counts is decided before it comes
//! here.

use crate::manager::book::score::{BEST, Faded, WORST};
use crate::manager::boundary::config::Config;
use crate::manager::boundary::event::RequirementId;
use crate::manager::boundary::reason::{Outcome, Reason};
use crate::manager::tools::backoff;

/// How far of the way to its bound an outcome moves the quality, as a part (4.5). No outcome tells of a peer that is
/// merely slow.
const SUCCESS: i16 = 8;
/// See [`SUCCESS`].
const BROKEN: i16 = 8;
/// See [`SUCCESS`].
const FAULT: i16 = 4;
/// See [`SUCCESS`].
const UNABLE: i16 = 16;
/// So long after a peer said that it can't, it says so anew, in milliseconds.
const UNABLE_MEMORY_MS: u64 = 10 * 60_000;
/// So many failures in a row tell of a peer, however seldom it is used (A3).
const IN_A_ROW: u8 = 3;

/// A provider that does not serve for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) struct Rest {
    /// Until when, monotonic.
    pub(in crate::manager) until: u64,
    /// What it answered.
    pub(in crate::manager) after: Outcome,
}

/// What it failed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager::book) struct Failure {
    pub(in crate::manager::book) outcome: Outcome,
    /// What a lost connection breaks is charged to the loss.
    pub(in crate::manager::book) connected: bool,
    /// It makes room for having withheld something.
    pub(in crate::manager::book) displaced: bool,
    /// How long whoever is busy rests at first.
    pub(in crate::manager::book) busy_ms: u64,
}

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) struct Service {
    requirement: RequirementId,
    /// It halves in the time that `Peer::half_life` says.
    quality: Faded,
    /// The last failure that was not answered by a success.
    broken_at: Option<u64>,
    /// How many of those there are in a row, since it last rested.
    broken: u8,
    /// How often in a row it said that it can't, since it last rested, and when it said so last.
    unable: u8,
    unable_at: u64,
    /// Rests in a row after [`Outcome::Broken`].
    broken_rounds: u8,
    /// Rests in a row after [`Outcome::Busy`].
    busy_rounds: u8,
    rest: Option<Rest>,
}

impl Service {
    pub(in crate::manager::book) fn new(requirement: RequirementId) -> Self {
        Self {
            requirement,
            quality: Faded::default(),
            broken_at: None,
            broken: 0,
            unable: 0,
            unable_at: 0,
            broken_rounds: 0,
            busy_rounds: 0,
            rest: None,
        }
    }

    pub(in crate::manager) fn requirement(&self) -> RequirementId {
        self.requirement
    }

    /// How well it serves.
    pub(in crate::manager) fn quality(&self, now: u64, half_life: u64) -> i16 {
        self.quality.at(now, half_life)
    }

    /// It served so well in another session.
    pub(in crate::manager::book) fn set_quality(&mut self, quality: i16, now: u64) {
        self.quality = Faded::new(quality, now);
    }

    /// It fades at another pace from now on.
    pub(in crate::manager::book) fn rebase(&mut self, now: u64, half_life: u64) {
        self.quality.rebase(now, half_life);
    }

    /// Since when, and until when, it does not serve.
    pub(in crate::manager) fn rest(&self) -> Option<Rest> {
        self.rest
    }

    /// It does not serve for a while, or may again.
    pub(in crate::manager) fn set_rest(&mut self, rest: Option<Rest>) {
        self.rest = rest;
    }

    /// It served. Returns whether a rest ends with that.
    pub(in crate::manager::book) fn succeeds(&mut self, now: u64, half_life: u64) -> bool {
        self.quality.toward(BEST, SUCCESS, now, half_life);
        self.broken_at = None;
        (self.broken, self.unable) = (0, 0);
        (self.broken_rounds, self.busy_rounds) = (0, 0);
        let after = self.rest.map(|rest| rest.after);
        after.is_some_and(|after| !matches!(after, Outcome::Fault | Outcome::Absent))
    }

    /// It failed. Returns for how long it rests, and what is said of it, if that is more than a slip.
    pub(in crate::manager::book) fn fails(
        &mut self,
        failure: Failure,
        config: &Config,
        now: u64,
        half_life: u64,
    ) -> Option<(u64, Option<Reason>)> {
        let parts = match failure.outcome {
            Outcome::Broken | Outcome::Withheld => Some(BROKEN),
            Outcome::Fault => Some(FAULT),
            Outcome::Unable => Some(UNABLE),
            _ => None,
        };
        if let Some(part) = parts {
            self.quality.toward(WORST, part, now, half_life);
        }
        match failure.outcome {
            Outcome::Busy => {
                self.busy_rounds = self.busy_rounds.saturating_add(1);
                let cap = config.busy_cap_ms;
                let wait = backoff::doubled(failure.busy_ms, self.busy_rounds, cap);
                Some((wait, Some(Reason::Busy)))
            }
            // Once or twice may be what was asked, not who was (lightpush.md, section 8).
            Outcome::Unable => {
                if now.saturating_sub(self.unable_at) > UNABLE_MEMORY_MS {
                    self.unable = 0;
                }
                self.unable_at = now;
                self.unable += 1;
                (self.unable >= IN_A_ROW).then(|| {
                    self.unable = 0;
                    (config.unable_ms, None)
                })
            }
            Outcome::Absent => Some((config.absent_ms, None)),
            Outcome::Broken => {
                let again = self
                    .broken_at
                    .is_some_and(|at| now.saturating_sub(at) <= config.broken_window_ms);
                self.broken_at = failure.connected.then_some(now);
                self.broken += u8::from(failure.connected);
                (failure.connected && (again || self.broken >= IN_A_ROW)).then(|| {
                    self.broken_at = None;
                    self.broken = 0;
                    self.broken_rounds = self.broken_rounds.saturating_add(1);
                    let (first, cap) = (config.broken_rest_ms, config.broken_rest_cap_ms);
                    let wait = backoff::doubled(first, self.broken_rounds, cap);
                    (wait, Some(Reason::FailedService))
                })
            }
            Outcome::Fault => Some((config.fault_rest_ms, Some(Reason::FailedService))),
            Outcome::Withheld => {
                let rest = (config.broken_rest_ms, Some(Reason::Withheld));
                failure.displaced.then_some(rest)
            }
            Outcome::Success | Outcome::Ours | Outcome::Lost | Outcome::Late => None,
        }
    }

    /// What it broke was our own network's fault: its slips are what they were, and its quality is what that was.
    pub(in crate::manager) fn put_back(&mut self, before: &Self, quality: i16, now: u64) {
        self.quality = Faded::new(quality, now);
        self.broken_at = before.broken_at;
        self.broken = before.broken;
        self.broken_rounds = before.broken_rounds;
    }
}
