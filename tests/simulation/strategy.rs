//! Scripts from proptest, which shrink to short stories.

use lightkeeper::manager::{Need, Outcome, Priority};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::browser::Brand;
use crate::checks::RECOVERY_MS;
use crate::environment::Weather;
use crate::network::{Behaviour, NetworkSpec, PeerSpec};
use crate::runner::judge;
use crate::script::{Act, Script, ShellFaults};
use crate::seeds::soaks;
use crate::steering;

/// Enough for every run; `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    let wanted = std::env::var("PROPTEST_CASES").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(48)
}

fn behaviour() -> impl Strategy<Value = Behaviour> {
    prop_oneof![
        6 => Just(Behaviour::Honest),
        2 => any::<bool>().prop_map(|refuses| Behaviour::Dead { refuses }),
        1 => (200..8_000_u32).prop_map(|ms| Behaviour::Slow { ms }),
        1 => (500..300_000_u32, 500..120_000_u32)
            .prop_map(|(up_ms, down_ms)| Behaviour::Flapping { up_ms, down_ms }),
        1 => (0..2_u32, any::<bool>())
            .prop_map(|(capacity, refuses)| Behaviour::Full { capacity, refuses }),
        1 => Just(Behaviour::Liar),
        1 => Just(Behaviour::Colluder),
        1 => (0..8_u16).prop_map(|at| Behaviour::WrongId { at }),
        1 => Just(Behaviour::OtherCluster),
        1 => Just(Behaviour::Mute),
    ]
}

fn peer() -> impl Strategy<Value = PeerSpec> {
    (
        behaviour(),
        0..16_u8,
        prop::option::of(0..8_u8),
        1..6_u8,
        prop::option::weighted(0.3, prop::collection::vec(0..12_u16, 0..8)),
        prop::bool::weighted(0.3),
        0..2_u8,
    )
        .prop_map(
            |(behaviour, serves, claims, group, knows, in_tree, stale_routes)| PeerSpec {
                behaviour,
                claims: claims.unwrap_or(serves),
                knows,
                in_tree,
                stale_routes,
                ..PeerSpec::honest(serves, group)
            },
        )
}

fn weather() -> impl Strategy<Value = Weather> {
    prop_oneof![
        any::<bool>().prop_map(|noticed| Weather::NetworkGone { noticed }),
        Just(Weather::NetworkBack),
        any::<bool>().prop_map(|online| Weather::Says { online }),
        any::<bool>().prop_map(|constrained| Weather::NetworkChanged { constrained }),
        any::<bool>().prop_map(|mono| Weather::Sleep { mono }),
        Just(Weather::Wake),
        Just(Weather::Hide),
        Just(Weather::Show),
        (0..100_u8).prop_map(|percent| Weather::Memory { percent }),
        (-90_000_000..90_000_000_i64).prop_map(|ms| Weather::WallShift { ms }),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let place = || 0..12_u16;
    let priorities = vec![
        Priority::Banned,
        Priority::Low,
        Priority::Medium,
        Priority::High,
    ];
    prop_oneof![
        4 => weather().prop_map(Act::Weather),
        2 => place().prop_map(Act::PeerDown),
        2 => place().prop_map(Act::PeerUp),
        2 => place().prop_map(Act::Lose),
        1 => (0..3_u8).prop_map(Act::ProviderDown),
        1 => Just(Act::LoseAll),
        1 => Just(Act::TreeDown),
        1 => Just(Act::TreeUp),
        2 => (place(), prop::sample::select(priorities))
            .prop_map(|(place, priority)| Act::SetPriority(place, priority)),
        2 => place().prop_map(Act::ConnectNow),
        1 => place().prop_map(Act::HangUp),
        1 => (0..3_u8, 0..3_u8, 0..3_u8).prop_map(|(id, min, more)| {
            let target = min + more;
            Act::SetNeed(id, Need { min, target, max: target + 1 })
        }),
        1 => place().prop_map(Act::Name),
        1 => place().prop_map(Act::Inbound),
        1 => place().prop_map(Act::Foreign),
        3 => (place(), 0..3_u8, prop::sample::select(Outcome::ALL.to_vec()))
            .prop_map(|(place, id, outcome)| Act::Report(place, id, outcome)),
        2 => (place(), 0..3_u8, prop::sample::select(Outcome::ALL.to_vec()))
            .prop_map(|(place, id, outcome)| Act::Excused(place, id, outcome)),
        2 => place().prop_map(Act::Doubt),
        1 => place().prop_map(Act::GaveUp),
        1 => (0..6_u8).prop_map(Act::Stray),
        1 => Just(Act::Tick),
        1 => prop::sample::select(vec![0, 1_000, 20_000])
            .prop_map(|every_ms| Act::Workload { every_ms }),
        6 => steering::strategy().prop_map(Act::Steer),
        1 => Just(Act::Stop),
        2 => Just(Act::Start),
        3 => crate::book::strategy(),
        6 => crate::claims::strategy().prop_map(Act::Claim),
    ]
}

fn faults() -> impl Strategy<Value = ShellFaults> {
    prop_oneof![
        Just(ShellFaults::default()),
        (0..3_000_u16, any::<bool>(), 0..200_u16, 0..150_u16).prop_map(
            |(delay_ms, overtakes, duplicate, lose)| ShellFaults {
                delay_ms,
                overtakes,
                duplicate,
                lose,
            }
        ),
    ]
}

fn script() -> impl Strategy<Value = Script> {
    let brands = vec![Brand::Native, Brand::Chromium, Brand::Firefox];
    let waits = prop_oneof![4 => 0..5_000_u64, 3 => 0..60_000_u64, 1 => 0..2_000_000_u64];
    (
        any::<u64>(),
        prop::collection::vec(peer(), 1..12),
        prop::collection::vec((waits, act()), 0..40),
        faults(),
        prop::sample::select(brands),
    )
        .prop_map(|(seed, peers, steps, faults, brand)| {
            let mut script = Script::new(seed, NetworkSpec { peers }, 0);
            crate::book::tune(seed, &mut script.tuning);
            let mut t = 0;
            for (wait, act) in steps {
                t += wait;
                script.acts.push((t, act));
            }
            script.acts.push((t + 1, Act::Heal));
            script.faults = faults;
            script.brand = brand;
            script.horizon_ms = t + RECOVERY_MS + 300_000;
            script
        })
}

/// The same scripts in every default run, which says of a change what it did and not what chance found; others in each long
/// one, and with a number in `SIM_SCRIPTS`.
fn chance() -> RngSeed {
    match std::env::var("SIM_SCRIPTS") {
        Ok(number) => RngSeed::Fixed(number.parse().expect("SIM_SCRIPTS is a number")),
        Err(_) if soaks() => RngSeed::Random,
        Err(_) => RngSeed::Fixed(1),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        max_shrink_iters: 4_000,
        rng_seed: chance(),
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_script_keeps_the_invariants(script in script()) {
        if let Some(violation) = judge(&script) {
            prop_assert!(false, "{violation}");
        }
    }
}
