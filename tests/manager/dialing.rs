//! Pacing, limits, the gate and lost callbacks (4.7).

use lightkeeper::manager::{
    CloseCause, Command, ConnId, DialFailure, DialId, Event, GateQuery, Health, PeerState,
    Priority, Reason, Source,
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
        answered: None,
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
    assert_eq!(world.refusal(), Some(Reason::LimitReached));
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
    world.set_priority(known, Priority::Banned);
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
    world.set_priority(banned, Priority::Banned);
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

/// A dead peer that comes before all others, and some that answer.
fn one_is_dead(others: usize) -> (World, usize) {
    let mut world = World::offline_trees();
    for id in [FILTER, STORE] {
        world.set_need(id, need(0, 0, 0));
    }
    let dead = world.node(&[LIGHT_PUSH]);
    world.nodes[dead].reachable = Reachable::Never;
    for _ in 0..others {
        world.node(&[LIGHT_PUSH]);
    }
    for place in 0..=others {
        world.discovered(place, Source::PeerExchange);
    }
    world.set_priority(dead, Priority::High);
    (world, dead)
}

#[test]
fn while_a_minimum_is_missed_nobody_waits_for_a_dial_that_drags_on() {
    let (mut world, dead) = one_is_dead(1);
    world.set_need(LIGHT_PUSH, need(1, 1, 2));
    world.start();
    world.run(1_499);
    assert_eq!(world.dialed(), [dead]);
    world.run(100);
    assert_eq!(world.dialed(), [dead, 1]);
    assert_eq!(world.health(), Health::Met);
    // It is not needed any more.
    let given_up = |order: &Command| matches!(order, Command::CancelDial { .. });
    assert_eq!(world.count(0, given_up), 1);
}

#[test]
fn for_a_target_alone_a_dial_has_its_time() {
    let (mut world, dead) = one_is_dead(2);
    world.set_need(LIGHT_PUSH, need(1, 2, 2));
    world.start();
    world.run(1_000);
    assert_eq!(world.health(), Health::Minimal);
    let mark = world.mark();
    assert!(world.dialed().contains(&dead));
    world.run(4_900);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
    world.run(1_000);
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn dials_that_drag_on_are_bounded_like_all_others() {
    let (mut world, _) = one_is_dead(20);
    for node in &mut world.nodes {
        node.reachable = Reachable::Never;
    }
    world.set_need(LIGHT_PUSH, need(1, 1, 2));
    world.start();
    for _ in 0..60 {
        world.run(1_000);
        assert!(world.manager.stats().dialing <= 6);
    }
}
