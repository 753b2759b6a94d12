//! A raw libp2p client: a swarm with the streams behaviour, and nothing that decides.

use std::{collections::BTreeMap, future::Future, io, time::Duration};

use futures::{AsyncWriteExt, StreamExt};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, Transport,
    core::upgrade::Version,
    identify,
    identity::Keypair,
    noise,
    swarm::{self, ConnectionId, NetworkBehaviour, SwarmEvent, dial_opts::DialOpts},
    yamux,
};
use lightkeeper::{
    node::{
        framed::{read_frame, write_frame},
        streams::{self, InboundProtocol, OpenError, Stream, StreamRequest},
    },
    protocols::{filter::MessagePush, ids, metadata::Metadata},
};
use tokio::sync::{mpsc, oneshot};

/// How long anything may take before a test gives up. Generous: nothing here measures.
const PATIENCE: Duration = Duration::from_secs(60);

/// The result of `future`, or a failed test when it does not come.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("nothing happened for a minute")
}

/// How the client answers the node's question for metadata.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answers {
    Cluster(u16),
    Nothing,
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    streams: streams::Behaviour,
    identify: identify::Behaviour,
}

enum Order {
    Dial(Multiaddr, oneshot::Sender<Result<PeerId, String>>),
    Open(
        PeerId,
        StreamProtocol,
        oneshot::Sender<Result<Stream, OpenError>>,
    ),
    Ping(PeerId, oneshot::Sender<bool>),
    HangUp(PeerId),
    Drain(PeerId),
}

/// What the client is told without asking.
#[derive(Debug)]
pub(crate) enum Told {
    Closed(PeerId),
    /// A push, and on which of all push streams it came.
    Pushed {
        from: PeerId,
        stream: usize,
        push: MessagePush,
    },
}

pub(crate) struct Client {
    orders: mpsc::UnboundedSender<Order>,
    told: mpsc::UnboundedReceiver<Told>,
}

impl Client {
    /// A client of cluster 1.
    pub(crate) fn new() -> Self {
        Self::with(Answers::Cluster(1))
    }

    pub(crate) fn with(answers: Answers) -> Self {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (teller, told) = mpsc::unbounded_channel();
        tokio::spawn(run(answers, inbox, teller));
        Self { orders, told }
    }

    /// Dials an address with a peer id; gives the peer, or the error's text.
    pub(crate) async fn dial(&self, address: &str) -> Result<PeerId, String> {
        let (reply, result) = oneshot::channel();
        self.orders
            .send(Order::Dial(address.parse().unwrap(), reply))
            .ok()
            .unwrap();
        soon(result).await.unwrap()
    }

    pub(crate) async fn open(
        &self,
        peer: PeerId,
        protocol: &'static str,
    ) -> Result<Stream, OpenError> {
        let (reply, result) = oneshot::channel();
        let order = Order::Open(peer, StreamProtocol::new(protocol), reply);
        self.orders.send(order).ok().unwrap();
        soon(result).await.unwrap()
    }

    pub(crate) async fn ping(&self, peer: PeerId) -> bool {
        let (reply, result) = oneshot::channel();
        self.orders.send(Order::Ping(peer, reply)).ok().unwrap();
        soon(result).await.unwrap()
    }

    /// One frame there, one frame back; `None` when the stream ends without one.
    pub(crate) async fn ask(
        &self,
        peer: PeerId,
        protocol: &'static str,
        request: &[u8],
    ) -> io::Result<Option<Vec<u8>>> {
        let mut stream = self.open(peer, protocol).await.map_err(io::Error::other)?;
        write_frame(&mut stream, request).await?;
        stream.close().await?;
        soon(read_frame(&mut stream, 16 << 20)).await
    }

    /// The answer to a request that is answered.
    pub(crate) async fn answer(
        &self,
        peer: PeerId,
        protocol: &'static str,
        request: &[u8],
    ) -> Vec<u8> {
        self.ask(peer, protocol, request)
            .await
            .unwrap()
            .expect("an answer")
    }

    pub(crate) async fn told(&mut self) -> Told {
        soon(self.told.recv()).await.expect("the client runs")
    }

    /// The next push and its sender; nothing else may come before it.
    pub(crate) async fn pushed(&mut self) -> (PeerId, MessagePush) {
        match self.told().await {
            Told::Pushed { from, push, .. } => (from, push),
            other => panic!("{other:?}"),
        }
    }

    /// Ends the connection to `peer`.
    pub(crate) async fn hang_up(&mut self, peer: PeerId) {
        self.orders.send(Order::HangUp(peer)).ok().unwrap();
        self.closed(peer).await;
    }

    /// Ends the connection to `peer` as soon as no stream of ours is open on it.
    pub(crate) fn drain(&self, peer: PeerId) {
        self.orders.send(Order::Drain(peer)).ok().unwrap();
    }

    /// Waits until the connection to `peer` is gone.
    pub(crate) async fn closed(&mut self, peer: PeerId) {
        loop {
            if matches!(self.told().await, Told::Closed(closed) if closed == peer) {
                return;
            }
        }
    }
}

fn build() -> Swarm<Behaviour> {
    let key = Keypair::generate_secp256k1();
    let tcp = libp2p_tcp::tokio::Transport::new(libp2p_tcp::Config::default());
    let transport = libp2p_websocket::Config::new(tcp)
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(&key).unwrap())
        .multiplex(yamux::Config::default())
        .boxed();
    let inbound = [ids::METADATA, ids::FILTER_PUSH].map(|id| InboundProtocol {
        name: StreamProtocol::new(id),
        max_streams: 64,
    });
    let config = streams::Config {
        inbound: inbound.into(),
        ..Default::default()
    };
    let behaviour = Behaviour {
        streams: streams::Behaviour::new(config),
        identify: identify::Behaviour::new(identify::Config::new("/t/1".into(), key.public())),
    };
    let id = key.public().to_peer_id();
    Swarm::new(
        transport,
        behaviour,
        id,
        swarm::Config::with_tokio_executor(),
    )
}

async fn run(
    answers: Answers,
    mut inbox: mpsc::UnboundedReceiver<Order>,
    teller: mpsc::UnboundedSender<Told>,
) {
    let mut swarm = build();
    let mut dials: BTreeMap<ConnectionId, oneshot::Sender<Result<PeerId, String>>> =
        BTreeMap::new();
    let mut opening: BTreeMap<StreamRequest, oneshot::Sender<_>> = BTreeMap::new();
    let mut pinging: BTreeMap<PeerId, oneshot::Sender<bool>> = BTreeMap::new();
    let mut connections: BTreeMap<PeerId, ConnectionId> = BTreeMap::new();
    let mut push_streams = 0;
    let none = ConnectionId::new_unchecked(usize::MAX);
    loop {
        let event = tokio::select! {
            event = swarm.select_next_some() => event,
            order = inbox.recv() => {
                match order {
                    None => return,
                    Some(Order::Dial(address, reply)) => {
                        let dial = DialOpts::from(address);
                        let id = dial.connection_id();
                        match swarm.dial(dial) {
                            Ok(()) => drop(dials.insert(id, reply)),
                            Err(error) => reply.send(Err(error.to_string())).unwrap(),
                        }
                    }
                    Some(Order::Open(peer, protocol, reply)) => {
                        let connection = *connections.get(&peer).unwrap_or(&none);
                        let streams = &mut swarm.behaviour_mut().streams;
                        opening.insert(streams.open(peer, connection, vec![protocol]), reply);
                    }
                    Some(Order::Ping(peer, reply)) => {
                        pinging.insert(peer, reply);
                        let connection = connections[&peer];
                        swarm.behaviour_mut().streams.ping(peer, connection, 1, PATIENCE);
                    }
                    Some(Order::HangUp(peer)) => {
                        swarm.behaviour_mut().streams.close(peer, connections[&peer]);
                    }
                    Some(Order::Drain(peer)) => {
                        swarm.behaviour_mut().streams.drain(peer, connections[&peer]);
                    }
                }
                continue;
            }
        };
        match event {
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                ..
            } => {
                connections.insert(peer_id, connection_id);
                if let Some(reply) = dials.remove(&connection_id) {
                    let _ = reply.send(Ok(peer_id));
                }
            }
            SwarmEvent::OutgoingConnectionError {
                connection_id,
                error,
                ..
            } => {
                if let Some(reply) = dials.remove(&connection_id) {
                    let _ = reply.send(Err(format!("{error:?}")));
                }
            }
            SwarmEvent::ConnectionClosed { peer_id, .. } => {
                connections.remove(&peer_id);
                let _ = teller.send(Told::Closed(peer_id));
            }
            SwarmEvent::Behaviour(BehaviourEvent::Streams(event)) => match event {
                streams::Event::Opened {
                    request, stream, ..
                } => {
                    let _ = opening.remove(&request).unwrap().send(Ok(stream));
                }
                streams::Event::OpenFailed { request, error, .. } => {
                    let _ = opening.remove(&request).unwrap().send(Err(error));
                }
                streams::Event::Pong { peer, .. } => {
                    let _ = pinging.remove(&peer).unwrap().send(true);
                }
                streams::Event::PingFailed { peer, .. } => {
                    let _ = pinging.remove(&peer).unwrap().send(false);
                }
                streams::Event::Inbound {
                    peer,
                    protocol,
                    stream,
                    ..
                } => {
                    if protocol == ids::METADATA {
                        tokio::spawn(answer_metadata(answers, stream));
                    } else {
                        push_streams += 1;
                        tokio::spawn(read_pushes(peer, push_streams, stream, teller.clone()));
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }
}

async fn answer_metadata(answers: Answers, mut stream: Stream) -> io::Result<()> {
    read_frame(&mut stream, 1024).await?;
    match answers {
        Answers::Cluster(cluster) => {
            write_frame(&mut stream, &Metadata::light(cluster).encode()).await?;
            stream.close().await
        }
        Answers::Nothing => std::future::pending().await,
    }
}

async fn read_pushes(
    from: PeerId,
    number: usize,
    mut stream: Stream,
    teller: mpsc::UnboundedSender<Told>,
) {
    while let Ok(Some(frame)) = read_frame(&mut stream, 1 << 20).await {
        let push = MessagePush::decode(&frame).unwrap();
        let _ = teller.send(Told::Pushed {
            from,
            stream: number,
            push,
        });
    }
}
