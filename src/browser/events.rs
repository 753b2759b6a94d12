//! The node's events as the messages that the sink gets (api.md, "Events").

use serde::Serialize;
use wasm_bindgen::JsValue;

use super::object::{Plain, list};
use super::values::{
    self, Names, PeerInfo, address, direction, grant, health, source, to_js, transport,
};
use crate::manager::{
    BurstAnswer, BurstId, EnrollmentId, Failed, Grant, LockAnswer, LockId, Notice, Offer,
};
use crate::node::{Node, NodeEvent, SubscriptionState};

/// `{ kind: "event", type, detail }`.
#[derive(Serialize)]
struct EventMessage<T: Serialize> {
    kind: &'static str,
    r#type: &'static str,
    detail: T,
}

fn event(r#type: &'static str, detail: impl Serialize) -> JsValue {
    to_js(&EventMessage {
        kind: "event",
        r#type,
        detail,
    })
}

/// All details in one struct of optional fields: a type for each event would cost the wasm more than it is worth.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Detail {
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocols: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deliberate: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uptime_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    will_reconnect: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    down_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gained: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requirement: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gap_ms: Option<f64>,
    #[serde(rename = "kind", skip_serializing_if = "Option::is_none")]
    fail_kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    will_retry_at: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    have: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crossed: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_topics: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filled: Option<bool>,
}

/// `{ kind: "message", subscription, message }`.
#[derive(Serialize)]
struct MessageMessage {
    kind: &'static str,
    subscription: u32,
    message: values::Message,
}

/// `{ kind: "subscription", subscription, state, peers, reason? }`.
#[derive(Serialize)]
struct SubscriptionMessage {
    kind: &'static str,
    subscription: u32,
    state: &'static str,
    peers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// `{ kind: "log", level, target, message }`.
#[derive(Serialize)]
struct LogMessage {
    kind: &'static str,
    level: &'static str,
    target: &'static str,
    message: String,
}

/// The message for an event. The node is asked for what an event leaves out (a peer's address).
pub(super) fn to_message(node: &Node, happened: NodeEvent) -> JsValue {
    match happened {
        NodeEvent::Manager(notice) => notice_message(node, notice),
        NodeEvent::Message(subscription, received) => to_js(&MessageMessage {
            kind: "message",
            subscription: subscription.0,
            message: (*received).into(),
        }),
        NodeEvent::Subscription {
            id,
            state,
            peers,
            reason,
        } => to_js(&SubscriptionMessage {
            kind: "subscription",
            subscription: id.0,
            state: match state {
                SubscriptionState::Active => "active",
                SubscriptionState::Moving => "moving",
                SubscriptionState::Closed => "closed",
            },
            peers: peers.iter().map(ToString::to_string).collect(),
            reason: reason.map(|reason| reason.as_str()),
        }),
        NodeEvent::Gap {
            content_topics,
            from_ms,
            to_ms,
            cause,
        } => event(
            "filter:gap",
            Detail {
                content_topics: Some(content_topics),
                from: Some(from_ms as f64),
                to: Some(to_ms as f64),
                cause: Some(cause.as_str()),
                filled: Some(false),
                ..Detail::default()
            },
        ),
        NodeEvent::Offer(enrollment, offer) => offer_message(enrollment, offer),
        NodeEvent::Lock(lock, answer) => lock_message(lock, answer),
        NodeEvent::Burst(burst, answer) => burst_message(burst, answer),
        NodeEvent::Scores {
            enrollment,
            round,
            peers,
            deadline_ms,
        } => {
            let names = Names::of(node);
            let peers = peers.into_iter();
            Plain::new()
                .with("kind", "scores")
                .with("enrollment", enrollment.0 as f64)
                .with("round", round as f64)
                .with(
                    "peers",
                    list(peers.map(|view| to_js(&PeerInfo::new(view, &names)))),
                )
                .with("deadlineMs", deadline_ms)
                .into()
        }
        NodeEvent::Log(level, target, message) => to_js(&LogMessage {
            kind: "log",
            level: level.as_str(),
            target,
            message,
        }),
    }
}

/// `{ kind: "offer", enrollment, low, high, counter, answerMs?, ended?, rejected? }`.
fn offer_message(enrollment: EnrollmentId, offer: Offer) -> JsValue {
    let message = Plain::new()
        .with("kind", "offer")
        .with("enrollment", enrollment.0 as f64);
    let (share, counter) = match offer {
        // What is left of a grant holds already: there is nothing to answer.
        Offer::Granted(grant)
        | Offer::Counter {
            grant,
            answer_ms: 0,
        } => (grant, None),
        Offer::Counter { grant, answer_ms } => (grant, Some(answer_ms)),
        Offer::Rejected(_) | Offer::Ended => (Grant::default(), None),
    };
    let message = grant(message, share)
        .with("counter", counter.is_some())
        .maybe("answerMs", counter.map(|ms| ms as f64));
    match offer {
        Offer::Rejected(reason) => message.with("rejected", reason.as_str()),
        Offer::Ended => message.with("ended", true),
        Offer::Granted(_) | Offer::Counter { .. } => message,
    }
    .into()
}

/// `{ kind: "lock", lock, state, reason?, graceMs? }`.
fn lock_message(lock: LockId, answer: LockAnswer) -> JsValue {
    let message = Plain::new()
        .with("kind", "lock")
        .with("lock", lock.0 as f64);
    match answer {
        LockAnswer::Granted { .. } => message.with("state", "granted"),
        LockAnswer::Revoked { reason, grace_ms } => message
            .with("state", "revoked")
            .with("reason", reason.as_str())
            .with("graceMs", grace_ms as f64),
        LockAnswer::Denied(_) | LockAnswer::Ended => message.with("state", "ended"),
    }
    .into()
}

/// `{ kind: "burst", burst, state, slots? }`.
fn burst_message(burst: BurstId, answer: BurstAnswer) -> JsValue {
    let message = Plain::new()
        .with("kind", "burst")
        .with("burst", burst.0 as f64);
    match answer {
        BurstAnswer::Granted { slots } => message.with("state", "granted").with("slots", slots),
        BurstAnswer::Denied(_) | BurstAnswer::Closed => message.with("state", "closed"),
    }
    .into()
}

fn notice_message(node: &Node, notice: Notice) -> JsValue {
    let names = Names::of(node);
    let about = |peer: &libp2p::PeerId| Detail {
        peer_id: Some(peer.to_string()),
        ..Detail::default()
    };
    match notice {
        Notice::Discovered {
            peer,
            source: from,
            claims,
        } => event(
            "peer:discovery",
            Detail {
                source: Some(source(from)),
                claims: Some(names.all(&claims)),
                ..about(&peer)
            },
        ),
        Notice::Connected {
            peer,
            route,
            direction: opened_by,
        } => event(
            "peer:connect",
            Detail {
                address: Some(address(&route, peer)),
                transport: Some(transport(&route)),
                direction: Some(direction(opened_by)),
                ..about(&peer)
            },
        ),
        Notice::Identified {
            peer,
            protocols,
            agent,
        } => {
            let view = node.peer(&peer);
            let route = view.as_ref().and_then(|view| view.route.as_ref());
            event(
                "peer:identify",
                Detail {
                    address: route.map(|route| address(route, peer)),
                    transport: route.map(transport),
                    direction: view.as_ref().and_then(|view| view.direction).map(direction),
                    protocols: Some(protocols),
                    agent: Some(agent),
                    ..about(&peer)
                },
            )
        }
        Notice::Disconnected {
            peer,
            cause,
            reason,
            deliberate,
            uptime_ms,
            will_reconnect,
        } => event(
            "peer:disconnect",
            Detail {
                cause: Some(cause.as_str()),
                reason: Some(reason.as_str()),
                deliberate: Some(deliberate),
                uptime_ms: Some(uptime_ms as f64),
                will_reconnect: Some(will_reconnect),
                ..about(&peer)
            },
        ),
        Notice::Reconnected {
            peer,
            down_ms,
            attempts,
        } => event(
            "peer:reconnect",
            Detail {
                down_ms: Some(down_ms as f64),
                attempts: Some(attempts),
                ..about(&peer)
            },
        ),
        Notice::Replaced {
            lost,
            gained,
            requirement,
            gap_ms,
        } => event(
            "peer:replace",
            Detail {
                lost: Some(lost.to_string()),
                gained: Some(gained.to_string()),
                requirement: Some(names.one(requirement).to_owned()),
                gap_ms: Some(gap_ms as f64),
                ..Detail::default()
            },
        ),
        Notice::Failed {
            peer,
            failed,
            retry_at_wall_ms,
        } => {
            let mut detail = Detail {
                will_retry_at: retry_at_wall_ms.map(|ms| ms as f64),
                ..about(&peer)
            };
            match failed {
                Failed::Dial { route, failure } => {
                    detail.fail_kind = Some(failure.as_str());
                    detail.address = Some(address(&route, peer));
                }
                Failed::Request {
                    requirement,
                    outcome,
                } => {
                    detail.fail_kind = Some(outcome.as_str());
                    detail.protocol = Some(names.one(requirement).to_owned());
                }
            }
            event("peer:fail", detail)
        }
        Notice::Pruned { peer, reason } => event(
            "peer:prune",
            Detail {
                reason: Some(reason.as_str()),
                ..about(&peer)
            },
        ),
        Notice::NetworkChanged { state } => event(
            "network:change",
            Detail {
                state: Some(state.as_str()),
                ..Detail::default()
            },
        ),
        Notice::Banned { peer, reason } => event(
            "peer:ban",
            Detail {
                reason: Some(reason.as_str()),
                ..about(&peer)
            },
        ),
        Notice::RequirementChanged {
            requirement,
            have,
            min,
            target,
            crossed,
        } => event(
            "requirement:change",
            Detail {
                name: Some(names.one(requirement).to_owned()),
                have: Some(have),
                min: Some(min),
                target: Some(target),
                crossed: Some(crossed.as_str()),
                ..Detail::default()
            },
        ),
        Notice::HealthChanged { old, new, reason } => event(
            "health:change",
            Detail {
                old: Some(health(old)),
                new: Some(health(new)),
                reason: Some(reason.as_str()),
                ..Detail::default()
            },
        ),
    }
}
