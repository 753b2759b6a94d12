//! Signs of life: who is asked for one, how long it may take, and what follows when none comes (4.8, 4.14).

use lightkeeper::manager::{
    Class, Command, ConnId, EnrollmentId, Event, Guard, Health, LockId, Metadata, PeerState,
    ProtocolSpec, Quota, Reason, Source,
};

use crate::world::{ALL, FILTER, LIGHT_PUSH, Reachable, STORE, World, need};

const MINUTE: u64 = 60_000;

/// The only provider of the one thing that is wanted, and others that are known.
fn sole(known: usize) -> (World, usize) {
    let mut world = World::offline_trees();
    world.set_need(FILTER, need(1, 1, 2));
    for id in [LIGHT_PUSH, STORE] {
        world.set_need(id, need(0, 0, 4));
    }
    let place = world.node(&ALL);
    world.named(place);
    world.start();
    world.run(1_000);
    assert_eq!(world.health(), Health::Met);
    for _ in 0..known {
        let other = world.node(&ALL);
        world.discovered(other, Source::PeerExchange);
    }
    (world, place)
}

/// When each ping went out since a mark, its number and its time to answer.
fn pings(world: &World, mark: usize) -> Vec<(u64, u32, u32)> {
    let orders = world.orders[mark..].iter();
    orders
        .filter_map(|order| match order.command {
            Command::Ping {
                ping, timeout_ms, ..
            } => Some((order.at, ping, timeout_ms)),
            _ => None,
        })
        .collect()
}

fn conn_of(world: &World, place: usize) -> ConnId {
    world.view(place).conn.expect("it is connected")
}

/// Bytes came.
fn heard(world: &mut World, place: usize, silent_ms: u32) {
    let conn = conn_of(world, place);
    world.tell(Event::Heard { conn, silent_ms });
}

/// The node goes silent: what is sent to it, and every dial, leads to nothing.
fn silence(world: &mut World, place: usize) {
    world.nodes[place].answers_pings = false;
    world.nodes[place].reachable = Reachable::Never;
}

/// Runs until somebody was pinged.
fn pinged(world: &mut World) -> (u64, u32, u32) {
    let mark = world.mark();
    for _ in 0..MINUTE {
        world.run(1);
        if let Some(ping) = pings(world, mark).first() {
            return *ping;
        }
    }
    panic!("nobody is asked");
}

#[test]
fn what_something_depends_on_is_asked_after_five_seconds_of_silence() {
    let (mut world, place) = sole(0);
    let mark = world.mark();
    heard(&mut world, place, 0);
    let from = world.now;
    world.run(4_999);
    assert_eq!(pings(&world, mark), []);
    world.run(20_000);
    let at: Vec<u64> = pings(&world, mark).iter().map(|p| p.0 - from).collect();
    // Each answer takes five milliseconds.
    assert_eq!(at, [5_000, 10_005, 15_010, 20_015]);
}

#[test]
fn what_nothing_depends_on_is_asked_after_twenty_five() {
    let mut world = World::offline_trees();
    let place = world.node(&[]);
    world.start();
    world.nodes[place].exchanges = true;
    world.set_need(STORE, need(1, 1, 2));
    world.connects_by_itself(place);
    world.run(100);
    let mark = world.mark();
    heard(&mut world, place, 0);
    world.run(24_999);
    assert_eq!(pings(&world, mark), []);
    world.run(1);
    assert_eq!(pings(&world, mark).len(), 1);
    // The user holds it from now on, and it was silent for long enough.
    world.run(10_000);
    let mark = world.mark();
    world.connect_now(place);
    world.run(1);
    assert_eq!(pings(&world, mark).len(), 1);
}

#[test]
fn a_lock_makes_a_connection_depended_on() {
    let (mut world, _) = sole(0);
    let other = world.node(&[]);
    world.connects_by_itself(other);
    let enrollment = EnrollmentId(1);
    let spec = ProtocolSpec {
        name: "chat".to_owned(),
        protocols: Vec::new(),
        class: Class::Normal,
        weight: 1,
        quota: Quota::default(),
        need: None,
        scores: false,
        answer_ms: 1_000,
    };
    world.tell(Event::Enroll { enrollment, spec });
    world.run(100);
    let conn = conn_of(&world, other);
    let of = |world: &World, mark: usize| {
        world.count(
            mark,
            |order| matches!(order, Command::Ping { conn: to, .. } if *to == conn),
        )
    };
    let mark = world.mark();
    world.run(12_000);
    assert_eq!(of(&world, mark), 0);
    world.tell(Event::Lock {
        lock: LockId(1),
        enrollment,
        peer: world.nodes[other].id,
        ttl_ms: 20_000,
    });
    world.run(10_000);
    assert_eq!(of(&world, mark), 2);
}

#[test]
fn a_hidden_page_asks_on_whole_minutes_and_one_that_is_shown_at_once() {
    let (mut world, _) = sole(0);
    world.tell(Event::Visibility { hidden: true });
    world.run(10 * MINUTE);
    let mark = world.mark();
    world.run(10 * MINUTE + 30_000);
    let hidden = pings(&world, mark);
    assert_eq!(hidden.len(), 10);
    assert!(hidden.iter().all(|ping| ping.0 % MINUTE == 0));
    let mark = world.mark();
    world.tell(Event::Visibility { hidden: false });
    world.run(10);
    assert_eq!(pings(&world, mark).len(), 1);
    assert_eq!(world.closes_since(0), []);
}

#[test]
fn an_answer_may_take_four_round_trips_between_one_second_and_three() {
    for (rtt_ms, timeout_ms) in [
        (5, 1_000),
        (250, 1_000),
        (400, 1_600),
        (750, 3_000),
        (9_000, 3_000),
    ] {
        let (mut world, place) = sole(0);
        // Nothing is known yet.
        let (_, ping, first) = pinged(&mut world);
        assert_eq!(first, 3_000);
        let conn = conn_of(&world, place);
        world.tell(Event::Pong { conn, ping, rtt_ms });
        // The world's own answer is an answer to the same ping.
        world.nodes[place].answers_pings = false;
        world.run(5);
        world.tell(Event::Pong { conn, ping, rtt_ms });
        assert_eq!(world.manager.rtt_ms(conn), Some(rtt_ms));
        assert_eq!(pinged(&mut world).2, timeout_ms, "{rtt_ms}");
    }
}

#[test]
fn the_first_miss_moves_the_work_away_and_the_second_closes() {
    let (mut world, place) = sole(1);
    world.run(10_000);
    silence(&mut world, place);
    let mark = world.mark();
    let (asked_at, ..) = pinged(&mut world);
    world.run(999);
    assert!(world.serves(place, FILTER));
    world.run(1);
    // A replacement is dialed in the same moment, and the connection stays.
    assert_eq!(world.now, asked_at + 1_000);
    assert!(!world.serves(place, FILTER));
    assert_eq!(world.dialed_since(mark), [1]);
    assert!(world.connected(place));
    assert_eq!(pings(&world, mark).len(), 2);
    assert_eq!(pings(&world, mark)[1].0, asked_at + 1_000);
    let explained = world.manager.explain(&world.nodes[place].id);
    assert_eq!(
        explained.expect("it is known").not_closed,
        Some(Guard::Asked)
    );
    world.run(100);
    assert!(world.serves(1, FILTER));
    assert_eq!(world.takeovers_since(mark).len(), 1);
    assert_eq!(world.closes_since(mark), []);
    world.run(900);
    assert_eq!(world.closes_since(mark), [Reason::PingTimeout]);
}

#[test]
fn a_sign_of_life_between_two_misses_gives_the_work_back_and_costs_no_connection() {
    let (mut world, place) = sole(1);
    world.run(10_000);
    let mark = world.mark();
    for round in 0..10 {
        world.nodes[place].answers_pings = false;
        pinged(&mut world);
        world.run(1_500);
        assert!(!world.serves(place, FILTER), "{round}");
        heard(&mut world, place, 0);
        assert!(world.serves(place, FILTER), "{round}");
        world.nodes[place].answers_pings = true;
        world.run(20_000);
    }
    assert_eq!(world.closes_since(mark), []);
    // The first miss brought the other one in; the rest cost nothing.
    assert_eq!(world.dialed_since(mark), [1]);
}

#[test]
fn an_answer_to_an_earlier_ping_says_nothing() {
    let (mut world, place) = sole(0);
    world.run(10_000);
    silence(&mut world, place);
    let conn = conn_of(&world, place);
    let (_, first, _) = pinged(&mut world);
    let (_, second, _) = pinged(&mut world);
    assert_eq!(second, first + 1);
    let rtt_ms = 900;
    let mark = world.mark();
    world.tell(Event::Pong {
        conn,
        ping: first,
        rtt_ms,
    });
    world.tell(Event::PingFailed { conn, ping: first });
    assert_eq!(world.mark(), mark);
    assert!(!world.serves(place, FILTER));
    world.tell(Event::Pong {
        conn,
        ping: second,
        rtt_ms,
    });
    assert!(world.serves(place, FILTER));
}

#[test]
fn any_byte_is_a_sign_of_life_unless_it_came_before_the_question() {
    let (mut world, place) = sole(0);
    world.run(10_000);
    silence(&mut world, place);
    for _ in 0..20 {
        pinged(&mut world);
        world.run(500);
        heard(&mut world, place, 100);
        world.run(10);
    }
    assert_eq!(world.closes_since(0), []);
    let mark = world.mark();
    pinged(&mut world);
    world.run(500);
    heard(&mut world, place, 501);
    world.run(2_000);
    assert_eq!(world.closes_since(mark), [Reason::PingTimeout]);
}

#[test]
fn a_connection_that_is_heard_of_is_not_asked() {
    let (mut world, place) = sole(0);
    let mark = world.mark();
    for _ in 0..100 {
        heard(&mut world, place, 400);
        world.run(4_500);
    }
    assert_eq!(pings(&world, mark), []);
    // Signs of life earn a good record as answers do.
    assert_eq!(world.view(place).state, PeerState::Connected);
}

#[test]
fn a_doubt_asks_at_once_and_only_who_was_silent() {
    let (mut world, place) = sole(1);
    world.run(10_500);
    heard(&mut world, place, 0);
    let conn = conn_of(&world, place);
    let mark = world.mark();
    world.run(249);
    world.tell(Event::Doubt { conn });
    assert_eq!(pings(&world, mark), []);
    world.run(1);
    silence(&mut world, place);
    world.tell(Event::Doubt { conn });
    world.tell(Event::Doubt { conn });
    assert_eq!(pings(&world, mark).len(), 1, "one is under way");
    world.run(1_000);
    assert!(!world.serves(place, FILTER));
    world.run(1_000);
    assert_eq!(world.closes_since(mark), [Reason::PingTimeout]);
}

#[test]
fn both_of_two_silent_providers_are_replaced_within_six_seconds_and_a_half() {
    let mut world = World::offline_trees();
    for _ in 0..4 {
        let place = world.node(&ALL);
        world.discovered(place, Source::PeerExchange);
    }
    world.start();
    world.run(30_000);
    let silent: Vec<usize> = (0..4).filter(|p| world.serves(*p, FILTER)).collect();
    assert_eq!(silent.len(), 2);
    let mark = world.mark();
    for place in &silent {
        heard(&mut world, *place, 0);
        silence(&mut world, *place);
    }
    world.run(6_500);
    let others = (0..4).filter(|p| !silent.contains(p));
    assert!(others.clone().all(|p| world.serves(p, FILTER)));
    // No more dials than there are providers to replace.
    assert_eq!(world.dialed_since(mark).len(), 2);
}

#[test]
fn a_miss_while_the_browser_says_offline_closes_nobody() {
    let (mut world, place) = sole(0);
    world.run(10_000);
    silence(&mut world, place);
    pinged(&mut world);
    world.tell(Event::Offline);
    world.run(MINUTE);
    assert!(!world.serves(place, FILTER));
    assert_eq!(world.closes_since(0), []);
    // It outlived that.
    world.nodes[place].answers_pings = true;
    world.tell(Event::Online);
    world.run(10);
    assert!(world.serves(place, FILTER));
}

#[test]
fn after_a_change_of_network_one_miss_is_enough_and_until_then_all_serve() {
    let (mut world, place) = sole(0);
    world.run(10_000);
    silence(&mut world, place);
    let mark = world.mark();
    world.tell(Event::NetworkChanged { constrained: false });
    assert!(world.serves(place, FILTER));
    world.run(2_999);
    assert_eq!(world.closes_since(mark), []);
    world.run(1);
    assert_eq!(world.closes_since(mark), [Reason::PingTimeout]);
}

#[test]
fn what_is_not_verified_yet_is_expected_of_somebody_else_after_a_miss() {
    let mut world = World::offline_trees();
    for id in ALL {
        world.set_need(id, need(1, 1, 2));
    }
    let slow = world.node(&ALL);
    world.nodes[slow].metadata = Metadata::NotYet;
    world.named(slow);
    world.start();
    world.run(300);
    let good = world.node(&ALL);
    world.discovered(good, Source::PeerExchange);
    world.run(100);
    assert_eq!(world.dialed(), [slow]);
    silence(&mut world, slow);
    let conn = conn_of(&world, slow);
    world.tell(Event::Doubt { conn });
    world.run(3_000);
    assert_eq!(world.dialed(), [slow, good]);
}

#[test]
fn whoever_answers_as_the_page_is_shown_is_asked_again_as_while_it_is_seen() {
    let (mut world, place) = sole(0);
    world.tell(Event::Visibility { hidden: true });
    world.run(90_000);
    // Long enough in silence to be asked when somebody looks again, and the answer is on its way meanwhile.
    let mark = world.mark();
    world.tell(Event::Woke);
    assert_eq!(pings(&world, mark).len(), 1);
    world.tell(Event::Visibility { hidden: false });
    world.run(1_000);
    silence(&mut world, place);
    let mark = world.mark();
    world.run(6_000);
    assert!(!pings(&world, mark).is_empty(), "5 s of silence (4.8)");
}
