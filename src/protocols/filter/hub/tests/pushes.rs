//! What servers push, and what they answer for.

use super::T;
use super::world::{World, peer_id, topic};
use crate::protocols::filter::hub::session::MEMORY_MS;
use crate::protocols::filter::hub::{Action, Admission, Cause, Push};
use crate::protocols::filter::push::MessagePush;
use crate::protocols::message::{MAX_SIZE, WakuMessage};

fn push(world: &mut World, content_topic: &str) -> MessagePush {
    let message = world.message(content_topic);
    MessagePush::new(topic(0).to_string(), message)
}

#[test]
fn a_message_of_two_servers_is_delivered_once_to_everybody_who_wants_it() {
    let mut world = World::new(2);
    let first = world.subscribed(&[T]);
    let second = world.subscribed(&[T]);
    let sent = world.busy_for(1_000, T);
    assert_eq!((world.got(first), world.got(second)), (sent.clone(), sent));
}

#[test]
fn what_a_sender_did_wrong_is_dropped_and_nobody_is_blamed() {
    let mut world = World::new(2);
    let id = world.subscribed(&[T]);
    for _ in 0..30 {
        let mut empty = world.message(T);
        empty.payload = Some(Vec::new());
        let mut meta = world.message(T);
        meta.meta = Some(vec![0; 65]);
        for message in [empty, meta, WakuMessage::new("", vec![1], 1)] {
            for server in 0..2 {
                let push = MessagePush::new(topic(0).to_string(), message.clone());
                assert_eq!(world.push(server, push), Push::Dropped);
            }
        }
    }
    let good = world.publish(T);
    world.run_for(10_000);
    world.assert_got_all(id, &[good]);
    assert!(world.told.is_empty() && world.gaps.is_empty() && world.states.is_empty());
}

#[test]
fn a_message_over_the_networks_limit_is_a_gap_and_no_fault() {
    let mut world = World::new(2);
    world.subscribed(&[T]);
    for server in [0, 1] {
        let message = WakuMessage::new(T, vec![0; MAX_SIZE], 1);
        let push = MessagePush::new(topic(0).to_string(), message);
        assert_eq!(world.push(server, push), Push::Dropped);
    }
    world.run_for(10_000);
    assert_eq!(world.gaps.len(), 1, "one for both");
    assert_eq!(
        (world.gaps[0].cause, world.gaps[0].filled),
        (Cause::Overflow, false)
    );
    assert!(world.catch_ups.is_empty() && world.told.is_empty());
}

#[test]
fn what_was_left_is_remembered_for_six_minutes_over_reconnects() {
    let mut world = World::new(1);
    let id = world.subscribed(&[T]);
    let asked = world.now;
    world.disconnect(0);
    let time = world.time();
    world.hub.unwant(time, id);
    let peer = world.fakes[0].peer;
    for after in [61_000, 200_000, MEMORY_MS - 1_000] {
        world.run_to(asked + after);
        for _ in 0..20 {
            let push = push(&mut world, T);
            assert_eq!(world.push(0, push), Push::Dropped, "{after}");
        }
        assert_eq!(world.hub.may_push(world.time(), &peer), Admission::Welcome);
    }
    world.run_to(asked + MEMORY_MS + 1_000);
    let push = push(&mut world, T);
    assert_eq!(world.push(0, push), Push::Stranger);
    assert_eq!(world.hub.may_push(world.time(), &peer), Admission::Stranger);
    assert!(world.told.is_empty());
}

#[test]
fn a_pair_whose_unsubscribe_was_lost_is_remembered_while_pings_keep_it() {
    let mut world = World::new(1);
    let id = world.subscribed(&[T]);
    world.subscribed(&["/app/1/b/proto"]);
    world.fakes[0].to_unsubscribe = Some(super::fake::Says::Silence);
    let time = world.time();
    world.hub.unwant(time, id);
    for _ in 0..60 {
        world.run_for(60_000);
        let push = push(&mut world, T);
        assert_eq!(world.push(0, push), Push::Dropped);
    }
    assert!(world.told.is_empty());
}

#[test]
fn a_push_of_what_another_server_was_asked_for_is_delivered_when_both_were() {
    let mut world = World::new(2);
    let id = world.subscribed(&[T]);
    world.disconnect(0);
    // It is gone, and says so by a push all the same: it was asked for.
    let push = push(&mut world, T);
    assert!(matches!(world.push(0, push), Push::Deliver(delivery) if delivery.to == [id]));
}

#[test]
fn ten_pushes_in_a_minute_that_were_never_asked_for_end_the_session() {
    let mut world = World::new(3);
    world.subscribed(&[T]);
    for n in 0..14 {
        let push = push(&mut world, "/other/1/x/proto");
        assert_eq!(world.push(0, push), Push::Unrequested);
        world.run_for(if n == 4 { 61_000 } else { 100 });
    }
    assert!(world.told.is_empty(), "not ten in one minute");
    for _ in 0..6 {
        let push = push(&mut world, "/other/1/x/proto");
        world.push(0, push);
    }
    world.run_for(1_000);
    let peer = world.fakes[0].peer;
    assert_eq!(world.told, [Action::Unrequested { peer }], "once");
    assert_eq!(world.acked_by(T), [1, 2]);
    assert_eq!(world.hub.may_push(world.time(), &peer), Admission::Refused);
}

#[test]
fn a_stranger_is_one() {
    let mut world = World::new(2);
    world.want_with(&[T], 0, 1, true);
    world.run_for(100);
    let strange = push(&mut world, T);
    assert_eq!(
        world.push(1, strange),
        Push::Stranger,
        "never asked for anything"
    );
    let nobody = peer_id(99);
    assert_eq!(
        world.hub.may_push(world.time(), &nobody),
        Admission::Stranger
    );
}

#[test]
fn a_push_may_come_before_the_answer() {
    let mut world = World::new(1);
    let id = world.want(&[T], 0);
    world.run_for(11);
    assert!(world.made.is_empty());
    let early = push(&mut world, T);
    assert_eq!(world.push(0, early), Push::Held);
    world.run_for(1_000);
    assert_eq!(world.got(id).len(), 1);
}

#[test]
fn what_comes_before_the_wish_is_opened_is_held_within_bounds() {
    let mut world = World::new(1);
    world.opens = false;
    let id = world.subscribed(&[T]);
    let first = world.now;
    for _ in 0..300 {
        world.publish(T);
        world.run_for(100);
    }
    assert!(world.got(id).is_empty());
    world.open(id);
    world.run_for(1);
    assert_eq!(world.got(id).len(), 256);
    assert_eq!(world.gaps.len(), 1);
    let gap = &world.gaps[0];
    assert_eq!((gap.cause, gap.filled), (Cause::Overflow, false));
    assert_eq!(
        (gap.from, gap.to),
        (first + 10, first + 4_310),
        "first and last lost"
    );
    let sent = world.busy_for(200, T);
    world.assert_got_all(id, &sent);
}

#[test]
fn what_is_held_is_bounded_in_bytes() {
    let mut world = World::new(1);
    world.opens = false;
    let id = world.subscribed(&[T]);
    for n in 0..20 {
        let message = WakuMessage::new(T, vec![0; 100_000], n + 1);
        let push = MessagePush::new(topic(0).to_string(), message);
        assert_eq!(world.push(0, push), Push::Held);
    }
    world.open(id);
    assert_eq!(world.got(id).len(), 10);
}

#[test]
fn one_wish_that_is_not_open_holds_up_no_other() {
    let mut world = World::new(1);
    let open = world.subscribed(&[T]);
    world.opens = false;
    let closed = world.subscribed(&[T]);
    let sent = world.busy_for(200, T);
    world.assert_got_all(open, &sent);
    assert!(world.got(closed).is_empty());
    world.open(closed);
    world.assert_got_all(closed, &sent);
}
