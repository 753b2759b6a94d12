//! R3 and D4: what means nothing changes nothing.

use lightkeeper::manager::Event;

use super::{Invariant, Scene, Verdict, ensure};
use crate::view::Input;

/// Clocks before an input.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Clocks {
    pub(super) mono: u64,
    wall: u64,
}

impl Clocks {
    pub(super) fn of(scene: &Scene<'_>) -> Self {
        Self {
            mono: scene.ledger.handled_at,
            wall: scene.ledger.wall,
        }
    }

    /// Whether an input can have no effect but its own: no deadline passed since, and no clock jumped.
    pub(super) fn nothing_due(self, scene: &Scene<'_>) -> bool {
        let now = Self::of(scene);
        let drift = (now.wall - self.wall).saturating_sub(now.mono - self.mono);
        !scene.deadline_passed(now.mono) && drift <= scene.config.resume_drift_ms
    }
}

/// No order, and nothing that is read is another.
pub(super) fn unchanged(scene: &Scene<'_>, said: &str) -> Verdict {
    ensure!(
        scene.commands.is_empty(),
        "{said} led to {:?}",
        scene.commands
    );
    ensure!(
        scene.view.same(scene.before),
        "{said} changed what is read: {:?}, then {:?}",
        scene.before,
        scene.view
    );
    Ok(())
}

/// R3: events for ids that are no more, or never were, touch nobody.
#[derive(Default)]
pub(crate) struct Ignored {
    stale: bool,
    then: Clocks,
}

impl Invariant for Ignored {
    fn id(&self) -> &'static str {
        "R3"
    }

    fn before(&mut self, scene: &Scene<'_>) -> Verdict {
        let ledger = scene.ledger;
        self.then = Clocks::of(scene);
        self.stale = match scene.input {
            Some(Input::Event(event)) => match event {
                Event::DialFailed { dial, .. } => !ledger.dials.contains_key(dial),
                Event::Identified { conn, .. }
                | Event::Metadata { conn, .. }
                | Event::Closed { conn, .. }
                | Event::Pong { conn, .. }
                | Event::Heard { conn, .. }
                | Event::Doubt { conn }
                | Event::PingFailed { conn, .. } => !ledger.conns.contains_key(conn),
                Event::AcceptOffer { enrollment }
                | Event::Withdraw { enrollment }
                | Event::Scores { enrollment, .. } => {
                    !ledger.claims.enrolled.contains_key(enrollment)
                }
                Event::Unlock { lock } => !ledger.claims.locks.contains_key(lock),
                Event::CloseBurst { burst } => {
                    let burst = ledger.claims.bursts.get(burst);
                    burst.is_none_or(|burst| burst.closed_at.is_some())
                }
                _ => false,
            },
            _ => false,
        };
        Ok(())
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        if !self.stale || !self.then.nothing_due(scene) {
            return Ok(());
        }
        unchanged(scene, "a word about nobody")
    }
}

/// D4: a tick before anything is due changes nothing.
#[derive(Default)]
pub(crate) struct IdleTicks {
    then: Clocks,
}

impl Invariant for IdleTicks {
    fn id(&self) -> &'static str {
        "D4"
    }

    fn before(&mut self, scene: &Scene<'_>) -> Verdict {
        self.then = Clocks::of(scene);
        Ok(())
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        let tick = scene.input == Some(&Input::Event(Event::Tick));
        if !tick || !self.then.nothing_due(scene) {
            return Ok(());
        }
        unchanged(scene, "an idle tick")
    }
}
