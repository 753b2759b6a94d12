//! L4 for locks, bursts and offers: each leaves its state in time, whatever its holder says or the shell loses.

use super::{Invariant, Scene, Verdict, ensure};
use crate::ledger_claims::Hold;
use crate::view::Input;

/// See the module.
pub(crate) struct InTime;

impl Invariant for InTime {
    fn id(&self) -> &'static str {
        "L4"
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        if !matches!(scene.input, Some(Input::Event(_))) || scene.more_is_due() {
            return Ok(());
        }
        let (now, claims) = (scene.now(), &scene.ledger.claims);
        let woken = scene.view.next_deadline.unwrap_or(u64::MAX);
        let in_time = |until: u64, what: &dyn Fn() -> String| -> Verdict {
            ensure!(now < until, "{} was to be over at {until}", what());
            ensure!(woken <= until, "nobody ends {} at {until}", what());
            Ok(())
        };
        for (id, lock) in &claims.locks {
            if let Hold::Held { until } = lock.hold {
                in_time(until, &|| format!("{id:?}"))?;
            }
        }
        for (id, burst) in &claims.bursts {
            if burst.closed_at.is_none() {
                in_time(burst.until, &|| format!("{id:?}"))?;
            }
        }
        for protocol in &scene.view.protocols {
            let Some(id) = protocol.enrollment.filter(|_| protocol.offered.is_some()) else {
                continue;
            };
            let Some(enrolled) = claims.enrolled.get(&id) else {
                return Err(format!("{id:?} has an offer, and was not told"));
            };
            let until = enrolled.since.saturating_add(enrolled.spec.answer_ms);
            in_time(until, &|| format!("the offer to {id:?}"))?;
        }
        Ok(())
    }
}
