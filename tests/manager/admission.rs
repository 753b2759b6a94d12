//! One rule says whether a peer may be dialed, at this address, now: every address of every dial passes it, and all who
//! ask about dials read it.

use lightkeeper::manager::{
    Command, DialFailure, Event, GateQuery, Health, Outcome, Priority, Reason, Source, Transport,
};
use multiaddr::Multiaddr;

use crate::world::{ALL, FILTER, LIGHT_PUSH, Reachable, STORE, World, config, need};

const MINUTE: u64 = 60_000;

fn address(text: &str) -> Multiaddr {
    text.parse().expect("an address")
}

/// A world that wants ten of one kind, and where some peers in networks of their own are known, all of them dead: there is
/// variety to ask for.
fn varied() -> World {
    let mut world = World::offline_trees();
    world.set_need(LIGHT_PUSH, need(1, 10, 10));
    world.set_need(FILTER, need(0, 0, 0));
    world.set_need(STORE, need(0, 0, 0));
    for net in 0..10 {
        let place = world.node(&[LIGHT_PUSH]);
        world.nodes[place].address = address(&format!("/ip4/40.{net}.0.1/tcp/443/wss"));
        world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
        world.discovered(place, Source::PeerExchange);
    }
    world
}

/// Ten peers of one subnet, each of which also has an address in a network of its own.
fn ten_of_one_subnet(world: &mut World, elsewhere: &str, there: Reachable) -> Vec<usize> {
    (0..10)
        .map(|host| {
            let place = world.node(&[LIGHT_PUSH]);
            world.nodes[place].address = address(&format!("/ip4/8.8.8.{host}/tcp/443/wss"));
            let door = format!("/ip4/50.{host}.0.1/tcp/443/{elsewhere}");
            world.nodes[place].doors = vec![(address(&door), there)];
            world.discovered(place, Source::PeerExchange);
            place
        })
        .collect()
}

fn connected(world: &World, places: &[usize]) -> usize {
    let there = places.iter().filter(|place| world.connected(**place));
    there.count()
}

#[test]
fn the_address_that_follows_a_failed_one_is_judged_as_the_first_s15() {
    let mut world = varied();
    let dead = Reachable::No(DialFailure::Unreachable);
    let places = ten_of_one_subnet(&mut world, "wss", dead);
    world.start();
    world.run(5 * MINUTE);
    assert_eq!(connected(&world, &places), 2);
}

#[test]
fn an_address_is_judged_that_is_dialed_because_the_transport_of_the_best_is_full_s15() {
    let mut world = varied();
    let (transport, max) = (Transport::Ws, Some(0));
    world.tell(Event::SetMaxByTransport { transport, max });
    let places = ten_of_one_subnet(&mut world, "ws", Reachable::Yes);
    world.start();
    world.run(5 * MINUTE);
    assert_eq!(connected(&world, &places), 2);
}

#[test]
fn a_peer_whose_best_address_is_refused_is_dialed_at_another() {
    let mut world = varied();
    let places = ten_of_one_subnet(&mut world, "wss", Reachable::Yes);
    world.start();
    world.run(5 * MINUTE);
    // All of them can be reached where nobody else is.
    assert_eq!(connected(&world, &places), 10);
}

#[test]
fn no_further_address_is_tried_fifteen_seconds_after_the_first() {
    let mut config = config(false);
    config.dial_timeout_ms = 10_000;
    let mut world = World::with(config, 1);
    let place = world.node(&ALL);
    world.nodes[place].reachable = Reachable::Never;
    let doors = (1..4).map(|port| format!("/ip4/127.0.0.1/tcp/{port}/ws"));
    world.nodes[place].doors = doors.map(|at| (address(&at), Reachable::Never)).collect();
    world.discovered(place, Source::PeerExchange);
    world.start();
    world.run(19_999);
    assert_eq!(world.dialed().len(), 2);
    world.run(1_000);
    assert_eq!(world.dialed().len(), 2);
    world.run(25_000);
    // Then the two that had no turn.
    let routes: std::collections::BTreeSet<Multiaddr> = world
        .orders
        .iter()
        .filter_map(|order| match &order.command {
            Command::Dial { route, .. } => Some(route.clone()),
            _ => None,
        })
        .collect();
    assert_eq!((world.dialed().len(), routes.len()), (4, 4));
}

// --- subnets that are refused ---------------------------------------------------------------------------------------

/// Five peers of 198.51.100.0/24 are banned for their faults.
fn refuse_a_subnet(world: &mut World) {
    for host in 1..=5 {
        let place = world.node(&ALL);
        world.nodes[place].address = address(&format!("/ip4/198.51.100.{host}/tcp/443/wss"));
        world.discovered(place, Source::PeerExchange);
        while world.view(place).state != lightkeeper::manager::PeerState::Banned {
            world.report(place, STORE, Outcome::Fault);
        }
        let peer = world.nodes[place].id;
        world.tell(Event::Forget { peer });
    }
}

/// The only bootstrap peer is known at three addresses in the refused subnet, and at one elsewhere.
fn bootstrap_of_four_addresses(seed: u8) -> (World, usize) {
    let mut world = World::with(config(false), seed);
    refuse_a_subnet(&mut world);
    let boot = world.node(&ALL);
    world.nodes[boot].address = address("/ip4/9.9.9.9/tcp/443/wss");
    let doors = (201..204).map(|host| format!("/ip4/198.51.100.{host}/tcp/443/wss"));
    world.nodes[boot].doors = doors.map(|at| (address(&at), Reachable::Yes)).collect();
    world.discovered(boot, Source::Dns);
    world.start();
    (world, boot)
}

#[test]
fn a_bootstrap_whose_first_addresses_are_refused_is_dialed_at_the_fourth() {
    for seed in 0..16 {
        let (mut world, boot) = bootstrap_of_four_addresses(seed);
        world.run(5_000);
        assert!(world.connected(boot), "seed {seed}");
        assert_eq!(
            world.view(boot).route,
            Some(world.nodes[boot].address.clone())
        );
    }
}

#[test]
fn a_suspicion_goes_on_probing_a_peer_whose_first_addresses_are_refused() {
    for seed in 0..16 {
        let (mut world, boot) = bootstrap_of_four_addresses(seed);
        world.run(5_000);
        world.stop_node(boot);
        world.run(10 * MINUTE);
        assert_ne!(world.health(), Health::Met);
        world.start_node(boot);
        world.run(MINUTE);
        assert!(world.connected(boot), "seed {seed}");
    }
}

// --- who reads the rule ---------------------------------------------------------------------------------------------

fn not_dialed(world: &World, place: usize) -> Option<Reason> {
    let peer = world.nodes[place].id;
    world.manager.explain(&peer).expect("known").not_dialed
}

#[test]
fn an_explanation_and_the_gate_give_the_same_reason_as_keeps_a_dial_away() {
    let mut world = varied();
    let ten = ten_of_one_subnet(&mut world, "wss", Reachable::No(DialFailure::Unreachable));
    world.start();
    world.run(5 * MINUTE);
    assert_eq!(connected(&world, &ten), 2);
    let third = world.node(&[LIGHT_PUSH]);
    world.nodes[third].address = address("/ip4/8.8.8.100/tcp/443/wss");
    world.discovered(third, Source::PeerExchange);
    assert_eq!(not_dialed(&world, third), Some(Reason::DiversityLimit));
    refuse_a_subnet(&mut world);
    let refused = world.node(&[LIGHT_PUSH]);
    world.nodes[refused].address = address("/ip4/198.51.100.77/tcp/443/wss");
    world.discovered(refused, Source::PeerExchange);
    assert_eq!(not_dialed(&world, refused), Some(Reason::SubnetBanned));
    for place in [third, refused] {
        let (now, peer) = (world.time(), Some(world.nodes[place].id));
        let verdict = world.manager.gate(now, GateQuery::Outbound { peer });
        assert_eq!(verdict.err(), not_dialed(&world, place));
    }
    // Whom the user holds is let in where only variety is in the way.
    world.connect_now(third);
    world.run(1_000);
    assert!(world.connected(third));
    world.connect_now(refused);
    world.set_priority(refused, Priority::High);
    world.run(MINUTE);
    assert!(!world.connected(refused));
}

// --- what others dial -----------------------------------------------------------------------------------------------

/// One connection below the hard cap of two.
fn one_below_the_cap() -> World {
    let mut world = World::offline_trees();
    for id in ALL {
        world.set_need(id, need(0, 0, 4));
    }
    let (soft, hard) = (Some(1), Some(2));
    world.tell(Event::SetLimits { soft, hard });
    world.start();
    let place = world.node(&ALL);
    world.connects_by_itself(place);
    world.run(100);
    world
}

fn gate(world: &mut World) -> Result<(), Reason> {
    let now = world.time();
    world.manager.gate(now, GateQuery::Outbound { peer: None })
}

#[test]
fn of_two_foreign_dials_one_below_the_hard_cap_one_is_admitted_s1() {
    let mut world = one_below_the_cap();
    assert_eq!(gate(&mut world), Ok(()));
    assert_eq!(gate(&mut world), Err(Reason::LimitReached));
    // Nobody tells that it failed.
    world.run(29_000);
    assert_eq!(gate(&mut world), Err(Reason::LimitReached));
    world.run(1_000);
    assert_eq!(gate(&mut world), Ok(()));
}

#[test]
fn a_foreign_dial_that_was_admitted_has_its_place_when_it_connects() {
    let mut world = one_below_the_cap();
    assert_eq!(gate(&mut world), Ok(()));
    let place = world.node(&ALL);
    world.connects_by_itself(place);
    world.run(100);
    assert!(world.connected(place));
    assert_eq!(gate(&mut world), Err(Reason::LimitReached));
    world.hang_up(place);
    world.run(100);
    assert_eq!(gate(&mut world), Ok(()));
}

#[test]
fn the_users_own_dial_is_made_when_the_place_of_a_foreign_one_is_free_again() {
    let mut world = one_below_the_cap();
    assert_eq!(gate(&mut world), Ok(()));
    let place = world.node(&[]);
    let peer = world.nodes[place].id;
    world.tell(Event::ConnectNow {
        peer,
        routes: vec![world.nodes[place].address.clone()],
        permanent: true,
    });
    world.run(25_000);
    assert!(!world.connected(place));
    world.run(10_000);
    assert!(world.connected(place));
}
