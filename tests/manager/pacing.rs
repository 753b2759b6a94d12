//! How fast, and when again (4.7, 4.8): what keeps a herd apart and an outage from being charged to anybody.

use lightkeeper::manager::{
    CloseCause, Command, Config, DialFailure, Event, Health, HealthReason, Outcome, Source,
};

use crate::world::{FILTER, LIGHT_PUSH, Reachable, STORE, World, config, need};

const MINUTE: u64 = 60_000;

/// The one provider of one thing.
fn sole(seed: u8) -> World {
    sole_with(config(false), seed)
}

fn sole_with(config: Config, seed: u8) -> World {
    let mut world = World::with(config, seed);
    world.set_need(LIGHT_PUSH, need(1, 1, 1));
    world.set_need(FILTER, need(0, 0, 0));
    world.set_need(STORE, need(0, 0, 0));
    let place = world.node(&[LIGHT_PUSH]);
    world.discovered(place, Source::PeerExchange);
    world.start();
    world.run(3 * MINUTE);
    assert_eq!(world.health(), Health::Met);
    world
}

fn gaps(world: &World, mark: usize) -> Vec<u64> {
    let dials = world.dials_since(mark);
    dials.windows(2).map(|pair| pair[1].0 - pair[0].0).collect()
}

/// Somebody else answers all the time, so that no outage is suspected.
fn with_company(world: &mut World) {
    let place = world.node(&[FILTER]);
    world.set_need(FILTER, need(1, 1, 1));
    world.discovered(place, Source::PeerExchange);
    world.run(MINUTE);
    assert!(world.connected(place));
}

#[test]
fn waits_grow_with_every_attempt_and_start_over_only_after_a_healthy_connection() {
    let mut world = sole(1);
    with_company(&mut world);
    let mark = world.mark();
    world.stop_node(0);
    world.run(20 * MINUTE);
    // For two minutes nobody can stand in for it, and it is tried every few seconds.
    let waits: Vec<u64> = gaps(&world, mark)
        .into_iter()
        .filter(|gap| *gap > 5_100)
        .collect();
    assert!(waits.len() >= 3, "{waits:?}");
    // The level is the peer's own and outlives each attempt: no draw of the jitter starts a cycle anew (F2).
    assert!(waits[2] > 2 * waits[0], "{waits:?}");
    // It answers again, but not for long: that heals nothing (F8).
    world.start_node(0);
    world.run(15 * MINUTE);
    assert!(world.connected(0));
    let failures = |world: &World| {
        let peer = world.nodes[0].id;
        let told = world.manager.explain(&peer).expect("it is known");
        (told.failures, told.flaps)
    };
    assert_eq!(failures(&world), (0, 0));
}

#[test]
fn an_uptime_of_another_connection_heals_no_flaps() {
    let mut world = sole(1);
    let peer = world.nodes[0].id;
    // It lived for three minutes; now it breaks again and again, soon after it opens.
    for _ in 0..4 {
        world.lose(0, CloseCause::Broken);
        world.run(50_000);
    }
    let told = world.manager.explain(&peer).expect("it is known");
    assert!(told.flaps >= 3, "{}", told.flaps);
}

#[test]
fn clients_that_lose_the_same_peer_come_back_at_times_of_their_own() {
    let mut first: Vec<Vec<u64>> = Vec::new();
    for seed in 1..=20 {
        let mut world = sole(seed);
        with_company(&mut world);
        let mark = world.mark();
        let at = world.now;
        world.stop_node(0);
        world.run(5 * MINUTE);
        let dials = world.dials_since(mark);
        first.push(dials.iter().map(|dial| dial.0 - at).collect());
    }
    // The first redial comes within a quarter of a second (it was lost alone), and is drawn like those that follow.
    assert!(first.iter().all(|dials| dials[0] <= 250));
    for attempt in 0..4 {
        let mut moments: Vec<u64> = first.iter().map(|dials| dials[attempt]).collect();
        moments.sort_unstable();
        moments.dedup();
        assert!(moments.len() >= 15, "attempt {attempt}: {moments:?}");
    }
}

/// Numbers are drawn for somebody and something, not off one row: whoever waited before changes nothing (D4).
#[test]
fn how_long_a_lost_peer_waits_does_not_depend_on_who_else_had_to() {
    let waits = |others: usize| {
        let mut world = sole(1);
        with_company(&mut world);
        for _ in 0..others {
            let place = world.node(&[LIGHT_PUSH]);
            world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
            let other = world.nodes[place].clone();
            world.tell(Event::ConnectNow {
                peer: other.id,
                routes: vec![other.address],
                permanent: false,
            });
        }
        world.run(MINUTE);
        let (mark, at) = (world.mark(), world.now);
        world.stop_node(0);
        world.run(10_000);
        let dials = world.dials_since(mark).into_iter();
        let own = dials.filter(|(_, place, _)| *place == 0);
        own.map(|(when, ..)| when - at).collect::<Vec<u64>>()
    };
    assert!(waits(0).len() > 1);
    assert_eq!(waits(1), waits(0));
    assert_eq!(waits(2), waits(0));
}

#[test]
fn of_peers_lost_together_those_that_no_minimum_needs_leave_the_first_seconds_to_the_others() {
    let mut late = 0;
    for seed in 1..=10 {
        let mut world = World::with(config(false), seed);
        world.set_need(LIGHT_PUSH, need(2, 2, 2));
        world.set_need(FILTER, need(0, 4, 4));
        world.set_need(STORE, need(0, 0, 0));
        for serves in [LIGHT_PUSH, LIGHT_PUSH, FILTER, FILTER, FILTER, FILTER] {
            let place = world.node(&[serves]);
            world.discovered(place, Source::PeerExchange);
        }
        world.start();
        world.run(3 * MINUTE);
        assert_eq!(world.health(), Health::Met);
        let mark = world.mark();
        let at = world.now;
        for place in 0..6 {
            world.lose(place, CloseCause::Broken);
        }
        world.run(MINUTE);
        for (when, place, _) in world.dials_since(mark) {
            let wait = when - at;
            assert!(place >= 2 || wait <= 3_000, "critical, after {wait}");
            assert!(wait <= 10_000, "after {wait}");
            late += usize::from(wait > 3_000);
        }
        assert_eq!(world.health(), Health::Met);
    }
    assert!(late > 10, "{late}");
}

#[test]
fn dials_slow_down_when_most_fail_although_the_network_works_and_recover() {
    let mut world = World::offline_trees();
    world.set_need(LIGHT_PUSH, need(1, 16, 16));
    let good = world.node(&[LIGHT_PUSH]);
    world.discovered(good, Source::PeerExchange);
    world.start();
    world.run(MINUTE);
    for _ in 0..100 {
        let place = world.node(&[LIGHT_PUSH]);
        world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
        world.discovered(place, Source::PeerExchange);
    }
    world.run(10_000);
    let mark = world.mark();
    world.run(20_000);
    let slow = world.dials_since(mark).len();
    assert!((18..=21).contains(&slow), "one a second: {slow}");
    for place in 1..=100 {
        world.start_node(place);
    }
    world.run(10_000);
    let mark = world.mark();
    for place in 1..=100 {
        world.stop_node(place);
    }
    world.run(3_000);
    let fast = world.dials_since(mark).len();
    assert!(fast >= 5, "two a second: {fast}");
}

#[test]
fn silent_connections_are_asked_for_a_sign_of_life_when_dials_fail_everywhere() {
    // Whoever serves is asked every five seconds in any case.
    let mut config = config(false);
    config.suspect_silence_ms = 1;
    let mut world = sole_with(config, 1);
    world.nodes[0].answers_pings = false;
    world.set_need(LIGHT_PUSH, need(1, 4, 4));
    let mark = world.mark();
    for _ in 0..6 {
        let place = world.node(&[LIGHT_PUSH]);
        world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
        world.discovered(place, Source::PeerExchange);
    }
    world.run(1_000);
    let pings = world.count(mark, |order| {
        matches!(
            order,
            Command::Ping {
                timeout_ms: 5_000,
                ..
            }
        )
    });
    assert_eq!(pings, 1);
    world.nodes[0].reachable = Reachable::No(DialFailure::Unreachable);
    world.run(MINUTE);
    assert_eq!(world.manager.health().1, HealthReason::SuspectOffline);
    // What they were charged with before that was known is taken back.
    for place in 1..=6 {
        let peer = world.nodes[place].id;
        let told = world.manager.explain(&peer).expect("it is known");
        assert_eq!(told.failures, 0, "of {place}");
    }
}

#[test]
fn whoever_answers_ends_the_doubt_and_dead_peers_stay_charged() {
    let mut world = sole(1);
    world.set_need(LIGHT_PUSH, need(1, 4, 4));
    for _ in 0..6 {
        let place = world.node(&[LIGHT_PUSH]);
        world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
        world.discovered(place, Source::PeerExchange);
    }
    world.run(MINUTE);
    assert_ne!(world.manager.health().1, HealthReason::SuspectOffline);
    let charged = (1..=6).filter(|place| {
        let told = world.manager.explain(&world.nodes[*place].id);
        told.is_some_and(|told| told.failures > 0)
    });
    assert_eq!(charged.count(), 6);
}

#[test]
fn what_broke_in_an_outage_costs_no_score() {
    let mut world = sole(1);
    for _ in 0..10 {
        world.report(0, LIGHT_PUSH, Outcome::Success);
    }
    let before = world.view(0).score;
    assert!(before > 0);
    for _ in 0..4 {
        let place = world.node(&[LIGHT_PUSH]);
        world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
        world.discovered(place, Source::PeerExchange);
    }
    world.report(0, LIGHT_PUSH, Outcome::Broken);
    assert!(world.view(0).score < before);
    world.stop_node(0);
    world.run(MINUTE);
    assert_eq!(world.manager.health().1, HealthReason::SuspectOffline);
    let after = world.view(0).score;
    assert!((before - 5..=before).contains(&after), "{before}, {after}");
}

#[test]
fn a_withdrawn_need_stops_every_dial_for_it() {
    let mut world = sole(1);
    world.stop_node(0);
    world.run(MINUTE);
    world.set_need(LIGHT_PUSH, need(0, 0, 0));
    world.run(MINUTE);
    let mark = world.mark();
    world.run(10 * MINUTE);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
    world.tell(Event::Tick);
}
