//! Reads the options. The facade has checked their shape; here is what needs the crate to judge.

use libp2p::identity::Keypair;
use wasm_bindgen::JsValue;

use super::manage::by_transport;
use super::object::{Object, needed};
use crate::discovery::dialable::Page;
use crate::manager::Need;
use crate::node::{Limits, LogLevel, Needs, NodeConfig, NodeError};
use crate::protocols::message;
use crate::protocols::network::{Network, NetworkError};

/// A need with all of its numbers, as the facade fills them in.
pub(super) fn need(need: &Object) -> Result<Need, NodeError> {
    let number = |name| needed(need.integer(name)?, name);
    Ok(Need {
        min: number("min")?,
        target: number("target")?,
        max: number("max")?,
    })
}

fn limits(limits: &Object) -> Result<Limits, NodeError> {
    let by_transport = by_transport(&limits.object("byTransport"))?.into_iter();
    Ok(Limits {
        connections: limits.integer("connections")?,
        hard: limits.integer("hard")?,
        by_transport: by_transport
            .filter_map(|(transport, max)| Some((transport, max?)))
            .collect(),
    })
}

/// Turns options into what a node is made of.
pub(super) fn read(options: JsValue) -> Result<NodeConfig, NodeError> {
    let options = Object(options);
    let network = options.object("network");
    let cluster = needed(network.integer("clusterId")?, "clusterId")?;
    let shards = network.shards("shards")?;
    let max_message_bytes = network.integer("maxMessageBytes")?;
    let max_message_bytes = max_message_bytes.map_or(message::MAX_SIZE, |max: u32| max as usize);
    let network = match (shards, network.integer("numShardsInCluster")?) {
        (Some(shards), _) => Network::fixed(cluster, shards),
        (None, Some(count)) => Network::auto(cluster, count),
        (None, None) => Err(NetworkError::NoShards),
    }
    .map_err(|error| NodeError::option("network", error.to_string()))?;
    let bootstrap = needed(options.texts("bootstrap")?, "bootstrap")?;
    let bootstrap = NodeConfig::parse_bootstrap(&bootstrap)?;
    let require = options.object("require");
    let log = needed(options.text("log")?, "log")?;
    let page = Page {
        secure: crate::transport::page_is_secure(),
        private_allowed: needed(
            options.flag("allowPrivateAddresses")?,
            "allowPrivateAddresses",
        )?,
    };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| NodeError::new(crate::node::ErrorCode::Unsupported, error.to_string()))?;
    let config = NodeConfig {
        // Servers of the network speak secp256k1 themselves; ed25519 is smaller and as good to them.
        keypair: Keypair::generate_ed25519(),
        seed,
        network,
        max_message_bytes,
        bootstrap,
        resolvers: needed(options.texts("resolvers")?, "resolvers")?,
        needs: Needs {
            light_push: need(&require.object("lightPush"))?,
            filter: need(&require.object("filter"))?,
            store: need(&require.object("store"))?,
        },
        limits: limits(&options.object("limits"))?,
        policy: options.numbers("policy")?,
        page,
        log: LogLevel::parse(&log),
    };
    Ok(config)
}
