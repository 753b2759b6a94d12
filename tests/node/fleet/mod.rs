//! The fleet, seen by a raw client and over real HTTP.

mod control;
mod faults;
mod services;
mod tree;

use std::time::{SystemTime, UNIX_EPOCH};

use libp2p::PeerId;
use lightkeeper::{
    fleet::{Fleet, FleetOptions, NodeInfo},
    protocols::{Network, WakuMessage, filter, ids, lightpush::v3, store},
};

use crate::client::Client;

const TOPIC: &str = "/lightkeeper/1/fleet-test/proto";

async fn fleet() -> Fleet {
    Fleet::start(FleetOptions {
        port: 0,
        ..FleetOptions::default()
    })
    .await
    .unwrap()
}

async fn connect(client: &Client, fleet: &Fleet, node: &str) -> PeerId {
    client
        .dial(&fleet.node(node).unwrap().address)
        .await
        .unwrap()
}

async fn act(fleet: &Fleet, node: &str, action: &str) -> NodeInfo {
    fleet.control(node, action.parse().unwrap()).await.unwrap()
}

fn shard() -> String {
    Network::auto(1, 8)
        .unwrap()
        .shard_of(TOPIC, None)
        .unwrap()
        .to_string()
}

fn message(payload: &[u8]) -> WakuMessage {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_nanos();
    WakuMessage::new(TOPIC, payload.to_vec(), now as i64)
}

fn push_request(message: WakuMessage) -> v3::Request {
    v3::Request {
        request_id: "push".into(),
        pubsub_topic: Some(shard()),
        message: Some(message),
    }
}

async fn push(client: &Client, peer: PeerId, request: &v3::Request) -> v3::Response {
    let answer = client
        .answer(peer, ids::LIGHTPUSH_V3, &request.encode())
        .await;
    v3::Response::decode(&answer).unwrap()
}

async fn filter(client: &Client, peer: PeerId, request: filter::Request) -> filter::Response {
    let answer = client
        .answer(peer, ids::FILTER_SUBSCRIBE, &request.encode())
        .await;
    filter::Response::decode(&answer).unwrap()
}

async fn subscribe(client: &Client, peer: PeerId) -> filter::Response {
    let request = filter::Request::subscribe("sub".into(), shard(), vec![TOPIC.into()]);
    filter(client, peer, request).await
}

async fn query(client: &Client, peer: PeerId, request: store::Request) -> store::Response {
    let answer = client
        .answer(peer, ids::STORE_QUERY, &request.encode())
        .await;
    store::Response::decode(&answer).unwrap()
}

fn history() -> store::Request {
    store::Request {
        request_id: "query".into(),
        include_data: true,
        pubsub_topic: Some(shard()),
        content_topics: vec![TOPIC.into()],
        ..Default::default()
    }
}

fn payloads(page: &store::Response) -> Vec<Vec<u8>> {
    let message = |entry: &store::KeyValue| entry.message.as_ref().unwrap().payload().to_vec();
    page.messages.iter().map(message).collect()
}
