//! Hostile nodes as nodes of the fleet.

use lightkeeper::{
    fleet::{Fleet, FleetOptions, NodeState, Service, hostile::ScriptName},
    protocols::{filter, ids, metadata::Metadata, peer_exchange},
};

use crate::client::Client;

async fn fleet(nodes: usize, hostile: &[ScriptName]) -> Fleet {
    let options = FleetOptions {
        port: 0,
        nodes,
        hostile: hostile.to_vec(),
        ..FleetOptions::default()
    };
    Fleet::start(options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_of_every_script_starts_and_tells_who_they_are() {
    let fleet = fleet(1, ScriptName::ALL).await;
    let client = Client::new();
    for (script, node) in ScriptName::ALL.iter().zip(&fleet.nodes()[1..]) {
        assert_eq!(node.name, format!("hostile-{script}-1"));
        assert_eq!(node.state, NodeState::Running);
        let json = serde_json::to_value(node).unwrap();
        assert_eq!(json["role"], format!("hostile:{script}"));
        assert_eq!(json["services"].as_array().unwrap().len(), 4);
        let peer = client.dial(&node.address).await.unwrap();
        assert_eq!(peer.to_string(), node.peer_id);
    }
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn peer_exchange_leads_to_hostile_nodes() {
    let fleet = fleet(2, &[ScriptName::Busy]).await;
    let client = Client::new();
    let boot = fleet.node("boot-1").unwrap();
    let peer = client.dial(&boot.address).await.unwrap();
    let request = peer_exchange::Rpc::request(10).encode();
    let answer = client.answer(peer, ids::PEER_EXCHANGE, &request).await;
    let records = peer_exchange::Rpc::decode(&answer).unwrap().response;
    let records = records.unwrap().peer_infos.into_iter().map(|info| {
        let enr = lightkeeper::discovery::enr::Enr::from_rlp(&info.enr).unwrap();
        enr.peer_id().to_string()
    });
    let busy = fleet.node("hostile-busy-1").unwrap();
    assert!(records.collect::<Vec<_>>().contains(&busy.peer_id));
    assert!(busy.services.contains(&Service::Filter));

    let peer = client.dial(&busy.address).await.unwrap();
    let ping = filter::Request::ping("p".into()).encode();
    let answer = client.answer(peer, ids::FILTER_SUBSCRIBE, &ping).await;
    let status = filter::Response::decode(&answer).unwrap().status_code;
    assert_eq!(status, Some(429));
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_node_can_be_stopped_and_made_to_fail_as_any_other() {
    let fleet = fleet(1, &[ScriptName::Busy]).await;
    let mut client = Client::new();
    let name = "hostile-busy-1";
    let act = async |action: &str| fleet.control(name, action.parse().unwrap()).await.unwrap();
    let address = fleet.node(name).unwrap().address;
    let peer = client.dial(&address).await.unwrap();
    assert_eq!(act("stop").await.connections, 0);
    client.closed(peer).await;
    act("start").await;
    let peer = client.dial(&address).await.unwrap();
    act("refuse").await;
    let question = Metadata::light(1).encode();
    let refused = client.ask(peer, ids::METADATA, &question).await;
    assert!(!matches!(refused, Ok(Some(_))), "{refused:?}");
    act("heal").await;
    client.answer(peer, ids::METADATA, &question).await;
    fleet.shutdown().await;
}
