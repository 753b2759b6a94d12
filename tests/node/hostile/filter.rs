//! What filter servers push and answer.

use std::collections::BTreeSet;
use std::time::Duration;

use lightkeeper::fleet::hostile::{Answer, Hostile, Mischief, Part, Relay};
use lightkeeper::node::{ReadyLevel, SubscriptionState, Wanted};
use lightkeeper::protocols::message::MAX_SIZE;
use lightkeeper::protocols::{filter, ids};

use super::stage::{Stage, serving};
use crate::client::soon;
use crate::driver::world::{PATIENCE, TOPIC, wanted};

#[tokio::test(flavor = "multi_thread")]
async fn messages_with_an_empty_payload_charge_nobody() {
    let stage = Stage::new(vec![serving(), serving()]).await;
    let subscribed = stage.subscribe().await;
    for hostile in stage.asked().0 {
        soon(hostile.harass(stage.world.node.peer_id(), Mischief::Empty(6))).await;
    }
    stage.hear(subscribed.id, "a good one").await;
    assert_eq!(stage.payloads(subscribed.id), [b"a good one"]);
    stage.assert_nobody_charged();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_is_a_gap_and_no_fault() {
    let stage = Stage::new(vec![serving()]).await;
    let subscribed = stage.subscribe().await;
    let us = stage.world.node.peer_id();
    // The frame is within what is read of a server, the message is not within the network's limit.
    soon(stage.hostile[0].harass(us, Mischief::Large(MAX_SIZE))).await;
    stage.hear(subscribed.id, "a good one").await;
    stage.until_gap().await;
    assert_eq!(stage.gaps().len(), 1);
    stage.assert_nobody_charged();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_asked_for_is_charged_and_not_delivered() {
    let stage = Stage::new(vec![serving()]).await;
    let subscribed = stage.subscribe().await;
    let us = stage.world.node.peer_id();
    soon(stage.hostile[0].harass(us, Mischief::NeverAsked(20))).await;
    soon(async {
        while stage.charges().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(stage.payloads(subscribed.id).is_empty());
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_400_from_one_server_does_not_end_a_subscription_that_another_took() {
    let stage = Stage::new(vec![serving(), serving()]).await;
    let subscribed = stage.subscribe().await;
    let served = |h: &&Hostile| h.peer_id() == subscribed.peers[0];
    let good = stage.hostile.iter().find(served).unwrap();
    let bad = stage.hostile.iter().find(|h| !served(h)).unwrap();
    bad.change(|script| script[Part::Subscribe].then = Answer::status(400, "BAD_REQUEST"));
    bad.stop().await.unwrap();
    good.stop().await.unwrap();
    let before = bad.asked_for(Part::Subscribe).len();
    bad.resume().await.unwrap();
    soon(bad.until_asked(Part::Subscribe, before + 1)).await;
    good.resume().await.unwrap();
    soon(async {
        // Published until it is heard: when the good one serves again is not said beforehand.
        for number in 0.. {
            let text = format!("again {number}");
            let bytes = text.clone().into_bytes();
            stage.world.fleet.publish(TOPIC, bytes, false).unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
            if !stage.payloads(subscribed.id).is_empty() {
                return;
            }
        }
    })
    .await;
    let states = stage.states(subscribed.id);
    assert!(!states.contains(&SubscriptionState::Closed), "{states:?}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_subscriptions_at_once_are_made_within_what_a_server_allows() {
    let minute = Duration::from_secs(60);
    let scripts = vec![serving().limited(ids::FILTER_SUBSCRIBE, 30, minute)];
    let stage = Stage::new(scripts).await;
    let topics = (0..30).map(|n| format!("/lightkeeper/1/many-{n}/proto"));
    let subscribing = topics.clone().map(|topic| {
        let default_deadline = Duration::from_secs(10);
        stage.world.node.subscribe(wanted(&topic), default_deadline)
    });
    let made = soon(futures::future::join_all(subscribing)).await;
    let failed: Vec<_> = made.iter().filter_map(|one| one.as_ref().err()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    for topic in topics {
        let bytes = topic.clone().into_bytes();
        stage.world.fleet.publish(&topic, bytes, false).unwrap();
    }
    for (number, one) in made.into_iter().enumerate() {
        let text = format!("/lightkeeper/1/many-{number}/proto");
        stage.heard(one.unwrap().id, &text).await;
    }
    assert!(stage.hostile[0].asked().len() < 30 + 5);
    stage.assert_nobody_charged();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_moves_nobody() {
    let stage = Stage::new(vec![serving(), serving()]).await;
    let first = stage.subscribe().await;
    // Every server refuses the next subscription once, as one does that counts requests.
    for hostile in &stage.hostile {
        hostile.change(|script| script[Part::Subscribe].next.push_back(Answer::too_many()));
    }
    let other = "/lightkeeper/1/other/proto".to_owned();
    let second = soon(stage.world.node.subscribe(wanted(&other), PATIENCE))
        .await
        .unwrap();
    stage
        .world
        .fleet
        .publish(&other, b"other".to_vec(), false)
        .unwrap();
    stage.heard(second.id, "other").await;
    stage.hear(first.id, "first").await;
    assert!(!stage.states(first.id).contains(&SubscriptionState::Moving));
    assert_eq!(stage.gaps(), []);
    stage.assert_nobody_charged();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_server_is_asked_for_more_than_900_topics() {
    let stage = Stage::new(vec![serving(), serving(), serving()]).await;
    let topic = |n: usize| format!("/lightkeeper/1/topic-{n}/proto");
    let subscribing = (0..10).map(|batch| {
        let topics = (0..100).map(|n| topic(100 * batch + n)).collect();
        stage.world.node.subscribe(
            Wanted {
                content_topics: topics,
                ..Wanted::default()
            },
            PATIENCE,
        )
    });
    for one in soon(futures::future::join_all(subscribing)).await {
        one.unwrap();
    }
    let mut all = BTreeSet::new();
    for hostile in &stage.hostile {
        let mut there = BTreeSet::new();
        for asked in hostile.asked() {
            if asked.protocol != ids::FILTER_SUBSCRIBE {
                continue;
            }
            let request = filter::Request::decode(&asked.frame).unwrap();
            match asked.part {
                Part::Subscribe => there.extend(request.content_topics),
                Part::Unsubscribe => there.retain(|t| !request.content_topics.contains(t)),
                _ => {}
            }
            assert!(there.len() <= 900);
        }
        all.extend(there);
    }
    assert_eq!(all.len(), 1000);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_503_for_one_subscription_leaves_the_others_where_they_are() {
    let stage = Stage::new(vec![serving(), serving()]).await;
    let first = stage.subscribe().await;
    let text = "SERVICE_UNAVAILABLE: peer has reached maximum number of filter criteria";
    let full = stage
        .hostile
        .iter()
        .find(|h| h.peer_id() == first.peers[0])
        .unwrap();
    full.change(|script| {
        script[Part::Subscribe].then = Answer::status(503, text);
    });
    let other = "/lightkeeper/1/other/proto".to_owned();
    let second = soon(stage.world.node.subscribe(wanted(&other), PATIENCE))
        .await
        .unwrap();
    stage
        .world
        .fleet
        .publish(&other, b"other".to_vec(), false)
        .unwrap();
    stage.heard(second.id, "other").await;
    stage.hear(first.id, "first").await;
    assert!(!stage.states(first.id).contains(&SubscriptionState::Moving));
    assert_eq!(stage.gaps(), []);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_withholds_is_replaced_and_nothing_is_lost() {
    let stage = Stage::with(vec![serving(), serving(), serving()], |config| {
        // Two of the three serve.
        config.needs.filter.target = 2;
    })
    .await;
    // Both have to have the subscription: what the only one withholds nobody can bring.
    soon(stage.world.node.ready(ReadyLevel::Met, None))
        .await
        .unwrap();
    let subscribed = stage.subscribe().await;
    stage.until_asked(2).await;
    stage.hear(subscribed.id, "before").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let serving = stage.asked().0;
    let liar = serving[0];
    liar.change(|script| script.relay = Relay::Nothing);
    // Somebody is suspected once a minute at the most, and a store may not have been asked in time.
    let patience = Duration::from_secs(240);
    tokio::time::timeout(patience, async {
        // Samples until it is found out: how many it takes is the rule's affair.
        for number in 0.. {
            stage.hear(subscribed.id, &format!("sample {number}")).await;
            tokio::time::sleep(Duration::from_millis(500)).await;
            if stage.asked().0.len() == 3 {
                return;
            }
        }
    })
    .await
    .expect("it is found out");
    stage.close().await;
}

/// What a page does about a server of two that falls silent or goes: nothing is lost, and the last comes too.
async fn nothing_is_lost(silence: impl AsyncFn(&Hostile)) {
    let stage = Stage::new(vec![serving(), serving()]).await;
    let subscribed = stage.subscribe().await;
    // It resolves with the first server, and what only one is there to bring may be lost with it.
    stage.until_asked(2).await;
    stage.hear(subscribed.id, "before").await;
    let serves = |h: &&Hostile| h.peer_id() == subscribed.peers[0];
    let server = stage.hostile.iter().find(serves).unwrap();
    silence(server).await;
    for number in 0..20 {
        let text = format!("then {number}");
        stage.hear(subscribed.id, &text).await;
    }
    let payloads = stage.payloads(subscribed.id);
    assert_eq!(payloads.len(), 21, "a message came twice: {payloads:?}");
    server.thaw();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_costs_no_message() {
    nothing_is_lost(async |server| server.freeze()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_costs_no_message() {
    nothing_is_lost(async |server| server.stop().await.unwrap()).await;
}
