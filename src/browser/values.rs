//! The plain data of the npm API, and its way to JavaScript.

use libp2p::{Multiaddr, PeerId};
use serde::{Serialize, Serializer};
use wasm_bindgen::JsValue;

use super::environment::Environment;
use super::object::Plain;
use crate::manager::{
    Direction, Grant, Health, PeerState, PeerView, Priority, RequirementId, Source, Stats,
};
use crate::node::{HealthView, Node, NodeError, Received};

/// The names of a node's requirements: its own and those of enrolled protocols.
pub(super) struct Names(Vec<String>);

impl Names {
    pub(super) fn of(node: &Node) -> Self {
        Self(node.requirement_names())
    }

    pub(super) fn one(&self, requirement: RequirementId) -> &str {
        let name = self.0.get(usize::from(requirement.0));
        name.map_or("", String::as_str)
    }

    pub(super) fn all(&self, requirements: &[RequirementId]) -> Vec<String> {
        let names = requirements.iter().map(|id| self.one(*id).to_owned());
        names.collect()
    }
}

/// Plain objects, absent instead of null, `BigInt` for 64-bit integers (which only `timestampNs` is).
pub(super) fn to_js(value: &impl Serialize) -> JsValue {
    let serializer = serde_wasm_bindgen::Serializer::new()
        .serialize_maps_as_objects(true)
        .serialize_large_number_types_as_bigints(true);
    value
        .serialize(&serializer)
        .expect("our own data always serializes")
}

/// `LightNodeError` as data; the facade makes the class of it.
#[derive(Serialize)]
struct ErrorValue<'a> {
    code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    option: Option<&'a str>,
}

pub(super) fn error(error: &NodeError) -> JsValue {
    to_js(&ErrorValue {
        code: error.code.as_str(),
        message: &error.message,
        cause: error.cause,
        peer: error.peer.as_ref().map(ToString::to_string),
        address: error.address.as_deref(),
        option: error.option.as_deref(),
    })
}

/// Bytes that cross as a `Uint8Array`.
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

/// `PeerInfo`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PeerInfo {
    peer_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    state: &'static str,
    services: Vec<String>,
    serving: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shards: Option<Vec<u16>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    source: &'static str,
    priority: &'static str,
    score: i16,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_try_at: Option<f64>,
}

impl PeerInfo {
    pub(super) fn new(view: PeerView, names: &Names) -> Self {
        Self {
            peer_id: view.peer.to_string(),
            address: view.route.as_ref().map(|route| address(route, view.peer)),
            transport: view.route.as_ref().map(transport),
            direction: view.direction.map(direction),
            state: match view.state {
                PeerState::Known => "known",
                PeerState::Dialing => "dialing",
                PeerState::Connected => "connected",
                PeerState::Closing => "closing",
                PeerState::Cooling => "cooling",
                PeerState::Banned => "banned",
                PeerState::Parked => "parked",
            },
            services: names.all(&view.services),
            serving: names.all(&view.serving),
            shards: view.shards,
            agent: view.agent,
            source: source(view.source),
            priority: match view.priority {
                Priority::High => "high",
                Priority::Medium => "medium",
                Priority::Low => "low",
                Priority::Banned => "banned",
            },
            score: view.score,
            rtt_ms: view.rtt_ms,
            connected_at: view.connected_at_wall_ms.map(|ms| ms as f64),
            last_reason: view.last_reason.map(|reason| reason.as_str()),
            next_try_at: view.next_try_at_wall_ms.map(|ms| ms as f64),
        }
    }
}

/// What `health()` gives.
#[derive(Serialize)]
pub(super) struct HealthInfo {
    state: &'static str,
    requirements: Vec<RequirementStatus>,
    online: bool,
    reason: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequirementStatus {
    name: String,
    have: u8,
    min: u8,
    target: u8,
    state: &'static str,
    peers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_met_after_ms: Option<f64>,
}

impl HealthInfo {
    pub(super) fn new(view: HealthView, names: &Names) -> Self {
        Self {
            state: health(view.state),
            requirements: view
                .requirements
                .into_iter()
                .map(|requirement| RequirementStatus {
                    name: names.one(requirement.id).to_owned(),
                    have: requirement.have,
                    min: requirement.min,
                    target: requirement.target,
                    state: health(requirement.health),
                    peers: requirement.peers.iter().map(ToString::to_string).collect(),
                    first_met_after_ms: requirement.first_met_after_ms.map(|ms| ms as f64),
                })
                .collect(),
            online: Environment::is_online(),
            reason: view.reason.as_str(),
        }
    }
}

/// What `stats` gives.
pub(super) fn stats(stats: &Stats) -> JsValue {
    let fields = [
        ("known", u64::from(stats.known)),
        ("open", u64::from(stats.open)),
        ("dialing", u64::from(stats.dialing)),
        ("soft", u64::from(stats.soft)),
        ("hard", u64::from(stats.hard)),
        ("banned", u64::from(stats.banned)),
        ("locks", u64::from(stats.locks)),
        ("inbound", u64::from(stats.inbound)),
        ("deadlineLagMs", stats.deadline_lag_ms),
        ("dials", stats.dials),
        ("dialFailures", stats.dial_failures),
        ("connects", stats.connects),
        ("disconnects", stats.disconnects),
        ("closes", stats.closes),
        ("replacements", stats.replacements),
        ("rounds", stats.rounds),
        ("denials", stats.denials),
        ("decided", stats.decisions),
        ("events", stats.events),
        ("commands", stats.commands),
    ];
    let by_transport = Plain::new();
    for (transport, count) in &stats.by_transport {
        by_transport.set(transport.as_str(), &JsValue::from(*count));
    }
    let object = Plain::new()
        .with("dialTokens", stats.dial_tokens)
        .with("byTransport", by_transport);
    for (name, number) in fields {
        object.set(name, &JsValue::from_f64(number as f64));
    }
    object.into()
}

/// Adds `low` and `high`.
pub(super) fn grant(object: Plain, grant: Grant) -> Plain {
    object.with("low", grant.low).with("high", grant.high)
}

/// `Message`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    content_topic: String,
    payload: Bytes,
    timestamp: f64,
    timestamp_ns: i64,
    hash: String,
    shard: u16,
    ephemeral: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Bytes>,
    peer: String,
}

impl From<Received> for Message {
    fn from(received: Received) -> Self {
        let message = received.message;
        let timestamp_ns = message.timestamp.unwrap_or(0);
        Self {
            content_topic: message.content_topic().to_owned(),
            // Milliseconds lose what a number can't hold; `timestampNs` has it all.
            timestamp: (timestamp_ns / 1_000_000) as f64,
            timestamp_ns,
            hash: hash(&received.hash),
            shard: received.pubsub_topic.shard,
            ephemeral: message.ephemeral.unwrap_or(false),
            meta: message.meta.map(Bytes),
            payload: Bytes(message.payload.unwrap_or_default()),
            peer: received.peer.to_string(),
        }
    }
}

/// A message hash: 64 hexadecimal letters.
pub(super) fn hash(hash: &crate::protocols::message::MessageHash) -> String {
    data_encoding::HEXLOWER.encode(hash.as_bytes())
}

pub(super) fn health(health: Health) -> &'static str {
    match health {
        Health::Unmet => "unmet",
        Health::Minimal => "minimal",
        Health::Met => "met",
    }
}

pub(super) fn source(source: Source) -> &'static str {
    match source {
        Source::Dns => "dns",
        Source::PeerExchange => "peer-exchange",
        Source::Static => "static",
        Source::Foreign => "foreign",
        Source::Saved => "saved",
    }
}

pub(super) fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Outbound => "outbound",
        Direction::Inbound => "inbound",
    }
}

/// The address as users write it, with the peer's id at its end.
pub(super) fn address(route: &Multiaddr, peer: PeerId) -> String {
    format!("{route}/p2p/{peer}")
}

/// `wss` for what runs over TLS.
pub(super) fn transport(route: &Multiaddr) -> &'static str {
    let secure = crate::discovery::ws_url::ws_url(route).is_ok_and(|url| url.secure);
    if secure { "wss" } else { "ws" }
}
