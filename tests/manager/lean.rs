//! Few connections in the steady state (4.6), and how old they become (4.17).

use lightkeeper::manager::{
    CloseCause, Config, Crossed, DialWhy, Event, Health, Reason, RequirementId, Source,
};

use crate::world::{ALL, FILTER, LIGHT_PUSH, STORE, World, config, need};

const MINUTE: u64 = 60_000;

pub(crate) fn without_spare() -> Config {
    let mut config = config(false);
    config.spare_connections = 0;
    config
}

pub(crate) fn connected(world: &World) -> Vec<usize> {
    (0..world.nodes.len())
        .filter(|place| world.connected(*place))
        .collect()
}

/// Foreign connections to nodes that serve these, and the usual needs.
fn open(config: Config, nodes: &[&[RequirementId]]) -> World {
    let mut world = World::with(config, 1);
    // No maximum is in the way.
    world.set_need(LIGHT_PUSH, need(1, 2, 40));
    world.set_need(FILTER, need(1, 2, 40));
    world.set_need(STORE, need(0, 1, 40));
    world.start();
    for serves in nodes {
        let place = world.node(serves);
        world.connects_by_itself(place);
    }
    world.run(1_000);
    world
}

pub(crate) fn loses_a_line(world: &World, mark: usize) -> bool {
    let lost = |crossed| matches!(crossed, Crossed::MinLost | Crossed::TargetLost);
    let crossings = world.crossings_since(mark);
    crossings.into_iter().any(|(_, crossed)| lost(crossed))
}

#[test]
fn surplus_connections_go_after_two_minutes_and_one_is_kept_warm() {
    let mut world = open(config(false), &[&ALL[..]; 4]);
    world.run(95_000);
    assert_eq!(connected(&world).len(), 4);
    world.run(60_000);
    assert_eq!(world.closes_since(0), [Reason::Surplus]);
    assert_eq!(connected(&world).len(), 3);
    // Quiet from now on (E1).
    let mark = world.mark();
    world.run(24 * 60 * MINUTE);
    assert_eq!(world.closes_since(mark), []);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
    assert!(!loses_a_line(&world, 0));
}

#[test]
fn as_few_connections_remain_as_the_targets_need() {
    let poor: [&[RequirementId]; 6] = [
        &[LIGHT_PUSH],
        &[FILTER],
        &[STORE],
        &ALL,
        &[LIGHT_PUSH, FILTER],
        &ALL,
    ];
    let mut world = open(without_spare(), &poor);
    world.run(10 * MINUTE);
    assert_eq!(connected(&world).len(), 2);
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn nothing_is_surplus_while_something_is_missing() {
    let mut world = open(without_spare(), &[&ALL[..1]; 4]);
    world.run(60 * MINUTE);
    assert_eq!(world.closes_since(0), []);
}

#[test]
fn a_surplus_connection_that_is_needed_again_stays() {
    let mut world = open(without_spare(), &[&ALL[..]; 3]);
    world.run(80_000);
    world.lose(0, CloseCause::Broken);
    world.run(60 * MINUTE);
    assert_eq!(connected(&world), [1, 2]);
    assert_eq!(world.closes_since(0), []);
}

#[test]
fn lean_down_can_be_switched_off() {
    let mut config = without_spare();
    config.lean_after_ms = 0;
    let mut world = open(config, &[&ALL[..]; 4]);
    world.run(60 * MINUTE);
    assert_eq!(connected(&world).len(), 4);
}

#[test]
fn whom_the_user_holds_is_never_surplus() {
    let mut world = World::with(without_spare(), 1);
    world.start();
    let held: Vec<usize> = (0..3).map(|_| world.node(&ALL)).collect();
    for place in &held {
        world.connect_now(*place);
    }
    world.run(60 * MINUTE);
    assert_eq!(connected(&world), held);
}

/// Two services of which one peer is enough, and nodes that are heard of; an hour later.
fn one_is_enough(config: Config, nodes: &[&[RequirementId]]) -> World {
    let mut world = World::with(config, 1);
    for id in [LIGHT_PUSH, FILTER] {
        world.set_need(id, need(1, 1, 2));
    }
    world.set_need(STORE, need(0, 0, 0));
    for serves in nodes {
        let place = world.node(serves);
        world.discovered(place, Source::PeerExchange);
    }
    world.start();
    world.run(60 * MINUTE);
    world
}

#[test]
fn not_everything_depends_on_one_peer_when_another_is_known() {
    let nodes: [&[RequirementId]; 2] = [&ALL, &[FILTER]];
    let world = one_is_enough(config(false), &nodes);
    assert_eq!(connected(&world), [0, 1]);
    assert_eq!(world.dialed().len(), 2);
    assert_eq!(world.closes_since(0), []);
}

#[test]
fn who_stands_in_for_the_one_peer_is_not_trimmed_for_what_nobody_wants() {
    let world = one_is_enough(config(false), &[&ALL[..]; 6]);
    assert_eq!(connected(&world).len(), 2);
    assert_eq!(world.dialed().len(), 2);
    assert_eq!(world.closes_since(0), []);
}

/// Two of four serve, and connections live for ten minutes.
fn short_lived(known: usize) -> World {
    let mut world = World::with(without_spare(), 1);
    for _ in 0..known {
        let place = world.node(&ALL);
        world.discovered(place, Source::PeerExchange);
    }
    world.start();
    world.tell(Event::SetLifetime {
        ms: Some(10 * MINUTE),
    });
    world.run(7 * MINUTE);
    assert_eq!(world.health(), Health::Met);
    world
}

#[test]
fn old_connections_are_replaced_before_they_go() {
    let mut world = short_lived(4);
    let before = connected(&world);
    let mark = world.mark();
    world.run(7 * MINUTE);
    let after = connected(&world);
    assert!(before.iter().all(|place| !after.contains(place)));
    assert_eq!(after.len(), 2);
    let dials = world.dials_since(mark);
    assert!(dials.iter().all(|dial| dial.2 == DialWhy::Rotation));
    assert_eq!(dials.len(), 2);
    assert_eq!(
        world.closes_since(mark),
        [Reason::LifetimeOver, Reason::LifetimeOver]
    );
    assert!(!loses_a_line(&world, mark));
}

#[test]
fn old_connections_stay_when_nobody_could_take_over() {
    let mut world = short_lived(2);
    let mark = world.mark();
    world.run(60 * MINUTE);
    assert_eq!(connected(&world), [0, 1]);
    assert_eq!(world.closes_since(mark), []);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
}

#[test]
fn whom_the_user_holds_has_no_lifetime() {
    let mut world = short_lived(4);
    let held = connected(&world)[0];
    world.connect_now(held);
    world.run(60 * MINUTE);
    assert!(world.connected(held));
}

#[test]
fn a_lifetime_that_is_lifted_while_offline_rotates_nobody_afterwards() {
    let mut world = short_lived(4);
    world.tell(Event::Offline);
    world.tell(Event::SetLifetime { ms: Some(0) });
    world.run(1_000);
    world.tell(Event::SetLifetime { ms: None });
    let mark = world.mark();
    world.tell(Event::Online);
    world.run(60 * MINUTE);
    let mut dials = world.dials_since(mark).into_iter();
    assert!(dials.all(|(.., why)| why != DialWhy::Rotation));
}

#[test]
fn a_lifetime_can_be_lifted() {
    let mut world = short_lived(4);
    world.tell(Event::SetLifetime { ms: None });
    let mark = world.mark();
    world.run(60 * MINUTE);
    assert_eq!(world.closes_since(mark), []);
}

#[test]
fn without_a_spare_who_stands_in_for_the_one_peer_stays() {
    let world = one_is_enough(without_spare(), &[&ALL[..]; 3]);
    assert_eq!(connected(&world).len(), 2);
    assert_eq!(world.dialed().len(), 2);
    assert_eq!(world.closes_since(0), []);
}
