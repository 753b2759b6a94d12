//! What is charged to a peer, and what is only told (4.5, S14).

use lightkeeper::manager::{
    Command, DialFailure, Event, Failed, Need, Notice, Outcome, Reason, RequirementId, Source, What,
};

use crate::world::{ALL, FILTER, LIGHT_PUSH, Reachable, STORE, World, need};

/// So many serve everything, and as many are wanted.
fn serving(count: u8, known: usize, need: Need) -> (World, Vec<usize>) {
    let mut world = World::offline_trees();
    for id in ALL {
        world.set_need(id, need);
    }
    for _ in 0..known {
        let place = world.node(&ALL);
        world.discovered(place, Source::PeerExchange);
    }
    world.start();
    world.run(1_000);
    assert_eq!(world.have(FILTER), count);
    let all = 0..known;
    let serving = all.filter(|place| world.serves(*place, FILTER)).collect();
    (world, serving)
}

/// Whether the failures since a mark were charged.
fn told(world: &World, mark: usize) -> Vec<bool> {
    world
        .notices_since(mark)
        .into_iter()
        .filter_map(|(_, notice)| match notice {
            Notice::Failed { charged, .. } => Some(charged),
            _ => None,
        })
        .collect()
}

fn quality(world: &World, place: usize, requirement: RequirementId) -> i16 {
    let explained = world.manager.explain(&world.nodes[place].id);
    let parts = explained.expect("it is known").parts;
    let mut all = parts.quality.into_iter();
    all.find(|(id, _)| *id == requirement)
        .map_or(0, |(_, quality)| quality)
}

#[test]
fn what_a_peer_did_not_do_is_told_and_changes_nothing() {
    let (mut world, serving) = serving(2, 2, need(1, 2, 2));
    let place = serving[0];
    let before = world.view(place);
    for outcome in Outcome::ALL {
        // Who is late is passed over, as the next story has it.
        if matches!(outcome, Outcome::Success | Outcome::Ours | Outcome::Late) {
            continue;
        }
        for _ in 0..5 {
            let mark = world.mark();
            world.excused(place, FILTER, *outcome);
            assert_eq!(world.mark() - mark, 1, "{outcome}");
            assert_eq!(told(&world, mark), [false], "{outcome}");
        }
    }
    let after = world.view(place);
    assert_eq!(before.serving, after.serving);
    assert_eq!(before.score, after.score);
    assert_eq!(before.last_reason, after.last_reason);
    assert_eq!(before.next_try_at_wall_ms, after.next_try_at_wall_ms);
    // None of it adds up either: the next slip is the first.
    world.report(place, FILTER, Outcome::Broken);
    assert!(world.serves(place, FILTER));
}

#[test]
fn an_explanation_names_the_last_failures_and_whether_they_were_charged() {
    let (mut world, serving) = serving(2, 2, need(1, 2, 2));
    let place = serving[0];
    let peer = world.nodes[place].id;
    let failures = [
        (FILTER, Outcome::Fault, false),
        (STORE, Outcome::Busy, true),
        (FILTER, Outcome::Broken, true),
        (LIGHT_PUSH, Outcome::Unable, false),
        (FILTER, Outcome::Lost, true),
    ];
    for (requirement, outcome, charged) in failures {
        world.run(10);
        if charged {
            world.report(place, requirement, outcome);
        } else {
            world.excused(place, requirement, outcome);
        }
    }
    let explained = world.manager.explain(&peer).expect("it is known");
    let wall = world.time().wall_ms;
    let ages: Vec<u64> = explained
        .failed
        .iter()
        .map(|d| wall - d.at_wall_ms)
        .collect();
    assert_eq!(ages, [30, 20, 10, 0]);
    let failed: Vec<What> = explained.failed.into_iter().map(|d| d.what).collect();
    let expected = failures[1..]
        .iter()
        .map(|(requirement, outcome, charged)| What::Failed {
            peer,
            requirement: *requirement,
            outcome: *outcome,
            charged: *charged,
        });
    assert_eq!(failed, expected.collect::<Vec<_>>());
}

/// How a dial that fails in this way is told, and what the peer's chance to be reached is afterwards.
fn failed_dial(failure: DialFailure) -> (bool, u16) {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.nodes[place].reachable = Reachable::No(failure);
    world.named(place);
    world.start();
    world.run(100);
    let charged = world
        .notices_since(0)
        .into_iter()
        .find_map(|(_, notice)| match notice {
            Notice::Failed {
                failed: Failed::Dial { .. },
                charged,
                ..
            } => Some(charged),
            _ => None,
        });
    let explained = world.manager.explain(&world.nodes[place].id);
    let reach = explained.expect("it is known").parts.reach;
    (charged.expect("it is told"), reach)
}

#[test]
fn a_dial_that_the_page_may_not_make_is_not_charged() {
    assert_eq!(failed_dial(DialFailure::NotAllowed), (false, 128));
    let (charged, reach) = failed_dial(DialFailure::Unreachable);
    assert!(charged && reach < 128);
}

#[test]
fn what_fails_under_suspicion_is_told_and_not_charged() {
    let (mut world, serving) = serving(2, 2, need(1, 2, 2));
    world.run(60_000);
    for place in 0..2 {
        world.stop_node(place);
    }
    let mark = world.mark();
    world.run(60_000);
    let reason = world.manager.health().1;
    assert_eq!(reason, lightkeeper::manager::HealthReason::SuspectOffline);
    assert!(told(&world, mark).contains(&false));
    let mark = world.mark();
    world.report(serving[0], FILTER, Outcome::Broken);
    world.report(serving[0], FILTER, Outcome::Withheld);
    assert_eq!(told(&world, mark), [false, false]);
    assert_eq!(quality(&world, serving[0], FILTER), 0);
}

#[test]
fn who_is_late_is_passed_over_without_a_charge_until_it_answers() {
    let (mut world, serving) = serving(2, 3, need(1, 2, 3));
    let place = serving[0];
    let mark = world.mark();
    world.excused(place, LIGHT_PUSH, Outcome::Late);
    assert!(!world.serves(place, LIGHT_PUSH));
    assert!(world.serves(place, FILTER), "that is another matter");
    assert_eq!(told(&world, mark), [false]);
    assert_eq!(quality(&world, place, LIGHT_PUSH), 0);
    world.run(1_000);
    assert_eq!(world.have(LIGHT_PUSH), 2, "another took over");
    world.report(place, LIGHT_PUSH, Outcome::Success);
    assert!(world.serves(place, LIGHT_PUSH));
    world.excused(place, LIGHT_PUSH, Outcome::Late);
    world.run(16_000);
    assert!(world.serves(place, LIGHT_PUSH), "nor does it last");
}

#[test]
fn who_is_late_and_alone_is_waited_for() {
    let (mut world, serving) = serving(1, 1, need(0, 1, 1));
    world.excused(serving[0], FILTER, Outcome::Late);
    assert!(world.serves(serving[0], FILTER));
}

#[test]
fn who_withholds_loses_quality_and_makes_room_once_in_a_minute() {
    let (mut world, serving) = serving(2, 3, need(1, 2, 3));
    let place = serving[0];
    let mark = world.mark();
    world.report(place, FILTER, Outcome::Withheld);
    assert!(!world.serves(place, FILTER));
    assert_eq!(world.view(place).last_reason, Some(Reason::Withheld));
    assert!(quality(&world, place, FILTER) < 0);
    world.run(1_000);
    let takeovers = world.takeovers_since(mark);
    let of_filter: Vec<_> = takeovers.iter().filter(|t| t.2 == FILTER).collect();
    assert!(matches!(of_filter[..], [(lost, _, _, _)] if *lost == place));
    // The others lose quality too, and stay: two that collude take nobody away at their own pace.
    let rest: Vec<usize> = (0..3).filter(|p| world.serves(*p, FILTER)).collect();
    let before = quality(&world, rest[0], FILTER);
    world.report(rest[0], FILTER, Outcome::Withheld);
    assert!(world.serves(rest[0], FILTER));
    assert!(quality(&world, rest[0], FILTER) < before);
    // What it does for another requirement is another matter.
    world.report(rest[0], LIGHT_PUSH, Outcome::Withheld);
    assert!(!world.serves(rest[0], LIGHT_PUSH));
}

#[test]
fn who_withholds_serves_on_when_the_minimum_needs_it_or_nobody_else_is_known() {
    for (need, known) in [(need(2, 2, 3), 3), (need(0, 1, 1), 1)] {
        let (mut world, serving) = serving(need.target, known, need);
        for _ in 0..20 {
            world.report(serving[0], FILTER, Outcome::Withheld);
            world.run(61_000);
        }
        assert!(world.serves(serving[0], FILTER), "{need:?}");
        assert!(quality(&world, serving[0], FILTER) < -500);
    }
}

#[test]
fn who_withheld_serves_again_after_its_rest() {
    let (mut world, serving) = serving(2, 2, need(1, 2, 2));
    world.report(serving[0], FILTER, Outcome::Withheld);
    assert!(!world.serves(serving[0], FILTER));
    world.run(61_000);
    assert!(world.serves(serving[0], FILTER));
}

#[test]
fn a_page_that_may_not_dial_anybody_is_no_outage_and_costs_no_level() {
    let mut world = World::offline_trees();
    let places: Vec<usize> = (0..4)
        .map(|_| {
            let place = world.node(&ALL);
            world.nodes[place].reachable = Reachable::No(DialFailure::NotAllowed);
            world.discovered(place, Source::PeerExchange);
            place
        })
        .collect();
    world.start();
    world.run(3_600_000);
    let reason = world.manager.health().1;
    assert_ne!(reason, lightkeeper::manager::HealthReason::SuspectOffline);
    for place in &places {
        let explained = world.manager.explain(&world.nodes[*place].id);
        assert_eq!(explained.expect("it is known").failures, 0);
    }
    // What a page may not do now it may not do in a moment.
    let dials = world.dialed().len();
    assert!((4..=12).contains(&dials), "{dials} in an hour");
}

#[test]
fn who_answers_instead_is_learned_as_a_claim() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.nodes[place].reachable = Reachable::Lost;
    world.discovered(place, Source::PeerExchange);
    let other = world.node(&ALL);
    world.nodes[other].address = world.nodes[place].address.clone();
    world.start();
    let dial = world.orders.iter().find_map(|order| match order.command {
        Command::Dial { dial, .. } => Some(dial),
        _ => None,
    });
    world.tell(Event::DialFailed {
        dial: dial.expect("it is dialed"),
        failure: DialFailure::WrongId,
        answered: Some(world.nodes[other].id),
    });
    let view = world.view(other);
    assert_eq!(view.route, Some(world.nodes[place].address.clone()));
    assert_eq!(view.source, Source::Foreign);
    world.run(60_000);
    assert!(world.connected(other));
}

#[test]
fn what_a_lost_connection_broke_is_charged_to_the_loss_alone() {
    let (mut world, serving) = serving(2, 2, need(1, 2, 2));
    world.run(60_000);
    let place = serving[0];
    let before = quality(&world, place, FILTER);
    world.stop_node(place);
    let mark = world.mark();
    for _ in 0..5 {
        world.report(place, FILTER, Outcome::Broken);
    }
    assert_eq!(quality(&world, place, FILTER), before);
    assert_eq!(told(&world, mark), [false; 5]);
}
