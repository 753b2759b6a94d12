//! Distributions over many seeds: load (E5, E6).
//!
//! Thresholds are fixed and seeds too, so a run fails or passes for ever.

use std::collections::BTreeMap;

use lightkeeper::manager::DialWhy;

use crate::network::{NetworkSpec, PeerSpec};
use crate::script::{Act, Script};
use crate::seeds::soaks;
use crate::world::{Options, World};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

/// Honest peers with every service behind two bootstraps.
pub(crate) fn honest(count: u16) -> NetworkSpec {
    let group = |n: u16| u8::try_from(n % 12).expect("few groups") + 1;
    let mut peers: Vec<PeerSpec> = (0..count)
        .map(|n| PeerSpec::honest(0b111, group(n)))
        .collect();
    for n in 0..2 {
        peers.push(PeerSpec::bootstrap((0..count).collect(), 20 + n));
    }
    NetworkSpec { peers }
}

/// χ² of counts that should be equal.
fn chi_square(counts: &[u64]) -> u64 {
    let total: u64 = counts.iter().sum();
    let places = counts.len() as u64;
    // Times `total`, to stay with integers.
    let sum: u64 = counts
        .iter()
        .map(|n| (n * places).abs_diff(total).pow(2))
        .sum();
    sum / (total * places)
}

#[test]
fn equal_bootstraps_are_chosen_equally_often_e6() {
    const EQUALS: usize = 8;
    let mut counts = vec![0; EQUALS];
    for seed in 0..480 {
        let peers = (1..=8).map(|group| PeerSpec {
            serves: 0b111,
            claims: 0b111,
            ..PeerSpec::bootstrap(Vec::new(), group)
        });
        let network = NetworkSpec {
            peers: peers.collect(),
        };
        let script = Script::new(seed, network, 10 * SECOND);
        let mut world = World::new(&script, Options::default());
        world.run();
        let dials = &world.clients[0].log.dials;
        let first = dials
            .iter()
            .find(|(_, _, why)| matches!(why, DialWhy::Bootstrap(_)));
        let (_, peer, _) = first.expect("a bootstrap peer is dialed");
        counts[world.network.place(peer).expect("it is in the network")] += 1;
    }
    // Seven degrees of freedom: one in a thousand is above 24.3.
    assert!(chi_square(&counts) < 25, "E6: {counts:?}");
}

#[test]
fn a_choice_that_follows_an_order_fails_the_test_of_e6() {
    assert!(chi_square(&[480, 0, 0, 0, 0, 0, 0, 0]) >= 25);
    assert!(chi_square(&[90, 80, 60, 60, 55, 50, 45, 40]) >= 25);
    assert!(chi_square(&[60, 61, 59, 60, 62, 58, 57, 63]) < 25);
}

/// Clients that lose a server go to the others evenly, and come back to it apart.
#[test]
fn a_herd_spreads_over_those_who_are_left_e5() {
    const SERVERS: usize = 10;
    let mut network = honest(10);
    for peer in &mut network.peers {
        peer.hop_ms = 10;
    }
    let mut script = Script::new(11, network, 6 * MINUTE).at(4 * MINUTE, Act::PeerDown(0));
    script.clients = if soaks() { 10_000 } else { 200 };
    let mut world = World::new(&script, Options::default());
    world.run();
    let mut came = BTreeMap::new();
    for place in 1..SERVERS {
        let arrivals = world.network.arrivals(place).iter();
        let after = arrivals.filter(|t| **t >= 4 * MINUTE).count();
        came.insert(place, after);
    }
    let total: usize = came.values().sum();
    let most = came.values().max().copied().unwrap_or(0);
    assert!(total > 0, "somebody was lost");
    // Twice the fair share, and three for the luck of small numbers.
    let fair = total / (SERVERS - 1);
    assert!(most <= 2 * fair + 3, "E5: {came:?}");
}
