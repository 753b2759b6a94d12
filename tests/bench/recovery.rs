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
}

/// Of each outage after which minima did not hold: until the first dial, and until they did, counted from the return.
#[derive(Default)]
struct Resumed {
    first_dials: Vec<Option<u64>>,
    minima: Vec<Option<u64>>,
}

impl Resumed {
    fn from(&mut self, seed: u64, outage: Outage) {
        let mut rng = Rng::new(seed);
        let network = network(&mut rng, 10, 5);
        let end = SETTLED_MS + length(&mut rng);
        let mono = rng.per_mille(500);
        let (gone, back) = match outage {
            Outage::Told => (Weather::NetworkGone { noticed: true }, Weather::NetworkBack),
            Outage::Untold => (
                Weather::NetworkGone { noticed: false },
                Weather::NetworkBack,
            ),
            Outage::Sleep => (Weather::Sleep { mono }, Weather::Wake),
        };
        let script = Script::new(seed, network, end + 10 * MINUTE)
            .at(SETTLED_MS, Act::Weather(gone))
            .at(end, Act::Weather(back));
        let mut world = World::new(&script, Options::default());
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
        if lost {
            let dials = &world.clients[0].log.dials;
            let mut after = dials.iter().map(|(t, ..)| *t).filter(|t| *t >= end);
            self.first_dials.push(after.next().map(|t| t - end));
            self.minima.push(held);
        }
    }
}

pub(crate) fn outages() {
    let mut all = Resumed::default();
    for outage in [Outage::Told, Outage::Sleep, Outage::Untold] {
        let mut each = Resumed::default();
        for seed in 0..SEEDS {
            each.from(seed, outage);
        }
        let (firsts, minima) = (
            Spread::of(each.first_dials.clone()),
            Spread::of(each.minima.clone()),
        );
        println!(
            "{outage:?}: {} of {SEEDS} cost the minima; first dial p50 {} p99 {} ms, minima p50 {} p99 {} ms",
            minima.len(),
            firsts.percentile(50),
            firsts.percentile(99),
            minima.percentile(50),
            minima.percentile(99),
        );
        // What nobody tells of is seen at the next probe: that is another measure.
        if !matches!(outage, Outage::Untold) {
            all.first_dials.extend(each.first_dials);
            all.minima.extend(each.minima);
        }
    }
    let (firsts, minima) = (Spread::of(all.first_dials), Spread::of(all.minima));
    say("resume_first_dial_p50_ms", firsts.percentile(50), "ms");
    say("resume_first_dial_p99_ms", firsts.percentile(99), "ms");
    say("resume_minima_p50_ms", minima.percentile(50), "ms");
    say("resume_minima_p99_ms", minima.percentile(99), "ms");
}
