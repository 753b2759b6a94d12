//! S14, the half about external scores: they stay in their range, and can neither ban nor judge anybody.

use std::collections::BTreeMap;

use libp2p_identity::PeerId;
use lightkeeper::manager::Event;

use super::stale::{Clocks, unchanged};
use super::{Invariant, Scene, Verdict, ensure};
use crate::view::{Input, View};

/// Every score is in here (4.5).
const RANGE: std::ops::RangeInclusive<i16> = -1_000..=1_000;
/// Scores fade; not by more than this within [`FRESH_MS`].
const FADES: i16 = 8;
const FRESH_MS: u64 = 1_000;

/// See the module.
#[derive(Default)]
pub(crate) struct Bounded {
    then: Clocks,
}

/// The scores that can be read: of the peer that the input was about, and of all who serve.
fn scores(view: &View) -> BTreeMap<PeerId, i16> {
    let subject = view.subject.as_ref().map(|view| (view.peer, view.score));
    view.scores.iter().copied().chain(subject).collect()
}

impl Invariant for Bounded {
    fn id(&self) -> &'static str {
        "S14"
    }

    fn before(&mut self, scene: &Scene<'_>) -> Verdict {
        self.then = Clocks::of(scene);
        Ok(())
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        for (peer, score) in scores(scene.view) {
            ensure!(RANGE.contains(&score), "{peer} has a score of {score}");
        }
        let told = matches!(scene.input, Some(Input::Event(Event::Scores { .. })));
        if !told || !self.then.nothing_due(scene) {
            return Ok(());
        }
        // Only a round asks what they are worth.
        unchanged(scene, "scores")?;
        if scene.ledger.handled_at > self.then.mono + FRESH_MS {
            return Ok(());
        }
        let before = scores(scene.before);
        for (peer, score) in scores(scene.view) {
            if let Some(was) = before.get(&peer) {
                ensure!(
                    score.abs_diff(*was) <= FADES.unsigned_abs(),
                    "scores of protocols moved that of {peer} from {was} to {score}"
                );
            }
        }
        Ok(())
    }
}
