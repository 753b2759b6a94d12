//! Deadlines that passed.

use super::Manager;
use super::connections::Pinging;
use super::deadlines::Timer;
use super::peer::Bar;
use super::reason::{CloseCause, DialFailure, Reason};
use super::{Command, ConnId};

/// Deadlines taken in one input: after a long sleep the rest follows with the next wake-up, which is due at once.
const MAX_DUE: usize = 256;

impl Manager {
    pub(super) fn fire_due(&mut self) {
        for _ in 0..MAX_DUE {
            let Some(timer) = self.deadlines.pop_due(self.now.mono_ms) else {
                break;
            };
            self.fire(timer);
        }
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Dial(dial) => {
                self.out.order(Command::CancelDial { dial });
                self.on_dial_failed(dial, DialFailure::Timeout);
            }
            Timer::Closing(conn) => self.on_closed(conn, CloseCause::Ordered),
            Timer::Identify(conn) => self.close(conn, Reason::IdentifyFailed),
            Timer::Verify(conn) => {
                if let Some(open) = self.connections.get_mut(conn) {
                    open.overdue = true;
                    self.reassess(conn);
                    self.untidy = true;
                }
            }
            Timer::Duplicate(conn) => self.close(conn, Reason::Duplicate),
            Timer::Ping(conn) => self.silent(conn),
            Timer::Pong(conn) => self.on_ping_failed(conn),
            Timer::Bar(ix) => {
                if self
                    .table
                    .get(ix)
                    .is_some_and(|peer| matches!(peer.bar, Bar::Until { .. }))
                {
                    self.set_bar(ix, Bar::Open);
                }
            }
            Timer::Rest(ix, requirement) => self.end_rest(ix, requirement),
            Timer::Answer(enrollment) => self.on_accept_offer(enrollment),
            Timer::Offer(enrollment) => self.offer_due(enrollment),
            Timer::Lock(lock) => self.lock_over(lock),
            Timer::Sweep => self.place_peers(),
            Timer::Hint(ix) => self.hints_over(ix),
            Timer::Bans => self.bans_over(),
            Timer::Quarantine => self.quarantine_over(),
            // These only say that it is time to decide again, as every input does.
            Timer::Plan => {}
            Timer::Tidy | Timer::Quota => self.untidy = true,
            Timer::Evict => self.finish_evictions(),
            Timer::Hidden => self.hidden_for_long(),
            Timer::Window => self.window_ends(),
        }
    }

    /// A connection may have been silent for too long.
    fn silent(&mut self, conn: ConnId) {
        let Some(open) = self.connections.get(conn).filter(|c| c.is_open()) else {
            return;
        };
        let now = self.now.mono_ms;
        let idle_ms = self.environment.ping_idle_ms(&self.config);
        let silent_at = open.heard_at.saturating_add(idle_ms);
        if self.outage.is_offline() || open.pinging == Pinging::Waiting {
            let again_at = now.saturating_add(idle_ms);
            self.deadlines.set(Timer::Ping(conn), again_at);
        } else if now < silent_at {
            self.deadlines.set(Timer::Ping(conn), silent_at);
        } else {
            self.ping(conn, self.config.ping_timeout_ms);
        }
    }
}
