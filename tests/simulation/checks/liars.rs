//! A3: who does not serve what it claims stops counting.

use std::collections::BTreeMap;

use libp2p_identity::PeerId;
use lightkeeper::manager::{Event, HealthReason, Outcome, RequirementId};

use super::{Invariant, Scene, Verdict, ensure};
use crate::view::{Input, View};

/// See the module.
#[derive(Default)]
pub(crate) struct FoundOut {
    /// Failures in a row of those who count.
    failures: BTreeMap<(PeerId, RequirementId), u32>,
}

/// After so many nobody counts any more.
const PATIENCE: u32 = 3;

fn counts(view: &View, peer: &PeerId, requirement: RequirementId) -> bool {
    let mut all = view.requirements.iter();
    all.any(|view| view.id == requirement && view.peers.contains(peer))
}

impl Invariant for FoundOut {
    fn id(&self) -> &'static str {
        "A3"
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        // Who stopped counting has a chance of its own when it counts again.
        self.failures
            .retain(|(peer, requirement), _| counts(scene.before, peer, *requirement));
        let Some(Input::Event(Event::Report {
            peer,
            requirement,
            outcome,
            charged,
        })) = scene.input
        else {
            return Ok(());
        };
        let which = (*peer, *requirement);
        if !counts(scene.before, peer, *requirement) {
            return Ok(());
        }
        let suspect = [HealthReason::SuspectOffline, HealthReason::Offline];
        let ours = scene.ledger.hint.believed
            || suspect.contains(&scene.before.health.1)
            || suspect.contains(&scene.view.health.1);
        match outcome {
            Outcome::Success => {
                self.failures.remove(&which);
            }
            Outcome::Broken | Outcome::Fault if *charged && !ours => {
                let failures = self.failures.entry(which).or_insert(0);
                *failures += 1;
                ensure!(
                    *failures < PATIENCE || !counts(scene.view, peer, *requirement),
                    "{peer} failed {failures} times in a row and still counts for {requirement:?}"
                );
            }
            _ => {}
        }
        Ok(())
    }
}
