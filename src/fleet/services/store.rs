//! Store: pages of the shared log (store.md).

use super::{NO_REQUEST_ID, Reply, Site, TOO_MANY_REQUESTS, has_field};
use crate::{
    fleet::log::Query,
    protocols::{
        MessageHash,
        store::{DEFAULT_PAGE, KeyValue, MAX_CONTENT_TOPICS, MAX_PAGE, Request, Response},
    },
};

/// The field that nwaku's decoder wants on the wire, be it empty.
const REQUEST_ID: u32 = 1;

/// nwaku's status of everything that goes wrong in its archive.
const BAD_RESPONSE: u32 = 300;

pub(super) fn answer(site: &Site, request: &[u8]) -> Reply {
    let request = match Request::decode(request) {
        Ok(_) if !has_field(request, REQUEST_ID) => {
            return error("", 400, "BAD_REQUEST: request_id missing");
        }
        Ok(request) => request,
        Err(problem) => return error("", 400, &format!("BAD_REQUEST: {problem}")),
    };
    let cursor = match request
        .pagination_cursor
        .as_deref()
        .map(MessageHash::try_from)
    {
        None => None,
        Some(Ok(hash)) if hash.0 != [0; 32] => Some(hash),
        Some(_) => {
            return error(
                "",
                BAD_RESPONSE,
                "BAD_RESPONSE: archive error: invalid cursor",
            );
        }
    };
    if cursor.is_some() && request.content_topics.len() > MAX_CONTENT_TOPICS {
        return error(
            "",
            BAD_RESPONSE,
            "BAD_RESPONSE: archive error: too many content topics",
        );
    }
    let hashes: Result<Vec<_>, _> = request
        .message_hashes
        .iter()
        .map(|hash| MessageHash::try_from(&hash[..]))
        .collect();
    let Ok(hashes) = hashes else {
        return error("", 400, "BAD_REQUEST: message hash is not 32 bytes");
    };
    let limit = match request.pagination_limit() {
        0 => DEFAULT_PAGE,
        limit => limit.min(MAX_PAGE),
    };
    let query = Query {
        pubsub_topic: request.pubsub_topic.as_deref(),
        content_topics: &request.content_topics,
        time: request.time_start.unwrap_or(i64::MIN)..=request.time_end.unwrap_or(i64::MAX),
        hashes: &hashes,
        cursor,
        forward: request.pagination_forward,
        limit: limit as usize,
    };
    let page = site.network.log().page(&query);
    let page = match page {
        Ok(page) => page,
        Err(problem) => {
            return error(
                "",
                BAD_RESPONSE,
                &format!("BAD_RESPONSE: archive error: {problem}"),
            );
        }
    };
    let told = format!("200, {} messages", page.messages.len());
    let entry = |published: &crate::fleet::network::Published| KeyValue {
        message_hash: Some(published.hash.0.to_vec()),
        message: request.include_data.then(|| published.message.clone()),
        pubsub_topic: request.include_data.then(|| published.pubsub_topic.clone()),
    };
    let response = Response {
        messages: page
            .messages
            .iter()
            .map(|published| entry(published))
            .collect(),
        pagination_cursor: page.cursor.map(|hash| hash.0.to_vec()),
        request_id: request.request_id,
        status_code: Some(200),
        status_desc: Some("OK".to_owned()),
    };
    Reply::new(response.encode(), told)
}

fn error(request_id: &str, status: u32, text: &str) -> Reply {
    let response = Response {
        request_id: request_id.to_owned(),
        status_code: Some(status),
        status_desc: Some(text.to_owned()),
        ..Response::default()
    };
    Reply::new(response.encode(), format!("{status} {text}"))
}

pub(super) fn busy() -> Reply {
    error(NO_REQUEST_ID, 429, TOO_MANY_REQUESTS)
}
