//! Streams that a server opens to us.

use lightkeeper::fleet::hostile::{Hostile, Mischief};
use lightkeeper::manager::Log;
use lightkeeper::node::NodeEvent;

use super::stage::{Stage, serving};
use crate::client::soon;

#[tokio::test(flavor = "multi_thread")]
async fn push_streams_of_a_peer_that_was_never_asked_are_refused() {
    let stage = Stage::new(vec![serving()]).await;
    let us = stage.world.node.peer_id();
    soon(stage.hostile[0].harass(us, Mischief::Stall(64))).await;
    soon(stage.hostile[0].until_held(0)).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stalled_push_streams_have_a_deadline_and_keep_nobody_else_waiting() {
    let stage = Stage::new(vec![serving()]).await;
    let subscribed = stage.subscribe().await;
    let us = stage.world.node.peer_id();
    soon(stage.hostile[0].harass(us, Mischief::Stall(40))).await;
    soon(stage.hostile[0].harass(us, Mischief::Half)).await;
    stage.hear(subscribed.id, "meanwhile").await;
    soon(stage.hostile[0].until_held(0)).await;
    stage.hear(subscribed.id, "afterwards").await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_costs_nothing_where_another_server_delivers() {
    let stage = Stage::new(vec![serving(), serving()]).await;
    let subscribed = stage.subscribe().await;
    let us = stage.world.node.peer_id();
    let flooder = |h: &&Hostile| h.peer_id() == subscribed.peers[0];
    let flooder = stage.hostile.iter().find(flooder).unwrap();
    soon(flooder.harass(us, Mischief::Flood(100_000))).await;
    stage.hear(subscribed.id, "another server's").await;
    // What it made up is not missed, and the other server brought all the rest.
    assert_eq!(stage.gaps(), []);
    assert!(stage.payloads(subscribed.id).len() < 100_000);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_the_only_server_is_one_gap() {
    let stage = Stage::new(vec![serving()]).await;
    let subscribed = stage.subscribe().await;
    let us = stage.world.node.peer_id();
    soon(stage.hostile[0].harass(us, Mischief::Flood(100_000))).await;
    stage.until_gap().await;
    let gaps = stage.gaps();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(stage.payloads(subscribed.id).len() < 100_000);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_one_stream_for_each_message_loses_nothing() {
    let stage = Stage::new(vec![serving()]).await;
    let subscribed = stage.subscribe().await;
    let us = stage.world.node.peer_id();
    soon(stage.hostile[0].harass(us, Mischief::Singles(100))).await;
    stage.hear(subscribed.id, "the last one").await;
    let mut numbers: Vec<_> = stage.payloads(subscribed.id);
    numbers.retain(|payload| payload.len() == 8);
    numbers.sort();
    assert_eq!(numbers.len(), 100);
    assert_eq!(stage.gaps(), []);
    stage.assert_nobody_charged();
    stage.close().await;
}

async fn identified_after(changing: bool) -> usize {
    let stage = Stage::new(vec![serving()]).await;
    stage.subscribe().await;
    let us = stage.world.node.peer_id();
    let identified = |stage: &Stage| {
        let is_identify = |event: &NodeEvent| {
            matches!(
                event,
                NodeEvent::Manager(lightkeeper::manager::Notice::Identified { .. })
            )
            .then_some(())
        };
        stage.world.seen(is_identify).len()
    };
    let before = identified(&stage);
    let count = 5_000;
    soon(stage.hostile[0].harass(us, Mischief::Identify { count, changing })).await;
    let log = Log::decode(&stage.world.node.record()).unwrap();
    assert!(log.complete, "the record was filled by one peer");
    let more = identified(&stage) - before;
    stage.close().await;
    more
}

#[tokio::test(flavor = "multi_thread")]
async fn identify_pushes_that_say_nothing_new_are_not_told() {
    assert!(identified_after(false).await <= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn identify_pushes_that_change_each_time_are_told_seldom() {
    assert!(identified_after(true).await <= 100);
}
