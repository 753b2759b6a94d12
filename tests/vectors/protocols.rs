//! Vectors of the Waku request protocols: messages, topics, framing, statuses.

use std::fmt::Debug;

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use lightkeeper::protocols::verdict::{IdEcho, Ruling};
use lightkeeper::protocols::{
    ContentTopic, DecodeError, FrameDecoder, Network, PubsubTopic, Verdict, WakuMessage, filter,
    frame, ids, lightpush, metadata, peer_exchange, store, varint,
};

type Checked = Result<(), String>;

/// Checks a vector that belongs here; `None` for any other.
pub(crate) fn check(kind: &str, vector: &Value) -> Option<Checked> {
    let input = &vector["input"];
    let expected = &vector["expected"];
    Some(match kind {
        "message-hash" => message_hash(input, expected),
        "message-hash-divergent" => message_hash_divergent(input, expected),
        "autoshard" => autoshard(input, expected),
        "content-topic" => content_topic(input, expected),
        "pubsub-topic" => pubsub_topic(input, expected),
        "protobuf" => return protobuf(vector, input, expected),
        "protobuf-decode" => return protobuf_decode(input, expected),
        "stream" => return stream(input, expected),
        "uvarint" => uvarint(input, expected),
        "uvarint-invalid" => uvarint_invalid(input, expected),
        "sint64" => sint64(input, expected),
        "error-class" => return error_class(input, expected),
        _ => return None,
    })
}

fn same<T: PartialEq + Debug>(what: &str, got: T, expected: T) -> Checked {
    if got == expected {
        Ok(())
    } else {
        Err(format!("{what}: got {got:?}, expected {expected:?}"))
    }
}

fn text(value: &Value) -> Result<&str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("{value} is not a text"))
}

fn opt_text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn bytes(value: &Value) -> Result<Vec<u8>, String> {
    hex::decode(text(value)?).map_err(|error| error.to_string())
}

fn opt_bytes(value: &Value) -> Result<Option<Vec<u8>>, String> {
    match value {
        Value::Null => Ok(None),
        value => bytes(value).map(Some),
    }
}

fn opt_u32(value: &Value) -> Result<Option<u32>, String> {
    match value {
        Value::Null => Ok(None),
        value => value
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .map(Some)
            .ok_or_else(|| format!("{value} is not 32 bits")),
    }
}

fn list<T>(value: &Value, read: impl Fn(&Value) -> Result<T, String>) -> Result<Vec<T>, String> {
    match value {
        Value::Null => Ok(Vec::new()),
        value => value
            .as_array()
            .ok_or_else(|| format!("{value} is not a list"))?
            .iter()
            .map(read)
            .collect(),
    }
}

/// Refuses a vector that names a field which the check would silently leave out.
fn only(fields: &Value, known: &[&str]) -> Checked {
    let fields = fields.as_object().ok_or("fields are not an object")?;
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("field {key} is not known here")),
        None => Ok(()),
    }
}

// --- messages and topics ---

fn hashed(input: &Value) -> Result<String, String> {
    let mut message =
        WakuMessage::new(text(&input["content_topic"])?, bytes(&input["payload"])?, 0);
    message.meta = opt_bytes(&input["meta"])?;
    message.timestamp = input["timestamp"].as_i64();
    let hash = message.hash(text(&input["pubsub_topic"])?).to_string();
    Ok(hash.trim_start_matches("0x").to_owned())
}

fn message_hash(input: &Value, expected: &Value) -> Checked {
    same("hash", hashed(input)?.as_str(), text(&expected["hash"])?)
}

fn message_hash_divergent(input: &Value, expected: &Value) -> Checked {
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

fn autoshard(input: &Value, expected: &Value) -> Checked {
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

fn content_topic(input: &Value, expected: &Value) -> Checked {
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

fn pubsub_topic(input: &Value, expected: &Value) -> Checked {
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

// --- protobuf ---

fn waku_message(fields: &Value) -> Result<WakuMessage, String> {
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

fn opt_message(fields: &Value) -> Result<Option<WakuMessage>, String> {
    match fields {
        Value::Null => Ok(None),
        fields => waku_message(fields).map(Some),
    }
}

fn metadata_message(fields: &Value) -> Result<metadata::Metadata, String> {
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

fn peer_exchange_rpc(fields: &Value) -> Result<peer_exchange::Rpc, String> {
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

fn request_id(fields: &Value) -> Result<String, String> {
    text(&fields["request_id"]).map(str::to_owned)
}

fn lightpush_v3_request(fields: &Value) -> Result<lightpush::v3::Request, String> {
    only(fields, &["request_id", "pubsub_topic", "message"])?;
    Ok(lightpush::v3::Request {
        request_id: request_id(fields)?,
        pubsub_topic: opt_text(&fields["pubsub_topic"]),
        message: opt_message(&fields["message"])?,
    })
}

fn lightpush_v3_response(fields: &Value) -> Result<lightpush::v3::Response, String> {
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

fn lightpush_v2_rpc(fields: &Value) -> Result<lightpush::v2::Rpc, String> {
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

fn filter_request(fields: &Value) -> Result<filter::Request, String> {
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

fn filter_response(fields: &Value) -> Result<filter::Response, String> {
    only(fields, &["request_id", "status_code", "status_desc"])?;
    Ok(filter::Response {
        request_id: request_id(fields)?,
        status_code: opt_u32(&fields["status_code"])?,
        status_desc: opt_text(&fields["status_desc"]),
    })
}

fn store_request(fields: &Value) -> Result<store::Request, String> {
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

fn store_response(fields: &Value) -> Result<store::Response, String> {
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

/// Checks one message in both directions: fields to bytes and bytes to fields.
macro_rules! both_ways {
    ($type:ty, $fields:expr, $hex:expr) => {{
        let (fields, bytes) = ($fields?, $hex);
        same("encoded", hex::encode(fields.encode()), hex::encode(bytes))?;
        same("decoded", <$type>::decode(bytes), Ok(fields))
    }};
}

fn protobuf(vector: &Value, input: &Value, expected: &Value) -> Option<Checked> {
    let protocol = input["protocol"].as_str().unwrap_or_default();
    let message = input["message"].as_str().unwrap_or_default();
    let ours = [
        "WakuMessage",
        ids::METADATA,
        ids::PEER_EXCHANGE,
        ids::LIGHTPUSH_V3,
        ids::LIGHTPUSH_V2,
        ids::FILTER_SUBSCRIBE,
        ids::FILTER_PUSH,
        ids::STORE_QUERY,
    ];
    if !ours.contains(&protocol) {
        return None;
    }
    let fields = &input["fields"];
    let check = || -> Checked {
        let encoded = bytes(&expected["hex"])?;
        if let Some(framed) = opt_bytes(&expected["framed_hex"])? {
            same("framed", frame::encode(&encoded), framed.clone())?;
            let mut decoder = FrameDecoder::new(encoded.len());
            decoder.push(&framed);
            same("unframed", decoder.next_frame(), Ok(Some(encoded.clone())))?;
            same("rest", decoder.finish(), Ok(()))?;
        }
        match (protocol, message) {
            ("WakuMessage", "WakuMessage") => {
                both_ways!(WakuMessage, waku_message(fields), &encoded)
            }
            (ids::METADATA, _) if vector["id"] == "pb-metadata-nim" => {
                // nwaku's form, which we read and never write.
                same(
                    "decoded",
                    metadata::Metadata::decode(&encoded),
                    Ok(metadata_message(fields)?),
                )
            }
            (ids::METADATA, _) => {
                both_ways!(metadata::Metadata, metadata_message(fields), &encoded)
            }
            (ids::PEER_EXCHANGE, "PeerExchangeRPC") => {
                both_ways!(peer_exchange::Rpc, peer_exchange_rpc(fields), &encoded)
            }
            (ids::LIGHTPUSH_V3, "LightpushRequest") => {
                both_ways!(
                    lightpush::v3::Request,
                    lightpush_v3_request(fields),
                    &encoded
                )
            }
            (ids::LIGHTPUSH_V3, "LightpushResponse") => {
                both_ways!(
                    lightpush::v3::Response,
                    lightpush_v3_response(fields),
                    &encoded
                )
            }
            (ids::LIGHTPUSH_V2, "PushRpc") => {
                both_ways!(lightpush::v2::Rpc, lightpush_v2_rpc(fields), &encoded)
            }
            (ids::FILTER_SUBSCRIBE, "FilterSubscribeRequest") => {
                both_ways!(filter::Request, filter_request(fields), &encoded)
            }
            (ids::FILTER_SUBSCRIBE, "FilterSubscribeResponse") => {
                both_ways!(filter::Response, filter_response(fields), &encoded)
            }
            (ids::STORE_QUERY, "StoreQueryRequest") => {
                both_ways!(store::Request, store_request(fields), &encoded)
            }
            (ids::STORE_QUERY, "StoreQueryResponse") => {
                both_ways!(store::Response, store_response(fields), &encoded)
            }
            _ => Err(format!("message {message} of {protocol} is not known here")),
        }
    };
    Some(check())
}

fn protobuf_decode(input: &Value, expected: &Value) -> Option<Checked> {
    let message = input["message"].as_str().unwrap_or_default();
    let check = || -> Checked {
        let encoded = bytes(&input["hex"])?;
        let error = match message {
            "WakuMessage" => match (WakuMessage::decode(&encoded), opt_text(&expected["error"])) {
                (Ok(got), None) => {
                    return same("decoded", got, waku_message(&expected["fields"])?);
                }
                (got, _) => got.map(drop),
            },
            _ => {
                let got = metadata::Metadata::decode(&encoded);
                match opt_text(&expected["error"]) {
                    None => {
                        return same("decoded", got, Ok(metadata_message(&expected["fields"])?));
                    }
                    Some(_) => got.map(drop),
                }
            }
        };
        same(
            "error",
            error.map_err(|error: DecodeError| error.to_string()),
            Err(text(&expected["error"])?.to_owned()),
        )
    };
    matches!(message, "WakuMessage" | "WakuMetadata").then(check)
}

// --- framing ---

fn stream(input: &Value, expected: &Value) -> Option<Checked> {
    if input["protocol"] != ids::FILTER_PUSH {
        return None;
    }
    let check = || -> Checked {
        let stream = bytes(&input["hex"])?;
        let expected = list(&expected["frames"], bytes)?;
        for piece in [1, 7, stream.len()] {
            let mut decoder = FrameDecoder::new(filter::push::MAX_FRAME);
            let mut frames = Vec::new();
            for piece in stream.chunks(piece) {
                decoder.push(piece);
                while let Some(frame) = decoder.next_frame().map_err(|error| error.to_string())? {
                    frames.push(frame);
                }
            }
            same("end", decoder.finish(), Ok(()))?;
            same("frames", &frames, &expected)?;
        }
        for frame in &expected {
            let push = filter::MessagePush::decode(frame).map_err(|error| error.to_string())?;
            same("encoded", &push.encode(), frame)?;
        }
        let joined: Vec<u8> = expected
            .iter()
            .flat_map(|message| frame::encode(message))
            .collect();
        same("joined", joined, stream)
    };
    Some(check())
}

fn uvarint(input: &Value, expected: &Value) -> Checked {
    let number = input.as_u64().ok_or("not 64 bits")?;
    let expected = bytes(&expected["hex"])?;
    let mut encoded = Vec::new();
    varint::encode(number, &mut encoded);
    same("encoded", &encoded, &expected)?;
    same(
        "decoded",
        varint::decode(&expected),
        Ok((number, expected.len())),
    )
}

fn uvarint_invalid(input: &Value, expected: &Value) -> Checked {
    let expected = text(&expected["error"])?;
    match varint::decode(&bytes(input)?) {
        Ok(number) => Err(format!("decoded as {number:?}")),
        // The vector may explain the reason in brackets.
        Err(error) => same(
            "reason",
            error.to_string().as_str(),
            expected.split(" (").next().unwrap_or(expected),
        ),
    }
}

/// Signed numbers go over the wire inside a message: the timestamp, whose key is 0x50.
fn sint64(input: &Value, expected: &Value) -> Checked {
    let number = input.as_i64().ok_or("not 64 bits")?;
    let mut wire = vec![0x0a, 0x00, 0x12, 0x00, 0x50];
    wire.extend(bytes(&expected["hex"])?);
    let message = WakuMessage::new("", Vec::new(), number);
    same("encoded", &message.encode(), &wire)?;
    same("decoded", WakuMessage::decode(&wire), Ok(message))
}

// --- statuses ---

/// What a vector expects, in its order: class, retry, peer, show_caller.
fn outcome(expected: &Value) -> Result<[String; 4], String> {
    only(expected, &["class", "retry", "peer", "show_caller"])?;
    Ok([
        text(&expected["class"])?.to_owned(),
        text(&expected["retry"])?.to_owned(),
        text(&expected["peer"])?.to_owned(),
        text(&expected["show_caller"])?.to_owned(),
    ])
}

/// Both the rule and what a caller gets from a whole answer must say it.
fn judged<T: Debug>(expected: &Value, ruling: Ruling, interpreted: Result<T, Verdict>) -> Checked {
    let expected = outcome(expected)?;
    let got = [
        ruling.class.to_string(),
        ruling.retry.to_string(),
        ruling.peer().to_string(),
        ruling.show_caller.to_string(),
    ];
    same("ruling", &got, &expected)?;
    match (ruling.class.failure(), interpreted) {
        (None, Ok(_)) => Ok(()),
        (Some(failure), Err(verdict)) => {
            let got = [
                verdict.class.to_string(),
                verdict.retry.to_string(),
                verdict.peer.to_string(),
                verdict.show_caller.to_string(),
            ];
            same("verdict", &got, &expected)?;
            same("failure", verdict.failure, failure)
        }
        (_, interpreted) => Err(format!("interpreted as {interpreted:?}")),
    }
}

fn error_class(input: &Value, expected: &Value) -> Option<Checked> {
    let protocol = input["protocol"].as_str().unwrap_or_default();
    let check = || -> Checked {
        let status = opt_u32(&input["status"])?;
        let desc = opt_text(&input["desc"]);
        let id = match input["request_id"].as_str() {
            Some("echo") | None => "ours",
            Some(other) => other,
        };
        let echo = IdEcho::of("ours", id);
        let desc_text = desc.as_deref();
        match protocol {
            "lightpush-v3" => {
                let count = opt_u32(&input["relay_peer_count"])?;
                let request = lightpush::v3::Request {
                    request_id: "ours".into(),
                    ..Default::default()
                };
                let response = lightpush::v3::Response {
                    request_id: id.into(),
                    status_code: status,
                    status_desc: desc.clone(),
                    relay_peer_count: count,
                };
                judged(
                    expected,
                    lightpush::v3::classify(status, desc_text, count, echo),
                    lightpush::v3::interpret(&request, &response),
                )
            }
            "lightpush-v2" => {
                let success = input["is_success"].as_bool();
                let request = lightpush::v2::Rpc {
                    request_id: "ours".into(),
                    ..Default::default()
                };
                let answer = lightpush::v2::Rpc {
                    request_id: id.into(),
                    request: None,
                    response: Some(lightpush::v2::Response {
                        is_success: success,
                        info: desc.clone(),
                    }),
                };
                judged(
                    expected,
                    lightpush::v2::classify(success, desc_text, echo),
                    lightpush::v2::interpret(&request, &answer),
                )
            }
            "filter-subscribe" => {
                let topics = || ("/waku/2/rs/1/3".to_owned(), vec!["/a/1/b/c".to_owned()]);
                let request = match text(&input["type"])? {
                    "SUBSCRIBE" => {
                        filter::Request::subscribe("ours".into(), topics().0, topics().1)
                    }
                    "UNSUBSCRIBE" => {
                        filter::Request::unsubscribe("ours".into(), topics().0, topics().1)
                    }
                    "UNSUBSCRIBE_ALL" => filter::Request::unsubscribe_all("ours".into()),
                    "SUBSCRIBER_PING" => filter::Request::ping("ours".into()),
                    other => return Err(format!("request type {other}")),
                };
                let response = filter::Response {
                    request_id: id.into(),
                    status_code: status,
                    status_desc: desc.clone(),
                };
                let kind = request.kind().ok_or("request type")?;
                judged(
                    expected,
                    filter::classify(kind, status.unwrap_or(0), desc_text, echo),
                    filter::interpret(&request, &response),
                )
            }
            "store-query-v3" => {
                let request = store::Request {
                    request_id: "ours".into(),
                    ..Default::default()
                };
                let response = store::Response {
                    request_id: id.into(),
                    status_code: status,
                    status_desc: desc.clone(),
                    ..Default::default()
                };
                judged(
                    expected,
                    store::classify(status, desc_text, false, echo),
                    store::interpret(&request, response),
                )
            }
            "peer-exchange" => {
                let records = input["records"].as_u64().ok_or("records")?;
                let records = usize::try_from(records).map_err(|error| error.to_string())?;
                let answer = peer_exchange::Rpc {
                    query: None,
                    response: Some(peer_exchange::Response {
                        peer_infos: vec![peer_exchange::PeerInfo::default(); records],
                        status_code: status,
                        status_desc: desc.clone(),
                    }),
                };
                judged(
                    expected,
                    peer_exchange::classify(status, records),
                    peer_exchange::interpret(&peer_exchange::Rpc::request(60), answer),
                )
            }
            other => Err(format!("protocol {other}")),
        }
    };
    let ours = [
        "lightpush-v3",
        "lightpush-v2",
        "filter-subscribe",
        "store-query-v3",
        "peer-exchange",
    ];
    ours.contains(&protocol).then(check)
}
