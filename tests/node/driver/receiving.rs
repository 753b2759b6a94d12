//! Receiving while servers fail: from two at once, moved, caught up on, and whom that is charged to.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use lightkeeper::manager::{Failed, Notice, Reason};
use lightkeeper::node::{GapCause, NodeEvent, SubscriptionId, SubscriptionState, Via, Wanted};

use super::world::{PATIENCE, TOPIC, World, wanted};
use crate::client::soon;

/// Failed requests and pushes that were charged.
fn charged(world: &World) -> usize {
    let charged = world.seen(|event| match event {
        NodeEvent::Manager(Notice::Failed {
            failed: Failed::Request { .. },
            charged: true,
            ..
        }) => Some(()),
        _ => None,
    });
    charged.len()
}

fn gaps(world: &World) -> Vec<(GapCause, bool, u32)> {
    world.seen(|event| match event {
        NodeEvent::Gap {
            from_ms,
            to_ms,
            cause,
            filled,
            recovered,
            ..
        } => {
            assert!(from_ms < to_ms, "a gap has a length");
            Some((*cause, *filled, *recovered))
        }
        _ => None,
    })
}

/// Publishes a text, and waits until the subscription has it. Returns how it came.
async fn publish_and_receive(world: &World, id: SubscriptionId, text: &str) -> Via {
    let mark = world.mark();
    let bytes = text.as_bytes().to_vec();
    let hash = world.fleet.publish(TOPIC, bytes, false).unwrap();
    world
        .event_since(mark, |event| match event {
            NodeEvent::Message(to, received) if *to == id && received.hash.to_string() == hash => {
                Some(received.via)
            }
            _ => None,
        })
        .await
}

/// Waits until the subscription comes from so many peers.
async fn served_by(world: &World, mark: usize, id: SubscriptionId, count: usize) {
    world
        .event_since(mark, |event| match event {
            NodeEvent::Subscription {
                id: of,
                state: SubscriptionState::Active,
                peers,
                ..
            } if *of == id && peers.len() >= count => Some(()),
            _ => None,
        })
        .await;
}

/// A subscription that two peers serve.
async fn redundant(world: &World) -> SubscriptionId {
    let mark = world.mark();
    let made = soon(world.node.subscribe(wanted(TOPIC), PATIENCE))
        .await
        .unwrap();
    if made.peers.len() < 2 {
        served_by(world, mark, made.id, 2).await;
    }
    made.id
}

/// How often each message was delivered.
fn doubles(world: &World) -> usize {
    let mut seen = BTreeSet::new();
    let all = world.seen(|event| match event {
        NodeEvent::Message(id, received) => Some((*id, received.hash)),
        _ => None,
    });
    all.iter().filter(|one| !seen.insert(**one)).count()
}

#[tokio::test]
async fn two_peers_deliver_and_each_message_comes_once() {
    let world = World::new().await;
    world.ready().await;
    let id = redundant(&world).await;
    for n in 0..20 {
        let via = publish_and_receive(&world, id, &format!("{n}")).await;
        assert_eq!(via, Via::Filter);
    }
    assert_eq!(
        (doubles(&world), gaps(&world), charged(&world)),
        (0, vec![], 0)
    );
    world.close().await;
}

#[tokio::test]
async fn one_of_two_peers_is_killed_and_nothing_is_missed() {
    let world = World::new().await;
    world.ready().await;
    let mark = world.mark();
    let id = redundant(&world).await;
    let peers = world
        .seen(|event| match event {
            NodeEvent::Subscription { id: of, peers, .. } if *of == id => Some(peers.clone()),
            _ => None,
        })
        .pop();
    let serving = world.node.health().requirements[1].peers.clone();
    let victim = peers.unwrap_or(serving)[0];
    world.control(&world.name_of(victim), "stop").await;
    for n in 0..10 {
        publish_and_receive(&world, id, &format!("{n}")).await;
    }
    served_by(&world, mark, id, 2).await;
    assert_eq!((gaps(&world), charged(&world)), (vec![], 0));
    world.close().await;
}

#[tokio::test]
async fn what_nobody_delivered_is_fetched_from_a_store() {
    let world = World::new().await;
    world.ready().await;
    let id = redundant(&world).await;
    publish_and_receive(&world, id, "before").await;
    // All filter servers but those that stay stopped are gone for a moment.
    let names: Vec<_> = world.fleet.nodes().into_iter().map(|n| n.name).collect();
    let mark = world.mark();
    for name in names.iter().filter(|name| !name.starts_with("store")) {
        world.control(name, "stop").await;
    }
    world
        .event_since(mark, |event| match event {
            NodeEvent::Subscription { id: of, state, .. }
                if *of == id && *state == SubscriptionState::Moving =>
            {
                Some(())
            }
            _ => None,
        })
        .await;
    let mark = world.mark();
    let missed = world
        .fleet
        .publish(TOPIC, b"missed".to_vec(), false)
        .unwrap();
    for name in names.iter().filter(|name| !name.starts_with("store")) {
        world.control(name, "start").await;
    }
    let via = world
        .event_since(mark, |event| match event {
            NodeEvent::Message(to, received)
                if *to == id && received.hash.to_string() == missed =>
            {
                Some(received.via)
            }
            _ => None,
        })
        .await;
    assert_eq!(via, Via::Store);
    world
        .event_since(mark, |event| match event {
            NodeEvent::Gap {
                filled: true,
                recovered: 1,
                ..
            } => Some(()),
            _ => None,
        })
        .await;
    assert_eq!((gaps(&world).len(), doubles(&world)), (1, 0));
    world.close().await;
}

#[tokio::test]
async fn an_empty_payload_of_anybody_costs_no_server_anything() {
    let world = World::new().await;
    world.ready().await;
    let id = redundant(&world).await;
    for _ in 0..6 {
        let _ = world.fleet.publish(TOPIC, Vec::new(), false);
    }
    publish_and_receive(&world, id, "good").await;
    assert_eq!((charged(&world), gaps(&world)), (0, vec![]));
    world.close().await;
}

#[tokio::test]
async fn pushes_after_a_restart_of_ours_charge_nobody() {
    let world = World::new().await;
    world.ready().await;
    redundant(&world).await;
    soon(world.node.stop()).await.unwrap();
    world.node.start().unwrap();
    world.ready().await;
    for n in 0..3 {
        let text = format!("{n}").into_bytes();
        world.fleet.publish(TOPIC, text, false).unwrap();
    }
    let id = redundant(&world).await;
    publish_and_receive(&world, id, "again").await;
    assert_eq!(charged(&world), 0);
    world.close().await;
}

#[tokio::test]
async fn thirty_subscriptions_at_once_are_made_by_few_requests() {
    let world = World::new().await;
    world.ready().await;
    let subscriptions = (0..30).map(|n| {
        let wanted = Wanted {
            content_topics: vec![format!("/lightkeeper/1/many-{n}/proto")],
            ..Wanted::default()
        };
        world.node.subscribe(wanted, PATIENCE)
    });
    for made in soon(join_all(subscriptions)).await {
        made.unwrap();
    }
    assert_eq!(charged(&world), 0);
    world.close().await;
}

#[tokio::test]
async fn a_subscription_that_is_given_up_or_ended_tells_why() {
    let world = World::new().await;
    world.ready().await;
    for _ in 0..3 {
        let given_up = world
            .node
            .subscribe(wanted(TOPIC), Duration::from_micros(1));
        let _ = given_up.await;
    }
    let id = redundant(&world).await;
    let mark = world.mark();
    soon(world.node.unsubscribe(id)).await.unwrap();
    soon(world.node.unsubscribe(id)).await.unwrap();
    let reason = world
        .event_since(mark, |event| match event {
            NodeEvent::Subscription {
                id: of,
                state: SubscriptionState::Closed,
                reason,
                ..
            } if *of == id => Some(*reason),
            _ => None,
        })
        .await;
    assert_eq!(reason, Some(Reason::HungUp));
    assert_eq!(charged(&world), 0);
    world.close().await;
}
