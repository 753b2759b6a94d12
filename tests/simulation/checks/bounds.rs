//! S1, S9, R1: how many.

use std::collections::BTreeMap;

use lightkeeper::manager::Command;

use super::transports::stays;
use super::{Invariant, Scene, Verdict, ensure};
use crate::view::Input;

/// S1: connections and dials together never pass the hard cap, but for connections that nobody let in.
#[derive(Default)]
pub(crate) struct Hard {
    /// Since when the cap is what it is.
    lowered_at: Option<u64>,
}

/// After the cap was lowered, what is above it is ordered closed within a round, or the grace of its locks.
const ROUND_MS: u64 = 1_000;

impl Invariant for Hard {
    fn id(&self) -> &'static str {
        "S1"
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        if let Some(Input::Gate(_, Ok(()))) = scene.input {
            let ledger = scene.ledger;
            let there = ledger.conns.len() + ledger.dials.len();
            let hard = usize::from(scene.view.stats.hard);
            ensure!(
                there < hard,
                "one more is let in beside {there}, at most {hard}"
            );
        }
        Ok(())
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
        let Some(at) = self.lowered_at else {
            return Err(format!(
                "{admitted} connections, {flying} dials and {uninvited} uninvited; the manager counts {counted}, at most {hard}"
            ));
        };
        let mut orders = scene.commands.iter();
        let more = orders.any(|command| matches!(command, Command::Dial { .. }));
        ensure!(
            !more,
            "a dial, though {counted} are above {hard} since {at}"
        );
        // What waits for nothing was given up with the cap.
        ensure!(
            flying == 0,
            "{flying} dials though {counted} are above {hard}"
        );
        let config = scene.config;
        // From then on the drain runs, and the close has its watchdog (L4).
        let ordered_by = at + ROUND_MS + config.lock_grace_ms;
        let most = if ledger.open().count() > hard {
            0
        } else {
            usize::MAX
        };
        let mut open = ledger.open().skip(most);
        let late = open.find(|(_, record)| !stays(&record.peer, scene));
        ensure!(
            late.is_none() || now <= ordered_by,
            "{counted} are above {hard} since {at}: {late:?}"
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
