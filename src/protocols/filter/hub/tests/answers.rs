//! What each answer means.

use super::T;
use super::fake::Says;
use super::world::World;
use crate::protocols::filter::SubscribeType::{Ping, Subscribe, UnsubscribeAll};
use crate::protocols::filter::hub::{Cause, WishState};
use crate::protocols::verdict::{End, FailureClass};

const BAD: Option<Says> = Some(Says::Status(400, "no"));

#[test]
fn a_topic_that_every_server_calls_wrong_fails_at_once_and_only_its_own_wish() {
    let mut world = World::new(3);
    for fake in &mut world.fakes {
        fake.dislikes = Some("/app/1/13/proto".to_owned());
    }
    let ids: Vec<_> = (0..40)
        .map(|n| world.want(&[&format!("/app/1/{n}/proto")], 0))
        .collect();
    world.run_for(60_000);
    assert_eq!(world.made.len(), 39);
    let (errors, unserved) = &world.failed[&ids[13]];
    assert!(unserved.is_empty());
    assert!(
        errors
            .iter()
            .all(|(_, verdict)| verdict.failure == FailureClass::Ours)
    );
    assert!(world.told.is_empty());
}

#[test]
fn the_only_servers_400_fails_a_new_wish_in_a_round_trip() {
    let mut world = World::new(1);
    world.fakes[0].to_subscribe = BAD;
    let id = world.want(&[T], 0);
    world.run_for(100);
    assert_eq!(world.failed[&id].0.len(), 1);
}

#[test]
fn a_subscription_that_was_accepted_outlives_any_400() {
    let mut world = World::new(3);
    let id = world.subscribed(&[T]);
    world.fakes[2].to_subscribe = BAD;
    world.disconnect(0);
    world.run_for(1_000);
    world.disconnect(1);
    world.run_for(60_000);
    assert!(world.failed.is_empty());
    assert_eq!(world.states.last().map(|s| s.2), Some(WishState::Moving));
    world.connect(1);
    world.run_for(1_000);
    assert_eq!(world.states.last().map(|s| s.2), Some(WishState::Active));
    let sent = world.busy_for(200, T);
    world.assert_got_all(id, &sent);
}

#[test]
fn a_server_that_has_forgotten_us_is_asked_again_at_once_and_another_covers_it() {
    let mut world = World::new(3);
    world.subscribed(&[T]);
    world.fakes[0].pairs.clear();
    world.run_for(120_000);
    assert_eq!(world.acked_by(T), [0, 1]);
    let kinds = world.fakes[0].kinds();
    assert_eq!(kinds[..3], [Subscribe, Ping, Subscribe]);
    let asked = &world.fakes[0].asked;
    assert!(asked[2].0 - asked[1].0 < 100);
    assert!(world.gaps.is_empty() && world.fakes[2].asked.is_empty());
}

#[test]
fn without_another_server_a_forgotten_subscription_is_a_gap_since_the_last_proof() {
    let mut world = World::new(1);
    let id = world.subscribed(&[T]);
    world.run_for(10_000);
    let first = world.publish(T);
    world.run_for(1_000);
    let proof = world.delivered[&id][0].0;
    world.fakes[0].pairs.clear();
    let lost = world.busy_for(1_000, T);
    world.run_for(60_000);
    assert_eq!(world.gaps.len(), 1);
    let gap = &world.gaps[0];
    assert_eq!(
        (gap.from, gap.cause, gap.filled),
        (proof, Cause::Resubscribed, true)
    );
    assert_eq!(gap.recovered as usize, lost.len());
    world.assert_got_all(id, &[&[first], &lost[..]].concat());
}

#[test]
fn a_ping_that_fails_is_repeated_once_and_then_the_server_is_replaced() {
    for end in [End::Timeout, End::Reset, End::ClosedWithoutAnswer] {
        let mut world = World::new(3);
        world.subscribed(&[T]);
        world.fakes[0].to_ping = Some(match end {
            End::Timeout => Says::Silence,
            end => Says::End(end),
        });
        world.run_for(75_000);
        assert_eq!(
            world.fakes[0].kinds()[..4],
            [Subscribe, Ping, Ping, UnsubscribeAll],
            "{end}"
        );
        assert_eq!(world.acked_by(T), [1, 2], "{end}");
        assert!(world.gaps.is_empty());
    }
}

#[test]
fn one_failed_ping_alone_changes_nothing() {
    let mut world = World::new(3);
    world.subscribed(&[T]);
    world.fakes[0].to_ping = Some(Says::Silence);
    world.run_for(62_000);
    world.fakes[0].to_ping = None;
    world.run_for(60_000);
    assert_eq!(world.fakes[0].count(Subscribe), 1);
    assert!(world.fakes[2].asked.is_empty() && world.states.is_empty());
}

#[test]
fn a_full_server_is_passed_over_for_ten_minutes() {
    let mut world = World::new(3);
    world.fakes[0].to_subscribe = Some(Says::Status(503, "full"));
    world.subscribed(&[T]);
    assert_eq!(world.acked_by(T), [1, 2]);
    world.run_for(9 * 60_000);
    world.subscribed(&["/app/1/b/proto"]);
    world.disconnect(1);
    world.run_for(10_000);
    assert_eq!(world.fakes[0].asked.len(), 1);
    world.fakes[0].to_subscribe = None;
    world.run_for(3 * 60_000);
    assert_eq!(
        world.acked_by(T),
        [0, 1, 2],
        "the disconnected one keeps it"
    );
}

#[test]
fn a_full_server_is_asked_sooner_when_there_is_no_other() {
    let mut world = World::new(1);
    world.fakes[0].to_subscribe = Some(Says::Status(503, "full"));
    let id = world.want(&[T], 0);
    world.run_for(5_000);
    assert!(world.failed.is_empty());
    assert_eq!(world.hub.why(id).0[0].1.failure, FailureClass::Busy);
    world.fakes[0].to_subscribe = None;
    world.run_for(10_000);
    assert!(world.made.contains_key(&id));
}

#[test]
fn a_server_without_room_for_more_pairs_keeps_what_it_has_and_others_take_the_rest() {
    let mut world = World::new(3);
    world.fakes[0].criteria = 50;
    let topics: Vec<_> = (0..4)
        .map(|n| {
            (0..40)
                .map(|m| format!("/app/1/{n}-{m}/proto"))
                .collect::<Vec<_>>()
        })
        .collect();
    for topics in &topics {
        let topics: Vec<_> = topics.iter().map(String::as_str).collect();
        world.want(&topics, 0);
        world.run_for(1_000);
    }
    world.run_for(60_000);
    assert_eq!(world.made.len(), 4);
    assert_eq!(world.fakes[0].pairs.len(), 40);
    assert_eq!(world.fakes[1].pairs.len(), 160);
    assert_eq!(world.fakes[2].pairs.len(), 120);
    assert!(world.fakes[0].count(Ping) > 0, "it is still in use");
}

#[test]
fn a_stream_closed_without_an_answer_is_tried_once_more_there_and_then_elsewhere() {
    let mut world = World::new(2);
    world.fakes[0].to_subscribe = Some(Says::End(End::ClosedWithoutAnswer));
    let id = world.want_with(&[T], 0, 1, true);
    world.run_for(1_000);
    assert_eq!(world.fakes[0].kinds(), [Subscribe, Subscribe]);
    assert!(world.made.contains_key(&id));
    assert_eq!(world.acked_by(T), [1]);
}

#[test]
fn a_server_that_does_not_speak_filter_or_breaks_it_is_left() {
    for end in [End::Unsupported, End::Undecodable] {
        let mut world = World::new(3);
        world.fakes[0].to_subscribe = Some(Says::End(end));
        world.subscribed(&[T]);
        assert_eq!(world.acked_by(T), [1, 2]);
        world.run_for(9 * 60_000);
        assert_eq!(world.fakes[0].count(Subscribe), 1, "{end}");
    }
}

#[test]
fn what_we_cancel_is_asked_again_and_blamed_on_nobody() {
    let mut world = World::new(1);
    let id = world.want(&[T], 0);
    let action = world.hub.poll();
    let Some(super::super::Action::Ask { ask, .. }) = action else {
        panic!("{action:?}");
    };
    let time = world.time();
    world.hub.cancelled(time, ask);
    world.run_for(100);
    assert!(world.made.contains_key(&id));
}

#[test]
fn a_request_whose_end_nobody_tells_ends_by_itself() {
    let mut world = World::new(2);
    let id = world.want_with(&[T], 0, 1, true);
    let asked = world.hub.poll();
    assert!(matches!(asked, Some(super::super::Action::Ask { .. })));
    world.run_for(20_000);
    assert!(world.made.contains_key(&id));
    assert_eq!(world.acked_by(T), [1]);
}

#[test]
fn an_unsubscribe_that_fails_is_let_be() {
    let mut world = World::new(1);
    let id = world.subscribed(&[T]);
    world.fakes[0].to_unsubscribe = Some(Says::Silence);
    let time = world.time();
    world.hub.unwant(time, id);
    world.run_for(10 * 60_000);
    assert_eq!(world.fakes[0].kinds(), [Subscribe, UnsubscribeAll]);
}

#[test]
fn a_new_connection_of_a_server_that_was_silent_is_used_at_once() {
    let mut world = World::new(2);
    world.subscribed(&[T]);
    world.fakes[0].to_ping = Some(Says::Silence);
    world.run_for(75_000);
    assert_eq!(world.acked_by(T), [1]);
    world.fakes[0].to_ping = None;
    world.disconnect(0);
    world.connect(0);
    world.run_for(5_000);
    assert_eq!(world.acked_by(T), [0, 1]);
}
