//! What nodes answer when nothing is wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use libp2p::PeerId;
use lightkeeper::protocols::{
    filter::Request as FilterRequest,
    ids,
    lightpush::{v2, v3},
    metadata::Metadata,
    store,
};

use super::{
    TOPIC, connect, filter, fleet, history, message, payloads, push, push_request, query, shard,
    subscribe,
};
use crate::client::{Answers, Client, Told};

#[tokio::test(flavor = "multi_thread")]
async fn every_node_tells_its_cluster_and_leaves_those_of_another() {
    let fleet = fleet().await;
    let client = Client::new();
    for node in fleet.nodes() {
        let peer = client.dial(&node.address).await.unwrap();
        assert_eq!(peer.to_string(), node.peer_id);
        let answer = client
            .answer(peer, ids::METADATA, &Metadata::light(1).encode())
            .await;
        let metadata = Metadata::decode(&answer).unwrap();
        assert_eq!(metadata.cluster_id, Some(1));
        assert_eq!(metadata.shards, [0, 1, 2, 3, 4, 5, 6, 7]);
    }
    for answers in [Answers::Cluster(2), Answers::Nothing] {
        let mut stranger = Client::with(answers);
        let peer = connect(&stranger, &fleet, "all-1").await;
        stranger.closed(peer).await;
    }
    // The first client answered as it should and was kept.
    let peer = fleet.node("all-1").unwrap().peer_id.parse().unwrap();
    assert!(client.ping(peer).await);
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_pushed_to_one_node_is_filtered_and_stored_by_others() {
    let fleet = fleet().await;
    let mut client = Client::new();
    let (light, filtering) = (
        connect(&client, &fleet, "lightpush-1").await,
        connect(&client, &fleet, "filter-1").await,
    );
    let storing = connect(&client, &fleet, "store-1").await;
    let subscribed = subscribe(&client, filtering).await;
    assert_eq!(
        (subscribed.status_code(), &*subscribed.request_id),
        (200, "sub")
    );

    let first = message(b"by version 3");
    let answer = push(&client, light, &push_request(first.clone())).await;
    assert_eq!((answer.status_code(), &*answer.request_id), (200, "push"));
    assert_eq!(answer.relay_peer_count, Some(7));
    let (from, pushed) = client.pushed().await;
    assert_eq!(from, filtering);
    assert_eq!(pushed.waku_message.as_ref(), Some(&first));
    assert_eq!(pushed.pubsub_topic(), shard());

    let second = message(b"by version 2");
    let request = v2::Rpc::request("two".into(), shard(), second.clone()).encode();
    let answer = client.answer(light, ids::LIGHTPUSH_V2, &request).await;
    let answer = v2::Rpc::decode(&answer).unwrap();
    assert!(answer.response.unwrap().is_success());
    assert_eq!(answer.request_id, "two");
    assert_eq!(client.pushed().await.1.waku_message, Some(second.clone()));

    let mut third = message(b"not to be kept");
    third.ephemeral = Some(true);
    assert_eq!(
        push(&client, light, &push_request(third.clone()))
            .await
            .status_code(),
        200
    );
    assert_eq!(client.pushed().await.1.waku_message, Some(third));

    let page = query(&client, storing, history()).await;
    assert_eq!((page.status_code(), &*page.request_id), (200, "query"));
    assert_eq!(payloads(&page), [b"by version 3", b"by version 2"]);
    let hash = first.hash(&shard());
    assert_eq!(page.messages[0].message_hash(), hash.as_bytes());
    let presence = store::Request {
        request_id: "seen?".into(),
        message_hashes: vec![hash.0.to_vec(), vec![1; 32]],
        ..Default::default()
    };
    let page = query(&client, storing, presence).await;
    assert_eq!(page.messages.len(), 1);
    assert_eq!(page.messages[0].message, None);

    let unsubscribed = filter(
        &client,
        filtering,
        FilterRequest::unsubscribe_all("u".into()),
    );
    assert_eq!(unsubscribed.await.status_code(), 200);
    let pinged = filter(&client, filtering, FilterRequest::ping("p".into())).await;
    assert_eq!((pinged.status_code(), &*pinged.request_id), (404, "p"));
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_are_answered_as_nwaku_answers_them() {
    let fleet = fleet().await;
    let client = Client::new();
    let peer = connect(&client, &fleet, "all-1").await;
    let response = async |request: &[u8]| {
        let answer = client.answer(peer, ids::LIGHTPUSH_V3, request).await;
        let response = v3::Response::decode(&answer).unwrap();
        (response.status_code(), response.request_id)
    };
    // Not protobuf, no message, and a request id that was left out because it is empty.
    assert_eq!(response(&[0xff]).await, (400, "N/A".into()));
    let mut request = v3::Request {
        message: None,
        ..push_request(message(b"x"))
    };
    assert_eq!(response(&request.encode()).await, (400, "N/A".into()));
    request = v3::Request {
        request_id: String::new(),
        ..push_request(message(b"x"))
    };
    let with_empty_id = request.encode();
    assert_eq!(with_empty_id[..2], [0x0a, 0]);
    assert_eq!(response(&with_empty_id[2..]).await, (400, "N/A".into()));

    request = push_request(message(b"x"));
    request.pubsub_topic = Some(" ".into());
    assert_eq!(response(&request.encode()).await, (400, "push".into()));
    request.pubsub_topic = Some("/waku/2/rs/1/8".into());
    assert_eq!(response(&request.encode()).await, (505, "push".into()));
    request = push_request(message(&[0; 160_000]));
    assert_eq!(response(&request.encode()).await, (420, "push".into()));
    request = v3::Request {
        pubsub_topic: None,
        ..push_request(message(b"derived"))
    };
    assert_eq!(response(&request.encode()).await, (200, "push".into()));
    // The mesh had these bytes a moment ago.
    assert_eq!(response(&request.encode()).await, (505, "push".into()));

    let undecodable = client.ask(peer, ids::FILTER_SUBSCRIBE, &[0xff]).await;
    assert!(
        !matches!(undecodable, Ok(Some(_))),
        "filter does not answer what it cannot read"
    );
    let nothing_wanted = FilterRequest::subscribe("f".into(), shard(), Vec::new());
    assert_eq!(
        filter(&client, peer, nothing_wanted).await.status_code(),
        400
    );

    let lost = store::Request {
        pagination_cursor: Some(vec![9; 32]),
        ..history()
    };
    let answer = query(&client, peer, lost).await;
    assert_eq!((answer.status_code(), &*answer.request_id), (300, ""));
    assert!(answer.status_desc().contains("cursor"));
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn store_pages_are_sorted_and_follow_the_cursor_both_ways() {
    let fleet = fleet().await;
    let all: Vec<Vec<u8>> = (0..25).map(|n| vec![n]).collect();
    for payload in &all {
        fleet.publish(TOPIC, payload.clone(), false).unwrap();
    }
    let client = Client::new();
    let peer = connect(&client, &fleet, "store-1").await;

    let newest = query(&client, peer, history()).await;
    assert_eq!(payloads(&newest), all[5..]);
    let cursor = newest.pagination_cursor.clone();
    assert_eq!(cursor.as_ref(), newest.messages[0].message_hash.as_ref());
    let older = query(
        &client,
        peer,
        store::Request {
            pagination_cursor: cursor,
            ..history()
        },
    );
    let older = older.await;
    assert_eq!(payloads(&older), all[..5]);
    assert_eq!(older.pagination_cursor, None);

    let forward = store::Request {
        pagination_forward: true,
        pagination_limit: Some(24),
        ..history()
    };
    let oldest = query(&client, peer, forward.clone()).await;
    assert_eq!(payloads(&oldest), all[..24]);
    let cursor = oldest.pagination_cursor.clone();
    assert_eq!(cursor.as_ref(), oldest.messages[23].message_hash.as_ref());
    let last = query(
        &client,
        peer,
        store::Request {
            pagination_cursor: cursor,
            ..forward
        },
    )
    .await;
    assert_eq!(payloads(&last), all[24..]);
    assert_eq!(last.pagination_cursor, None);

    let second = oldest.messages[1].message.as_ref().unwrap().timestamp;
    let third = oldest.messages[2].message.as_ref().unwrap().timestamp;
    let between = store::Request {
        time_start: second,
        time_end: third,
        ..history()
    };
    assert_eq!(payloads(&query(&client, peer, between).await), all[1..3]);
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_come_in_order_on_one_stream_of_each_node() {
    let fleet = fleet().await;
    let mut client = Client::new();
    let nodes = [
        connect(&client, &fleet, "filter-1").await,
        connect(&client, &fleet, "all-2").await,
    ];
    let all: Vec<Vec<u8>> = (0..100).map(|n| vec![n]).collect();
    for node in nodes {
        subscribe(&client, node).await;
    }
    for payload in &all {
        fleet.publish(TOPIC, payload.clone(), true).unwrap();
    }
    let mut received: BTreeMap<(PeerId, usize), Vec<Vec<u8>>> = BTreeMap::new();
    for _ in 0..2 * all.len() {
        match client.told().await {
            Told::Pushed { from, stream, push } => {
                let payload = push.waku_message.unwrap().payload().to_vec();
                received.entry((from, stream)).or_default().push(payload);
            }
            other => panic!("{other:?}"),
        }
    }
    let senders: BTreeSet<PeerId> = received.keys().map(|(from, _)| *from).collect();
    assert_eq!(senders, nodes.into());
    assert_eq!(
        received.into_values().collect::<Vec<_>>(),
        [all.clone(), all]
    );
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_outlives_the_connection() {
    let fleet = fleet().await;
    let mut client = Client::new();
    let peer = connect(&client, &fleet, "filter-1").await;
    subscribe(&client, peer).await;
    client.hang_up(peer).await;
    assert_eq!(connect(&client, &fleet, "filter-1").await, peer);
    let pinged = filter(&client, peer, FilterRequest::ping("p".into())).await;
    assert_eq!(pinged.status_code(), 200);
    fleet.publish(TOPIC, b"again".to_vec(), true).unwrap();
    assert_eq!(
        client.pushed().await.1.waku_message.unwrap().payload(),
        b"again"
    );
    fleet.shutdown().await;
}
