//! What the library's and the HTTP side of a fleet share.

use std::{net::SocketAddr, sync::Arc};

use serde::Serialize;
use tokio::sync::broadcast;

use super::{
    ControlError,
    events::{Events, FleetEvent},
    fault::Action,
    network::{Network, PublishError},
    node::{Node, NodeInfo},
    options::SHARDS,
    records::Records,
    resolver::{Resolver, ResolverMode},
};

/// The network's parameters, as JavaScript names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInfo {
    /// The nodes' cluster.
    pub cluster_id: u16,
    /// Shards for autosharding.
    pub num_shards_in_cluster: u16,
}

/// A fleet as the control API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FleetInfo {
    /// The record tree's URL.
    pub enrtree: String,
    /// Where to look it up: a DNS-over-HTTPS template.
    pub resolver: String,
    /// How the resolver behaves.
    pub resolver_mode: ResolverMode,
    /// Cluster and shards.
    pub network: NetworkInfo,
    /// Messages in the shared log.
    pub messages: usize,
    /// The nodes, bootstrap nodes first.
    pub nodes: Vec<NodeInfo>,
}

/// See the module's documentation.
pub(crate) struct Core {
    address: SocketAddr,
    nodes: Vec<Node>,
    network: Arc<Network>,
    records: Arc<Records>,
    resolver: Resolver,
    events: Events,
}

impl Core {
    pub(crate) fn new(
        address: SocketAddr,
        nodes: Vec<Node>,
        network: Arc<Network>,
        records: Arc<Records>,
        resolver: Resolver,
        events: Events,
    ) -> Self {
        Self {
            address,
            nodes,
            network,
            records,
            resolver,
            events,
        }
    }

    pub(crate) fn parts(&self) -> (Arc<Network>, Arc<Records>, Events) {
        let (network, records) = (Arc::clone(&self.network), Arc::clone(&self.records));
        (network, records, self.events.clone())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    pub(crate) fn events(&self) -> broadcast::Receiver<FleetEvent> {
        self.events.subscribe()
    }

    pub(crate) fn info(&self) -> FleetInfo {
        FleetInfo {
            enrtree: self.resolver.url(),
            resolver: format!("http://{}/dns-query", self.address),
            resolver_mode: self.resolver.mode(),
            network: NetworkInfo {
                cluster_id: self.network.cluster(),
                num_shards_in_cluster: SHARDS,
            },
            messages: self.network.log().len(),
            nodes: self.nodes.iter().map(Node::info).collect(),
        }
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    fn find(&self, name: &str) -> Result<&Node, ControlError> {
        let found = self.nodes.iter().find(|node| node.name() == name);
        found.ok_or_else(|| ControlError::UnknownNode(name.to_owned()))
    }

    pub(crate) fn node(&self, name: &str) -> Result<NodeInfo, ControlError> {
        Ok(self.find(name)?.info())
    }

    pub(crate) async fn control(
        &self,
        name: &str,
        action: Action,
    ) -> Result<NodeInfo, ControlError> {
        let node = self.find(name)?;
        node.act(action).await?;
        Ok(node.info())
    }

    /// Publishes as if another node of the network had; gives the message's hash as text.
    pub(crate) fn publish(
        &self,
        content_topic: &str,
        payload: Vec<u8>,
        ephemeral: bool,
    ) -> Result<String, PublishError> {
        let hash = self
            .network
            .publish_own(content_topic, payload, ephemeral)?;
        Ok(hash.to_string())
    }
}
