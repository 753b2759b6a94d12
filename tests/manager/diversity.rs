//! Nobody alone decides whom we know and whom we are connected to (4.15, S15).

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    DialFailure, Event, GateQuery, Health, Reason, RequirementId, Sighting, Source, What,
};

use crate::world::{ALL, FILTER, LIGHT_PUSH, Reachable, STORE, World, config, id, need};

/// A node at this address, heard of from an introducer.
fn told(world: &mut World, address: &str, by: Option<PeerId>) -> usize {
    let place = world.node(&[LIGHT_PUSH]);
    world.nodes[place].address = address.parse().expect("an address");
    announce(world, place, by);
    place
}

fn announce(world: &mut World, place: usize, by: Option<PeerId>) {
    let node = &world.nodes[place];
    let event = Event::Discovered {
        peer: node.id,
        routes: vec![node.address.clone()],
        claims: node.claims.clone(),
        source: Source::PeerExchange,
        introducer: by,
    };
    world.tell(event);
}

fn dead(world: &mut World, place: usize) {
    world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
}

/// Dead peers in networks of their own: there is variety to ask for.
fn elsewhere(world: &mut World, count: usize) {
    for number in 0..count {
        let place = told(world, &format!("/ip4/40.{number}.0.1/tcp/443/wss"), None);
        dead(world, place);
    }
}

fn connected(world: &World, places: &[usize]) -> usize {
    places
        .iter()
        .filter(|place| world.connected(**place))
        .count()
}

fn relaxed(world: &World) -> usize {
    let decisions = world.manager.decisions(1_000).into_iter();
    decisions
        .filter(|decision| matches!(decision.what, What::Relaxed { .. }))
        .count()
}

/// Needs of one kind alone.
fn wanting(min: u8, target: u8) -> World {
    let mut world = World::offline_trees();
    world.set_need(LIGHT_PUSH, need(min, target, target));
    world.set_need(FILTER, need(0, 0, 0));
    world.set_need(STORE, need(0, 0, 0));
    world
}

#[test]
fn no_more_than_a_quarter_of_the_connections_lead_to_one_netgroup() {
    let mut world = wanting(1, 10);
    elsewhere(&mut world, 10);
    let one: Vec<usize> = (0..20)
        .map(|net| told(&mut world, &format!("/ip4/8.8.{net}.1/tcp/443/wss"), None))
        .collect();
    world.start();
    world.run(300_000);
    assert_eq!(connected(&world, &one), 4);
    assert_eq!(relaxed(&world), 0);
}

#[test]
fn no_more_than_two_connections_lead_to_one_subnet() {
    let mut world = wanting(1, 10);
    elsewhere(&mut world, 10);
    let one: Vec<usize> = (0..20)
        .map(|host| told(&mut world, &format!("/ip4/8.8.8.{host}/tcp/443/wss"), None))
        .collect();
    world.start();
    world.run(300_000);
    assert_eq!(connected(&world, &one), 2);
}

#[test]
fn no_more_than_half_of_the_connections_were_named_by_one_peer() {
    let mut world = wanting(1, 16);
    let (first, second) = (Some(id(500)), Some(id(501)));
    let one: Vec<usize> = (0..30)
        .map(|net| told(&mut world, &format!("/ip4/50.{net}.0.1/tcp/443/wss"), first))
        .collect();
    let other: Vec<usize> = (0..4)
        .map(|net| {
            told(
                &mut world,
                &format!("/ip4/60.{net}.0.1/tcp/443/wss"),
                second,
            )
        })
        .collect();
    world.start();
    world.run(300_000);
    assert_eq!(connected(&world, &one), 8);
    assert_eq!(connected(&world, &other), 4);
}

#[test]
fn a_bootstrap_is_released_where_the_caps_admit_nobody_else() {
    let mut world = wanting(1, 10);
    let (first, second) = (Some(id(500)), Some(id(501)));
    let one: Vec<usize> = (0..30)
        .map(|net| told(&mut world, &format!("/ip4/50.{net}.0.1/tcp/443/wss"), first))
        .collect();
    // There is another introducer, and nobody of his may be dialed.
    let other = told(&mut world, "/ip4/60.1.0.1/tcp/443/wss", second);
    world.hang_up(other);
    let parked: Vec<usize> = (0..3).map(|_| world.node(&[LIGHT_PUSH])).collect();
    for place in &parked {
        world.discovered(*place, Source::Dns);
    }
    world.start();
    world.hang_up(other);
    world.run(300_000);
    assert_eq!(connected(&world, &one), 8);
    assert_eq!(connected(&world, &parked), 2);
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn peers_whom_one_introducer_puts_first_do_not_hide_those_of_others() {
    let mut world = wanting(1, 12);
    for net in 0..60 {
        // They claim everything, so that they come before all others.
        let place = world.node(&ALL);
        world.nodes[place].address = format!("/ip4/50.{net}.0.1/tcp/443/wss")
            .parse()
            .expect("an address");
        announce(&mut world, place, Some(id(500)));
    }
    let other: Vec<usize> = (0..4)
        .map(|net| {
            told(
                &mut world,
                &format!("/ip4/60.{net}.0.1/tcp/443/wss"),
                Some(id(501)),
            )
        })
        .collect();
    world.start();
    world.run(300_000);
    assert_eq!(connected(&world, &other), 4);
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn a_cap_is_widened_once_and_said_so_where_a_minimum_cannot_be_met_otherwise() {
    let mut world = wanting(6, 10);
    elsewhere(&mut world, 10);
    let one: Vec<usize> = (0..20)
        .map(|net| told(&mut world, &format!("/ip4/8.8.{net}.1/tcp/443/wss"), None))
        .collect();
    world.start();
    world.run(300_000);
    // Four within the cap, two beyond: not the target.
    assert_eq!(connected(&world, &one), 6);
    assert_eq!(world.health(), Health::Minimal);
    assert_eq!(relaxed(&world), 2);
    world.set_need(LIGHT_PUSH, need(12, 12, 12));
    world.run(300_000);
    // Twice the cap and no more.
    assert_eq!(connected(&world, &one), 8);
}

#[test]
fn sixteen_known_peers_of_one_network_reach_every_target() {
    let mut world = World::offline_trees();
    for host in 0..16_u8 {
        let place = world.node(&[RequirementId(host % 3)]);
        world.nodes[place].address = format!("/ip4/8.8.8.{host}/tcp/443/wss")
            .parse()
            .expect("an address");
        announce(&mut world, place, Some(id(500)));
    }
    world.start();
    world.run(60_000);
    assert_eq!(world.health(), Health::Met);
    assert_eq!(relaxed(&world), 0);
}

#[test]
fn where_no_other_network_is_known_one_network_may_have_all_connections() {
    let mut world = wanting(1, 12);
    let one: Vec<usize> = (0..40)
        .map(|host| {
            told(
                &mut world,
                &format!("/ip4/8.8.8.{host}/tcp/443/wss"),
                Some(id(500)),
            )
        })
        .collect();
    world.start();
    world.run(60_000);
    assert_eq!(connected(&world, &one), 12);
}

#[test]
fn a_local_network_is_as_varied_as_its_ports() {
    let mut world = wanting(1, 12);
    let one: Vec<usize> = (0..40)
        .map(|port| {
            told(
                &mut world,
                &format!("/ip4/127.0.0.1/tcp/{}/ws", 9_000 + port),
                None,
            )
        })
        .collect();
    elsewhere(&mut world, 10);
    world.start();
    world.run(60_000);
    assert_eq!(connected(&world, &one), 12);
}

#[test]
fn whom_the_user_names_or_holds_is_let_in() {
    let mut world = wanting(1, 10);
    elsewhere(&mut world, 16);
    let named: Vec<usize> = (0..6)
        .map(|host| {
            let place = world.node(&[LIGHT_PUSH]);
            world.nodes[place].address = format!("/ip4/8.8.8.{host}/tcp/443/wss")
                .parse()
                .expect("an address");
            world.discovered(place, Source::Static);
            place
        })
        .collect();
    let held = told(&mut world, "/ip4/8.8.8.100/tcp/443/wss", None);
    world.start();
    world.connect_now(held);
    world.run(300_000);
    assert_eq!(connected(&world, &named), 6);
    assert!(world.connected(held));
}

#[test]
fn a_connection_that_nobody_ordered_and_a_foreign_dial_are_refused_beyond_the_caps() {
    let mut world = wanting(1, 10);
    elsewhere(&mut world, 16);
    let two: Vec<usize> = (0..2)
        .map(|host| told(&mut world, &format!("/ip4/8.8.8.{host}/tcp/443/wss"), None))
        .collect();
    world.start();
    world.run(300_000);
    assert_eq!(connected(&world, &two), 2);
    let third = told(&mut world, "/ip4/8.8.8.3/tcp/443/wss", None);
    let peer = Some(world.nodes[third].id);
    let time = world.time();
    assert_eq!(
        world.manager.gate(time, GateQuery::Outbound { peer }),
        Err(Reason::DiversityLimit)
    );
    let mark = world.mark();
    world.connects_by_itself(third);
    assert_eq!(world.closes_since(mark), [Reason::DiversityLimit]);
    world.run(10_000);
    assert!(!world.connected(third));
}

// --- the table ------------------------------------------------------------------------------------------------------

fn hear_of(world: &mut World, number: usize, address: &str, by: Option<PeerId>) {
    world.tell(Event::Discovered {
        peer: id(number),
        routes: vec![address.parse().expect("an address")],
        claims: vec![LIGHT_PUSH],
        source: Source::PeerExchange,
        introducer: by,
    });
}

fn known(world: &World, numbers: std::ops::Range<usize>) -> usize {
    numbers
        .filter(|number| world.manager.peer(&id(*number)).is_some())
        .count()
}

#[test]
fn sixty_four_strangers_of_one_introducer_are_kept_and_they_change() {
    let mut world = World::offline_trees();
    for number in 0..300 {
        let address = format!(
            "/ip4/{}.{}.0.1/tcp/443/wss",
            20 + number / 200,
            number % 200
        );
        hear_of(&mut world, number, &address, Some(id(5_000)));
    }
    assert_eq!(known(&world, 0..300), 64);
    assert!(
        known(&world, 64..300) > 20,
        "the first do not stay for ever"
    );
    hear_of(&mut world, 400, "/ip4/9.9.9.9/tcp/443/wss", Some(id(5_001)));
    assert_eq!(known(&world, 0..401), 65);
}

#[test]
fn two_hundred_and_fifty_six_peers_of_one_netgroup_are_kept() {
    let mut world = World::offline_trees();
    for number in 0..400 {
        let address = format!("/ip4/8.8.{}.{}/tcp/443/wss", number / 200, number % 200);
        hear_of(&mut world, number, &address, Some(id(5_000 + number / 50)));
    }
    assert_eq!(known(&world, 0..400), 256);
    let later = known(&world, 350..400);
    assert!(later > 20, "those who came last have a chance: {later}");
}

#[test]
fn a_full_table_forgets_of_those_who_are_represented_most() {
    let mut config = config(false);
    config.max_peers = 100;
    let mut world = World::with(config, 1);
    for number in 0..40 {
        let address = format!("/ip4/{}.1.0.1/tcp/443/wss", 20 + number);
        hear_of(&mut world, number, &address, Some(id(5_000 + number)));
    }
    // One introducer floods the table with one network.
    for number in 100..1_000 {
        let address = format!("/ip4/8.8.{}.{}/tcp/443/wss", number / 200, number % 200);
        hear_of(&mut world, number, &address, Some(id(6_000 + number % 3)));
    }
    assert_eq!(world.manager.stats().known, 100);
    assert_eq!(known(&world, 0..40), 40);
}

#[test]
fn whoever_was_reached_outlasts_a_flood() {
    let mut config = config(false);
    config.max_peers = 50;
    let mut world = World::with(config, 1);
    let good = world.node(&ALL);
    world.discovered(good, Source::PeerExchange);
    world.start();
    world.run(1_000);
    assert!(world.connected(good));
    dead(&mut world, good);
    world.lose(good, lightkeeper::manager::CloseCause::Broken);
    world.tell(Event::Stop);
    for number in 100..1_000 {
        let address = format!(
            "/ip4/{}.{}.0.1/tcp/443/wss",
            20 + number / 200,
            number % 200
        );
        hear_of(&mut world, number, &address, Some(id(6_000 + number)));
    }
    assert_eq!(world.manager.stats().known, 50);
    assert!(world.manager.peer(&world.nodes[good].id).is_some());
}

#[test]
fn no_more_than_sixty_entries_of_one_answer_are_read() {
    let mut world = World::offline_trees();
    let entry = |number: usize| Sighting {
        peer: id(number),
        routes: vec![
            format!("/ip4/20.{}.0.1/tcp/443/wss", number % 200)
                .parse()
                .expect("an address"),
        ],
        claims: vec![LIGHT_PUSH],
    };
    world.tell(Event::Answered {
        peer: id(500),
        entries: (100..300).map(entry).collect(),
    });
    assert_eq!(known(&world, 100..300), 60);
}
