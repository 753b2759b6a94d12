//! Many clients lose one server at once (E5): where they go, and how they come back.

use std::time::Instant;

use crate::network::{NetworkSpec, PeerSpec};
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
const WATCHED_S: u64 = 300;
const WINDOW_S: usize = 10;

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

fn lose_the_first(alone: bool, clients: u32) -> World {
    let mut script = Script::new(7, network(alone), BACK_MS + WATCHED_S * SECOND)
        .at(LOST_MS, Act::PeerDown(0))
        .at(BACK_MS, Act::PeerUp(0));
    script.clients = clients;
    let mut world = World::new(&script, Options::default());
    world.run();
    assert_eq!(world.violation, None, "the world ran to its end");
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
    let mut seconds = vec![0; usize::try_from(WATCHED_S).expect("minutes")];
    for t in arrivals.iter().filter(|t| **t >= BACK_MS) {
        let second = usize::try_from((t - BACK_MS) / SECOND).expect("minutes");
        if let Some(count) = seconds.get_mut(second) {
            *count += 1;
        }
    }
    seconds
}

/// The busiest second over the mean of the ten that it is among: the worst of all windows that hold enough to tell.
fn peak(seconds: &[u64], clients: u32) -> f64 {
    let enough = u64::from(clients / 20).max(100);
    let windows = seconds.windows(WINDOW_S).filter_map(|window| {
        let sum: u64 = window.iter().sum();
        let most = window.iter().max().copied().unwrap_or(0);
        (sum >= enough).then(|| (most * WINDOW_S as u64) as f64 / sum as f64)
    });
    windows.fold(0.0, f64::max)
}

/// One line for each window.
fn story(seconds: &[u64]) -> Vec<u64> {
    seconds
        .chunks(WINDOW_S)
        .map(|window| window.iter().sum())
        .collect()
}

pub(crate) fn herd() {
    let wanted = std::env::var("SIM_CLIENTS").ok();
    let clients = wanted.map_or(CLIENTS, |text| {
        text.parse().expect("SIM_CLIENTS is a number")
    });
    let began = Instant::now();
    let world = lose_the_first(false, clients);
    say("herd_load_ratio", load(&world), "×");
    println!(
        "redials of one among equals, by ten seconds: {:?}",
        story(&redials(&world))
    );
    drop(world);
    let world = lose_the_first(true, clients);
    let seconds = redials(&world);
    println!(
        "redials of the only one with a service, by ten seconds: {:?}",
        story(&seconds)
    );
    say("herd_redial_ratio", peak(&seconds, clients), "×");
    drop(world);
    println!(
        "{clients} clients took {:.1} s",
        began.elapsed().as_secs_f64()
    );
}
