//! What many runs must show of the address book: exploration (L10) and restarts (L11).

use std::collections::BTreeMap;

use lightkeeper::manager::{
    Command, Config, DialFailure, Event, Manager, Need, RequirementId, Source, Time,
};

use crate::brain::{Brain, Doctored, Hears, Maker, manager};
use crate::environment::{MONO_ZERO, WALL_ZERO, Weather};
use crate::families_economy::still;
use crate::network::{PROTOCOLS, address, peer_id};
use crate::rng::Rng;
use crate::script::{Act, Script, Tuning};
use crate::truth::Service;
use crate::world::{Options, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

fn need(min: u8, target: u8, max: u8) -> Need {
    Need { min, target, max }
}

// --- L10 --------------------------------------------------------------------------------------------------------------

const GROUPS: u8 = 40;
const STEPS: usize = 10_000;

/// How often each group is chosen, when every choice leaves the pool as it was.
fn chosen(explore_one_in: u64) -> BTreeMap<u8, u32> {
    let tuning = Tuning {
        needs: [need(0, 1, 2), need(0, 0, 0), need(0, 0, 0)],
        has_tree: false,
        ..Tuning::default()
    };
    let mut config = tuning.config();
    config.explore_one_in = explore_one_in;
    let mut time = Time {
        mono_ms: MONO_ZERO,
        wall_ms: WALL_ZERO,
    };
    let mut manager = Manager::new(config, [7; 32], time);
    let mut group_of = BTreeMap::new();
    for place in 0..usize::from(GROUPS) * 3 {
        let group = u8::try_from(place).expect("few") % GROUPS;
        let peer = peer_id(place);
        group_of.insert(peer, group);
        manager.handle(
            time,
            Event::Discovered {
                peer,
                routes: vec![address(group, place, 443)],
                claims: vec![RequirementId(0)],
                source: Source::PeerExchange,
                introducer: None,
            },
        );
        // Some are liked and some are not: all of them have their chance.
        let value = i16::from(group) * 10 - 200;
        let tag = "liked".to_owned();
        manager.handle(
            time,
            Event::Hint {
                peer,
                tag,
                value,
                ttl_ms: None,
            },
        );
    }
    manager.handle(time, Event::Start);
    let mut count = BTreeMap::new();
    let mut steps = 0;
    while steps < STEPS {
        let mut dialed = Vec::new();
        while let Some(command) = manager.poll() {
            if let Command::Dial { dial, peer, .. } = command {
                *count.entry(group_of[&peer]).or_insert(0) += 1;
                steps += 1;
                dialed.push(dial);
            }
        }
        for dial in dialed {
            let failure = DialFailure::Cancelled;
            manager.handle(
                time,
                Event::DialFailed {
                    dial,
                    failure,
                    answered: None,
                },
            );
        }
        let due = manager.next_deadline().expect("somebody is missing");
        let passed = due.saturating_sub(time.mono_ms);
        time.mono_ms += passed;
        time.wall_ms += passed;
        manager.handle(time, Event::Tick);
    }
    count
}

#[test]
fn every_group_is_tried_some_day_l10() {
    let count = chosen(Tuning::default().config().explore_one_in);
    assert_eq!(count.len(), usize::from(GROUPS), "L10: {count:?}");
    let most = count.values().max().expect("somebody was");
    assert!(
        *most as usize > 4 * STEPS / usize::from(GROUPS),
        "{count:?}"
    );
}

#[test]
fn a_manager_that_never_explores_fails_the_test_of_l10() {
    assert!(chosen(0).len() < usize::from(GROUPS));
}

// --- L11 --------------------------------------------------------------------------------------------------------------

/// What a session met, and when its minima held for the first time: by the world's links, whatever the manager believes.
#[derive(Debug, PartialEq, Eq)]
struct Session {
    /// For each requirement: its minimum holds, its target holds.
    met: Vec<(bool, bool)>,
    minima_ms: Option<u64>,
    snapshot: Vec<u8>,
}

const AWAY_MS: u64 = 6 * HOUR;

/// A session in a still network, of a manager that begins with this snapshot.
fn session(seed: u64, snapshot: Option<&[u8]>, make: Maker) -> Session {
    let mut rng = Rng::new(seed ^ 0x5e55);
    // Liars are found out by work.
    let script = Script::new(seed, still(seed), HOUR).at(0, Act::Workload { every_ms: 5_000 });
    let mut world = World::with(&script, Options::default(), make);
    if let Some(bytes) = snapshot {
        let client = &mut world.clients[0];
        let shift = Weather::WallShift {
            ms: i64::try_from(HOUR + AWAY_MS).expect("hours"),
        };
        client.environment.befall(shift, 0);
        // Another session has another seed.
        let now = client.environment.time(0);
        client.brain = make(client.config.clone(), rng.seed(), now);
        let manager = client.brain.manager_mut().expect("it is one");
        manager.restore(bytes).expect("it is a snapshot");
        manager.check();
    }
    // Any moment will do.
    world.run_until(rng.between(HOUR / 2, HOUR));
    let manager = world.clients[0].brain.manager().expect("it is one");
    let snapshot = manager.snapshot(32 * 1_024);
    world.run();
    let client = &world.clients[0];
    let serving = Service::of(client, &world.network, world.t, true).serving;
    let needs = client.needs.iter().zip(serving);
    let met = needs.map(|(need, have)| (have >= need.min.into(), have >= need.target.into()));
    Session {
        met: met.collect(),
        minima_ms: client.log.minima_after(0),
        snapshot,
    }
}

/// L11 over many networks: the same is met, and not later. `keep`: what becomes of a snapshot on its way; `make`: whoever
/// begins with it.
fn restarts(keep: fn(Vec<u8>) -> Vec<u8>, make: Maker) -> Result<(), String> {
    const RUNS: u64 = 100;
    let (mut first_ms, mut again_ms) = (Vec::new(), Vec::new());
    for seed in 0..RUNS {
        let first = session(seed, None, manager);
        let again = session(seed, Some(&keep(first.snapshot.clone())), make);
        if first.met != again.met {
            return Err(format!(
                "L11, seed {seed}: {:?} was met, then {:?}",
                first.met, again.met
            ));
        }
        first_ms.push(first.minima_ms.unwrap_or(u64::MAX));
        again_ms.push(again.minima_ms.unwrap_or(u64::MAX));
    }
    first_ms.sort_unstable();
    again_ms.sort_unstable();
    // Half as long at the median, and no later at any other part of the runs.
    let place = |per_mille: usize| (RUNS as usize - 1) * per_mille / 1_000;
    let slower = (0..=1_000)
        .step_by(50)
        .find(|part| again_ms[place(*part)] > first_ms[place(*part)]);
    let soon = again_ms[place(500)] <= first_ms[place(500)] / 2;
    if slower.is_some() || !soon {
        return Err(format!(
            "L11: with what was kept {again_ms:?}, without {first_ms:?}"
        ));
    }
    Ok(())
}

#[test]
fn a_restart_meets_what_was_met_and_sooner_l11() {
    if let Err(said) = restarts(|bytes| bytes, manager) {
        panic!("{said}");
    }
}

#[test]
fn a_snapshot_that_keeps_nobody_fails_the_test_of_l11() {
    let empty = |_| {
        let config = Tuning::default().config();
        let now = Time {
            mono_ms: MONO_ZERO,
            wall_ms: WALL_ZERO,
        };
        Manager::new(config, [0; 32], now).snapshot(32 * 1_024)
    };
    let said = restarts(empty, manager);
    assert!(said.is_err_and(|said| said.starts_with("L11")));
}

/// It believes that whoever it is connected to serves everything.
fn credulous(config: Config, seed: [u8; 32], now: Time) -> Box<dyn Brain> {
    let hears: Hears = Box::new(|_: &mut Manager, _, mut event| {
        if let Event::Identified { protocols, .. } = &mut event {
            protocols.extend(PROTOCOLS.map(str::to_owned));
        }
        Some(event)
    });
    Box::new(Doctored::new(config, seed, now, hears))
}

#[test]
fn a_manager_that_only_believes_that_it_is_served_fails_the_test_of_l11() {
    let said = restarts(|bytes| bytes, credulous).expect_err("it is served by few");
    assert!(said.starts_with("L11"), "{said}");
}
