//! `lightPush.send`: a message goes to several serving peers at once, and to others when these fail (lightpush.md,
//! sections 4 to 8). Whom to ask when is decided in `protocols::lightpush::sending`; `carry` does it.

mod carry;
mod confirm;
mod sends;
mod sent;

use std::time::Duration;

use futures::channel::oneshot;
use libp2p::PeerId;

use super::error::NodeError;
use super::handle::{Node, request_id};
use super::platform;
use crate::protocols::lightpush::sending::Sending;
use crate::protocols::lightpush::{v2, v3};
use crate::protocols::message::{MessageHash, WakuMessage};
use crate::protocols::topic::PubsubTopic;
use crate::protocols::verdict::FailureClass;

use carry::Mail;
pub(super) use sends::Sends;

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

/// How to send it.
#[derive(Debug, Clone, Copy)]
pub struct SendOptions {
    /// How many peers are asked at once. When it is left out: two; one for a message that is to be confirmed, because who
    /// took it from us is no witness.
    pub peers: Option<u8>,
    /// How many must take it.
    pub min: u8,
    /// Whether somebody else must have it, too.
    pub confirm: bool,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self {
            peers: None,
            min: 1,
            confirm: false,
        }
    }
}

/// That a message was accepted (`SendReport`).
#[derive(Debug, Clone)]
pub struct SendReport {
    /// Its deterministic hash.
    pub hash: MessageHash,
    /// Who accepted it.
    pub accepted: Vec<PeerId>,
    /// Who did not, of which class that was, and in which words.
    pub failed: Vec<(PeerId, FailureClass, String)>,
    /// Requests that were made.
    pub attempts: u32,
    /// How long it took.
    pub elapsed: Duration,
    /// Who has it besides, when that was asked for.
    pub confirmed_by: Option<PeerId>,
}

impl Node {
    /// Publishes a message through several serving peers; resolves once enough of them took it. A caller that gives up
    /// takes back what was not handed over yet, and nothing else.
    ///
    /// # Errors
    /// `invalid-options` for a message that no server would take; `not-started`, `closed`; `no-peer` when nobody serves
    /// before `timeout`, or all who were asked refused for reasons of their own; `rejected` when the message is wrong;
    /// `busy` when all limit us; `timeout` when somebody may have taken it and did not say so.
    pub async fn light_push(
        &self,
        outgoing: Outgoing,
        options: SendOptions,
        timeout: Duration,
    ) -> Result<SendReport, NodeError> {
        let begun = platform::now().mono_ms;
        let deadline = begun.saturating_add(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        let (topic, message, max) = {
            let mut driver = self.open_driver()?;
            if !driver.is_started() {
                return Err(NodeError::not_started());
            }
            let topic = driver
                .setup()
                .network
                .shard_of(&outgoing.content_topic, outgoing.shard)
                .map_err(|error| NodeError::option(shard_option(&error), error.to_string()))?;
            let stamp = match outgoing.timestamp_ms {
                // The caller's time is the caller's: it may send the same message again on purpose.
                Some(ms) => i64::try_from(ms)
                    .unwrap_or(i64::MAX)
                    .saturating_mul(1_000_000),
                None => driver.sends().stamp(platform::now_ns()),
            };
            let message = WakuMessage::new(outgoing.content_topic, outgoing.payload, stamp);
            (topic, message, driver.setup().max_message_bytes)
        };
        let mut message = message;
        message.ephemeral = outgoing.ephemeral.then_some(true);
        message
            .check_outgoing(max)
            .map_err(|error| NodeError::option("message", error.to_string()))?;
        let mail = Mail::new(topic, message, begun, options.confirm);

        // Two calls with the same bytes at once are one message: the second waits, and finds that it is known.
        let key = mail.key();
        let turn = self.until(|driver| {
            if !driver.is_started() {
                return Some(Err(NodeError::not_started()));
            }
            driver.sends().sent.begin(key).then_some(Ok(()))
        });
        let Some(turn) = super::driver::within(timeout, turn).await else {
            return Err(NodeError::new(
                super::ErrorCode::Timeout,
                "lightpush: the same message is being sent already",
            ));
        };
        turn?;
        let now = platform::now().mono_ms;
        let known = self.lock().sends().sent.is_known(key, now);
        let peers = options.peers.unwrap_or(if options.confirm { 1 } else { 2 });
        let sending = Sending::new(peers, options.min, known, deadline);
        let (tell, told) = oneshot::channel();
        platform::spawn(carry::carry(self.clone(), mail, sending, tell));
        told.await.unwrap_or_else(|_| Err(NodeError::closed()))
    }
}

/// The two forms in which servers take a message. The bytes of the message are the same in both.
struct Requests {
    v3: v3::Request,
    v2: v2::Rpc,
}

impl Requests {
    fn new(topic: PubsubTopic, message: WakuMessage) -> Self {
        let pubsub_topic = topic.to_string();
        Self {
            v3: v3::Request::new(request_id(), pubsub_topic.clone(), message.clone()),
            v2: v2::Rpc::request(request_id(), pubsub_topic, message),
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
