//! Who is asked for more peers, and when: peer exchange and the trees (4.11).

use lightkeeper::manager::{
    CloseCause, Command, DialFailure, DialWhy, Event, Health, HealthReason, Sighting, Source, What,
};

use crate::world::{ALL, LIGHT_PUSH, Reachable, World};

fn is_discover(command: &Command) -> bool {
    *command == Command::Discover
}

fn is_query(command: &Command) -> bool {
    matches!(command, Command::QueryPeers { .. })
}

#[test]
fn the_trees_are_looked_up_at_once_when_nobody_is_known() {
    let (mut world, _) = World::fleet();
    world.start();
    assert_eq!(world.count(0, is_discover), 1);
}

#[test]
fn the_trees_are_not_looked_up_while_static_peers_have_their_head_start() {
    let (mut world, fleet) = World::fleet();
    for place in fleet.all {
        world.named(place);
    }
    world.start();
    world.run(60_000);
    assert_eq!(world.health(), Health::Met);
    assert_eq!(world.count(0, is_discover), 0);
}

#[test]
fn the_trees_are_looked_up_after_three_seconds_without_a_serving_connection() {
    let (mut world, fleet) = World::fleet();
    world.nodes[fleet.all[0]].reachable = Reachable::Never;
    world.named(fleet.all[0]);
    world.start();
    world.run(2_999);
    assert_eq!(world.count(0, is_discover), 0);
    world.run(1_000);
    assert_eq!(world.count(0, is_discover), 1);
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn look_ups_that_bring_nothing_are_repeated_ever_more_slowly() {
    let mut world = World::new();
    world.start();
    world.run(60 * 60_000);
    let at: Vec<u64> = world
        .orders
        .iter()
        .filter(|order| is_discover(&order.command))
        .map(|order| order.at)
        .collect();
    let gaps: Vec<u64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[0] >= 10_000 && gaps[0] < 11_000, "{gaps:?}");
    assert!(gaps.windows(2).all(|pair| pair[0] <= pair[1]), "{gaps:?}");
    assert!(*gaps.last().expect("many") >= 300_000, "{gaps:?}");
    assert_eq!(world.manager.health().1, HealthReason::DiscoveryFailed);
}

#[test]
fn without_trees_nobody_is_looked_up_and_health_says_so() {
    let mut world = World::offline_trees();
    world.start();
    world.run(60_000);
    assert_eq!(world.count(0, is_discover), 0);
    assert_eq!(world.manager.health().1, HealthReason::NoBootstrap);
}

#[test]
fn the_next_bootstrap_peer_waits_two_seconds_for_an_answer_of_the_first() {
    let mut world = World::new();
    for _ in 0..3 {
        let place = world.node(&ALL);
        world.nodes[place].exchanges = true;
        world.nodes[place].exchange_ms = None;
        world.tree.push(place);
    }
    world.start();
    world.run(1_900);
    assert_eq!(world.dialed().len(), 1);
    world.run(300);
    assert_eq!(world.dialed().len(), 2);
    world.run(5_000);
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn an_answer_that_never_comes_holds_nobody_up() {
    let (mut world, fleet) = World::fleet();
    world.start();
    world.run(26);
    let boot = world.dialed()[0];
    world.nodes[boot].exchange_ms = None;
    world.run(100);
    assert_eq!(world.count(0, is_query), 1);
    world.discovered(fleet.all[0], Source::PeerExchange);
    assert!(world.dialed().contains(&fleet.all[0]));
}

#[test]
fn whoever_comes_first_in_an_answer_is_dialed_no_sooner_d3() {
    let dialed = |backwards: bool| {
        let mut world = World::offline_trees();
        let places: Vec<usize> = (0..40).map(|_| world.node(&ALL)).collect();
        world.start();
        let mut entries: Vec<Sighting> = places.iter().map(|p| world.said_of(*p)).collect();
        if backwards {
            entries.reverse();
        }
        let peer = crate::world::id(500);
        world.tell(Event::Answered { peer, entries });
        world.dialed()
    };
    assert!(!dialed(false).is_empty());
    assert_eq!(dialed(false), dialed(true));
}

#[test]
fn a_peer_is_asked_for_others_once_while_something_is_missing_and_then_twice_a_minute() {
    let mut world = World::offline_trees();
    let place = world.node(&[LIGHT_PUSH]);
    world.nodes[place].exchanges = true;
    world.named(place);
    world.start();
    world.run(29_000);
    assert_eq!(world.count(0, is_query), 1);
    world.run(2_000);
    assert_eq!(world.count(0, is_query), 2);
    world.run(300_000);
    assert_eq!(world.count(0, is_query), 12);
}

#[test]
fn nobody_is_asked_for_others_when_nothing_is_missing() {
    let (mut world, _) = World::fleet();
    world.start();
    world.run(1_000);
    let mark = world.mark();
    world.run(600_000);
    assert_eq!(world.count(mark, is_query), 0);
}

#[test]
fn whom_the_user_names_and_who_only_knows_others_is_asked_again_when_they_are_gone() {
    let mut world = World::offline_trees();
    let all: Vec<usize> = (0..3).map(|_| world.node(&ALL)).collect();
    let place = world.node(&[]);
    world.nodes[place].exchanges = true;
    world.nodes[place].knows = vec![all[0], all[1]];
    world.named(place);
    world.start();
    world.run(60_000);
    assert_eq!(world.health(), Health::Met);
    assert!(!world.connected(place), "its work is done");
    // Everybody it named is gone for good, and by now it knows another.
    for gone in &all[..2] {
        world.stop_node(*gone);
    }
    world.nodes[place].knows = vec![all[2]];
    world.run(30 * 60_000);
    assert!(world.connected(all[2]));
}

#[test]
fn whom_the_user_names_and_who_only_knows_others_waits_for_no_rung() {
    let mut world = World::offline_trees();
    let all: Vec<usize> = (0..4).map(|_| world.node(&ALL)).collect();
    let place = world.node(&[]);
    world.nodes[place].exchanges = true;
    world.nodes[place].knows = vec![all[0], all[1]];
    world.named(place);
    let boot = world.node(&ALL);
    world.discovered(boot, Source::Dns);
    world.start();
    world.run(120_000);
    assert_eq!(world.health(), Health::Met);
    assert!(!world.connected(place), "its work is done");
    world.nodes[place].knows = vec![all[2], all[3]];
    let mark = world.mark();
    for gone in &all[..2] {
        world.nodes[*gone].reachable = Reachable::No(DialFailure::Unreachable);
    }
    for gone in &all[..2] {
        world.lose(*gone, CloseCause::Broken);
    }
    world.run(60_000);
    assert!(world.connected(all[2]) && world.connected(all[3]));
    let dialed = world.dialed_since(mark);
    assert!(dialed.contains(&place));
    assert!(!dialed.contains(&boot), "others were there");
    let peer = world.nodes[place].id;
    for decision in world.manager.decisions(1_000) {
        if let What::Dialed {
            peer: whom, why, ..
        } = decision.what
        {
            let parked = matches!(why, DialWhy::Bootstrap(_));
            assert!(whom != peer || !parked, "{why:?}");
        }
    }
}
