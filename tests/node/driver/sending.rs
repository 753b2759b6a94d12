//! Sending across peers that fail, and whom that is charged to.

use std::time::Duration;

use futures::future::join_all;
use lightkeeper::manager::{Failed, Notice, Outcome};
use lightkeeper::node::{ErrorCode, NodeEvent, SendOptions, StoreQuery};

use super::world::{PATIENCE, TOPIC, World, outgoing};
use crate::client::soon;

/// Every failed request that was charged.
fn charged(world: &World) -> Vec<Outcome> {
    world.seen(|event| match event {
        NodeEvent::Manager(Notice::Failed {
            failed: Failed::Request { outcome, .. },
            charged: true,
            ..
        }) => Some(*outcome),
        _ => None,
    })
}

#[tokio::test]
async fn a_message_goes_to_two_peers_and_one_is_enough() {
    let world = World::new().await;
    world.ready().await;
    let report = world.send(outgoing("hello")).await.unwrap();
    assert_eq!(report.attempts, 2);
    assert!(!report.accepted.is_empty());
    let both = SendOptions {
        min: 2,
        ..SendOptions::default()
    };
    let report = soon(world.node.light_push(outgoing("again"), both, PATIENCE))
        .await
        .unwrap();
    assert_eq!(report.accepted.len(), 2);
    world.close().await;
}

#[tokio::test]
async fn peers_that_refuse_are_passed_over_and_named() {
    let world = World::new().await;
    world.ready().await;
    let peers = world.node.health().requirements[0].peers.clone();
    for peer in &peers {
        world.control(&world.name_of(*peer), "refuse").await;
    }
    let report = world.send(outgoing("hello")).await.unwrap();
    assert!(report.accepted.iter().all(|peer| !peers.contains(peer)));
    assert!(!report.failed.is_empty());
    world.close().await;
}

#[tokio::test]
async fn silent_peers_are_passed_over_within_seconds_and_charged_only_after_their_time() {
    let world = World::new().await;
    world.ready().await;
    let peers = world.node.health().requirements[0].peers.clone();
    for peer in &peers {
        world.control(&world.name_of(*peer), "stall").await;
    }
    let report = world.send(outgoing("hello")).await;
    // A stalled node still answers pings: the message has nobody else until the requests had their time.
    if let Ok(report) = report {
        assert!(report.accepted.iter().all(|peer| !peers.contains(peer)));
    }
    for outcome in charged(&world) {
        assert_eq!(outcome, Outcome::Broken);
    }
    world.close().await;
}

#[tokio::test]
async fn when_all_are_busy_the_caller_hears_it_and_nobody_is_charged() {
    let world = World::new().await;
    world.ready().await;
    for node in world.fleet.nodes() {
        world.control(&node.name, "busy").await;
    }
    let error = world.send(outgoing("hello")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Busy);
    assert!(error.tried.iter().all(|one| one.code == ErrorCode::Busy));
    assert!(!error.tried.is_empty());
    assert_eq!(charged(&world), []);
    world.close().await;
}

#[tokio::test]
async fn the_same_bytes_five_times_are_known_already() {
    let world = World::new().await;
    world.ready().await;
    let mut message = outgoing("once");
    message.timestamp_ms = Some(1_700_000_000_000);
    for _ in 0..5 {
        let sent = world
            .node
            .light_push(message.clone(), SendOptions::default(), PATIENCE);
        soon(sent).await.unwrap();
    }
    let at_once = (0..5).map(|_| {
        world
            .node
            .light_push(message.clone(), SendOptions::default(), PATIENCE)
    });
    for sent in soon(join_all(at_once)).await {
        sent.unwrap();
    }
    world.send(outgoing("other")).await.unwrap();
    assert_eq!(charged(&world), []);
    world.close().await;
}

#[tokio::test]
async fn a_hundred_at_once_are_all_taken_and_nobody_is_charged() {
    let world = World::new().await;
    world.ready().await;
    let texts: Vec<_> = (0..100).map(|n| format!("{n}")).collect();
    let sends = texts.iter().map(|text| {
        world
            .node
            .light_push(outgoing(text), SendOptions::default(), PATIENCE)
    });
    for sent in soon(join_all(sends)).await {
        sent.unwrap();
    }
    let query = StoreQuery {
        content_topics: vec![TOPIC.into()],
        page_size: Some(100),
        ..StoreQuery::default()
    };
    let queries = (0..100).map(|_| world.node.query(query.clone(), PATIENCE));
    for page in soon(join_all(queries)).await {
        assert_eq!(page.unwrap().messages.len(), 100);
    }
    assert_eq!(charged(&world), []);
    world.close().await;
}

#[tokio::test]
async fn our_own_haste_charges_nobody() {
    let world = World::new().await;
    world.ready().await;
    for _ in 0..4 {
        let _ = world
            .node
            .light_push(
                outgoing("now"),
                SendOptions::default(),
                Duration::from_millis(1),
            )
            .await;
        let gone = world
            .node
            .light_push(outgoing("gone"), SendOptions::default(), PATIENCE);
        let _ = tokio::time::timeout(Duration::from_millis(1), gone).await;
        let query = world
            .node
            .query(StoreQuery::default(), Duration::from_millis(1));
        let _ = query.await;
    }
    world.send(outgoing("later")).await.unwrap();
    assert_eq!(charged(&world), []);
    world.close().await;
}

#[tokio::test]
async fn a_message_is_confirmed_by_a_store_that_did_not_take_it() {
    let world = World::new().await;
    world.ready().await;
    let confirm = SendOptions {
        confirm: true,
        ..SendOptions::default()
    };
    let report = soon(world.node.light_push(outgoing("seen"), confirm, PATIENCE))
        .await
        .unwrap();
    let witness = report.confirmed_by.unwrap();
    assert!(!report.accepted.contains(&witness));
    world.close().await;
}

#[tokio::test]
async fn what_is_stored_is_told_by_hash() {
    let world = World::new().await;
    world.ready().await;
    let report = world.send(outgoing("kept")).await.unwrap();
    let unknown = lightkeeper::protocols::message::MessageHash([7; 32]);
    let stored = soon(
        world
            .node
            .has(&[report.hash, unknown, report.hash], PATIENCE),
    )
    .await
    .unwrap();
    assert_eq!(stored, [report.hash]);
    assert!(
        soon(world.node.has(&[], PATIENCE))
            .await
            .unwrap()
            .is_empty()
    );
    world.close().await;
}
