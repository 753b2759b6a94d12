//! E8: the environment never takes more than the minima can do without, and never gives more than the user wants.

use lightkeeper::manager::RequirementView;

use super::{Invariant, Scene, Verdict, ensure};
use crate::oracles::cover::fewest;
use crate::view::Input;

/// See the module.
pub(crate) struct Floor;

/// How many connections the minima need: the fewest of those that serve now, one for each place that nobody fills, and
/// one to replace before breaking (G_need of 4.14).
fn needed(scene: &Scene<'_>) -> usize {
    let views = &scene.view.requirements;
    let serves = |peer| {
        let all = views.iter().enumerate();
        let served = all.filter(|(_, view): &(usize, &RequirementView)| view.peers.contains(peer));
        served.fold(0, |mask, (place, _)| mask | 1 << place)
    };
    let open = scene.ledger.open();
    let masks: Vec<u64> = open.map(|(_, conn)| serves(&conn.peer)).collect();
    let filled: Vec<u8> = views.iter().map(|view| view.have.min(view.min)).collect();
    let empty: u8 = views.iter().map(|v| v.min.saturating_sub(v.have)).sum();
    let serving = fewest(&masks, &filled).unwrap_or(0);
    serving + usize::from(empty) + 1
}

impl Invariant for Floor {
    fn id(&self) -> &'static str {
        "E8"
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        if !matches!(scene.input, Some(Input::Event(_))) {
            return Ok(());
        }
        let wanted = usize::from(scene.ledger.steering.wanted);
        let (soft, hard) = (scene.view.stats.soft, scene.view.stats.hard);
        let soft = usize::from(soft);
        let steering = &scene.ledger.steering;
        ensure!(soft <= wanted, "{soft} though the user wants {wanted}");
        ensure!(soft <= usize::from(hard), "{soft}, above the cap of {hard}");
        let needed = needed(scene);
        ensure!(
            soft >= needed.min(wanted),
            "{soft} are allowed, the minima need {needed}: {:?}",
            scene.view.requirements
        );
        // Nothing asks for less: nothing is taken.
        let calm = scene.ledger.steering.memory <= 70 && steering.pressed_at.is_none();
        let seen = steering.hidden_since.is_none();
        ensure!(
            soft == wanted || !calm || !seen || steering.constrained,
            "{soft} instead of {wanted}, and nothing asks for less"
        );
        Ok(())
    }
}
