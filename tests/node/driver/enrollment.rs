//! Protocols that enroll beside the built-in ones.

use std::time::Duration;

use lightkeeper::manager::{
    BurstAnswer, Class, LockAnswer, LockDenial, Need, Notice, Offer, Outcome, ProtocolSpec, Quota,
};
use lightkeeper::node::{Enrolled, ErrorCode, NodeEvent, ReadyLevel};
use lightkeeper::protocols::ids;

use super::world::World;
use crate::client::soon;

/// A protocol of its own that every node of the fleet with peer exchange serves.
fn spec(name: &str) -> ProtocolSpec {
    ProtocolSpec {
        name: name.into(),
        protocols: vec![ids::PEER_EXCHANGE.into()],
        class: Class::Normal,
        weight: 1,
        quota: Quota::default(),
        need: Some(Need {
            min: 1,
            target: 2,
            max: 4,
        }),
        scores: false,
        answer_ms: 10_000,
    }
}

async fn enrolled(world: &World) -> Enrolled {
    world.ready().await;
    let enrolled = soon(world.node.enroll(spec("mine"))).await.unwrap();
    let mine = ["mine".to_owned()];
    soon(world.node.ready(ReadyLevel::Met, Some(&mine)))
        .await
        .unwrap();
    enrolled
}

#[tokio::test]
async fn an_enrolled_protocol_gets_its_share_and_its_peers() {
    let world = World::new().await;
    let enrolled = enrolled(&world).await;
    assert!(enrolled.granted.high >= 2);
    assert_eq!(enrolled.answer_ms, None);
    let names = world.node.requirement_names();
    assert_eq!(names, ["lightPush", "filter", "store", "mine"]);
    let serving = |peer| world.node.peer(&peer).unwrap().serving;
    let health = world.node.health();
    let mine = health.requirements.last().unwrap();
    assert!(
        mine.peers
            .iter()
            .all(|peer| serving(*peer).contains(&mine.id))
    );
    let shares = world.node.protocols();
    let share = shares.iter().find(|share| share.name == "mine").unwrap();
    assert_eq!(share.enrollment, Some(enrolled.id));
    assert_eq!(share.granted, Some(enrolled.granted));
    world.close().await;
}

#[tokio::test]
async fn who_fails_an_enrolled_protocol_is_told_by_its_name() {
    let world = World::new().await;
    let enrolled = enrolled(&world).await;
    let mine = world.node.health().requirements.pop().unwrap();
    let mark = world.mark();
    world
        .node
        .report_outcome(enrolled.id, mine.peers[0], Outcome::Unable)
        .unwrap();
    let requirement = world
        .notice_since(mark, |notice| match notice {
            Notice::Failed {
                peer,
                failed: lightkeeper::manager::Failed::Request { requirement, .. },
                ..
            } if *peer == mine.peers[0] => Some(*requirement),
            _ => None,
        })
        .await;
    assert_eq!(requirement, mine.id);
    world.close().await;
}

#[tokio::test]
async fn a_name_that_is_taken_and_a_weight_that_is_none_are_refused() {
    let world = World::new().await;
    soon(world.node.enroll(spec("mine"))).await.unwrap();
    let taken = soon(world.node.enroll(spec("mine"))).await.unwrap_err();
    assert_eq!(
        (taken.code, taken.cause),
        (ErrorCode::Denied, Some("not-enrolled"))
    );
    let heavy = ProtocolSpec {
        weight: 17,
        ..spec("heavy")
    };
    let error = soon(world.node.enroll(heavy)).await.unwrap_err();
    assert_eq!(error.option.as_deref(), Some("weight"));
    world.close().await;
}

#[tokio::test]
async fn a_withdrawn_protocol_is_told_and_gone() {
    let world = World::new().await;
    let enrolled = enrolled(&world).await;
    let mark = world.mark();
    world.node.withdraw(enrolled.id).unwrap();
    world
        .event_since(mark, |event| match event {
            NodeEvent::Offer(id, Offer::Ended) if *id == enrolled.id => Some(()),
            _ => None,
        })
        .await;
    assert_eq!(world.node.health().requirements.len(), 3);
    let error = world
        .node
        .report_outcome(enrolled.id, world.connected()[0], Outcome::Success)
        .unwrap_err();
    assert_eq!(error.cause, Some("not-enrolled"));
    let mine = ["mine".to_owned()];
    let error = soon(world.node.ready(ReadyLevel::Met, Some(&mine))).await;
    assert_eq!(error.unwrap_err().code, ErrorCode::InvalidOptions);
    world.close().await;
}

#[tokio::test]
async fn an_enrollment_whose_caller_gave_up_is_withdrawn() {
    let world = World::new().await;
    world.ready().await;
    {
        let enrolling = world.node.enroll(spec("mine"));
        let mut enrolling = std::pin::pin!(enrolling);
        // Polled once: the manager is asked, and nobody waits for what it says.
        let asked = futures::poll!(enrolling.as_mut());
        assert!(asked.is_pending());
    }
    // The name is free.
    soon(world.node.enroll(spec("mine"))).await.unwrap();
    let offers = world.seen(|event| matches!(event, NodeEvent::Offer(..)).then_some(()));
    assert_eq!(offers, []);
    world.close().await;
}

#[tokio::test]
async fn a_lock_holds_is_renewed_and_given_back() {
    let world = World::new().await;
    let enrolled = enrolled(&world).await;
    let peer = world.node.health().requirements.pop().unwrap().peers[0];
    let lock = soon(world.node.lock_peer(enrolled.id, peer, 60_000))
        .await
        .unwrap();
    assert_eq!(world.node.stats().locks, 1);
    let renewed = soon(world.node.extend_lock(lock.id, 120_000))
        .await
        .unwrap();
    assert!(renewed > lock.expires_at_wall_ms);
    let mark = world.mark();
    world.node.unlock(lock.id).unwrap();
    world
        .event_since(mark, |event| match event {
            NodeEvent::Lock(id, LockAnswer::Ended) if *id == lock.id => Some(()),
            _ => None,
        })
        .await;
    assert_eq!(world.node.stats().locks, 0);
    let over = soon(world.node.extend_lock(lock.id, 120_000))
        .await
        .unwrap_err();
    assert_eq!(over.code, ErrorCode::Denied);
    world.close().await;
}

#[tokio::test]
async fn a_lock_is_denied_with_its_reason() {
    let world = World::new().await;
    let enrolled = enrolled(&world).await;
    let peer = world.connected()[0];
    let connected = world.connected();
    let away = world.node.peers().into_iter().map(|view| view.peer);
    let away = away.into_iter().find(|peer| !connected.contains(peer));
    for (peer, ttl_ms, denial) in [
        (away.unwrap(), 1_000, LockDenial::NotConnected),
        (peer, u64::from(u32::MAX), LockDenial::TtlTooLong),
    ] {
        let error = soon(world.node.lock_peer(enrolled.id, peer, ttl_ms)).await;
        let error = error.unwrap_err();
        assert_eq!(error.code, ErrorCode::Denied);
        assert_eq!(error.cause, Some(denial.as_str()));
        assert_eq!(error.peer.as_ref(), Some(&peer));
    }
    world.close().await;
}

#[tokio::test]
async fn a_lost_connection_revokes_its_lock() {
    let world = World::new().await;
    let enrolled = enrolled(&world).await;
    let peer = world.node.health().requirements.pop().unwrap().peers[0];
    let lock = soon(world.node.lock_peer(enrolled.id, peer, 60_000))
        .await
        .unwrap();
    let mark = world.mark();
    world.control(&world.name_of(peer), "stop").await;
    let reason = world
        .event_since(mark, |event| match event {
            NodeEvent::Lock(id, LockAnswer::Revoked { reason, .. }) if *id == lock.id => {
                Some(*reason)
            }
            _ => None,
        })
        .await;
    assert_eq!(reason.as_str(), "connection-lost");
    world.close().await;
}

#[tokio::test]
async fn a_burst_makes_connections_more_and_is_closed() {
    let world = World::new().await;
    let enrolled = enrolled(&world).await;
    let before = world.connected().len();
    let burst = soon(world.node.open_burst(enrolled.id, 2, 60_000))
        .await
        .unwrap();
    assert!((1..=2).contains(&burst.slots));
    soon(async {
        while world.connected().len() <= before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let mark = world.mark();
    world.node.close_burst(burst.id).unwrap();
    world
        .event_since(mark, |event| match event {
            NodeEvent::Burst(id, BurstAnswer::Closed) if *id == burst.id => Some(()),
            _ => None,
        })
        .await;
    world.close().await;
}

#[tokio::test]
async fn a_scorer_is_asked_before_connections_are_closed_for_others() {
    let world = World::new().await;
    world.ready().await;
    let scoring = ProtocolSpec {
        scores: true,
        ..spec("mine")
    };
    let enrolled = soon(world.node.enroll(scoring)).await.unwrap();
    let mine = ["mine".to_owned()];
    soon(world.node.ready(ReadyLevel::Met, Some(&mine)))
        .await
        .unwrap();
    let mark = world.mark();
    world.node.set_limits(Some(2), None).unwrap();
    let (round, asked) = world
        .event_since(mark, |event| match event {
            NodeEvent::Scores {
                enrollment,
                round,
                peers,
                ..
            } if *enrollment == enrolled.id => Some((*round, peers.clone())),
            _ => None,
        })
        .await;
    assert!(!asked.is_empty());
    let scores = asked.iter().map(|view| (view.peer, 500)).collect();
    world.node.give_scores(enrolled.id, round, scores).unwrap();
    world.close().await;
}

#[tokio::test]
async fn closing_the_node_ends_every_call_that_waits() {
    let world = World::new().await;
    let node = world.node.clone();
    let enrolling = node.enroll(spec("mine"));
    let mut enrolling = std::pin::pin!(enrolling);
    assert!(futures::poll!(enrolling.as_mut()).is_pending());
    node.close();
    let error = soon(enrolling).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Closed);
    world.close().await;
}
