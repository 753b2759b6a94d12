//! Asking for more peers: peer exchange and the record trees.
//!
//! Owns whom we asked and when, and whether a look-up of the trees runs. Both are rate limited; both are asked only while something is missing.

use litemap::LiteMap;

use crate::manager::Manager;
use crate::manager::boundary::command::Command;
use crate::manager::boundary::config::Config;
use crate::manager::boundary::event::ConnId;
use crate::manager::dialing::ladder::Others;
use crate::manager::tools::deadlines::Wake;
use crate::manager::tools::slot::Ix;

/// One peer that was asked.
#[derive(Debug, Clone, Copy)]
struct Asked {
    at: u64,
    conn: ConnId,
    /// The answer is still awaited.
    open: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Asking {
    peers: LiteMap<Ix, Asked>,
    /// A look-up of the trees runs.
    looks_up: bool,
    /// Then it is given up, or the next may begin.
    trees_at: u64,
    /// Look-ups in a row after which something was still missing.
    rounds: u8,
    /// The last look-up failed on every tree.
    failed: bool,
}

impl Asking {
    /// Whether a peer may be asked, and whether it was asked on this connection before.
    pub(in crate::manager) fn may_ask(
        &self,
        config: &Config,
        now: u64,
        ix: Ix,
        conn: ConnId,
    ) -> MayAsk {
        let Some(asked) = self.peers.get(&ix) else {
            return MayAsk::First;
        };
        let again_at = asked.at.saturating_add(config.exchange_every_ms);
        if asked.open || now < again_at {
            MayAsk::Later {
                at: again_at,
                first: asked.conn != conn,
            }
        } else if asked.conn == conn {
            MayAsk::Again
        } else {
            MayAsk::First
        }
    }

    /// A peer was asked. Records that limit nothing any more are dropped: `alive` says of a connection that it is.
    pub(in crate::manager) fn asked(
        &mut self,
        config: &Config,
        now: u64,
        ix: Ix,
        conn: ConnId,
        alive: &dyn Fn(ConnId) -> bool,
    ) {
        let every = config.exchange_every_ms;
        self.peers.retain(|_, asked| {
            asked.open || alive(asked.conn) || now < asked.at.saturating_add(every)
        });
        self.peers.insert(
            ix,
            Asked {
                at: now,
                conn,
                open: true,
            },
        );
    }

    /// The answer is in, or will not come.
    pub(in crate::manager) fn answered(&mut self, ix: Ix) {
        if let Some(asked) = self.peers.get_mut(&ix) {
            asked.open = false;
        }
    }

    /// Whether the next rung should wait for an answer, and until when.
    pub(in crate::manager) fn patience(&self, config: &Config, now: u64) -> Option<u64> {
        self.peers
            .values()
            .filter(|asked| asked.open)
            .map(|asked| asked.at.saturating_add(config.exchange_patience_ms))
            .filter(|until| now < *until)
            .max()
    }

    /// Gives up the answers that took too long. Returns when another will have, or when no rung waits for it any more.
    pub(in crate::manager) fn give_up(&mut self, config: &Config, now: u64) -> Option<u64> {
        let mut next: Option<u64> = None;
        for (_, asked) in self.peers.iter_mut().filter(|(_, asked)| asked.open) {
            let patience = asked.at.saturating_add(config.exchange_patience_ms);
            let given_up = asked.at.saturating_add(config.exchange_timeout_ms);
            if now >= given_up {
                asked.open = false;
                continue;
            }
            let due = if now < patience { patience } else { given_up };
            next = Some(next.map_or(due, |next| next.min(due)));
        }
        next
    }

    /// Whether a look-up of the trees runs.
    pub(in crate::manager) fn looking_up(&self) -> bool {
        self.looks_up
    }

    /// Whether the last look-up failed on every tree.
    pub(in crate::manager) fn trees_failed(&self) -> bool {
        self.failed
    }

    /// Whether a look-up was ever begun since the start.
    pub(in crate::manager) fn looked_up(&self) -> bool {
        self.looking_up() || self.rounds > 0
    }

    /// When a look-up may begin, or ends at the latest.
    pub(in crate::manager) fn trees_at(&self) -> u64 {
        self.trees_at
    }

    /// A look-up begins.
    pub(in crate::manager) fn look_up(&mut self, config: &Config, now: u64) {
        self.rounds = self.rounds.saturating_add(1);
        self.looks_up = true;
        self.trees_at = now.saturating_add(config.discover_timeout_ms);
    }

    /// It ended. The next waits longer each time that it was not enough.
    pub(in crate::manager) fn trees_done(&mut self, config: &Config, now: u64, failed: bool) {
        let wait = crate::manager::tools::backoff::doubled(
            config.discover_every_ms,
            self.rounds.max(1),
            config.discover_cap_ms,
        );
        self.failed = failed;
        self.looks_up = false;
        self.trees_at = now.saturating_add(wait);
    }

    /// Nothing is missing any more.
    pub(in crate::manager) fn satisfied(&mut self) {
        self.rounds = self.rounds.min(1);
    }

    /// The node starts, or has a network again.
    pub(in crate::manager) fn restart(&mut self) {
        self.rounds = 0;
        if !self.looks_up {
            self.trees_at = 0;
        }
    }

    /// The node stops: no answer matters any more.
    pub(in crate::manager) fn stop(&mut self) {
        self.looks_up = false;
        self.trees_at = 0;
        self.rounds = 0;
        for (_, asked) in self.peers.iter_mut() {
            asked.open = false;
        }
    }

    /// A record is forgotten.
    pub(in crate::manager) fn forget(&mut self, ix: Ix) {
        self.peers.remove(&ix);
    }
}

impl Manager {
    /// Connected peers that can name others: once for each connection, and again when nobody is left to dial.
    pub(in crate::manager::dialing) fn ask_peers(&mut self, wake: &mut Wake) {
        let now = self.now.mono_ms;
        // Who is given up may be asked again at once.
        self.asking.give_up(&self.config, now);
        let exhausted = self.anything_missing() && !self.candidates_for_deficits();
        let may: Vec<(Ix, ConnId, MayAsk)> = self
            .connections
            .open()
            .filter(|(_, conn)| conn.exchanges)
            .map(|(id, conn)| {
                let may = self.asking.may_ask(&self.config, now, conn.ix, id);
                (conn.ix, id, may)
            })
            .collect();
        for (ix, conn, may) in may {
            match may {
                MayAsk::First => {}
                MayAsk::Again if exhausted => {}
                MayAsk::Again => continue,
                MayAsk::Later { at, first } => {
                    if (exhausted || first) && at > now {
                        wake.by(at);
                    }
                    continue;
                }
            }
            let Some(peer) = self.table.get(ix).map(|peer| peer.id()) else {
                continue;
            };
            let alive = |conn| self.connections.get(conn).is_some();
            self.asking.asked(&self.config, now, ix, conn, &alive);
            self.out.order(Command::QueryPeers {
                conn,
                peer,
                count: self.config.exchange_count,
            });
        }
        if let Some(at) = self.asking.give_up(&self.config, now) {
            wake.by(at);
        }
    }

    /// The trees: at once when nobody is known, later when nobody serves, nobody is left, or nobody can be reached.
    pub(in crate::manager::dialing) fn look_up_trees(&mut self, others: Others, wake: &mut Wake) {
        if !self.config.has_dns {
            return;
        }
        let now = self.now.mono_ms;
        let at = self.asking.trees_at();
        if self.asking.looking_up() {
            if now < at {
                wake.by(at);
                return;
            }
            self.asking.trees_done(&self.config, now, true);
        }
        let s = self.situation(others);
        let nobody = !s.candidates && !s.pending && s.dialing == 0;
        let exhausted = s.deficit && nobody && !s.asking && self.ladder.is_empty();
        let head_start_ends = self
            .ladder
            .since()
            .saturating_add(self.config.head_start_ms);
        let late = !self.asking.looked_up() && !s.serving;
        let at = self.asking.trees_at();
        // Perhaps all is well but those who are known: then only others help.
        let suspect = self.outage.is_suspect();
        let due = exhausted || suspect || (late && now >= head_start_ends);
        if !due {
            if late {
                wake.by(head_start_ends);
            }
            return;
        }
        if now < at {
            wake.by(at);
            return;
        }
        self.asking.look_up(&self.config, now);
        wake.by(self.asking.trees_at());
        self.out.order(Command::Discover);
    }
}

/// Whether a peer may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum MayAsk {
    /// For the first time on this connection.
    First,
    /// Once more.
    Again,
    /// Not yet.
    Later {
        /// Not before then.
        at: u64,
        /// It was not asked on this connection yet.
        first: bool,
    },
}
