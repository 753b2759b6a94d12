//! DNS over HTTPS, wire format (RFC 8484). Without TLS, which browsers allow on loopback.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;

use super::{Served, api::ApiError};
use crate::fleet::resolver::Resolution;

/// The media type of queries and answers.
const MESSAGE: &str = "application/dns-message";

/// How late a slow resolver answers.
const SLOW: Duration = Duration::from_secs(3);

/// The parameter of a query by GET.
#[derive(Deserialize)]
pub(super) struct DnsParameter {
    dns: String,
}

/// A query in the URL.
pub(super) async fn get(
    State(served): State<Served>,
    Query(DnsParameter { dns }): Query<DnsParameter>,
) -> Response {
    match BASE64URL_NOPAD.decode(dns.as_bytes()) {
        Ok(query) => answer(served, &query).await,
        Err(_) => ApiError::new(StatusCode::BAD_REQUEST, "dns is not base64url").into_response(),
    }
}

/// A query in the body.
pub(super) async fn post(
    State(served): State<Served>,
    headers: HeaderMap,
    query: Bytes,
) -> Response {
    if headers
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind != MESSAGE)
    {
        let problem = "the body must be application/dns-message";
        return ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem).into_response();
    }
    answer(served, &query).await
}

async fn answer(served: Served, query: &[u8]) -> Response {
    let message = match served.core.resolver().resolve(query) {
        Resolution::Answer(message) => message,
        Resolution::LateAnswer(message) => {
            tokio::time::sleep(SLOW).await;
            message
        }
        Resolution::Down => {
            let problem = "the resolver is told to be down";
            return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, problem).into_response();
        }
        Resolution::Malformed => {
            let problem = "not a DNS query with one question";
            return ApiError::new(StatusCode::BAD_REQUEST, problem).into_response();
        }
    };
    ([(header::CONTENT_TYPE, MESSAGE)], message).into_response()
}
