//! Runs scripts, and says what broke.

use std::panic::{AssertUnwindSafe, catch_unwind};

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
    let mut world = World::new(script, options);
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

#[test]
fn a_panic_breaks_r4_in_a_recount_and_else_r6() {
    assert_eq!(of_panic(true, 0, None).id, "R4");
    assert_eq!(of_panic(false, 0, None).id, "R6");
}
