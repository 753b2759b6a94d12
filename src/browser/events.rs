//! The node's events as the messages that the sink gets ("Events" in pkg-template/README.md).

use wasm_bindgen::JsValue;

use super::object::{Plain, list};
use super::values::{
    self, Names, address, direction, grant, health, peer_ids, peer_info, source, transport,
};
use crate::manager::{
    BurstAnswer, BurstId, EnrollmentId, Failed, Grant, LockAnswer, LockId, Notice, Offer,
};
use crate::node::{Node, NodeEvent, SubscriptionState};

/// `{ kind: "event", type, detail }`.
fn event(name: &str, detail: Plain) -> JsValue {
    Plain::new()
        .with("kind", "event")
        .with("type", name)
        .with("detail", detail)
        .into()
}

/// The message for an event. The node is asked for what an event leaves out (a peer's address).
pub(super) fn to_message(node: &Node, happened: NodeEvent) -> JsValue {
    match happened {
        NodeEvent::Manager(notice) => notice_message(node, notice),
        NodeEvent::Message(subscription, received) => Plain::new()
            .with("kind", "message")
            .with("subscription", subscription.0)
            .with("message", values::message(*received))
            .into(),
        NodeEvent::Subscription {
            id,
            state,
            peers,
            reason,
        } => Plain::new()
            .with("kind", "subscription")
            .with("subscription", id.0)
            .with(
                "state",
                match state {
                    SubscriptionState::Active => "active",
                    SubscriptionState::Moving => "moving",
                    SubscriptionState::Closed => "closed",
                },
            )
            .with("peers", peer_ids(&peers))
            .maybe("reason", reason.map(|reason| reason.as_str()))
            .into(),
        NodeEvent::Gap {
            content_topics,
            from_ms,
            to_ms,
            cause,
            filled,
            recovered,
        } => event(
            "filter:gap",
            Plain::new()
                .with("contentTopics", list(content_topics))
                .count("from", from_ms)
                .count("to", to_ms)
                .with("cause", cause.as_str())
                .with("filled", filled)
                .with("recovered", recovered),
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
                .count("enrollment", enrollment.0)
                .count("round", round)
                .with("peers", list(peers.map(|view| peer_info(view, &names))))
                .with("deadlineMs", deadline_ms)
                .into()
        }
        NodeEvent::Log(level, target, message) => Plain::new()
            .with("kind", "log")
            .with("level", level.as_str())
            .with("target", target)
            .with("message", message)
            .into(),
    }
}

/// `{ kind: "offer", enrollment, low, high, counter, answerMs?, ended?, rejected? }`.
fn offer_message(enrollment: EnrollmentId, offer: Offer) -> JsValue {
    let message = Plain::new()
        .with("kind", "offer")
        .count("enrollment", enrollment.0);
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
    let message = Plain::new().with("kind", "lock").count("lock", lock.0);
    match answer {
        LockAnswer::Granted { .. } => message.with("state", "granted"),
        LockAnswer::Revoked { reason, grace_ms } => message
            .with("state", "revoked")
            .with("reason", reason.as_str())
            .count("graceMs", grace_ms),
        LockAnswer::Denied(_) | LockAnswer::Ended => message.with("state", "ended"),
    }
    .into()
}

/// `{ kind: "burst", burst, state, slots? }`.
fn burst_message(burst: BurstId, answer: BurstAnswer) -> JsValue {
    let message = Plain::new().with("kind", "burst").count("burst", burst.0);
    match answer {
        BurstAnswer::Granted { slots } => message.with("state", "granted").with("slots", slots),
        BurstAnswer::Denied(_) | BurstAnswer::Closed => message.with("state", "closed"),
    }
    .into()
}

fn notice_message(node: &Node, notice: Notice) -> JsValue {
    // Only some notices name a requirement.
    let names = || Names::of(node);
    let about = |peer: &libp2p::PeerId| Plain::new().with("peerId", peer.to_string());
    match notice {
        Notice::Discovered {
            peer,
            source: from,
            claims,
        } => event(
            "peer:discovery",
            about(&peer)
                .with("source", source(from))
                .with("claims", names().all(&claims)),
        ),
        Notice::Connected {
            peer,
            route,
            direction: opened_by,
        } => event(
            "peer:connect",
            about(&peer)
                .with("address", address(&route, peer))
                .with("transport", transport(&route))
                .with("direction", direction(opened_by)),
        ),
        Notice::Identified {
            peer,
            route,
            direction: opened_by,
            protocols,
            agent,
        } => event(
            "peer:identify",
            about(&peer)
                .with("address", address(&route, peer))
                .with("transport", transport(&route))
                .with("direction", direction(opened_by))
                .with("protocols", list(protocols))
                .with("agent", agent),
        ),
        Notice::Disconnected {
            peer,
            cause,
            reason,
            deliberate,
            uptime_ms,
            will_reconnect,
        } => event(
            "peer:disconnect",
            about(&peer)
                .with("cause", cause.as_str())
                .with("reason", reason.as_str())
                .with("deliberate", deliberate)
                .count("uptimeMs", uptime_ms)
                .with("willReconnect", will_reconnect),
        ),
        Notice::Reconnected {
            peer,
            down_ms,
            attempts,
        } => event(
            "peer:reconnect",
            about(&peer)
                .count("downMs", down_ms)
                .with("attempts", attempts),
        ),
        Notice::Replaced {
            lost,
            gained,
            requirement,
            gap_ms,
        } => event(
            "peer:replace",
            Plain::new()
                .with("lost", lost.to_string())
                .with("gained", gained.to_string())
                .with("requirement", names().one(requirement))
                .count("gapMs", gap_ms),
        ),
        Notice::Failed {
            peer,
            failed,
            charged,
            retry_at_wall_ms,
        } => {
            let detail = about(&peer)
                .with("charged", charged)
                .maybe("willRetryAt", retry_at_wall_ms.map(|ms| ms as f64));
            let detail = match failed {
                Failed::Dial { route, failure } => detail
                    .with("kind", failure.as_str())
                    .with("address", address(&route, peer)),
                Failed::Request {
                    requirement,
                    outcome,
                } => detail
                    .with("kind", outcome.as_str())
                    .with("protocol", names().one(requirement)),
            };
            event("peer:fail", detail)
        }
        Notice::Pruned { peer, reason } => {
            event("peer:prune", about(&peer).with("reason", reason.as_str()))
        }
        Notice::NetworkChanged { state, cause } => event(
            "network:change",
            Plain::new()
                .with("state", state.as_str())
                .with("cause", cause.as_str()),
        ),
        Notice::Banned { peer, reason } => {
            event("peer:ban", about(&peer).with("reason", reason.as_str()))
        }
        Notice::RequirementChanged {
            requirement,
            have,
            min,
            target,
            crossed,
        } => event(
            "requirement:change",
            Plain::new()
                .with("name", names().one(requirement))
                .with("have", have)
                .with("min", min)
                .with("target", target)
                .with("crossed", crossed.as_str()),
        ),
        Notice::HealthChanged { old, new, reason } => event(
            "health:change",
            Plain::new()
                .with("old", health(old))
                .with("new", health(new))
                .with("reason", reason.as_str()),
        ),
    }
}
