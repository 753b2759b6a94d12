//! How long it takes until targets and minima hold again: after a lost provider, and after an outage.

use lightkeeper::manager::{Config, Time};

use crate::brain::{self, Brain};
use crate::client::Log;
use crate::environment::Weather;
use crate::network::{Behaviour, NetworkSpec, PeerSpec};
use crate::report::{Spread, say};
use crate::rng::Rng;
use crate::script::{Act, Script};
use crate::world::{Options, World};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 24 * 60 * MINUTE;
/// By then everything is verified, and what is not needed is closed.
const SETTLED_MS: u64 = 10 * MINUTE;
const SEEDS: u64 = 600;

/// Peers with every service, and as many that are dead, behind two bootstraps.
fn network(rng: &mut Rng, good: u16, dead: u16) -> NetworkSpec {
    let group = |n: u16| u8::try_from(n % 40).expect("few groups") + 1;
    let mut peers: Vec<PeerSpec> = (0..good + dead)
        .map(|n| PeerSpec {
            hop_ms: u16::try_from(rng.between(5, 150)).expect("short"),
            behaviour: if n < good {
                Behaviour::Honest
            } else {
                Behaviour::Dead {
                    refuses: rng.per_mille(500),
                }
            },
            ..PeerSpec::honest(0b111, group(n))
        })
        .collect();
    for n in 0..2 {
        peers.push(PeerSpec::bootstrap((0..good + dead).collect(), 50 + n));
    }
    NetworkSpec { peers }
}

/// No warm spare: every loss must be made good by a dial.
fn without_spare(mut config: Config, seed: [u8; 32], now: Time) -> Box<dyn Brain> {
    config.spare_connections = 0;
    brain::manager(config, seed, now)
}

/// How long after `from` the targets held again.
fn targets_after(log: &Log, from: u64) -> Option<u64> {
    let mut holds = None;
    for (t, _, targets) in &log.held {
        if *t <= from {
            holds = targets.then_some(from);
        } else if holds.is_none() && *targets {
            holds = Some(*t);
        }
    }
    holds.map(|t| t - from)
}

/// One of the two providers is lost; three good candidates are known.
fn loss(seed: u64, dead: u16, make: brain::Maker) -> Option<u64> {
    let network = network(&mut Rng::new(seed), 5, dead);
    let script =
        Script::new(seed, network, SETTLED_MS + 10 * MINUTE).at(SETTLED_MS, Act::ProviderDown(1));
    let mut world = World::with(&script, Options::default(), make);
    world.run();
    targets_after(&world.clients[0].log, SETTLED_MS)
}

pub(crate) fn losses() {
    let all = |dead, make| Spread::of((0..SEEDS).map(|seed| loss(seed, dead, make)));
    let bare = all(0, without_spare);
    say("loss_p50_ms", bare.percentile(50), "ms");
    say("loss_p99_ms", bare.percentile(99), "ms");
    let among_dead = all(5, without_spare);
    say("loss_among_dead_p50_ms", among_dead.percentile(50), "ms");
    say("loss_among_dead_p99_ms", among_dead.percentile(99), "ms");
    let spare = all(0, brain::manager);
    say("loss_with_spare_p50_ms", spare.percentile(50), "ms");
    say("loss_with_spare_p99_ms", spare.percentile(99), "ms");
}

/// From five seconds to seven days, each order of magnitude as often as the others.
fn length(rng: &mut Rng) -> u64 {
    let octaves = rng.below(17);
    let base = 5 * SECOND << octaves;
    rng.between(base, 2 * base).min(7 * DAY)
}

/// Until the first dial (if one was needed), and until the minima hold, counted from the return.
fn resume(seed: u64, asleep: bool) -> (Option<Option<u64>>, Option<u64>) {
    let mut rng = Rng::new(seed);
    let network = network(&mut rng, 10, 5);
    let end = SETTLED_MS + length(&mut rng);
    let (gone, back) = if asleep {
        let mono = rng.per_mille(500);
        (Weather::Sleep { mono }, Weather::Wake)
    } else {
        let noticed = true;
        (Weather::NetworkGone { noticed }, Weather::NetworkBack)
    };
    let script = Script::new(seed, network, end + 10 * MINUTE)
        .at(SETTLED_MS, Act::Weather(gone))
        .at(end, Act::Weather(back));
    let mut world = World::new(&script, Options::default());
    world.run_until(end);
    // What a sleeper lost breaks within two seconds of its waking, or shows only when it is pinged.
    let linked = world.clients[0].links.len();
    world.run();
    let log = &world.clients[0].log;
    let mut dials = log.dials.iter().map(|(t, ..)| *t);
    let first = dials.find(|t| *t >= end).map(|t| t - end);
    let minima = log.minima_after(end);
    // Whoever comes back with its connections has nobody to dial.
    ((linked == 0).then_some(first), minima)
}

pub(crate) fn outages() {
    let (mut firsts, mut minima) = (Vec::new(), Vec::new());
    for seed in 0..SEEDS {
        let (first, held) = resume(seed, seed % 2 == 0);
        firsts.extend(first);
        minima.push(held);
    }
    let (firsts, minima) = (Spread::of(firsts), Spread::of(minima));
    println!(
        "{} outages, {} of them without a connection left",
        minima.len(),
        firsts.len()
    );
    say("resume_first_dial_p50_ms", firsts.percentile(50), "ms");
    say("resume_first_dial_p99_ms", firsts.percentile(99), "ms");
    say("resume_minima_p50_ms", minima.percentile(50), "ms");
    say("resume_minima_p99_ms", minima.percentile(99), "ms");
}
