//! S10: how fast.

use lightkeeper::manager::{Command, DialWhy, GateQuery};

use super::{Invariant, Scene, Verdict, ensure};
use crate::orders::endpoint;
use crate::view::Input;

/// A bucket of its own, in thousandths of a token, filled at the fastest rate that any profile allows.
#[derive(Default)]
pub(crate) struct Paced {
    level: Option<(u64, i64)>,
}

const TOKEN: i64 = 1_000;

impl Paced {
    fn take(&mut self, floor: i64, scene: &Scene<'_>) -> Verdict {
        let config = scene.config;
        let full = i64::from(config.dial_tokens) * TOKEN;
        let now = scene.now();
        let (then, level) = self.level.unwrap_or((now, full));
        let gained = (now - then).saturating_mul(u64::from(config.dial_tokens_per_s));
        let level = level.saturating_add_unsigned(gained).min(full) - TOKEN;
        self.level = Some((now, level));
        ensure!(
            level >= floor,
            "a dial too many: {level} thousandths of a token, at least {floor}"
        );
        Ok(())
    }
}

impl Invariant for Paced {
    fn id(&self) -> &'static str {
        "S10"
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        match scene.input {
            Some(Input::Gate(GateQuery::Outbound { .. }, Ok(()))) => self.take(0, scene),
            _ => Ok(()),
        }
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let Command::Dial { route, why, .. } = command else {
            return Ok(());
        };
        let ledger = scene.ledger;
        let flying = ledger.dials.len();
        let most = scene.config.dials_in_flight;
        ensure!(flying < most, "{flying} dials in flight, at most {most}");
        let place = endpoint(route);
        let busy = ledger
            .dials
            .values()
            .any(|dial| endpoint(&dial.route) == place);
        ensure!(!busy, "a second socket to {place}");
        let overdraft = i64::from(scene.config.dial_overdraft) * TOKEN;
        let floor = if *why == DialWhy::Requested {
            -overdraft
        } else {
            0
        };
        self.take(floor, scene)
    }
}
