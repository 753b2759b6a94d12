//! Pushes of what was left: a server goes on for minutes after our last request, and does nothing wrong by it. A node
//! that forgets what it asked for forgets it after a minute, so all five ways into this wait for that together, and the
//! first ping of a subscription, which comes after a minute as well, with them.

use std::time::Duration;

use lightkeeper::fleet::hostile::{Answer, Hostile, Mischief, Part};
use lightkeeper::node::{SubscriptionState, Wanted};
use lightkeeper::protocols::filter::MessagePush;
use lightkeeper::protocols::{Network, WakuMessage};

use super::stage::{Stage, serving};
use crate::client::soon;
use crate::driver::world::{PATIENCE, TOPIC, wanted};

/// Longer than any grace of a minute.
const LATER: Duration = Duration::from_secs(62);

/// Pushes three messages of what was subscribed at `server` once, a minute later, and looks who is charged for them. That
/// they were read is known when their stream was ended by both sides.
async fn pushed_later(stage: &Stage, server: &Hostile) {
    let us = stage.world.node.peer_id();
    soon(server.until_connected(us)).await;
    tokio::time::sleep(LATER).await;
    let network = Network::auto(1, 8).unwrap();
    let shard = network.shard_of(TOPIC, None).unwrap().to_string();
    for number in 0..3 {
        let message = WakuMessage::new(TOPIC, b"late".to_vec(), 1 + number);
        let push = MessagePush::new(shard.clone(), message).encode();
        soon(server.harass(us, Mischief::Frame(push))).await;
    }
    assert!(server.is_connected(us), "{:#?}", stage.charges());
    let peer = server.peer_id().to_string();
    let mut charges = stage.charges();
    // How it answered our requests is another matter.
    charges.retain(|charge| {
        charge.contains(&peer) && !charge.contains("Broken") && !charge.contains("Busy")
    });
    assert!(charges.is_empty(), "{charges:#?}");
}

/// A reconnect: the subscription has moved, and the server goes on.
async fn after_a_reconnect() {
    let stage = Stage::new(vec![serving(), serving()]).await;
    let subscribed = stage.subscribe().await;
    let left = stage
        .hostile
        .iter()
        .find(|h| h.peer_id() == subscribed.peers[0])
        .unwrap();
    let us = stage.world.node.peer_id();
    soon(left.disconnect(us)).await;
    pushed_later(&stage, left).await;
    stage.close().await;
}

/// A server that was only slow, and made the subscription after all.
async fn of_a_slow_server() {
    let late = Answer::Late(Duration::from_secs(12), Box::new(Answer::Honest));
    let stage = Stage::new(vec![serving().next(Part::Subscribe, late)]).await;
    let deadline = Duration::from_secs(11);
    let subscribing = stage.world.node.subscribe(wanted(TOPIC), deadline);
    assert!(soon(subscribing).await.is_err());
    pushed_later(&stage, &stage.hostile[0]).await;
    stage.close().await;
}

/// A call that was given up while its request was under way.
async fn of_an_aborted_call() {
    let late = Answer::Late(Duration::from_millis(300), Box::new(Answer::Honest));
    let stage = Stage::new(vec![serving().next(Part::Subscribe, late)]).await;
    let subscribing = stage.world.node.subscribe(wanted(TOPIC), PATIENCE);
    tokio::select! {
        _ = subscribing => panic!("answered before it was given up"),
        () = soon(stage.hostile[0].until_asked(Part::Subscribe, 1)) => {}
    }
    pushed_later(&stage, &stage.hostile[0]).await;
    stage.close().await;
}

/// A server that refuses to end a subscription, while another there keeps everything alive.
async fn after_a_refused_unsubscription() {
    let script = serving().on(Part::Unsubscribe, Answer::too_many());
    let stage = Stage::new(vec![script]).await;
    let ended = stage.subscribe().await;
    let other = vec!["/lightkeeper/1/other/proto".to_owned()];
    soon(stage.world.node.subscribe(
        Wanted {
            content_topics: other,
            ..Wanted::default()
        },
        PATIENCE,
    ))
    .await
    .unwrap();
    // Whether it fails is not what this is about.
    let _ = soon(stage.world.node.unsubscribe(ended.id)).await;
    pushed_later(&stage, &stage.hostile[0]).await;
    stage.close().await;
}

/// A node that was stopped and started: the same id to the server.
async fn after_stop_and_start() {
    let stage = Stage::new(vec![serving()]).await;
    stage.subscribe().await;
    soon(stage.world.node.stop()).await.unwrap();
    stage.world.node.start().unwrap();
    pushed_later(&stage, &stage.hostile[0]).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_a_minute_to_show() {
    let ways = [
        ("reconnect", tokio::spawn(after_a_reconnect())),
        ("slow server", tokio::spawn(of_a_slow_server())),
        ("aborted call", tokio::spawn(of_an_aborted_call())),
        (
            "refused unsubscription",
            tokio::spawn(after_a_refused_unsubscription()),
        ),
        ("stop and start", tokio::spawn(after_stop_and_start())),
        (
            "a ping refused for a moment",
            tokio::spawn(a_429_to_a_ping()),
        ),
    ];
    let mut failed = Vec::new();
    for (way, story) in ways {
        if story.await.is_err() {
            failed.push(way);
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

/// M15: a ping that is told "later" is neither answered by a subscription nor a gap. It comes after a minute, too.
async fn a_429_to_a_ping() {
    let stage = Stage::new(vec![serving().next(Part::FilterPing, Answer::too_many())]).await;
    let subscribed = stage.subscribe().await;
    let hostile = &stage.hostile[0];
    tokio::time::timeout(2 * LATER, hostile.until_asked(Part::FilterPing, 1))
        .await
        .expect("a ping after a minute");
    // Twice what spacing puts between two requests to one server.
    tokio::time::sleep(Duration::from_millis(4_500)).await;
    assert_eq!(hostile.asked_for(Part::Subscribe).len(), 1);
    stage.hear(subscribed.id, "still there").await;
    assert!(
        !stage
            .states(subscribed.id)
            .contains(&SubscriptionState::Moving)
    );
    assert_eq!(stage.gaps(), []);
    stage.assert_nobody_charged();
    stage.close().await;
}
