//! What can be asked at any time: each answer is how things stand now.

use libp2p::PeerId;
use wasm_bindgen::JsValue;

use super::crossing::give;
use super::data::{Decision, Explanation, HealthInfo, Names, PeerInfo, ProtocolInfo, Stats};
use super::environment::Environment;
use crate::node::Node;

/// Decisions that `decisions` gives when it is not said how many.
const DECISIONS: usize = 16;

/// Answers one question; `None`: it is none of these.
pub(super) fn answer(node: &Node, what: &str, argument: Option<String>) -> Option<JsValue> {
    let names = || Names::of(node);
    Some(match what {
        "peers" => {
            let names = names();
            let peers = node.peers().into_iter();
            give(
                &peers
                    .map(|view| PeerInfo::new(view, &names))
                    .collect::<Vec<_>>(),
            )
        }
        "peer" => {
            let view = peer(argument).and_then(|peer| node.peer(&peer));
            give(&view.map(|view| PeerInfo::new(view, &names())))
        }
        "explain" => {
            let explained = peer(argument).and_then(|peer| node.explain(&peer));
            give(&explained.map(|explained| Explanation::new(explained, &names())))
        }
        "decisions" => {
            let limit = argument.and_then(|text| text.parse().ok());
            let taken = node.decisions(limit.unwrap_or(DECISIONS));
            give(&Decision::all(taken, &names()))
        }
        "protocols" => {
            let names = names();
            let protocols = node.protocols().into_iter();
            let protocols = protocols.map(|view| ProtocolInfo::new(view, &names));
            give(&protocols.collect::<Vec<_>>())
        }
        "health" => {
            let online = Environment::is_online();
            give(&HealthInfo::new(node.health(), online, &names()))
        }
        // Large, and bytes already.
        "record" => js_sys::Uint8Array::from(&*node.record()).into(),
        "stats" => give(&Stats::from(node.stats())),
        "peerId" => give(&node.peer_id().to_string()),
        _ => return None,
    })
}

fn peer(argument: Option<String>) -> Option<PeerId> {
    argument?.parse().ok()
}
