//! S1, S9, R1: how many.

use std::collections::BTreeMap;

use lightkeeper::manager::Command;

use super::{Invariant, Scene, Verdict, ensure};
use crate::view::Input;

/// S1: connections and dials together never pass the hard cap, but for connections that nobody let in.
#[derive(Default)]
pub(crate) struct Hard {
    /// Since when the cap is what it is.
    lowered_at: Option<u64>,
}

/// After the cap was lowered, what is above it has this long to go: a round, and a drain (4.13).
const LOWERED_MS: u64 = 4_000;

impl Invariant for Hard {
    fn id(&self) -> &'static str {
        "S1"
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        let hard = usize::from(scene.view.stats.hard);
        let now = scene.now();
        if scene.view.stats.hard < scene.before.stats.hard {
            self.lowered_at = Some(now);
        }
        let ledger = scene.ledger;
        let admitted = ledger.conns.values().filter(|conn| conn.admitted).count();
        let flying = ledger.dials.len();
        let uninvited = ledger.conns.len() - admitted;
        let stats = &scene.view.stats;
        let counted = stats.open as usize + stats.dialing as usize;
        if admitted + flying <= hard && counted <= hard + uninvited {
            self.lowered_at = None;
            return Ok(());
        }
        // Locks have their grace, and closes their watchdog.
        let config = scene.config;
        let patience = LOWERED_MS + config.lock_grace_ms + config.close_ms;
        let lowered = self.lowered_at.is_some_and(|at| now <= at + patience);
        let more = scene
            .commands
            .iter()
            .any(|command| matches!(command, Command::Dial { .. }));
        ensure!(
            lowered && !more,
            "{admitted} connections, {flying} dials and {uninvited} uninvited; the manager counts {counted}, at most {hard}"
        );
        Ok(())
    }
}

/// S9: one connection for each peer, but for the time in which both ends may have dialed.
pub(crate) struct OneForEachPeer;

impl Invariant for OneForEachPeer {
    fn id(&self) -> &'static str {
        "S9"
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        if !matches!(scene.input, Some(Input::Event(_))) {
            return Ok(());
        }
        let mut oldest = BTreeMap::new();
        for (_, conn) in scene.ledger.open() {
            let Some(first) = oldest.insert(conn.peer, conn.opened_at) else {
                continue;
            };
            let until = conn.opened_at.max(first) + scene.config.duplicate_grace_ms;
            ensure!(
                scene.now() < until,
                "{} has had a second connection since {}",
                conn.peer,
                conn.opened_at
            );
        }
        Ok(())
    }
}

/// R1: tables are bounded, and so is what one input leads to.
pub(crate) struct Tables;

/// Every connection closed and every dial cancelled, with news of each, and a few deadlines.
const ORDERS: usize = 600;

impl Invariant for Tables {
    fn id(&self) -> &'static str {
        "R1"
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        let (known, most) = (scene.view.stats.known as usize, scene.config.max_peers);
        ensure!(known <= most, "{known} known peers, at most {most}");
        let orders = scene.commands.len();
        ensure!(orders <= ORDERS, "{orders} orders for one input");
        Ok(())
    }
}
