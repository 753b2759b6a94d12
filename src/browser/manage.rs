//! The methods whose outcome shows in events: each is one input of the manager.

use js_sys::{Object as JsObject, Reflect};
use libp2p::PeerId;
use wasm_bindgen::{JsCast, JsValue};

use super::calls::peer;
use super::object::{Object, needed};
use super::options::need;
use crate::manager::{BurstId, EnrollmentId, LockId, Outcome, Priority, Transport};
use crate::node::{Node, NodeError};

/// Carries out one method; `None`: it is none of these.
pub(super) fn call(node: &Node, method: &str, params: &Object) -> Result<Option<()>, NodeError> {
    let done = match method {
        "setPriority" => {
            let priority = match params.text("priority")?.as_deref() {
                Some("high") => Priority::High,
                Some("medium") => Priority::Medium,
                Some("low") => Priority::Low,
                Some("banned") => Priority::Banned,
                _ => {
                    let should = "should be high, medium, low or banned";
                    return Err(NodeError::option("priority", should));
                }
            };
            node.set_priority(peer(params)?, priority)
        }
        "addRoute" => node.add_route(peer(params)?, &needed_text(params, "address")?),
        "removeRoute" => node.remove_route(peer(params)?, &needed_text(params, "address")?),
        "forget" => node.forget(peer(params)?),
        "protect" => node.protect(peer(params)?, &needed_text(params, "tag")?),
        "unprotect" => node.unprotect(peer(params)?, &needed_text(params, "tag")?),
        "tag" => {
            let value = needed(params.signed("value")?, "value")?;
            let ttl_ms = params.whole("ttlMs")?;
            node.hint(peer(params)?, &needed_text(params, "name")?, value, ttl_ms)
        }
        "keep" => node.keep(peer(params)?),
        "setRequirement" => {
            let need = need(&params.object("need"))?;
            node.set_requirement(&needed_text(params, "name")?, need)
        }
        "connectionsStart" => node.start_connections(),
        "connectionsPause" => node.pause_connections(),
        "connectionsResume" => node.resume_connections(),
        "setMaxByTransport" => {
            for (transport, max) in by_transport(&params.object("limits"))? {
                node.set_max_by_transport(transport, max)?;
            }
            Ok(())
        }
        "setLifetime" => node.set_lifetime(params.whole("ms")?),
        "setLimits" => node.set_limits(params.integer("connections")?, params.integer("hard")?),
        "initialSyncStart" => {
            let with = match params.text("peer")? {
                Some(_) => Some(peer(params)?),
                None => None,
            };
            node.start_sync(with)
        }
        "initialSyncStop" => node.stop_sync(),
        "acceptOffer" => node.accept_offer(enrollment(params)?),
        "withdraw" => node.withdraw(enrollment(params)?),
        "unlock" => node.unlock(LockId(needed_id(params, "lock")?)),
        "burstClose" => node.close_burst(BurstId(needed_id(params, "burst")?)),
        "report" => {
            let text = needed_text(params, "outcome")?;
            let outcome = Outcome::ALL.iter().find(|known| known.as_str() == text);
            let outcome = outcome
                .ok_or_else(|| NodeError::option("outcome", "should be success or a class"))?;
            node.report_outcome(enrollment(params)?, peer(params)?, *outcome)
        }
        "scores" => {
            let round = needed_id(params, "round")?;
            node.give_scores(enrollment(params)?, round, scores(&params.value("scores")))
        }
        _ => return Ok(None),
    };
    done.map(Some)
}

pub(super) fn needed_text(params: &Object, name: &'static str) -> Result<String, NodeError> {
    needed(params.text(name)?, name)
}

pub(super) fn needed_id(params: &Object, name: &'static str) -> Result<u64, NodeError> {
    needed(params.whole(name)?, name)
}

pub(super) fn enrollment(params: &Object) -> Result<EnrollmentId, NodeError> {
    needed_id(params, "enrollment").map(EnrollmentId)
}

/// The transports that an object names, each with its limit; null lifts one.
pub(super) fn by_transport(limits: &Object) -> Result<Vec<(Transport, Option<u16>)>, NodeError> {
    let known = [
        Transport::Ws,
        Transport::Wss,
        Transport::WebTransport,
        Transport::WebRtcDirect,
        Transport::Circuit,
    ];
    let mut named = Vec::new();
    for transport in known {
        let name = transport.as_str();
        if !limits.value(name).is_undefined() {
            named.push((transport, limits.integer(name)?));
        }
    }
    Ok(named)
}

/// Scores by peer. What is no score of a peer is left out: one wrong value is no reason to lose the others.
fn scores(given: &JsValue) -> Vec<(PeerId, i16)> {
    let Some(given) = given.dyn_ref::<JsObject>() else {
        return Vec::new();
    };
    JsObject::keys(given)
        .iter()
        .filter_map(|name| {
            let peer = name.as_string()?.parse().ok()?;
            let score = Reflect::get(given, &name).ok()?.as_f64()?;
            // Saturates; what is no number is 0, which means unknown.
            Some((peer, (score as i16).clamp(-1_000, 1_000)))
        })
        .collect()
}
