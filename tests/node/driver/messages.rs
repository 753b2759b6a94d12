//! Sending, receiving and asking for history.

use std::time::Duration;

use lightkeeper::manager::Reason;
use lightkeeper::node::{ErrorCode, NodeEvent, SendOptions, StoreQuery, SubscriptionState};

use super::world::{PATIENCE, TOPIC, World, outgoing, wanted};
use crate::client::soon;

#[tokio::test]
async fn a_message_is_sent_received_and_found_in_the_store() {
    let world = World::new().await;
    world.ready().await;
    let mark = world.mark();
    let subscribed = soon(world.node.subscribe(wanted(TOPIC), PATIENCE))
        .await
        .unwrap();
    let report = world.send(outgoing("hello")).await.unwrap();
    assert!(!report.accepted.is_empty());

    let received = world.message_since(mark, subscribed.id).await;
    assert_eq!(received.hash, report.hash);
    assert_eq!(received.message.payload(), b"hello");

    let query = StoreQuery {
        content_topics: vec![TOPIC.into()],
        ..StoreQuery::default()
    };
    let page = soon(world.node.query(query, PATIENCE)).await.unwrap();
    let hashes: Vec<_> = page.messages.iter().map(|m| m.hash).collect();
    assert_eq!(hashes, [report.hash]);
    world.close().await;
}

#[tokio::test]
async fn an_ephemeral_message_is_received_and_not_stored() {
    let world = World::new().await;
    world.ready().await;
    let mark = world.mark();
    let subscribed = soon(world.node.subscribe(wanted(TOPIC), PATIENCE))
        .await
        .unwrap();
    let mut message = outgoing("gone");
    message.ephemeral = true;
    world.send(message).await.unwrap();
    let received = world.message_since(mark, subscribed.id).await;
    assert_eq!(received.message.ephemeral, Some(true));
    let query = StoreQuery {
        content_topics: vec![TOPIC.into()],
        ..StoreQuery::default()
    };
    let page = soon(world.node.query(query, PATIENCE)).await.unwrap();
    assert!(page.messages.is_empty());
    world.close().await;
}

#[tokio::test]
async fn pages_follow_one_another_by_their_cursors() {
    let world = World::new().await;
    world.ready().await;
    let mut sent = Vec::new();
    for n in 0..5 {
        let report = world.send(outgoing(&format!("{n}"))).await.unwrap();
        sent.push(report.hash);
    }
    let mut query = StoreQuery {
        content_topics: vec![TOPIC.into()],
        page_size: Some(2),
        ascending: true,
        ..StoreQuery::default()
    };
    let mut found = Vec::new();
    loop {
        let page = soon(world.node.query(query.clone(), PATIENCE))
            .await
            .unwrap();
        assert!(page.messages.len() <= 2);
        found.extend(page.messages.iter().map(|m| m.hash));
        if page.position.is_none() {
            break;
        }
        query.position = page.position;
    }
    assert_eq!(found, sent);
    world.close().await;
}

#[tokio::test]
async fn nothing_comes_after_unsubscribing() {
    let world = World::new().await;
    world.ready().await;
    let ended = soon(world.node.subscribe(wanted(TOPIC), PATIENCE))
        .await
        .unwrap();
    let other = "/lightkeeper/1/other/proto";
    let kept = soon(world.node.subscribe(wanted(other), PATIENCE))
        .await
        .unwrap();
    soon(world.node.unsubscribe(ended.id)).await.unwrap();
    let mark = world.mark();
    world
        .fleet
        .publish(TOPIC, b"unheard".to_vec(), false)
        .unwrap();
    world
        .fleet
        .publish(other, b"heard".to_vec(), false)
        .unwrap();
    world.message_since(mark, kept.id).await;
    let unheard = world.seen(|event| match event {
        NodeEvent::Message(id, _) if *id == ended.id => Some(()),
        _ => None,
    });
    assert!(unheard.is_empty());
    world.close().await;
}

#[tokio::test]
async fn stopping_the_node_ends_its_subscriptions() {
    let world = World::new().await;
    world.ready().await;
    let subscribed = soon(world.node.subscribe(wanted(TOPIC), PATIENCE))
        .await
        .unwrap();
    let mark = world.mark();
    soon(world.node.stop()).await.unwrap();
    let reason = world
        .event_since(mark, |event| match event {
            NodeEvent::Subscription {
                id,
                state: SubscriptionState::Closed,
                reason,
                ..
            } if *id == subscribed.id => Some(*reason),
            _ => None,
        })
        .await;
    assert_eq!(reason, Some(Reason::Stopped));
    world.close().await;
}

#[tokio::test]
async fn without_a_peer_a_call_ends_at_its_deadline() {
    let world = World::with(8, |config| config.bootstrap.clear()).await;
    let error = soon(world.node.light_push(
        outgoing("hello"),
        SendOptions::default(),
        Duration::from_millis(50),
    ))
    .await
    .unwrap_err();
    assert_eq!(error.code, ErrorCode::NoPeer);
    let error = soon(
        world
            .node
            .subscribe(wanted(TOPIC), Duration::from_millis(50)),
    )
    .await
    .unwrap_err();
    assert_eq!(error.code, ErrorCode::NoPeer);
    world.close().await;
}

#[tokio::test]
async fn a_message_that_no_server_would_take_is_refused_before_it_is_sent() {
    let world = World::new().await;
    let mut message = outgoing("");
    let error = world.send(message.clone()).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidOptions);
    message.payload = vec![0; 200 * 1024];
    let error = world.send(message.clone()).await.unwrap_err();
    assert_eq!(error.option.as_deref(), Some("message"));
    message.payload = vec![1];
    message.content_topic = "no topic".into();
    let error = world.send(message).await.unwrap_err();
    assert_eq!(error.option.as_deref(), Some("contentTopic"));
    world.close().await;
}
