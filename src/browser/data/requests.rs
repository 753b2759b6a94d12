//! What is asked of a node: the parameters of each method. The facade has checked them and filled in its defaults.

use std::fmt;

use libp2p::PeerId;
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use super::options::{ByTransport, Need};
use super::texts::Text;
use super::values::{Bytes, Entries};
use crate::manager::{self, Class, Outcome};
use crate::node::{NodeError, ReadyLevel};
use crate::protocols::message::MessageHash;

/// A peer, by the text of its id.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub(crate) struct PeerText(String);

impl PeerText {
    /// # Errors
    /// `invalid-options` with `option` set: the facade knows what such texts look like, and no more.
    pub(crate) fn id(&self) -> Result<PeerId, NodeError> {
        let text = &self.0;
        text.parse()
            .map_err(|_| NodeError::option("peer", format!("{text:?} is not a peer id")))
    }
}

/// `forget`, `keep`, `hangUp`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Whom {
    pub(crate) peer: PeerText,
}

/// `dial`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Dial {
    pub(crate) target: String,
    pub(crate) timeout_ms: Option<f64>,
}

/// `ready`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Ready {
    pub(crate) level: Option<Text<ReadyLevel>>,
    pub(crate) requirements: Option<Vec<String>>,
    pub(crate) timeout_ms: Option<f64>,
}

/// `send`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Send {
    pub(crate) content_topic: String,
    pub(crate) payload: Bytes,
    pub(crate) ephemeral: Option<bool>,
    pub(crate) timestamp: Option<u64>,
    pub(crate) shard: Option<u16>,
    pub(crate) peers: Option<u8>,
    pub(crate) min: Option<u8>,
    pub(crate) confirm: Option<bool>,
    pub(crate) timeout_ms: Option<f64>,
}

/// `subscribe`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Subscribe {
    pub(crate) content_topics: Vec<String>,
    pub(crate) shard: Option<u16>,
    pub(crate) peers: Option<u8>,
    pub(crate) catch_up: Option<bool>,
    pub(crate) timeout_ms: Option<f64>,
}

/// `unsubscribe`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Unsubscribe {
    pub(crate) subscription: u32,
}

/// `query`: one page. `from` and `to` are milliseconds since 1970.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Query {
    pub(crate) content_topics: Option<Vec<String>>,
    pub(crate) hashes: Option<Hashes>,
    pub(crate) shard: Option<u16>,
    pub(crate) from: Option<u64>,
    pub(crate) to: Option<u64>,
    pub(crate) order: Option<Text<Order>>,
    pub(crate) page_size: Option<u32>,
    pub(crate) cursor: Option<String>,
    pub(crate) timeout_ms: Option<f64>,
}

/// Which way the pages go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    Descending,
}

/// `plan`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Plan {
    pub(crate) content_topics: Vec<String>,
    pub(crate) shard: Option<u16>,
}

/// `has`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Has {
    pub(crate) hashes: Hashes,
    pub(crate) timeout_ms: Option<f64>,
}

/// Message hashes, as texts.
#[derive(Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub(crate) struct Hashes(Vec<String>);

impl Hashes {
    /// # Errors
    /// `invalid-options` for what is no hash.
    pub(crate) fn parse(self) -> Result<Vec<MessageHash>, NodeError> {
        let hash = |text: String| {
            text.parse()
                .map_err(|_| NodeError::option("hashes", format!("{text:?} is not a message hash")))
        };
        self.0.into_iter().map(hash).collect()
    }
}

/// `setPriority`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SetPriority {
    pub(crate) peer: PeerText,
    pub(crate) priority: Text<manager::Priority>,
}

/// `addRoute`, `removeRoute`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Route {
    pub(crate) peer: PeerText,
    pub(crate) address: String,
}

/// `protect`, `unprotect`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Protect {
    pub(crate) peer: PeerText,
    pub(crate) tag: String,
}

/// `tag`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Tag {
    pub(crate) peer: PeerText,
    pub(crate) name: String,
    pub(crate) value: i16,
    pub(crate) ttl_ms: Option<u64>,
}

/// `setRequirement`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SetRequirement {
    pub(crate) name: String,
    pub(crate) need: Need,
}

/// `setMaxByTransport`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SetMaxByTransport {
    pub(crate) limits: ByTransport,
}

/// `setLifetime`; absent: for ever.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SetLifetime {
    pub(crate) ms: Option<u64>,
}

/// `setLimits`; what is absent stays.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SetLimits {
    pub(crate) connections: Option<u16>,
    pub(crate) hard: Option<u16>,
}

/// `initialSyncStart`; absent: with the best.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Sync {
    pub(crate) peer: Option<PeerText>,
}

/// `enroll`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Enroll {
    pub(crate) name: String,
    pub(crate) protocols: Vec<String>,
    pub(crate) class: Option<Text<Class>>,
    pub(crate) weight: Option<u8>,
    pub(crate) min: Option<Bound>,
    pub(crate) max: Option<Bound>,
    pub(crate) requirement: Option<Need>,
    pub(crate) scores: Option<bool>,
    pub(crate) answer_ms: Option<u64>,
}

/// A number of connections, or a text such as `25%`.
pub(crate) enum Bound {
    Count(u16),
    Share(String),
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Bound;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of connections or a share of them")
            }

            fn visit_i64<E>(self, count: i64) -> Result<Bound, E> {
                Ok(Bound::Count(count.clamp(0, i64::from(u16::MAX)) as u16))
            }

            fn visit_str<E>(self, text: &str) -> Result<Bound, E> {
                Ok(Bound::Share(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// `acceptOffer`, `withdraw`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Enrolled {
    pub(crate) enrollment: u64,
}

/// `lock`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Lock {
    pub(crate) enrollment: u64,
    pub(crate) peer: PeerText,
    pub(crate) ttl_ms: u64,
}

/// `extendLock`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ExtendLock {
    pub(crate) lock: u64,
    pub(crate) ttl_ms: u64,
}

/// `unlock`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Unlock {
    pub(crate) lock: u64,
}

/// `burstOpen`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct BurstOpen {
    pub(crate) enrollment: u64,
    pub(crate) slots: u8,
    pub(crate) ms: u64,
}

/// `burstClose`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct BurstClose {
    pub(crate) burst: u64,
}

/// `report`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Report {
    pub(crate) enrollment: u64,
    pub(crate) peer: PeerText,
    pub(crate) outcome: Text<Outcome>,
}

/// `scores`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Scores {
    pub(crate) enrollment: u64,
    pub(crate) round: u64,
    scores: Entries<i16>,
}

impl Scores {
    /// Scores by peer. Who is no peer is left out: one wrong name is no reason to lose the others.
    pub(crate) fn by_peer(self) -> Vec<(PeerId, i16)> {
        let entries = self.scores.0.into_iter();
        entries
            .filter_map(|(peer, score)| Some((peer.parse().ok()?, score.clamp(-1_000, 1_000))))
            .collect()
    }
}

/// `cancel`.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Cancel {
    /// The request that nobody waits for any more.
    pub(crate) request: u32,
}
