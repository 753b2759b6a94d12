//! Hashes of messages, and topics.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::fields::{Checked, bytes, opt_bytes, same, text};
use lightkeeper::protocols::{ContentTopic, Network, PubsubTopic, WakuMessage};

pub(super) fn hashed(input: &Value) -> Result<String, String> {
    let mut message =
        WakuMessage::new(text(&input["content_topic"])?, bytes(&input["payload"])?, 0);
    message.meta = opt_bytes(&input["meta"])?;
    message.timestamp = input["timestamp"].as_i64();
    let hash = message.hash(text(&input["pubsub_topic"])?).to_string();
    Ok(hash.trim_start_matches("0x").to_owned())
}

pub(super) fn message_hash(input: &Value, expected: &Value) -> Checked {
    same("hash", hashed(input)?.as_str(), text(&expected["hash"])?)
}

pub(super) fn message_hash_divergent(input: &Value, expected: &Value) -> Checked {
    same("timestamp", &input["timestamp"], &Value::Null)?;
    let hash = hashed(input)?;
    same("hash", hash.as_str(), text(&expected["nwaku_go_waku"])?)?;
    // What js-waku makes of it: no timestamp at all.
    let digest = Sha256::new()
        .chain_update(text(&input["pubsub_topic"])?)
        .chain_update(bytes(&input["payload"])?)
        .chain_update(text(&input["content_topic"])?)
        .chain_update(opt_bytes(&input["meta"])?.unwrap_or_default())
        .finalize();
    same(
        "js-waku's hash",
        hex::encode(digest).as_str(),
        text(&expected["js_waku"])?,
    )
}

pub(super) fn autoshard(input: &Value, expected: &Value) -> Checked {
    let number = |value: &Value| value.as_u64().and_then(|n| u16::try_from(n).ok());
    let cluster = number(&input["cluster"]).ok_or("cluster")?;
    let count = number(&input["shards_in_cluster"]).ok_or("count")?;
    let network = Network::auto(cluster, count).map_err(|error| error.to_string())?;
    let topic = text(&input["content_topic"])?;
    let shard = network
        .shard_of(topic, None)
        .map_err(|error| error.to_string())?;
    same("shard", Some(shard.shard), number(&expected["shard"]))?;
    same(
        "pubsub topic",
        shard.to_string().as_str(),
        text(&expected["pubsub_topic"])?,
    )?;
    let topic: ContentTopic = topic.parse().map_err(|error| format!("{error}"))?;
    let hashed = format!("{}{}", topic.application(), topic.version());
    same("hashed", hashed.as_str(), text(&expected["sha256_of"])?)?;
    same(
        "digest",
        hex::encode(Sha256::digest(hashed)).as_str(),
        text(&expected["sha256"])?,
    )
}

pub(super) fn content_topic(input: &Value, expected: &Value) -> Checked {
    let input = text(input)?;
    match input.parse::<ContentTopic>() {
        Ok(topic) => {
            same("valid", &Value::Bool(true), &expected["valid"])?;
            same(
                "generation",
                topic.generation().map(u64::from),
                expected["generation"].as_u64(),
            )?;
            same(
                "application",
                topic.application(),
                text(&expected["application"])?,
            )?;
            same("version", topic.version(), text(&expected["version"])?)?;
            same("name", topic.name(), text(&expected["name"])?)?;
            same("encoding", topic.encoding(), text(&expected["encoding"])?)?;
            same("text", topic.to_string().as_str(), input)
        }
        Err(error) => {
            same("valid", &Value::Bool(false), &expected["valid"])?;
            same(
                "reason",
                error.to_string().as_str(),
                text(&expected["reason"])?,
            )
        }
    }
}

pub(super) fn pubsub_topic(input: &Value, expected: &Value) -> Checked {
    let input = text(input)?;
    match input.parse::<PubsubTopic>() {
        Ok(topic) => {
            same("valid", &Value::Bool(true), &expected["valid"])?;
            same(
                "cluster",
                Some(topic.cluster.into()),
                expected["cluster"].as_u64(),
            )?;
            same(
                "shard",
                Some(topic.shard.into()),
                expected["shard"].as_u64(),
            )?;
            same("text", topic.to_string().as_str(), input)
        }
        Err(error) => {
            same("valid", &Value::Bool(false), &expected["valid"])?;
            same(
                "reason",
                error.to_string().as_str(),
                text(&expected["reason"])?,
            )
        }
    }
}
