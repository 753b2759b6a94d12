//! May this connection be closed for others? (4.13, guards)

use lightkeeper::manager::{
    Direction, Event, Guard, Health, Notice, Reason, RequirementId, Source,
};

use crate::world::{ALL, FILTER, LIGHT_PUSH, STORE, World, config, need};

/// As of now: reading does not move the clock.
pub(crate) fn guarded(world: &mut World, place: usize) -> Option<Guard> {
    world.tell(Event::Tick);
    let peer = world.nodes[place].id;
    let explained = world.manager.explain(&peer).expect("it is known");
    explained.not_closed
}

/// Running, with these needs for the first service and none for the others.
pub(crate) fn wanting(min: u8, target: u8) -> World {
    let mut world = World::offline_trees();
    world.set_need(FILTER, need(0, 0, 0));
    world.set_need(STORE, need(0, 0, 0));
    world.set_need(LIGHT_PUSH, need(min, target, 40));
    world.start();
    world
}

pub(crate) fn connected(world: &mut World, serves: &[RequirementId]) -> usize {
    let place = world.node(serves);
    world.connects_by_itself(place);
    world.run(50);
    place
}

#[test]
fn whom_the_user_holds_is_guarded_until_the_user_hangs_up() {
    let mut world = wanting(0, 0);
    let place = world.node(&[LIGHT_PUSH]);
    world.connect_now(place);
    world.run(60_000);
    assert_eq!(guarded(&mut world, place), Some(Guard::Pinned));
    world.hang_up(place);
    assert_eq!(world.closes_since(0), [Reason::HungUp]);
}

#[test]
fn the_providers_of_a_minimum_and_of_a_target_are_guarded() {
    let mut world = wanting(1, 2);
    let first = connected(&mut world, &[LIGHT_PUSH]);
    assert_eq!(guarded(&mut world, first), Some(Guard::Minimum));
    let second = connected(&mut world, &[LIGHT_PUSH]);
    world.run(20_000);
    assert_eq!(guarded(&mut world, first), Some(Guard::Target));
    assert_eq!(guarded(&mut world, second), Some(Guard::Target));
    connected(&mut world, &[LIGHT_PUSH]);
    world.run(20_000);
    assert_eq!(guarded(&mut world, first), None);
}

#[test]
fn a_new_connection_is_left_alone_for_five_seconds_once_it_is_identified() {
    let mut world = wanting(0, 0);
    let place = connected(&mut world, &[LIGHT_PUSH]);
    let notices = world.notices_since(0);
    let identified = |notice: &Notice| matches!(notice, Notice::Identified { .. });
    let since = notices.iter().find(|(_, notice)| identified(notice));
    let (since, _) = *since.expect("it was told");
    world.run(since + 4_999 - world.now);
    assert_eq!(guarded(&mut world, place), Some(Guard::Grace));
    world.run(1);
    assert_eq!(guarded(&mut world, place), None);
}

#[test]
fn no_more_than_a_quarter_claim_to_be_new_and_the_oldest_lose_it_first() {
    let mut world = wanting(0, 0);
    let places: Vec<usize> = (0..6)
        .map(|_| connected(&mut world, &[LIGHT_PUSH]))
        .collect();
    let guards: Vec<Option<Guard>> = places
        .iter()
        .map(|place| guarded(&mut world, *place))
        .collect();
    assert_eq!(guards[..2], [None, None]);
    assert_eq!(guards[2..], [Some(Guard::Grace); 4]);
}

#[test]
fn the_last_provider_in_another_network_is_guarded() {
    let mut world = wanting(0, 2);
    let mut at = |address: &str| {
        let place = world.node(&[LIGHT_PUSH]);
        world.nodes[place].address = address.parse().expect("an address");
        world.connects_by_itself(place);
        place
    };
    let same = [
        at("/ip4/34.1.1.1/tcp/443/wss"),
        at("/ip4/34.1.2.1/tcp/443/wss"),
    ];
    let other = at("/ip4/52.1.1.1/tcp/443/wss");
    world.run(20_000);
    assert_eq!(guarded(&mut world, other), Some(Guard::LastGroup));
    assert_eq!(same.map(|place| guarded(&mut world, place)), [None, None]);
}

#[test]
fn who_came_in_from_the_network_of_the_others_is_not_the_last_of_one() {
    let mut world = wanting(0, 2);
    let mut at = |address: &str, named: bool| {
        let place = world.node(&[LIGHT_PUSH]);
        world.nodes[place].address = address.parse().expect("an address");
        if named {
            world.discovered(place, Source::PeerExchange);
        }
        // Of who comes in unnamed, where the connection leads is all that is known.
        world.opens(place, Direction::Inbound);
        place
    };
    at("/ip4/34.1.1.1/tcp/443/wss", true);
    at("/ip4/34.1.2.1/tcp/443/wss", true);
    let unnamed = at("/ip4/34.1.3.1/tcp/443/wss", false);
    world.run(20_000);
    assert_eq!(guarded(&mut world, unnamed), None);
}

#[test]
fn no_voluntary_close_takes_a_requirement_below_its_target() {
    for seed in 0..10 {
        let mut config = config(true);
        config.soft_connections = 4;
        config.hard_connections = 8;
        let mut world = World::with(config, seed);
        let all: Vec<usize> = (0..4).map(|_| world.node(&ALL)).collect();
        let known: Vec<usize> = (0..4).collect();
        world.bootstrap(&known);
        for place in all {
            world.discovered(place, Source::PeerExchange);
        }
        world.start();
        for _ in 0..3 {
            let place = world.node(&[STORE]);
            world.connects_by_itself(place);
        }
        world.run(5_000);
        assert_eq!(world.health(), Health::Met);
        let mark = world.mark();
        world.run(600_000);
        assert_eq!(world.crossings_since(mark), []);
        assert!(world.manager.stats().open <= 4);
    }
}
