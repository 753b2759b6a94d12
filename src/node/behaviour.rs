//! The behaviours of a node, in the order in which they are asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{StreamProtocol, identify};

use super::gate::Gate;
use super::streams;
use crate::manager::Recorded;
use crate::protocols::ids;

/// What identify calls us.
const AGENT: &str = concat!("lightkeeper/", env!("CARGO_PKG_VERSION"));

/// Identify again only after a day: servers push what changes, and a page seldom lives that long.
const IDENTIFY_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// Metadata streams that a peer may open at once (metadata.md, section 7).
const MAX_METADATA_STREAMS: usize = 2;

/// Filter pushes that a peer may open at once: go-waku opens one for each message, hundreds in a burst towards a page that
/// was frozen. What they hold is bounded by bytes and time.
const MAX_PUSH_STREAMS: usize = 1_024;

/// See the module's documentation.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    /// First, so that a denial precedes the others' state.
    pub(super) gate: Gate,
    pub(super) identify: identify::Behaviour,
    pub(super) streams: streams::Behaviour,
}

impl Behaviour {
    pub(super) fn new(keypair: &Keypair, manager: Arc<Mutex<Recorded>>) -> Self {
        let identify = identify::Config::new("ipfs/0.1.0".into(), keypair.public())
            .with_agent_version(AGENT.into())
            .with_interval(IDENTIFY_INTERVAL)
            // The manager keeps the addresses.
            .with_cache_size(0);
        let inbound = |name, max_streams| streams::InboundProtocol {
            name: StreamProtocol::new(name),
            max_streams,
        };
        Self {
            gate: Gate::new(manager),
            identify: identify::Behaviour::new(identify),
            streams: streams::Behaviour::new(streams::Config {
                // What identify announces: servers ask metadata just after connecting, and forget the subscriptions of
                // who does not list filter-push (metadata.md, section 3; filter.md, section 2).
                inbound: vec![
                    inbound(ids::METADATA, MAX_METADATA_STREAMS),
                    inbound(ids::FILTER_PUSH, MAX_PUSH_STREAMS),
                ],
                ..streams::Config::default()
            }),
        }
    }
}
