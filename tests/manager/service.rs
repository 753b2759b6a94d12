//! How a peer's answers change what it is good for (4.5, the error classes).

use lightkeeper::manager::{
    Cause, Event, Failed, Health, Metadata, Notice, Outcome, PeerState, Reason, Source,
};

use crate::world::{ALL, FILTER, LIGHT_PUSH, Reachable, STORE, World, need};

/// Two serve everything; a third is known.
fn three() -> (World, [usize; 2], usize) {
    let mut world = World::offline_trees();
    for _ in 0..3 {
        let place = world.node(&ALL);
        world.discovered(place, Source::PeerExchange);
    }
    world.start();
    world.run(1_000);
    assert_eq!(world.health(), Health::Met);
    let serving: Vec<usize> = (0..3).filter(|place| world.connected(*place)).collect();
    let spare = (0..3).find(|place| !serving.contains(place));
    let spare = spare.expect("two are enough");
    (world, [serving[0], serving[1]], spare)
}

/// The only provider of everything.
fn sole() -> (World, usize) {
    let mut world = World::offline_trees();
    for id in ALL {
        world.set_need(id, need(1, 1, 2));
    }
    let place = world.node(&ALL);
    world.named(place);
    world.start();
    world.run(1_000);
    assert_eq!(world.health(), Health::Met);
    (world, place)
}

#[test]
fn a_peer_serves_only_when_identified_and_admitted_by_metadata() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.nodes[place].metadata = Metadata::NotYet;
    world.named(place);
    world.start();
    world.run(100);
    assert!(world.connected(place));
    assert_eq!(world.have(STORE), 0);
    let conn = world.conns_of(place)[0];
    let metadata = Metadata::Unsupported;
    world.tell(Event::Metadata { conn, metadata });
    assert_eq!(world.have(STORE), 1);
    // A later "not yet" takes nothing back.
    let metadata = Metadata::NotYet;
    world.tell(Event::Metadata { conn, metadata });
    assert_eq!(world.have(STORE), 1);
}

#[test]
fn claims_do_not_serve_what_identify_does_not_list() {
    let mut world = World::offline_trees();
    let liar = world.node(&[LIGHT_PUSH]);
    world.nodes[liar].claims = ALL.to_vec();
    world.discovered(liar, Source::PeerExchange);
    world.start();
    world.run(1_000);
    assert_eq!((world.have(LIGHT_PUSH), world.have(STORE)), (1, 0));
    assert_eq!(world.view(liar).services, [LIGHT_PUSH]);
}

#[test]
fn an_identify_push_changes_what_is_served() {
    let (mut world, place) = sole();
    let conn = world.conns_of(place)[0];
    world.tell(Event::Identified {
        conn,
        protocols: vec!["/filter/2".to_owned()],
        agent: "pushed".to_owned(),
    });
    assert_eq!((world.have(LIGHT_PUSH), world.have(FILTER)), (0, 1));
    assert_eq!(world.view(place).agent.as_deref(), Some("pushed"));
}

#[test]
fn one_broken_answer_moves_a_peer_back_in_the_order() {
    let (mut world, [first, second], _) = three();
    let before = world.manager.serving(LIGHT_PUSH);
    assert_eq!(before.len(), 2);
    let best = if before[0].0 == world.nodes[first].id {
        first
    } else {
        second
    };
    let mark = world.mark();
    world.report(best, LIGHT_PUSH, Outcome::Broken);
    let after = world.manager.serving(LIGHT_PUSH);
    assert_eq!(after.len(), 2);
    assert_eq!(after[1].0, world.nodes[best].id);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
    assert!(world.view(best).score < 0);
}

#[test]
fn a_second_broken_answer_within_a_minute_replaces_the_provider() {
    let (mut world, [first, _], spare) = three();
    world.report(first, LIGHT_PUSH, Outcome::Broken);
    world.run(59_000);
    let mark = world.mark();
    world.report(first, LIGHT_PUSH, Outcome::Broken);
    assert!(!world.serves(first, LIGHT_PUSH));
    assert_eq!(world.dialed_since(mark), [spare]);
    world.run(1_000);
    assert_eq!(
        world.takeovers_since(mark),
        [(first, spare, LIGHT_PUSH, 30)]
    );
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn two_broken_answers_more_than_a_minute_apart_replace_nobody() {
    let (mut world, [first, _], _) = three();
    let mark = world.mark();
    for _ in 0..2 {
        world.report(first, LIGHT_PUSH, Outcome::Broken);
        world.run(61_000);
    }
    assert!(world.serves(first, LIGHT_PUSH));
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
}

#[test]
fn a_success_between_two_broken_answers_forgives() {
    let (mut world, [first, _], _) = three();
    world.report(first, LIGHT_PUSH, Outcome::Broken);
    world.report(first, LIGHT_PUSH, Outcome::Success);
    world.report(first, LIGHT_PUSH, Outcome::Broken);
    assert!(world.serves(first, LIGHT_PUSH));
}

#[test]
fn a_connection_that_serves_nothing_any_more_is_closed_only_once_it_is_replaced() {
    let (mut world, [first, _], spare) = three();
    world.nodes[spare].reachable = Reachable::Slowly(3_000);
    for id in ALL {
        world.report(first, id, Outcome::Busy);
    }
    world.run(2_000);
    assert!(world.connected(first));
    let mark = world.mark();
    world.run(2_000);
    assert_eq!(world.closes_since(mark), [Reason::FailedService]);
    let told = world.disconnect_of(first).expect("it was told");
    assert_eq!((told.cause, told.deliberate), (Cause::Replaced, true));
    assert!(!told.will_reconnect);
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn fault_and_absent_replace_at_once() {
    for outcome in [Outcome::Fault, Outcome::Absent, Outcome::Busy] {
        let (mut world, [first, _], spare) = three();
        let mark = world.mark();
        world.report(first, FILTER, outcome);
        assert!(!world.serves(first, FILTER), "{outcome}");
        assert!(world.serves(first, LIGHT_PUSH), "{outcome}");
        assert_eq!(world.dialed_since(mark), [spare], "{outcome}");
        world.run(1_000);
        assert_eq!(world.takeovers_since(mark), [(first, spare, FILTER, 30)]);
    }
}

#[test]
fn our_own_mistakes_and_lost_state_cost_a_peer_nothing() {
    let (mut world, [first, _], _) = three();
    let mark = world.mark();
    for outcome in [Outcome::Ours, Outcome::Lost] {
        for _ in 0..5 {
            world.report(first, FILTER, outcome);
        }
    }
    assert!(world.serves(first, FILTER));
    assert_eq!(world.view(first).score, 0);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
}

#[test]
fn busy_costs_no_score() {
    let (mut world, [first, _], _) = three();
    world.report(first, FILTER, Outcome::Busy);
    assert_eq!(world.view(first).score, 0);
    assert_eq!(world.view(first).last_reason, Some(Reason::Busy));
}

#[test]
fn a_sole_busy_peer_serves_again_without_a_reconnect() {
    let (mut world, place) = sole();
    let conn = world.view(place).conn;
    world.report(place, STORE, Outcome::Busy);
    assert_eq!(world.have(STORE), 0);
    world.run(29_000);
    assert_eq!(world.have(STORE), 0);
    world.run(92_000);
    assert_eq!(world.have(STORE), 1);
    assert_eq!(world.view(place).conn, conn);
    assert_eq!(world.takeovers_since(0), []);
}

#[test]
fn a_peer_that_stays_busy_rests_twice_as_long_each_time_up_to_an_hour() {
    let (mut world, place) = sole();
    let mut rests = Vec::new();
    for _ in 0..9 {
        world.report(place, STORE, Outcome::Busy);
        let from = world.now;
        while world.have(STORE) == 0 {
            world.run(1_000);
        }
        rests.push(world.now - from);
    }
    assert!((30_000..=121_000).contains(&rests[0]), "{rests:?}");
    assert!((60_000..=241_000).contains(&rests[1]), "{rests:?}");
    assert!(rests.iter().all(|rest| *rest <= 3_601_000), "{rests:?}");
    assert!(rests[8] >= 3_600_000, "{rests:?}");
}

#[test]
fn a_sole_unable_peer_is_skipped_for_five_minutes_after_the_third_time_in_a_row() {
    let (mut world, place) = sole();
    for _ in 0..2 {
        world.report(place, STORE, Outcome::Unable);
        world.run(9 * 60_000);
    }
    assert_eq!(world.have(STORE), 1);
    world.report(place, STORE, Outcome::Unable);
    world.run(299_000);
    assert_eq!(world.have(STORE), 0);
    world.run(1_001);
    assert_eq!(world.have(STORE), 1);
}

#[test]
fn a_success_or_ten_quiet_minutes_make_the_next_unable_the_first_again() {
    let (mut world, place) = sole();
    for round in 0..6 {
        for _ in 0..2 {
            world.report(place, STORE, Outcome::Unable);
        }
        assert_eq!(world.have(STORE), 1, "{round}");
        if round % 2 == 0 {
            world.report(place, STORE, Outcome::Success);
        } else {
            world.run(10 * 60_000 + 1);
        }
    }
}

#[test]
fn what_a_peer_cannot_do_costs_it_half_of_what_a_failure_does() {
    let cost = |outcome| {
        let (mut world, [first, _], _) = three();
        world.report(first, FILTER, outcome);
        world.view(first).score
    };
    assert_eq!((cost(Outcome::Unable), cost(Outcome::Broken)), (-62, -125));
}

#[test]
fn an_absent_protocol_is_no_longer_among_a_peers_services() {
    let (mut world, [first, _], _) = three();
    world.report(first, STORE, Outcome::Absent);
    assert_eq!(world.view(first).services, [LIGHT_PUSH, FILTER]);
}

#[test]
fn a_second_fault_within_minutes_disconnects_for_a_while() {
    let (mut world, first) = sole();
    let mark = world.mark();
    world.report(first, FILTER, Outcome::Fault);
    assert_eq!(world.closes_since(mark), []);
    world.run(5 * 60_000);
    world.report(first, FILTER, Outcome::Fault);
    assert_eq!(world.closes_since(mark), [Reason::BadBehaviour]);
    world.run(100);
    let told = world.disconnect_of(first).expect("it was told");
    assert!(told.deliberate && !told.will_reconnect);
    assert_eq!(world.view(first).state, PeerState::Cooling);
    let mark = world.mark();
    world.connects_by_itself(first);
    assert_eq!(world.closes_since(mark), [Reason::BadBehaviour]);
    world.run(9 * 60_000);
    assert_eq!(world.view(first).state, PeerState::Cooling);
    world.run(2 * 60_000);
    assert!(world.connected(first), "nobody else serves");
}

#[test]
fn a_held_peer_that_misbehaves_stays_until_it_is_banned() {
    let (mut world, [first, _], _) = three();
    world.connect_now(first);
    let mark = world.mark();
    world.report(first, FILTER, Outcome::Fault);
    world.report(first, FILTER, Outcome::Fault);
    assert_eq!(world.closes_since(mark), []);
    world.report(first, FILTER, Outcome::Fault);
    assert_eq!(world.closes_since(mark), [Reason::BannedForFaults]);
    assert!(!world.view(first).pinned);
}

#[test]
fn three_faults_ban_for_a_while_and_say_so() {
    let (mut world, first) = sole();
    let mark = world.mark();
    world.report(first, FILTER, Outcome::Fault);
    world.run(16 * 60_000);
    world.report(first, FILTER, Outcome::Fault);
    world.run(16 * 60_000);
    assert_eq!(world.closes_since(mark), []);
    world.report(first, FILTER, Outcome::Fault);
    assert_eq!(world.closes_since(mark), [Reason::BannedForFaults]);
    let banned = Notice::Banned {
        peer: world.nodes[first].id,
        reason: Reason::BannedForFaults,
    };
    assert!(world.notices_since(mark).iter().any(|(_, n)| *n == banned));
    world.run(100);
    let told = world.disconnect_of(first).expect("it was told");
    assert_eq!(
        (told.cause, told.reason, told.deliberate),
        (Cause::Banned, Reason::BannedForFaults, true)
    );
    assert_eq!(world.view(first).state, PeerState::Banned);
    // Not even hearing of it again shortens a ban.
    world.discovered(first, Source::Static);
    world.run(29 * 60_000);
    assert_eq!(world.view(first).state, PeerState::Banned);
    world.run(60_000);
    assert!(world.connected(first), "nobody else serves");
}

#[test]
fn a_failed_request_is_told_with_when_it_is_tried_again() {
    let (mut world, [first, _], _) = three();
    world.report(first, STORE, Outcome::Unable);
    world.report(first, STORE, Outcome::Unable);
    let mark = world.mark();
    world.report(first, STORE, Outcome::Unable);
    let peer = world.nodes[first].id;
    let wall = world.time().wall_ms;
    let failed = Notice::Failed {
        peer,
        failed: Failed::Request {
            requirement: STORE,
            outcome: Outcome::Unable,
        },
        charged: true,
        retry_at_wall_ms: Some(wall + 300_000),
    };
    assert!(world.notices_since(mark).iter().any(|(_, n)| *n == failed));
}

#[test]
fn success_raises_the_score_toward_its_best() {
    let (mut world, [first, _], _) = three();
    let mut last = 0;
    for _ in 0..100 {
        world.report(first, FILTER, Outcome::Success);
        let score = world.view(first).score;
        assert!(score >= last);
        last = score;
    }
    assert_eq!(last, 1_000);
}

#[test]
fn a_peer_that_never_identifies_is_closed() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.nodes[place].identifies = false;
    world.named(place);
    world.start();
    world.run(11_000);
    assert_eq!(world.closes_since(0), [Reason::IdentifyFailed]);
    let told = world.disconnect_of(place).expect("it was told");
    assert_eq!((told.cause, told.deliberate), (Cause::Timeout, false));
}

#[test]
fn a_peer_whose_metadata_does_not_come_is_replaced_and_closed() {
    let mut world = World::offline_trees();
    for id in ALL {
        world.set_need(id, need(1, 1, 2));
    }
    let slow = world.node(&ALL);
    world.nodes[slow].metadata = Metadata::NotYet;
    world.discovered(slow, Source::PeerExchange);
    world.start();
    world.run(1_000);
    let good = world.node(&ALL);
    world.discovered(good, Source::PeerExchange);
    // It may yet answer: while it is verified nobody else is dialed.
    world.run(3_000);
    assert_eq!(world.dialed(), [slow]);
    world.run(3_000);
    assert_eq!(world.dialed(), [slow, good]);
    assert_eq!(world.closes_since(0), [Reason::FailedService]);
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn the_third_failure_in_a_row_counts_however_seldom_a_peer_is_used() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.named(place);
    world.start();
    world.run(1_000);
    let serves = |world: &World| world.view(place).serving.contains(&FILTER);
    for outcome in [
        Outcome::Broken,
        Outcome::Broken,
        Outcome::Success,
        Outcome::Broken,
        Outcome::Broken,
    ] {
        world.report(place, FILTER, outcome);
        assert!(serves(&world), "a slip now and then is none");
        // Its quality has time to be better than -250 again (4.3).
        world.run(10 * 60_000);
    }
    world.report(place, FILTER, Outcome::Broken);
    assert!(!serves(&world));
    world.run(10 * 60_000);
    assert!(serves(&world), "it may try again");
}

/// Never two failures in a minute, nor three in a row, and yet two requests of three fail.
#[test]
fn whoever_fails_more_often_than_not_is_no_provider_however_it_is_spaced() {
    let (mut world, [poor, _], _) = three();
    let mut served = 0;
    for _ in 0..10 {
        for outcome in [Outcome::Broken, Outcome::Broken, Outcome::Success] {
            served += u32::from(world.serves(poor, FILTER));
            world.report(poor, FILTER, outcome);
            world.run(61_000);
        }
    }
    assert!(served < 12, "it was asked {served} times of 30");
    // Whoever does well again serves again.
    for _ in 0..4 {
        world.report(poor, FILTER, Outcome::Success);
    }
    if world.connected(poor) {
        assert!(world.serves(poor, FILTER));
    }
}

/// L5: the only one is tried again after ten minutes at the latest, whatever it did before.
#[test]
fn the_only_provider_is_tried_again_however_poor_it_is() {
    let (mut world, sole) = sole();
    for _ in 0..12 {
        world.report(sole, FILTER, Outcome::Broken);
        world.run(61_000);
    }
    assert!(!world.serves(sole, FILTER));
    world.run(600_000);
    assert!(world.serves(sole, FILTER));
}
