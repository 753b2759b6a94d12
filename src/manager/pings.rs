//! Signs of life, and the good record that they earn.

use super::Manager;
use super::command::Command;
use super::connections::Pinging;
use super::deadlines::Timer;
use super::event::ConnId;
use super::reason::Reason;

impl Manager {
    pub(super) fn on_pong(&mut self, conn: ConnId, rtt_ms: u32) {
        let now = self.now.mono_ms;
        let Some(open) = self.connections.get_mut(conn) else {
            return;
        };
        if open.pinging == Pinging::Waiting && u64::from(rtt_ms) > now - open.pinged_at {
            // It answers an earlier ping, of before a sleep perhaps.
            return;
        }
        open.pinging = Pinging::Idle;
        open.ping_failures = 0;
        open.pongs = open.pongs.saturating_add(1);
        open.heard_at = now;
        let ix = open.ix;
        self.deadlines.clear(Timer::Pong(conn));
        self.outage.heard();
        if let Some(peer) = self.table.get_mut(ix) {
            peer.rtt_ms = Some(rtt_ms);
        }
        self.healthy(conn);
    }

    pub(super) fn on_ping_failed(&mut self, conn: ConnId) {
        let Some(open) = self.connections.get_mut(conn).filter(|c| c.is_open()) else {
            return;
        };
        // No ping fails in the moment in which it is sent: an earlier one did.
        if open.pinging == Pinging::Idle || open.pinged_at == self.now.mono_ms {
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
        self.out.order(Command::Ping { conn, timeout_ms });
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
