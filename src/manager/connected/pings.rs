//! Signs of life, and the good record that they earn.

use crate::manager::Manager;
use crate::manager::book::peer::Peer;
use crate::manager::boundary::command::Command;
use crate::manager::boundary::event::ConnId;
use crate::manager::boundary::reason::Reason;
use crate::manager::connected::connections::{Conn, Pinging};
use crate::manager::tools::deadlines::Timer;

/// Whoever was heard within this is not doubted, in milliseconds: what is asked for came already.
const DOUBT_MS: u64 = 250;
/// What an answer may take, in round trips: one, and what a lost packet costs.
const ROUND_TRIPS: u32 = 4;

impl Manager {
    /// An answer. One to an earlier ping, of before a sleep perhaps, says nothing of now.
    pub(in crate::manager) fn on_pong(&mut self, conn: ConnId, ping: u32, rtt_ms: u32) {
        let Some(open) = self.connections.get(conn).filter(|c| c.ping == ping) else {
            return;
        };
        if let Some(peer) = self.table.get_mut(open.ix) {
            peer.set_rtt_ms(rtt_ms);
        }
        self.lives(conn, self.now.mono_ms);
    }

    /// Bytes came. What came before a ping went out does not answer it.
    pub(in crate::manager) fn on_heard(&mut self, conn: ConnId, silent_ms: u32) {
        let at = self.now.mono_ms.saturating_sub(u64::from(silent_ms));
        let Some(open) = self.connections.get_mut(conn) else {
            return;
        };
        if open.pinging == Pinging::Waiting && at < open.pinged_at {
            open.heard_at = open.heard_at.max(at);
            return;
        }
        self.lives(conn, at);
    }

    /// A request takes long: is the peer still there? Nothing is asked while an answer is awaited, or just after one.
    pub(in crate::manager) fn on_doubt(&mut self, conn: ConnId) {
        let Some(open) = self.connections.get(conn) else {
            return;
        };
        let silence = self.now.mono_ms.saturating_sub(open.heard_at);
        let asked = open.is_asked();
        if !asked && silence >= DOUBT_MS {
            self.ping(conn, self.patience(conn));
        }
    }

    /// A sign of life: nobody waits for one any more, and it serves again if it did not for want of one.
    fn lives(&mut self, conn: ConnId, at: u64) {
        let Some(open) = self.connections.get_mut(conn) else {
            return;
        };
        let missed = core::mem::take(&mut open.ping_failures) > 0;
        open.pinging = Pinging::Idle;
        open.on_trial = false;
        open.pongs = open.pongs.saturating_add(1);
        open.heard_at = open.heard_at.max(at);
        self.deadlines.clear(Timer::Pong(conn));
        self.deadlines.clear(Timer::Trial(conn));
        self.somebody_answers();
        self.healthy(conn);
        if missed {
            self.reassess(conn);
        }
    }

    /// No answer in time. After the first its work goes to others at once, and it is asked again; it is closed only when
    /// it gives no answer then, so that a hiccup costs no connection (make before break).
    pub(in crate::manager) fn on_ping_failed(&mut self, conn: ConnId, ping: u32) {
        let last = |open: &&mut Conn| open.is_open() && open.ping == ping;
        let Some(open) = self.connections.get_mut(conn).filter(last) else {
            return;
        };
        if open.pinging == Pinging::Idle {
            return;
        }
        open.pinging = Pinging::Idle;
        self.deadlines.clear(Timer::Pong(conn));
        open.ping_failures = open.ping_failures.saturating_add(1);
        if self.outage.is_offline() {
            // It may outlive that, and is asked again in its time.
            self.reassess(conn);
        } else if open.on_trial || open.ping_failures >= self.config.ping_failures {
            self.close(conn, Reason::PingTimeout);
        } else {
            self.reassess(conn);
            self.ping(conn, self.patience(conn));
        }
    }

    /// Asks for a sign of life.
    pub(in crate::manager) fn ping(&mut self, conn: ConnId, timeout_ms: u32) {
        let Some(open) = self.connections.get_mut(conn).filter(|c| c.is_open()) else {
            return;
        };
        open.pinging = Pinging::Waiting;
        open.pinged_at = self.now.mono_ms;
        open.ping = open.ping.wrapping_add(1);
        self.out.order(Command::Ping {
            conn,
            ping: open.ping,
            timeout_ms,
        });
        let lost_at = self
            .now
            .mono_ms
            .saturating_add(u64::from(timeout_ms))
            .saturating_add(self.config.watchdog_ms);
        self.deadlines.set(Timer::Pong(conn), lost_at);
        self.ping_later(conn);
    }

    /// How long an answer may take: some round trips, as far as one is known.
    fn patience(&self, conn: ConnId) -> u32 {
        let most = self.config.ping_timeout_ms;
        let needs = self.rtt_ms(conn).map(|rtt| rtt.saturating_mul(ROUND_TRIPS));
        needs.map_or(most, |needs| {
            needs.max(self.config.ping_timeout_min_ms).min(most)
        })
    }

    /// How long a connection may be silent before it is asked for a sign of life: shorter while somebody sees the page and
    /// something depends on it.
    fn idle_ms(&self, conn: ConnId) -> u64 {
        let used = self.connections.get(conn).is_some_and(|open| {
            let held = self.table.get(open.ix).is_some_and(Peer::held);
            held || !open.serving.is_empty() || self.locked(conn) || self.bursts.holds(conn)
        });
        if used && !self.environment.is_hidden() {
            self.config.ping_idle_ms
        } else {
            self.config.ping_unused_ms
        }
    }

    /// Looks again when a connection that is silent from now on is silent for long.
    pub(in crate::manager) fn ping_later(&mut self, conn: ConnId) {
        let at = self.now.mono_ms.saturating_add(self.idle_ms(conn));
        self.deadlines.set(Timer::Ping(conn), at);
    }

    /// A connection may have been silent for too long.
    pub(in crate::manager) fn silent(&mut self, conn: ConnId) {
        let Some(open) = self.connections.get(conn).filter(|c| c.is_open()) else {
            return;
        };
        let silent_at = open.heard_at.saturating_add(self.idle_ms(conn));
        if open.pinging == Pinging::Waiting {
            self.ping_later(conn);
        } else if self.now.mono_ms < silent_at {
            self.deadlines.set(Timer::Ping(conn), silent_at);
        } else {
            self.ping(conn, self.patience(conn));
        }
    }

    /// What depends on connections changed: they are looked at when it is time now. Never before now: a deadline in the past
    /// would look like sleep.
    pub(in crate::manager) fn rearm_pings(&mut self) {
        for conn in self.connections.ids() {
            let Some(open) = self.connections.get(conn) else {
                continue;
            };
            if open.is_open() {
                // Whoever is asked already is looked at again when its answer is as old as that.
                let since = match open.pinging {
                    Pinging::Waiting => self.now.mono_ms,
                    Pinging::Idle => open.heard_at,
                };
                let at = since.saturating_add(self.idle_ms(conn));
                self.deadlines
                    .set(Timer::Ping(conn), at.max(self.now.mono_ms));
            }
        }
    }

    /// A connection that lasted and worked clears its peer's record. Only the connection's own uptime counts (F8).
    pub(in crate::manager) fn healthy(&mut self, conn: ConnId) {
        let Some(open) = self.connections.get(conn) else {
            return;
        };
        let uptime = self.now.mono_ms.saturating_sub(open.opened_at);
        if uptime < self.config.healthy_ms || (open.successes == 0 && open.pongs < 2) {
            return;
        }
        if let Some(peer) = self.table.get_mut(open.ix) {
            peer.healed();
        }
    }
}
