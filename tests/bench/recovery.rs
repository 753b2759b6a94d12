//! How long it takes until targets and minima hold again: after a lost provider, and after an outage.

use lightkeeper::manager::{Config, Time};

use crate::brain::{self, Brain};
use crate::client::Log;
use crate::environment::Weather;
use crate::network::{Behaviour, NetworkSpec, PeerSpec};
use crate::report::{Spread, say};
use crate::rng::Rng;
use crate::script::{Act, Script};
use crate::truth::minima_hold;
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
    let base = (5 * SECOND) << octaves;
    rng.between(base, 2 * base).min(7 * DAY)
}

/// What ends.
#[derive(Debug, Clone, Copy)]
enum Outage {
    /// The browser says when the network goes and comes.
    Told,
    /// Nobody says so.
    Untold,
    Sleep,
    /// Five to sixty seconds of it, while the monotonic clock runs on: nothing tells but a late look at the clocks.
    Nap,
}

/// An outage after which minima did not hold: until the first dial, and until they did, counted from the return.
#[derive(Debug, Clone, Copy)]
struct Resumed {
    seed: u64,
    first_dial: Option<u64>,
    minima: Option<u64>,
}

impl Resumed {
    /// `None`: the minima held.
    fn from(seed: u64, outage: Outage, story: bool) -> Option<Self> {
        let mut rng = Rng::new(seed);
        let network = network(&mut rng, 10, 5);
        let length = match outage {
            Outage::Nap => rng.between(5 * SECOND, MINUTE),
            Outage::Told | Outage::Untold | Outage::Sleep => length(&mut rng),
        };
        let end = SETTLED_MS + length;
        let mono = rng.per_mille(500);
        let (gone, back) = match outage {
            Outage::Told => (Weather::NetworkGone { noticed: true }, Weather::NetworkBack),
            Outage::Untold => (
                Weather::NetworkGone { noticed: false },
                Weather::NetworkBack,
            ),
            Outage::Sleep => (Weather::Sleep { mono }, Weather::Wake),
            Outage::Nap => (Weather::Sleep { mono: true }, Weather::Wake),
        };
        let script = Script::new(seed, network, end + 10 * MINUTE)
            .at(SETTLED_MS, Act::Weather(gone))
            .at(end, Act::Weather(back));
        let options = Options {
            story,
            ..Options::default()
        };
        let mut world = World::new(&script, options);
        // What a sleeper lost breaks within two seconds of its waking, or shows only when it is pinged.
        let (mut lost, mut held) = (false, None);
        for t in (end..end + 5 * MINUTE).step_by(100) {
            world.run_until(t);
            if !minima_hold(&world) {
                (lost, held) = (true, None);
            } else if held.is_none() {
                held = Some(t - end);
            }
            if t > end + 10 * SECOND && held.is_some() {
                break;
            }
        }
        let dials = &world.clients[0].log.dials;
        let mut after = dials.iter().map(|(t, ..)| *t).filter(|t| *t >= end);
        lost.then(|| Self {
            seed,
            first_dial: after.next().map(|t| t - end),
            minima: held,
        })
    }
}

/// One of the two providers is dead for 75 seconds, and nobody else is known: from its return until it is connected again,
/// and how often it was dialed meanwhile, a minute.
fn absence(seed: u64) -> (Option<u64>, u64) {
    const DEAD_MS: u64 = 75 * SECOND;
    let network = network(&mut Rng::new(seed), 2, 0);
    let script = Script::new(seed, network, SETTLED_MS + 10 * MINUTE)
        .at(0, Act::Workload { every_ms: 1_000 })
        .at(SETTLED_MS, Act::PeerDown(0))
        .at(SETTLED_MS + DEAD_MS, Act::PeerUp(0));
    let mut world = World::with(&script, Options::default(), without_spare);
    world.run();
    let log = &world.clients[0].log;
    let back = SETTLED_MS + DEAD_MS;
    let dials = log
        .dials
        .iter()
        .filter(|(t, ..)| (SETTLED_MS..back).contains(t));
    (
        targets_after(log, back),
        dials.count() as u64 * MINUTE / DEAD_MS,
    )
}

pub(crate) fn absences() {
    let all: Vec<_> = (0..SEEDS).map(absence).collect();
    let again = Spread::of(all.iter().map(|(ms, _)| *ms));
    let rates = Spread::of(all.iter().map(|(_, rate)| Some(*rate)));
    say("absence_p50_ms", again.percentile(50), "ms");
    say("absence_p99_ms", again.percentile(99), "ms");
    say(
        "absence_dials_per_minute_p99",
        rates.percentile(99),
        "dials",
    );
}

/// Prints four numbers whose names begin so.
fn say_resumed(name: &str, all: &[Resumed]) {
    let firsts = Spread::of(all.iter().map(|resumed| resumed.first_dial));
    let minima = Spread::of(all.iter().map(|resumed| resumed.minima));
    for (what, spread) in [("first_dial", firsts), ("minima", minima)] {
        for percent in [50, 99] {
            let ms = spread.percentile(percent);
            say(&format!("{name}_{what}_p{percent}_ms"), ms, "ms");
        }
    }
}

/// Those that took longest, for `SIM_SEED`.
fn worst(all: &[Resumed]) -> Vec<u64> {
    let slowness = |resumed: &Resumed| {
        let never = |ms: Option<u64>| ms.unwrap_or(u64::MAX);
        std::cmp::Reverse(never(resumed.first_dial).max(never(resumed.minima)))
    };
    let mut all = all.to_vec();
    all.sort_by_key(slowness);
    all.iter().take(5).map(|resumed| resumed.seed).collect()
}

/// What the browser tells of is what is to be reached; of the rest the manager knows only what its probes find, which 4.8
/// puts up to half a minute apart. `SIM_SEED=n` tells that seed's three stories instead.
pub(crate) fn outages() {
    if let Ok(seed) = std::env::var("SIM_SEED") {
        let seed = seed.parse().expect("SIM_SEED is a number");
        for outage in [Outage::Told, Outage::Sleep, Outage::Nap, Outage::Untold] {
            println!("{outage:?}");
            println!("{:?}", Resumed::from(seed, outage, true));
        }
        return;
    }
    let mut told = Vec::new();
    for outage in [Outage::Told, Outage::Sleep, Outage::Nap, Outage::Untold] {
        let each = (0..SEEDS).filter_map(|seed| Resumed::from(seed, outage, false));
        let each: Vec<Resumed> = each.collect();
        let (cost, worst) = (each.len(), worst(&each));
        println!("{outage:?}: {cost} of {SEEDS} cost the minima; the worst seeds: {worst:?}");
        let name = format!("resume_{outage:?}").to_lowercase();
        say_resumed(&name, &each);
        if !matches!(outage, Outage::Untold) {
            told.extend(each);
        }
    }
    say_resumed("resume", &told);
}
