//! Messages, and what sending them and asking for them came to.

use serde::Serialize;
use serde::ser::Serializer;

use super::peers::peer_ids;
use super::texts::Text;
use super::values::{Big, Bytes};
use crate::manager::Outcome;
use crate::node::{self, Received, StorePage, Via};
use crate::protocols::message::MessageHash;
use crate::protocols::verdict;

/// `Message`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Message {
    content_topic: String,
    payload: Bytes,
    /// Milliseconds lose what a number can't hold; `timestamp_ns` has it all.
    timestamp: f64,
    timestamp_ns: Big,
    hash: String,
    shard: u16,
    ephemeral: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Bytes>,
    peer: String,
    via: Text<Via>,
}

impl From<Received> for Message {
    fn from(received: Received) -> Self {
        let message = received.message;
        let timestamp_ns = message.timestamp.unwrap_or(0);
        Self {
            content_topic: message.content_topic().to_owned(),
            payload: Bytes(message.payload.unwrap_or_default()),
            timestamp: (timestamp_ns / 1_000_000) as f64,
            timestamp_ns: Big(timestamp_ns),
            hash: hash(&received.hash),
            shard: received.pubsub_topic.shard,
            ephemeral: message.ephemeral.unwrap_or(false),
            meta: message.meta.map(Bytes),
            peer: received.peer.to_string(),
            via: Text(received.via),
        }
    }
}

/// A message hash: 64 hexadecimal letters.
pub(crate) fn hash(hash: &MessageHash) -> String {
    data_encoding::HEXLOWER.encode(hash.as_bytes())
}

/// One page of a store.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Page {
    messages: Vec<Message>,
    /// Where to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

impl From<StorePage> for Page {
    fn from(page: StorePage) -> Self {
        Self {
            messages: page.messages.into_iter().map(Message::from).collect(),
            cursor: page.position.map(|position| position.to_string()),
        }
    }
}

/// `SendReport`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SendReport {
    hash: String,
    accepted: Vec<String>,
    failed: Vec<SendFailure>,
    attempts: u32,
    ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_by: Option<String>,
}

/// Why a peer did not take a message.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SendFailure {
    peer: String,
    class: FailureClass,
    message: String,
}

impl From<node::SendReport> for SendReport {
    fn from(report: node::SendReport) -> Self {
        let failed = report.failed.into_iter();
        let failed = failed.map(|(peer, class, message)| SendFailure {
            peer: peer.to_string(),
            class: class.into(),
            message,
        });
        Self {
            hash: hash(&report.hash),
            accepted: peer_ids(&report.accepted),
            failed: failed.collect(),
            attempts: report.attempts,
            ms: report.elapsed.as_secs_f64() * 1e3,
            confirmed_by: report.confirmed_by.map(|peer| peer.to_string()),
        }
    }
}

/// `FailureClass`: how a request failed. Success is none.
#[derive(Clone, Copy)]
pub(crate) struct FailureClass(&'static str);

impl From<Outcome> for FailureClass {
    fn from(outcome: Outcome) -> Self {
        Self(outcome.as_str())
    }
}

impl From<verdict::FailureClass> for FailureClass {
    fn from(class: verdict::FailureClass) -> Self {
        Self(class.as_str())
    }
}

impl Serialize for FailureClass {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit_variant("", 0, self.0)
    }
}
