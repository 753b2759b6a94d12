//! One operator is not everything while another is known (4.3, 4.15: spread).

use lightkeeper::manager::{Config, DialFailure, DialWhy, Health, Outcome, RequirementId, Source};

use crate::world::{ALL, FILTER, LIGHT_PUSH, Reachable, STORE, World, config, need};

const MINUTE: u64 = 60_000;

/// A node of the operator of this network.
fn of_network(world: &mut World, net: usize, serves: &[RequirementId]) -> usize {
    let place = world.node(serves);
    let address = format!(
        "/ip4/{}.1.{}.{}/tcp/443/wss",
        20 + net,
        place / 200,
        place % 200
    );
    world.nodes[place].address = address.parse().expect("an address");
    place
}

fn without_exploring(spare: u8) -> Config {
    let mut config = config(false);
    config.explore_one_in = u64::MAX;
    config.spare_connections = spare;
    config
}

/// Which of these serve.
fn serving(world: &World, places: &[usize], id: RequirementId) -> usize {
    places
        .iter()
        .filter(|place| world.serves(**place, id))
        .count()
}

#[test]
fn of_equals_those_of_networks_that_are_not_connected_come_first() {
    for seed in 0..8 {
        let mut world = World::with(without_exploring(1), seed);
        world.set_need(LIGHT_PUSH, need(0, 0, 0));
        world.set_need(STORE, need(0, 0, 0));
        world.set_need(FILTER, need(1, 4, 4));
        let mut nets = Vec::new();
        for net in 0..25 {
            for _ in 0..2 {
                let place = of_network(&mut world, net, &[FILTER]);
                world.discovered(place, Source::PeerExchange);
                nets.push(net);
            }
        }
        world.start();
        world.run(MINUTE);
        let mut dialed: Vec<usize> = world.dialed().iter().map(|place| nets[*place]).collect();
        assert_eq!(dialed.len(), 4);
        dialed.sort_unstable();
        dialed.dedup();
        assert_eq!(dialed.len(), 4, "seed {seed}");
    }
}

#[test]
fn with_the_defaults_one_operator_is_not_everything_while_another_is_known() {
    for seed in 0..10 {
        let mut world = World::with(without_exploring(1), seed);
        // The rich ones of one operator are worth more than the poor ones of the other.
        let one: Vec<usize> = (0..6).map(|_| of_network(&mut world, 0, &ALL)).collect();
        let other = [
            of_network(&mut world, 1, &[LIGHT_PUSH]),
            of_network(&mut world, 1, &[FILTER]),
        ];
        for place in one.iter().chain(&other) {
            world.discovered(*place, Source::PeerExchange);
        }
        world.start();
        world.run(10 * MINUTE);
        assert_eq!(world.health(), Health::Met);
        for id in [LIGHT_PUSH, FILTER] {
            assert!(serving(&world, &other, id) >= 1, "seed {seed}");
            assert_eq!(serving(&world, &one, id), 1, "seed {seed}");
        }
    }
}

#[test]
fn where_no_other_operator_is_known_one_serves_everything_at_once() {
    let mut world = World::with(without_exploring(1), 1);
    let one: Vec<usize> = (0..6).map(|_| of_network(&mut world, 0, &ALL)).collect();
    for place in &one {
        world.discovered(*place, Source::PeerExchange);
    }
    world.start();
    world.run(1_000);
    assert_eq!(world.health(), Health::Met);
    assert_eq!(world.dialed().len(), 2);
    // And is left at peace.
    world.run(60 * MINUTE);
    assert_eq!(world.dialed().len(), 2);
}

/// One operator serves everything, and then another one is heard of.
fn another_is_heard_of(config: Config, serves: &[RequirementId]) -> (World, Vec<usize>, usize) {
    let mut world = World::with(config, 1);
    let one: Vec<usize> = (0..3).map(|_| of_network(&mut world, 0, &ALL)).collect();
    for place in &one {
        world.discovered(*place, Source::PeerExchange);
    }
    world.start();
    world.run(10 * MINUTE);
    assert_eq!(world.health(), Health::Met);
    let other = of_network(&mut world, 1, &ALL);
    world.nodes[other].serves = serves.to_vec();
    world.discovered(other, Source::PeerExchange);
    (world, one, other)
}

#[test]
fn another_operator_takes_over_from_one_that_has_more_than_its_share_and_there_it_ends() {
    for spare in [0, 1] {
        let (mut world, one, other) = another_is_heard_of(without_exploring(spare), &ALL);
        world.run(MINUTE);
        assert!(world.connected(other));
        let dials = world.dials_since(0);
        assert_eq!(dials.last().map(|dial| dial.2), Some(DialWhy::Variety));
        world.run(10 * MINUTE);
        assert!(world.connected(other));
        // No third one is kept: the store that all of them serve is wanted twice at most.
        assert_eq!(world.manager.stats().open, 2);
        let mark = world.mark();
        world.run(6 * 60 * MINUTE);
        assert_eq!(world.dialed_since(mark), [0_usize; 0], "{spare} spare");
        assert_eq!(world.closes_since(mark), [], "{spare} spare");
        assert!(serving(&world, &one, FILTER) >= 1 && world.serves(other, FILTER));
    }
}

#[test]
fn another_operator_that_does_not_serve_after_all_is_dialed_once() {
    let (mut world, _, other) = another_is_heard_of(without_exploring(1), &[]);
    world.run(60 * MINUTE);
    let times = world
        .dialed()
        .iter()
        .filter(|place| **place == other)
        .count();
    assert_eq!(times, 1);
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn another_operator_that_is_not_there_is_left_alone_after_the_first_dial() {
    let mut world = World::with(without_exploring(1), 1);
    let one: Vec<usize> = (0..3).map(|_| of_network(&mut world, 0, &ALL)).collect();
    for place in &one {
        world.discovered(*place, Source::PeerExchange);
    }
    world.start();
    world.run(10 * MINUTE);
    let other = of_network(&mut world, 1, &ALL);
    world.nodes[other].reachable = Reachable::No(DialFailure::Unreachable);
    let mark = world.mark();
    world.discovered(other, Source::PeerExchange);
    world.run(6 * 60 * MINUTE);
    assert_eq!(world.dialed_since(mark), [other]);
}

#[test]
fn of_four_wanted_at_most_two_are_of_one_operator_and_a_third_operator_stays() {
    let mut world = World::with(without_exploring(0), 1);
    world.set_need(LIGHT_PUSH, need(0, 0, 0));
    world.set_need(STORE, need(0, 0, 0));
    world.set_need(FILTER, need(1, 4, 8));
    let one: Vec<usize> = (0..3)
        .map(|_| of_network(&mut world, 0, &[FILTER]))
        .collect();
    let second = of_network(&mut world, 1, &[FILTER]);
    for place in one.iter().chain([&second]) {
        world.discovered(*place, Source::PeerExchange);
    }
    world.start();
    world.run(10 * MINUTE);
    assert_eq!(world.manager.stats().open, 4);
    let third = of_network(&mut world, 2, &[FILTER]);
    world.discovered(third, Source::PeerExchange);
    world.run(20 * MINUTE);
    assert_eq!(world.manager.stats().open, 4);
    assert!(world.connected(second) && world.connected(third));
    let mark = world.mark();
    world.run(6 * 60 * MINUTE);
    assert_eq!(
        world.mark() - mark,
        world.count(mark, |order| {
            matches!(order, lightkeeper::manager::Command::Ping { .. })
        })
    );
}

#[test]
fn another_operator_that_failed_at_it_before_is_not_asked_again_and_again() {
    let (mut world, one, other) = another_is_heard_of(without_exploring(1), &ALL);
    world.run(MINUTE);
    assert!(world.connected(other));
    // It breaks what it serves, and is replaced by one of the others.
    for id in ALL {
        for _ in 0..4 {
            world.report(other, id, Outcome::Broken);
        }
    }
    world.run(10 * MINUTE);
    let mark = world.mark();
    world.run(6 * 60 * MINUTE);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
    assert_eq!(serving(&world, &one, FILTER), 2);
}
