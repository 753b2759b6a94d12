//! The addresses of a peer, and which of them has its turn (4.7).

use lightkeeper::manager::{CloseCause, Command, DialFailure, Event, Reason, Source};

use crate::world::{ALL, Reachable, World};

#[test]
fn addresses_are_tried_one_after_another_and_three_at_most() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
    let routes = (0..20)
        .map(|i| {
            format!("/ip4/127.0.0.1/tcp/{}/ws", 7_000 + i)
                .parse()
                .expect("an address")
        })
        .collect();
    world.tell(Event::Discovered {
        peer: world.nodes[place].id,
        routes,
        claims: ALL.to_vec(),
        source: Source::Static,
        introducer: None,
    });
    world.start();
    assert_eq!(world.dialed().len(), 1);
    world.run(1_000);
    let tried: std::collections::BTreeSet<String> = world
        .orders
        .iter()
        .filter_map(|order| match &order.command {
            Command::Dial { route, .. } => Some(route.to_string()),
            _ => None,
        })
        .collect();
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
    let routes = (0..7)
        .map(|i| {
            format!("/ip4/127.0.0.1/tcp/{}/ws", 7_000 + i)
                .parse()
                .expect("an address")
        })
        .collect();
    world.tell(Event::Discovered {
        peer: world.nodes[place].id,
        routes,
        claims: vec![],
        source: Source::PeerExchange,
        introducer: None,
    });
    let mark = world.mark();
    world.lose(place, CloseCause::Broken);
    world.run(5_000);
    let first = world.orders[mark..]
        .iter()
        .find_map(|order| match &order.command {
            Command::Dial { route, .. } => Some(route.clone()),
            _ => None,
        });
    assert_eq!(first, Some(worked));
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
        let routes = (0..8).map(|_| {
            port += 1;
            format!("/ip4/127.0.0.1/tcp/{port}/ws")
                .parse()
                .expect("an address")
        });
        let event = Event::Discovered {
            peer: world.nodes[place].id,
            routes: routes.collect(),
            claims: vec![],
            source: Source::PeerExchange,
            introducer: None,
        };
        world.tell(event);
        world.run(5_000);
    };
    for _ in 0..60 {
        claim_and_wait(&mut world);
    }
    let mark = world.mark();
    for _ in 0..240 {
        claim_and_wait(&mut world);
    }
    let dialed = |order: &&crate::world::Order| matches!(&order.command, Command::Dial { route, .. } if *route == worked);
    let dials = world.orders[mark..].iter().filter(dialed).count();
    assert!(dials > 3, "{dials} dials where it worked");
}

#[test]
fn a_peer_keeps_eight_addresses_and_those_that_worked() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.named(place);
    world.start();
    world.run(1_000);
    for i in 0..100 {
        let route = format!("/ip4/127.0.0.1/tcp/{}/ws", 2_000 + i);
        world.tell(Event::Discovered {
            peer: world.nodes[place].id,
            routes: vec![route.parse().expect("an address")],
            claims: vec![],
            source: Source::PeerExchange,
            introducer: None,
        });
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
        world.tell(Event::Discovered {
            peer: world.nodes[place].id,
            routes,
            claims: ALL.to_vec(),
            source: Source::PeerExchange,
            introducer: None,
        });
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
