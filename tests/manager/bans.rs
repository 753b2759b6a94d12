//! Bans outlast everything but their own end and the user's word (4.16).

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    Command, DialFailure, Event, GateQuery, Notice, Outcome, PeerState, Priority, Reason, Source,
};

use crate::world::{ALL, FILTER, Reachable, World, config, need};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// A world that wants nobody by itself.
fn idle() -> World {
    let mut world = World::offline_trees();
    for id in ALL {
        world.set_need(id, need(0, 0, 0));
    }
    world.start();
    world
}

/// Three faults at once.
fn misbehave(world: &mut World, place: usize) {
    for _ in 0..3 {
        world.report(place, FILTER, Outcome::Fault);
    }
}

fn bans(world: &World) -> usize {
    world.count(0, |o| matches!(o, Command::Notify(Notice::Banned { .. })))
}

/// A node at a public address.
fn public(world: &mut World, address: &str) -> usize {
    let place = world.node(&ALL);
    world.nodes[place].address = address.parse().expect("an address");
    world.discovered(place, Source::PeerExchange);
    place
}

#[test]
fn whoever_is_forgotten_while_banned_is_let_in_by_no_gate_s2() {
    let mut world = idle();
    let place = world.node(&ALL);
    let peer = world.nodes[place].id;
    world.discovered(place, Source::PeerExchange);
    let asks = |world: &mut World| {
        let now = world.time();
        [
            GateQuery::Inbound { peer: Some(peer) },
            GateQuery::Outbound { peer: Some(peer) },
        ]
        .map(|query| world.manager.gate(now, query))
    };
    misbehave(&mut world, place);
    world.tell(Event::Forget { peer });
    assert_eq!(asks(&mut world), [Err(Reason::BannedForFaults); 2]);
    world.run(HOUR);
    assert_eq!(asks(&mut world), [Ok(()); 2]);
    world.set_priority(place, Priority::Banned);
    world.tell(Event::Forget { peer });
    assert_eq!(asks(&mut world), [Err(Reason::BannedByUser); 2]);
}

#[test]
fn each_ban_is_longer_than_the_one_before_up_to_a_day() {
    let mut world = idle();
    let place = world.node(&ALL);
    world.discovered(place, Source::PeerExchange);
    for length in [30 * MINUTE, 4 * HOUR, 24 * HOUR, 24 * HOUR] {
        misbehave(&mut world, place);
        assert_eq!(world.view(place).state, PeerState::Banned);
        let ends = world.view(place).next_try_at_wall_ms;
        assert_eq!(ends, Some(world.time().wall_ms + length));
        world.run(length - 1);
        assert_eq!(world.view(place).state, PeerState::Banned);
        world.run(1);
        assert_eq!(world.view(place).state, PeerState::Known);
    }
}

#[test]
fn whoever_was_held_and_never_reached_may_be_forgotten_once_banned() {
    let mut world = idle();
    let place = world.node(&ALL);
    world.discovered(place, Source::PeerExchange);
    world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
    world.connect_now(place);
    world.run(100);
    assert_eq!(world.view(place).state, PeerState::Cooling);
    // Every input is followed by a recount of what may be forgotten (R4).
    misbehave(&mut world, place);
    let view = world.view(place);
    assert_eq!((view.state, view.pinned), (PeerState::Banned, false));
}

#[test]
fn a_peer_that_was_held_is_no_longer_once_it_is_banned() {
    // Each input recounts who may be forgotten.
    let mut world = idle();
    for held in [true, false] {
        let place = world.node(&ALL);
        world.nodes[place].reachable = Reachable::Never;
        world.discovered(place, Source::PeerExchange);
        if held {
            world.connect_now(place);
            assert!(world.view(place).pinned);
            // The dial ends, and the peer is about to be dialed again.
            world.run(7_000);
        } else {
            let (peer, tag) = (world.nodes[place].id, "mine".to_owned());
            world.tell(Event::Protect { peer, tag });
        }
        misbehave(&mut world, place);
        assert!(!world.view(place).pinned);
        assert_eq!(world.view(place).state, PeerState::Banned);
    }
}

#[test]
fn seven_clean_days_forget_earlier_bans() {
    let mut world = idle();
    let place = world.node(&ALL);
    world.discovered(place, Source::PeerExchange);
    misbehave(&mut world, place);
    world.run(30 * MINUTE + 7 * 24 * HOUR);
    misbehave(&mut world, place);
    world.run(30 * MINUTE);
    assert_eq!(world.view(place).state, PeerState::Known);
    assert_eq!(world.manager.stats().banned, 0);
}

#[test]
fn a_ban_outlasts_the_record_of_its_peer() {
    let mut config = config(false);
    config.max_peers = 2;
    let mut world = World::with(config, 1);
    let place = world.node(&ALL);
    world.discovered(place, Source::PeerExchange);
    misbehave(&mut world, place);
    // Others displace its record at random, and then it is heard of again.
    for _ in 0..40 {
        let other = world.node(&ALL);
        world.discovered(other, Source::PeerExchange);
    }
    assert!(world.manager.peer(&world.nodes[place].id).is_none());
    assert_eq!(world.manager.stats().banned, 1);
    world.discovered(place, Source::PeerExchange);
    assert_eq!(world.view(place).state, PeerState::Banned);
    let mark = world.mark();
    world.connects_by_itself(place);
    assert_eq!(world.closes_since(mark), [Reason::BannedForFaults]);
    world.start();
    // Forgetting it by hand does not help either.
    let peer = world.nodes[place].id;
    world.tell(Event::Forget { peer });
    world.run(1_000);
    world.connect_now(place);
    assert_eq!(world.refusal(), Some(Reason::BannedForFaults));
    assert!(!world.dialed().contains(&place));
}

#[test]
fn the_user_can_ban_a_stranger_when_the_table_is_full_of_peers_that_are_held() {
    let mut config = config(false);
    config.max_peers = 2;
    let mut world = World::with(config, 1);
    world.start();
    for _ in 0..2 {
        let held = world.node(&ALL);
        world.discovered(held, Source::PeerExchange);
        world.connect_now(held);
    }
    world.run(1_000);
    let stranger = world.node(&ALL);
    let peer = world.nodes[stranger].id;
    let comes_in = |world: &mut World| {
        let query = GateQuery::Inbound { peer: Some(peer) };
        world.manager.gate(world.time(), query)
    };
    world.set_priority(stranger, Priority::Banned);
    assert!(world.manager.peer(&peer).is_none(), "there is no room");
    assert_eq!((world.manager.stats().banned, bans(&world)), (1, 1));
    assert_eq!(comes_in(&mut world), Err(Reason::BannedByUser));
    world.set_priority(stranger, Priority::Medium);
    assert_eq!(world.manager.stats().banned, 0);
    assert_eq!(comes_in(&mut world), Ok(()));
}

#[test]
fn a_ban_of_the_users_hides_an_automatic_one_and_lifting_it_lifts_both() {
    let mut world = idle();
    let place = world.node(&ALL);
    world.discovered(place, Source::PeerExchange);
    misbehave(&mut world, place);
    world.set_priority(place, Priority::Banned);
    assert_eq!(world.view(place).priority, Priority::Banned);
    world.run(365 * 24 * HOUR);
    assert_eq!(world.view(place).state, PeerState::Banned);
    world.set_priority(place, Priority::High);
    assert_eq!(world.view(place).state, PeerState::Known);
    assert_eq!(world.view(place).priority, Priority::High);
    // The next automatic one remembers the first.
    misbehave(&mut world, place);
    world.run(30 * MINUTE);
    assert_eq!(world.view(place).state, PeerState::Banned);
}

#[test]
fn the_user_is_told_when_too_many_are_banned() {
    let mut config = config(false);
    config.max_user_bans = 3;
    let mut world = World::with(config, 1);
    let places: Vec<usize> = (0..4).map(|_| world.node(&ALL)).collect();
    for place in &places {
        world.set_priority(*place, Priority::Banned);
    }
    let refused = world.view(places[3]);
    assert_eq!(world.refusal(), Some(Reason::LimitReached));
    assert_eq!(refused.priority, Priority::Medium);
    assert_eq!((world.manager.stats().banned, bans(&world)), (3, 3));
    world.set_priority(places[0], Priority::Low);
    world.set_priority(places[3], Priority::Banned);
    assert_eq!(world.view(places[3]).state, PeerState::Banned);
}

#[test]
fn a_flood_of_bans_displaces_only_automatic_ones_and_the_first_to_end_before_others() {
    let mut config = config(false);
    config.max_bans = 8;
    let mut world = World::with(config, 1);
    for id in ALL {
        world.set_need(id, need(0, 0, 0));
    }
    let by_user = world.node(&ALL);
    world.set_priority(by_user, Priority::Banned);
    let mut automatic = Vec::new();
    for _ in 0..12 {
        let place = world.node(&ALL);
        world.discovered(place, Source::PeerExchange);
        misbehave(&mut world, place);
        automatic.push(place);
        world.run(1_000);
    }
    assert_eq!(world.manager.stats().banned, 8);
    assert_eq!(world.view(by_user).state, PeerState::Banned);
    for (age, place) in automatic.iter().enumerate() {
        let banned = world.view(*place).state == PeerState::Banned;
        assert_eq!(banned, age >= 5, "{age}");
    }
}

#[test]
fn five_bans_in_one_subnet_refuse_it_for_an_hour() {
    let mut world = idle();
    let old = public(&mut world, "/ip4/198.51.100.9/tcp/443/wss");
    world.connect_now(old);
    world.run(1_000);
    for host in 1..=5 {
        let place = public(&mut world, &format!("/ip4/198.51.100.1{host}/tcp/443/wss"));
        misbehave(&mut world, place);
    }
    let here = public(&mut world, "/ip4/198.51.100.77/tcp/443/wss");
    let elsewhere = public(&mut world, "/ip4/198.51.101.77/tcp/443/wss");
    let peer = |world: &World, place: usize| Some(world.nodes[place].id);
    let asked = |world: &mut World, peer: Option<PeerId>| {
        let now = world.time();
        world.manager.gate(now, GateQuery::Outbound { peer })
    };
    let wanted = peer(&world, here);
    assert_eq!(asked(&mut world, wanted), Err(Reason::SubnetBanned));
    let wanted = peer(&world, elsewhere);
    assert_eq!(asked(&mut world, wanted), Ok(()));
    for id in ALL {
        world.set_need(id, need(1, 2, 4));
    }
    world.run(30 * MINUTE);
    world.connect_now(here);
    assert_eq!(world.refusal(), Some(Reason::SubnetBanned));
    let mark = world.mark();
    world.connects_by_itself(here);
    assert_eq!(world.closes_since(mark), [Reason::SubnetBanned]);
    assert!(!world.dialed().contains(&here));
    assert!(world.connected(elsewhere));
    assert!(world.connected(old), "what is open stays");
    world.stop_node(elsewhere);
    world.run(31 * MINUTE);
    assert!(world.connected(here), "the hour is over");
}

#[test]
fn bans_at_home_refuse_no_subnet() {
    let mut world = idle();
    for _ in 0..6 {
        let place = world.node(&ALL);
        world.discovered(place, Source::PeerExchange);
        misbehave(&mut world, place);
    }
    let next = world.node(&ALL);
    world.connect_now(next);
    world.run(1_000);
    assert!(world.connected(next));
}

#[test]
fn bans_behind_a_relay_refuse_neither_the_relay_nor_its_neighbours() {
    let mut world = idle();
    for _ in 0..6 {
        let place = public(&mut world, "/ip4/198.51.100.7/tcp/443/wss/p2p-circuit");
        misbehave(&mut world, place);
    }
    let relay = public(&mut world, "/ip4/198.51.100.7/tcp/443/wss");
    let neighbour = public(&mut world, "/ip4/198.51.100.8/tcp/443/wss");
    let behind = public(&mut world, "/ip4/198.51.100.7/tcp/443/wss/p2p-circuit");
    for place in [relay, neighbour, behind] {
        let peer = Some(world.nodes[place].id);
        let now = world.time();
        let asked = world.manager.gate(now, GateQuery::Outbound { peer });
        assert_eq!(asked, Ok(()));
    }
}

#[test]
fn behaviour_stands_still_during_a_ban() {
    let mut world = idle();
    let place = world.node(&ALL);
    world.discovered(place, Source::PeerExchange);
    misbehave(&mut world, place);
    let score = |world: &mut World| {
        world.tell(Event::Tick);
        world.view(place).score
    };
    let before = score(&mut world);
    world.run(29 * MINUTE);
    // Only its quality fades, a little: it is not connected.
    assert!((score(&mut world) - before).abs() <= 10);
    world.run(61 * MINUTE);
    assert!(score(&mut world) > before + 300);
}

#[test]
fn a_banned_peer_is_refused_through_a_relay_too() {
    let mut world = idle();
    let place = world.node(&ALL);
    world.nodes[place].address = "/ip4/8.8.8.8/tcp/443/wss/p2p-circuit"
        .parse()
        .expect("an address");
    world.set_priority(place, Priority::Banned);
    let mark = world.mark();
    world.connects_by_itself(place);
    assert_eq!(world.closes_since(mark), [Reason::BannedByUser]);
}
