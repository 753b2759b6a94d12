//! What a node is made of, and how the texts that a user gives become it.

use libp2p::PeerId;
use libp2p::identity::Keypair;
use libp2p::multiaddr::{Multiaddr, Protocol};

use super::error::NodeError;
use super::event::LogLevel;
use crate::discovery::address;
use crate::discovery::dialable::Page;
use crate::discovery::enr::Enr;
use crate::discovery::enrtree::EnrTreeUrl;
use crate::manager::{Config, Need, RequirementId, RequirementSpec, Transport};
use crate::protocols::ids;
use crate::protocols::network::Network;

/// The place of lightpush among the requirements.
pub const LIGHT_PUSH: RequirementId = RequirementId(0);
/// The place of filter among the requirements.
pub const FILTER: RequirementId = RequirementId(1);
/// The place of store among the requirements.
pub const STORE: RequirementId = RequirementId(2);

/// The names of the requirements that every node has, in the order of their places.
pub const REQUIREMENT_NAMES: [&str; 3] = ["lightPush", "filter", "store"];

/// How many peers each service wants.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    /// Lightpush, version 3 or 2.
    pub light_push: Need,
    /// Filter.
    pub filter: Need,
    /// Store, version 3.
    pub store: Need,
}

impl Default for Needs {
    /// The preset of a light client (contract.md 4.3).
    fn default() -> Self {
        let need = |min, target, max| Need { min, target, max };
        Self {
            light_push: need(1, 2, 4),
            filter: need(1, 2, 4),
            store: need(0, 1, 2),
        }
    }
}

impl Needs {
    pub(super) fn requirements(&self) -> Vec<RequirementSpec> {
        let spec = |id: RequirementId, protocols: &[&str], need| RequirementSpec {
            name: REQUIREMENT_NAMES[usize::from(id.0)].to_owned(),
            protocols: protocols.iter().map(|p| (*p).to_owned()).collect(),
            need,
        };
        vec![
            spec(
                LIGHT_PUSH,
                &[ids::LIGHTPUSH_V3, ids::LIGHTPUSH_V2],
                self.light_push,
            ),
            spec(FILTER, &[ids::FILTER_SUBSCRIBE], self.filter),
            spec(STORE, &[ids::STORE_QUERY], self.store),
        ]
    }
}

/// Everything that a node needs to know before it starts.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Who we are.
    pub keypair: Keypair,
    /// Decides every choice between equals.
    pub seed: [u8; 32],
    /// The cluster and its shards.
    pub network: Network,
    /// The largest message that the network carries, encoded, in bytes
    /// ([`MAX_SIZE`](crate::protocols::message::MAX_SIZE) on the default network).
    pub max_message_bytes: usize,
    /// Where to begin.
    pub bootstrap: Vec<Bootstrap>,
    /// DNS-over-HTTPS endpoints (RFC 8484), tried in turn.
    pub resolvers: Vec<String>,
    /// How many peers of each service.
    pub needs: Needs,
    /// How many connections.
    pub limits: Limits,
    /// Numbers of the manager's configuration that are not the defaults, by their places in
    /// [`manager::Config::NUMBERS`](crate::manager::Config::NUMBERS).
    pub policy: Vec<(usize, u64)>,
    /// What this page may dial.
    pub page: Page,
    /// The least that is logged; `None`: nothing.
    pub log: Option<LogLevel>,
}

/// The `limits` option. What is absent is the manager's default.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// The soft target of connections.
    pub connections: Option<u16>,
    /// The hard cap of connections and dials together.
    pub hard: Option<u16>,
    /// The most of each transport.
    pub by_transport: Vec<(Transport, u16)>,
}

/// The hard cap that belongs to a soft target: a quarter more, and at least two, so that a replacement can be made before
/// the old connection is broken (contract.md 4.4).
pub(super) fn hard_for(soft: u16) -> u16 {
    soft.saturating_add(2.max(soft.div_ceil(4)))
}

/// # Errors
/// `invalid-options`.
pub(super) fn check_limits(soft: u16, hard: u16) -> Result<(), NodeError> {
    if soft == 0 {
        let message = "there should be room for at least one connection";
        return Err(NodeError::option("limits.connections", message));
    }
    if hard < soft {
        let message = format!("the hard limit should be at least the other one, {soft}");
        return Err(NodeError::option("limits.hard", message));
    }
    Ok(())
}

/// One entry of the `bootstrap` option.
#[derive(Debug, Clone)]
pub enum Bootstrap {
    /// `enrtree://…`: a signed list of bootstrap peers.
    Tree(EnrTreeUrl),
    /// `enr:…`: a static peer.
    Record(Box<Enr>),
    /// `/…/p2p/…`: a static peer. The address has no `/p2p/…` any more.
    Address(PeerId, Multiaddr),
    /// `/dnsaddr/…/p2p/…`: a static peer whose addresses stand in the DNS (resolved by us).
    DnsAddr(PeerId, String),
}

impl Bootstrap {
    /// Reads one entry.
    ///
    /// # Errors
    /// Says what is wrong and what the entry should be.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("enrtree:") {
            return text
                .parse()
                .map(Self::Tree)
                .map_err(|error| format!("{text:?} is not a valid enrtree:// URL: {error}"));
        }
        if text.starts_with("enr:") {
            return Enr::from_text(text)
                .map(|enr| Self::Record(Box::new(enr)))
                .map_err(|error| format!("{text:?} is not a valid node record: {error}"));
        }
        if !text.starts_with('/') {
            return Err(format!(
                "{text:?} should be an enrtree:// URL, a multiaddr that ends in /p2p/…, or an enr: text"
            ));
        }
        let mut address = address::parse(text)
            .map_err(|error| format!("{text:?} is not a valid multiaddr: {error}"))?;
        let Some(Protocol::P2p(peer)) = address.pop() else {
            return Err(format!("{text:?} should end in /p2p/ and the peer's id"));
        };
        match address.iter().next() {
            Some(Protocol::Dnsaddr(domain)) => Ok(Self::DnsAddr(peer, domain.into_owned())),
            Some(_) => Ok(Self::Address(peer, address)),
            None => Err(format!("{text:?} should name an address before /p2p/")),
        }
    }
}

impl NodeConfig {
    /// The manager's configuration.
    ///
    /// # Errors
    /// `invalid-options` for a number that does not fit its place (`policy[PLACE]`), and for limits out of order.
    pub(super) fn manager(&self, local: PeerId, has_dns: bool) -> Result<Config, NodeError> {
        let requirements = self.needs.requirements();
        let mut config = Config::light_node(local, requirements, ids::PEER_EXCHANGE, has_dns);
        for (place, value) in &self.policy {
            if !config.set_number(*place, *value) {
                return Err(NodeError::option(
                    format!("policy[{place}]"),
                    format!("{value} is out of range"),
                ));
            }
        }
        if let Some(soft) = self.limits.connections {
            config.soft_connections = soft;
            config.hard_connections = hard_for(soft);
        }
        if let Some(hard) = self.limits.hard {
            config.hard_connections = hard;
        }
        check_limits(config.soft_connections, config.hard_connections)?;
        Ok(config)
    }

    /// Reads the `bootstrap` option.
    ///
    /// # Errors
    /// `invalid-options`, naming the first entry that is wrong.
    pub fn parse_bootstrap(texts: &[String]) -> Result<Vec<Bootstrap>, NodeError> {
        texts
            .iter()
            .enumerate()
            .map(|(at, text)| {
                Bootstrap::parse(text)
                    .map_err(|message| NodeError::option(format!("bootstrap[{at}]"), message))
            })
            .collect()
    }
}
