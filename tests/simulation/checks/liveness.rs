//! L1 and L7, as far as one run can show: when the world is well, the minima hold again. Who serves is a matter of the
//! world, and not of what the manager believes.

use super::{Invariant, Scene, Verdict, ensure};

/// After this long every wait has ended: the longest backoff is an hour.
pub(crate) const RECOVERY_MS: u64 = 75 * 60_000;
/// A peer that comes and goes may cost a minimum for a moment.
const LAPSE_MS: u64 = 15 * 60_000;

/// See the module.
#[derive(Default)]
pub(crate) struct Met {
    held_at: Option<u64>,
}

impl Invariant for Met {
    fn id(&self) -> &'static str {
        "L1"
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        if scene.truth.minima {
            self.held_at = Some(scene.truth.t);
        }
        Ok(())
    }

    fn end(&mut self, scene: &Scene<'_>) -> Verdict {
        let Some(healed_at) = scene.truth.healed_at.filter(|_| scene.truth.viable) else {
            return Ok(());
        };
        let t = scene.truth.t;
        if t < healed_at + RECOVERY_MS || scene.truth.minima {
            return Ok(());
        }
        let lapse = self.held_at.is_some_and(|at| t - at <= LAPSE_MS);
        ensure!(
            lapse,
            "all is well since {healed_at}, and the minima last held at {:?}",
            self.held_at
        );
        Ok(())
    }
}
