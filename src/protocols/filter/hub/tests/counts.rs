//! How many, how often, and to whom: what the hub asks, tells and keeps.

use super::T;
use super::fake::Says;
use super::world::{ROUND_TRIP_MS, World, topic};
use crate::protocols::filter::SubscribeType::{Ping, Subscribe};
use crate::protocols::filter::hub::{Action, Admission, Group, Push};
use crate::protocols::filter::push::MessagePush;
use crate::protocols::network::Network;

const B: &str = "/app/1/b/proto";
const SECOND: u64 = 1_000;

/// Pushes from the first server of what nobody asked it for.
fn unrequested(world: &mut World, count: usize) {
    for _ in 0..count {
        let message = world.message("/other/1/x/proto");
        let push = MessagePush::new(topic(0).to_string(), message);
        assert_eq!(world.push(0, push), Push::Unrequested);
    }
}

/// When the first server was asked for something of this kind.
fn asked_at(world: &World, kind: crate::protocols::filter::SubscribeType) -> Vec<u64> {
    let asked = world.fakes[0].asked.iter();
    asked
        .filter(|(_, request)| request.filter_subscribe_type() == kind)
        .map(|(at, _)| at - ROUND_TRIP_MS / 2)
        .collect()
}

fn apart(times: &[u64]) -> Vec<u64> {
    times.windows(2).map(|two| two[1] - two[0]).collect()
}

#[test]
fn the_tenth_push_in_a_minute_that_was_never_asked_for_is_one_too_many() {
    for (later, admission) in [
        (60 * SECOND, Admission::Refused),
        (60 * SECOND + 1, Admission::Welcome),
    ] {
        let mut world = World::new(1);
        world.subscribed(&[T]);
        let peer = world.fakes[0].peer;
        unrequested(&mut world, 9);
        assert_eq!(world.hub.may_push(world.time(), &peer), Admission::Welcome);
        world.run_for(later);
        unrequested(&mut world, 1);
        assert_eq!(world.hub.may_push(world.time(), &peer), admission);
    }
}

#[test]
fn a_ping_goes_out_a_minute_after_the_last_proof() {
    let mut world = World::new(1);
    world.subscribed(&[T]);
    let proof = asked_at(&world, Subscribe)[0] + ROUND_TRIP_MS;
    world.run_for(200 * SECOND);
    let pings = asked_at(&world, Ping);
    assert_eq!(pings[0], proof + 60 * SECOND);
    assert_eq!(apart(&pings), [60 * SECOND + ROUND_TRIP_MS; 2]);
}

#[test]
fn a_server_that_forgets_us_while_we_ping_is_pinged_twice_as_often_to_four_times_a_minute() {
    let mut world = World::new(1);
    world.subscribed(&[T]);
    for _ in 0..500 {
        world.run_for(SECOND);
        // It forgets as soon as nobody asks.
        let idle = world.fakes[0].asked.last().map_or(0, |(at, _)| *at) + SECOND;
        if world.now > idle {
            world.fakes[0].pairs.clear();
        }
    }
    let apart = apart(&asked_at(&world, Ping));
    let seconds: Vec<_> = apart.iter().map(|ms| ms / SECOND).collect();
    assert_eq!(seconds[..3], [30, 15, 15]);
    assert!(seconds[3..].iter().all(|seconds| *seconds == 15));
}

#[test]
fn a_full_server_that_is_the_only_one_is_asked_at_doubling_intervals() {
    let mut world = World::new(1);
    world.fakes[0].to_subscribe = Some(Says::Status(503, "full"));
    world.want(&[T], 0);
    world.run_for(40 * 60 * SECOND);
    let apart = apart(&asked_at(&world, Subscribe));
    let seconds: Vec<_> = apart.iter().map(|ms| ms / SECOND).collect();
    assert_eq!(seconds[..6], [10, 20, 40, 80, 160, 320]);
    assert!(seconds[6..].iter().all(|seconds| *seconds == 600));

    // Once it has taken something, it begins anew.
    world.fakes[0].to_subscribe = None;
    world.run_for(11 * 60 * SECOND);
    assert_eq!(world.acked_by(T), [0]);
    let asked = asked_at(&world, Subscribe).len();
    world.fakes[0].to_subscribe = Some(Says::Status(503, "full"));
    world.want(&[B], 0);
    world.run_for(60 * SECOND);
    let again = asked_at(&world, Subscribe);
    assert_eq!((again[asked + 1] - again[asked]) / SECOND, 10);
}

#[test]
fn a_server_is_asked_early_after_eight_pushes_in_quick_succession() {
    for (pushes, pings) in [(7, 0), (8, 1)] {
        let mut world = World::new(1);
        world.subscribed(&[T]);
        for _ in 0..pushes {
            world.publish(T);
            world.run_for(500);
        }
        world.run_for(6 * SECOND);
        assert_eq!(world.fakes[0].count(Ping), pings, "{pushes}");
    }
}

#[test]
fn a_server_that_pushes_now_and_then_may_be_silent() {
    let mut world = World::new(1);
    world.subscribed(&[T]);
    for _ in 0..10 {
        world.publish(T);
        world.run_for(4 * SECOND);
    }
    world.run_for(10 * SECOND);
    assert_eq!(world.fakes[0].count(Ping), 0);
}

#[test]
fn who_is_late_is_told_once_and_only_for_what_is_waited_for() {
    let mut world = World::new(1);
    let id = world.subscribed(&[T]);
    world.fakes[0].to_subscribe = Some(Says::Silence);
    let other = world.want(&[B], 0);
    world.run_for(9 * SECOND);
    assert_eq!(world.late.len(), 1, "a subscription");
    world.run_for(3 * SECOND);
    world.late.clear();
    world.fakes[0].to_unsubscribe = Some(Says::Silence);
    let time = world.time();
    world.hub.unwant(time, id);
    world.hub.unwant(time, other);
    world.run_for(30 * SECOND);
    assert_eq!(world.late, [], "the end of one");
}

#[test]
fn only_servers_that_have_something_are_told_of_a_stop() {
    let mut world = World::new(2);
    world.want_with(&[T], 0, 1, true);
    world.run_for(500);
    let time = world.time();
    world.hub.stop(time);
    world.run_for(500);
    assert_eq!(world.fakes[0].asked.len(), 2);
    assert!(world.fakes[1].asked.is_empty());
}

#[test]
fn topics_are_grouped_by_shard_each_once() {
    let network = Network::auto(1, 2).unwrap();
    let names: Vec<_> = (0..40).map(|n| format!("/app-{n}/1/t/proto")).collect();
    let twice = [&names[..], &names[..]].concat();
    let groups = Group::all(&network, &twice, None).unwrap();
    assert_eq!(groups.len(), 2);
    for group in &groups {
        for name in &group.content_topics {
            let of = network.shard_of(name, None).unwrap();
            assert_eq!(of, group.pubsub_topic);
        }
    }
    let mut all: Vec<_> = groups.into_iter().flat_map(|g| g.content_topics).collect();
    all.sort();
    let mut wanted = names;
    wanted.sort();
    assert_eq!(all, wanted);
}

#[test]
fn two_hundred_and_fifty_six_messages_wait_for_a_wish_to_be_opened() {
    for (messages, gaps) in [(256, 0), (257, 1)] {
        let mut world = World::new(1);
        world.opens = false;
        let id = world.want(&[T], 0);
        world.run_for(100);
        for _ in 0..messages {
            world.publish(T);
            world.run_for(10);
        }
        world.run_for(100);
        world.open(id);
        world.drain();
        assert_eq!(world.got(id).len(), 256);
        assert_eq!(world.gaps.len(), gaps, "{messages}");
    }
}

#[test]
fn of_many_servers_that_refuse_the_last_eight_are_named() {
    let mut world = World::new(10);
    for fake in &mut world.fakes {
        fake.to_subscribe = Some(Says::Status(400, ""));
    }
    let id = world.want(&[T], 0);
    world.run_for(60 * SECOND);
    assert_eq!(world.failed[&id].0.len(), 8);
    let asked: usize = world.fakes.iter().map(|fake| fake.asked.len()).sum();
    // It has failed: nobody is asked for it when its refusals are old.
    world.run_for(11 * 60 * SECOND);
    let later: usize = world.fakes.iter().map(|fake| fake.asked.len()).sum();
    assert_eq!((asked, later), (10, 10));
}

#[test]
fn a_gap_is_filled_as_long_as_somebody_is_left_who_wants_that() {
    for (leaves, catch_ups) in [(true, 0), (false, 1)] {
        let mut world = World::new(1);
        let filled = world.want_with(&[T], 0, 1, true);
        world.want_with(&[T], 0, 1, false);
        world.run_for(500);
        if leaves {
            let time = world.time();
            world.hub.unwant(time, filled);
        }
        world.disconnect(0);
        world.run_for(3 * SECOND);
        world.connect(0);
        world.run_for(10 * SECOND);
        assert_eq!(world.gaps.len(), 1);
        assert_eq!(world.catch_ups.len(), catch_ups, "{leaves}");
    }
}

#[test]
fn a_shard_that_nobody_serves_is_named_once() {
    let mut world = World::new(1);
    world.fakes[0].shards = Some(vec![0]);
    world.serve();
    let id = world.want(&[T, B], 2);
    world.run_for(500);
    assert_eq!(world.hub.why(id).1, [2]);
}

#[test]
fn a_wish_of_several_topics_names_each_of_its_servers_once() {
    let mut world = World::new(2);
    let id = world.want(&[T, B], 0);
    let mut asked = Vec::new();
    while let Some(action) = world.hub.poll() {
        if let Action::Ask { ask, .. } = action {
            asked.push(ask);
        }
    }
    let time = world.time();
    for ask in asked {
        world.hub.answered(time, ask, Ok(()));
    }
    let peers = vec![world.fakes[0].peer, world.fakes[1].peer];
    assert_eq!(world.hub.poll(), Some(Action::Made { id, peers }));
}

#[test]
fn a_store_is_asked_for_the_topics_of_a_gap_by_their_shards() {
    let mut world = World::new(1);
    let group = |shard, name: &str| Group {
        pubsub_topic: topic(shard),
        content_topics: vec![name.to_owned()],
    };
    let wanted = vec![group(0, T), group(1, B)];
    let time = world.time();
    world.hub.want(time, wanted.clone(), 1, true);
    world.run_for(500);
    world.disconnect(0);
    world.run_for(3 * SECOND);
    world.connect(0);
    world.run_for(100);
    world.now += 2 * SECOND;
    let time = world.time();
    world.hub.tick(time);
    let asked = std::iter::from_fn(|| world.hub.poll()).find_map(|action| match action {
        Action::CatchUp { groups, .. } => Some(groups),
        _ => None,
    });
    assert_eq!(asked, Some(wanted));
}
