//! `/dnsaddr`: addresses that stand in the DNS, looked up over DNS-over-HTTPS.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};
use lightkeeper::discovery::dns::{
    RCODE_NO_ERROR, RCODE_NXDOMAIN, decode_query, encode_response, parse_get_param,
};
use lightkeeper::fleet::FleetOptions;
use lightkeeper::manager::Source;
use lightkeeper::node::{LogLevel, NodeConfig, NodeEvent};

use super::world::World;
use crate::client::soon;

type Names = Arc<BTreeMap<String, Vec<String>>>;

async fn answer(State(names): State<Names>, RawQuery(query): RawQuery) -> impl IntoResponse {
    let query = query.expect("a query");
    let message = parse_get_param(query.strip_prefix("dns=").expect("the message")).unwrap();
    let question = decode_query(&message).unwrap();
    let found = names.get(&question.name);
    let rcode = found.map_or(RCODE_NXDOMAIN, |_| RCODE_NO_ERROR);
    let texts = found.cloned().unwrap_or_default();
    let body = encode_response(&question, rcode, &texts, 60).unwrap();
    (
        [(CONTENT_TYPE, "application/dns-message")],
        Bytes::from(body),
    )
}

/// A resolver that knows just these names; its URL.
fn resolver(names: BTreeMap<String, Vec<String>>) -> String {
    let (listener, url) = listener();
    serve(listener, get(answer).with_state(Arc::new(names)));
    url
}

/// Where a resolver may listen, and its URL.
fn listener() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, format!("http://127.0.0.1:{port}/dns-query"))
}

fn serve(listener: std::net::TcpListener, answers: MethodRouter) {
    let router = axum::Router::new().route("/dns-query", answers);
    tokio::spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        axum::serve(listener, router).await.unwrap();
    });
}

/// What a resolver says that could not look.
async fn servfail(RawQuery(query): RawQuery) -> impl IntoResponse {
    let query = query.expect("a query");
    let message = parse_get_param(query.strip_prefix("dns=").expect("the message")).unwrap();
    let question = decode_query(&message).unwrap();
    let body = encode_response(&question, 2, &[], 60).unwrap();
    (
        [(CONTENT_TYPE, "application/dns-message")],
        Bytes::from(body),
    )
}

/// A fleet and a node that knows one of it by `/dnsaddr/one.example`; the resolvers are made of the names.
async fn knowing(resolvers: impl FnOnce(BTreeMap<String, Vec<String>>) -> Vec<String>) -> World {
    let options = FleetOptions {
        port: 0,
        ..FleetOptions::default()
    };
    World::of(options, |fleet, config| {
        let node = fleet.node("all-1").unwrap();
        config.resolvers = resolvers(BTreeMap::from([(
            "_dnsaddr.one.example".to_owned(),
            vec![format!("dnsaddr={}", node.address)],
        )]));
        let entry = format!("/dnsaddr/one.example/p2p/{}", node.peer_id);
        config.bootstrap = NodeConfig::parse_bootstrap(&[entry]).unwrap();
    })
    .await
}

#[tokio::test]
async fn a_resolver_that_could_not_look_is_passed_over() {
    let world = knowing(|names| {
        let (listener, url) = listener();
        serve(listener, get(servfail));
        vec![url, resolver(names)]
    })
    .await;
    world.connects(world.peer_of("all-1")).await;
    world.close().await;
}

#[tokio::test]
async fn a_dnsaddr_that_could_not_be_looked_up_is_looked_up_again() {
    let mut later = None;
    let world = knowing(|names| {
        // Nobody listens there any more.
        let (listener, url) = listener();
        let address = listener.local_addr().unwrap();
        later = Some((address, names));
        vec![url]
    })
    .await;
    world
        .event_since(0, |event| match event {
            NodeEvent::Log(LogLevel::Warn, "dns", _) => Some(()),
            _ => None,
        })
        .await;
    let (address, names) = later.unwrap();
    let listener = std::net::TcpListener::bind(address).unwrap();
    listener.set_nonblocking(true).unwrap();
    serve(listener, get(answer).with_state(Arc::new(names)));
    world.connects(world.peer_of("all-1")).await;
    world.close().await;
}

#[tokio::test]
async fn a_dnsaddr_is_looked_up_at_once_when_there_is_a_network_again() {
    let (asked, mut look_ups) = tokio::sync::mpsc::unbounded_channel();
    let world = knowing(|_| {
        let (listener, url) = listener();
        let failing = move |query| {
            asked.send(()).unwrap();
            servfail(query)
        };
        serve(listener, get(failing));
        vec![url]
    })
    .await;
    let mut mark = 0;
    // By itself it would wait twice as long each time, and from the sixth on for a minute: nobody here has that patience.
    for _ in 0..8 {
        soon(look_ups.recv()).await.unwrap();
        world
            .event_since(mark, |event| match event {
                NodeEvent::Log(LogLevel::Warn, "dns", _) => Some(()),
                _ => None,
            })
            .await;
        mark = world.mark();
        world.node.set_online(false);
        world.node.set_online(true);
    }
    world.close().await;
}

#[tokio::test]
async fn a_dnsaddr_is_resolved_through_its_levels() {
    let options = FleetOptions {
        port: 0,
        ..FleetOptions::default()
    };
    let world = World::of(options, |fleet, config| {
        let (first, second) = (fleet.node("all-1").unwrap(), fleet.node("all-2").unwrap());
        let name = |domain: &str| format!("_dnsaddr.{domain}");
        config.resolvers = vec![resolver(BTreeMap::from([
            (
                name("one.example"),
                vec![
                    "dnsaddr=/dnsaddr/two.example".into(),
                    "another text of the same name".into(),
                ],
            ),
            (
                name("two.example"),
                vec![
                    format!("dnsaddr={}", first.address),
                    // Of another peer than the one asked for: not taken.
                    format!("dnsaddr={}", fleet.node("all-3").unwrap().address),
                ],
            ),
            (
                name("three.example"),
                vec![format!("dnsaddr={}", second.address)],
            ),
        ]))];
        config.bootstrap = NodeConfig::parse_bootstrap(&[
            format!("/dnsaddr/one.example/p2p/{}", first.peer_id),
            format!("/dnsaddr/three.example/p2p/{}", second.peer_id),
        ])
        .unwrap();
    })
    .await;
    world.ready().await;
    // Others may be learnt from these by peer exchange.
    let mut named: Vec<_> = world
        .node
        .peers()
        .into_iter()
        .filter(|peer| peer.source == Source::Static)
        .map(|peer| world.name_of(peer.peer))
        .collect();
    named.sort();
    assert_eq!(named, ["all-1", "all-2"]);
    world.close().await;
}
