//! What is taken back, and drawn anew, when our own network was to blame (4.8).

use lightkeeper::manager::{
    CloseCause, Command, DialFailure, Event, Health, HealthReason, Reason, Source,
};

use crate::outage::{settled, stop_all};
use crate::world::{Reachable, World};

#[test]
fn failures_of_an_outage_are_taken_back() {
    let (mut world, fleet) = settled();
    stop_all(&mut world, fleet);
    world.run(60_000);
    // Nobody waits for what was our own fault: only the losses themselves had a jitter.
    let waiting = fleet
        .everybody()
        .into_iter()
        .filter(|place| world.view(*place).next_try_at_wall_ms.is_some())
        .count();
    assert_eq!(waiting, 0);
    assert_eq!(
        world.view(fleet.store).last_reason,
        Some(Reason::Unreachable)
    );
}

/// The address of a node that worked, beside seven that others claim.
fn with_claimed_addresses(world: &mut World, place: usize) {
    for n in 1..=7 {
        let route = format!("/ip4/60.1.0.{n}/tcp/443/wss");
        world.tell(Event::Discovered {
            peer: world.nodes[place].id,
            routes: vec![route.parse().expect("an address")],
            claims: vec![],
            source: Source::PeerExchange,
            introducer: None,
        });
    }
}

#[test]
fn an_address_that_worked_is_still_the_first_after_an_outage_that_nobody_told_of() {
    let (mut world, fleet) = settled();
    let place = fleet.all.into_iter().find(|place| world.connected(*place));
    let place = place.expect("somebody serves");
    let worked = world.nodes[place].address.clone();
    with_claimed_addresses(&mut world, place);
    stop_all(&mut world, fleet);
    world.run(600_000);
    assert_eq!(world.manager.health().1, HealthReason::SuspectOffline);
    assert_eq!(world.view(place).route, Some(worked.clone()));
    // What failed before it was suspected is taken back, too: told at once, nothing of it stays.
    world.start_node(place);
    world.run(60_000);
    assert!(world.connected(place));
    let mut tried = world
        .orders
        .iter()
        .rev()
        .filter_map(|order| match &order.command {
            Command::Dial { peer, route, .. } if *peer == world.nodes[place].id => {
                Some(route.clone())
            }
            _ => None,
        });
    assert_eq!(tried.next(), Some(worked));
}

/// A few peers, all lost in an outage that nobody told of, and back again.
fn back_from_an_outage(tokens: u32) -> World {
    let mut config = crate::world::config(false);
    config.dial_tokens = tokens;
    let mut world = World::with(config, 1);
    let pushes = crate::world::LIGHT_PUSH;
    world.set_need(crate::world::FILTER, crate::world::need(0, 0, 0));
    world.set_need(crate::world::STORE, crate::world::need(0, 0, 0));
    world.set_need(pushes, crate::world::need(1, 16, 16));
    for _ in 0..16 {
        let place = world.node(&[pushes]);
        world.discovered(place, Source::PeerExchange);
    }
    world.start();
    world.run(180_000);
    assert_eq!(world.health(), Health::Met);
    for place in 0..16 {
        world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
    }
    for place in 0..16 {
        world.lose(place, CloseCause::Broken);
    }
    world.run(180_000);
    assert_eq!(world.manager.health().1, HealthReason::SuspectOffline);
    // Whoever answers takes its time, so that nothing of what follows counts yet.
    for place in 0..16 {
        world.nodes[place].reachable = Reachable::Slowly(1_000);
    }
    world
}

/// Dials within four seconds of the first connection.
fn dials_after_the_first(world: &mut World) -> usize {
    let mut mark = world.mark();
    while world.manager.stats().open == 0 {
        mark = world.mark();
        world.run(1);
    }
    world.run(4_000);
    world.dials_since(mark).len()
}

#[test]
fn an_outage_makes_no_dial_slower_that_follows_it() {
    let mut world = back_from_an_outage(1);
    let dials = dials_after_the_first(&mut world);
    assert!(dials >= 9, "{dials} in four seconds");
}

#[test]
fn an_outage_makes_no_more_dials_than_are_needed_after_it() {
    let mut world = back_from_an_outage(8);
    world.set_need(crate::world::LIGHT_PUSH, crate::world::need(1, 3, 3));
    assert_eq!(dials_after_the_first(&mut world), 2);
}

#[test]
fn who_served_is_tried_after_an_outage_however_many_others_wait() {
    let mut config = crate::world::config(false);
    config.recover_peers = 8;
    let mut world = World::with(config, 1);
    world.set_need(crate::world::STORE, crate::world::need(0, 0, 0));
    // Somebody answers all the time, so that no outage is suspected.
    world.set_need(crate::world::FILTER, crate::world::need(1, 1, 1));
    let company = world.node(&[crate::world::FILTER]);
    world.discovered(company, Source::PeerExchange);
    let pushes = [crate::world::LIGHT_PUSH];
    world.set_need(pushes[0], crate::world::need(1, 2, 2));
    // Peers of another network, and strangers who fail, are known before the one who serves.
    world.start();
    for n in 0..12 {
        let place = world.node(&pushes);
        if n < 6 {
            world.nodes[place].metadata = lightkeeper::manager::Metadata::OtherNetwork;
        } else {
            world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
        }
        world.discovered(place, Source::PeerExchange);
    }
    let good = world.node(&pushes);
    world.discovered(good, Source::PeerExchange);
    world.run(60_000);
    assert!(world.connected(good));
    world.report(good, pushes[0], lightkeeper::manager::Outcome::Success);
    // It fails some times and waits for long; others of whom nothing is known fail after it and are due before it.
    world.stop_node(good);
    let waits_for = |world: &World, place: usize| {
        let at = world.view(place).next_try_at_wall_ms;
        at.map_or(0, |at| at.saturating_sub(world.time().wall_ms))
    };
    while waits_for(&world, good) < 30_000 {
        world.run(10);
    }
    let fresh: Vec<usize> = (0..5)
        .map(|_| {
            let place = world.node(&pushes);
            world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
            world.discovered(place, Source::PeerExchange);
            place
        })
        .collect();
    world.run(4_000);
    let good_waits = waits_for(&world, good);
    assert!(good_waits > 20_000);
    for place in fresh {
        let waits = waits_for(&world, place);
        assert!(waits > 0 && waits < good_waits, "{waits} of {good_waits}");
    }
    world.tell(Event::NetworkChanged { constrained: false });
    let due = world.view(good).next_try_at_wall_ms.expect("it waits");
    assert!(
        due <= world.time().wall_ms + 2_000,
        "{}",
        due - world.time().wall_ms
    );
}

fn flaps(world: &World, place: usize) -> u8 {
    let explained = world.manager.explain(&world.nodes[place].id);
    explained.expect("it is known").flaps
}

#[test]
fn the_first_of_many_that_are_lost_together_is_charged_no_more_than_the_last() {
    let (mut world, fleet) = World::fleet();
    world.start();
    world.run(30_000);
    assert!(world.manager.stats().open >= 3);
    for place in fleet.everybody() {
        world.lose(place, CloseCause::Broken);
        world.run(100);
    }
    for place in fleet.everybody() {
        assert_eq!(flaps(&world, place), 0);
    }
}

#[test]
fn one_who_is_lost_twice_within_two_seconds_is_no_mass() {
    let mut world = World::offline_trees();
    let places: Vec<usize> = (0..3)
        .map(|_| {
            let place = world.node(&crate::world::ALL);
            world.named(place);
            place
        })
        .collect();
    for id in crate::world::ALL {
        world.set_need(id, crate::world::need(1, 3, 3));
    }
    world.start();
    world.run(10_000);
    assert!(places.iter().all(|place| world.connected(*place)));
    let restless = places[2];
    let lost_at = world.now;
    world.lose(restless, CloseCause::RemoteClean);
    while !world.connected(restless) {
        world.run(10);
    }
    world.lose(restless, CloseCause::RemoteClean);
    assert!(world.now - lost_at < 2_000);
    assert_eq!(flaps(&world, restless), 2);
}

#[test]
fn a_young_connection_that_died_in_sleep_is_no_flap() {
    let mut world = World::offline_trees();
    let place = world.node(&crate::world::ALL);
    world.discovered(place, Source::PeerExchange);
    world.start();
    world.run(10_000);
    assert!(world.connected(place));
    world.nodes[place].answers_pings = false;
    world.nodes[place].reachable = Reachable::Never;
    world.now += 8_000;
    world.tell(Event::Woke);
    world.run(5_500);
    assert!(!world.connected(place));
    assert_eq!(flaps(&world, place), 0);
    // One that breaks without any sleep is one.
    world.nodes[place].answers_pings = true;
    world.start_node(place);
    world.run(30_000);
    assert!(world.connected(place));
    world.lose(place, CloseCause::Broken);
    assert_eq!(flaps(&world, place), 1);
}

#[test]
fn whoever_ends_a_suspicion_and_is_lost_at_once_is_charged() {
    let (mut world, fleet) = settled();
    stop_all(&mut world, fleet);
    world.run(60_000);
    assert_eq!(world.manager.health().1, HealthReason::SuspectOffline);
    let place = fleet.all[0];
    world.start_node(place);
    while !world.connected(place) {
        world.run(100);
    }
    world.run(5_000);
    world.lose(place, CloseCause::Broken);
    assert_eq!(flaps(&world, place), 1);
}
