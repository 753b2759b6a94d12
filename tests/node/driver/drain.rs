//! A connection that is drained ends when our requests have ended, and no sooner.

use futures::AsyncWriteExt;
use lightkeeper::fleet::{Fleet, FleetOptions};
use lightkeeper::node::framed::{read_frame, write_frame};
use lightkeeper::protocols::{ids, metadata::Metadata};

use crate::client::{Client, Told, soon};

async fn fleet() -> Fleet {
    let options = FleetOptions {
        port: 0,
        ..FleetOptions::default()
    };
    Fleet::start(options).await.unwrap()
}

#[tokio::test]
async fn a_drained_connection_without_requests_ends_at_once() {
    let fleet = fleet().await;
    let mut client = Client::new();
    let address = fleet.node("all-1").unwrap().address;
    let peer = client.dial(&address).await.unwrap();
    client.drain(peer);
    client.closed(peer).await;
    soon(fleet.shutdown()).await;
}

#[tokio::test]
async fn a_request_on_a_drained_connection_gets_its_answer() {
    let fleet = fleet().await;
    let mut client = Client::new();
    let address = fleet.node("all-1").unwrap().address;
    let peer = client.dial(&address).await.unwrap();
    let mut stream = client.open(peer, ids::METADATA).await.unwrap();
    client.drain(peer);
    // An answer to what was asked after the order: the connection stood all the while.
    assert!(client.ping(peer).await);
    let request = Metadata::light(1).encode();
    write_frame(&mut stream, &request).await.unwrap();
    stream.close().await.unwrap();
    let answer = soon(read_frame(&mut stream, 1_024)).await.unwrap();
    assert!(answer.is_some());
    drop(stream);
    match client.told().await {
        Told::Closed(closed) => assert_eq!(closed, peer),
        other => panic!("{other:?}"),
    }
    soon(fleet.shutdown()).await;
}
