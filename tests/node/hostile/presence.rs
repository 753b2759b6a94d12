//! Who a peer says that it is, whether it is there, and how it goes.

use std::time::Duration;

use lightkeeper::fleet::hostile::{Answer, Identify, Mischief, Part, Ping, Script};
use lightkeeper::manager::{Config, Notice, Reason};
use lightkeeper::node::NodeConfig;

use super::stage::{Stage, serving};
use crate::client::soon;

/// Sets numbers of the manager's policy by their names.
fn policy(config: &mut NodeConfig, numbers: &[(&str, u64)]) {
    for (name, value) in numbers {
        let named = |known: &&&str| *known == name;
        let place = Config::NUMBERS.iter().position(|known| named(&known));
        config
            .policy
            .push((place.expect("a number of that name"), *value));
    }
}

/// Pings ten times a second.
fn pinging(config: &mut NodeConfig) {
    policy(config, &[("ping_idle_ms", 100), ("ping_timeout_ms", 300)]);
}

/// Longer than a peer that does not answer pings lasts, with these numbers.
const A_FEW_PINGS: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_to_speak_ping_is_a_sign_of_life() {
    let stage = Stage::with(vec![serving().without("/ipfs/ping/1.0.0")], pinging).await;
    tokio::time::sleep(A_FEW_PINGS).await;
    stage.assert_nobody_charged();
    let connects = stage.world.seen(|event| match event {
        lightkeeper::node::NodeEvent::Manager(Notice::Connected { .. }) => Some(()),
        _ => None,
    });
    assert_eq!(connects.len(), 1);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_takes_pings_and_echoes_none_is_alive() {
    let mut script = serving();
    script.ping = Ping::Silence;
    let stage = Stage::with(vec![script], pinging).await;
    tokio::time::sleep(A_FEW_PINGS).await;
    // It negotiates: any byte is a sign of life.
    stage.assert_nobody_charged();
    assert!(stage.hostile[0].is_connected(stage.world.node.peer_id()));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_stands_still_is_left() {
    let stage = Stage::with(vec![serving()], pinging).await;
    stage.world.ready().await;
    stage.hostile[0].freeze();
    let reason = stage
        .world
        .disconnect_since(0, stage.hostile[0].peer_id())
        .await;
    assert_eq!(reason, Reason::PingTimeout);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_that_stands_still_holds_up_neither_stop_nor_the_next_start() {
    let stage = Stage::new(vec![serving()]).await;
    let us = stage.world.node.peer_id();
    stage.hostile[0].freeze();
    soon(stage.world.node.stop()).await.unwrap();
    stage.hostile[0].thaw();
    stage.world.node.start().unwrap();
    let mark = stage.world.mark();
    stage
        .world
        .notice_since(mark, |notice| match notice {
            Notice::Connected { .. } => Some(()),
            _ => None,
        })
        .await;
    soon(stage.hostile[0].until_connected(us)).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_cannot_be_read_is_no_other_network() {
    for answer in [Answer::Garbage, Answer::Announced(1 << 20), Answer::Close] {
        let told = format!("{answer:?}");
        let script = serving().on(Part::Metadata, answer);
        let stage = Stage::unconnected(vec![script], |_| {}).await;
        soon(stage.hostile[0].until_asked(Part::Metadata, 1)).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let charges = stage.charges();
        let other = Reason::OtherNetwork;
        assert!(
            !charges
                .iter()
                .any(|charge| charge.contains(&format!("{other:?}"))),
            "{told}: {charges:?}"
        );
        stage.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_other_shards_is_kept_and_does_not_serve() {
    let other = Answer::metadata(1, &Script::other_shards());
    let stage = Stage::unconnected(vec![serving().on(Part::Metadata, other)], |_| {}).await;
    let us = stage.world.node.peer_id();
    soon(stage.hostile[0].until_asked(Part::Metadata, 1)).await;
    // What closes it would do so as soon as the answer was read.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(stage.hostile[0].is_connected(us), "{:?}", stage.charges());
    assert_eq!(stage.world.node.health().requirements[0].have, 0);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_another_cluster_is_left() {
    let stage = Stage::unconnected(
        vec![serving().on(Part::Metadata, Answer::metadata(2, &[0]))],
        |_| {},
    )
    .await;
    let peer = stage.hostile[0].peer_id();
    let reason = stage.world.disconnect_since(0, peer).await;
    assert_eq!(reason, Reason::OtherNetwork);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_end_is_told_as_one() {
    let stage = Stage::new(vec![serving()]).await;
    stage.subscribe().await;
    let mark = stage.world.mark();
    soon(stage.hostile[0].disconnect(stage.world.node.peer_id())).await;
    let (reason, deliberate) = stage
        .world
        .notice_since(mark, |notice| match notice {
            Notice::Disconnected {
                reason, deliberate, ..
            } => Some((*reason, *deliberate)),
            _ => None,
        })
        .await;
    assert_eq!((reason, deliberate), (Reason::RemoteClosed, true));
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_identify_push_before_the_answer_does_not_end_the_connection() {
    let mut script = serving().to_all(Mischief::IdentifyFrame(vec![0xff; 8]));
    script.identify = Identify::Late(Duration::from_secs(1));
    let stage = Stage::new(vec![script]).await;
    stage.subscribe().await;
    stage.assert_nobody_charged();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_identify_is_left() {
    for identify in [
        Identify::Reset,
        Identify::Garbage,
        Identify::Protocols(2_000),
    ] {
        let mut script = serving();
        script.identify = identify;
        let stage = Stage::unconnected(vec![script], |_| {}).await;
        let peer = stage.hostile[0].peer_id();
        let reason = stage.world.disconnect_since(0, peer).await;
        assert_eq!(reason, Reason::IdentifyFailed, "{identify:?}");
        stage.close().await;
    }
}
