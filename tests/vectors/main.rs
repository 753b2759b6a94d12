//! Every vector of `vectors.json`, each in one of three lists: ours now, later, or owned by libp2p.
//!
//! `LIGHTKEEPER_VECTORS` names another file to read. A vector that is in no list fails the test, and so does one of ours
//! that nobody checks. `cargo test --test vectors -- --nocapture` prints the counts.

#![cfg(not(target_arch = "wasm32"))]

mod discovery;
mod libp2p;
mod protocols;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Who answers for a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    /// Checked here against our own code.
    OursNow,
    /// Belongs to something that is not built yet.
    Later,
    /// Checked through libp2p's public interface where it has one, else only counted.
    Libp2p,
}

/// Sorts a vector by its kind, and where a kind spans several protocols, by protocol. `None`: in no list.
fn owner(kind: &str, input: &Value) -> Option<Owner> {
    let owner = match kind {
        "enr" | "enr-invalid" | "enr-field-invalid" | "enr-structure" => Owner::OursNow,
        "enr-multiaddrs-codec" | "enr-multiaddrs-invalid" => Owner::OursNow,
        "waku2-bitfield" | "relay-shards-rs" | "relay-shards-rs-invalid" | "relay-shards-rsv" => {
            Owner::OursNow
        }
        "enrtree-url" | "enrtree-root" | "enrtree-entry" | "enrtree-hash" => Owner::OursNow,
        "enrtree-set" | "enrtree-sequence" | "enrtree-keys" => Owner::OursNow,
        "txt-strings" | "doh-query" | "doh-response" | "doh-json" | "doh-json-txt" => {
            Owner::OursNow
        }
        "ws-url" => Owner::OursNow,
        "message-hash" | "message-hash-divergent" => Owner::OursNow,
        "autoshard" | "content-topic" | "pubsub-topic" => Owner::OursNow,
        "uvarint" | "uvarint-invalid" | "sint64" => Owner::OursNow,
        "protobuf" | "stream" | "error-class" => by_protocol(input["protocol"].as_str()?)?,
        "protobuf-decode" => by_protocol(input["message"].as_str()?)?,
        "signed-envelope" | "peer-record" | "signed-peer-record" | "relay-voucher" => {
            Owner::OursNow
        }
        "signed-peer-record-waku" => Owner::Later,
        "webrtc-direct-prologue" | "webrtc-direct-addr" | "webrtc-frame" => Owner::Later,
        "multistream-message" | "multistream-ls" | "identify-chunks" => Owner::Libp2p,
        "noise-payload" | "noise-frame" | "yamux-header" => Owner::Libp2p,
        "peer-key" | "peer-id" | "multiaddr" => Owner::Libp2p,
        _ => return None,
    };
    Some(owner)
}

fn by_protocol(protocol: &str) -> Option<Owner> {
    let owner = match protocol {
        "WakuMessage" | "WakuMetadata" => Owner::OursNow,
        "/vac/waku/metadata/1.0.0"
        | "/vac/waku/peer-exchange/2.0.0-alpha1"
        | "/vac/waku/lightpush/3.0.0"
        | "/vac/waku/lightpush/2.0.0-beta1"
        | "/vac/waku/filter-subscribe/2.0.0-beta1"
        | "/vac/waku/filter-push/2.0.0-beta1"
        | "/vac/waku/store-query/3.0.0" => Owner::OursNow,
        "peer-exchange" | "lightpush-v3" | "lightpush-v2" | "filter-subscribe"
        | "store-query-v3" => Owner::OursNow,
        "/rendezvous/1.0.0"
        | "/libp2p/circuit/relay/0.2.0/hop"
        | "/libp2p/circuit/relay/0.2.0/stop" => Owner::OursNow,
        "rendezvous" | "circuit-hop" => Owner::OursNow,
        "/webrtc-signaling/0.0.1" => Owner::Later,
        "/ipfs/id/1.0.0" => Owner::Libp2p,
        _ => return None,
    };
    Some(owner)
}

fn load() -> Value {
    let path = std::env::var("LIGHTKEEPER_VECTORS").unwrap_or_else(|_| {
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/vectors.json").to_owned()
    });
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_vector_is_sorted_and_every_one_of_ours_holds() {
    let file = load();
    let vectors = file["vectors"].as_array().expect("a list of vectors");
    let mut counts: BTreeMap<Owner, (usize, usize)> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    let mut failures = Vec::new();
    for vector in vectors {
        let id = vector["id"].as_str().expect("each vector has an id");
        let kind = vector["kind"].as_str().expect("each vector has a kind");
        if !ids.insert(id) {
            failures.push(format!("{id}: a second vector of this id"));
        }
        let Some(owner) = owner(kind, &vector["input"]) else {
            failures.push(format!("{id} ({kind}): in no list"));
            continue;
        };
        let result = match owner {
            Owner::OursNow => {
                discovery::check(kind, vector).or_else(|| protocols::check(kind, vector))
            }
            Owner::Later => None,
            Owner::Libp2p => libp2p::check(kind, vector),
        };
        let (all, checked) = counts.entry(owner).or_default();
        *all += 1;
        match result {
            Some(result) => {
                *checked += 1;
                if let Err(why) = result {
                    failures.push(format!("{id} ({kind}): {why}"));
                }
            }
            None if owner == Owner::OursNow => {
                failures.push(format!("{id} ({kind}): ours, and nobody checks it"));
            }
            None => {}
        }
    }
    for (owner, (all, checked)) in &counts {
        println!("{owner:?}: {all} vectors, {checked} checked");
    }
    assert!(
        failures.is_empty(),
        "{} of {} vectors fail:\n{}",
        failures.len(),
        vectors.len(),
        failures.join("\n"),
    );
}

/// `got` is what the vector wants.
fn same<G, W>(what: &str, got: G, want: W) -> Result<(), String>
where
    G: std::fmt::Debug + PartialEq<W>,
    W: std::fmt::Debug,
{
    if got == want {
        Ok(())
    } else {
        Err(format!("{what}: got {got:?}, want {want:?}"))
    }
}
