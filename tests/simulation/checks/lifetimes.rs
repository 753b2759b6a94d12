//! E2 and E1 where connections have a lifetime, and while the node is paused.

use libp2p_identity::PeerId;
use lightkeeper::manager::{Command, DialWhy, Reason};

use super::{Invariant, Scene, Verdict, ensure};
use crate::ledger_steering::Mode;
use crate::orders::parting;

/// E2: only what is old is rotated, seldom, and nothing that somebody keeps.
#[derive(Default)]
pub(crate) struct Rotates {
    /// When somebody was dialed to take over last, and who.
    last: Option<(u64, PeerId)>,
}

/// The age at which a connection may be replaced: up to a fifth before the lifetime (4.17).
fn ripe_ms(scene: &Scene<'_>) -> Option<u64> {
    let lifetime = scene.ledger.steering.lifetime_ms?;
    Some(lifetime - lifetime / 5)
}

impl Invariant for Rotates {
    fn id(&self) -> &'static str {
        "E2"
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let (ledger, now) = (scene.ledger, scene.now());
        let ripe = ripe_ms(scene);
        let is_ripe = |opened_at: u64| ripe.is_some_and(|ripe| now - opened_at >= ripe);
        if let Some((conn, Reason::LifetimeOver, _)) = parting(command)
            && let Some(record) = ledger.conns.get(&conn)
        {
            let age = now - record.opened_at;
            ensure!(
                is_ripe(record.opened_at),
                "{} was closed at the age of {age} ms, old is {ripe:?}",
                record.peer
            );
            let peer = ledger.peer(&record.peer);
            ensure!(
                !peer.is_bootstrap() && !ledger.steering.keeps(&record.peer),
                "{} has no lifetime and was closed for it",
                record.peer
            );
        }
        if let Command::Dial {
            peer,
            why: DialWhy::Rotation,
            ..
        } = command
        {
            // The next address of the same dial is no new one.
            let every = scene.config.swap_every_ms;
            let early = self.last.is_some_and(|(at, _)| now < at + every);
            if early && self.last.is_some_and(|(_, whom)| whom == *peer) {
                return Ok(());
            }
            let old = ledger.open().any(|(_, conn)| is_ripe(conn.opened_at));
            ensure!(old, "{peer} is dialed to take over and nobody is old");
            ensure!(!early, "{peer} is dialed to take over, too soon");
            self.last = Some((now, *peer));
        }
        Ok(())
    }
}

/// E1: whoever pauses keeps the connections: only limits, memory and their own ends close some.
pub(crate) struct Paused;

impl Invariant for Paused {
    fn id(&self) -> &'static str {
        "E1"
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        if scene.ledger.steering.mode != Mode::Paused {
            return Ok(());
        }
        let Some((conn, reason, _)) = parting(command) else {
            return Ok(());
        };
        let tidies = matches!(
            reason,
            Reason::NotNeeded
                | Reason::Surplus
                | Reason::HandedOff
                | Reason::LifetimeOver
                | Reason::FailedService
        );
        ensure!(!tidies, "{conn:?} was closed as {reason} while paused");
        Ok(())
    }
}
