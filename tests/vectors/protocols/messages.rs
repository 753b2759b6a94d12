//! The messages of the protocols, from the fields that a vector names.

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use super::fields::{bytes, list, only, opt_bytes, opt_text, opt_u32, text};
use lightkeeper::protocols::{WakuMessage, filter, lightpush, metadata, peer_exchange, store};

pub(super) fn waku_message(fields: &Value) -> Result<WakuMessage, String> {
    only(
        fields,
        &[
            "payload",
            "content_topic",
            "version",
            "timestamp",
            "meta",
            "rate_limit_proof",
            "ephemeral",
        ],
    )?;
    Ok(WakuMessage {
        payload: opt_bytes(&fields["payload"])?,
        content_topic: opt_text(&fields["content_topic"]),
        version: opt_u32(&fields["version"])?,
        timestamp: fields["timestamp"].as_i64(),
        meta: opt_bytes(&fields["meta"])?,
        rate_limit_proof: opt_bytes(&fields["rate_limit_proof"])?,
        ephemeral: fields["ephemeral"].as_bool(),
    })
}

pub(super) fn opt_message(fields: &Value) -> Result<Option<WakuMessage>, String> {
    match fields {
        Value::Null => Ok(None),
        fields => waku_message(fields).map(Some),
    }
}

pub(super) fn metadata_message(fields: &Value) -> Result<metadata::Metadata, String> {
    only(fields, &["cluster_id", "shards"])?;
    Ok(metadata::Metadata {
        cluster_id: opt_u32(&fields["cluster_id"])?,
        shards: list(&fields["shards"], |shard| {
            shard
                .as_u64()
                .and_then(|shard| u16::try_from(shard).ok())
                .ok_or_else(|| format!("{shard} is not a shard"))
        })?,
    })
}

pub(super) fn peer_exchange_rpc(fields: &Value) -> Result<peer_exchange::Rpc, String> {
    only(fields, &["query", "response"])?;
    let query = match &fields["query"] {
        Value::Null => None,
        query => {
            only(query, &["num_peers"])?;
            Some(peer_exchange::Query {
                num_peers: query["num_peers"].as_u64().ok_or("num_peers")?,
            })
        }
    };
    let response = match &fields["response"] {
        Value::Null => None,
        response => {
            only(response, &["peers", "status_code", "status_desc"])?;
            Some(peer_exchange::Response {
                peer_infos: list(&response["peers"], |record| {
                    let digits = text(record)?.trim_start_matches("enr:");
                    let enr = BASE64URL_NOPAD
                        .decode(digits.as_bytes())
                        .map_err(|error| error.to_string())?;
                    Ok(peer_exchange::PeerInfo { enr })
                })?,
                status_code: opt_u32(&response["status_code"])?,
                status_desc: opt_text(&response["status_desc"]),
            })
        }
    };
    Ok(peer_exchange::Rpc { query, response })
}

pub(super) fn request_id(fields: &Value) -> Result<String, String> {
    text(&fields["request_id"]).map(str::to_owned)
}

pub(super) fn lightpush_v3_request(fields: &Value) -> Result<lightpush::v3::Request, String> {
    only(fields, &["request_id", "pubsub_topic", "message"])?;
    Ok(lightpush::v3::Request {
        request_id: request_id(fields)?,
        pubsub_topic: opt_text(&fields["pubsub_topic"]),
        message: opt_message(&fields["message"])?,
    })
}

pub(super) fn lightpush_v3_response(fields: &Value) -> Result<lightpush::v3::Response, String> {
    only(
        fields,
        &[
            "request_id",
            "status_code",
            "status_desc",
            "relay_peer_count",
        ],
    )?;
    Ok(lightpush::v3::Response {
        request_id: request_id(fields)?,
        status_code: opt_u32(&fields["status_code"])?,
        status_desc: opt_text(&fields["status_desc"]),
        relay_peer_count: opt_u32(&fields["relay_peer_count"])?,
    })
}

pub(super) fn lightpush_v2_rpc(fields: &Value) -> Result<lightpush::v2::Rpc, String> {
    only(fields, &["request_id", "request", "response"])?;
    let request = match &fields["request"] {
        Value::Null => None,
        request => {
            only(request, &["pubsub_topic", "message"])?;
            Some(lightpush::v2::Request {
                pubsub_topic: text(&request["pubsub_topic"])?.to_owned(),
                message: opt_message(&request["message"])?,
            })
        }
    };
    let response = match &fields["response"] {
        Value::Null => None,
        response => {
            only(response, &["is_success", "info"])?;
            Some(lightpush::v2::Response {
                is_success: response["is_success"].as_bool(),
                info: opt_text(&response["info"]),
            })
        }
    };
    Ok(lightpush::v2::Rpc {
        request_id: request_id(fields)?,
        request,
        response,
    })
}

pub(super) fn filter_request(fields: &Value) -> Result<filter::Request, String> {
    only(
        fields,
        &["request_id", "type", "pubsub_topic", "content_topics"],
    )?;
    let kind = fields["type"].as_i64().ok_or("type")?;
    Ok(filter::Request {
        request_id: request_id(fields)?,
        filter_subscribe_type: i32::try_from(kind).map_err(|error| error.to_string())?,
        pubsub_topic: opt_text(&fields["pubsub_topic"]),
        content_topics: list(&fields["content_topics"], |topic| {
            text(topic).map(str::to_owned)
        })?,
    })
}

pub(super) fn filter_response(fields: &Value) -> Result<filter::Response, String> {
    only(fields, &["request_id", "status_code", "status_desc"])?;
    Ok(filter::Response {
        request_id: request_id(fields)?,
        status_code: opt_u32(&fields["status_code"])?,
        status_desc: opt_text(&fields["status_desc"]),
    })
}

pub(super) fn store_request(fields: &Value) -> Result<store::Request, String> {
    only(
        fields,
        &[
            "request_id",
            "include_data",
            "pubsub_topic",
            "content_topics",
            "time_start",
            "time_end",
            "message_hashes",
            "pagination_cursor",
            "pagination_forward",
            "pagination_limit",
        ],
    )?;
    Ok(store::Request {
        request_id: request_id(fields)?,
        include_data: fields["include_data"].as_bool().ok_or("include_data")?,
        pubsub_topic: opt_text(&fields["pubsub_topic"]),
        content_topics: list(&fields["content_topics"], |topic| {
            text(topic).map(str::to_owned)
        })?,
        time_start: fields["time_start"].as_i64(),
        time_end: fields["time_end"].as_i64(),
        message_hashes: list(&fields["message_hashes"], bytes)?,
        pagination_cursor: opt_bytes(&fields["pagination_cursor"])?,
        pagination_forward: fields["pagination_forward"]
            .as_bool()
            .ok_or("pagination_forward")?,
        pagination_limit: fields["pagination_limit"].as_u64(),
    })
}

pub(super) fn store_response(fields: &Value) -> Result<store::Response, String> {
    only(
        fields,
        &[
            "request_id",
            "status_code",
            "status_desc",
            "messages",
            "pagination_cursor",
        ],
    )?;
    Ok(store::Response {
        request_id: request_id(fields)?,
        status_code: opt_u32(&fields["status_code"])?,
        status_desc: opt_text(&fields["status_desc"]),
        messages: list(&fields["messages"], |entry| {
            only(entry, &["message_hash", "message", "pubsub_topic"])?;
            Ok(store::KeyValue {
                message_hash: opt_bytes(&entry["message_hash"])?,
                message: opt_message(&entry["message"])?,
                pubsub_topic: opt_text(&entry["pubsub_topic"]),
            })
        })?,
        pagination_cursor: opt_bytes(&fields["pagination_cursor"])?,
    })
}
