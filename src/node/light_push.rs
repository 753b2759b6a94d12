//! `lightPush.send`: one serving peer, one request (api.md; lightpush.md, sections 4 to 6).

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use libp2p::PeerId;
use web_time::Instant;

use super::config::LIGHT_PUSH;
use super::error::NodeError;
use super::handle::{Node, request_id};
use super::platform;
use super::verdicts::{answer_of, error, outcome};
use crate::manager::Outcome;
use crate::protocols::ids;
use crate::protocols::lightpush::{self, Accepted, v2, v3};
use crate::protocols::message::{MAX_SIZE, MessageHash, WakuMessage};
use crate::protocols::verdict::{End, Protocol, Verdict};

/// What to send.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// What the message is about.
    pub content_topic: String,
    /// The content; never empty.
    pub payload: Vec<u8>,
    /// Store nodes must not keep it.
    pub ephemeral: bool,
    /// Milliseconds since 1970; now, when it is left out.
    pub timestamp_ms: Option<u64>,
    /// The shard; needed with several static shards.
    pub shard: Option<u16>,
}

/// That a message was accepted (`SendReport`).
#[derive(Debug, Clone)]
pub struct SendReport {
    /// Its deterministic hash.
    pub hash: MessageHash,
    /// Who accepted it.
    pub accepted: Vec<PeerId>,
    /// Requests that were made.
    pub attempts: u32,
    /// How long it took.
    pub elapsed: Duration,
}

impl Node {
    /// Publishes a message through one serving peer.
    ///
    /// # Errors
    /// `invalid-options` for a message that no server would take; `not-started`, `closed`; `no-peer` when nobody serves
    /// before `timeout`; else how that peer refused or failed.
    pub async fn light_push(
        &self,
        outgoing: Outgoing,
        timeout: Duration,
    ) -> Result<SendReport, NodeError> {
        let begin = Instant::now();
        let network = self.open_driver()?.network.clone();
        let topic = network
            .shard_of(&outgoing.content_topic, outgoing.shard)
            .map_err(|error| NodeError::option(shard_option(&error), error.to_string()))?;
        let mut message = WakuMessage::new(
            outgoing.content_topic,
            outgoing.payload,
            unique_timestamp(outgoing.timestamp_ms),
        );
        if outgoing.ephemeral {
            message.ephemeral = Some(true);
        }
        message
            .check_outgoing(MAX_SIZE)
            .map_err(|error| NodeError::option("message", error.to_string()))?;
        let pubsub_topic = topic.to_string();
        let hash = message.hash(&pubsub_topic);
        let (peer, conn) = self.serving(LIGHT_PUSH, topic.shard, &[], timeout).await?;

        let v3_request = v3::Request::new(request_id(), pubsub_topic.clone(), message.clone());
        let v2_request = v2::Rpc::request(request_id(), pubsub_topic, message);
        let left = timeout.saturating_sub(begin.elapsed());
        let (answer, protocol) = self
            .ask(
                conn,
                &[ids::LIGHTPUSH_V3, ids::LIGHTPUSH_V2],
                |protocol| {
                    if protocol == ids::LIGHTPUSH_V3 {
                        v3_request.encode()
                    } else {
                        v2_request.encode()
                    }
                },
                lightpush::MAX_RESPONSE,
                left,
            )
            .await?;
        let accepted = if protocol == ids::LIGHTPUSH_V2 {
            let undecodable = || Verdict::of_end(Protocol::LightpushV2, End::Undecodable);
            answer_of(Protocol::LightpushV2, answer).and_then(|bytes| {
                let answer = v2::Rpc::decode(&bytes).map_err(|_| undecodable())?;
                v2::interpret(&v2_request, &answer)
            })
        } else {
            let undecodable = || Verdict::of_end(Protocol::LightpushV3, End::Undecodable);
            answer_of(Protocol::LightpushV3, answer).and_then(|bytes| {
                let answer = v3::Response::decode(&bytes).map_err(|_| undecodable())?;
                v3::interpret(&v3_request, &answer)
            })
        };
        match accepted {
            Ok(Accepted { .. }) => {
                self.report(peer, LIGHT_PUSH, Outcome::Success);
                Ok(SendReport {
                    hash,
                    accepted: vec![peer],
                    attempts: 1,
                    elapsed: begin.elapsed(),
                })
            }
            Err(verdict) => {
                self.report(peer, LIGHT_PUSH, outcome(&verdict));
                Err(error(&verdict, peer))
            }
        }
    }
}

/// Which option a wrong shard is about.
pub(super) fn shard_option(error: &crate::protocols::network::ShardError) -> &'static str {
    use crate::protocols::network::ShardError;
    match error {
        ShardError::ContentTopic(_) => "contentTopic",
        ShardError::Ambiguous | ShardError::Unknown(_) | ShardError::Mismatch { .. } => "shard",
    }
}

/// A time in nanoseconds that no other message of this page has: equal messages with equal times would be one message to
/// the network (message.md, section 8).
fn unique_timestamp(wanted_ms: Option<u64>) -> i64 {
    static LAST: AtomicI64 = AtomicI64::new(0);
    if let Some(ms) = wanted_ms {
        // The caller's time is the caller's: it may send the same message again on purpose.
        return i64::try_from(ms)
            .unwrap_or(i64::MAX)
            .saturating_mul(1_000_000);
    }
    let now = platform::now_ns();
    let last = LAST
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
            Some(now.max(last + 1))
        })
        .expect("the update never refuses");
    now.max(last + 1)
}
