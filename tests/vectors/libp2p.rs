//! Vectors of what libp2p implements, checked through its public interface where it has one.

use libp2p_identity::{Keypair, PeerId, PublicKey};
use multiaddr::Multiaddr;
use serde_json::Value;

use crate::same;

/// Checks a vector; `None` when libp2p shows no interface for it, so that it is only counted.
pub(crate) fn check(kind: &str, vector: &Value) -> Option<Result<(), String>> {
    let (input, expected) = (&vector["input"], &vector["expected"]);
    match kind {
        "multiaddr" => Some(multiaddr(input, expected)),
        "peer-id" => peer_id(input, expected),
        "peer-key" => Some(peer_key(input, expected)),
        _ => None,
    }
}

fn text(value: &Value) -> Result<&str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("{value} is not a text"))
}

fn bytes(value: &Value) -> Result<Vec<u8>, String> {
    hex::decode(text(value)?).map_err(|error| error.to_string())
}

fn multiaddr(input: &Value, expected: &Value) -> Result<(), String> {
    let address: Multiaddr = text(input)?
        .parse()
        .map_err(|error: multiaddr::Error| error.to_string())?;
    same("bytes", address.to_vec(), bytes(&expected["hex"])?)?;
    let read = Multiaddr::try_from(address.to_vec()).map_err(|error| error.to_string())?;
    same("text", read.to_string().as_str(), text(input)?)
}

fn peer_id(input: &Value, expected: &Value) -> Option<Result<(), String>> {
    // The CID form has no reader in libp2p.
    let id: PeerId = input.as_str()?.parse().ok()?;
    Some((|| {
        same("bytes", id.to_bytes(), bytes(&expected["multihash"])?)?;
        same("text", id.to_base58().as_str(), text(&expected["base58"])?)?;
        if let Value::String(key) = &expected["public_key"] {
            same("key", hex::encode(&id.to_bytes()[6..]), key.clone())?;
        }
        Ok(())
    })())
}

fn peer_key(input: &Value, expected: &Value) -> Result<(), String> {
    let encoded = bytes(&expected["public_protobuf"])?;
    let id = match &input["private_protobuf"] {
        Value::String(_) => {
            let pair = Keypair::from_protobuf_encoding(&bytes(&input["private_protobuf"])?)
                .map_err(|error| error.to_string())?;
            same(
                "public key",
                pair.public().encode_protobuf(),
                encoded.clone(),
            )?;
            let read =
                PublicKey::try_decode_protobuf(&encoded).map_err(|error| error.to_string())?;
            same("decoded key", read, pair.public())?;
            pair.public().to_peer_id()
        }
        // A key type that is not built in: its id can still be read.
        _ => PeerId::from_bytes(&bytes(&expected["peer_id_multihash"])?)
            .map_err(|error| error.to_string())?,
    };
    same("id", id.to_string().as_str(), text(&expected["peer_id"])?)?;
    same(
        "id bytes",
        id.to_bytes(),
        bytes(&expected["peer_id_multihash"])?,
    )
}
