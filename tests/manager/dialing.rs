//! Pacing, addresses, limits and lost callbacks (4.7).

use lightkeeper::manager::{
    CloseCause, Command, ConnId, DialFailure, DialId, Event, GateQuery, Health, PeerState, Reason,
    Source,
};

use crate::world::{ALL, FILTER, LIGHT_PUSH, Reachable, STORE, World, config, need};

/// Many known peers that nobody reaches, and a need for all of them.
fn hopeless(peers: usize, reachable: Reachable) -> World {
    let mut world = World::offline_trees();
    world.set_need(LIGHT_PUSH, need(1, 16, 16));
    // Somebody answers, so that nobody suspects the network.
    let good = world.node(&[LIGHT_PUSH]);
    world.discovered(good, Source::PeerExchange);
    world.start();
    world.run(60_000);
    for _ in 0..peers {
        let place = world.node(&[LIGHT_PUSH]);
        world.nodes[place].reachable = reachable;
        world.discovered(place, Source::PeerExchange);
    }
    world
}

#[test]
fn dials_come_in_a_burst_of_eight_and_then_two_a_second() {
    let mut world = hopeless(100, Reachable::No(DialFailure::Unreachable));
    let mark = 0;
    world.run(10_000);
    let at: Vec<u64> = world.dials_since(mark).iter().map(|dial| dial.0).collect();
    for window in [100, 1_000, 5_000, 10_000] {
        for from in &at {
            let within = at.iter().filter(|t| **t >= *from && **t < from + window);
            let most = 8 + 2 * window / 1_000;
            assert!(within.count() as u64 <= most + 1, "{window}");
        }
    }
    // One a second once it shows that most fail although the network works.
    assert!(at.len() >= 17, "{}", at.len());
}

#[test]
fn no_more_than_six_dials_are_in_flight() {
    let mut world = hopeless(100, Reachable::Never);
    let mut most = 0;
    for _ in 0..2_000 {
        world.run(10);
        most = most.max(world.manager.stats().dialing);
    }
    assert_eq!(most, 6);
}

#[test]
fn one_host_and_port_is_dialed_once_at_a_time() {
    let mut world = World::offline_trees();
    let first = world.node(&ALL);
    let second = world.node(&ALL);
    world.nodes[first].reachable = Reachable::Slowly(1_000);
    world.nodes[second].address = world.nodes[first].address.clone();
    world.discovered(first, Source::PeerExchange);
    world.discovered(second, Source::PeerExchange);
    world.start();
    assert_eq!(world.dialed().len(), 1);
    world.run(3_000);
    assert_eq!(world.dialed().len(), 2);
    assert_eq!(world.health(), Health::Met);
}

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
fn a_dial_whose_end_is_never_told_is_given_up_after_its_time_and_five_seconds() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.nodes[place].reachable = Reachable::Lost;
    world.named(place);
    world.start();
    world.run(10_999);
    assert_eq!(world.view(place).state, PeerState::Dialing);
    world.run(1);
    assert_eq!(world.view(place).state, PeerState::Cooling);
    assert_eq!(world.view(place).last_reason, Some(Reason::DialTimeout));
    assert_eq!(
        world.count(0, |o| matches!(o, Command::CancelDial { .. })),
        1
    );
}

#[test]
fn a_close_that_is_never_confirmed_is_over_after_five_seconds() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.named(place);
    world.start();
    world.run(1_000);
    world.confirms_closes = false;
    world.hang_up(place);
    assert_eq!(world.view(place).state, PeerState::Closing);
    world.run(5_000);
    assert_eq!(world.view(place).state, PeerState::Cooling);
    assert_eq!(world.manager.stats().open, 0);
}

#[test]
fn ids_that_mean_nothing_are_ignored() {
    let (mut world, _) = World::fleet();
    world.start();
    world.run(1_000);
    let mark = world.mark();
    let conn = ConnId(9_999);
    world.tell(Event::DialFailed {
        dial: DialId(9_999),
        failure: DialFailure::Timeout,
    });
    world.tell(Event::Closed {
        conn,
        cause: CloseCause::Broken,
    });
    world.tell(Event::Pong {
        conn,
        ping: 1,
        rtt_ms: 1,
    });
    world.tell(Event::PingFailed { conn, ping: 1 });
    world.tell(Event::Heard { conn, silent_ms: 0 });
    world.tell(Event::Doubt { conn });
    world.tell(Event::GaveUp {
        peer: crate::world::id(500),
    });
    world.tell(Event::Identified {
        conn,
        protocols: vec![],
        agent: String::new(),
    });
    world.tell(Event::Answered {
        peer: crate::world::id(500),
        entries: Vec::new(),
    });
    assert_eq!(world.mark(), mark);
}

#[test]
fn a_connection_that_nobody_ordered_is_adopted_and_serves() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.start();
    world.connects_by_itself(place);
    world.run(100);
    assert!(world.serves(place, LIGHT_PUSH));
    assert_eq!(world.view(place).source, Source::Foreign);
    assert_eq!(world.dialed(), [0_usize; 0]);
}

/// A peer that is connected through a relay, and then without: or the other way round.
fn relayed_and_direct(relayed_first: bool) -> (World, usize, [ConnId; 2]) {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.start();
    let direct = world.nodes[place].address.clone();
    let relay = crate::world::id(8_000);
    let relayed = format!("/ip4/127.0.0.1/tcp/7000/ws/p2p/{relay}/p2p-circuit");
    let relayed: multiaddr::Multiaddr = relayed.parse().expect("an address");
    let routes = if relayed_first {
        [relayed, direct]
    } else {
        [direct, relayed]
    };
    let conns = routes.map(|route| {
        world.nodes[place].address = route;
        let conn = world.connects_by_itself(place);
        world.run(1_000);
        conn
    });
    (world, place, conns)
}

#[test]
fn a_direct_connection_beats_a_relayed_one_whichever_came_first() {
    for relayed_first in [true, false] {
        let (mut world, place, [first, second]) = relayed_and_direct(relayed_first);
        world.report(place, STORE, lightkeeper::manager::Outcome::Success);
        let mark = world.mark();
        world.run(10_000);
        assert_eq!(world.closes_since(mark), [Reason::Duplicate]);
        let kept = if relayed_first { second } else { first };
        assert_eq!(world.view(place).conn, Some(kept));
        // It served all the time, and nobody took over from anybody.
        assert_eq!(world.crossings_since(mark), []);
        assert_eq!(world.takeovers_since(mark), []);
        assert!(ALL.into_iter().all(|id| world.serves(place, id)));
    }
}

#[test]
fn a_direct_connection_that_is_not_verified_takes_nobodys_place() {
    let (mut world, place, [first, second]) = relayed_and_direct(true);
    world.tell(Event::Closed {
        conn: second,
        cause: CloseCause::Broken,
    });
    world.nodes[place].identifies = false;
    world.connects_by_itself(place);
    world.run(6_000);
    assert_eq!(world.closes_since(0), [Reason::Duplicate]);
    assert_eq!(world.view(place).conn, Some(first));
}

#[test]
fn the_second_connection_to_a_peer_is_closed_after_five_seconds() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.start();
    let first = world.connects_by_itself(place);
    world.connects_by_itself(place);
    world.run(4_999);
    assert_eq!(world.closes_since(0), []);
    world.run(100);
    assert_eq!(world.closes_since(0), [Reason::Duplicate]);
    assert_eq!(world.view(place).conn, Some(first));
    // For the user there was one connection all along.
    use lightkeeper::manager::Notice::{Connected, Disconnected};
    let told = |o: &Command| matches!(o, Command::Notify(Connected { .. } | Disconnected { .. }));
    assert_eq!(world.count(0, told), 1);
}

#[test]
fn the_second_connection_takes_over_when_the_first_ends() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.start();
    let first = world.connects_by_itself(place);
    let second = world.connects_by_itself(place);
    world.run(100);
    world.tell(Event::Closed {
        conn: first,
        cause: CloseCause::Broken,
    });
    assert_eq!(world.view(place).conn, Some(second));
    assert!(world.serves(place, LIGHT_PUSH));
    world.run(60_000);
    assert_eq!(world.view(place).conn, Some(second));
    assert_eq!(world.disconnect_of(place), None);
}

#[test]
fn a_dial_that_our_own_side_refuses_charges_nobody() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.nodes[place].reachable = Reachable::No(DialFailure::Cancelled);
    world.named(place);
    world.start();
    world.run(60_000);
    let dials = world.dialed().len();
    assert!((50..=61).contains(&dials), "about one a second: {dials}");
    assert_eq!(world.manager.stats().dial_failures, 0);
}

#[test]
fn needs_stop_at_the_soft_limit_and_everything_at_the_hard_one() {
    let mut world = World::offline_trees();
    world.set_need(LIGHT_PUSH, need(1, 40, 40));
    world.set_need(FILTER, need(0, 0, 0));
    world.set_need(STORE, need(0, 0, 0));
    for _ in 0..40 {
        let place = world.node(&[LIGHT_PUSH]);
        world.discovered(place, Source::PeerExchange);
    }
    world.start();
    world.run(60_000);
    assert_eq!(world.manager.stats().open, 16);
    let pins: Vec<usize> = (0..5).map(|_| world.node(&[])).collect();
    for place in &pins {
        world.connect_now(*place);
        world.run(300);
    }
    assert_eq!(world.manager.stats().open, 20);
    assert_eq!(world.view(pins[4]).last_reason, Some(Reason::LimitReached));
    let foreign = world.node(&[]);
    let mark = world.mark();
    world.connects_by_itself(foreign);
    assert_eq!(world.closes_since(mark), [Reason::NotAdmitted]);
    // What the user holds stays; what exceeds its share makes the room.
    world.run(10_000);
    assert_eq!(world.manager.stats().open, 16);
    assert!(pins[..4].iter().all(|place| world.connected(*place)));
}

#[test]
fn what_is_of_no_use_makes_room_at_the_soft_limit() {
    let mut world = World::offline_trees();
    world.start();
    for _ in 0..16 {
        let place = world.node(&[]);
        world.connects_by_itself(place);
    }
    world.run(1_000);
    let useful = [world.node(&ALL), world.node(&ALL)];
    for place in useful {
        world.discovered(place, Source::PeerExchange);
    }
    world.run(10_000);
    assert_eq!(world.health(), Health::Met);
    assert!(world.manager.stats().open <= 16);
}

#[test]
fn the_gate_says_the_first_rule_that_forbids() {
    let (mut world, fleet) = World::fleet();
    let known = world.node(&ALL);
    let ask = |world: &mut World, place: usize| {
        let peer = Some(world.nodes[place].id);
        let time = world.time();
        world.manager.gate(time, GateQuery::Outbound { peer })
    };
    assert_eq!(ask(&mut world, known), Err(Reason::Stopped));
    world.start();
    world.run(1_000);
    world.discovered(known, Source::PeerExchange);
    assert_eq!(ask(&mut world, known), Ok(()));
    let connected = fleet.all.into_iter().find(|place| world.connected(*place));
    let connected = connected.expect("somebody serves");
    assert_eq!(ask(&mut world, connected), Err(Reason::AlreadyConnected));
    let parked = fleet
        .boot
        .into_iter()
        .find(|place| !world.connected(*place));
    assert_eq!(
        ask(&mut world, parked.expect("one is")),
        Err(Reason::Parked)
    );
    world.hang_up(known);
    assert_eq!(ask(&mut world, known), Err(Reason::HungUp));
    world.set_priority(known, lightkeeper::manager::Priority::Banned);
    assert_eq!(ask(&mut world, known), Err(Reason::BannedByUser));
    let time = world.time();
    let us = Some(crate::world::id(9_999));
    assert_eq!(
        world.manager.gate(time, GateQuery::Inbound { peer: us }),
        Err(Reason::OurOwnId)
    );
    for _ in 0..20 {
        let _ = world.manager.gate(time, GateQuery::Outbound { peer: None });
    }
    assert_eq!(
        world.manager.gate(time, GateQuery::Outbound { peer: None }),
        Err(Reason::OverBudget)
    );
    assert_eq!(
        world.manager.gate(time, GateQuery::Inbound { peer: None }),
        Ok(())
    );
    world.tell(Event::Offline);
    assert_eq!(
        world.manager.gate(time, GateQuery::Outbound { peer: None }),
        Err(Reason::Offline)
    );
}

#[test]
fn a_full_table_forgets_strangers_and_keeps_whom_it_knows() {
    let mut config = config(false);
    config.max_peers = 50;
    let mut world = World::with(config, 1);
    let named = world.node(&ALL);
    world.named(named);
    let banned = world.node(&ALL);
    world.set_priority(banned, lightkeeper::manager::Priority::Banned);
    world.start();
    world.run(1_000);
    for _ in 0..300 {
        let place = world.node(&[LIGHT_PUSH]);
        world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
        world.discovered(place, Source::PeerExchange);
    }
    assert_eq!(world.manager.stats().known, 50);
    assert!(world.connected(named));
    assert_eq!(world.view(banned).state, PeerState::Banned);
    world.run(60_000);
    assert_eq!(world.manager.stats().known, 50);
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
