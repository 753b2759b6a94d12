//! A local network of service nodes, for tests and for demonstrations. Native only, loopback only.
//!
//! A [`Fleet`] is a number of real libp2p nodes that listen on WebSocket ports of 127.0.0.1, in unequal [`Role`]s. They
//! answer as nwaku answers, over one shared and bounded message log that stands for the relay mesh: what one node is
//! given, every store knows and every filter pushes, without delay. The bootstrap nodes stand in a signed record tree
//! that the fleet serves by DNS over HTTPS; the others are learnt from them by peer exchange. Nodes and resolver can be
//! stopped and made to misbehave while they run ([`Action`], [`ResolverMode`]).
//!
//! | module | what it is |
//! |---|---|
//! | `options` | what a fleet is started with |
//! | `role`, `keys`, `records` | who the nodes are |
//! | `port` | ports that stay a node's own |
//! | `network`, `log` | the mesh and the messages it remembers |
//! | `services` | the request protocols, one file each |
//! | `node` | a node's task and its swarm |
//! | [`hostile`] | nodes that follow a script |
//! | `resolver` | the tree and its DNS side |
//! | `fault`, `bucket`, `events` | what goes wrong, and what is seen |
//! | `http` | control API, resolver and page |
//!
//! Bounds: 64 nodes; the log as `log` says; 1,000 subscribers of 1,000 criteria for each node; 256 messages waiting for
//! one subscriber; 64 streams of one protocol for a connection.

mod bucket;
mod core;
mod events;
mod fault;
pub mod hostile;
mod http;
mod keys;
mod log;
mod network;
mod node;
mod options;
mod port;
mod records;
mod resolver;
mod role;
mod services;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::TcpListener,
    sync::{broadcast, watch},
    task::JoinHandle,
};

pub use self::{
    bucket::Limit,
    core::{FleetInfo, NetworkInfo},
    events::{EventKind, FleetEvent},
    fault::{Action, Fault, NodeState, UnknownAction},
    network::PublishError,
    node::NodeInfo,
    options::{
        CommandLine, DEFAULT_CLUSTER, FleetOptions, MAX_NODES, Mount, OptionsError, SHARDS, USAGE,
    },
    resolver::{DOMAIN, ResolverMode, UnknownMode},
    role::{Place, Role, Service, deal, deal_hostile},
};
use self::{
    core::Core,
    events::Events,
    hostile::{Control, ScriptName},
    keys::{Key, Purpose},
    network::Network,
    node::{Blueprint, Node},
    port::PortHold,
    records::{Records, record_of},
    resolver::Resolver,
    services::Site,
};
use crate::discovery::{enr::EnrError, enrtree::UrlError};

/// How long requests under way may hold up the end of a fleet; more than a slow resolver takes.
const HTTP_GRACE: Duration = Duration::from_secs(4);

/// Why a fleet did not start.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The options cannot be fulfilled.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A port could not be had.
    #[error("port {port} of 127.0.0.1: {error}")]
    Port {
        /// Which, 0 for any.
        port: u16,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// A node did not start.
    #[error("node {node}: {error}")]
    Node {
        /// Its name.
        node: String,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// A record could not be made.
    #[error("record: {0}")]
    Record(#[from] EnrError),
    /// The tree could not be made.
    #[error("record tree: {0}")]
    Tree(#[from] UrlError),
}

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No node has this name.
    #[error("no node is named {0:?}")]
    UnknownNode(String),
    /// The node could not do it, most likely because its port is taken.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A running fleet. Dropping it leaves its tasks to the runtime; [`shutdown`](Self::shutdown) ends them.
pub struct Fleet {
    core: Arc<Core>,
    closing: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    http: JoinHandle<io::Result<()>>,
}

impl Fleet {
    /// Starts all nodes and the HTTP side; when this returns, everything listens.
    pub async fn start(options: FleetOptions) -> Result<Self, FleetError> {
        options.check()?;
        let FleetOptions { seed, cluster, .. } = options;
        let at_port = |port| move |error| FleetError::Port { port, error };

        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], options.port)))
            .await
            .map_err(at_port(options.port))?;
        let address = listener.local_addr().map_err(at_port(options.port))?;

        // Records name ports, and nodes hand out each other's records: all ports first, then all records, then nodes.
        let mut plans = Vec::with_capacity(options.nodes);
        let mut places = deal(options.nodes);
        deal_hostile(&mut places, &options.hostile);
        for (index, place) in places.into_iter().enumerate() {
            let port = match options.first_node_port() {
                0 => 0,
                first => first + index as u16,
            };
            let port = PortHold::take(port).map_err(at_port(port))?;
            let key = Key::derive(seed, Purpose::Identity, &place.name);
            let script = match place.role {
                Role::Hostile(script) => script.map(ScriptName::script),
                _ => None,
            };
            let services = match &script {
                Some(script) => script.services.clone(),
                None => place.role.services(options.bootstrap_serves).to_vec(),
            };
            let enr = record_of(&key, port.port(), cluster, &services)?;
            let hostile = script.map(|script| Arc::new(Control::new(script)));
            plans.push((place, port, key, services, hostile, enr));
        }
        let records = Records::new(plans.iter().map(|(place, .., enr)| (place.role, enr)));
        let records = Arc::new(records);

        let events = Events::new();
        let network = Arc::new(Network::new(cluster));
        let resolver = {
            let forger = Key::derive(seed, Purpose::Forger, DOMAIN);
            // A true address, so that whoever believes the forgery is seen connecting.
            let port = plans.first().map_or(0, |(_, port, ..)| port.port());
            let forged = record_of(&forger, port, cluster, &[])?.to_text();
            let in_tree = plans
                .iter()
                .filter(|(place, ..)| place.role == Role::Bootstrap);
            let in_tree: Vec<String> = in_tree.map(|(.., enr)| enr.to_text()).collect();
            let key = Key::derive(seed, Purpose::Tree, DOMAIN);
            Resolver::new(&key, &in_tree, &forger, forged, events.clone())?
        };

        let (mut nodes, mut tasks) = (Vec::new(), Vec::new());
        for (place, port, key, services, hostile, enr) in plans {
            let name = place.name.clone();
            let site = Site::new(
                name.clone(),
                enr.peer_id(),
                Arc::clone(&network),
                Arc::clone(&records),
                events.clone(),
            );
            let impostor = Key::derive(seed, Purpose::Impostor, &name);
            let (node, task) = Node::spawn(Blueprint {
                place,
                key,
                impostor,
                port,
                enr: enr.to_text(),
                services,
                site,
                hostile,
            });
            nodes.push(node);
            tasks.push(task);
        }
        for node in &nodes {
            let started = node.act(Action::Start).await;
            started.map_err(|error| FleetError::Node {
                node: node.name().to_owned(),
                error,
            })?;
        }

        let core = Arc::new(Core::new(
            address, nodes, network, records, resolver, events,
        ));
        let (closing, closed) = watch::channel(false);
        let http = http::serve(listener, Arc::clone(&core), &options.mounts, closed);
        Ok(Self {
            core,
            closing,
            tasks,
            http: tokio::spawn(http),
        })
    }

    /// Where page, control API and resolver are.
    pub fn http_addr(&self) -> SocketAddr {
        self.core.address()
    }

    /// Everything about the fleet at this moment.
    pub fn info(&self) -> FleetInfo {
        self.core.info()
    }

    /// The nodes at this moment, bootstrap nodes first.
    pub fn nodes(&self) -> Vec<NodeInfo> {
        self.core.info().nodes
    }

    /// One node at this moment.
    pub fn node(&self, name: &str) -> Result<NodeInfo, ControlError> {
        self.core.node(name)
    }

    /// Does something to a node, and returns when it has taken effect.
    pub async fn control(&self, name: &str, action: Action) -> Result<NodeInfo, ControlError> {
        self.core.control(name, action).await
    }

    /// Changes how the resolver behaves.
    pub fn set_resolver(&self, mode: ResolverMode) {
        self.core.resolver().set_mode(mode);
    }

    /// Publishes as if another node of the network had. Gives the message's hash, `0x` and lower-case hex.
    pub fn publish(
        &self,
        content_topic: &str,
        payload: Vec<u8>,
        ephemeral: bool,
    ) -> Result<String, PublishError> {
        self.core.publish(content_topic, payload, ephemeral)
    }

    /// What the nodes see from now on. A receiver that falls 1,024 events behind loses the oldest.
    pub fn events(&self) -> broadcast::Receiver<FleetEvent> {
        self.core.events()
    }

    /// What a node beside the fleet shares with its own.
    fn parts(&self) -> (Arc<Network>, Arc<Records>, Events) {
        self.core.parts()
    }

    /// Ends every node and the HTTP side, and returns when nothing listens any more.
    pub async fn shutdown(self) {
        let Self {
            core,
            closing,
            tasks,
            http,
        } = self;
        closing.send_replace(true);
        for node in core.nodes() {
            node.shut_down().await;
        }
        for task in tasks {
            // A task that panicked is as gone as one that ended.
            let _ = task.await;
        }
        let abort = http.abort_handle();
        if tokio::time::timeout(HTTP_GRACE, http).await.is_err() {
            abort.abort();
        }
    }
}
