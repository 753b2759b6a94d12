//! Lightpush, versions 3 and 2 (lightpush.md). The order of checks is nwaku's: decode, topic, validation, publish.

use super::{NO_REQUEST_ID, Reply, Site, TOO_MANY_REQUESTS, has_field};
use crate::{
    fleet::network::{PublishError, Receipt},
    protocols::lightpush::{v2, v3},
};

/// nwaku's text when nobody of the mesh takes a message, version 2.
const NOT_PUBLISHED: &str = "not_published_to_any_peer";

/// The field that nwaku's decoder wants on the wire, be it empty, in both versions.
const REQUEST_ID: u32 = 1;

pub(super) fn answer_v3(site: &Site, request: &[u8]) -> Reply {
    let request = match v3::Request::decode(request) {
        Ok(_) if !has_field(request, REQUEST_ID) => {
            return error_v3(NO_REQUEST_ID, 400, "decode error: request_id missing");
        }
        Ok(request) => request,
        Err(error) => return error_v3(NO_REQUEST_ID, 400, &format!("decode error: {error}")),
    };
    let v3::Request {
        request_id,
        pubsub_topic,
        message,
    } = request;
    let Some(message) = message else {
        return error_v3(NO_REQUEST_ID, 400, "decode error: message missing");
    };
    let pubsub_topic = match pubsub_topic {
        Some(topic) if topic.trim().is_empty() => {
            return error_v3(&request_id, 400, "topic must not be empty");
        }
        Some(topic) => topic,
        None => match site.network.shard_of(message.content_topic()) {
            Ok(topic) => topic,
            Err(error) => {
                return error_v3(&request_id, 420, &format!("Invalid content-topic: {error}"));
            }
        },
    };
    match site.network.publish(pubsub_topic, message) {
        Ok(Receipt { peers, hash }) => {
            let response = v3::Response {
                request_id,
                status_code: Some(200),
                status_desc: None,
                relay_peer_count: Some(peers),
            };
            Reply::new(response.encode(), format!("200, {hash}"))
        }
        Err(error) => error_v3(&request_id, status_of(&error), &error.to_string()),
    }
}

fn status_of(error: &PublishError) -> u32 {
    match error {
        PublishError::ContentTopic(_) | PublishError::TooLarge => 420,
        PublishError::NoSuchShard | PublishError::Duplicate => 505,
    }
}

fn error_v3(request_id: &str, status: u32, text: &str) -> Reply {
    let response = v3::Response {
        request_id: request_id.to_owned(),
        status_code: Some(status),
        status_desc: Some(text.to_owned()),
        relay_peer_count: None,
    };
    Reply::new(response.encode(), format!("{status} {text}"))
}

pub(super) fn busy_v3() -> Reply {
    error_v3(NO_REQUEST_ID, 429, TOO_MANY_REQUESTS)
}

pub(super) fn answer_v2(site: &Site, request: &[u8]) -> Reply {
    let rpc = match v2::Rpc::decode(request) {
        Ok(_) if !has_field(request, REQUEST_ID) => {
            return error_v2(NO_REQUEST_ID, "decode_rpc_failure: request_id missing");
        }
        Ok(rpc) => rpc,
        Err(error) => return error_v2(NO_REQUEST_ID, &format!("decode_rpc_failure: {error}")),
    };
    let v2::Rpc {
        request_id,
        request,
        ..
    } = rpc;
    let Some(v2::Request {
        pubsub_topic,
        message: Some(message),
    }) = request
    else {
        return error_v2(&request_id, "empty_request_body_failure");
    };
    match site.network.publish(pubsub_topic, message) {
        Ok(Receipt { hash, .. }) => {
            let answer = v2::Rpc::answer(request_id, true, Some("OK".to_owned()));
            Reply::new(answer.encode(), format!("OK, {hash}"))
        }
        Err(PublishError::NoSuchShard | PublishError::Duplicate) => {
            error_v2(&request_id, NOT_PUBLISHED)
        }
        Err(error) => error_v2(&request_id, &error.to_string()),
    }
}

fn error_v2(request_id: &str, text: &str) -> Reply {
    let answer = v2::Rpc::answer(request_id.to_owned(), false, Some(text.to_owned()));
    Reply::new(answer.encode(), text)
}

pub(super) fn busy_v2() -> Reply {
    error_v2(NO_REQUEST_ID, TOO_MANY_REQUESTS)
}
