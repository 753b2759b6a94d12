//! When a round of regulation begins (4.13). What it does is in `rounds`.
//!
//! Owns what asked for a round since the last one, and how long there has been too much. Nothing is pending while there
//! is nothing to do: no trigger polls. What only changes who may be closed (a lock that ends, say) is no trigger: what
//! is too much begins a round by itself.

use crate::manager::boundary::reason::Trigger;
use crate::manager::machine::environment::MemoryLevel;
use crate::manager::machine::modes::Mode;
use crate::manager::tools::deadlines::{Timer, Wake};
use crate::manager::{Manager, Run};

/// Rounds in one input: each closes something, and there are few connections.
const MAX_ROUNDS: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Regulation {
    asked: Vec<Trigger>,
    /// The number of the last round.
    round: u64,
    /// When the last round was.
    last_at: Option<u64>,
    /// Since when there are more connections than the soft target.
    over_since: Option<u64>,
    /// The plan found no room for what is missing.
    room_is_short: bool,
    /// Guards left nothing to close: not again before then, unless something changes.
    held_until: Option<u64>,
}

impl Regulation {
    /// Something asks for a round.
    pub(in crate::manager) fn ask(&mut self, trigger: Trigger) {
        if !self.asked.contains(&trigger) {
            self.asked.push(trigger);
        }
    }

    /// The plan finds no room for what is missing.
    pub(in crate::manager) fn lacks_room(&mut self) {
        self.room_is_short = true;
    }

    /// A round begins; its number.
    pub(in crate::manager::pruning) fn begin_round(&mut self, now: u64) -> u64 {
        self.round += 1;
        self.last_at = Some(now);
        self.held_until = None;
        self.round
    }

    /// Guards left nothing to close: not again before then, unless something changes.
    pub(in crate::manager::pruning) fn hold(&mut self, until: u64) {
        self.held_until = Some(until);
    }

    /// Whether guards left nothing to close.
    fn is_held(&self, now: u64) -> bool {
        self.held_until.is_some_and(|until| now < until)
    }
}

impl Manager {
    pub(in crate::manager) fn on_regulate(&mut self) {
        self.regulation.ask(Trigger::Manual);
    }

    /// Begins a round if something asks for one; runs after every input.
    pub(in crate::manager) fn regulate(&mut self) {
        let mut wake = Wake::default();
        if self.run == Run::Stopped || matches!(self.mode, Mode::Sync { .. }) {
            self.regulation.asked.clear();
            self.regulation.over_since = None;
        } else {
            if self.regulation.held_until.is_some() && self.is_changed() {
                self.regulation.held_until = None;
            }
            for _ in 0..MAX_ROUNDS {
                wake = Wake::default();
                let Some((trigger, makes_room)) = self.due(&mut wake) else {
                    break;
                };
                self.run_round(trigger, makes_room);
            }
        }
        self.deadlines.put(Timer::Regulate, wake.0);
    }

    /// Asks for room for what is missing, if the plan found none. Not again and again while there is none to be made.
    pub(in crate::manager) fn make_room(&mut self) {
        if !core::mem::take(&mut self.regulation.room_is_short) {
            return;
        }
        // Dials that end make room by themselves.
        let making = self.connections.iter().any(|(_, conn)| !conn.is_open());
        if making || !self.is_full() || self.regulation.is_held(self.now.mono_ms) {
            return;
        }
        self.regulation.ask(Trigger::DeficitAtLimit);
        self.regulate();
    }

    /// What was tidied up since is not too much any more.
    pub(in crate::manager) fn calm_down(&mut self) {
        if self.regulation.over_since.is_some() && self.over_soft() == 0 {
            self.regulation.over_since = None;
        }
    }

    /// What begins a round now, and whether that makes room for something.
    fn due(&mut self, wake: &mut Wake) -> Option<(Trigger, bool)> {
        let now = self.now.mono_ms;
        let enabled = |trigger: Trigger| self.config.triggers_off & (1 << trigger as u16) == 0;
        let paused = self.mode == Mode::Paused;
        // Paused, connections stay: only what can't wait is done.
        self.regulation.asked.retain(|trigger| {
            let pressing = matches!(
                trigger,
                Trigger::OverHard | Trigger::Pressure | Trigger::Manual
            );
            enabled(*trigger) && (pressing || !paused)
        });
        let held = self.regulation.is_held(now);
        match self.regulation.held_until {
            Some(until) if held => wake.by(until),
            _ => {}
        }
        if self.over_hard() > 0 && !held && enabled(Trigger::OverHard) {
            return Some((self.repeated(Trigger::OverHard), false));
        }
        let spaced = self
            .regulation
            .last_at
            .map_or(now, |at| at.saturating_add(self.config.round_every_ms));
        if let Some(trigger) = self.regulation.asked.iter().min().copied() {
            let urgent =
                trigger == Trigger::Pressure && self.environment.memory() >= MemoryLevel::Hard;
            if now >= spaced || urgent {
                let asked = core::mem::take(&mut self.regulation.asked);
                let makes_room = asked
                    .iter()
                    .any(|asked| matches!(asked, Trigger::DeficitAtLimit | Trigger::QuotaBreach));
                return Some((trigger, makes_room));
            }
            wake.by(spaced);
        }
        if paused || !enabled(Trigger::OverSoft) || self.over_soft() == 0 {
            self.regulation.over_since = None;
            return None;
        }
        let since = *self.regulation.over_since.get_or_insert(now);
        let debounced = since.saturating_add(self.config.over_soft_ms);
        let at = debounced
            .max(spaced)
            .max(self.regulation.held_until.unwrap_or(0));
        if now >= at {
            return Some((self.repeated(Trigger::OverSoft), false));
        }
        wake.by(at);
        None
    }

    /// What has been held back is tried again when it is time.
    fn repeated(&self, trigger: Trigger) -> Trigger {
        match self.regulation.held_until {
            Some(_) => Trigger::Timer,
            None => trigger,
        }
    }

    /// Connections that count: open, and not about to go.
    pub(in crate::manager) fn counted(&self) -> usize {
        let open = self.connections.open();
        open.filter(|(id, _)| !self.leaving.awaits(*id)).count()
    }

    /// Connections above the soft target. Those of bursts do not count towards it (4.10).
    pub(in crate::manager) fn over_soft(&self) -> usize {
        let counted = self.counted();
        let soft = self.limits.soft();
        if counted <= soft {
            return 0;
        }
        counted
            .saturating_sub(self.burst_connections())
            .saturating_sub(soft)
    }

    /// Whether there are as many connections as the soft target.
    pub(in crate::manager) fn is_full(&self) -> bool {
        self.counted() >= self.limits.soft().saturating_add(self.burst_connections())
    }

    /// Connections above the hard cap.
    pub(in crate::manager) fn over_hard(&self) -> usize {
        self.counted().saturating_sub(self.limits.hard())
    }
}
