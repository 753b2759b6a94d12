//! What lightpush servers answer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lightkeeper::fleet::hostile::{Answer, Hostile, Part};
use lightkeeper::node::{ErrorCode, SendOptions};
use lightkeeper::protocols::ids;

use super::stage::{Stage, serving};
use crate::client::soon;
use crate::driver::world::{PATIENCE, outgoing};

impl Stage {
    async fn send(&self, text: &str) -> Result<(), lightkeeper::node::NodeError> {
        soon(
            self.world
                .node
                .light_push(outgoing(text), SendOptions::default(), PATIENCE),
        )
        .await
        .map(|_| ())
    }

    /// Those who were sent a message.
    fn sent_to(&self) -> Vec<&Hostile> {
        let mut all: Vec<_> = self.hostile.iter().collect();
        all.retain(|hostile| !hostile.asked_for(Part::Lightpush).is_empty());
        all
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_sends_at_once_go_out_and_charge_nobody() {
    let late = Answer::Late(Duration::from_millis(100), Box::new(Answer::Honest));
    let stage = Stage::new(vec![serving().on(Part::Lightpush, late)]).await;
    let texts: Vec<_> = (0..100).map(|n| format!("message {n}")).collect();
    let sends = texts.iter().map(|text| stage.send(text));
    let results = futures::future::join_all(sends).await;
    let failed: Vec<_> = results.iter().filter_map(|r| r.as_ref().err()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    stage.assert_nobody_charged();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn six_sends_in_a_row_to_a_server_of_one_a_second_all_go_out() {
    let second = Duration::from_secs(1);
    let script =
        serving()
            .limited(ids::LIGHTPUSH_V3, 1, second)
            .limited(ids::LIGHTPUSH_V2, 1, second);
    let stage = Stage::new(vec![script]).await;
    for number in 0..6 {
        stage.send(&format!("message {number}")).await.unwrap();
    }
    assert_eq!(stage.world.node.health().requirements[0].have, 1);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_deadline_of_ours_charges_nobody() {
    let late = Answer::Late(Duration::from_millis(300), Box::new(Answer::Honest));
    let stage = Stage::new(vec![serving().on(Part::Lightpush, late)]).await;
    for number in 0..3 {
        let haste = Duration::from_millis(20);
        let message = outgoing(&format!("hasty {number}"));
        let error = soon(
            stage
                .world
                .node
                .light_push(message, SendOptions::default(), haste),
        )
        .await;
        assert_eq!(error.unwrap_err().code, ErrorCode::Timeout);
    }
    stage.send("patient").await.unwrap();
    stage.assert_nobody_charged();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_peer_would_take_is_not_told_as_rejected() {
    for (status, text) in [
        (505, "no peers for topic"),
        (503, "no relay peers"),
        (421, "unsupported shard"),
    ] {
        let answer = Answer::status(status, text);
        let stage = Stage::new(vec![serving().on(Part::Lightpush, answer)]).await;
        let error = stage.send("hello").await.unwrap_err();
        assert_ne!(error.code, ErrorCode::Rejected, "{status}");
        stage.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_again_take_nobody_out() {
    let stage = Stage::new(vec![serving()]).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut message = outgoing("again");
    message.timestamp_ms = Some(now.as_millis() as u64);
    for _ in 0..5 {
        // Whether the second is "ok" or "known already" is the API's affair; that a user should correct it is wrong.
        if let Err(error) = soon(stage.world.node.light_push(
            message.clone(),
            SendOptions::default(),
            PATIENCE,
        ))
        .await
        {
            assert_ne!(error.code, ErrorCode::Rejected, "{error}");
            assert_ne!(error.code, ErrorCode::NoPeer, "{error}");
        }
    }
    stage.send("another").await.unwrap();
    stage.assert_nobody_charged();
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_goes_on_to_another_peer() {
    for answer in [
        Answer::status(503, "no relay peers"),
        Answer::status(500, "internal"),
        Answer::too_many(),
        Answer::Close,
        Answer::Reset,
    ] {
        let stage = Stage::new(vec![serving(), serving()]).await;
        stage.send("first").await.unwrap();
        let first = stage.sent_to()[0];
        first.change(|script| script[Part::Lightpush].then = answer.clone());
        for number in 0..3 {
            let sent = stage.send(&format!("then {number}")).await;
            assert!(sent.is_ok(), "{answer:?}: {sent:?}");
        }
        stage.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sends_go_out_while_a_server_is_silent() {
    let stage = Stage::new(vec![serving(), serving()]).await;
    stage.send("first").await.unwrap();
    let silent = stage.sent_to()[0];
    silent.freeze();
    for number in 0..3 {
        stage.send(&format!("then {number}")).await.unwrap();
    }
    silent.thaw();
    stage.close().await;
}
