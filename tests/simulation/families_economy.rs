//! What many runs must show of economy (E3): in the end hardly more connections than are needed.

use std::collections::{BTreeMap, BTreeSet};

use lightkeeper::manager::{Config, Event, Need};

use crate::brain::{Maker, manager};
use crate::generate::network;
use crate::network::{Behaviour, NetworkSpec};
use crate::oracles::cover::fewest;
use crate::rng::Rng;
use crate::script::{Act, Script, Tuning};
use crate::view::Input;
use crate::world::{Options, World};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

fn need(min: u8, target: u8, max: u8) -> Need {
    Need { min, target, max }
}

/// A network of a seed in which nothing changes by itself.
pub(crate) fn still(seed: u64) -> NetworkSpec {
    let mut rng = Rng::new(seed ^ 0x0e30_1000);
    let size = usize::try_from(rng.between(10, 60)).expect("few peers");
    let mut network = network(&mut rng, size);
    for peer in &mut network.peers {
        if matches!(
            peer.behaviour,
            Behaviour::Flapping { .. } | Behaviour::Full { .. }
        ) {
            peer.behaviour = Behaviour::Honest;
        }
        peer.accepts_per_s = None;
    }
    network
}

/// What a run settled on.
#[derive(Debug)]
struct Settled {
    open: usize,
    /// The fewest of those that it had verified.
    optimum: usize,
}

impl Settled {
    /// Connections above OPT + 1 + spare.
    fn over(&self, config: &Config) -> usize {
        let allowed = self.optimum + 1 + usize::from(config.spare_connections);
        self.open.saturating_sub(allowed)
    }
}

/// Who was identified, as far as it does what it says.
fn verified(world: &World) -> BTreeSet<usize> {
    let client = &world.clients[0];
    let steps = client.log.steps.iter().flatten();
    let mut conns = BTreeMap::new();
    let mut identified = BTreeSet::new();
    for step in steps {
        match &step.input {
            Input::Event(Event::Connected { conn, peer, .. }) => {
                conns.insert(*conn, *peer);
            }
            Input::Event(Event::Identified { conn, .. }) => {
                identified.extend(conns.get(conn).and_then(|peer| world.network.place(peer)));
            }
            _ => {}
        }
    }
    identified.retain(|place| world.network.spec.peers[*place].is_good());
    identified
}

/// Needs rise, fall again, and then nothing happens for two hours.
fn settles(seed: u64, make: Maker) -> Settled {
    let mut script =
        Script::new(seed, still(seed), 4 * HOUR).at(0, Act::Workload { every_ms: 5_000 });
    let mut rng = Rng::new(seed);
    let target = |rng: &mut Rng| u8::try_from(rng.between(0, 3)).expect("few");
    for id in 0..3 {
        let usual = target(&mut rng);
        let more = need(0, usual + 2, 8);
        script.tuning.needs[usize::from(id)] = need(usual.min(1), usual, 8);
        script = script
            .at(10 * MINUTE, Act::SetNeed(id, more))
            .at(40 * MINUTE, Act::SetNeed(id, need(usual.min(1), usual, 8)));
    }
    let script = script.at(2 * HOUR, Act::Workload { every_ms: 0 });
    let options = Options {
        record: true,
        ..Options::default()
    };
    let mut world = World::with(&script, options, make);
    world.run();
    let manager = world.clients[0].brain.manager().expect("it is one");
    let views = manager.requirements();
    let demand: Vec<u8> = views
        .iter()
        .map(|view| view.target.min(view.have))
        .collect();
    let connected: BTreeSet<usize> = world.clients[0]
        .links
        .values()
        .map(|link| link.place)
        .collect();
    // Parked peers are no candidates, unless they are needed; and whoever serves is one, whatever it is.
    let mut able = verified(&world);
    let serving = views.iter().flat_map(|view| &view.peers);
    able.extend(serving.filter_map(|peer| world.network.place(peer)));
    let candidates: Vec<u64> = able
        .into_iter()
        .filter(|place| !world.network.spec.peers[*place].in_tree || connected.contains(place))
        .map(|place| u64::from(world.network.spec.peers[place].serves))
        .collect();
    Settled {
        open: connected.len(),
        optimum: fewest(&candidates, &demand).expect("those that serve can"),
    }
}

/// E3: at most OPT + 1 + spare; in one run of a hundred up to two more.
fn economical(make: Maker) -> Result<usize, String> {
    const RUNS: u64 = 200;
    let config = Tuning::default().config();
    let runs: Vec<(u64, Settled)> = (0..RUNS).map(|seed| (seed, settles(seed, make))).collect();
    let over: Vec<_> = runs
        .iter()
        .filter(|(_, settled)| settled.over(&config) > 0)
        .collect();
    let far = over.iter().any(|(_, settled)| settled.over(&config) > 2);
    let more = runs
        .iter()
        .filter(|(_, settled)| settled.optimum > 1)
        .count();
    if far || over.len() as u64 * 100 > RUNS {
        return Err(format!("E3: {over:?}"));
    }
    Ok(more)
}

#[test]
fn few_connections_are_enough_in_the_end_e3() {
    let interesting = economical(manager).unwrap_or_else(|said| panic!("{said}"));
    assert!(
        interesting > 50,
        "{interesting} runs need more than one peer"
    );
}

#[test]
fn a_manager_that_keeps_its_surplus_fails_the_test_of_e3() {
    let fat: Maker = |mut config, seed, now| {
        config.lean_after_ms = 0;
        manager(config, seed, now)
    };
    let said = economical(fat).expect_err("it keeps what it had");
    assert!(said.starts_with("E3"), "{said}");
}
