//! Short scripts that proptest once shrank a failure to. `SIM_STORY=1 … -- stories --nocapture` tells them.

use lightkeeper::manager::Need;

use crate::environment::Weather;
use crate::network::{NetworkSpec, PeerSpec};
use crate::runner::run;
use crate::script::{Act, Script};
use crate::world::Options;

fn holds(script: &Script) {
    let options = Options {
        judge: true,
        record: false,
        story: std::env::var_os("SIM_STORY").is_some(),
    };
    let violation = run(script, options).violation;
    assert_eq!(violation.map(|violation| violation.to_string()), None);
}

/// Firefox holds back what fails again and again; giving up on it must not make it wait for ever.
#[test]
fn the_only_peer_of_the_tree_goes_down_and_the_network_with_it() {
    let lone = PeerSpec {
        in_tree: true,
        ..PeerSpec::honest(0b010, 1)
    };
    let unwanted = Need {
        min: 0,
        target: 0,
        max: 1,
    };
    let gone = Weather::NetworkGone { noticed: false };
    let mut script = Script::new(
        0,
        NetworkSpec {
            peers: vec![PeerSpec::honest(0, 1), lone],
        },
        4_842_396,
    )
    .at(835, Act::ProviderDown(1))
    .at(41_472, Act::Weather(gone))
    .at(42_396, Act::SetNeed(0, unwanted))
    .at(42_397, Act::Heal);
    script.brand = crate::browser::Brand::Firefox;
    holds(&script);
}
