//! The addresses of a peer, and which of them has its turn (4.7).

use std::ops::Range;

use lightkeeper::manager::{
    CloseCause, Command, DialFailure, Event, Reason, RequirementId, Source,
};
use multiaddr::Multiaddr;

use crate::world::{ALL, Reachable, World};

/// Addresses on this machine.
fn at_ports(ports: Range<u16>) -> Vec<Multiaddr> {
    let address = |port| format!("/ip4/127.0.0.1/tcp/{port}/ws").parse();
    ports
        .map(|port| address(port).expect("an address"))
        .collect()
}

/// Somebody says where a node is, and what it serves.
fn told(
    world: &mut World,
    place: usize,
    routes: Vec<Multiaddr>,
    claims: &[RequirementId],
    source: Source,
) {
    world.tell(Event::Discovered {
        peer: world.nodes[place].id,
        routes,
        claims: claims.to_vec(),
        source,
        introducer: None,
    });
}

/// The addresses that were dialed.
fn dialed_at(world: &World, mark: usize) -> Vec<Multiaddr> {
    let orders = world.orders[mark..].iter();
    orders
        .filter_map(|order| match &order.command {
            Command::Dial { route, .. } => Some(route.clone()),
            _ => None,
        })
        .collect()
}

#[test]
fn addresses_are_tried_one_after_another_and_three_at_most() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
    told(
        &mut world,
        place,
        at_ports(7_000..7_020),
        &ALL,
        Source::Static,
    );
    world.start();
    assert_eq!(world.dialed().len(), 1);
    world.run(1_000);
    let mut tried = dialed_at(&world, 0);
    tried.sort_unstable();
    tried.dedup();
    assert_eq!((world.dialed().len(), tried.len()), (3, 3));
}

#[test]
fn the_address_that_worked_is_tried_first_the_next_time() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.named(place);
    world.start();
    world.run(1_000);
    let worked = world.nodes[place].address.clone();
    let others = at_ports(7_000..7_007);
    told(&mut world, place, others, &[], Source::PeerExchange);
    let mark = world.mark();
    world.lose(place, CloseCause::Broken);
    world.run(5_000);
    assert_eq!(dialed_at(&world, mark).first(), Some(&worked));
}

#[test]
fn an_address_that_worked_keeps_its_turn_whatever_others_claim() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.discovered(place, Source::PeerExchange);
    world.start();
    world.run(1_000);
    let worked = world.nodes[place].address.clone();
    world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
    world.lose(place, CloseCause::Broken);
    let mut port = 7_000;
    let mut claim_and_wait = |world: &mut World| {
        let others = at_ports(port..port + 8);
        port += 8;
        told(world, place, others, &[], Source::PeerExchange);
        world.run(5_000);
    };
    for _ in 0..60 {
        claim_and_wait(&mut world);
    }
    let mark = world.mark();
    for _ in 0..240 {
        claim_and_wait(&mut world);
    }
    let dials = dialed_at(&world, mark);
    let dials = dials.iter().filter(|route| **route == worked).count();
    assert!(dials > 3, "{dials} dials where it worked");
}

#[test]
fn a_peer_keeps_eight_addresses_and_those_that_worked() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.named(place);
    world.start();
    world.run(1_000);
    for port in 2_000..2_100 {
        let other = at_ports(port..port + 1);
        told(&mut world, place, other, &[], Source::PeerExchange);
    }
    let worked = world.nodes[place].address.clone();
    world.hang_up(place);
    world.run(100);
    assert_eq!(world.view(place).route, Some(worked));
}

#[test]
fn addresses_that_lead_elsewhere_cost_no_wait_while_there_are_others() {
    for failure in [DialFailure::WrongId, DialFailure::Unreachable] {
        let mut world = World::offline_trees();
        let place = world.node(&ALL);
        world.nodes[place].reachable = Reachable::No(failure);
        let routes = (1..=5)
            .map(|n| format!("/ip4/10.0.0.{n}/tcp/443/wss").parse())
            .map(|route| route.expect("an address"))
            .collect();
        told(&mut world, place, routes, &ALL, Source::PeerExchange);
        world.start();
        while world.manager.stats().dial_failures < 3 {
            world.run(1);
        }
        // Three addresses are tried in one go. Two are left.
        world.start_node(place);
        world.run(1_000);
        let waits = failure == DialFailure::Unreachable;
        assert_eq!(world.connected(place), !waits, "{failure}");
    }
}

#[test]
fn the_only_address_is_tried_less_and_less_often_when_it_leads_elsewhere() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.nodes[place].reachable = Reachable::No(DialFailure::WrongId);
    world.discovered(place, Source::PeerExchange);
    world.start();
    world.run(3_600_000);
    let first = world.dialed().len();
    assert!(first <= 12, "{first} dials in the first hour");
    let mark = world.mark();
    world.run(3_600_000);
    assert!(world.dialed_since(mark).len() <= 2);
}

#[test]
fn a_wrong_id_does_not_end_the_job_and_the_last_address_is_never_forgotten() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.nodes[place].reachable = Reachable::No(DialFailure::WrongId);
    world.named(place);
    world.start();
    world.run(100);
    assert_eq!(world.view(place).last_reason, Some(Reason::WrongId));
    assert!(world.view(place).route.is_some());
    world.start_node(place);
    world.run(60_000);
    assert!(world.connected(place));
}
