//! Signs of life, and the good record that they earn.

use super::Manager;
use super::command::Command;
use super::connections::{Conn, Pinging};
use super::deadlines::Timer;
use super::event::ConnId;
use super::reason::Reason;

/// Whoever was heard within this is not doubted, in milliseconds: what is asked for came already.
const DOUBT_MS: u64 = 250;

impl Manager {
    /// An answer. One to an earlier ping, of before a sleep perhaps, says nothing of now.
    pub(super) fn on_pong(&mut self, conn: ConnId, ping: u32, rtt_ms: u32) {
        let Some(open) = self.connections.get(conn).filter(|c| c.ping == ping) else {
            return;
        };
        if let Some(peer) = self.table.get_mut(open.ix) {
            peer.rtt_ms = Some(rtt_ms);
        }
        self.lives(conn, self.now.mono_ms);
    }

    /// Bytes came. What came before a ping went out does not answer it.
    pub(super) fn on_heard(&mut self, conn: ConnId, silent_ms: u32) {
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
    pub(super) fn on_doubt(&mut self, conn: ConnId) {
        let Some(open) = self.connections.get(conn) else {
            return;
        };
        let silence = self.now.mono_ms.saturating_sub(open.heard_at);
        let asked = open.pinging == Pinging::Waiting;
        if !asked && silence >= DOUBT_MS && !self.outage.is_offline() {
            self.ping(conn, self.config.ping_timeout_ms);
        }
    }

    /// A sign of life: nobody waits for one any more.
    fn lives(&mut self, conn: ConnId, at: u64) {
        let Some(open) = self.connections.get_mut(conn) else {
            return;
        };
        open.pinging = Pinging::Idle;
        open.ping_failures = 0;
        open.pongs = open.pongs.saturating_add(1);
        open.heard_at = open.heard_at.max(at);
        self.deadlines.clear(Timer::Pong(conn));
        self.outage.heard();
        self.healthy(conn);
    }

    pub(super) fn on_ping_failed(&mut self, conn: ConnId, ping: u32) {
        let last = |open: &&mut Conn| open.is_open() && open.ping == ping;
        let Some(open) = self.connections.get_mut(conn).filter(last) else {
            return;
        };
        if open.pinging == Pinging::Idle {
            return;
        }
        open.pinging = Pinging::Idle;
        self.deadlines.clear(Timer::Pong(conn));
        if self.outage.is_offline() {
            return;
        }
        open.ping_failures = open.ping_failures.saturating_add(1);
        if open.ping_failures >= self.config.ping_failures {
            self.close(conn, Reason::PingTimeout);
        } else {
            self.ping(conn, self.config.ping_timeout_ms);
        }
    }

    /// Asks for a sign of life.
    pub(super) fn ping(&mut self, conn: ConnId, timeout_ms: u32) {
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
        let idle_ms = self.environment.ping_idle_ms(&self.config);
        let idle_at = self.now.mono_ms.saturating_add(idle_ms);
        self.deadlines.set(Timer::Ping(conn), idle_at);
    }

    /// A connection that lasted and worked clears its peer's record. Only the connection's own uptime counts (F8).
    pub(super) fn healthy(&mut self, conn: ConnId) {
        let Some(open) = self.connections.get(conn) else {
            return;
        };
        let uptime = self.now.mono_ms.saturating_sub(open.opened_at);
        if uptime < self.config.healthy_ms || (open.successes == 0 && open.pongs < 2) {
            return;
        }
        if let Some(peer) = self.table.get_mut(open.ix) {
            peer.level = 0;
            peer.flap = 0;
            peer.prunes = 0;
        }
    }
}
