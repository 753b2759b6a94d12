//! Who is asked for what, and who is told that it is not wanted any more.

use super::T;
use super::fake::Says;
use super::world::{BEGIN_MS, World};
use crate::protocols::filter::SubscribeType::{Ping, Subscribe, Unsubscribe, UnsubscribeAll};
use crate::protocols::filter::hub::{Group, WishState};

const A: &str = "/app/1/a/proto";
const B: &str = "/app/1/b/proto";

#[test]
fn a_wish_is_on_as_many_servers_as_it_wants_or_as_there_are() {
    let mut world = World::new(4);
    world.want_with(&[A], 0, 1, true);
    world.want_with(&[B], 0, 3, true);
    world.run_for(100);
    assert_eq!(world.acked_by(A), [0]);
    assert_eq!(world.acked_by(B), [0, 1, 2]);
    let mut world = World::new(1);
    world.subscribed(&[A]);
    assert_eq!(world.acked_by(A), [0]);
}

#[test]
fn one_ping_a_minute_serves_all_subscriptions() {
    let mut world = World::new(2);
    for n in 0..30 {
        let name = format!("/app/1/{n}/proto");
        world.subscribed(&[&name]);
    }
    let end = BEGIN_MS + 10 * 60_000;
    world.run_to(end);
    for fake in &world.fakes {
        assert!((9..=10).contains(&fake.count(Ping)), "{}", fake.count(Ping));
    }
}

#[test]
fn what_two_want_is_asked_for_once_and_kept_until_neither_does() {
    let mut world = World::new(2);
    let first = world.subscribed(&[A, B]);
    let second = world.subscribed(&[B]);
    assert_eq!(world.fakes[0].kinds(), [Subscribe]);
    let time = world.time();
    world.hub.unwant(time, first);
    world.hub.unwant(time, first);
    world.run_for(3_000);
    assert_eq!(world.fakes[0].kinds(), [Subscribe, Unsubscribe]);
    assert_eq!(world.fakes[0].asked[1].1.content_topics, [A]);
    let sent = world.busy_for(200, B);
    world.assert_got_all(second, &sent);
    let time = world.time();
    world.hub.unwant(time, second);
    world.run_for(3_000);
    for fake in &world.fakes {
        assert_eq!(fake.kinds(), [Subscribe, Unsubscribe, UnsubscribeAll]);
        assert!(fake.pairs.is_empty());
    }
    world.run_for(60 * 60_000);
    assert_eq!(world.fakes[0].asked.len(), 3, "then silence");
}

#[test]
fn a_wish_given_up_while_it_is_asked_for_is_unsubscribed() {
    let mut world = World::new(1);
    let id = world.want(&[A], 0);
    world.run_for(5);
    let time = world.time();
    world.hub.unwant(time, id);
    world.run_for(3_000);
    assert_eq!(world.fakes[0].kinds(), [Subscribe, UnsubscribeAll]);
    assert!(world.made.is_empty() && world.fakes[0].pairs.is_empty());
}

#[test]
fn requests_that_add_wait_for_one_that_removes() {
    let mut world = World::new(1);
    let id = world.subscribed(&[A]);
    let time = world.time();
    world.hub.unwant(time, id);
    world.run_for(5);
    let again = world.want(&[A], 0);
    world.run_for(100);
    assert_eq!(
        world.fakes[0].kinds(),
        [Subscribe, UnsubscribeAll, Subscribe]
    );
    assert!(world.made.contains_key(&again) && !world.fakes[0].pairs.is_empty());
}

#[test]
fn shards_are_split_by_what_servers_serve_and_one_that_nobody_serves_is_named() {
    let mut world = World::new(3);
    world.fakes[0].shards = Some(vec![0]);
    world.fakes[1].shards = Some(vec![1]);
    world.fakes[2].shards = Some(vec![0, 1]);
    world.serve();
    let group = |shard, topic: &str| Group {
        pubsub_topic: super::world::topic(shard),
        content_topics: vec![topic.to_owned()],
    };
    let time = world.time();
    let both = world
        .hub
        .want(time, vec![group(0, A), group(1, B)], 2, true);
    let time = world.time();
    let other = world
        .hub
        .want(time, vec![group(0, A), group(2, T)], 2, true);
    world.run_for(1_000);
    assert!(world.made.contains_key(&both) && !world.made.contains_key(&other));
    assert_eq!(
        (world.acked_by(A), world.acked_by(B)),
        (vec![0, 2], vec![1, 2])
    );
    assert_eq!(world.hub.why(other).1, [2]);
    world.fakes[1].shards = None;
    world.serve();
    world.run_for(100);
    assert!(world.made.contains_key(&other), "somebody serves it now");
}

#[test]
fn no_server_gets_more_pairs_than_it_takes() {
    let mut world = World::new(4);
    let topics: Vec<_> = (0..1_000).map(|n| format!("/app/1/{n}/proto")).collect();
    for part in topics.chunks(50) {
        let part: Vec<_> = part.iter().map(String::as_str).collect();
        world.want(&part, 0);
    }
    world.run_for(60_000);
    assert_eq!(world.made.len(), 20);
    for fake in &world.fakes {
        assert!(fake.pairs.len() <= 900);
        assert!(
            fake.asked
                .iter()
                .all(|(_, request)| request.content_topics.len() <= 100)
        );
    }
    let total: usize = world.fakes.iter().map(|fake| fake.pairs.len()).sum();
    assert_eq!(total, 2_000);
}

#[test]
fn where_not_all_have_room_twice_each_topic_has_a_server() {
    let mut world = World::new(2);
    let topics: Vec<_> = (0..1_000).map(|n| format!("/app/1/{n}/proto")).collect();
    for part in topics.chunks(50) {
        let part: Vec<_> = part.iter().map(String::as_str).collect();
        world.want(&part, 0);
    }
    world.run_for(120_000);
    assert_eq!(world.made.len(), 20);
    let total: usize = world.fakes.iter().map(|fake| fake.pairs.len()).sum();
    assert!((1_000..=1_800).contains(&total), "{total}");
}

#[test]
fn a_lost_server_is_replaced_and_nothing_is_missed() {
    let mut world = World::new(3);
    let id = world.subscribed(&[T]);
    let mut sent = world.busy_for(1_000, T);
    world.states.clear();
    world.disconnect(0);
    sent.extend(world.busy_for(70_000, T));
    world.assert_got_all(id, &sent);
    assert!(world.acked_by(T).contains(&2));
    assert!(world.gaps.is_empty());
    assert!(
        world
            .states
            .iter()
            .all(|(_, _, state)| *state == WishState::Active)
    );
    world.connect(0);
    world.run_for(5_000);
    assert_eq!(world.fakes[0].kinds().last(), Some(&UnsubscribeAll));
}

#[test]
fn a_reconnected_server_is_asked_again() {
    let mut world = World::new(1);
    world.subscribed(&[T]);
    world.fakes[0].pairs.clear();
    world.connect(0);
    world.run_for(100);
    assert_eq!(world.acked_by(T), [0]);
    assert_eq!(world.fakes[0].kinds(), [Subscribe, Subscribe]);
}

#[test]
fn a_silent_server_does_not_hold_up_a_new_subscription() {
    let mut world = World::new(3);
    world.fakes[0].to_subscribe = Some(Says::Silence);
    world.fakes[1].to_subscribe = Some(Says::Silence);
    let id = world.want(&[T], 0);
    world.run_for(2_100);
    assert!(world.made.contains_key(&id));
    assert!(world.acked_by(T).contains(&2));
}

#[test]
fn stop_tells_the_servers_and_their_late_pushes_are_nobodys_fault() {
    let mut world = World::new(2);
    world.subscribed(&[T]);
    let time = world.time();
    world.hub.stop(time);
    world.run_for(100);
    for fake in &world.fakes {
        assert_eq!(fake.kinds(), [Subscribe, UnsubscribeAll]);
    }
    world.hub.serving(world.time(), &[]);
    let time = world.time();
    world.hub.start(time);
    world.connect(0);
    world.run_for(65_000);
    for _ in 0..30 {
        let message = world.message(T);
        world.push_from(0, &message, 0, 0);
        world.run_for(100);
    }
    assert!(
        world
            .pushes
            .iter()
            .all(|push| *push == super::super::Push::Dropped)
    );
    assert!(world.told.is_empty());
}

#[test]
fn a_new_subscription_goes_to_the_servers_that_have_others() {
    let mut world = World::new(4);
    world.subscribed(&[A]);
    assert_eq!(world.acked_by(A), [0, 1]);
    world.fakes.reverse();
    world.serve();
    world.subscribed(&[B]);
    assert_eq!(world.acked_by(B), [2, 3], "the same two");
}

#[test]
fn a_connection_lost_with_requests_under_way_holds_up_nothing_on_the_next() {
    let mut world = World::new(1);
    let id = world.want(&[A], 0);
    world.run_for(5);
    world.disconnect(0);
    world.connect(0);
    world.run_for(100);
    assert!(world.made.contains_key(&id), "a subscribe");

    world.fakes[0].to_ping = Some(Says::Silence);
    world.run_for(61_000);
    world.fakes[0].to_ping = None;
    let pings = world.fakes[0].count(Ping);
    world.connect(0);
    world.run_for(125_000);
    assert_eq!(world.fakes[0].count(Ping), pings + 2, "a ping");

    world.fakes[0].to_unsubscribe = Some(Says::Silence);
    let time = world.time();
    world.hub.unwant(time, id);
    world.run_for(20);
    assert_eq!(world.fakes[0].kinds().last(), Some(&UnsubscribeAll));
    world.connect(0);
    let again = world.want(&[A], 0);
    world.run_for(100);
    assert!(world.made.contains_key(&again), "an unsubscribe");
}

#[test]
fn when_the_one_who_wants_more_servers_leaves_the_surplus_is_given_up() {
    let mut world = World::new(3);
    let more = world.want_with(&[A], 0, 3, true);
    let id = world.want_with(&[A], 0, 2, true);
    world.run_for(100);
    assert_eq!(world.acked_by(A), [0, 1, 2]);
    let time = world.time();
    world.hub.unwant(time, more);
    world.run_for(3_000);
    assert_eq!(world.acked_by(A), [0, 1]);
    let sent = world.busy_for(200, A);
    world.assert_got_all(id, &sent);
    assert!(world.gaps.is_empty());
}

#[test]
fn what_is_wanted_again_before_the_server_was_told_costs_no_request() {
    let mut world = World::new(1);
    let id = world.subscribed(&[A]);
    // No room to tell it at once.
    for n in 0..8 {
        world.subscribed(&[&format!("/app/1/{n}/proto")]);
    }
    let asked = world.fakes[0].asked.len();
    let time = world.time();
    world.hub.unwant(time, id);
    world.run_for(500);
    let again = world.want(&[A], 0);
    world.run_for(1);
    assert!(world.made.contains_key(&again));
    world.run_for(30_000);
    assert_eq!(world.fakes[0].asked.len(), asked);
    assert!(world.gaps.is_empty());
}
