//! Why things are as they are: `explain`, `decisions` and `protocols`.

use wasm_bindgen::JsValue;

use super::object::{self, Plain};
use super::values::{Names, grant, peer_info};
use crate::manager::{Class, Decision, DialWhy, Explanation, ProtocolView, What};

/// `Explanation`.
pub(super) fn explanation(explained: Explanation, names: &Names) -> JsValue {
    let scores = explained.parts.quality.iter();
    let quality = scores.fold(Plain::new(), |quality, (requirement, score)| {
        quality.named(names.one(*requirement), *score)
    });
    let parts = Plain::new()
        .with("quality", quality)
        .with("behaviour", explained.parts.behaviour)
        .with("hints", explained.parts.hints)
        .with("reach", f64::from(explained.parts.reach) / 256.0);
    Plain::new()
        .with("peer", peer_info(explained.view, names))
        .maybe("notDialed", explained.not_dialed.map(|why| why.as_str()))
        .maybe("notClosed", explained.not_closed.map(|why| why.as_str()))
        .with("usedBy", object::list(explained.used_by))
        .with("parts", parts)
        .with("failures", explained.failures)
        .with("flaps", explained.flaps)
        .with("protectedBy", object::list(explained.protected_by))
        .with("failed", list(explained.failed, names))
        .with("decisions", list(explained.decisions, names))
        .into()
}

/// An array of `Decision`.
pub(super) fn list(decisions: Vec<Decision>, names: &Names) -> JsValue {
    object::list(decisions.into_iter().map(|taken| decision(taken, names))).into()
}

/// An array of `ProtocolInfo`.
pub(super) fn protocols(protocols: Vec<ProtocolView>, names: &Names) -> JsValue {
    let status = |view: ProtocolView| {
        Plain::new()
            .with("name", view.name)
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
    let taken = Plain::new()
        .count("at", decision.at_wall_ms)
        .with("what", kind(&what))
        .maybe("peer", peer);
    match what {
        What::Dialed {
            why,
            compared,
            value,
            ..
        } => {
            let dialed = taken
                .with("why", why.as_str())
                .with("compared", compared)
                .with("value", f64::from(value) / 256.0);
            match why {
                DialWhy::Need(requirement) => dialed.with("requirement", names.one(requirement)),
                _ => dialed,
            }
        }
        What::Closed { reason, .. } | What::Denied { reason, .. } | What::Banned { reason, .. } => {
            taken.with("reason", reason.as_str())
        }
        What::Failed {
            requirement,
            outcome,
            charged,
            ..
        } => taken
            .with("requirement", names.one(requirement))
            .with("outcome", outcome.as_str())
            .with("charged", charged),
        What::Regulated {
            round,
            trigger,
            closed,
        } => taken
            .count("round", round)
            .with("trigger", trigger.as_str())
            .with("closed", closed),
        What::Overcommitted { held_by } => {
            let held = held_by.into_iter().map(|(guard, count)| {
                Plain::new()
                    .with("guard", guard.as_str())
                    .with("count", count)
            });
            taken.with("heldBy", object::list(held))
        }
        What::Offered {
            protocol,
            grant: share,
        } => taken
            .with("protocol", protocol)
            .with("grant", grant(Plain::new(), share)),
        What::Locked { lock, .. } => taken.count("lock", lock.0),
        What::Revoked { lock, reason } => {
            taken.count("lock", lock.0).with("reason", reason.as_str())
        }
        What::BurstOpened { burst, slots } => taken.count("burst", burst.0).with("slots", slots),
        What::BurstClosed { burst } => taken.count("burst", burst.0),
        What::Limits { soft, hard, why } => taken
            .with("soft", soft)
            .with("hard", hard)
            .with("why", why.as_str()),
        What::BootstrapRetained { .. } | What::Relaxed { .. } | What::Suspect | What::Recovered => {
            taken
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
