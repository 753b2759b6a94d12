//! The plain data of the npm API, and its way to JavaScript.

use js_sys::{Array, Uint8Array};
use libp2p::{Multiaddr, PeerId};
use wasm_bindgen::JsValue;

use super::environment::Environment;
use super::object::{Plain, list};
use crate::manager::{
    Direction, Grant, Health, PeerState, PeerView, Priority, RequirementId, RequirementView,
    Source, Stats,
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

    pub(super) fn all(&self, requirements: &[RequirementId]) -> Array {
        list(requirements.iter().map(|id| self.one(*id)))
    }
}

/// `LightNodeError` as data; the facade makes the class of it.
pub(super) fn error(error: &NodeError) -> JsValue {
    Plain::new()
        .with("code", error.code.as_str())
        .with("message", &*error.message)
        .maybe("cause", error.cause)
        .maybe("peer", error.peer.as_ref().map(ToString::to_string))
        .maybe("address", error.address.as_deref())
        .maybe("option", error.option.as_deref())
        .maybe(
            "tried",
            (!error.tried.is_empty()).then(|| list(error.tried.iter().map(self::error))),
        )
        .into()
}

/// `PeerInfo`.
pub(super) fn peer_info(view: PeerView, names: &Names) -> Plain {
    let route = view.route.as_ref();
    Plain::new()
        .with("peerId", view.peer.to_string())
        .maybe("address", route.map(|route| address(route, view.peer)))
        .maybe("transport", route.map(transport))
        .maybe("direction", view.direction.map(direction))
        .with(
            "state",
            match view.state {
                PeerState::Known => "known",
                PeerState::Dialing => "dialing",
                PeerState::Connected => "connected",
                PeerState::Closing => "closing",
                PeerState::Cooling => "cooling",
                PeerState::Banned => "banned",
                PeerState::Parked => "parked",
            },
        )
        .with("services", names.all(&view.services))
        .with("serving", names.all(&view.serving))
        .maybe("shards", view.shards.map(list))
        .maybe("agent", view.agent)
        .with("source", source(view.source))
        .with(
            "priority",
            match view.priority {
                Priority::High => "high",
                Priority::Medium => "medium",
                Priority::Low => "low",
                Priority::Banned => "banned",
            },
        )
        .with("score", view.score)
        .maybe("rttMs", view.rtt_ms)
        .maybe("connectedAt", view.connected_at_wall_ms.map(|ms| ms as f64))
        .maybe("lastReason", view.last_reason.map(|reason| reason.as_str()))
        .maybe("nextTryAt", view.next_try_at_wall_ms.map(|ms| ms as f64))
}

/// What `health()` gives.
pub(super) fn health_info(view: HealthView, names: &Names) -> JsValue {
    let status = |view: RequirementView| {
        let first_met = view.first_met_after_ms.map(|ms| ms as f64);
        Plain::new()
            .with("name", names.one(view.id))
            .with("have", view.have)
            .with("min", view.min)
            .with("target", view.target)
            .with("state", health(view.health))
            .with("peers", peer_ids(&view.peers))
            .maybe("firstMetAfterMs", first_met)
    };
    Plain::new()
        .with("state", health(view.state))
        .with(
            "requirements",
            list(view.requirements.into_iter().map(status)),
        )
        .with("online", Environment::is_online())
        .with("reason", view.reason.as_str())
        .into()
}

pub(super) fn peer_ids(peers: &[PeerId]) -> Array {
    list(peers.iter().map(ToString::to_string))
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
    let by_transport = stats
        .by_transport
        .iter()
        .fold(Plain::new(), |object, (transport, count)| {
            object.with(transport.as_str(), *count)
        });
    let object = Plain::new()
        .with("dialTokens", stats.dial_tokens)
        .with("byTransport", by_transport);
    let object = fields
        .into_iter()
        .fold(object, |object, (name, number)| object.count(name, number));
    object.into()
}

/// Adds `low` and `high`.
pub(super) fn grant(object: Plain, grant: Grant) -> Plain {
    object.with("low", grant.low).with("high", grant.high)
}

/// `Message`.
pub(super) fn message(received: Received) -> Plain {
    let message = received.message;
    let timestamp_ns = message.timestamp.unwrap_or(0);
    Plain::new()
        .with("contentTopic", message.content_topic())
        .with("payload", bytes(message.payload.unwrap_or_default()))
        // Milliseconds lose what a number can't hold; `timestampNs` has it all.
        .with("timestamp", (timestamp_ns / 1_000_000) as f64)
        .with("timestampNs", timestamp_ns)
        .with("hash", hash(&received.hash))
        .with("shard", received.pubsub_topic.shard)
        .with("ephemeral", message.ephemeral.unwrap_or(false))
        .maybe("meta", message.meta.map(bytes))
        .with("peer", received.peer.to_string())
        .with("via", received.via.as_str())
}

fn bytes(bytes: Vec<u8>) -> Uint8Array {
    Uint8Array::from(&*bytes)
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
