//! What is believed of servers until something says otherwise.

use super::T;
use super::fake::Says;
use super::world::World;
use crate::protocols::filter::SubscribeType::{Ping, Subscribe, Unsubscribe, UnsubscribeAll};
use crate::protocols::filter::hub::Cause;
use crate::protocols::verdict::{End, FailureClass};

const B: &str = "/app/1/b/proto";

/// One server, which has T and may have B: how far the request for it came nobody knows, and nobody wants it any more.
fn one_that_may_have_more() -> (World, super::super::WishId) {
    let mut world = World::new(1);
    let id = world.subscribed(&[T]);
    world.fakes[0].to_subscribe = Some(Says::Silence);
    let other = world.want(&[B], 0);
    world.run_for(11_000);
    world.fakes[0].to_subscribe = None;
    let time = world.time();
    world.hub.unwant(time, other);
    world.run_for(100);
    (world, id)
}

#[test]
fn what_a_server_may_have_is_taken_back_when_it_is_there_again() {
    let (mut world, _) = one_that_may_have_more();
    world.connect(0);
    world.run_for(30_000);
    let last = &world.fakes[0].asked.last().unwrap().1;
    assert_eq!(last.filter_subscribe_type(), Unsubscribe);
    assert_eq!(last.content_topics, [B]);
}

#[test]
fn a_server_that_confirmed_the_end_of_all_has_nothing_left_to_be_taken_back() {
    let (mut world, id) = one_that_may_have_more();
    let time = world.time();
    world.hub.unwant(time, id);
    world.run_for(30_000);
    assert_eq!(world.fakes[0].kinds().last(), Some(&UnsubscribeAll));
    let asked = world.fakes[0].asked.len();
    world.connect(0);
    world.run_for(30_000);
    assert_eq!(world.fakes[0].asked.len(), asked);
}

#[test]
fn a_server_that_has_forgotten_us_has_nothing_left_to_be_taken_back() {
    let (mut world, _) = one_that_may_have_more();
    world.fakes[0].pairs.clear();
    world.run_for(61_000);
    let kinds = world.fakes[0].kinds();
    assert!(kinds.ends_with(&[Ping, Subscribe]), "{kinds:?}");
    world.connect(0);
    world.run_for(30_000);
    assert_eq!(world.fakes[0].count(Unsubscribe), 0);
    assert_eq!(world.acked_by(T), [0]);
}

#[test]
fn an_end_that_a_server_has_no_time_for_is_told_again() {
    let mut world = World::new(1);
    let id = world.subscribed(&[T]);
    world.fakes[0].to_unsubscribe = Some(Says::Status(429, ""));
    let time = world.time();
    world.hub.unwant(time, id);
    world.run_for(5_000);
    assert!(!world.fakes[0].pairs.is_empty());
    world.fakes[0].to_unsubscribe = None;
    world.run_for(60_000);
    assert!(world.fakes[0].pairs.is_empty());
}

#[test]
fn topics_that_were_asked_for_one_by_one_are_asked_for_together_again() {
    let mut world = World::new(1);
    world.fakes[0].dislikes = Some("/app/1/2/proto".to_owned());
    let names: Vec<_> = (0..4).map(|n| format!("/app/1/{n}/proto")).collect();
    for name in &names {
        world.want(&[name], 0);
    }
    world.run_for(60_000);
    assert_eq!((world.made.len(), world.failed.len()), (3, 1));
    let asked = world.fakes[0].asked.len();
    world.connect(0);
    world.run_for(100);
    let again = &world.fakes[0].asked[asked..];
    assert_eq!(again.len(), 1, "{again:?}");
    assert_eq!(again[0].1.content_topics.len(), 3);
}

#[test]
fn what_a_server_broke_costs_it_what_it_has() {
    for end in [End::Undecodable, End::Unsupported] {
        let mut world = World::new(3);
        world.subscribed(&[T]);
        world.fakes[0].to_subscribe = Some(Says::End(end));
        world.subscribed(&[B]);
        world.run_for(5_000);
        assert_eq!(world.acked_by(T), [1, 2], "{end}");
        assert!(world.gaps.is_empty());
    }
}

#[test]
fn a_server_that_left_one_request_unanswered_is_asked_whether_it_lives() {
    let mut world = World::new(2);
    world.subscribed(&[T]);
    world.fakes[0].to_subscribe = Some(Says::Silence);
    world.want(&[B], 0);
    world.run_for(9_000);
    assert_eq!(world.fakes[0].count(Ping), 0);
    world.run_for(2_000);
    assert_eq!(world.fakes[0].count(Ping), 1, "long before its minute");
}

#[test]
fn that_a_server_says_slower_is_no_reason_for_a_failure_and_that_it_refuses_is() {
    let mut world = World::new(1);
    world.fakes[0].takes = super::fake::Takes::None;
    let id = world.want(&[T], 0);
    world.run_for(1_000);
    assert!(world.hub.why(id).0.is_empty());
    world.run_for(120_000);
    let (errors, _) = world.hub.why(id);
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].1.failure, FailureClass::Busy);
}

#[test]
fn a_failed_ping_or_unsubscribe_is_no_reason_for_a_new_wish_to_fail() {
    let mut world = World::new(1);
    world.subscribed(&[T]);
    world.fakes[0].to_ping = Some(Says::Status(500, ""));
    world.fakes[0].to_subscribe = Some(Says::Silence);
    let id = world.want(&[T, B], 0);
    world.run_for(9_000);
    assert!(world.hub.why(id).0.is_empty());
}

#[test]
fn what_a_server_covered_until_it_was_told_to_stop_counts() {
    let mut world = World::new(3);
    let two = world.subscribed(&[T]);
    let one = world.want_with(&[T], 0, 1, true);
    world.run_for(5_000);
    // The first one stands still, and only the other shows that messages come.
    world.fakes[0].silent = true;
    world.busy_for(2_000, T);
    world.run_for(20);
    let last = world.delivered[&one].last().unwrap().0;
    let time = world.time();
    world.hub.unwant(time, two);
    world.run_for(3_000);
    assert!(world.fakes[1].pairs.is_empty(), "one server has to do");
    world.disconnect(0);
    world.run_for(10_000);
    assert_eq!(world.gaps.len(), 1, "{:?}", world.gaps);
    let gap = &world.gaps[0];
    assert_eq!(gap.cause, Cause::Moved);
    assert!(gap.from >= last, "{} before {last}", gap.from);
}

#[test]
fn a_stop_leaves_nothing_to_be_told_or_done() {
    let mut world = World::new(1);
    world.subscribed(&[T]);
    world.disconnect(0);
    world.run_for(3_000);
    world.connect(0);
    // The gap is over, and would be told in a moment.
    world.run_for(100);
    let time = world.time();
    world.hub.stop(time);
    world.run_for(100);
    let asked = world.fakes[0].asked.len();
    world.connect(0);
    world.run_for(60_000);
    assert_eq!(world.hub.next_deadline(), None);
    let time = world.time();
    world.hub.start(time);
    world.run_for(60_000);
    assert!(world.gaps.is_empty() && world.catch_ups.is_empty());
    assert!(world.fakes[0].asked.len() <= asked + 1, "but to take back");
}

#[test]
fn a_gap_is_told_by_what_made_it_and_not_by_what_was_before() {
    let mut world = World::new(1);
    world.subscribed(&[T]);
    world.fakes[0].pairs.clear();
    world.run_for(90_000);
    world.disconnect(0);
    world.run_for(3_000);
    world.connect(0);
    world.run_for(10_000);
    let causes: Vec<_> = world.gaps.iter().map(|gap| gap.cause).collect();
    assert_eq!(causes, [Cause::Resubscribed, Cause::Moved]);
}
