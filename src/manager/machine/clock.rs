//! What time it is, when the shell is to come back, and whether the machine slept (4.14).

use crate::manager::boundary::event::Time;
use crate::manager::{Manager, Run};

impl Manager {
    /// When to call `handle(Event::Tick)`, in monotonic milliseconds. `None`: nothing is pending.
    pub fn next_deadline(&self) -> Option<u64> {
        if self.run == Run::Stopped && self.connections.is_empty() && self.dials.is_empty() {
            // Peers that wait are looked at when the node starts.
            return self.deadlines.next_while_stopped();
        }
        self.deadlines.next()
    }

    /// How long the shell may wait at most before it compares the clocks by [`Self::has_slept`], in milliseconds: nothing
    /// else may tell that the machine slept, when its clock slept too. `None`: there is no hurry.
    pub fn clock_look_ms(&self) -> Option<u64> {
        let idle = self.run == Run::Stopped || self.environment.is_hidden();
        (!idle && self.config.clock_look_ms > 0).then_some(self.config.clock_look_ms)
    }

    /// Whether the wall clock ran so much further than the monotonic one since the last input that the machine must
    /// have slept: then `handle(Event::Tick)` is due, whatever [`Self::next_deadline`] says (4.14).
    pub fn has_slept(&self, now: Time) -> bool {
        let ran = now.wall_ms.saturating_sub(self.now.wall_ms);
        let drift = ran.saturating_sub(now.mono_ms.saturating_sub(self.now.mono_ms));
        drift > self.config.resume_drift_ms
    }

    /// Moves the clock; whether the machine seems to have slept.
    pub(in crate::manager) fn advance(&mut self, now: Time) -> bool {
        let mono = now.mono_ms.max(self.now.mono_ms);
        let wall = now.wall_ms.max(self.now.wall_ms);
        let due = self.next_deadline();
        let late = due.is_some_and(|due| mono.saturating_sub(due) >= self.config.resume_late_ms);
        let slept = self.has_slept(now);
        self.now = Time {
            mono_ms: mono,
            wall_ms: wall,
        };
        if let Some(due) = due.filter(|_| !late) {
            self.gauges.late(mono.saturating_sub(due));
        }
        late || slept
    }

    /// The wall clock at a monotonic moment to come.
    pub(in crate::manager) fn wall_at(&self, mono: u64) -> u64 {
        let ahead = mono.saturating_sub(self.now.mono_ms);
        self.now.wall_ms.saturating_add(ahead)
    }
}
