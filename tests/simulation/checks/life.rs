//! Signs of life (4.8, as settled): who misses one serves nothing until it is heard again, and is asked again at once.
//!
//! The rule in full: a ping has between one second and three to be answered, or up to five when everybody is asked after
//! sleep, on another network, or because dials fail everywhere. When no answer to the last ping comes in time, the
//! connection counts for no requirement and a second ping goes out in the same input; when that is missed too, it is
//! closed. While the browser says that there is no network nothing is counted.

use lightkeeper::manager::{Command, Event};

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
        self.missed &= !scene.ledger.offline && !scene.ledger.resumed() && !due;
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
