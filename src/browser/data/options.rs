//! What a node is made of. The facade has checked its shape and filled in what was left out.

use serde::Deserialize;

use super::texts::Text;
use super::values::Entries;
use crate::manager::{self, Transport};

/// The options of a node.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Options {
    pub(crate) network: NetworkOptions,
    pub(crate) bootstrap: Vec<String>,
    pub(crate) resolvers: Vec<String>,
    pub(crate) require: Require,
    pub(crate) limits: Option<LimitsOptions>,
    /// By the places of the crate's table of numbers; what is no number is left as it is.
    pub(crate) policy: Option<Vec<f64>>,
    pub(crate) allow_private_addresses: bool,
    pub(crate) log: String,
}

/// One of the two says which shards there are.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct NetworkOptions {
    pub(crate) cluster_id: u16,
    pub(crate) shards: Option<Vec<u16>>,
    pub(crate) num_shards_in_cluster: Option<u16>,
    pub(crate) max_message_bytes: Option<u32>,
}

/// How many peers of each service.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Require {
    pub(crate) light_push: Need,
    pub(crate) filter: Need,
    pub(crate) store: Need,
}

/// A need with all of its numbers.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Need {
    min: u8,
    target: u8,
    max: u8,
}

impl From<Need> for manager::Need {
    fn from(need: Need) -> Self {
        Self {
            min: need.min,
            target: need.target,
            max: need.max,
        }
    }
}

/// How many connections.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct LimitsOptions {
    pub(crate) connections: Option<u16>,
    pub(crate) hard: Option<u16>,
    pub(crate) by_transport: Option<ByTransport>,
}

/// Limits by transport; null lifts one.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub(crate) struct ByTransport(Entries<Option<u16>>);

impl ByTransport {
    /// The transports that are known here, each with its limit.
    pub(crate) fn named(self) -> impl Iterator<Item = (Transport, Option<u16>)> {
        let entries = self.0.0.into_iter();
        entries.filter_map(|(name, max)| Some((Text::parse(&name)?.0, max)))
    }
}
