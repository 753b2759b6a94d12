//! Serves a signed record tree of given node records as DNS over HTTPS, on loopback: how a page finds nodes that are not
//! of the local network.
//!
//! `cargo run --example zone --features fleet -- enr:… enr:…` prints `ready ENRTREE-URL RESOLVER-URL`, and ends when
//! standard input does or on a signal.

use std::{error::Error, io, net::Ipv4Addr, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{RawQuery, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use k256::ecdsa::SigningKey;
use lightkeeper::discovery::{
    dns::{self, RCODE_NO_ERROR, RCODE_NXDOMAIN, TYPE_TXT},
    enrtree::builder::{Zone, build_zone},
};
use tokio::{net::TcpListener, sync::oneshot};
use tower_http::cors::CorsLayer;

/// Any key will do: the page is told the public one.
const KEY: [u8; 32] = [7; 32];
/// A name that no real resolver answers for.
const DOMAIN: &str = "interop.lightkeeper.test";
const TTL_S: u32 = 60;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let enrs: Vec<String> = std::env::args().skip(1).collect();
    let key = SigningKey::from_slice(&KEY)?;
    let zone = Arc::new(build_zone(&key, DOMAIN, 1, &enrs, &[])?);
    let url = zone.url.to_string();
    let app = Router::new()
        .route("/dns-query", get(by_get).post(by_post))
        .layer(CorsLayer::permissive())
        .with_state(zone);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("ready {url} http://{}/dns-query", listener.local_addr()?);
    tokio::select! {
        served = axum::serve(listener, app).into_future() => served?,
        _ = end_of_input() => {}
    }
    Ok(())
}

async fn end_of_input() {
    let (ended, end) = oneshot::channel();
    // A read of standard input cannot be cancelled: a thread of its own keeps nothing else from ending.
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = ended.send(());
    });
    let _ = end.await;
}

async fn by_get(State(zone): State<Arc<Zone>>, RawQuery(query): RawQuery) -> Response {
    let value = query
        .as_deref()
        .and_then(|query| query.strip_prefix("dns="))
        .unwrap_or_default();
    match dns::parse_get_param(value) {
        Ok(message) => answer(&zone, &message),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

async fn by_post(State(zone): State<Arc<Zone>>, message: Bytes) -> Response {
    answer(&zone, &message)
}

fn answer(zone: &Zone, query: &[u8]) -> Response {
    let answer = dns::decode_query(query).and_then(|question| {
        let texts = zone
            .lookup(&question.name)
            .filter(|_| question.qtype == TYPE_TXT);
        let rcode = if texts.is_some() {
            RCODE_NO_ERROR
        } else {
            RCODE_NXDOMAIN
        };
        dns::encode_response(&question, rcode, texts.unwrap_or_default(), TTL_S)
    });
    match answer {
        Ok(message) => {
            ([(header::CONTENT_TYPE, "application/dns-message")], message).into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}
