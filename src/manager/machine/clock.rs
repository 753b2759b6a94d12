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
        let waits = self.next_deadline().is_some();
        (!idle && waits && self.config.clock_look_ms > 0).then_some(self.config.clock_look_ms)
    }

    /// Whether the machine slept since the shell looked at the clocks last, at `looked`: then `handle(Event::Woke)` is due,
    /// before anything else (4.14). The wall clock ran further than the monotonic one; or, while somebody sees the page,
    /// the look comes much too late. Timers of hidden pages are late in any case.
    pub fn has_slept(&self, looked: Time, now: Time) -> bool {
        // Whatever came since showed that the page ran.
        let mono = now
            .mono_ms
            .saturating_sub(looked.mono_ms.max(self.now.mono_ms));
        let wall = now
            .wall_ms
            .saturating_sub(looked.wall_ms.max(self.now.wall_ms));
        let late = self
            .clock_look_ms()
            .filter(|_| self.environment.is_visible());
        let late = late.map(|look| look.saturating_add(self.config.resume_look_late_ms));
        wall.saturating_sub(mono) > self.config.resume_drift_ms
            || late.is_some_and(|late| mono > late)
    }

    /// Moves the clock; whether the machine seems to have slept: the clocks ran apart, or a deadline is missed by so much
    /// as no timer is late. The page ran at the last input: what was due before is late since then.
    pub(in crate::manager) fn advance(&mut self, now: Time) -> bool {
        let last = self.now;
        self.now = Time {
            mono_ms: now.mono_ms.max(last.mono_ms),
            wall_ms: now.wall_ms.max(last.wall_ms),
        };
        let ran = self.now.mono_ms - last.mono_ms;
        let drift = (self.now.wall_ms - last.wall_ms).saturating_sub(ran);
        let due = self.next_deadline();
        let lateness = due.map_or(0, |due| self.now.mono_ms.saturating_sub(due));
        let most = if self.environment.is_visible() {
            self.config.resume_late_ms
        } else {
            self.config.resume_hidden_late_ms
        };
        let late = lateness.min(ran) >= most;
        if !late {
            self.gauges.late(lateness);
        }
        late || drift > self.config.resume_drift_ms
    }

    /// The wall clock at a monotonic moment to come.
    pub(in crate::manager) fn wall_at(&self, mono: u64) -> u64 {
        let ahead = mono.saturating_sub(self.now.mono_ms);
        self.now.wall_ms.saturating_add(ahead)
    }
}
