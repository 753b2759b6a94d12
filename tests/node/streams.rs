//! Two hosts with nothing but our streams, over memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::core::transport::MemoryTransport;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{self, ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, Transport, noise};
use lightkeeper::node::framed::{read_frame, write_frame};
use lightkeeper::node::muxer;
use lightkeeper::node::streams::{
    Behaviour, Config, Event, InboundProtocol, OpenError, Stream, StreamRequest,
};

use crate::client::soon;

const TALK: StreamProtocol = StreamProtocol::new("/test/talk");
const PING: StreamProtocol = StreamProtocol::new("/ipfs/ping/1.0.0");

/// Two connected hosts. Both work whenever an event of either is waited for.
struct Pair {
    ours: Swarm<Behaviour>,
    theirs: Swarm<Behaviour>,
    peer: PeerId,
    connection: ConnectionId,
    address: Multiaddr,
    /// What the other side has and nobody has asked for yet.
    inbound: Vec<Stream>,
}

fn host(config: Config, runs: swarm::Config) -> Swarm<Behaviour> {
    let key = Keypair::generate_ed25519();
    let transport = MemoryTransport::default()
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(&key).unwrap())
        .multiplex(muxer::Config)
        .boxed();
    Swarm::new(
        transport,
        Behaviour::new(config),
        key.public().to_peer_id(),
        runs,
    )
}

fn accepting(name: StreamProtocol, max_streams: usize) -> Config {
    Config {
        inbound: vec![InboundProtocol { name, max_streams }],
        ..Config::default()
    }
}

impl Pair {
    async fn new(ours: Config, theirs: Config) -> Self {
        static PORT: AtomicU64 = AtomicU64::new(1);
        let port = PORT.fetch_add(1, Ordering::Relaxed);
        let address: Multiaddr = format!("/memory/{port}").parse().unwrap();
        let mut ours = host(ours, swarm::Config::with_tokio_executor());
        // Works only while somebody waits for it.
        let mut theirs = host(theirs, swarm::Config::without_executor());
        theirs.listen_on(address.clone()).unwrap();
        ours.dial(address.clone()).unwrap();
        let (peer, connection) = soon(async {
            loop {
                tokio::select! {
                    event = ours.select_next_some() => {
                        if let SwarmEvent::ConnectionEstablished { peer_id, connection_id, .. } = event {
                            return (peer_id, connection_id);
                        }
                    }
                    _ = theirs.select_next_some() => {}
                }
            }
        })
        .await;
        Self {
            ours,
            theirs,
            peer,
            connection,
            address,
            inbound: Vec::new(),
        }
    }

    fn open(&mut self) -> StreamRequest {
        let (peer, connection) = (self.peer, self.connection);
        let streams = self.ours.behaviour_mut();
        streams.open(peer, connection, vec![TALK])
    }

    fn cancel(&mut self, request: StreamRequest) {
        self.ours.behaviour_mut().cancel(request);
    }

    fn heard(&self) -> Duration {
        self.ours.behaviour().heard(self.connection).unwrap()
    }

    fn ping(&mut self, number: u32, timeout: Duration) {
        let (peer, connection) = (self.peer, self.connection);
        let streams = self.ours.behaviour_mut();
        streams.ping(peer, connection, number, timeout);
    }

    /// The next event of ours that says something of a stream, a ping or the connection.
    async fn told(&mut self) -> SwarmEvent<Event> {
        soon(async {
            loop {
                tokio::select! {
                    event = self.ours.select_next_some() => match event {
                        SwarmEvent::Behaviour(_) | SwarmEvent::ConnectionClosed { .. } => return event,
                        _ => {}
                    },
                    event = self.theirs.select_next_some() => self.keep(event),
                }
            }
        })
        .await
    }

    fn keep(&mut self, event: SwarmEvent<Event>) {
        match event {
            SwarmEvent::Behaviour(Event::Inbound { stream, .. }) => self.inbound.push(stream),
            SwarmEvent::Behaviour(Event::InboundOverflow { protocol, .. }) => {
                panic!("too many streams of {protocol}")
            }
            _ => {}
        }
    }

    async fn told_opened(&mut self) -> (StreamRequest, Stream) {
        match self.told().await {
            SwarmEvent::Behaviour(Event::Opened {
                request, stream, ..
            }) => (request, stream),
            other => panic!("{other:?}"),
        }
    }

    /// Lets both work until the other side has so many streams more.
    async fn inbound(&mut self, count: usize) -> Vec<Stream> {
        soon(async {
            while self.inbound.len() < count {
                tokio::select! {
                    event = self.ours.select_next_some() => panic!("{event:?}"),
                    event = self.theirs.select_next_some() => self.keep(event),
                }
            }
        })
        .await;
        self.inbound.drain(..count).collect()
    }
}

#[tokio::test]
async fn opens_beyond_the_places_wait_for_theirs_in_order() {
    let few = Config {
        max_outbound: 3,
        ..Config::default()
    };
    let mut pair = Pair::new(few, accepting(TALK, 64)).await;
    let asked: Vec<_> = (0..40).map(|_| pair.open()).collect();
    let mut open = std::collections::VecDeque::new();
    let mut got = Vec::new();
    while got.len() < asked.len() {
        let (request, stream) = pair.told_opened().await;
        got.push(request);
        open.push_back(stream);
        assert!(open.len() <= 3, "{} are open", open.len());
        if open.len() == 3 {
            open.pop_front();
        }
    }
    let mut sorted = got.clone();
    sorted.sort();
    assert_eq!(sorted, asked, "each got its stream");
    // Those that negotiate together may end in any order, and no others.
    let late = got.iter().zip(&asked).filter(|(got, asked)| {
        let at = |of: &StreamRequest| asked_at(&sorted, of);
        at(got).abs_diff(at(asked)) > 3
    });
    assert_eq!(late.count(), 0);
}

fn asked_at(asked: &[StreamRequest], request: &StreamRequest) -> usize {
    asked.iter().position(|other| other == request).unwrap()
}

#[tokio::test]
async fn an_open_beyond_the_queue_is_refused_and_no_other() {
    let few = Config {
        max_outbound: 2,
        ..Config::default()
    };
    let mut pair = Pair::new(few, accepting(TALK, 64)).await;
    let all: Vec<_> = (0..2 + 1_024 + 1).map(|_| pair.open()).collect();
    let mut held = Vec::new();
    loop {
        match pair.told().await {
            SwarmEvent::Behaviour(Event::OpenFailed { request, error, .. }) => {
                assert_eq!(
                    (Some(&request), error),
                    (all.last(), OpenError::LimitReached)
                );
                break;
            }
            SwarmEvent::Behaviour(Event::Opened { stream, .. }) => held.push(stream),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_cancelled_leaves_its_turn_to_the_next() {
    let one = Config {
        max_outbound: 1,
        ..Config::default()
    };
    let mut pair = Pair::new(one, accepting(TALK, 64)).await;
    let (first, second, third) = (pair.open(), pair.open(), pair.open());
    let (got, stream) = pair.told_opened().await;
    assert_eq!(got, first);
    pair.cancel(second);
    drop(stream);
    let (got, _stream) = pair.told_opened().await;
    assert_eq!(got, third);
}

#[tokio::test]
async fn a_drain_waits_for_those_that_wait() {
    let one = Config {
        max_outbound: 1,
        ..Config::default()
    };
    let mut pair = Pair::new(one, accepting(TALK, 64)).await;
    let (first, second, third) = (pair.open(), pair.open(), pair.open());
    let (peer, connection) = (pair.peer, pair.connection);
    pair.ours.behaviour_mut().drain(peer, connection);
    for asked in [first, second] {
        let (got, stream) = pair.told_opened().await;
        assert_eq!(got, asked);
        if got == second {
            pair.cancel(third);
        }
        drop(stream);
    }
    let end = pair.told().await;
    assert!(
        matches!(end, SwarmEvent::ConnectionClosed { cause: None, .. }),
        "{end:?}"
    );
}

#[tokio::test]
async fn a_thousand_streams_in_one_burst_all_arrive() {
    let many = Config {
        max_outbound: 1_000,
        ..Config::default()
    };
    let mut pair = Pair::new(many, accepting(TALK, 1_024)).await;
    for _ in 0..1_000 {
        pair.open();
    }
    // All are opened and written at once; the other side reads none before all are there.
    let mut opened = Vec::new();
    while opened.len() < 1_000 {
        let (_, mut stream) = pair.told_opened().await;
        let number = u32::try_from(opened.len()).unwrap();
        write_frame(&mut stream, &number.to_be_bytes())
            .await
            .unwrap();
        opened.push(stream);
    }
    let mut numbers = Vec::new();
    for mut stream in pair.inbound(1_000).await {
        let frame = tokio::select! {
            frame = read_frame(&mut stream, 64) => frame.unwrap().unwrap(),
            end = pair.told() => panic!("{end:?}"),
        };
        numbers.push(u32::from_be_bytes(frame.try_into().unwrap()));
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..1_000).collect::<Vec<_>>());
}

const LONG: Duration = Duration::from_secs(30);

/// Answers one ping on a stream; whether there was one.
async fn echo(stream: &mut Stream) -> bool {
    let mut ping = [0; 32];
    if stream.read_exact(&mut ping).await.is_err() {
        return false;
    }
    stream.write_all(&ping).await.unwrap();
    stream.flush().await.unwrap();
    true
}

/// A peer whose pings the test answers by itself.
fn by_hand() -> Config {
    Config {
        answer_pings: false,
        ..accepting(PING, 64)
    }
}

#[tokio::test]
async fn all_pings_go_over_one_stream() {
    let mut pair = Pair::new(Config::default(), by_hand()).await;
    pair.ping(1, LONG);
    let mut stream = pair.inbound(1).await.remove(0);
    tokio::spawn(async move { while echo(&mut stream).await {} });
    for number in 1..=5 {
        match pair.told().await {
            SwarmEvent::Behaviour(Event::Pong { ping, .. }) => assert_eq!(ping, number),
            other => panic!("{other:?}"),
        }
        pair.ping(number + 1, LONG);
    }
    assert!(pair.inbound.is_empty(), "one stream served them all");
}

#[tokio::test]
async fn a_peer_that_closes_after_each_echo_gets_a_fresh_stream() {
    let mut pair = Pair::new(Config::default(), by_hand()).await;
    for number in 1..=3 {
        pair.ping(number, LONG);
        let mut stream = pair.inbound(1).await.remove(0);
        tokio::spawn(async move {
            echo(&mut stream).await;
            let _ = stream.close().await;
        });
        match pair.told().await {
            SwarmEvent::Behaviour(Event::Pong { ping, .. }) => assert_eq!(ping, number),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_peer_without_ping_is_heard() {
    let silent = Config {
        answer_pings: false,
        ..Config::default()
    };
    let mut pair = Pair::new(Config::default(), silent).await;
    for number in 1..=2 {
        pair.ping(number, LONG);
        match pair.told().await {
            SwarmEvent::Behaviour(Event::Heard { ping, .. }) => assert_eq!(ping, number),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_ping_that_is_not_echoed_fails_and_a_wrong_echo_too() {
    let mut pair = Pair::new(Config::default(), by_hand()).await;
    pair.ping(1, Duration::from_millis(50));
    // Accepted and kept, never answered.
    let _kept = pair.inbound(1).await;
    match pair.told().await {
        SwarmEvent::Behaviour(Event::PingFailed { ping, .. }) => assert_eq!(ping, 1),
        other => panic!("{other:?}"),
    }
    pair.ping(2, LONG);
    let mut stream = pair.inbound(1).await.remove(0);
    tokio::spawn(async move {
        let _ = stream.write_all(&[7; 32]).await;
        let _ = stream.flush().await;
        let _ = stream.read(&mut [0; 64]).await;
    });
    match pair.told().await {
        SwarmEvent::Behaviour(Event::PingFailed { ping, .. }) => assert_eq!(ping, 2),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn any_byte_on_any_stream_is_a_sign_of_life() {
    let mut pair = Pair::new(Config::default(), accepting(TALK, 64)).await;
    pair.open();
    let (_, mut ours) = pair.told_opened().await;
    let mut theirs = pair.inbound(1).await.remove(0);
    let silence = Duration::from_millis(300);
    while pair.heard() < silence {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let talk = async {
        theirs.write_all(b"!").await.unwrap();
        theirs.flush().await.unwrap();
        ours.read_exact(&mut [0]).await.unwrap();
    };
    tokio::select! {
        () = talk => {}
        end = async { pair.told().await } => panic!("{end:?}"),
    }
    assert!(pair.heard() < silence);
}

#[tokio::test]
async fn a_close_ends_and_the_peer_is_dialed_again_though_it_reads_nothing() {
    let mut pair = Pair::new(Config::default(), accepting(TALK, 64)).await;
    pair.open();
    let (_, mut stream) = pair.told_opened().await;
    // From here on the other side does nothing. What is written fills all that there is between the two.
    let full = async { while stream.write_all(&[7; 16 * 1024]).await.is_ok() {} };
    tokio::select! {
        () = full => panic!("the stream stands"),
        event = pair.ours.select_next_some() => panic!("{event:?}"),
        () = tokio::time::sleep(Duration::from_millis(300)) => {}
    }
    let (peer, connection) = (pair.peer, pair.connection);
    pair.ours.behaviour_mut().close(peer, connection);
    let end = soon(pair.ours.select_next_some()).await;
    assert!(
        matches!(end, SwarmEvent::ConnectionClosed { cause: None, .. }),
        "{end:?}"
    );
    let again = DialOpts::peer_id(peer)
        .condition(PeerCondition::DisconnectedAndNotDialing)
        .addresses(vec![pair.address.clone()])
        .build();
    pair.ours.dial(again).unwrap();
}
