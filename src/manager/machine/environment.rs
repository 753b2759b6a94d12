//! What the page and the machine can bear (4.14).
//!
//! Owns the signals: whether somebody sees the page, whether the network is to be spared, and how much memory is in use.
//! They pace the dials, and bring the soft target down from what the user wants:
//!
//! - hidden for a minute: one more than is needed, one dial at a time, one token in five seconds;
//! - a network to be spared: 6 connections and 8 with dials, three dials at a time, one token a second;
//! - memory: a quarter less for each window of ten seconds under pressure, one more after three calm ones.
//!
//! None brings the target below what the minima need (E8). Windows run only while there is something to do: there is no
//! polling.

use crate::manager::boundary::config::Config;
use crate::manager::boundary::reason::{LimitCause, Trigger};
use crate::manager::boundary::view::What;
use crate::manager::machine::limits::room_above;
use crate::manager::tools::deadlines::Timer;
use crate::manager::tools::services::Services;
use crate::manager::tools::sort::sort_short_by_key;
use crate::manager::{Manager, RequirementId};

/// A page that is hidden for this long, in milliseconds, is not looked at again soon.
const HIDDEN_MS: u64 = 60_000;
/// The window of memory pressure, in milliseconds.
const WINDOW_MS: u64 = 10_000;
/// Windows without pressure after which one more connection is allowed.
const CALM_WINDOWS: u8 = 3;
/// The soft target on a network that is to be spared.
const CONSTRAINED_SOFT: u16 = 6;

/// Who sees the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Sight {
    #[default]
    Visible,
    /// Nobody, since a moment: it may be looked at again at once.
    Leaving,
    /// Nobody.
    Hidden,
}

/// How short memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(in crate::manager) enum MemoryLevel {
    /// Up to 70 % is used.
    #[default]
    Calm,
    /// More: the soft target falls.
    Pressure,
    /// More than 85 %: targets may break.
    Hard,
    /// More than 95 %: minima may break.
    Critical,
}

impl MemoryLevel {
    fn of(used: u64, limit: u64) -> Self {
        let percent = u128::from(used) * 100;
        let over = |part: u128| percent > u128::from(limit) * part;
        if limit == 0 {
            Self::Calm
        } else if over(95) {
            Self::Critical
        } else if over(85) {
            Self::Hard
        } else if over(70) {
            Self::Pressure
        } else {
            Self::Calm
        }
    }
}

/// What memory said in a window; the last of these that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Reading {
    #[default]
    Nothing,
    /// It is short, and what is too much was not gone yet.
    Early,
    /// There is enough.
    Calm,
    /// It is short, whatever was closed for it.
    Pressure,
}

/// Additive increase, multiplicative decrease of the soft target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Descent {
    /// What memory allows now.
    soft: u16,
    /// What memory said in this window.
    told: Reading,
    /// Windows without, in a row.
    calm: u8,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Environment {
    sight: Sight,
    constrained: bool,
    memory: MemoryLevel,
    /// `None`: memory asks for nothing.
    descent: Option<Descent>,
    /// The page sleeps, as far as it told.
    frozen: bool,
}

impl Environment {
    /// How short memory is.
    pub(in crate::manager) fn memory(&self) -> MemoryLevel {
        self.memory
    }

    /// The page tells that it sleeps, or it is awake. Returns whether it slept until now.
    pub(in crate::manager::machine) fn set_frozen(&mut self, frozen: bool) -> bool {
        core::mem::replace(&mut self.frozen, frozen)
    }

    /// Whether it told that it sleeps.
    pub(in crate::manager) fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// Nobody saw the page for a while.
    pub(in crate::manager) fn is_hidden(&self) -> bool {
        self.sight == Sight::Hidden
    }

    /// Somebody sees the page.
    pub(in crate::manager) fn is_visible(&self) -> bool {
        self.sight == Sight::Visible
    }

    /// Dials that may be under way at once (4.7): 6, 3 or 1 with the defaults.
    pub(in crate::manager) fn in_flight(&self, config: &Config) -> usize {
        if self.is_hidden() {
            1
        } else if self.constrained {
            config.dials_in_flight.div_ceil(2)
        } else {
            config.dials_in_flight
        }
    }

    /// How fast tokens come back, in millionths of one for each millisecond (4.7): 2, 1 or 0.2 a second with the
    /// defaults.
    pub(in crate::manager) fn dial_rate(&self, config: &Config) -> u64 {
        let full = u64::from(config.dial_tokens_per_s) * 1_000;
        if self.is_hidden() {
            full / 10
        } else if self.constrained {
            full / 2
        } else {
            full
        }
    }

    /// Whether anything limits the soft target.
    fn adapts(&self) -> bool {
        self.is_hidden() || self.constrained || self.descent.is_some()
    }
}

impl Manager {
    pub(in crate::manager) fn on_visibility(&mut self, hidden: bool) {
        let before = self.environment.is_hidden();
        if !hidden {
            if self.environment.sight != Sight::Visible {
                self.outage
                    .probe_soon(&self.config, &self.seed, self.now.mono_ms);
            }
            self.environment.sight = Sight::Visible;
            self.deadlines.clear(Timer::Hidden);
            // Whoever is looked at again may have been left alone for long.
            self.doubt_the_silent();
        } else if self.environment.sight == Sight::Visible {
            self.environment.sight = Sight::Leaving;
            let at = self.now.mono_ms.saturating_add(HIDDEN_MS);
            self.deadlines.set(Timer::Hidden, at);
        }
        if before {
            self.set_pace();
            self.adapt(LimitCause::Calm);
            // Signs of life are asked for more often from now on.
            self.rearm_pings();
        }
    }

    /// Nobody saw the page for a minute.
    pub(in crate::manager) fn hidden_for_long(&mut self) {
        self.environment.sight = Sight::Hidden;
        self.set_pace();
        self.adapt(LimitCause::Hidden);
    }

    /// The network is to be spared, or no longer.
    pub(in crate::manager) fn set_constrained(&mut self, constrained: bool) {
        if self.environment.constrained == constrained {
            return;
        }
        self.environment.constrained = constrained;
        self.set_pace();
        self.adapt(if constrained {
            LimitCause::Constrained
        } else {
            LimitCause::Calm
        });
    }

    pub(in crate::manager) fn on_memory(&mut self, used: u64, limit: u64) {
        let level = MemoryLevel::of(used, limit);
        let before = core::mem::replace(&mut self.environment.memory, level);
        if level >= MemoryLevel::Hard {
            self.regulation.ask(Trigger::Pressure);
        }
        let settled = self.is_settled();
        match &mut self.environment.descent {
            Some(descent) => {
                descent.told = descent.told.max(match level {
                    MemoryLevel::Calm => Reading::Calm,
                    _ if settled => Reading::Pressure,
                    _ => Reading::Early,
                });
                if before > MemoryLevel::Calm || level > MemoryLevel::Calm {
                    self.await_window();
                }
            }
            None if level > MemoryLevel::Calm => {
                self.environment.descent = Some(Descent {
                    soft: u16::try_from(self.limits.soft()).unwrap_or(u16::MAX),
                    told: Reading::Nothing,
                    calm: 0,
                });
                self.descend();
                self.await_window();
            }
            None => {}
        }
    }

    /// A window ended: less after pressure, more after enough calm.
    pub(in crate::manager) fn window_ends(&mut self) {
        let floor = self.needed();
        let wanted = self.limits.wanted_soft();
        let pressed = self.environment.memory > MemoryLevel::Calm;
        let settled = self.is_settled();
        let Some(descent) = &mut self.environment.descent else {
            return;
        };
        let told = core::mem::take(&mut descent.told);
        if told == Reading::Pressure || (told < Reading::Calm && pressed) {
            descent.calm = 0;
            // At the floor nothing is left to do until memory is told to be calm.
            let more = descent.soft > floor;
            // The last step takes effect first: or else each window takes a quarter for the same pressure (E8).
            if more && settled && told != Reading::Early {
                self.descend();
            }
            if more || !pressed {
                self.await_window();
            }
            return;
        }
        descent.calm += 1;
        if descent.calm < CALM_WINDOWS {
            self.await_window();
            return;
        }
        descent.calm = 0;
        descent.soft = descent.soft.saturating_add(1);
        if descent.soft >= wanted {
            self.environment.descent = None;
        } else {
            self.await_window();
        }
        self.adapt(LimitCause::Calm);
    }

    /// Whether everything that is too much is gone: what memory says then, it says of what is left.
    fn is_settled(&self) -> bool {
        self.over_soft() == 0 && self.connections.iter().all(|(_, conn)| conn.is_open())
    }

    fn await_window(&mut self) {
        if !self.deadlines.is_set(Timer::Window) {
            let at = self.now.mono_ms.saturating_add(WINDOW_MS);
            self.deadlines.set(Timer::Window, at);
        }
    }

    /// A quarter less, not below what is needed.
    fn descend(&mut self) {
        let floor = self.needed();
        if let Some(descent) = &mut self.environment.descent {
            descent.soft = (descent.soft - (descent.soft / 4).max(1)).max(floor);
        }
        self.adapt(LimitCause::Memory);
        self.regulation.ask(Trigger::Pressure);
    }

    pub(in crate::manager) fn on_set_limits(&mut self, soft: Option<u16>, hard: Option<u16>) {
        self.limits.want(soft, hard);
        self.adapt(LimitCause::User);
    }

    /// What is needed changes with what is connected: the limits that the environment set follow. Returns whether they
    /// changed.
    pub(in crate::manager) fn readapt(&mut self) -> bool {
        // Nothing is urgent while nobody looks and everything is there: few wake-ups do.
        self.deadlines.lazy = self.environment.is_hidden() && !self.needs.short();
        if !self.environment.adapts() {
            return false;
        }
        self.adapt(if self.environment.is_hidden() {
            LimitCause::Hidden
        } else if self.environment.descent.is_some() {
            LimitCause::Memory
        } else {
            LimitCause::Constrained
        })
    }

    /// Works out the limits that hold now; whether they changed.
    fn adapt(&mut self, why: LimitCause) -> bool {
        let (mut soft, mut hard) = (self.limits.wanted_soft(), self.limits.wanted_hard());
        if self.environment.adapts() {
            let needed = self.needed();
            let environment = &self.environment;
            if environment.constrained {
                soft = soft.min(CONSTRAINED_SOFT);
            }
            if environment.is_hidden() {
                soft = soft.min(needed.saturating_add(1));
            }
            if let Some(descent) = environment.descent {
                soft = soft.min(descent.soft);
            }
            soft = soft.max(needed.min(self.limits.wanted_soft()));
            // Connections that are wanted but not needed are no reason to break targets: only a dear network lowers the
            // cap too.
            if environment.constrained {
                hard = hard.min(room_above(soft.max(CONSTRAINED_SOFT)));
            }
        }
        if !self.limits.set(soft, hard) {
            return false;
        }
        self.ring.push(self.now, What::Limits { soft, hard, why });
        self.give_up_dials();
        if self.connections.len() > self.limits.hard() {
            self.regulation.ask(Trigger::OverHard);
        }
        self.reallocate();
        true
    }

    /// Dials beyond the hard cap are given up at once: the last first, those of the user last of all (S1).
    fn give_up_dials(&mut self) {
        let mut dialing: Vec<_> = self
            .dials
            .iter()
            .map(|(ix, job)| (job.urgent, core::cmp::Reverse(job.began_at), ix))
            .collect();
        sort_short_by_key(&mut dialing, |entry| *entry);
        for (_, _, ix) in dialing {
            if self.occupied() <= self.limits.hard() {
                break;
            }
            self.cancel_dial(ix);
        }
    }

    /// How many connections the minima need (G_need of 4.14): a small cover of all minima by the connections that serve,
    /// what nobody serves yet, and one to replace before breaking. What the user holds is there in any case.
    fn needed(&self) -> u16 {
        let mut missing: Vec<u8> = self
            .needs
            .ids()
            .map(|id| self.needs.need(id).map_or(0, |need| need.min))
            .collect();
        let mut serving: Vec<(bool, Services)> = self
            .connections
            .open()
            .map(|(_, conn)| {
                let held = self.table.get(conn.ix).is_some_and(|peer| peer.pinned());
                (held, conn.serving)
            })
            .collect();
        let worth = |serving: Services, missing: &[u8]| {
            let wanted = |id: &RequirementId| missing[usize::from(id.0)] > 0;
            serving.iter().filter(wanted).count()
        };
        let mut count = 0_u16;
        while let Some(place) = (0..serving.len()).max_by_key(|place| {
            let (held, services) = serving[*place];
            (held, worth(services, &missing), core::cmp::Reverse(*place))
        }) {
            let (held, services) = serving.swap_remove(place);
            if !held && worth(services, &missing) == 0 {
                break;
            }
            count = count.saturating_add(1);
            for id in services.iter() {
                let left = &mut missing[usize::from(id.0)];
                *left = left.saturating_sub(1);
            }
        }
        // Whoever comes may serve one thing alone.
        let unserved: u16 = missing.into_iter().map(u16::from).sum();
        count.saturating_add(unserved).saturating_add(1)
    }

    /// Whether the limits keep to the rules (E8).
    pub(in crate::manager) fn check_limits(&self) {
        let (soft, wanted) = (self.limits.soft(), usize::from(self.limits.wanted_soft()));
        assert!(soft <= wanted, "nobody wants more than the user");
        assert!(soft <= self.limits.hard(), "the hard cap is above");
        assert_eq!(
            self.deadlines.is_set(Timer::Hidden),
            self.environment.sight == Sight::Leaving
        );
        if self.environment.descent.is_none() {
            assert!(!self.deadlines.is_set(Timer::Window));
        }
        if !self.environment.adapts() {
            assert_eq!(soft, wanted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_judged_by_its_share_and_no_limit_is_calm() {
        for (used, limit, level) in [
            (0, 0, MemoryLevel::Calm),
            (9, 0, MemoryLevel::Calm),
            (70, 100, MemoryLevel::Calm),
            (71, 100, MemoryLevel::Pressure),
            (86, 100, MemoryLevel::Hard),
            (96, 100, MemoryLevel::Critical),
            (u64::MAX, u64::MAX, MemoryLevel::Critical),
            (u64::MAX, 1, MemoryLevel::Critical),
        ] {
            assert_eq!(MemoryLevel::of(used, limit), level, "{used} of {limit}");
        }
    }
}
