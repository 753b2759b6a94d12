//! Budgets, comparisons, and tables that end.

use super::T;
use super::fake::Says;
use super::world::{World, now_at, peer_id, topic};
use crate::protocols::filter::hub::{Action, Admission, Hub, Limits, MAX_SESSIONS, Push, Server};
use crate::protocols::filter::push::MessagePush;
use crate::protocols::message::{MessageHash, WakuMessage};
use crate::protocols::network::Network;

#[test]
fn what_gathers_while_a_page_is_frozen_passes() {
    let mut world = World::new(2);
    let id = world.subscribed(&[T]);
    let sent: Vec<_> = (0..1_200).map(|_| world.publish(T)).collect();
    world.run_for(1_000);
    world.assert_got_all(id, &sent);
    assert!(world.told.is_empty());
}

#[test]
fn a_busy_topic_passes_for_an_hour() {
    let mut world = World::new(2);
    let id = world.subscribed(&[T]);
    for _ in 0..60 {
        for _ in 0..600 {
            world.publish(T);
            world.run_for(100);
        }
    }
    assert_eq!(world.got(id).len(), 36_000);
    assert!(world.told.is_empty() && world.gaps.is_empty());
}

#[test]
fn a_flood_ends_the_session_and_another_server_takes_over() {
    let mut world = World::new(3);
    let id = world.subscribed(&[T]);
    let mut delivered = 0;
    let message = world.message(T);
    for n in 0..100_000 {
        let mut message = message.clone();
        // Every other one is known: those count too.
        message.timestamp = Some(1 + n / 2);
        let push = MessagePush::new(topic(0).to_string(), message);
        match world.push(0, push) {
            Push::Deliver(_) => delivered += 1,
            Push::Dropped | Push::OverBudget => {}
            other => panic!("{other:?}"),
        }
        if n % 1_000 == 0 {
            world.pushes.clear();
            world.run_for(10);
        }
    }
    assert!(delivered <= 3_100, "{delivered}");
    let peer = world.fakes[0].peer;
    assert_eq!(world.told, [Action::OverBudget { peer }], "once");
    assert_eq!(world.hub.may_push(world.time(), &peer), Admission::Refused);
    let sent = world.busy_for(1_000, T);
    world.assert_got_all(id, &sent);
    world.run_for(1_000);
    assert_eq!(world.acked_by(T), [1, 2]);
    assert!(world.gaps.is_empty(), "the other one went on");
}

#[test]
fn bytes_count_as_well_as_messages() {
    let mut world = World::new(1);
    world.subscribed(&[T]);
    let large = |n| {
        let message = WakuMessage::new(T, vec![0; 150_000], n);
        MessagePush::new(topic(0).to_string(), message)
    };
    let over = (1..100).find(|n| {
        let push = large(*n);
        world.push(0, push) == Push::OverBudget
    });
    assert_eq!(over, Some(8 * 1024 * 1024 / 150_060 + 1));
}

/// A server that is silent to `withheld` messages of ten a second, with the others delivering.
fn withholding(world: &mut World, withheld: usize) -> Vec<MessageHash> {
    world.run_for(10_000);
    let sent = (0..withheld)
        .map(|_| {
            let hash = world.publish(T);
            world.run_for(100);
            hash
        })
        .collect();
    world.run_for(90_000);
    sent
}

#[test]
fn a_server_that_withholds_is_found_out_with_a_stores_word_and_replaced() {
    let mut world = World::new(3);
    world.subscribed(&[T]);
    world.fakes[0].withholds = true;
    let sent = withholding(&mut world, 20);
    let (suspect, accuser) = (world.fakes[0].peer, world.fakes[1].peer);
    let [
        Action::Confirm {
            suspect: of,
            hashes,
            accusers,
        },
    ] = &world.told[..]
    else {
        panic!("{:?}", world.told);
    };
    assert_eq!((of, &accusers[..]), (&suspect, &[accuser][..]));
    assert!(hashes.len() >= 8 && hashes.iter().all(|hash| sent.contains(hash)));
    let time = world.time();
    let known = hashes.clone();
    world.hub.confirmed(time, &suspect, &known);
    world.run_for(5_000);
    assert_eq!(world.told.last(), Some(&Action::Withheld { peer: suspect }));
    assert_eq!(world.acked_by(T), [1, 2]);
    assert!(world.gaps.is_empty());
}

#[test]
fn what_no_store_knows_was_made_up_by_the_accuser() {
    let mut world = World::new(3);
    world.subscribed(&[T]);
    world.fakes[0].withholds = true;
    withholding(&mut world, 20);
    let (time, suspect) = (world.time(), world.fakes[0].peer);
    world.hub.confirmed(time, &suspect, &[]);
    world.run_for(120_000);
    assert_eq!(world.acked_by(T), [0, 1]);
    assert_eq!(world.told.len(), 1, "asked once");
}

#[test]
fn two_who_work_together_cannot_frame_a_third() {
    let mut world = World::new(4);
    world.want_with(&[T], 0, 3, true);
    world.run_for(100);
    // The first is honest, and knows nothing of what the others make up.
    world.fakes[0].withholds = true;
    withholding(&mut world, 100);
    assert!(
        world
            .told
            .iter()
            .all(|told| matches!(told, Action::Confirm { .. }))
    );
    assert_eq!(world.acked_by(T), [0, 1, 2]);
}

#[test]
fn three_others_suffice_without_a_store() {
    let mut world = World::new(5);
    world.want_with(&[T], 0, 4, true);
    world.run_for(100);
    world.fakes[0].withholds = true;
    withholding(&mut world, 20);
    let peer = world.fakes[0].peer;
    assert_eq!(world.told, [Action::Withheld { peer }]);
    world.run_for(5_000);
    assert_eq!(world.acked_by(T), [1, 2, 3, 4]);
}

#[test]
fn a_server_that_withholds_is_kept_when_there_is_no_other() {
    let mut world = World::new(2);
    world.subscribed(&[T]);
    world.fakes[0].withholds = true;
    let sent = withholding(&mut world, 20);
    let (time, suspect) = (world.time(), world.fakes[0].peer);
    world.hub.confirmed(time, &suspect, &sent);
    world.run_for(5_000);
    assert_eq!(world.told.last(), Some(&Action::Withheld { peer: suspect }));
    assert_eq!(world.acked_by(T), [1], "one honest server is better");
    world.disconnect(1);
    world.run_for(30_000);
    assert!(
        world.acked_by(T).contains(&0),
        "and this one better than none"
    );
}

#[test]
fn a_server_that_withholds_is_given_up_only_when_another_has_taken_over() {
    let mut world = World::new(3);
    world.subscribed(&[T]);
    world.fakes[0].withholds = true;
    world.fakes[2].to_subscribe = Some(Says::Silence);
    let sent = withholding(&mut world, 20);
    let (time, suspect) = (world.time(), world.fakes[0].peer);
    world.hub.confirmed(time, &suspect, &sent);
    world.run_for(1_000);
    assert_eq!(world.acked_by(T), [0, 1]);
}

#[test]
fn a_dead_server_does_not_withhold_nor_does_a_slow_one() {
    let mut world = World::new(2);
    world.subscribed(&[T]);
    world.run_for(10_000);
    // No sign of life after the messages.
    world.fakes[0].silent = true;
    world.busy_for(30_000, T);
    assert!(world.told.is_empty(), "dead");
    // What it had queued comes with its first signs of life.
    world.fakes[0].silent = false;
    let late = world.store.clone();
    for received in late {
        world.push_from(0, &received.message, 0, 200);
    }
    world.run_for(300_000);
    assert!(world.told.is_empty(), "slow: {:?}", world.told);
}

#[test]
fn servers_that_come_and_go_for_ever_leave_nothing_behind() {
    let network = Network::fixed(1, [0]).unwrap();
    let mut hub = Hub::new(network, Limits::default());
    hub.start(now_at(0));
    let group = crate::protocols::filter::hub::Group {
        pubsub_topic: topic(0),
        content_topics: vec![T.to_owned()],
    };
    hub.want(now_at(0), vec![group], 2, true);
    for n in 0..250_u64 {
        let now = now_at(n * 100);
        let peer = peer_id(n as u8);
        let server = Server {
            peer,
            conn: n,
            shards: None,
            rtt_ms: None,
        };
        hub.serving(now, &[server]);
        while let Some(action) = hub.poll() {
            if let Action::Ask { ask, .. } = action {
                hub.answered(now, ask, Ok(()));
            }
        }
        assert!(hub.sessions.len() <= MAX_SESSIONS);
    }
    hub.serving(now_at(30_000), &[]);
    while hub.poll().is_some() {}
    hub.start(now_at(3_600_000));
    while hub.poll().is_some() {}
    assert!(hub.sessions.iter().all(|session| session.is_free) && hub.flights.is_empty());
}

#[test]
fn topics_that_come_and_go_for_ever_leave_nothing_behind() {
    let mut world = World::new(2);
    world.fakes[1].to_unsubscribe = Some(Says::Silence);
    for n in 0..300 {
        let id = world.want(&[&format!("/app/1/{n}/proto")], 0);
        world.run_for(3_000);
        assert!(world.made.contains_key(&id), "{n}");
        let time = world.time();
        world.hub.unwant(time, id);
        assert!(world.hub.pairs.all.len() < 300);
    }
    world.run_for(3_600_000);
    world.subscribed(&[T]);
    assert_eq!(world.hub.pairs.all.len(), 1);
    assert!(world.hub.pairs.all[0].at.len() <= 2);
}
