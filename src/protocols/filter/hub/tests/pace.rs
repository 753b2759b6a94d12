//! How often servers are asked.

use super::fake::Takes;
use super::world::{BEGIN_MS, World};
use crate::protocols::filter::SubscribeType;
use crate::protocols::filter::hub::WishState;

fn name(n: usize) -> String {
    format!("/app/1/{n}/proto")
}

#[test]
fn thirty_subscriptions_at_once_are_one_request_at_each_server() {
    for takes in [Takes::ThirtyAMinute, Takes::OneASecond] {
        let mut world = World::of(2, takes);
        for n in 0..30 {
            world.want(&[&name(n)], 0);
        }
        world.run_for(2_000);
        assert_eq!(world.made.len(), 30);
        for fake in &world.fakes {
            assert_eq!(fake.kinds(), [SubscribeType::Subscribe]);
            assert_eq!(fake.pairs.len(), 30);
        }
    }
}

#[test]
fn thirty_subscriptions_in_thirty_turns_share_requests() {
    for takes in [Takes::ThirtyAMinute, Takes::OneASecond] {
        let mut world = World::of(3, takes);
        for n in 0..30 {
            world.want(&[&name(n)], 0);
            world.run_for(1);
        }
        world.run_for(2_000);
        assert_eq!(world.made.len(), 30, "{takes:?}");
        world.run_for(20_000);
        for n in 0..30 {
            assert_eq!(world.acked_by(&name(n)).len(), 2, "{takes:?}");
        }
        for fake in &world.fakes {
            assert!(fake.count(SubscribeType::Subscribe) <= 8, "{takes:?}");
        }
    }
}

#[test]
fn thirty_five_subscriptions_one_after_the_other_are_made_in_seconds() {
    for servers in [2, 6] {
        let mut world = World::of(servers, Takes::ThirtyAMinute);
        for n in 0..35 {
            let id = world.want(&[&name(n)], 0);
            while !world.made.contains_key(&id) {
                world.run_for(1);
                assert!(world.now < BEGIN_MS + 5_000, "{n} of 35, {servers} servers");
            }
        }
        world.states.clear();
        world.run_for(5 * 60_000);
        for n in 0..35 {
            assert_eq!(world.acked_by(&name(n)).len(), 2);
        }
        assert!(world.gaps.is_empty() && world.told.is_empty());
        assert!(
            world
                .states
                .iter()
                .all(|(_, _, state)| *state == WishState::Active)
        );
        for fake in &world.fakes {
            assert_eq!(fake.refused, 0);
            assert!(fake.most_in_a_minute() <= 30);
        }
    }
}

#[test]
fn three_hundred_topics_for_ten_minutes_keep_every_servers_pace() {
    for takes in [Takes::ThirtyAMinute, Takes::OneASecond] {
        let mut world = World::of(4, takes);
        for n in 0..40 {
            let topics: Vec<_> = (0..8).map(|m| name(n * 8 + m)).collect();
            let topics: Vec<_> = topics.iter().map(String::as_str).take(8 - n % 2).collect();
            world.want(&topics, (n % 4) as u16);
            world.run_for(130);
        }
        world.run_for(10 * 60_000);
        assert_eq!(world.made.len(), 40);
        assert!(world.gaps.is_empty() && world.told.is_empty());
        assert!(
            world
                .states
                .iter()
                .all(|(_, _, state)| *state == WishState::Active)
        );
        for fake in &world.fakes {
            assert!(fake.most_in_a_minute() <= 30, "{takes:?}");
            assert!(fake.refused <= 3, "{takes:?}: {}", fake.refused);
        }
        let pings: usize = world
            .fakes
            .iter()
            .map(|f| f.count(SubscribeType::Ping))
            .sum();
        assert!(
            pings <= 4 * 11,
            "one ping a minute for each server: {pings}"
        );
    }
}

#[test]
fn a_429_moves_nobody_and_is_no_gap() {
    let mut world = World::of(3, Takes::ThirtyAMinute);
    let id = world.subscribed(&[super::T]);
    let before = world.acked_by(super::T);
    world.states.clear();
    for server in &before {
        world.fakes[*server].takes = Takes::None;
    }
    world.run_for(75_000);
    for server in &before {
        assert!(world.fakes[*server].refused > 1);
        world.fakes[*server].takes = Takes::All;
    }
    world.run_for(5 * 60_000);
    assert_eq!(world.acked_by(super::T), before);
    assert!(world.states.is_empty() && world.gaps.is_empty() && world.told.is_empty());
    let sent = world.busy_for(500, super::T);
    world.assert_got_all(id, &sent);
    for server in &before {
        // SUBSCRIBE once: a ping that is refused is asked again, and nothing else.
        assert_eq!(world.fakes[*server].count(SubscribeType::Subscribe), 1);
    }
}

#[test]
fn a_server_that_answers_429_for_ever_is_replaced() {
    let mut world = World::new(3);
    world.subscribed(&[super::T]);
    let before = world.acked_by(super::T);
    world.fakes[before[0]].takes = Takes::None;
    world.run_for(5 * 60_000);
    let free = (0..3).find(|n| !before.contains(n)).unwrap();
    assert!(world.acked_by(super::T).contains(&free));
    assert!(world.gaps.is_empty());
}

#[test]
fn a_new_subscription_goes_elsewhere_while_a_server_says_slower() {
    let mut world = World::of(3, Takes::OneASecond);
    world.subscribed(&["/app/1/a/proto"]);
    let id = world.want(&["/app/1/b/proto"], 0);
    world.run_for(200);
    assert!(world.made.contains_key(&id));
}

#[test]
fn of_many_servers_that_say_slower_the_one_that_does_not_is_found() {
    let mut world = World::new(5);
    world.want_with(&["/app/1/a/proto"], 0, 4, true);
    world.run_for(100);
    for fake in &mut world.fakes[..4] {
        fake.takes = Takes::None;
    }
    world.want_with(&["/app/1/b/proto"], 0, 4, true);
    world.run_for(100);
    let id = world.want_with(&[super::T], 0, 2, true);
    world.run_for(100);
    assert!(world.made.contains_key(&id));
    assert_eq!(world.acked_by(super::T), [4]);
}
