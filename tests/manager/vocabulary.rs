//! What the user may say of peers: routes, keeping, protecting, forgetting.

use lightkeeper::manager::{
    CloseCause, Command, DialFailure, DialWhy, Event, Notice, Outcome, PeerState, Priority, Reason,
    Source,
};
use multiaddr::Multiaddr;

use crate::world::{ALL, FILTER, Reachable, STORE, World, need};

const HOUR: u64 = 3_600_000;

/// A world that wants nobody by itself.
fn idle() -> World {
    let mut world = World::offline_trees();
    for id in ALL {
        world.set_need(id, need(0, 0, 0));
    }
    world.start();
    world
}

fn keep(world: &mut World, place: usize, routes: Vec<Multiaddr>) {
    let peer = world.nodes[place].id;
    world.tell(Event::ConnectNow {
        peer,
        routes,
        permanent: true,
    });
}

fn add_route(world: &mut World, place: usize, route: &Multiaddr) {
    let peer = world.nodes[place].id;
    let route = route.clone();
    world.tell(Event::AddRoute { peer, route });
}

fn protect(world: &mut World, place: usize, tag: &str) {
    let peer = world.nodes[place].id;
    let tag = tag.to_owned();
    world.tell(Event::Protect { peer, tag });
}

fn unprotect(world: &mut World, place: usize, tag: &str) {
    let peer = world.nodes[place].id;
    let tag = tag.to_owned();
    world.tell(Event::Unprotect { peer, tag });
}

fn forget(world: &mut World, place: usize) {
    let peer = world.nodes[place].id;
    world.tell(Event::Forget { peer });
}

fn routes_dialed(world: &World) -> Vec<Multiaddr> {
    world
        .orders
        .iter()
        .filter_map(|order| match &order.command {
            Command::Dial { route, .. } => Some(route.clone()),
            _ => None,
        })
        .collect()
}

fn route(port: u16) -> Multiaddr {
    let text = format!("/ip4/127.0.0.1/tcp/{port}/ws");
    text.parse().expect("an address")
}

#[test]
fn the_users_address_is_tried_before_what_others_claim() {
    let mut world = idle();
    let place = world.node(&ALL);
    for port in 100..108 {
        world.nodes[place].address = route(port);
        world.discovered(place, Source::PeerExchange);
    }
    add_route(&mut world, place, &route(500));
    world.nodes[place].address = route(109);
    world.discovered(place, Source::PeerExchange);
    assert_eq!(world.view(place).route, Some(route(500)));
    world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
    keep(&mut world, place, Vec::new());
    world.run(30 * 60_000);
    assert_eq!(routes_dialed(&world)[0], route(500));
    // However often it fails, no claim displaces it.
    for port in 200..220 {
        world.nodes[place].address = route(port);
        world.discovered(place, Source::PeerExchange);
        world.run(60_000);
    }
    let last = routes_dialed(&world).split_off(40);
    assert!(last.contains(&route(500)));
}

#[test]
fn an_address_that_the_user_takes_back_is_not_dialed() {
    let mut world = idle();
    let place = world.node(&ALL);
    world.nodes[place].reachable = Reachable::Never;
    add_route(&mut world, place, &route(500));
    world.connect_now(place);
    let peer = world.nodes[place].id;
    let mark = world.mark();
    let dialed = routes_dialed(&world)[0].clone();
    world.tell(Event::RemoveRoute {
        peer,
        route: dialed.clone(),
    });
    let cancelled = world.count(mark, |o| matches!(o, Command::CancelDial { .. }));
    assert_eq!(cancelled, 1);
    world.run(HOUR);
    let after = routes_dialed(&world);
    assert!(after.len() > 1);
    assert!(after[1..].iter().all(|route| *route != dialed));
}

#[test]
fn a_peer_that_is_kept_while_stopped_is_dialed_at_the_start() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    let routes = vec![world.nodes[place].address.clone()];
    keep(&mut world, place, routes);
    assert!(world.view(place).pinned);
    assert_eq!(world.view(place).last_reason, None);
    assert_eq!(world.dialed(), [0_usize; 0]);
    world.start();
    assert_eq!(world.dials_since(0)[0].2, DialWhy::Requested);
    world.tell(Event::Stop);
    world.run(1_000);
    world.start();
    world.run(1_000);
    assert!(
        world.connected(place),
        "a restart keeps whom the user keeps"
    );
}

#[test]
fn a_peer_that_is_kept_without_an_address_or_a_network_is_dialed_when_there_is_one() {
    let mut world = idle();
    let place = world.node(&ALL);
    keep(&mut world, place, Vec::new());
    world.run(1_000);
    assert_eq!(world.dialed(), [0_usize; 0]);
    let address = world.nodes[place].address.clone();
    add_route(&mut world, place, &address);
    world.run(1_000);
    assert!(world.connected(place));
    let other = world.node(&ALL);
    world.tell(Event::Offline);
    let routes = vec![world.nodes[other].address.clone()];
    keep(&mut world, other, routes);
    world.tell(Event::Online);
    world.run(1_000);
    assert!(world.connected(other));
}

#[test]
fn a_protected_connection_stays_as_long_as_a_tag_stands() {
    let mut world = idle();
    let place = world.node(&ALL);
    world.connects_by_itself(place);
    protect(&mut world, place, "one");
    protect(&mut world, place, "one");
    protect(&mut world, place, "two");
    world.run(HOUR);
    unprotect(&mut world, place, "one");
    world.run(HOUR);
    assert!(world.connected(place));
    unprotect(&mut world, place, "two");
    world.run(HOUR);
    assert!(!world.connected(place));
}

#[test]
fn who_is_no_longer_protected_may_be_forgotten() {
    // Each input recounts who may be.
    let mut world = idle();
    let place = world.node(&ALL);
    world.discovered(place, Source::PeerExchange);
    protect(&mut world, place, "tag");
    world.set_priority(place, Priority::Medium);
    unprotect(&mut world, place, "tag");
    assert_eq!(world.view(place).state, PeerState::Known);
}

#[test]
fn protecting_dials_nobody() {
    let mut world = idle();
    let place = world.node(&ALL);
    world.discovered(place, Source::PeerExchange);
    protect(&mut world, place, "tag");
    world.run(HOUR);
    assert_eq!(world.dialed(), [0_usize; 0]);
}

#[test]
fn protected_and_held_peers_share_one_budget() {
    let mut world = idle();
    let places: Vec<usize> = (0..10).map(|_| world.node(&[])).collect();
    for place in &places[..4] {
        world.connect_now(*place);
        protect(&mut world, *place, "also held");
        world.run(1_000);
    }
    for place in &places[4..8] {
        protect(&mut world, *place, "tag");
        protect(&mut world, *place, "a second tag costs nothing");
    }
    protect(&mut world, places[8], "tag");
    assert_eq!(world.refusal(), Some(Reason::PinLimit));
    world.connect_now(places[9]);
    assert_eq!(world.refusal(), Some(Reason::PinLimit));
    unprotect(&mut world, places[4], "tag");
    unprotect(&mut world, places[4], "a second tag costs nothing");
    protect(&mut world, places[8], "tag");
    assert_eq!(world.refusal(), None);
}

#[test]
fn who_is_protected_no_more_may_be_forgotten() {
    let mut world = idle();
    let place = world.node(&ALL);
    let peer = world.nodes[place].id;
    world.discovered(place, Source::PeerExchange);
    let tag = || "mine".to_owned();
    world.tell(Event::Protect { peer, tag: tag() });
    // Something makes the table look at it.
    world.discovered(place, Source::PeerExchange);
    let hint = Event::Hint {
        peer,
        tag: tag(),
        value: 1,
        ttl_ms: None,
    };
    world.tell(hint);
    // The indexes are recounted with every input (R4).
    world.tell(Event::Unprotect { peer, tag: tag() });
}

#[test]
fn only_sixteen_tags_protect_a_peer() {
    let mut world = idle();
    let place = world.node(&ALL);
    for n in 0..16 {
        protect(&mut world, place, &format!("tag {n}"));
    }
    assert_eq!(world.refusal(), None);
    protect(&mut world, place, "one too many");
    assert_eq!(world.refusal(), Some(Reason::LimitReached));
}

#[test]
fn forgetting_closes_and_leaves_nothing_but_a_ban() {
    let (mut world, fleet) = World::fleet();
    world.start();
    world.run(1_000);
    let place = fleet.all.into_iter().find(|place| world.connected(*place));
    let place = place.expect("somebody serves");
    world.report(place, FILTER, Outcome::Success);
    world.report(place, STORE, Outcome::Busy);
    protect(&mut world, place, "tag");
    let mark = world.mark();
    forget(&mut world, place);
    assert_eq!(world.closes_since(mark), [Reason::Forgotten]);
    assert_eq!(world.view(place).state, PeerState::Closing);
    assert_eq!(world.view(place).score, 0);
    world.run(1_000);
    let told = world.disconnect_of(place).expect("it was told");
    assert_eq!((told.reason, told.deliberate), (Reason::Forgotten, true));
    assert!(!told.will_reconnect);
    // Nobody names it again by then.
    assert!(world.manager.peer(&world.nodes[place].id).is_none());
    let other = fleet.light_push;
    world.set_priority(other, Priority::Banned);
    forget(&mut world, other);
    assert!(world.manager.peer(&world.nodes[other].id).is_none());
    world.discovered(other, Source::PeerExchange);
    assert_eq!(world.view(other).state, PeerState::Banned);
    assert_eq!(world.view(other).priority, Priority::Banned);
}

#[test]
fn who_is_spoken_of_while_being_forgotten_is_known_anew() {
    let mut world = idle();
    let place = world.node(&ALL);
    world.connect_now(place);
    world.run(1_000);
    forget(&mut world, place);
    let routes = vec![world.nodes[place].address.clone()];
    keep(&mut world, place, routes);
    world.run(1_000);
    assert!(world.connected(place));
    assert!(world.view(place).pinned);
}

#[test]
fn forgetting_while_a_close_is_under_way_forgets() {
    let mut world = idle();
    let place = world.node(&ALL);
    world.connect_now(place);
    world.run(1_000);
    world.hang_up(place);
    forget(&mut world, place);
    world.run(1_000);
    assert!(world.manager.peer(&world.nodes[place].id).is_none());
    // Also when the shell never tells that it is closed.
    let other = world.node(&ALL);
    world.connect_now(other);
    world.run(1_000);
    world.confirms_closes = false;
    forget(&mut world, other);
    world.run(60_000);
    assert!(world.manager.peer(&world.nodes[other].id).is_none());
    assert_eq!(world.manager.stats().known, 0);
    world.lose(other, CloseCause::Broken);
}

#[test]
fn forgetting_everybody_leaves_nothing_pending() {
    let mut world = idle();
    for n in 0..20 {
        let place = world.node(&ALL);
        if n % 2 == 0 {
            world.nodes[place].reachable = Reachable::Never;
        }
        world.connect_now(place);
        world.run(1_000);
        forget(&mut world, place);
    }
    world.run(60_000);
    assert_eq!(world.manager.stats().known, 0);
    assert_eq!(
        world.manager.stats().open + world.manager.stats().dialing,
        0
    );
    assert_eq!(world.manager.next_deadline(), None);
}

#[test]
fn a_connection_that_is_being_closed_keeps_its_reason_when_its_peer_is_forgotten() {
    let mut world = idle();
    let place = world.node(&ALL);
    world.connect_now(place);
    world.run(1_000);
    world.confirms_closes = false;
    world.tell(Event::Stop);
    forget(&mut world, place);
    let mark = world.mark();
    world.run(60_000);
    let told = world.orders[mark..]
        .iter()
        .find_map(|order| match &order.command {
            Command::Notify(Notice::Disconnected { reason, .. }) => Some(*reason),
            _ => None,
        });
    assert_eq!(told, Some(Reason::Stopped));
    assert!(world.manager.peer(&world.nodes[place].id).is_none());
}

#[test]
fn whoever_is_no_longer_held_can_be_forgotten_for_a_newcomer() {
    let mut world = idle();
    let place = world.node(&ALL);
    world.discovered(place, Source::PeerExchange);
    protect(&mut world, place, "a");
    unprotect(&mut world, place, "a");
    world.manager.check();
    keep(&mut world, place, Vec::new());
    world.set_priority(place, Priority::Banned);
    world.set_priority(place, Priority::Medium);
    world.manager.check();
}

#[test]
fn a_dial_goes_to_the_address_that_the_user_names_before_those_known() {
    // Several, so that no order that comes of itself passes.
    for port in 500..508 {
        let mut world = idle();
        let place = world.node(&[]);
        world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
        let peer = world.nodes[place].id;
        world.tell(Event::ConnectNow {
            peer,
            routes: vec![route(port)],
            permanent: false,
        });
        world.run(100);
        world.hang_up(place);
        world.nodes[place].reachable = Reachable::Yes;
        world.connect_now(place);
        world.run(100);
        assert!(world.connected(place));
        let address = world.nodes[place].address.clone();
        assert_eq!(routes_dialed(&world), [route(port), address]);
    }
}
