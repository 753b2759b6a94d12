//! Vectors of the request protocols, relays and rendezvous: messages, topics, framing, signatures, statuses.

mod fields;
mod messages;
mod signed;
mod statuses;
mod topics;
mod wire;

use serde_json::Value;

use fields::Checked;

/// Checks a vector that belongs here; `None` for any other.
pub(crate) fn check(kind: &str, vector: &Value) -> Option<Checked> {
    let input = &vector["input"];
    let expected = &vector["expected"];
    Some(match kind {
        "message-hash" => topics::message_hash(input, expected),
        "message-hash-divergent" => topics::message_hash_divergent(input, expected),
        "autoshard" => topics::autoshard(input, expected),
        "content-topic" => topics::content_topic(input, expected),
        "pubsub-topic" => topics::pubsub_topic(input, expected),
        "protobuf" => return wire::protobuf(vector, input, expected),
        "protobuf-decode" => return wire::protobuf_decode(input, expected),
        "stream" => return wire::stream(input, expected),
        "uvarint" => wire::uvarint(input, expected),
        "uvarint-invalid" => wire::uvarint_invalid(input, expected),
        "sint64" => wire::sint64(input, expected),
        "signed-envelope" => signed::envelope(input, expected),
        "peer-record" => signed::peer_record(input, expected),
        "signed-peer-record" => signed::signed_peer_record(input, expected),
        "relay-voucher" => signed::voucher(input, expected),
        "error-class" => return statuses::error_class(input, expected),
        _ => return None,
    })
}
