//! The methods whose outcome shows in events: each is one input of the manager.

use wasm_bindgen::JsValue;

use super::crossing::take;
use super::data::{
    BurstClose, Enrolled, Protect, Report, Route, Scores, SetLifetime, SetLimits,
    SetMaxByTransport, SetPriority, SetRequirement, Sync, Tag, Unlock, Whom,
};
use crate::manager::{BurstId, EnrollmentId, LockId};
use crate::node::{Node, NodeError};

/// Carries out one method; `None`: it is none of these.
pub(super) fn order(node: &Node, method: &str, params: JsValue) -> Option<Result<(), NodeError>> {
    known(node, method, params).transpose()
}

fn known(node: &Node, method: &str, params: JsValue) -> Result<Option<()>, NodeError> {
    let done = match method {
        "setPriority" => {
            let SetPriority { peer, priority } = take(params)?;
            node.set_priority(peer.id()?, priority.0)
        }
        "addRoute" => {
            let Route { peer, address } = take(params)?;
            node.add_route(peer.id()?, &address)
        }
        "removeRoute" => {
            let Route { peer, address } = take(params)?;
            node.remove_route(peer.id()?, &address)
        }
        "forget" => node.forget(take::<Whom>(params)?.peer.id()?),
        "protect" => {
            let Protect { peer, tag } = take(params)?;
            node.protect(peer.id()?, &tag)
        }
        "unprotect" => {
            let Protect { peer, tag } = take(params)?;
            node.unprotect(peer.id()?, &tag)
        }
        "tag" => {
            let tag: Tag = take(params)?;
            node.hint(tag.peer.id()?, &tag.name, tag.value, tag.ttl_ms)
        }
        "keep" => node.keep(take::<Whom>(params)?.peer.id()?),
        "setRequirement" => {
            let SetRequirement { name, need } = take(params)?;
            node.set_requirement(&name, need.into())
        }
        "connectionsStart" => node.start_connections(),
        "connectionsPause" => node.pause_connections(),
        "connectionsResume" => node.resume_connections(),
        "setMaxByTransport" => {
            let SetMaxByTransport { limits } = take(params)?;
            for (transport, max) in limits.named() {
                node.set_max_by_transport(transport, max)?;
            }
            Ok(())
        }
        "setLifetime" => node.set_lifetime(take::<SetLifetime>(params)?.ms),
        "setLimits" => {
            let SetLimits { connections, hard } = take(params)?;
            node.set_limits(connections, hard)
        }
        "initialSyncStart" => {
            let Sync { peer } = take(params)?;
            let with = peer.map(|peer| peer.id()).transpose()?;
            node.start_sync(with)
        }
        "initialSyncStop" => node.stop_sync(),
        "acceptOffer" => node.accept_offer(enrollment(params)?),
        "withdraw" => node.withdraw(enrollment(params)?),
        "unlock" => node.unlock(LockId(take::<Unlock>(params)?.lock)),
        "burstClose" => node.close_burst(BurstId(take::<BurstClose>(params)?.burst)),
        "report" => {
            let report: Report = take(params)?;
            let enrollment = EnrollmentId(report.enrollment);
            node.report_outcome(enrollment, report.peer.id()?, report.outcome.0)
        }
        "scores" => {
            let scores: Scores = take(params)?;
            let enrollment = EnrollmentId(scores.enrollment);
            node.give_scores(enrollment, scores.round, scores.by_peer())
        }
        _ => return Ok(None),
    };
    done.map(Some)
}

fn enrollment(params: JsValue) -> Result<EnrollmentId, NodeError> {
    Ok(EnrollmentId(take::<Enrolled>(params)?.enrollment))
}
