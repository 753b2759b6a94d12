//! How many connections there may be, in all and by transport (4.4, 4.7, S1, S8).

use lightkeeper::manager::{
    Command, Event, GateQuery, LimitCause, Reason, Source, Transport, What,
};

use crate::world::{LIGHT_PUSH, Reachable, World, config, need};

fn limits(world: &World) -> (u16, u16) {
    let stats = world.manager.stats();
    (stats.soft, stats.hard)
}

fn set(world: &mut World, soft: Option<u16>, hard: Option<u16>) {
    world.tell(Event::SetLimits { soft, hard });
}

fn cap(world: &mut World, transport: Transport, max: Option<u16>) {
    world.tell(Event::SetMaxByTransport { transport, max });
}

/// Forty providers of one thing, and a need for all of them.
fn greedy() -> World {
    let mut config = config(false);
    // As many at once as the pacing allows, from the start.
    config.head_start_dials = 6;
    let mut world = World::with(config, 1);
    world.set_need(LIGHT_PUSH, need(1, 40, 40));
    for _ in 0..40 {
        let place = world.node(&[LIGHT_PUSH]);
        world.discovered(place, Source::PeerExchange);
    }
    world.start();
    world
}

/// A peer that is known by several addresses.
fn by(world: &mut World, routes: &[&str]) -> usize {
    let place = world.node(&[LIGHT_PUSH]);
    let routes: Vec<_> = routes
        .iter()
        .map(|route| route.parse().expect("an address"))
        .collect();
    world.tell(Event::Discovered {
        peer: world.nodes[place].id,
        routes,
        claims: vec![LIGHT_PUSH],
        source: Source::PeerExchange,
        introducer: None,
    });
    place
}

#[test]
fn the_hard_cap_follows_the_soft_target_until_it_is_named() {
    let mut world = World::offline_trees();
    assert_eq!(limits(&world), (16, 20));
    set(&mut world, Some(6), None);
    assert_eq!(limits(&world), (6, 8));
    set(&mut world, Some(64), None);
    assert_eq!(limits(&world), (64, 80));
    set(&mut world, None, Some(70));
    assert_eq!(limits(&world), (64, 70));
    set(&mut world, Some(10), None);
    assert_eq!(limits(&world), (10, 70));
}

#[test]
fn the_hard_cap_is_never_below_the_soft_target_and_that_is_never_nothing() {
    let mut world = World::offline_trees();
    set(&mut world, Some(10), Some(4));
    assert_eq!(limits(&world), (10, 10));
    set(&mut world, Some(0), Some(0));
    assert_eq!(limits(&world), (1, 1));
    set(&mut world, Some(u16::MAX), Some(u16::MAX));
    assert_eq!(limits(&world), (256, 320));
}

#[test]
fn a_change_of_the_limits_is_a_decision_with_its_cause() {
    let mut world = World::offline_trees();
    set(&mut world, Some(6), None);
    set(&mut world, Some(6), None);
    let told: Vec<What> = world
        .manager
        .decisions(10)
        .into_iter()
        .map(|decision| decision.what)
        .collect();
    let (soft, hard, why) = (6, 8, LimitCause::User);
    assert_eq!(told, [What::Limits { soft, hard, why }]);
}

#[test]
fn needs_stop_at_the_soft_target_that_the_user_set_and_go_on_when_it_rises() {
    let mut world = World::offline_trees();
    set(&mut world, Some(5), None);
    world.set_need(LIGHT_PUSH, need(1, 40, 40));
    for _ in 0..40 {
        let place = world.node(&[LIGHT_PUSH]);
        world.discovered(place, Source::PeerExchange);
    }
    world.start();
    world.run(60_000);
    assert_eq!(world.manager.stats().open, 5);
    set(&mut world, Some(9), None);
    world.run(60_000);
    assert_eq!(world.manager.stats().open, 9);
}

#[test]
fn dials_beyond_a_lower_hard_cap_are_given_up_in_the_same_input() {
    let mut world = greedy();
    let dialing = world.manager.stats().dialing;
    assert!(dialing > 2, "{dialing}");
    let mark = world.mark();
    set(&mut world, Some(2), Some(2));
    let cancelled = world.count(mark, |order| matches!(order, Command::CancelDial { .. }));
    assert_eq!(cancelled as u32, dialing - 2);
    assert_eq!(world.manager.stats().dialing, 2);
}

#[test]
fn no_more_connections_and_dials_of_a_transport_than_its_cap() {
    let mut world = World::offline_trees();
    cap(&mut world, Transport::Ws, Some(3));
    world.set_need(LIGHT_PUSH, need(1, 40, 40));
    for _ in 0..10 {
        let place = world.node(&[LIGHT_PUSH]);
        world.discovered(place, Source::PeerExchange);
    }
    world.start();
    for _ in 0..200 {
        let stats = world.manager.stats();
        assert!(stats.open + stats.dialing <= 3, "S8");
        world.run(50);
    }
    assert_eq!(world.manager.stats().open, 3);
    cap(&mut world, Transport::Ws, None);
    world.run(60_000);
    assert_eq!(world.manager.stats().open, 10);
}

#[test]
fn a_peer_is_dialed_by_another_transport_when_the_first_is_full() {
    let mut world = World::offline_trees();
    cap(&mut world, Transport::Ws, Some(0));
    by(&mut world, &["/ip4/127.0.0.1/tcp/9000/ws"]);
    world.start();
    world.run(10_000);
    assert_eq!(world.dialed(), [0_usize; 0]);
    let both = ["/ip4/127.0.0.1/tcp/9001/ws", "/ip4/127.0.0.1/tcp/9002/wss"];
    let place = by(&mut world, &both);
    world.run(10_000);
    assert_eq!(world.dialed(), [place]);
    let dialed = world.orders.iter().find_map(|order| match &order.command {
        Command::Dial { route, .. } => Some(route.to_string()),
        _ => None,
    });
    assert_eq!(dialed.as_deref(), Some(both[1]));
}

#[test]
fn the_gate_refuses_a_peer_whose_transports_are_all_full() {
    let mut world = World::offline_trees();
    world.set_need(LIGHT_PUSH, need(0, 0, 0));
    world.start();
    let place = by(&mut world, &["/ip4/127.0.0.1/tcp/9000/wss"]);
    let peer = Some(world.nodes[place].id);
    let time = world.time();
    let ask = |world: &mut World| world.manager.gate(time, GateQuery::Outbound { peer });
    assert_eq!(ask(&mut world), Ok(()));
    cap(&mut world, Transport::Wss, Some(0));
    assert_eq!(ask(&mut world), Err(Reason::TransportLimit));
}

#[test]
fn a_connection_that_nobody_ordered_is_closed_when_its_transport_is_full() {
    let mut world = World::offline_trees();
    world.start();
    cap(&mut world, Transport::Ws, Some(1));
    let (first, second) = (world.node(&[LIGHT_PUSH]), world.node(&[LIGHT_PUSH]));
    world.connects_by_itself(first);
    let mark = world.mark();
    world.connects_by_itself(second);
    assert_eq!(world.closes_since(mark), [Reason::TransportLimit]);
}

#[test]
fn a_lower_cap_of_a_transport_closes_what_is_over_and_cancels_its_dials() {
    let mut world = greedy();
    world.run(2_000);
    for place in 0..40 {
        world.nodes[place].reachable = Reachable::Never;
    }
    world.run(1_000);
    let stats = world.manager.stats();
    assert!(stats.open > 2 && stats.dialing > 0, "{stats:?}");
    let mark = world.mark();
    cap(&mut world, Transport::Ws, Some(2));
    let closes = world.closes_since(mark);
    assert!(closes.iter().all(|why| *why == Reason::TransportLimit));
    assert_eq!(closes.len() as u32, stats.open - 2);
    assert_eq!(world.manager.stats().dialing, 0);
}

#[test]
fn a_cap_of_one_transport_leaves_the_others_alone() {
    let mut world = greedy();
    world.run(60_000);
    let mark = world.mark();
    cap(&mut world, Transport::WebRtcDirect, Some(0));
    world.run(10_000);
    assert_eq!(world.closes_since(mark), []);
}
