//! Thirty days of one client: nothing grows, nothing wears out. Two days when there are no hours to spend.

use crate::checks::RECOVERY_MS;
use crate::generate::{network, troubles};
use crate::rng::Rng;
use crate::runner::run;
use crate::script::{Act, Script};
use crate::seeds::soaks;
use crate::world::Options;

const DAY: u64 = 24 * 3_600_000;

#[test]
fn days_of_troubles_leave_a_client_well() {
    let (days, seeds) = if soaks() { (30, 20) } else { (2, 2) };
    for seed in 0..seeds {
        let mut rng = Rng::new(seed);
        let mut script = Script::new(seed, network(&mut rng, 40), days * DAY);
        let end = script.horizon_ms - RECOVERY_MS - 300_000;
        script.acts.push((0, Act::Workload { every_ms: 60_000 }));
        for _ in 0..days * 20 {
            let t = rng.below(end);
            troubles(&mut rng, &script.network, t, end, &mut script.acts);
        }
        script.acts.push((end, Act::Heal));
        let options = Options {
            judge: true,
            ..Options::default()
        };
        let violation = run(&script, options).violation;
        assert_eq!(violation.map(|it| it.to_string()), None, "seed {seed}");
    }
}
