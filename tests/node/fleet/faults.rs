//! What can be made to go wrong.

use futures::FutureExt;
use lightkeeper::{
    fleet::{Action, EventKind, Fault, Fleet, FleetOptions, NodeInfo, NodeState},
    protocols::{
        filter::Request as FilterRequest, ids, lightpush::v2, metadata::Metadata, peer_exchange,
    },
};

use super::{
    TOPIC, act, connect, filter, fleet, history, message, payloads, push, push_request, query,
    shard, subscribe,
};
use crate::client::{Client, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_comes_back_on_its_port_with_its_identity_and_without_subscriptions() {
    let fleet = fleet().await;
    let mut client = Client::new();
    let before = fleet.node("all-1").unwrap();
    let peer = connect(&client, &fleet, "all-1").await;
    assert_eq!(subscribe(&client, peer).await.status_code(), 200);
    assert_eq!(fleet.node("all-1").unwrap().connections, 1);

    let stopped = act(&fleet, "all-1", "stop").await;
    assert_eq!(
        (stopped.state, stopped.connections),
        (NodeState::Stopped, 0)
    );
    client.closed(peer).await;
    assert!(client.dial(&before.address).await.is_err());
    fleet.publish(TOPIC, b"missed".to_vec(), false).unwrap();

    assert_eq!(
        act(&fleet, "all-1", "start").await,
        NodeInfo {
            connections: 0,
            ..before.clone()
        }
    );
    assert_eq!(client.dial(&before.address).await, Ok(peer));
    let pinged = filter(&client, peer, FilterRequest::ping("p".into())).await;
    assert_eq!(pinged.status_code(), 404);
    // What happened meanwhile is in the log that all nodes share.
    assert_eq!(
        payloads(&query(&client, peer, history()).await),
        [b"missed"]
    );
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_node_answers_that_it_is_and_keeps_its_connections() {
    let fleet = fleet().await;
    let client = Client::new();
    let peer = connect(&client, &fleet, "all-1").await;
    assert_eq!(act(&fleet, "all-1", "busy").await.fault, Fault::Busy);

    let pushed = push(&client, peer, &push_request(message(b"x"))).await;
    assert_eq!((pushed.status_code(), &*pushed.request_id), (429, "N/A"));
    let subscribed = subscribe(&client, peer).await;
    assert_eq!(
        (subscribed.status_code(), &*subscribed.request_id),
        (429, "N/A")
    );
    let queried = query(&client, peer, history()).await;
    assert_eq!((queried.status_code(), &*queried.request_id), (429, "N/A"));
    let request = v2::Rpc::request("two".into(), shard(), message(b"x")).encode();
    let answer = client.answer(peer, ids::LIGHTPUSH_V2, &request).await;
    let answer = v2::Rpc::decode(&answer).unwrap();
    assert_eq!(
        (&*answer.request_id, answer.response.unwrap().info()),
        ("N/A", "TOO_MANY_REQUESTS")
    );
    let request = peer_exchange::Rpc::request(5).encode();
    let answer = client.answer(peer, ids::PEER_EXCHANGE, &request).await;
    let response = peer_exchange::Rpc::decode(&answer)
        .unwrap()
        .response
        .unwrap();
    assert_eq!(response.status_code, Some(429));
    client
        .answer(peer, ids::METADATA, &Metadata::light(1).encode())
        .await;

    act(&fleet, "all-1", "heal").await;
    let pushed = push(&client, peer, &push_request(message(b"x"))).await;
    assert_eq!(pushed.status_code(), 200);
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_node_answers_thirty_filter_requests_of_a_peer_in_a_minute() {
    let fleet = fleet().await;
    let client = Client::new();
    let peer = connect(&client, &fleet, "all-1").await;
    assert_eq!(act(&fleet, "all-1", "limited").await.fault, Fault::Limited);
    assert_eq!(subscribe(&client, peer).await.status_code(), 200);
    let ping = || filter(&client, peer, FilterRequest::ping("p".into()));
    for _ in 1..30 {
        assert_eq!(ping().await.status_code(), 200);
    }
    let over = ping().await;
    assert_eq!((over.status_code(), &*over.request_id), (429, "N/A"));
    // Another peer has its own thirty, and other services have none.
    let other = Client::new();
    connect(&other, &fleet, "all-1").await;
    assert_eq!(subscribe(&other, peer).await.status_code(), 200);
    let pushed = push(&client, peer, &push_request(message(b"x"))).await;
    assert_eq!(pushed.status_code(), 200);
    act(&fleet, "all-1", "heal").await;
    assert_eq!(ping().await.status_code(), 200);
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusing_node_closes_every_request_stream() {
    let fleet = fleet().await;
    let client = Client::new();
    let peer = connect(&client, &fleet, "all-1").await;
    act(&fleet, "all-1", "refuse").await;
    for protocol in [
        ids::METADATA,
        ids::LIGHTPUSH_V3,
        ids::FILTER_SUBSCRIBE,
        ids::STORE_QUERY,
    ] {
        let answer = client
            .ask(peer, protocol, &Metadata::light(1).encode())
            .await;
        assert!(!matches!(answer, Ok(Some(_))), "{protocol}");
    }
    assert!(client.ping(peer).await);
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_node_answers_pings_and_nothing_else_until_it_is_healed() {
    let fleet = fleet().await;
    let mut events = fleet.events();
    let client = Client::new();
    let peer = connect(&client, &fleet, "all-1").await;
    act(&fleet, "all-1", "stall").await;
    let request = push_request(message(b"late"));
    let mut answer = Box::pin(push(&client, peer, &request));
    // The node has the request when it says so; polling both gets it there.
    let seen = async {
        loop {
            let event = events.recv().await.unwrap();
            let protocol = event.protocol.as_deref();
            if event.kind == EventKind::Request && protocol == Some(ids::LIGHTPUSH_V3) {
                return;
            }
        }
    };
    tokio::select! {
        () = soon(seen) => {}
        answer = &mut answer => panic!("answered {answer:?}"),
    }
    assert!(client.ping(peer).await);
    assert!(answer.as_mut().now_or_never().is_none());
    // New connections are accepted as well.
    let other = Client::new();
    assert_eq!(connect(&other, &fleet, "all-1").await, peer);
    assert!(other.ping(peer).await);

    act(&fleet, "all-1", "heal").await;
    assert_eq!(soon(answer).await.status_code(), 200);
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_node_answers_in_the_end() {
    let fleet = fleet().await;
    let client = Client::new();
    let peer = connect(&client, &fleet, "all-1").await;
    act(&fleet, "all-1", "slow").await;
    let mut answer = Box::pin(query(&client, peer, history()));
    // Others are served meanwhile.
    let other = connect(&client, &fleet, "all-2").await;
    tokio::select! {
        biased;
        page = query(&client, other, history()) => assert_eq!(page.status_code(), 200),
        page = &mut answer => panic!("the slow one was first: {page:?}"),
    }
    assert_eq!(answer.await.status_code(), 200);
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_wrong_identity_holds_the_port_until_it_is_healed() {
    let fleet = fleet().await;
    let mut client = Client::new();
    let node = fleet.node("all-1").unwrap();
    let peer = connect(&client, &fleet, "all-1").await;
    let wrong = act(&fleet, "all-1", "wrong-id").await;
    assert_eq!(
        (wrong.peer_id, wrong.state),
        (node.peer_id.clone(), NodeState::Running)
    );
    client.closed(peer).await;
    let error = client.dial(&node.address).await.unwrap_err();
    assert!(error.contains("WrongPeerId"), "{error}");
    let (without_id, _) = node.address.split_once("/p2p/").unwrap();
    let impostor = client.dial(without_id).await.unwrap();
    assert_ne!(impostor, peer);

    act(&fleet, "all-1", "heal").await;
    client.closed(impostor).await;
    assert_eq!(client.dial(&node.address).await, Ok(peer));
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_that_was_shut_down_leaves_its_ports() {
    let fleet = fleet().await;
    let (at, nodes) = (fleet.http_addr(), fleet.nodes());
    fleet.shutdown().await;
    let options = FleetOptions {
        port: at.port(),
        node_port: Some(0),
        ..FleetOptions::default()
    };
    let again = Fleet::start(options).await.unwrap();
    again.control("all-1", Action::Stop).await.unwrap();
    again.shutdown().await;
    for node in nodes {
        let port: u16 = node.address.split('/').nth(4).unwrap().parse().unwrap();
        assert!(
            std::net::TcpStream::connect(("127.0.0.1", port)).is_err(),
            "{}",
            node.name
        );
    }
}
