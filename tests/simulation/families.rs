//! Distributions over many seeds: load (E5, E6), and the twin without the outage (S17).
//!
//! Thresholds are fixed and seeds too, so a run fails or passes for ever.

use std::collections::BTreeMap;

use lightkeeper::manager::{DialWhy, PeerState};

use crate::environment::Weather;
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

/// What a failure would leave behind, as far as can be read. Scores themselves fade faster while connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    failures: u8,
    flaps: u8,
    behaviour: i16,
    cooling: bool,
}

fn standings(script: &Script) -> BTreeMap<usize, Standing> {
    let mut world = World::new(script, Options::default());
    world.run();
    let manager = world.clients[0].brain.manager().expect("it is one");
    let places = world.network.ids.iter().enumerate();
    places
        .filter_map(|(place, peer)| {
            let why = manager.explain(peer)?;
            let standing = Standing {
                failures: why.failures,
                flaps: why.flaps,
                behaviour: why.parts.behaviour,
                cooling: why.view.state == PeerState::Cooling,
            };
            Some((place, standing))
        })
        .collect()
}

fn with_outage(seed: u64, noticed: Option<bool>) -> Script {
    // Work until the outage, none after it: what changes then is the outage's doing.
    let mut script = Script::new(seed, honest(10), 40 * MINUTE)
        .at(0, Act::Workload { every_ms: 1_000 })
        .at(4 * MINUTE, Act::Workload { every_ms: 0 });
    if let Some(noticed) = noticed {
        script = script
            .at(5 * MINUTE, Act::Weather(Weather::NetworkGone { noticed }))
            .at(25 * MINUTE, Act::Weather(Weather::NetworkBack));
    }
    script
}

const UNKNOWN: Standing = Standing {
    failures: 0,
    flaps: 0,
    behaviour: 0,
    cooling: false,
};

/// Whether peers stand worse than in the twin.
fn worse(twin: &BTreeMap<usize, Standing>, after: &BTreeMap<usize, Standing>) -> Option<String> {
    let mut all = after.iter();
    let (place, now) = all.find(|(place, now)| {
        let before = twin.get(place).copied().unwrap_or(UNKNOWN);
        now.failures > before.failures
            || now.flaps > before.flaps
            || now.behaviour < before.behaviour
            || (now.cooling && !before.cooling)
    })?;
    let before = twin.get(place);
    Some(format!(
        "p{place} stands at {now:?}, in the twin at {before:?}"
    ))
}

#[test]
fn an_outage_leaves_every_peer_as_it_was_s17() {
    for seed in 0..30 {
        let twin = standings(&with_outage(seed, None));
        for noticed in [true, false] {
            let after = standings(&with_outage(seed, Some(noticed)));
            let worse = worse(&twin, &after);
            assert_eq!(worse, None, "S17, seed {seed}, noticed: {noticed}");
        }
    }
}

#[test]
fn a_peer_that_pays_for_an_outage_fails_the_test_of_s17() {
    let twin = BTreeMap::from([(0, UNKNOWN)]);
    assert!(worse(&twin, &twin).is_none());
    for paid in [
        Standing {
            failures: 1,
            ..UNKNOWN
        },
        Standing {
            flaps: 1,
            ..UNKNOWN
        },
        Standing {
            behaviour: -1,
            ..UNKNOWN
        },
        Standing {
            cooling: true,
            ..UNKNOWN
        },
    ] {
        assert!(worse(&twin, &BTreeMap::from([(0, paid)])).is_some());
    }
}
