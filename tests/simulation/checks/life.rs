//! Signs of life (4.8, as settled): who misses one serves nothing until it is heard again, and is asked again at once.
//!
//! The rule in full: a ping has between one second and three to be answered, or up to five when everybody is asked after
//! sleep, on another network, or because dials fail everywhere. When no answer to the last ping comes in time, the
//! connection counts for no requirement and a second ping goes out in the same input; when that is missed too, it is
//! closed. While the browser says that there is no network nothing is counted.
//!
//! So a connection that is really dead is closed after the silence at which it is asked and two pings: 5 s where
//! something depends on it and somebody sees the page, 25 s else.

use std::collections::BTreeMap;

use libp2p_identity::PeerId;
use lightkeeper::manager::{Command, ConnId, Event, Outcome};

use super::{Invariant, Scene, Verdict, ensure};
use crate::orders::parting;
use crate::view::Input;

/// See the module.
#[derive(Default)]
pub(crate) struct Asked {
    /// Whether the input says that the last ping of an open connection was not answered, and nothing else can have
    /// happened with it.
    missed: bool,
}

impl Invariant for Asked {
    fn id(&self) -> &'static str {
        "4.8"
    }

    fn before(&mut self, scene: &Scene<'_>) -> Verdict {
        self.missed = false;
        if let Some(Input::Event(Event::PingFailed { conn, ping })) = scene.input
            && let Some(record) = scene.ledger.conns.get(conn)
        {
            let last = record.ping == *ping && record.unanswered > 0;
            self.missed = last && record.closing.is_none();
        }
        Ok(())
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        let due = scene.deadline_passed(scene.now());
        self.missed &= !scene.ledger.hint.believed && !scene.ledger.resumed() && !due;
        Ok(())
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        if let Command::Ping { timeout_ms, .. } = command {
            let config = scene.config;
            let most = config.ping_timeout_ms.max(config.ping_resume_timeout_ms);
            ensure!(
                (config.ping_timeout_min_ms..=most).contains(timeout_ms),
                "{command:?} has another time to be answered"
            );
        }
        Ok(())
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        let Some(Input::Event(Event::PingFailed { conn, .. })) = scene.input else {
            return Ok(());
        };
        let Some(record) = scene.ledger.conns.get(conn).filter(|_| self.missed) else {
            return Ok(());
        };
        let mut orders = scene.commands.iter();
        if orders.any(|order| parting(order).is_some_and(|(gone, ..)| gone == *conn)) {
            return Ok(());
        }
        let mut orders = scene.commands.iter();
        let again =
            orders.any(|order| matches!(order, Command::Ping { conn: to, .. } if to == conn));
        ensure!(
            again,
            "{conn:?} missed a sign of life and is not asked again"
        );
        let only = scene.ledger.conns_of(&record.peer).len() == 1;
        let mut needs = scene.view.requirements.iter();
        ensure!(
            !only || !needs.any(|view| view.peers.contains(&record.peer)),
            "{} missed a sign of life and serves on",
            record.peer
        );
        Ok(())
    }
}

/// A connection that is really dead is not kept.
#[derive(Default)]
pub(crate) struct Buried {
    /// Dead connections: since when nothing was heard of each, and the time since then that the manager could use.
    dead: BTreeMap<ConnId, Grave>,
    last: Option<u64>,
}

#[derive(Clone, Copy)]
struct Grave {
    since: u64,
    usable_ms: u64,
    /// Something depended on it and somebody saw the page, all the time.
    needed: bool,
}

/// Pings that are missed before a connection is closed.
const PINGS: u64 = 2;
/// Deadlines of a page that nobody sees come together once a minute (4.14).
const TOGETHER_MS: u64 = 60_000;

impl Buried {
    /// What the shell may say of a dead connection all the same, because it said it late, or twice.
    fn heard(event: &Event, scene: &Scene<'_>) -> Option<PeerId> {
        match event {
            Event::Report {
                outcome: Outcome::Broken | Outcome::Ours | Outcome::Withheld,
                ..
            } => None,
            Event::Identified { .. }
            | Event::Metadata { .. }
            | Event::Pong { .. }
            | Event::Heard { .. }
            | Event::Report { .. } => scene.ledger.subject(event),
            _ => None,
        }
    }

    /// How long a dead one may be kept.
    fn patience(grave: Grave, scene: &Scene<'_>) -> u64 {
        let (config, faults) = (scene.config, scene.truth.faults);
        let idle = if grave.needed {
            config.ping_idle_ms
        } else {
            config.ping_unused_ms
        };
        let lost = if faults.lose > 0 {
            config.watchdog_ms
        } else {
            0
        };
        let ping = u64::from(config.ping_resume_timeout_ms) + u64::from(faults.delay_ms) + lost;
        let together = if grave.needed { 0 } else { TOGETHER_MS };
        idle + PINGS * ping + (1 + PINGS) * together
    }
}

impl Invariant for Buried {
    fn id(&self) -> &'static str {
        "L7"
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        let now = scene.now();
        let passed = self.last.replace(now).map_or(0, |last| now - last);
        let Some(Input::Event(event)) = scene.input else {
            self.last = Some(now - passed);
            return Ok(());
        };
        // What the shell's timer is late by is not the manager's time.
        let late = scene
            .before
            .next_deadline
            .map(|due| now.saturating_sub(due));
        let usable = passed.saturating_sub(late.unwrap_or(0));
        let (ledger, truth) = (scene.ledger, scene.truth);
        let seen = !truth.hidden;
        let idle =
            ledger.hint.believed || ledger.steering.frozen || !ledger.running || !truth.awake;
        let gone = |conn: &ConnId| {
            let open = ledger.conns.get(conn).filter(|c| c.closing.is_none());
            open.filter(|_| truth.dead.contains(conn) && !idle)
                .is_some()
        };
        self.dead.retain(|conn, _| gone(conn));
        if let Some(peer) = Self::heard(event, scene) {
            let of = |conn: &ConnId| ledger.conns.get(conn).map(|conn| conn.peer);
            self.dead.retain(|conn, _| of(conn) != Some(peer));
        }
        for conn in truth.dead.iter().filter(|conn| gone(conn)) {
            let peer = ledger.conns[conn].peer;
            let mut needs = scene.before.requirements.iter();
            let needed = seen && needs.any(|view| view.peers.contains(&peer));
            match self.dead.get_mut(conn) {
                Some(grave) => {
                    grave.usable_ms += usable;
                    grave.needed &= needed;
                }
                None => {
                    let grave = Grave {
                        since: now,
                        usable_ms: 0,
                        needed,
                    };
                    self.dead.insert(*conn, grave);
                }
            }
        }
        Ok(())
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        if scene.more_is_due() || !matches!(scene.input, Some(Input::Event(_))) {
            return Ok(());
        }
        for (conn, grave) in &self.dead {
            let record = scene.ledger.conns.get(conn);
            let open = record.filter(|record| record.closing.is_none());
            let patience = Self::patience(*grave, scene);
            ensure!(
                open.is_none() || grave.usable_ms <= patience,
                "{conn:?} has been dead since {}, and is kept: {open:?}",
                grave.since
            );
        }
        Ok(())
    }
}
