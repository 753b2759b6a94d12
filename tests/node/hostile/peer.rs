//! The scripted peer itself, seen by a raw client.

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, FutureExt};
use libp2p::PeerId;
use lightkeeper::{
    fleet::{
        Fleet, FleetOptions,
        hostile::{Answer, Hostile, Id, Mischief, Part, Ping, Relay, Script, Status, StoreLie},
    },
    node::framed::write_frame,
    protocols::{
        Network, WakuMessage, filter, ids, lightpush::v3, message::MAX_SIZE, metadata::Metadata,
        store,
    },
};

use crate::client::{Client, Told, soon};

const TOPIC: &str = "/lightkeeper/1/hostile-test/proto";

async fn fleet() -> Fleet {
    let options = FleetOptions {
        port: 0,
        nodes: 1,
        ..FleetOptions::default()
    };
    Fleet::start(options).await.unwrap()
}

async fn connect(client: &Client, hostile: &Hostile) -> PeerId {
    client.dial(&hostile.address().to_string()).await.unwrap()
}

fn shard() -> String {
    let network = Network::auto(1, 8).unwrap();
    network.shard_of(TOPIC, None).unwrap().to_string()
}

async fn filter(client: &Client, peer: PeerId, request: filter::Request) -> filter::Response {
    let answer = client
        .answer(peer, ids::FILTER_SUBSCRIBE, &request.encode())
        .await;
    filter::Response::decode(&answer).unwrap()
}

async fn subscribe(client: &Client, peer: PeerId) -> u32 {
    let request = filter::Request::subscribe("s".into(), shard(), vec![TOPIC.into()]);
    filter(client, peer, request).await.status_code()
}

async fn ping(client: &Client, peer: PeerId) -> u32 {
    let request = filter::Request::ping("p".into());
    filter(client, peer, request).await.status_code()
}

/// The content topic and the payload of the next push, and the number of its stream.
async fn pushed(client: &mut Client) -> (String, Vec<u8>, usize) {
    match client.told().await {
        Told::Pushed { push, stream, .. } => {
            let message = push.waku_message.unwrap();
            let topic = message.content_topic().to_owned();
            (topic, message.payload().to_vec(), stream)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_follow_the_script_and_requests_are_counted() {
    let script = Script::honest()
        .next(Part::Subscribe, Answer::status(400, "BAD_REQUEST"))
        .next(Part::FilterPing, Answer::too_many());
    let hostile = Hostile::start("scripted", script).await.unwrap();
    let client = Client::new();
    let peer = connect(&client, &hostile).await;
    assert_eq!(peer, hostile.peer_id());
    assert_eq!(subscribe(&client, peer).await, 400);
    assert_eq!(subscribe(&client, peer).await, 200);
    assert_eq!(ping(&client, peer).await, 429);
    assert_eq!(ping(&client, peer).await, 200);

    hostile.change(|script| {
        script[Part::FilterPing].then = Answer::Status(Status {
            code: 200,
            text: "OK".into(),
            id: Id::Wrong,
            relay_peers: None,
        });
    });
    let answer = filter(&client, peer, filter::Request::ping("mine".into())).await;
    assert_ne!(answer.request_id, "mine");

    soon(hostile.until_asked(Part::FilterPing, 3)).await;
    assert_eq!(hostile.asked_for(Part::Subscribe).len(), 2);
    let asked = hostile.asked();
    assert_eq!(asked.len(), 5);
    assert!(asked.is_sorted_by_key(|asked| asked.at));
    assert_eq!(asked[0].protocol, ids::FILTER_SUBSCRIBE);
    hostile.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_may_be_nothing_half_or_only_announced() {
    let script = Script::honest()
        .next(Part::Metadata, Answer::Close)
        .next(Part::Metadata, Answer::Reset)
        .next(Part::Metadata, Answer::Half)
        .next(Part::Metadata, Answer::Announced(store::MAX_RESPONSE))
        .next(Part::Metadata, Answer::Garbage)
        .next(Part::Metadata, Answer::metadata(2, &[3]));
    let hostile = Hostile::start("halves", script).await.unwrap();
    let client = Client::new();
    let peer = connect(&client, &hostile).await;
    let question = Metadata::light(1).encode();

    let closed = client.ask(peer, ids::METADATA, &question).await;
    assert!(matches!(closed, Ok(None)), "{closed:?}");
    let reset = client.ask(peer, ids::METADATA, &question).await;
    // rust-yamux reads a reset as an end.
    assert!(!matches!(reset, Ok(Some(_))), "{reset:?}");
    for whole in [None, Some(store::MAX_RESPONSE)] {
        let mut stream = client.open(peer, ids::METADATA).await.unwrap();
        write_frame(&mut stream, &question).await.unwrap();
        stream.close().await.unwrap();
        let mut start = [0; 4];
        let some = soon(stream.read(&mut start)).await.unwrap();
        assert!(some > 0);
        if whole.is_some() {
            assert_eq!(start, [0x80, 0x80, 0x80, 0x08]);
        }
        // The rest of the half, and then neither more nor an end.
        let mut rest = Vec::new();
        let ending = async {
            tokio::select! {
                end = stream.read_to_end(&mut rest) => panic!("{end:?}"),
                // Another question is answered meanwhile.
                status = ping(&client, peer) => status,
            }
        };
        assert_eq!(ending.await, 404);
    }
    let garbage = client.answer(peer, ids::METADATA, &question).await;
    assert!(Metadata::decode(&garbage).is_err());
    let other = client.answer(peer, ids::METADATA, &question).await;
    assert_eq!(Metadata::decode(&other).unwrap().cluster_id, Some(2));
    let honest = client.answer(peer, ids::METADATA, &question).await;
    assert_eq!(Metadata::decode(&honest).unwrap().cluster_id, Some(1));
    hostile.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn protocols_may_not_be_spoken_and_pings_not_be_echoed() {
    let script = Script::honest().without(ids::LIGHTPUSH_V3);
    let hostile = Hostile::start("mute", script).await.unwrap();
    let client = Client::new();
    let peer = connect(&client, &hostile).await;
    assert!(client.ping(peer).await);
    assert!(client.open(peer, ids::LIGHTPUSH_V3).await.is_err());
    client.open(peer, ids::LIGHTPUSH_V2).await.unwrap();
    // A stream for pings is kept, so another way to meet them shows on another connection.
    hostile.change(|script| script.ping = Ping::Reset);
    let client = Client::new();
    let peer = connect(&client, &hostile).await;
    assert!(!client.ping(peer).await);
    hostile.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_still_goes_on_later() {
    let hostile = Hostile::start("still", Script::honest()).await.unwrap();
    let client = Client::new();
    let peer = connect(&client, &hostile).await;
    hostile.freeze();
    let mut pinged = Box::pin(client.ping(peer));
    // Long enough for an echo on loopback, and no shorter than the truth needs: a thawed peer echoes either way.
    let early = tokio::time::timeout(Duration::from_millis(200), pinged.as_mut()).await;
    assert!(early.is_err());
    hostile.thaw();
    assert!(soon(pinged).await);
    hostile.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stops_comes_back_and_disconnects_in_order() {
    let hostile = Hostile::start("coming", Script::honest()).await.unwrap();
    let mut client = Client::new();
    let peer = connect(&client, &hostile).await;
    assert!(!hostile.is_connected(PeerId::random()));
    hostile.stop().await.unwrap();
    client.closed(peer).await;
    assert!(client.dial(&hostile.address().to_string()).await.is_err());
    hostile.resume().await.unwrap();
    let peer = connect(&client, &hostile).await;
    let asked = client
        .ask(peer, ids::METADATA, &Metadata::light(1).encode())
        .await;
    assert!(asked.unwrap().is_some());
    let us = hostile.asked()[0].peer;
    assert!(hostile.is_connected(us));
    soon(hostile.disconnect(us)).await;
    client.closed(peer).await;
    hostile.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_get_what_the_script_has_for_them() {
    let fleet = fleet().await;
    let script = Script::honest().to_subscribers(Mischief::NeverAsked(1));
    let hostile = Hostile::beside(&fleet, "pusher", script).await.unwrap();
    let mut client = Client::new();
    let peer = connect(&client, &hostile).await;
    assert_eq!(subscribe(&client, peer).await, 200);
    assert_ne!(pushed(&mut client).await.0, TOPIC);
    let us = hostile.asked()[0].peer;

    fleet.publish(TOPIC, b"honest".to_vec(), false).unwrap();
    let (_, payload, kept) = pushed(&mut client).await;
    assert_eq!(payload, b"honest");
    hostile.change(|script| script.relay = Relay::Nothing);
    fleet.publish(TOPIC, b"withheld".to_vec(), false).unwrap();
    soon(hostile.harass(us, Mischief::Empty(2))).await;
    for _ in 0..2 {
        let (topic, payload, _) = pushed(&mut client).await;
        assert_eq!((&*topic, &payload[..]), (TOPIC, &[][..]));
    }
    hostile.change(|script| script.relay = Relay::WithoutEach(2));
    for payload in [b"a", b"b", b"c", b"d"] {
        fleet.publish(TOPIC, payload.to_vec(), false).unwrap();
    }
    // "withheld" was the second of those that were wanted.
    for wanted in [b"a", b"c"] {
        let (_, payload, stream) = pushed(&mut client).await;
        assert_eq!((&payload[..], stream), (&wanted[..], kept));
    }

    hostile.change(|script| {
        script.relay = Relay::All;
        script.stream_each = true;
        script.late = true;
    });
    let gone = filter(&client, peer, filter::Request::unsubscribe_all("u".into())).await;
    assert_eq!(gone.status_code(), 200);
    let mut streams = Vec::new();
    for _ in 0..2 {
        fleet.publish(TOPIC, b"late".to_vec(), false).unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        // The last of those before may reach the peer only after its script was changed.
        let stream = loop {
            let (_, payload, stream) = pushed(&mut client).await;
            if payload != b"d" {
                assert_eq!(payload, b"late");
                break stream;
            }
        };
        streams.push(stream);
    }
    assert!(streams[0] != streams[1] && !streams.contains(&kept));
    hostile.shutdown().await;
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_and_stalled_streams_are_as_large_as_was_said() {
    let hostile = Hostile::start("flooder", Script::honest()).await.unwrap();
    let mut client = Client::new();
    let peer = connect(&client, &hostile).await;
    assert_eq!(subscribe(&client, peer).await, 200);
    let us = hostile.asked()[0].peer;
    soon(hostile.harass(us, Mischief::Flood(5_000))).await;
    for number in 0..5_000_u64 {
        let (topic, payload, _) = pushed(&mut client).await;
        assert_eq!((&*topic, &payload[..]), (TOPIC, &number.to_be_bytes()[..]));
    }
    soon(hostile.harass(us, Mischief::Singles(20))).await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(pushed(&mut client).await.2);
    }
    streams.sort_unstable();
    streams.dedup();
    assert_eq!(streams.len(), 20);
    soon(hostile.harass(us, Mischief::Large(MAX_SIZE))).await;
    assert_eq!(pushed(&mut client).await.1.len(), MAX_SIZE);

    soon(hostile.harass(us, Mischief::Stall(60))).await;
    assert_eq!(hostile.held(), 60);
    assert!(hostile.until_held(59).now_or_never().is_none());
    client.hang_up(peer).await;
    soon(hostile.until_held(0)).await;
    hostile.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_may_be_taken_and_dropped() {
    let fleet = fleet().await;
    let script = Script::honest().on(Part::Lightpush, Answer::Dropped(5));
    let hostile = Hostile::beside(&fleet, "dropper", script).await.unwrap();
    let client = Client::new();
    let peer = connect(&client, &hostile).await;
    let message = WakuMessage::new(TOPIC, b"lost".to_vec(), 1);
    let request = v3::Request::new("l".into(), shard(), message).encode();
    let answer = client.answer(peer, ids::LIGHTPUSH_V3, &request).await;
    let answer = v3::Response::decode(&answer).unwrap();
    let told = (answer.status_code(), answer.relay_peer_count);
    assert_eq!(told, (200, Some(5)));
    assert_eq!(answer.request_id, "l");
    // Had the network seen it, it would not take it again.
    hostile.change(|script| script[Part::Lightpush].then = Answer::Honest);
    for status in [200, 505] {
        let answer = client.answer(peer, ids::LIGHTPUSH_V3, &request).await;
        let answer = v3::Response::decode(&answer).unwrap();
        assert_eq!(answer.status_code(), status);
    }
    hostile.shutdown().await;
    fleet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_holds_for_its_protocol_alone() {
    let minute = Duration::from_secs(60);
    let script = Script::honest().limited(ids::FILTER_SUBSCRIBE, 3, minute);
    let hostile = Hostile::start("limited", script).await.unwrap();
    let client = Client::new();
    let peer = connect(&client, &hostile).await;
    assert_eq!(subscribe(&client, peer).await, 200);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(ping(&client, peer).await);
    }
    assert_eq!(statuses, [200, 200, 429]);
    let question = Metadata::light(1).encode();
    client.answer(peer, ids::METADATA, &question).await;
    hostile.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_lies_about_its_pages() {
    let fleet = fleet().await;
    fleet.publish(TOPIC, b"true".to_vec(), false).unwrap();
    let script = Script::honest().on(Part::Store, Answer::Lie(StoreLie::FalseFirst));
    let hostile = Hostile::beside(&fleet, "liar", script).await.unwrap();
    let client = Client::new();
    let peer = connect(&client, &hostile).await;
    let request = store::Request {
        request_id: "q".into(),
        include_data: true,
        pubsub_topic: Some(shard()),
        content_topics: vec![TOPIC.into()],
        ..Default::default()
    };
    let ask = async |request: &store::Request| {
        let frame = request.encode();
        let answer = client.answer(peer, ids::STORE_QUERY, &frame).await;
        let response = store::Response::decode(&answer).unwrap();
        store::interpret(request, response).unwrap()
    };
    let first = ask(&request).await;
    assert!(first.messages.is_empty() && first.fault.is_some());
    let second = ask(&request.next_page("r".into(), first.cursor.unwrap())).await;
    let payloads: Vec<_> = second.messages.iter().map(|m| m.message.as_ref()).collect();
    assert_eq!(payloads[0].unwrap().payload(), b"true");
    assert_eq!((payloads.len(), second.fault), (1, None));
    hostile.shutdown().await;
    fleet.shutdown().await;
}
