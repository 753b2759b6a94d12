//! One more, one less, one millisecond later: the counts and times at which something changes.

use super::T;
use super::fake::{Says, Takes};
use super::world::World;
use crate::protocols::filter::SubscribeType::{Ping, Subscribe};
use crate::protocols::filter::hub::session::{MAX_PAIRS, MEMORY_MS};
use crate::protocols::filter::hub::{Action, Admission, Now, Push};
use crate::protocols::filter::push::MessagePush;

const B: &str = "/app/1/b/proto";

/// Three servers of which the first keeps back what the others push, once they have been there for long enough.
fn compared(servers: usize, peers: u8) -> World {
    let mut world = World::new(servers);
    world.want_with(&[T], 0, peers, true);
    world.run_for(20_000);
    world
}

/// Messages a second apart that the first server withholds or does not, then the time until all is concluded, with a ping
/// of everybody in between.
fn shown(world: &mut World, withheld: &[bool]) {
    for withholds in withheld {
        world.fakes[0].withholds = *withholds;
        world.publish(T);
        world.run_for(1_000);
    }
    world.run_for(70_000);
}

fn confirms(world: &World) -> usize {
    let asks = |told: &&Action| matches!(told, Action::Confirm { .. });
    world.told.iter().filter(asks).count()
}

#[test]
fn eight_samples_are_a_suspicion_and_seven_are_none() {
    for (missed, suspected) in [(7, 0), (8, 1)] {
        let mut world = compared(2, 2);
        shown(&mut world, &vec![true; missed]);
        assert_eq!(confirms(&world), suspected, "{missed}");
    }
}

#[test]
fn more_than_half_must_be_missing() {
    // The one that is first with a message has a success: the first server, whenever it pushes.
    let mut half = vec![true; 8];
    half.extend(vec![false; 8]);
    let mut world = compared(2, 2);
    half.reverse();
    shown(&mut world, &half);
    assert_eq!(confirms(&world), 0);
    half.push(true);
    let mut world = compared(2, 2);
    shown(&mut world, &half);
    assert_eq!(confirms(&world), 1);
}

#[test]
fn eight_that_three_others_delivered_suffice_without_a_store() {
    let mut world = compared(5, 4);
    shown(&mut world, &[true; 8]);
    let peer = world.fakes[0].peer;
    assert_eq!(world.told, [Action::Withheld { peer }]);

    let mut world = compared(5, 3);
    shown(&mut world, &[true; 8]);
    assert_eq!(confirms(&world), 1, "two may work together");
}

#[test]
fn who_was_suspected_is_not_suspected_again_within_a_minute() {
    let mut world = compared(2, 2);
    world.fakes[0].withholds = true;
    let mut at = Vec::new();
    for _ in 0..400 {
        world.publish(T);
        world.run_for(500);
        let asked = confirms(&world);
        if asked > at.len() {
            at.push(world.now);
        }
    }
    assert!(at.len() > 1, "it goes on");
    assert!(at.windows(2).all(|two| two[1] - two[0] >= 60_000), "{at:?}");
    assert!(at.windows(2).all(|two| two[1] - two[0] < 75_000), "{at:?}");
}

#[test]
fn most_of_the_messages_must_be_known_to_the_store() {
    for (known, withheld) in [(4, false), (5, true)] {
        let mut world = compared(2, 2);
        shown(&mut world, &[true; 8]);
        let Some(Action::Confirm {
            suspect, hashes, ..
        }) = world.told.last().cloned()
        else {
            panic!("{:?}", world.told);
        };
        assert_eq!(hashes.len(), 8);
        let time = world.time();
        world.hub.confirmed(time, &suspect, &hashes[..known]);
        world.run_for(100);
        let told = world.told.contains(&Action::Withheld { peer: suspect });
        assert_eq!(told, withheld, "{known}");
    }
}

#[test]
fn a_message_in_the_last_moment_of_the_window_is_in_time() {
    let mut world = compared(2, 2);
    world.fakes[0].withholds = true;
    for _ in 0..20 {
        let message = world.message(T);
        world.push_from(1, &message, 0, 0);
        // Five seconds after the first one brought it, less the time that it takes to be told of.
        world.push_from(0, &message, 0, 4_999);
        world.run_for(6_000);
    }
    world.run_for(70_000);
    assert_eq!(confirms(&world), 0);
}

#[test]
fn a_server_is_expected_to_push_from_five_seconds_after_it_agreed() {
    let mut world = World::new(2);
    world.want_with(&[T], 0, 2, true);
    world.fakes[0].withholds = true;
    // The answer came after a round trip; until five seconds later it may still be spreading the word.
    world.run_for(30);
    for _ in 0..20 {
        world.publish(T);
        world.run_for(240);
    }
    world.run_for(70_000);
    assert_eq!(confirms(&world), 0);
}

#[test]
fn a_server_that_lives_by_other_protocols_withholds() {
    let mut world = compared(2, 2);
    // It answers nothing of filter, and something else.
    world.fakes[0].silent = true;
    for _ in 0..8 {
        world.publish(T);
        world.run_for(100);
    }
    let (time, peer) = (world.time(), world.fakes[0].peer);
    world.hub.alive(time, &peer);
    world.run_for(4_000);
    assert_eq!(confirms(&world), 0, "what it has queued may still come");
    world.run_for(8_000);
    assert_eq!(confirms(&world), 1);
}

#[test]
fn what_a_lost_connection_or_a_sleep_kept_back_is_excused() {
    let mut world = compared(3, 2);
    world.fakes[0].withholds = true;
    for _ in 0..8 {
        world.publish(T);
        world.run_for(100);
    }
    world.connect(0);
    world.fakes[0].withholds = false;
    world.run_for(130_000);
    assert_eq!(confirms(&world), 0, "a lost connection");

    let mut world = compared(2, 2);
    world.fakes[0].withholds = true;
    for _ in 0..8 {
        world.publish(T);
        world.run_for(100);
    }
    let from = world.time();
    world.now += 20_000;
    let time = world.time();
    world.hub.disturbed(time, from);
    world.fakes[0].withholds = false;
    world.run_for(130_000);
    assert_eq!(confirms(&world), 0, "a sleep");
}

#[test]
fn old_samples_fade() {
    let mut world = compared(2, 2);
    // Of 64 that it brought half of the weight is gone, so that 48 which it keeps back are more than half.
    shown(&mut world, &[false; 64]);
    for _ in 0..3 {
        assert_eq!(confirms(&world), 0);
        shown(&mut world, &[true; 16]);
    }
    let Some(Action::Confirm { hashes, .. }) = world.told.first() else {
        panic!("{:?}", world.told);
    };
    assert_eq!(hashes.len(), 16, "the last of those that are missing");
}

#[test]
fn no_third_server_is_asked_while_two_have_time_to_answer() {
    let mut world = World::new(3);
    world.fakes[0].to_subscribe = Some(Says::Silence);
    world.fakes[1].to_subscribe = Some(Says::Silence);
    world.want(&[T], 0);
    world.run_for(5);
    // Something that makes the hub look again.
    world.fakes[2].shards = Some(vec![0]);
    world.serve();
    world.run_for(1_900);
    assert!(world.fakes[2].asked.is_empty());
    world.run_for(200);
    assert_eq!(world.fakes[2].count(Subscribe), 1, "they are late now");
}

#[test]
fn the_eighth_request_in_a_row_that_a_server_calls_wrong_is_split_no_more() {
    for (before, asked) in [(6, 9), (7, 8)] {
        let mut world = World::new(1);
        world.fakes[0].to_subscribe = Some(Says::Status(400, ""));
        for n in 0..before {
            world.want(&[&format!("/app/1/{n}/proto")], 0);
            world.run_for(10_000);
        }
        world.want(&[T, B], 0);
        world.run_for(30_000);
        assert_eq!(world.failed.len(), before + 1);
        assert_eq!(world.fakes[0].count(Subscribe), asked, "{before}");
    }
}

#[test]
fn requests_called_wrong_count_in_a_row_only() {
    let mut world = World::new(1);
    for n in 0..7 {
        world.fakes[0].dislikes = Some(format!("/bad/1/{n}/proto"));
        world.want(&[&format!("/bad/1/{n}/proto")], 0);
        world.run_for(10_000);
    }
    world.subscribed(&[T]);
    // Of these one is wrong, and the other is not to go down with it.
    world.fakes[0].dislikes = Some("/bad/1/x/proto".to_owned());
    world.want(&["/bad/1/x/proto"], 0);
    let good = world.want(&[B], 0);
    world.run_for(30_000);
    assert!(world.made.contains_key(&good));
    assert_eq!(world.failed.len(), 8);
}

#[test]
fn what_was_left_is_remembered_for_exactly_six_minutes() {
    let mut world = World::new(1);
    let id = world.subscribed(&[T]);
    let (asked, _) = *world.fakes[0].asked.last().unwrap();
    let asked = asked - super::world::ROUND_TRIP_MS / 2;
    world.disconnect(0);
    let time = world.time();
    world.hub.unwant(time, id);
    let peer = world.fakes[0].peer;
    world.run_to(asked + MEMORY_MS);
    assert_eq!(world.hub.may_push(world.time(), &peer), Admission::Welcome);
    world.run_for(1);
    assert_eq!(world.hub.may_push(world.time(), &peer), Admission::Stranger);
}

#[test]
fn a_nap_of_a_millisecond_less_than_fifteen_seconds_is_harmless_by_either_clock() {
    let at_most = [(14_999, 14_999, 0), (15_000, 0, 1), (0, 15_000, 1)];
    for (mono_ms, wall_ms, pings) in at_most {
        let mut world = World::new(1);
        world.subscribed(&[T]);
        let now = world.time();
        let from = Now {
            mono_ms: now.mono_ms - mono_ms,
            wall_ms: now.wall_ms - wall_ms,
        };
        world.hub.disturbed(now, from);
        world.run_for(1_000);
        let seen = world.fakes[0].count(Ping);
        assert_eq!(seen, pings, "{mono_ms} and {wall_ms}");
    }
}

#[test]
fn after_a_loss_whoever_was_silent_for_five_seconds_is_asked_whether_it_lives() {
    for (silent, pings) in [(4_999, 0), (5_000, 1)] {
        let mut world = World::new(3);
        world.subscribed(&[T]);
        let proof = world.now - 500 + super::world::ROUND_TRIP_MS;
        world.run_to(proof + silent);
        world.disconnect(0);
        world.run_for(30);
        assert_eq!(world.fakes[1].count(Ping), pings, "a server, {silent}");

        let mut world = World::new(2);
        world.subscribed(&[T]);
        world.run_to(proof + silent);
        let (time, peer) = (world.time(), world.fakes[0].peer);
        world.hub.lost_bytes(time, &peer);
        world.run_for(30);
        assert_eq!(world.fakes[1].count(Ping), pings, "bytes, {silent}");
    }
}

#[test]
fn a_server_that_is_there_again_is_asked_at_once_for_what_it_had() {
    let mut world = World::new(2);
    // Only the first has been asked often, so that what is not urgent waits for company there.
    for n in 0..8 {
        world.want_with(&[&format!("/app/1/{n}/proto")], 1, 1, true);
        world.run_for(500);
    }
    assert!(world.fakes[1].asked.is_empty());
    world.want(&[T], 0);
    world.run_for(100);
    assert_eq!(world.acked_by(T), [0, 1]);
    world.fakes[0].pairs.clear();
    world.connect(0);
    world.run_for(100);
    assert_eq!(world.acked_by(T), [0, 1]);
}

#[test]
fn a_server_that_pushed_what_was_never_asked_for_is_refused_for_ten_minutes() {
    let mut world = World::new(2);
    world.want_with(&[T], 0, 1, true);
    world.run_for(500);
    for _ in 0..10 {
        let message = world.message("/other/1/x/proto");
        let push = MessagePush::new(super::world::topic(0).to_string(), message);
        world.push(0, push);
    }
    let ends = world.now + 10 * 60_000;
    let peer = world.fakes[0].peer;
    let pushed = |world: &mut World| {
        let message = world.message(T);
        let push = MessagePush::new(super::world::topic(0).to_string(), message);
        world.push(0, push)
    };
    world.run_to(ends - 1);
    assert_eq!(world.hub.may_push(world.time(), &peer), Admission::Refused);
    assert_eq!(pushed(&mut world), Push::OverBudget);
    world.run_to(ends);
    assert_ne!(world.hub.may_push(world.time(), &peer), Admission::Refused);
    assert_ne!(pushed(&mut world), Push::OverBudget);
}

#[test]
fn the_only_server_is_listened_to_again_when_it_is_asked_again() {
    let mut world = World::new(1);
    let id = world.subscribed(&[T]);
    for _ in 0..10 {
        let message = world.message("/other/1/x/proto");
        let push = MessagePush::new(super::world::topic(0).to_string(), message);
        world.push(0, push);
    }
    let peer = world.fakes[0].peer;
    assert_eq!(world.hub.may_push(world.time(), &peer), Admission::Refused);
    world.run_for(60_000);
    assert_eq!(world.hub.may_push(world.time(), &peer), Admission::Welcome);
    let sent = world.busy_for(1_000, T);
    world.assert_got_all(id, &sent);
}

#[test]
fn after_four_minutes_without_a_proof_everything_is_asked_for_anew() {
    for (silent, subscribes) in [(4 * 60_000 - 1, 1), (4 * 60_000, 2)] {
        let mut world = World::new(1);
        world.subscribed(&[T]);
        let proof = world.now - 500 + super::world::ROUND_TRIP_MS;
        let from = world.time();
        let now = Now {
            mono_ms: world.now,
            wall_ms: super::world::WALL_MS + proof + silent,
        };
        world.hub.disturbed(now, from);
        world.run_for(1_000);
        assert_eq!(world.fakes[0].count(Subscribe), subscribes, "{silent}");
    }
}

#[test]
fn nine_hundred_pairs_are_asked_of_a_server_and_not_one_more() {
    let mut world = World::new(1);
    world.fakes[0].takes = Takes::All;
    let names: Vec<_> = (0..=MAX_PAIRS)
        .map(|n| format!("/app/1/{n}/proto"))
        .collect();
    for part in names.chunks(50) {
        let part: Vec<_> = part.iter().map(String::as_str).collect();
        world.want(&part, 0);
    }
    world.run_for(120_000);
    assert_eq!(world.fakes[0].pairs.len(), usize::from(MAX_PAIRS));
}
