//! S7: whom the user holds or protects is closed only for what is no fault of the limits.

use lightkeeper::manager::{Command, Reason};

use super::{Invariant, Scene, Verdict, ensure};
use crate::orders::{let_go, parting};

/// Memory use above which even these may go (phase 7), in percent.
const CRITICAL_PERCENT: u64 = 95;

/// See the module.
pub(crate) struct Kept;

impl Invariant for Kept {
    fn id(&self) -> &'static str {
        "S7"
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let ledger = scene.ledger;
        let Some((conn, reason, _)) = parting(command) else {
            return Ok(());
        };
        let Some(record) = ledger.conns.get(&conn) else {
            return Ok(());
        };
        if !ledger.steering.keeps(&record.peer) {
            return Ok(());
        }
        let for_others = let_go(reason)
            || matches!(
                reason,
                Reason::FailedService | Reason::TransportLimit | Reason::InitialSync
            );
        // Who came when there was no room was refused, not closed.
        let refused = record.opened_at == ledger.now;
        let critical =
            reason == Reason::MemoryPressure && ledger.steering.memory > CRITICAL_PERCENT;
        ensure!(
            !for_others || refused || critical,
            "{} is kept by the user and was closed as {reason}",
            record.peer
        );
        Ok(())
    }
}
