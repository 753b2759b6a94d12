//! Node records.

use k256::ecdsa::SigningKey;
use lightkeeper::discovery::{
    dialable::{Page, dialable},
    enr::{
        Capabilities, Enr, RelayShards, builder::EnrBuilder, decode_multiaddrs, encode_multiaddrs,
    },
};
use multiaddr::Multiaddr;
use serde_json::{Map, Value, json};
use sha3::{Digest, Keccak256};

use super::{bytes, same, same_reason, text, texts};

const NAMES: [(&str, Capabilities); 6] = [
    ("relay", Capabilities::RELAY),
    ("store", Capabilities::STORE),
    ("filter", Capabilities::FILTER),
    ("lightpush", Capabilities::LIGHTPUSH),
    ("sync", Capabilities::SYNC),
    ("mix", Capabilities::MIX),
];

fn read(text: &str) -> Result<Enr, String> {
    Enr::from_text(text).map_err(|error| format!("refused: {}", error.reason()))
}

fn written<'a>(addresses: impl IntoIterator<Item = &'a Multiaddr>) -> Vec<String> {
    addresses.into_iter().map(ToString::to_string).collect()
}

fn dialable_on(enr: &Enr, secure: bool) -> Vec<String> {
    let page = Page {
        secure,
        private_allowed: true,
    };
    let all = enr.multiaddrs();
    written(all.iter().filter(|address| dialable(address, page)))
}

/// What the record says about a name of the vectors; null for nothing.
fn field(enr: &Enr, name: &str) -> Result<Value, String> {
    let listed = enr.listed_multiaddrs();
    Ok(match name {
        "seq" => json!(enr.seq()),
        "size" => json!(enr.as_rlp().len()),
        // No other scheme is ever read.
        "id" => json!("v4"),
        "public_key" => json!(hex::encode(enr.public_key())),
        "node_id" => json!(hex::encode(enr.node_id())),
        "peer_id" => json!(enr.peer_id().to_string()),
        "signature" => json!(hex::encode(enr.signature())),
        "keys" => {
            let keys = enr.keys().into_iter().map(String::from_utf8_lossy);
            json!(keys.collect::<Vec<_>>())
        }
        "ip4" => json!(enr.ip4()),
        "ip6" => json!(enr.ip6()),
        "tcp" => json!(enr.tcp()),
        "tcp6" => json!(enr.tcp6()),
        "udp" => json!(enr.udp()),
        "udp6" => json!(enr.udp6()),
        "tcp_multiaddrs" => json!(written(&enr.tcp_multiaddrs())),
        "multiaddrs" => json!(listed.map(|listed| written(&listed))),
        "browser_multiaddrs" => json!(listed.map(|_| dialable_on(enr, false))),
        "browser_secure_multiaddrs" => json!(listed.map(|_| dialable_on(enr, true))),
        "cluster" => json!(enr.relay_shards().map(|shards| shards.cluster)),
        "shards" => json!(enr.relay_shards().map(|shards| shards.shards)),
        "waku2" => json!(enr.waku2().map(|bits| {
            let mut fields: Map<String, Value> = NAMES
                .iter()
                .map(|(name, bit)| ((*name).to_owned(), bits.contains(*bit).into()))
                .collect();
            fields.insert("raw".into(), bits.bits().into());
            fields
        })),
        _ => return Err(format!("unknown field {name}")),
    })
}

const FIELDS: [&str; 18] = [
    "seq",
    "size",
    "id",
    "public_key",
    "node_id",
    "peer_id",
    "signature",
    "keys",
    "ip4",
    "ip6",
    "tcp",
    "tcp6",
    "udp",
    "udp6",
    "multiaddrs",
    "cluster",
    "shards",
    "waku2",
];

pub(super) fn valid(input: &Value, expected: &Value) -> Result<(), String> {
    let enr = read(text(input)?)?;
    same("text", enr.to_text().as_str(), text(input)?)?;
    same("binary", Enr::from_rlp(enr.as_rlp()), Ok(enr.clone()))?;
    let expected = expected.as_object().ok_or("not an object")?;
    for (name, want) in expected {
        match name.as_str() {
            "valid" => same("valid", want, &json!(true))?,
            "unknown_keys_with_list_value" => {
                let keys = field(&enr, "keys")?;
                let keys = keys.as_array().ok_or("not a list")?;
                for key in want.as_array().ok_or("not a list")? {
                    same("has the key", keys.contains(key), true)?;
                }
            }
            name => same(name, &field(&enr, name)?, want)?,
        }
    }
    // A vector that lists the keys names every field that is there.
    if expected.contains_key("keys") {
        for name in FIELDS.iter().filter(|name| !expected.contains_key(**name)) {
            same(name, field(&enr, name)?, Value::Null)?;
        }
    }
    Ok(())
}

pub(super) fn structure(input: &Value, expected: &Value) -> Result<(), String> {
    let enr = read(text(&input["text"])?)?;
    same("rlp", enr.as_rlp(), bytes(&expected["rlp"])?)?;
    same("content", enr.content(), bytes(&expected["content_rlp"])?)?;
    same("signature", enr.signature(), bytes(&expected["signature"])?)?;
    same(
        "digest",
        Keccak256::digest(enr.content()).to_vec(),
        bytes(&expected["content_keccak256"])?,
    )
}

pub(super) fn invalid(input: &Value, expected: &Value) -> Result<(), String> {
    match Enr::from_text(text(input)?) {
        Ok(_) => Err("accepted".into()),
        Err(error) => same_reason(error.reason(), &expected["reason"]),
    }
}

pub(super) fn field_invalid(input: &Value, expected: &Value) -> Result<(), String> {
    let enr = read(text(input)?)?;
    for (name, want) in expected.as_object().ok_or("not an object")? {
        if name != "valid_record" {
            same(name, &field(&enr, name)?, want)?;
        }
    }
    Ok(())
}

pub(super) fn multiaddrs(input: &Value, expected: &Value) -> Result<(), String> {
    let wire = bytes(&expected["hex"])?;
    let addresses = texts(&input["multiaddrs"])?;
    let parsed: Vec<Multiaddr> = addresses
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_, _>>()
        .map_err(|error: multiaddr::Error| error.to_string())?;
    same("encoded", encode_multiaddrs(&parsed), wire.clone())?;
    let decoded = decode_multiaddrs(&wire).map_err(|error| error.to_string())?;
    same("decoded", written(&decoded), addresses)
}

pub(super) fn multiaddrs_invalid(input: &Value, expected: &Value) -> Result<(), String> {
    match decode_multiaddrs(&bytes(&input["hex"])?) {
        Ok(_) => Err("accepted".into()),
        Err(error) => same_reason(&error.to_string(), &expected["error"]),
    }
}

pub(super) fn capabilities(input: &Value, expected: &Value) -> Result<(), String> {
    let names = texts(&input["capabilities"])?;
    let bits = names
        .iter()
        .try_fold(Capabilities::default(), |bits, name| {
            let known = NAMES.iter().find(|(known, _)| known == name);
            known
                .map(|(_, bit)| bits | *bit)
                .ok_or_else(|| format!("unknown capability {name}"))
        })?;
    same("bits", vec![bits.bits()], bytes(&expected["hex"])?)?;
    let key = SigningKey::from_slice(&[7; 32]).map_err(|error| error.to_string())?;
    let enr = EnrBuilder::new(1).waku2(bits).sign(&key);
    let read = enr.map_err(|error| error.to_string())?.waku2();
    same("read back", read, Some(bits))
}

fn expected_shards(value: &Value) -> Result<RelayShards, String> {
    let number = |value: &Value| {
        let number = value.as_u64().and_then(|number| number.try_into().ok());
        number.ok_or_else(|| format!("{value} is not a number of 16 bits"))
    };
    let shards = value["shards"].as_array().ok_or("not a list")?;
    Ok(RelayShards {
        cluster: number(&value["cluster"])?,
        shards: shards.iter().map(number).collect::<Result<_, _>>()?,
    })
}

pub(super) fn shards(input: &Value, expected: &Value) -> Result<(), String> {
    let wire = bytes(&expected["hex"])?;
    let shards = expected_shards(input)?;
    same("encoded", shards.to_rs(), wire.clone())?;
    same("decoded", RelayShards::from_rs(&wire), Ok(shards))
}

pub(super) fn shards_invalid(input: &Value, expected: &Value) -> Result<(), String> {
    match RelayShards::from_rs(&bytes(&input["hex"])?) {
        Ok(_) => Err("accepted".into()),
        Err(error) => same(
            "error",
            error.to_string().as_str(),
            text(&expected["error"])?,
        ),
    }
}

pub(super) fn shards_vector(input: &Value, expected: &Value) -> Result<(), String> {
    let spelling = format!("{}_hex", text(&expected["decode_with"])?);
    let wire = bytes(&expected[&spelling])?;
    same(
        "decoded",
        RelayShards::from_rsv(&wire),
        Ok(expected_shards(input)?),
    )
}
