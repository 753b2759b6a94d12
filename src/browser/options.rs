//! Turns options into what a node is made of. The facade has checked their shape; here is what needs the crate to judge.

use libp2p::identity::Keypair;
use wasm_bindgen::JsValue;

use super::crossing::take;
use super::data::{ByTransport, NetworkOptions, Options};
use crate::discovery::dialable::Page;
use crate::node::{ErrorCode, Limits, LogLevel, Needs, NodeConfig, NodeError};
use crate::protocols::message;
use crate::protocols::network::{Network, NetworkError};

pub(super) fn read(options: JsValue) -> Result<NodeConfig, NodeError> {
    let options: Options = take(options)?;
    let limits = options.limits.unwrap_or_default();
    let by_transport = limits.by_transport.into_iter().flat_map(ByTransport::named);
    let max_message_bytes = options.network.max_message_bytes;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| NodeError::new(ErrorCode::Unsupported, error.to_string()))?;
    Ok(NodeConfig {
        // Servers of the network speak secp256k1 themselves; ed25519 is smaller and as good to them.
        keypair: Keypair::generate_ed25519(),
        seed,
        network: network(options.network)?,
        max_message_bytes: max_message_bytes.map_or(message::MAX_SIZE, |max| max as usize),
        bootstrap: NodeConfig::parse_bootstrap(&options.bootstrap)?,
        resolvers: options.resolvers,
        needs: Needs {
            light_push: options.require.light_push.into(),
            filter: options.require.filter.into(),
            store: options.require.store.into(),
        },
        limits: Limits {
            connections: limits.connections,
            hard: limits.hard,
            by_transport: by_transport
                .filter_map(|(transport, max)| Some((transport, max?)))
                .collect(),
        },
        policy: policy(&options.policy.unwrap_or_default())?,
        page: Page {
            secure: crate::transport::page_is_secure(),
            private_allowed: options.allow_private_addresses,
        },
        log: LogLevel::parse(&options.log),
    })
}

fn network(options: NetworkOptions) -> Result<Network, NodeError> {
    let cluster = options.cluster_id;
    match (options.shards, options.num_shards_in_cluster) {
        (Some(shards), _) => Network::fixed(cluster, shards),
        (None, Some(count)) => Network::auto(cluster, count),
        (None, None) => Err(NetworkError::NoShards),
    }
    .map_err(|error| NodeError::option("network", error.to_string()))
}

/// Those numbers that are given, with their places.
fn policy(numbers: &[f64]) -> Result<Vec<(usize, u64)>, NodeError> {
    let given = numbers
        .iter()
        .enumerate()
        .filter(|(_, number)| !number.is_nan());
    given
        .map(|(place, number)| {
            // Saturates, so what is no such number comes out different.
            let whole = *number as u64;
            if whole as f64 == *number {
                Ok((place, whole))
            } else {
                Err(NodeError::option("policy", "should be whole numbers"))
            }
        })
        .collect()
}
