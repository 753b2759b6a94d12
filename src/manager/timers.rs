//! Deadlines that passed.

use crate::manager::Manager;
use crate::manager::book::peer::Bar;
use crate::manager::boundary::reason::{CloseCause, DialFailure, Reason};
use crate::manager::tools::deadlines::Timer;
use crate::manager::{Command, ConnId};

/// Deadlines taken in one input: after a long sleep the rest follows with the next wake-up, which is due at once.
const MAX_DUE: usize = 256;

impl Manager {
    /// `slept`: the machine did, so that nobody is to blame for what did not come meanwhile (F6).
    pub(in crate::manager) fn fire_due(&mut self, slept: bool) {
        if slept {
            // All of them: whatever is left for the next input is no longer late then.
            for timer in self.deadlines.due_of_shell(self.now.mono_ms) {
                self.deadlines.clear(timer);
                self.excuse(timer);
            }
        }
        for _ in 0..MAX_DUE {
            let Some(timer) = self.deadlines.pop_due(self.now.mono_ms) else {
                break;
            };
            self.fire(timer);
        }
    }

    /// Ends a wait that the sleep made too long, without a charge.
    fn excuse(&mut self, timer: Timer) {
        match timer {
            Timer::Dial(dial) => {
                self.out.order(Command::CancelDial { dial });
                self.on_dial_failed(dial, DialFailure::Cancelled, None);
            }
            Timer::Identify(conn) => {
                let at = self.now.mono_ms.saturating_add(self.config.identify_ms);
                self.deadlines.set(timer, at);
                debug_assert!(self.connections.get(conn).is_some(), "timers end with them");
            }
            // Waking up pings everybody, with less patience than this would.
            Timer::Ping(conn) => self.ping_later(conn),
            Timer::Pong(conn) => {
                // The same.
                self.connections.excuse_ping(conn);
            }
            _ => {}
        }
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Dial(dial) => {
                self.out.order(Command::CancelDial { dial });
                self.on_dial_failed(dial, DialFailure::Timeout, None);
            }
            Timer::Closing(conn) => self.on_closed(conn, CloseCause::Ordered),
            Timer::Identify(conn) => self.close(conn, Reason::IdentifyFailed),
            Timer::Verify(conn) => self.unverified(conn),
            Timer::Duplicate(conn) => self.duplicate_over(conn),
            Timer::Ping(conn) => self.silent(conn),
            Timer::Pong(conn) => {
                if let Some(ping) = self.connections.get(conn).map(|open| open.ping) {
                    self.on_ping_failed(conn, ping);
                }
            }
            Timer::Trial(conn) => self.trial_drags_on(conn),
            Timer::Bar(ix) => {
                if self
                    .table
                    .get(ix)
                    .is_some_and(|peer| matches!(peer.bar(), Bar::Until { .. }))
                {
                    self.set_bar(ix, Bar::Open);
                }
            }
            Timer::Rest(ix, requirement) => self.end_rest(ix, requirement),
            Timer::Answer(enrollment) => self.on_accept_offer(enrollment),
            Timer::Offer(enrollment) => self.offer_due(enrollment),
            Timer::Lock(lock) => self.lock_over(lock),
            Timer::Burst(burst) => self.burst_due(burst),
            Timer::Sweep => self.place_some(),
            Timer::Hint(ix) => self.hints_over(ix),
            Timer::Bans => self.bans_over(),
            Timer::Quarantine => self.quarantine_over(),
            // These only say that it is time to decide again, as every input does.
            Timer::Plan | Timer::Regulate => {}
            Timer::Tidy => self.releases.look_again(),
            Timer::Quota => self.enrollments.look_again(),
            Timer::Evict => self.finish_evictions(),
            Timer::Hidden => self.hidden_for_long(),
            Timer::Window => self.window_ends(),
        }
    }

    /// A connection took its time to be verified: it no longer counts as cover on its way, and is given up in the end.
    fn unverified(&mut self, conn: ConnId) {
        let open = self.connections.get(conn).filter(|c| c.is_open());
        let Some(open) = open.filter(|open| !open.verified()) else {
            return;
        };
        if open.overdue {
            self.close(conn, Reason::IdentifyFailed);
            return;
        }
        self.connections.set_overdue(conn);
        let at = self.now.mono_ms.saturating_add(self.config.unverified_ms);
        self.deadlines.set(Timer::Verify(conn), at);
        self.reassess(conn);
    }
}
