//! Nobody but programs and pages of this machine may talk to the fleet.
//!
//! Listening on 127.0.0.1 keeps other machines out, but not their pages in this machine's browser: those could name
//! loopback in a URL, or make their own name resolve to it. Hence both the `Host` and the `Origin` are looked at.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::api::ApiError;

/// Refuses requests that were meant for another host, or come from a page of another host.
pub(super) async fn loopback_only(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host_is_ours = value_of(headers, header::HOST).is_some_and(is_loopback);
    let origin_is_ours = match headers.get(header::ORIGIN) {
        None => true,
        Some(origin) => is_loopback_origin(origin),
    };
    if host_is_ours && origin_is_ours {
        next.run(request).await
    } else {
        ApiError::new(StatusCode::FORBIDDEN, "the fleet is for this machine only").into_response()
    }
}

/// Lets pages of other loopback origins read the answers.
pub(super) fn cross_origin() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(|origin, _| {
            is_loopback_origin(origin)
        }))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::ACCEPT, header::CONTENT_TYPE])
}

fn value_of(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn is_loopback_origin(origin: &HeaderValue) -> bool {
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let authority = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(is_loopback)
}

/// Whether `host`, with or without a port, names this machine.
fn is_loopback(authority: &str) -> bool {
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of an IPv6 address stand in brackets.
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, ""),
    };
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let host = host.to_ascii_lowercase();
    let is_name = host == "localhost" || host.ends_with(".localhost");
    let is_v4 = host
        .parse::<std::net::Ipv4Addr>()
        .is_ok_and(|ip| ip.is_loopback());
    is_name || is_v4 || host == "[::1]"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for host in [
            "localhost",
            "LOCALHOST:8800",
            "a.localhost:1",
            "127.0.0.1",
            "127.9.9.9:80",
            "[::1]:8800",
            "[::1]",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "example.org:80",
            "localhost.example.org",
            "10.0.0.1",
            "[::2]",
            "127.0.0.1.example.org",
            "localhost:80@example.org",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn an_origin_needs_scheme_and_loopback_host() {
        let is = |origin: &'static str| is_loopback_origin(&HeaderValue::from_static(origin));
        assert!(is("http://localhost:5173"));
        assert!(is("https://127.0.0.1"));
        assert!(!is("null"));
        assert!(!is("http://example.org"));
        assert!(!is("file://localhost"));
    }
}
