//! When messages are missing, what is told, and what a store gives back.

use super::T;
use super::world::{ROUND_TRIP_MS, World};
use crate::protocols::filter::hub::{Cause, Now, Via, WishState};

#[test]
fn one_of_two_silent_servers_costs_nothing() {
    let mut world = World::new(3);
    let id = world.subscribed(&[T]);
    let mut sent = world.busy_for(1_000, T);
    world.fakes[0].silent = true;
    sent.extend(world.busy_for(8_000, T));
    world.disconnect(0);
    sent.extend(world.busy_for(60_000, T));
    world.assert_got_all(id, &sent);
    assert!(world.gaps.is_empty() && world.catch_ups.is_empty());
}

#[test]
fn servers_that_pushed_often_and_fell_silent_are_late_within_seconds() {
    let mut world = World::new(2);
    world.subscribed(&[T]);
    world.busy_for(5_000, T);
    assert_eq!(world.late, []);
    let silent_at = world.now;
    world.fakes[0].silent = true;
    world.fakes[1].silent = true;
    world.run_for(6_200);
    let late: Vec<_> = world.late.iter().map(|(_, peer)| *peer).collect();
    assert!(late.contains(&world.fakes[0].peer) && late.contains(&world.fakes[1].peer));
    assert!(world.late.iter().all(|(at, _)| at - silent_at <= 6_200));
}

#[test]
fn a_topic_that_is_quiet_costs_one_ping_and_nobody_is_late() {
    let mut world = World::new(2);
    world.subscribed(&[T]);
    world.busy_for(5_000, T);
    let asked = world.fakes[0].asked.len();
    world.run_for(50_000);
    assert_eq!(world.fakes[0].asked.len(), asked + 1);
    assert_eq!(world.late, []);
}

#[test]
fn both_silent_is_one_gap_that_a_store_fills_in_order() {
    let mut world = World::new(4);
    let id = world.subscribed(&[T, "/app/1/quiet/proto"]);
    let mut sent = world.busy_for(30_000, T);
    // The second server pushed the last message a millisecond later.
    let last = world.delivered[&id].last().unwrap().0 + 1;
    world.fakes[0].silent = true;
    world.fakes[1].silent = true;
    let missed = world.busy_for(6_000, T);
    world.fakes[0].serving = false;
    world.disconnect(1);
    sent.extend(&missed);
    world.run_for(1);
    assert_eq!(world.states.last().map(|s| s.2), Some(WishState::Moving));
    sent.extend(world.busy_for(10_000, T));
    world.assert_got_all(id, &sent);
    assert_eq!(world.gaps.len(), 1, "{:?}", world.gaps);
    let gap = &world.gaps[0];
    assert_eq!((gap.cause, gap.filled), (Cause::Moved, true));
    assert_eq!(gap.topics, [T, "/app/1/quiet/proto"]);
    assert_eq!(gap.from, last, "from the last sign of life");
    assert!((6_000..6_200).contains(&(gap.to - gap.from)));
    assert_eq!(world.catch_ups, [(gap.from - 10_000, gap.to + 10_000)]);
    let stored: Vec<_> = world.delivered[&id]
        .iter()
        .filter(|(_, _, via)| *via == Via::Store)
        .map(|(_, hash, _)| *hash)
        .collect();
    assert_eq!(stored.len(), gap.recovered as usize);
    assert_eq!(
        stored[..missed.len()],
        missed,
        "in the order of their times"
    );
}

#[test]
fn the_second_server_covers_until_it_proves_that_it_does_not() {
    let mut world = World::new(4);
    let id = world.subscribed(&[T]);
    let mut sent = world.busy_for(2_000, T);
    // Both die, and only the first is found out for now.
    world.fakes[0].silent = true;
    world.fakes[1].silent = true;
    sent.extend(world.busy_for(6_000, T));
    world.disconnect(0);
    sent.extend(world.busy_for(3_000, T));
    assert!(world.gaps.is_empty(), "nobody can say yet");
    sent.extend(world.busy_for(20_000, T));
    assert_eq!(world.gaps.len(), 1);
    assert!(world.gaps[0].filled);
    world.assert_got_all(id, &sent);
}

#[test]
fn without_a_store_or_wish_for_it_a_gap_is_told_and_not_filled() {
    let mut world = World::new(2);
    world.has_store = false;
    world.subscribed(&[T]);
    world.disconnect(0);
    world.disconnect(1);
    world.run_for(3_000);
    world.connect(0);
    world.run_for(5_000);
    assert_eq!(world.gaps.len(), 1);
    assert!(!world.gaps[0].filled && world.gaps[0].recovered == 0);

    let mut world = World::new(2);
    world.want_with(&[T], 0, 2, false);
    world.run_for(100);
    world.disconnect(0);
    world.disconnect(1);
    world.run_for(3_000);
    world.connect(0);
    world.run_for(5_000);
    assert_eq!(world.gaps.len(), 1);
    assert!(!world.gaps[0].filled && world.catch_ups.is_empty());
}

#[test]
fn an_outage_of_many_topics_and_shards_is_one_gap() {
    let mut world = World::new(2);
    let names: Vec<_> = (0..250).map(|n| format!("/app/1/{n}/proto")).collect();
    for (n, part) in names.chunks(50).enumerate() {
        let part: Vec<_> = part.iter().map(String::as_str).collect();
        world.want(&part, (n % 4) as u16);
    }
    world.run_for(30_000);
    world.fakes[0].serving = false;
    world.disconnect(1);
    world.run_for(10_000);
    world.connect(0);
    world.connect(1);
    world.run_for(30_000);
    assert_eq!(world.gaps.len(), 1);
    assert_eq!(world.gaps[0].topics.len(), 250);
}

#[test]
fn an_outage_of_an_hour_is_filled_without_telling_anything_twice() {
    let mut world = World::new(2);
    let id = world.subscribed(&[T]);
    let mut sent = world.busy_for(20_000, T);
    world.disconnect(0);
    world.disconnect(1);
    for _ in 0..60 {
        sent.push(world.publish(T));
        world.run_for(60_000);
    }
    world.connect(0);
    sent.extend(world.busy_for(20_000, T));
    // The world asserts that nothing comes twice.
    world.assert_got_all(id, &sent);
    assert_eq!(world.gaps.len(), 1);
    assert!(world.gaps[0].filled);
    assert_eq!(world.gaps[0].recovered, 60);
}

#[test]
fn a_server_that_is_given_up_while_it_lives_leaves_no_gap() {
    let mut world = World::new(3);
    // The first server answers late, and a third is asked beside it.
    world.fakes[0].to_subscribe = Some(super::fake::Says::Silence);
    let id = world.want(&[T], 0);
    world.run_for(2_500);
    world.fakes[0].to_subscribe = None;
    world.run_for(60_000);
    let mut sent = world.busy_for(60_000, T);
    // A better list of servers changes nothing by itself.
    world.fakes.swap(0, 2);
    world.serve();
    sent.extend(world.busy_for(10_000, T));
    world.assert_got_all(id, &sent);
    assert!(world.gaps.is_empty(), "{:?}", world.gaps);
}

#[test]
fn a_page_that_slept_asks_anew_and_fills_the_gap() {
    let mut world = World::new(2);
    let id = world.subscribed(&[T]);
    let mut sent = world.busy_for(2_000, T);
    let from = world.time();
    // Servers gave up on what they pushed meanwhile.
    world.fakes[0].silent = true;
    world.fakes[1].silent = true;
    for _ in 0..60 {
        sent.push(world.publish(T));
        world.now += 1_000;
    }
    world.fakes[0].silent = false;
    world.fakes[1].silent = false;
    let time = world.time();
    world.hub.disturbed(time, from);
    sent.extend(world.busy_for(5_000, T));
    world.assert_got_all(id, &sent);
    assert_eq!(world.gaps.len(), 1, "{:?}", world.gaps);
    let gap = &world.gaps[0];
    assert_eq!(
        (gap.cause, gap.filled, gap.recovered),
        (Cause::Resumed, true, 60)
    );
    assert!(gap.from <= from.mono_ms && gap.to >= time.mono_ms);
    assert!(world.states.is_empty(), "its servers serve on");
}

#[test]
fn a_nap_is_no_gap() {
    let mut world = World::new(2);
    world.subscribed(&[T]);
    let from = world.time();
    world.now += 14_000;
    let time = world.time();
    world.hub.disturbed(time, from);
    world.run_for(90_000);
    assert!(world.gaps.is_empty());
}

#[test]
fn a_sleep_that_only_the_wall_clock_noticed_is_one_too() {
    let mut world = World::new(2);
    world.subscribed(&[T]);
    let from = world.time();
    world.now += 100;
    let time = world.time();
    let before = Now {
        wall_ms: from.wall_ms - 3_600_000,
        ..from
    };
    world.hub.disturbed(time, before);
    world.run_for(5_000);
    assert_eq!(world.gaps.len(), 1);
}

#[test]
fn what_is_lost_to_our_bounds_is_a_gap_unless_another_server_goes_on() {
    let mut world = World::new(1);
    let id = world.subscribed(&[T]);
    let mut sent = world.busy_for(500, T);
    world.run_for(ROUND_TRIP_MS);
    world.fakes[0].silent = true;
    sent.extend(world.busy_for(500, T));
    world.fakes[0].silent = false;
    let peer = world.fakes[0].peer;
    for _ in 0..200 {
        let time = world.time();
        world.hub.lost_bytes(time, &peer);
    }
    sent.extend(world.busy_for(10_000, T));
    assert_eq!(world.gaps.len(), 1, "one for all: {:?}", world.gaps);
    assert_eq!(
        (world.gaps[0].cause, world.gaps[0].filled),
        (Cause::Overflow, true)
    );
    world.assert_got_all(id, &sent);

    let mut world = World::new(2);
    world.subscribed(&[T]);
    world.busy_for(500, T);
    let (time, peer) = (world.time(), world.fakes[0].peer);
    world.hub.lost_bytes(time, &peer);
    world.busy_for(10_000, T);
    assert!(world.gaps.is_empty());
}

#[test]
fn who_came_after_a_gap_hears_nothing_of_it() {
    let mut world = World::new(1);
    let first = world.subscribed(&[T]);
    world.disconnect(0);
    let before = world.busy_for(60_000, T);
    let second = world.want(&[T], 0);
    world.run_for(15_000);
    let during = world.busy_for(1_000, T);
    world.connect(0);
    world.run_for(5_000);
    world.assert_got_all(first, &[&before[..], &during].concat());
    world.assert_got_all(second, &during);
    let got = world.got(second);
    assert!(before.iter().take(900).all(|hash| !got.contains(hash)));
}

#[test]
fn a_store_that_never_answers_leaves_the_gap_unfilled_and_the_next_one_is_told() {
    let mut world = World::new(1);
    world.subscribed(&[T]);
    world.disconnect(0);
    world.run_for(1_000);
    world.connect(0);
    let mut asked = 0;
    for _ in 0..40 {
        // The world's own store is not asked: nothing of this is drained by it.
        while let Some(action) = world.hub.poll() {
            match action {
                super::super::Action::CatchUp { .. } => asked += 1,
                super::super::Action::Ask { ask, .. } => {
                    let time = world.time();
                    world.hub.answered(time, ask, Ok(()));
                }
                super::super::Action::Gap { filled, .. } => {
                    assert!(!filled && asked == 1);
                    return;
                }
                _ => {}
            }
        }
        world.now += 5_000;
        let time = world.time();
        world.hub.tick(time);
    }
    panic!("the gap is never told");
}

#[test]
fn after_a_long_sleep_servers_are_asked_for_everything_again() {
    let mut world = World::new(2);
    let id = world.subscribed(&[T]);
    let from = world.time();
    world.now += 10 * 60_000;
    for fake in &mut world.fakes {
        fake.pairs.clear();
    }
    // Asked before the clocks are looked at: a ping alone would now be answered well.
    let time = world.time();
    world.hub.disturbed(time, from);
    world.subscribed(&["/app/1/b/proto"]);
    let sent = world.busy_for(1_000, T);
    world.assert_got_all(id, &sent);
    assert_eq!(world.gaps.len(), 1);
}

#[test]
fn a_gap_of_lost_messages_begins_before_the_first_of_them() {
    let mut world = World::new(1);
    world.subscribed(&[T]);
    world.busy_for(5_000, T);
    // In the middle of the stream: something has come this very moment.
    world.publish(T);
    world.run_for(ROUND_TRIP_MS / 2);
    let (time, peer) = (world.time(), world.fakes[0].peer);
    world.hub.lost_bytes(time, &peer);
    world.run_for(10_000);
    assert_eq!(world.gaps.len(), 1);
    assert_eq!(world.gaps[0].from, time.mono_ms - 1_000);
    assert_eq!(world.gaps[0].to, time.mono_ms);
}

#[test]
fn what_passes_while_nobody_wants_it_is_no_gap() {
    let mut world = World::new(1);
    let id = world.subscribed(&[T]);
    let time = world.time();
    world.hub.unwant(time, id);
    world.run_for(60_000);
    world.subscribed(&[T]);
    world.run_for(60_000);
    assert!(world.gaps.is_empty());
}

#[test]
fn a_sleep_is_not_counted_as_time_that_a_server_had() {
    let mut world = World::new(1);
    let id = world.want(&[T], 0);
    let action = world.hub.poll();
    let Some(super::super::Action::Ask { ask, .. }) = action else {
        panic!("{action:?}");
    };
    let from = world.time();
    world.now += 100_000;
    let time = world.time();
    world.hub.disturbed(time, from);
    world.hub.tick(time);
    assert_eq!(world.hub.poll(), None, "the request is still under way");
    world.hub.answered(time, ask, Ok(()));
    world.run_for(1);
    assert!(world.made.contains_key(&id));
}
