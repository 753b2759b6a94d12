//! What is known of peers and connections.

use libp2p::{Multiaddr, PeerId};
use serde::Serialize;

use super::texts::Text;
use super::values::{Entries, Whole};
use crate::manager::{
    self, Direction, Health, HealthReason, PeerState, PeerView, Priority, Reason, RequirementId,
    RequirementView, Source,
};
use crate::node::{HealthView, Node};

/// The names of a node's requirements: its own and those of enrolled protocols.
pub(crate) struct Names(Vec<String>);

impl Names {
    pub(crate) fn of(node: &Node) -> Self {
        Self(node.requirement_names())
    }

    pub(super) fn one(&self, requirement: RequirementId) -> String {
        let name = self.0.get(usize::from(requirement.0));
        name.cloned().unwrap_or_default()
    }

    pub(super) fn all(&self, requirements: &[RequirementId]) -> Vec<String> {
        requirements.iter().map(|id| self.one(*id)).collect()
    }
}

/// `PeerInfo`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct PeerInfo {
    peer_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<Transport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<Text<Direction>>,
    state: Text<PeerState>,
    services: Vec<String>,
    serving: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shards: Option<Vec<u16>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    source: Text<Source>,
    priority: Text<Priority>,
    score: i16,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected_at: Option<Whole>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_reason: Option<Text<Reason>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_try_at: Option<Whole>,
}

impl PeerInfo {
    pub(crate) fn new(view: PeerView, names: &Names) -> Self {
        Self {
            peer_id: view.peer.to_string(),
            address: view.route.as_ref().map(|route| address(route, view.peer)),
            transport: view.route.as_ref().map(Transport::of),
            direction: view.direction.map(Text),
            state: Text(view.state),
            services: names.all(&view.services),
            serving: names.all(&view.serving),
            shards: view.shards,
            agent: view.agent,
            source: Text(view.source),
            priority: Text(view.priority),
            score: view.score,
            rtt_ms: view.rtt_ms,
            connected_at: view.connected_at_wall_ms.map(Whole::from),
            last_reason: view.last_reason.map(Text),
            next_try_at: view.next_try_at_wall_ms.map(Whole::from),
        }
    }
}

/// What carries a connection of a page.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum Transport {
    Ws,
    Wss,
}

impl Transport {
    /// `wss` for what runs over TLS.
    pub(super) fn of(route: &Multiaddr) -> Self {
        let secure = crate::discovery::ws_url::ws_url(route).is_ok_and(|url| url.secure);
        if secure { Self::Wss } else { Self::Ws }
    }
}

/// The address as users write it, with the peer's id at its end.
pub(super) fn address(route: &Multiaddr, peer: PeerId) -> String {
    format!("{route}/p2p/{peer}")
}

pub(super) fn peer_ids(peers: &[PeerId]) -> Vec<String> {
    peers.iter().map(ToString::to_string).collect()
}

/// `Health`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct HealthInfo {
    state: Text<Health>,
    requirements: Vec<RequirementStatus>,
    online: bool,
    reason: Text<HealthReason>,
}

/// `RequirementStatus`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct RequirementStatus {
    name: String,
    have: u8,
    min: u8,
    target: u8,
    state: Text<Health>,
    peers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_met_after_ms: Option<Whole>,
}

impl HealthInfo {
    /// `online`: what the browser says of its network.
    pub(crate) fn new(view: HealthView, online: bool, names: &Names) -> Self {
        let status = |view: RequirementView| RequirementStatus {
            name: names.one(view.id),
            have: view.have,
            min: view.min,
            target: view.target,
            state: Text(view.health),
            peers: peer_ids(&view.peers),
            first_met_after_ms: view.first_met_after_ms.map(Whole::from),
        };
        Self {
            state: Text(view.state),
            requirements: view.requirements.into_iter().map(status).collect(),
            online,
            reason: Text(view.reason),
        }
    }
}

/// `Stats`, but for the protocols and the decisions, which are asked for by themselves.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Stats {
    known: u32,
    open: u32,
    dialing: u32,
    soft: u16,
    hard: u16,
    banned: u32,
    locks: u32,
    inbound: u32,
    by_transport: Entries<u32>,
    dial_tokens: i32,
    deadline_lag_ms: Whole,
    dials: Whole,
    dial_failures: Whole,
    connects: Whole,
    disconnects: Whole,
    closes: Whole,
    replacements: Whole,
    rounds: Whole,
    denials: Whole,
    decided: Whole,
    events: Whole,
    commands: Whole,
}

impl From<manager::Stats> for Stats {
    fn from(stats: manager::Stats) -> Self {
        let by_transport = stats.by_transport.into_iter();
        Self {
            known: stats.known,
            open: stats.open,
            dialing: stats.dialing,
            soft: stats.soft,
            hard: stats.hard,
            banned: stats.banned,
            locks: stats.locks,
            inbound: stats.inbound,
            by_transport: Entries(
                by_transport
                    .map(|(transport, count)| (transport.as_str().to_owned(), count))
                    .collect(),
            ),
            dial_tokens: stats.dial_tokens,
            deadline_lag_ms: stats.deadline_lag_ms.into(),
            dials: stats.dials.into(),
            dial_failures: stats.dial_failures.into(),
            connects: stats.connects.into(),
            disconnects: stats.disconnects.into(),
            closes: stats.closes.into(),
            replacements: stats.replacements.into(),
            rounds: stats.rounds.into(),
            denials: stats.denials.into(),
            decided: stats.decisions.into(),
            events: stats.events.into(),
            commands: stats.commands.into(),
        }
    }
}
