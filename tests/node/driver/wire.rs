//! What the driver makes of a peer that ends, stalls or errs on the wire. The peer speaks through libp2p's own yamux.

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use k256::ecdsa::SigningKey;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::{self, ConnectionId, NetworkBehaviour, SwarmEvent};
use libp2p::{PeerId, StreamProtocol, Swarm, Transport, identify, noise, yamux};
use lightkeeper::discovery::enr::builder::EnrBuilder;
use lightkeeper::fleet::FleetOptions;
use lightkeeper::manager::{Cause, Config, DialFailure, Failed, Notice};
use lightkeeper::node::framed::{read_frame, write_frame};
use lightkeeper::node::streams::{self, InboundProtocol};
use lightkeeper::node::{LogLevel, NodeConfig, NodeEvent};
use lightkeeper::protocols::{ids, metadata::Metadata, network::Network, peer_exchange};
use tokio::sync::{mpsc, oneshot};

use super::world::World;
use crate::client::soon;

#[derive(NetworkBehaviour)]
struct Behaviour {
    streams: streams::Behaviour,
    identify: swarm::behaviour::toggle::Toggle<identify::Behaviour>,
}

enum Order {
    /// Ends every connection in order.
    Disconnect,
    /// Writes something on a stream of this protocol and ends it.
    Write(StreamProtocol, Vec<u8>),
    Ping(oneshot::Sender<bool>),
}

/// A peer that listens.
struct Host {
    address: String,
    peer: PeerId,
    orders: mpsc::UnboundedSender<Order>,
}

impl Host {
    /// `speaks_identify`: else it takes the question and never answers.
    async fn new(speaks_identify: bool) -> Self {
        let key = Keypair::generate_ed25519();
        let peer = key.public().to_peer_id();
        let tcp = libp2p_tcp::tokio::Transport::new(libp2p_tcp::Config::default());
        let transport = libp2p_websocket::Config::new(tcp)
            .upgrade(Version::V1)
            .authenticate(noise::Config::new(&key).unwrap())
            .multiplex(yamux::Config::default())
            .boxed();
        let mut names = vec![ids::METADATA, ids::PEER_EXCHANGE];
        if !speaks_identify {
            names.push("/ipfs/id/1.0.0");
        }
        let inbound = names.into_iter().map(|name| InboundProtocol {
            name: StreamProtocol::new(name),
            max_streams: 8,
        });
        let behaviour = Behaviour {
            streams: streams::Behaviour::new(streams::Config {
                inbound: inbound.collect(),
                ..streams::Config::default()
            }),
            identify: speaks_identify
                .then(|| {
                    let config = identify::Config::new("/t/1".into(), key.public());
                    identify::Behaviour::new(config)
                })
                .into(),
        };
        let config = swarm::Config::with_tokio_executor();
        let mut swarm = Swarm::new(transport, behaviour, peer, config);
        swarm
            .listen_on("/ip4/127.0.0.1/tcp/0/ws".parse().unwrap())
            .unwrap();
        let address = soon(async {
            loop {
                if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                    return format!("{address}/p2p/{peer}");
                }
            }
        })
        .await;
        let (orders, inbox) = mpsc::unbounded_channel();
        tokio::spawn(run(swarm, inbox));
        Self {
            address,
            peer,
            orders,
        }
    }

    fn order(&self, order: Order) {
        self.orders.send(order).ok().unwrap();
    }

    async fn is_answered(&self) -> bool {
        let (reply, answer) = oneshot::channel();
        self.order(Order::Ping(reply));
        soon(answer).await.unwrap_or(false)
    }

    /// A node that knows this peer alone.
    async fn world(&self) -> World {
        knowing(&self.address).await
    }
}

async fn knowing(address: &str) -> World {
    let options = FleetOptions {
        port: 0,
        nodes: 1,
        ..FleetOptions::default()
    };
    World::of(options, |_, config| {
        config.bootstrap = NodeConfig::parse_bootstrap(&[address.to_owned()]).unwrap();
        config.resolvers = Vec::new();
        let place = Config::NUMBERS
            .iter()
            .position(|name| *name == "dial_timeout_ms");
        config.policy = vec![(place.unwrap(), 700)];
    })
    .await
}

/// A whole record, of nobody's.
fn record() -> Vec<u8> {
    let key = SigningKey::from_slice(&[7; 32]).unwrap();
    let record = EnrBuilder::new(1).sign(&key).unwrap();
    record.as_rlp().to_vec()
}

async fn run(mut swarm: Swarm<Behaviour>, mut inbox: mpsc::UnboundedReceiver<Order>) {
    let mut connected: Option<(PeerId, ConnectionId)> = None;
    let mut writing = None;
    let mut pinging: Option<oneshot::Sender<bool>> = None;
    let mut held = Vec::new();
    loop {
        let event = tokio::select! {
            event = swarm.select_next_some() => event,
            // The node may see the connection before we do.
            order = inbox.recv(), if connected.is_some() => {
                let Some(order) = order else { return };
                let (peer, connection) = connected.expect("the node is connected");
                let streams = &mut swarm.behaviour_mut().streams;
                match order {
                    Order::Disconnect => drop(swarm.disconnect_peer_id(peer)),
                    Order::Write(protocol, bytes) => {
                        streams.open(peer, connection, vec![protocol]);
                        writing = Some(bytes);
                    }
                    Order::Ping(reply) => {
                        pinging = Some(reply);
                        streams.ping(peer, connection, 1, Duration::from_secs(30));
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
            } => connected = Some((peer_id, connection_id)),
            SwarmEvent::ConnectionClosed { .. } => {
                connected = None;
                pinging = None;
            }
            SwarmEvent::Behaviour(BehaviourEvent::Streams(event)) => match event {
                streams::Event::Inbound {
                    protocol,
                    mut stream,
                    ..
                } if protocol == ids::METADATA => {
                    tokio::spawn(async move {
                        read_frame(&mut stream, 1_024).await?;
                        write_frame(&mut stream, &Metadata::light(1).encode()).await?;
                        stream.close().await
                    });
                }
                streams::Event::Inbound {
                    protocol,
                    mut stream,
                    ..
                } if protocol == ids::PEER_EXCHANGE => {
                    // Two broken records and one that is whole.
                    let mut records = vec![vec![0xc0], vec![1, 2, 3]];
                    records.push(record());
                    let answer = peer_exchange::Rpc::answer(records, 200, None).encode();
                    tokio::spawn(async move {
                        read_frame(&mut stream, 1_024).await?;
                        write_frame(&mut stream, &answer).await?;
                        stream.close().await
                    });
                }
                streams::Event::Inbound { stream, .. } => held.push(stream),
                streams::Event::Opened { mut stream, .. } => {
                    let bytes = writing.take().unwrap();
                    tokio::spawn(async move {
                        stream.write_all(&bytes).await?;
                        stream.close().await?;
                        stream.read(&mut [0]).await
                    });
                }
                streams::Event::Pong { .. } => drop(pinging.take().unwrap().send(true)),
                _ => {}
            },
            _ => {}
        }
    }
}

#[tokio::test]
async fn an_orderly_end_by_the_peer_is_told_as_one() {
    let host = Host::new(true).await;
    let world = host.world().await;
    world.connects(host.peer).await;
    // What a new connection is asked is over: nothing of it is on its way.
    world
        .notice_since(0, |notice| {
            matches!(notice, Notice::Identified { .. }).then_some(())
        })
        .await;
    assert!(host.is_answered().await);
    host.order(Order::Disconnect);
    let (cause, deliberate) = world
        .notice_since(0, |notice| match notice {
            Notice::Disconnected {
                cause, deliberate, ..
            } => Some((*cause, *deliberate)),
            _ => None,
        })
        .await;
    assert_eq!((cause, deliberate), (Cause::Remote, true));
    world.close().await;
}

#[tokio::test]
async fn a_dial_ends_when_its_time_is_over() {
    // Accepts and says nothing: only the order's own time ends this.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let peer = PeerId::random();
    let address = format!("/ip4/127.0.0.1/tcp/{port}/ws/p2p/{peer}");
    let world = knowing(&address).await;
    let failure = world
        .notice_since(0, |notice| match notice {
            Notice::Failed {
                failed: Failed::Dial { failure, .. },
                ..
            } => Some(*failure),
            _ => None,
        })
        .await;
    assert_eq!(failure, DialFailure::Timeout);
    world.close().await;
}

#[tokio::test]
async fn a_bad_identify_push_does_not_end_a_connection_that_waits_for_its_answer() {
    let host = Host::new(false).await;
    let world = host.world().await;
    world.connects(host.peer).await;
    // A frame that is no message, before the question has been answered.
    let bad = vec![3, 0xff, 0xff, 0xff];
    host.order(Order::Write(
        StreamProtocol::new("/ipfs/id/push/1.0.0"),
        bad,
    ));
    world
        .event_since(0, |event| match event {
            NodeEvent::Log(_, "identify", _) => Some(()),
            _ => None,
        })
        .await;
    assert!(host.is_answered().await, "the connection stands");
    world.close().await;
}

/// The log line of this target that the node writes first.
async fn warned(world: &World, target: &str) -> String {
    world
        .event_since(0, |event| match event {
            NodeEvent::Log(LogLevel::Warn, of, line) if *of == target => Some(line.clone()),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn an_answer_of_mostly_broken_records_is_told_as_a_fault() {
    let host = Host::new(true).await;
    let world = host.world().await;
    let line = warned(&world, "peer-exchange").await;
    assert!(line.contains("3 records, 2 broken"), "{line}");
    world.close().await;
}

#[tokio::test]
async fn a_bootstrap_record_of_another_cluster_is_told() {
    let options = FleetOptions {
        port: 0,
        nodes: 1,
        ..FleetOptions::default()
    };
    let world = World::of(options, |fleet, config| {
        let record = fleet.nodes()[0].enr.clone();
        config.bootstrap = NodeConfig::parse_bootstrap(&[record]).unwrap();
        config.network = Network::auto(2, 8).unwrap();
    })
    .await;
    let peer = &world.fleet.nodes()[0].peer_id;
    let line = warned(&world, "bootstrap").await;
    assert!(line.contains(peer), "{line}");
    world.close().await;
}
