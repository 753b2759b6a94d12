//! Connections that must prove that they live: after sleep, on what may be another network, beside one that was lost, when
//! the page is shown again, when all dials fail (4.8, 4.14).
//!
//! One unanswered ping closes them. Long before that others do their work.

use crate::manager::Manager;
use crate::manager::book::peer::Peer;
use crate::manager::boundary::event::ConnId;
use crate::manager::connected::connections::Conn;
use crate::manager::tools::deadlines::Timer;

/// What an answer after a resume may take at least, in milliseconds (4.14).
const LEAST_ANSWER_MS: u32 = 3_000;
/// After so many round trips without one others do its work, and not before this many milliseconds.
const SOON_ROUND_TRIPS: u32 = 4;
/// See [`SOON_ROUND_TRIPS`].
const SOON_MS: u32 = 500;
/// What it may take in round trips: three times as long as a connection takes that loses its first packets.
const ROUND_TRIPS: u32 = 12;

impl Manager {
    /// Asks every connection for a sign of life: one that gives none in its time is dead (4.14). Whoever answered fast
    /// before has less of it.
    pub(in crate::manager) fn ping_all(&mut self) {
        self.put_on_trial(0);
    }

    /// Something happened to one connection, or nobody looked for long: those that have been silent for a while may be dead
    /// without a word.
    pub(in crate::manager) fn doubt_the_silent(&mut self) {
        self.put_on_trial(self.config.suspect_silence_ms);
    }

    /// Whoever was silent for so long must answer one ping. Until it does, and after a moment, others do its work.
    fn put_on_trial(&mut self, silent_ms: u64) {
        let now = self.now.mono_ms;
        let most = self.config.ping_resume_timeout_ms;
        let silent: Vec<_> = self
            .connections
            .open()
            .filter(|(_, conn)| now.saturating_sub(conn.heard_at) >= silent_ms)
            .filter(|(_, conn)| silent_ms == 0 || !conn.on_trial)
            .map(|(id, conn)| (id, self.table.get(conn.ix).and_then(Peer::rtt_ms)))
            .collect();
        for (conn, rtt_ms) in silent {
            let needs = rtt_ms.map_or(most, |rtt| rtt.saturating_mul(ROUND_TRIPS));
            self.ping(conn, needs.max(LEAST_ANSWER_MS).min(most));
            if let Some(open) = self.connections.get_mut(conn) {
                open.on_trial = true;
            }
            let soon = rtt_ms.map_or(most, |rtt| rtt.saturating_mul(SOON_ROUND_TRIPS));
            let at = now.saturating_add(soon.max(SOON_MS).into());
            self.deadlines.set(Timer::Trial(conn), at);
        }
    }

    /// A connection that must answer has not done so for longer than it takes: it serves nothing until it does.
    pub(in crate::manager) fn trial_drags_on(&mut self, conn: ConnId) {
        let waits = |open: &&mut Conn| open.on_trial && open.is_asked();
        if let Some(open) = self.connections.get_mut(conn).filter(waits) {
            open.ping_failures = open.ping_failures.max(1);
            self.reassess(conn);
        }
    }

    /// Dials fail everywhere: who was silent for a while is asked whether the network works at all. Without an answer
    /// the connections end, and only then it is suspected: a few dead peers are no outage.
    pub(in crate::manager) fn ask_for_life(&mut self) {
        let groups = self.table.counts().groups();
        if !self.outage.doubts(&self.config, groups) {
            return;
        }
        let now = self.now.mono_ms;
        let silence = self.config.suspect_silence_ms;
        let silent: Vec<_> = self
            .connections
            .open()
            .filter(|(_, conn)| !conn.is_asked())
            .filter(|(_, conn)| now.saturating_sub(conn.heard_at) >= silence)
            .map(|(id, _)| id)
            .collect();
        for conn in silent {
            self.ping(conn, self.config.ping_resume_timeout_ms);
        }
    }
}
