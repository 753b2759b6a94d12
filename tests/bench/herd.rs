//! Many clients lose one server at once (E5): where they go, and how they come back.

use std::time::Instant;

use crate::brain;
use crate::network::{NetworkSpec, PeerSpec};
use crate::policies;
use crate::report::say;
use crate::script::{Act, Script};
use crate::world::{Options, World};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const CLIENTS: u32 = 10_000;
const SERVERS: u16 = 20;
const LOST_MS: u64 = 4 * MINUTE;
const DOWN_MS: u64 = MINUTE;
const BACK_MS: u64 = LOST_MS + DOWN_MS;
const WATCHED_S: u64 = 10;

/// Equal servers behind two bootstraps. `alone`: only the first has the third service.
fn network(alone: bool) -> NetworkSpec {
    let serves = |n: u16| if alone && n > 0 { 0b011 } else { 0b111 };
    let group = |n: u16| u8::try_from(n).expect("few servers") + 1;
    let mut peers: Vec<PeerSpec> = (0..SERVERS)
        .map(|n| PeerSpec::honest(serves(n), group(n)))
        .collect();
    for n in 0..2 {
        peers.push(PeerSpec::bootstrap((0..SERVERS).collect(), 100 + n));
    }
    NetworkSpec { peers }
}

fn lose_the_first(alone: bool, clients: u32, make: brain::Maker) -> World {
    let mut script = Script::new(7, network(alone), BACK_MS + WATCHED_S * SECOND)
        .at(LOST_MS, Act::PeerDown(0))
        .at(BACK_MS, Act::PeerUp(0));
    script.clients = clients;
    let mut world = World::with(&script, Options::default(), make);
    world.run();
    world
}

/// Replacements at the most loaded live peer over its fair share.
fn load(world: &World) -> f64 {
    let came = (1..usize::from(SERVERS)).map(|place| {
        let arrivals = world.network.arrivals(place).iter();
        arrivals.filter(|t| **t >= LOST_MS).count()
    });
    let came: Vec<usize> = came.collect();
    let fair = came.iter().sum::<usize>() as f64 / came.len() as f64;
    let most = came.iter().max().copied().unwrap_or(0) as f64;
    println!(
        "replacements: {} in all, {most} at most at one server",
        came.iter().sum::<usize>()
    );
    if fair > 0.0 { most / fair } else { 0.0 }
}

/// Dials in each of the seconds after the return.
fn redials(world: &World) -> Vec<u64> {
    let arrivals = world.network.arrivals(0);
    let mut seconds = vec![0; usize::try_from(WATCHED_S).expect("a few")];
    for t in arrivals.iter().filter(|t| **t >= BACK_MS) {
        let second = usize::try_from((t - BACK_MS) / SECOND).expect("a few");
        if let Some(count) = seconds.get_mut(second) {
            *count += 1;
        }
    }
    seconds
}

fn peak(seconds: &[u64]) -> f64 {
    let mean = seconds.iter().sum::<u64>() as f64 / seconds.len() as f64;
    let peak = seconds.iter().max().copied().unwrap_or(0) as f64;
    if mean > 0.0 { peak / mean } else { 0.0 }
}

pub(crate) fn herd() {
    let wanted = std::env::var("SIM_CLIENTS").ok();
    let clients = wanted.map_or(CLIENTS, |text| {
        text.parse().expect("SIM_CLIENTS is a number")
    });
    let began = Instant::now();
    let world = lose_the_first(false, clients, brain::manager);
    say("herd_load_ratio", load(&world), "×");
    println!(
        "redials of one among equals, by second: {:?}",
        redials(&world)
    );
    drop(world);
    let world = lose_the_first(true, clients, brain::manager);
    let seconds = redials(&world);
    println!("redials of the only one with a service, by second: {seconds:?}");
    say("herd_redial_ratio", peak(&seconds), "×");
    drop(world);
    println!(
        "{clients} clients took {:.1} s",
        began.elapsed().as_secs_f64()
    );
    for (name, make) in [
        ("retry", policies::retry as brain::Maker),
        ("watermark", policies::watermark),
    ] {
        let world = lose_the_first(true, clients.min(1_000), make);
        let seconds = redials(&world);
        println!(
            "beside it, {name}, 1,000 clients: {:.1} ({seconds:?})",
            peak(&seconds)
        );
    }
}
