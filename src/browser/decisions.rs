//! Why things are as they are: `explain`, `decisions` and `protocols`.

use wasm_bindgen::JsValue;

use super::object::{self, Plain};
use super::values::{Names, PeerInfo, grant, to_js};
use crate::manager::{Class, Decision, DialWhy, Explanation, ProtocolView, What};

/// `Explanation`.
pub(super) fn explanation(explained: Explanation, names: &Names) -> JsValue {
    let quality = Plain::new();
    for (requirement, score) in &explained.parts.quality {
        quality.set(names.one(*requirement), &JsValue::from(*score));
    }
    let score = Plain::new()
        .with("quality", quality)
        .with("behaviour", explained.parts.behaviour)
        .with("hints", explained.parts.hints)
        .with("reach", f64::from(explained.parts.reach) / 256.0);
    Plain::new()
        .with("peer", to_js(&PeerInfo::new(explained.view, names)))
        .maybe("notDialed", explained.not_dialed.map(|why| why.as_str()))
        .maybe("notClosed", explained.not_closed.map(|why| why.as_str()))
        .with("usedBy", object::list(explained.used_by))
        .with("score", score)
        .with("failures", explained.failures)
        .with("flaps", explained.flaps)
        .with("protectedBy", object::list(explained.protected_by))
        .with("decisions", list(explained.decisions, names))
        .into()
}

/// An array of `Decision`.
pub(super) fn list(decisions: Vec<Decision>, names: &Names) -> JsValue {
    object::list(decisions.into_iter().map(|taken| decision(taken, names))).into()
}

/// An array of `ProtocolStatus`.
pub(super) fn protocols(protocols: Vec<ProtocolView>, names: &Names) -> JsValue {
    let status = |view: ProtocolView| {
        Plain::new()
            .with("name", view.name)
            .maybe("enrollment", view.enrollment.map(|id| id.0 as f64))
            .maybe("requirement", view.requirement.map(|id| names.one(id)))
            .with(
                "class",
                match view.class {
                    Class::Critical => "critical",
                    Class::Normal => "normal",
                    Class::Opportunistic => "opportunistic",
                },
            )
            .maybe("granted", view.granted.map(|g| grant(Plain::new(), g)))
            .maybe("offered", view.offered.map(|g| grant(Plain::new(), g)))
            .with("share", f64::from(view.share) / 256.0)
            .with("connections", view.connections)
            .with("locked", view.locked)
    };
    object::list(protocols.into_iter().map(status)).into()
}

/// `{ at, what, peer?, … }`: the rest is what belongs to each kind.
fn decision(decision: Decision, names: &Names) -> Plain {
    let what = decision.what;
    let peer = what.peer().map(|peer| peer.to_string());
    let object = Plain::new()
        .with("at", decision.at_wall_ms as f64)
        .with("what", kind(&what))
        .maybe("peer", peer);
    match what {
        What::Dialed {
            why,
            compared,
            value,
            ..
        } => {
            let object = object
                .with("why", why.as_str())
                .with("compared", compared)
                .with("value", f64::from(value) / 256.0);
            match why {
                DialWhy::Need(requirement) => object.with("requirement", names.one(requirement)),
                DialWhy::Bootstrap(rung) => object.with("rung", rung),
                DialWhy::Burst(burst) => object.with("burst", burst.0 as f64),
                _ => object,
            }
        }
        What::Closed { reason, .. } | What::Denied { reason, .. } | What::Banned { reason, .. } => {
            object.with("reason", reason.as_str())
        }
        What::Failed {
            requirement,
            outcome,
            ..
        } => object
            .with("requirement", names.one(requirement))
            .with("outcome", outcome.as_str()),
        What::Regulated {
            round,
            trigger,
            closed,
        } => object
            .with("round", round as f64)
            .with("trigger", trigger.as_str())
            .with("closed", closed),
        What::Overcommitted { held_by } => {
            let held = Plain::new();
            for (guard, connections) in held_by {
                held.set(guard.as_str(), &JsValue::from(connections));
            }
            object.with("heldBy", held)
        }
        What::Offered {
            protocol,
            grant: share,
        } => grant(object.with("protocol", protocol), share),
        What::Locked { lock, .. } => object.with("lock", lock.0 as f64),
        What::Revoked { lock, reason } => object
            .with("lock", lock.0 as f64)
            .with("reason", reason.as_str()),
        What::BurstOpened { burst, slots } => {
            object.with("burst", burst.0 as f64).with("slots", slots)
        }
        What::BurstClosed { burst } => object.with("burst", burst.0 as f64),
        What::Limits { soft, hard, why } => object
            .with("soft", soft)
            .with("hard", hard)
            .with("why", why.as_str()),
        What::BootstrapRetained { .. } | What::Relaxed { .. } | What::Suspect | What::Recovered => {
            object
        }
    }
}

fn kind(what: &What) -> &'static str {
    match what {
        What::Dialed { .. } => "dialed",
        What::Closed { .. } => "closed",
        What::Denied { .. } => "denied",
        What::Failed { .. } => "failed",
        What::Banned { .. } => "banned",
        What::Regulated { .. } => "regulated",
        What::Overcommitted { .. } => "overcommitted",
        What::Offered { .. } => "offered",
        What::Locked { .. } => "locked",
        What::Revoked { .. } => "revoked",
        What::BurstOpened { .. } => "burst-opened",
        What::BurstClosed { .. } => "burst-closed",
        What::Limits { .. } => "limits",
        What::BootstrapRetained { .. } => "bootstrap-retained",
        What::Relaxed { .. } => "relaxed",
        What::Suspect => "suspect",
        What::Recovered => "recovered",
    }
}
