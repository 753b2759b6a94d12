//! Reads the options. The facade has checked their shape; here is what needs the crate to judge.

use libp2p::identity::Keypair;
use serde::Deserialize;
use wasm_bindgen::JsValue;

use crate::discovery::dialable::Page;
use crate::manager::Need;
use crate::node::{LogLevel, Needs, NodeConfig, NodeError};
use crate::protocols::network::{Network, NetworkError};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    network: NetworkOption,
    bootstrap: Vec<String>,
    resolvers: Vec<String>,
    require: Require,
    allow_private_addresses: bool,
    log: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NetworkOption {
    cluster_id: u16,
    num_shards_in_cluster: Option<u16>,
    shards: Option<Vec<u16>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Require {
    light_push: NeedOption,
    filter: NeedOption,
    store: NeedOption,
}

/// A need with all of its numbers, as the facade fills them in.
#[derive(Deserialize, Clone, Copy)]
pub(super) struct NeedOption {
    min: u8,
    target: u8,
    max: u8,
}

impl From<NeedOption> for Need {
    fn from(need: NeedOption) -> Self {
        Self {
            min: need.min,
            target: need.target,
            max: need.max,
        }
    }
}

/// Turns options into what a node is made of, and the level of its log (`None`: off).
pub(super) fn read(options: JsValue) -> Result<(NodeConfig, Option<LogLevel>), NodeError> {
    let options: Options = serde_wasm_bindgen::from_value(options)
        .map_err(|error| NodeError::option("options", error.to_string()))?;
    let network = match (
        options.network.shards,
        options.network.num_shards_in_cluster,
    ) {
        (Some(shards), _) => Network::fixed(options.network.cluster_id, shards),
        (None, Some(count)) => Network::auto(options.network.cluster_id, count),
        (None, None) => Err(NetworkError::NoShards),
    }
    .map_err(|error| NodeError::option("network", error.to_string()))?;
    let bootstrap = NodeConfig::parse_bootstrap(&options.bootstrap)?;
    let page = Page {
        secure: crate::transport::page_is_secure(),
        private_allowed: options.allow_private_addresses,
    };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| NodeError::new(crate::node::ErrorCode::Unsupported, error.to_string()))?;
    let config = NodeConfig {
        // Servers of the network speak secp256k1 themselves; ed25519 is smaller and as good to them.
        keypair: Keypair::generate_ed25519(),
        seed,
        network,
        bootstrap,
        resolvers: options.resolvers,
        needs: Needs {
            light_push: options.require.light_push.into(),
            filter: options.require.filter.into(),
            store: options.require.store.into(),
        },
        page,
    };
    Ok((config, LogLevel::parse(&options.log)))
}
