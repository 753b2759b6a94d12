//! Runs scripts, and says what broke.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::brain::{self, Maker};
use crate::client::Log;
use crate::judge::Violation;
use crate::replay;
use crate::script::Script;
use crate::world::{Options, World};

/// How to see a seed's story again.
pub(crate) fn replay_command(seed: u64) -> String {
    format!(
        "SIM_SEED={seed} cargo test --no-default-features --test simulation -- one_seed --nocapture"
    )
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) violation: Option<Violation>,
    pub(crate) log: Log,
    /// The first manager's seed.
    pub(crate) seed: [u8; 32],
}

/// Runs a script with its checks. A panic is R6's; in the recount of the indexes it is R4's.
pub(crate) fn run(script: &Script, options: Options) -> Run {
    run_with(script, options, brain::manager)
}

/// The same with other brains.
pub(crate) fn run_with(script: &Script, options: Options, make: Maker) -> Run {
    let mut world = World::with(script, options, make);
    let end = catch_unwind(AssertUnwindSafe(|| world.run()));
    let violation = match end {
        Ok(()) => world.violation.take(),
        Err(panic) => {
            let said = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let recounting = world.clients.iter().any(|client| {
                let judge = client.judge.as_ref();
                judge.is_some_and(|judge| judge.recounting)
            });
            Some(of_panic(recounting, world.t, said))
        }
    };
    let mut first = world.clients.swap_remove(0);
    Run {
        violation,
        log: std::mem::take(&mut first.log),
        seed: first.seed,
    }
}

/// Runs a script, judges it by every check, and its record by one of the replays. Returns what broke.
pub(crate) fn judge(script: &Script) -> Option<Violation> {
    let options = Options {
        judge: true,
        record: true,
        story: false,
    };
    let run = run(script, options);
    if run.violation.is_some() {
        return run.violation;
    }
    let steps = run.log.steps.unwrap_or_default();
    let config = script.tuning.config();
    replay::judge(script.seed, &config, run.seed, &steps)
}

fn of_panic(recounting: bool, t: u64, said: Option<String>) -> Violation {
    let id = if recounting { "R4" } else { "R6" };
    Violation::new(id, t, said.unwrap_or_else(|| "a panic".to_owned()))
}

#[cfg(test)]
mod tests {
    use lightkeeper::manager::{Event, Manager};

    use super::*;
    use crate::brain::{Brain, Doctored};
    use crate::generate::network;
    use crate::rng::Rng;

    /// What a run of such managers breaks.
    fn broken(make: Maker) -> Option<&'static str> {
        let script = Script::new(1, network(&mut Rng::new(1), 8), 120_000);
        let options = Options {
            judge: true,
            ..Options::default()
        };
        run_with(&script, options, make).violation.map(|it| it.id)
    }

    #[test]
    fn a_manager_that_panics_breaks_r6() {
        assert_eq!(broken(brain::manager), None);
        let panics: Maker = |config, seed, now| -> Box<dyn Brain> {
            let hears = |_: &mut Manager, _, event: Event| {
                assert!(!matches!(event, Event::Identified { .. }), "not again");
                Some(event)
            };
            Box::new(Doctored::new(config, seed, now, Box::new(hears)))
        };
        assert_eq!(broken(panics), Some("R6"));
    }

    #[test]
    fn a_recount_that_differs_breaks_r4() {
        let differs: Maker = |config, seed, now| -> Box<dyn Brain> {
            let hears = |_: &mut Manager, _, event: Event| Some(event);
            let mut doctored = Doctored::new(config, seed, now, Box::new(hears));
            doctored.check = |manager| assert_eq!(manager.stats().open, 0, "an index");
            Box::new(doctored)
        };
        assert_eq!(broken(differs), Some("R4"));
    }
}
