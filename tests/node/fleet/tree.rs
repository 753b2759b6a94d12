//! The record tree, the resolver, and what peer exchange adds.

use lightkeeper::{
    discovery::{
        dns,
        enr::Enr,
        enrtree::EnrTreeUrl,
        walk::{Answer, ResolverFailure, TreeError, Walk, WalkConfig, WalkEvent},
    },
    fleet::{Fleet, FleetOptions, ResolverMode},
    protocols::{ids, peer_exchange},
};

use super::{connect, fleet};
use crate::{client::Client, http};

/// Walks the fleet's tree over HTTP, by GET and POST in turn.
async fn walk(fleet: &Fleet) -> Vec<WalkEvent> {
    let url: EnrTreeUrl = fleet.info().enrtree.parse().unwrap();
    let mut walk = Walk::new(vec![url], WalkConfig::default(), [7; 32]);
    let (mut now, mut events, mut by_get) = (0, Vec::new(), true);
    walk.start(now);
    loop {
        while let Some(event) = walk.poll_event() {
            let finished = matches!(event, WalkEvent::Finished { .. });
            events.push(event);
            if finished {
                return events;
            }
        }
        match walk.poll_query(now) {
            Some(asked) => {
                let answer = look_up(fleet, &asked.name, by_get).await;
                by_get = !by_get;
                walk.handle_answer(now, asked.id, answer);
            }
            None => {
                now = walk
                    .next_deadline()
                    .expect("something to wait for")
                    .max(now + 1)
            }
        }
    }
}

async fn look_up(fleet: &Fleet, name: &str, by_get: bool) -> Answer {
    let message = dns::encode_query(name).unwrap();
    let kind = "application/dns-message";
    let answer = if by_get {
        let path = format!("/dns-query?dns={}", dns::get_param(&message));
        http::request(fleet.http_addr(), "GET", &path, &[("Accept", kind)], &[]).await
    } else {
        let headers = [("Content-Type", kind)];
        http::request(fleet.http_addr(), "POST", "/dns-query", &headers, &message).await
    };
    if answer.status != 200 {
        return Answer::Failed(ResolverFailure::Http);
    }
    assert_eq!(answer.header("content-type"), Some(kind));
    let answer = dns::decode_response(&answer.body).unwrap();
    match answer.rcode {
        0 => Answer::Txt {
            records: answer.txt,
            ttl_s: answer.ttl_s,
        },
        3 => Answer::NoSuchName,
        other => panic!("rcode {other}"),
    }
}

fn candidates(events: &[WalkEvent]) -> Vec<String> {
    let mut ids: Vec<String> = events
        .iter()
        .filter_map(|event| match event {
            WalkEvent::Candidate { enr, .. } => Some(enr.to_text()),
            _ => None,
        })
        .collect();
    ids.sort();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tree_holds_the_bootstrap_nodes_and_verifies() {
    let fleet = fleet().await;
    let mut expected: Vec<String> = fleet
        .nodes()
        .into_iter()
        .filter(|node| node.bootstrap)
        .map(|node| node.enr)
        .collect();
    expected.sort();
    assert_eq!(expected.len(), 2);
    assert_eq!(candidates(&walk(&fleet).await), expected);
    for node in fleet.nodes() {
        let enr = Enr::from_text(&node.enr).unwrap();
        assert_eq!(enr.peer_id().to_string(), node.peer_id);
        let addresses: Vec<String> = enr.multiaddrs().iter().map(ToString::to_string).collect();
        assert_eq!(addresses, [node.address]);
        assert_eq!(enr.relay_shards().unwrap().shards, [0, 1, 2, 3, 4, 5, 6, 7]);
    }
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_resolver_is_found_out() {
    let fleet = fleet().await;
    fleet.set_resolver(ResolverMode::Lie);
    let events = walk(&fleet).await;
    let is_forged = |event: &WalkEvent| {
        matches!(
            event,
            WalkEvent::TreeFailed {
                reason: TreeError::BadSignature,
                ..
            }
        )
    };
    assert!(events.iter().any(is_forged), "{events:?}");
    assert!(candidates(&events).is_empty());

    fleet.set_resolver(ResolverMode::Forge);
    let events = walk(&fleet).await;
    assert!(candidates(&events).is_empty());
    assert!(!events.iter().any(is_forged), "{events:?}");
    assert!(
        events
            .iter()
            .any(|event| matches!(event, WalkEvent::EntryDropped { .. }))
    );

    fleet.set_resolver(ResolverMode::Down);
    let down = http::get(fleet.http_addr(), "/dns-query?dns=").await;
    assert_eq!(down.status, 400, "what is no query is refused as such");
    let message = dns::get_param(&dns::encode_query("fleet.lightkeeper.test").unwrap());
    let down = http::get(fleet.http_addr(), &format!("/dns-query?dns={message}")).await;
    assert_eq!(down.status, 503);

    fleet.set_resolver(ResolverMode::Ok);
    assert_eq!(candidates(&walk(&fleet).await).len(), 2);
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn peer_ids_depend_on_the_seed_alone() {
    let ids = |fleet: &Fleet| -> Vec<String> {
        fleet.nodes().into_iter().map(|node| node.peer_id).collect()
    };
    let (one, two) = (fleet().await, fleet().await);
    assert_eq!(ids(&one), ids(&two));
    assert_eq!(one.info().enrtree, two.info().enrtree);
    let options = FleetOptions {
        port: 0,
        seed: 2,
        ..FleetOptions::default()
    };
    let other = Fleet::start(options).await.unwrap();
    assert!(ids(&other).iter().all(|id| !ids(&one).contains(id)));
    for fleet in [one, two, other] {
        fleet.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bootstrap_nodes_know_the_others_and_serve_nothing_else() {
    let fleet = fleet().await;
    let client = Client::new();
    let peer = connect(&client, &fleet, "boot-1").await;
    let request = peer_exchange::Rpc::request(60).encode();
    let answer = client.answer(peer, ids::PEER_EXCHANGE, &request).await;
    let response = peer_exchange::Rpc::decode(&answer)
        .unwrap()
        .response
        .unwrap();
    assert_eq!(response.status_code, Some(200));
    let mut told: Vec<String> = response
        .peer_infos
        .iter()
        .map(|info| Enr::from_rlp(&info.enr).unwrap().to_text())
        .collect();
    let mut others: Vec<String> = fleet
        .nodes()
        .into_iter()
        .filter(|node| !node.bootstrap)
        .map(|node| node.enr)
        .collect();
    told.sort();
    others.sort();
    assert_eq!(told, others);
    let few = peer_exchange::Rpc::request(2).encode();
    let answer = client.answer(peer, ids::PEER_EXCHANGE, &few).await;
    let response = peer_exchange::Rpc::decode(&answer)
        .unwrap()
        .response
        .unwrap();
    assert_eq!(response.peer_infos.len(), 2);
    for protocol in [
        ids::LIGHTPUSH_V3,
        ids::LIGHTPUSH_V2,
        ids::FILTER_SUBSCRIBE,
        ids::STORE_QUERY,
    ] {
        assert!(client.open(peer, protocol).await.is_err(), "{protocol}");
    }
    fleet.shutdown().await;
}
