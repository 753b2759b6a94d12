//! The manager and the strategies of others in the same worlds, judged by what is really the case.

use crate::brain::{self, Maker};
use crate::environment::Weather;
use crate::generate;
use crate::network::{Behaviour, NetworkSpec};
use crate::policies;
use crate::rng::Rng;
use crate::script::{Act, Script};
use crate::truth::minima_hold;
use crate::world::{Options, World};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const SEEDS: u64 = 60;
const POLICIES: [(&str, Maker); 3] = [
    ("lightkeeper", brain::manager),
    ("fixed retry every 5 s, by class", policies::retry),
    (
        "dial all to a high mark, trim to a low one",
        policies::watermark,
    ),
];

/// Peers that are dead, slow, flapping, full or not who they are said to be, and some that are well. Nobody lies: the
/// other strategies could not tell.
fn network(rng: &mut Rng) -> NetworkSpec {
    let size = usize::try_from(rng.between(20, 60)).expect("few peers");
    let mut network = generate::network(rng, size);
    for peer in &mut network.peers {
        if matches!(
            peer.behaviour,
            Behaviour::Liar | Behaviour::Colluder | Behaviour::OtherCluster | Behaviour::Mute
        ) {
            peer.behaviour = Behaviour::Honest;
        }
    }
    network
}

/// An hour in which peers fail, connections break, the network goes and the machine sleeps.
fn script(seed: u64) -> Script {
    let mut rng = Rng::new(seed ^ 0x00c0_4a12);
    let network = network(&mut rng);
    let peers = network.peers.len();
    let mut script = Script::new(seed, network, HOUR);
    script.acts.push((0, Act::Workload { every_ms: 5_000 }));
    for _ in 0..peers / 3 {
        let (place, t) = (rng.place(peers), rng.below(HOUR));
        script.acts.push((t, Act::PeerDown(place)));
        script.acts.push((
            t + rng.between(10 * SECOND, 10 * MINUTE),
            Act::PeerUp(place),
        ));
    }
    for _ in 0..6 {
        script
            .acts
            .push((rng.below(HOUR), Act::Lose(rng.place(peers))));
    }
    // One after the other: each has its own quarter of the hour.
    for quarter in 1..4 {
        let t = quarter * 15 * MINUTE + rng.below(5 * MINUTE);
        let end = t + rng.between(5 * SECOND, 8 * MINUTE);
        let (gone, back) = match rng.below(4) {
            0 => {
                let mono = rng.per_mille(500);
                (Weather::Sleep { mono }, Weather::Wake)
            }
            kind => {
                let noticed = kind > 1;
                (Weather::NetworkGone { noticed }, Weather::NetworkBack)
            }
        };
        script.acts.push((t, Act::Weather(gone)));
        script.acts.push((end, Act::Weather(back)));
    }
    script
}

/// Sums over runs.
#[derive(Default)]
struct Tally {
    /// Seconds in which there was a network.
    seconds: u64,
    held: u64,
    connections: u64,
    dials: usize,
    closes: usize,
}

fn watch(seed: u64, make: Maker, tally: &mut Tally) {
    let script = script(seed);
    let mut world = World::with(&script, Options::default(), make);
    for t in (0..HOUR).step_by(1_000) {
        world.run_until(t);
        let environment = &world.clients[0].environment;
        if environment.network && environment.awake() {
            tally.seconds += 1;
            tally.held += u64::from(minima_hold(&world));
            tally.connections += world.clients[0].links.len() as u64;
        }
    }
    let log = &world.clients[0].log;
    tally.dials += log.dials.len();
    tally.closes += log.closes.len();
}

pub(crate) fn policies() {
    println!("\n| strategy | minima held | dials per hour | closes per hour | connections |");
    println!("|---|---|---|---|---|");
    for (name, make) in POLICIES {
        let mut tally = Tally::default();
        for seed in 0..SEEDS {
            watch(seed, make, &mut tally);
        }
        let seconds = tally.seconds as f64;
        println!(
            "| {name} | {:.2} % | {:.0} | {:.1} | {:.1} |",
            100.0 * tally.held as f64 / seconds,
            tally.dials as f64 / SEEDS as f64,
            tally.closes as f64 / SEEDS as f64,
            tally.connections as f64 / seconds,
        );
    }
    println!();
}
