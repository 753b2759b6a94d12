//! A running hostile peer: its swarm, and the tasks that do as the script says.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, TransportError,
    identity::Keypair,
    swarm::{ConnectionId, SwarmEvent},
};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::{
    ID, answers,
    control::{Control, Order},
    freeze::HeldTasks,
    identify::Card,
    pushes::{self, Target},
    script::Relay,
    swarm::{self, Behaviour},
};
use crate::{
    fleet::{
        events::{EventKind, FleetEvent},
        fault::Fault,
        network::Published,
        node::{PushQueue, StreamOrder, StreamReply, address_of, pump},
        services::{Protocol, Site},
    },
    node::streams::{self, InboundProtocol, OpenError, StreamRequest},
};

/// Streams of one protocol that a connection may have open: more than any client of ours opens.
const MAX_INBOUND: usize = 1024;

/// Streams that the peer has open on one connection: more than any client of ours lets it.
const MAX_OUTBOUND: usize = 4096;

/// How long a stream may take to be agreed on.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// Requests for streams that wait for the loop.
const STREAM_ORDERS: usize = 64;

/// Somebody who is connected.
struct Connected {
    /// Oldest first. Never empty.
    connections: Vec<ConnectionId>,
    remote: Multiaddr,
    pushes: Option<PushQueue>,
    /// Messages that it wanted.
    wanted: u32,
    /// Whether the mischief for subscribers was begun.
    haunted: bool,
}

/// See the module's documentation.
pub(in crate::fleet) struct Peer {
    swarm: Swarm<Behaviour>,
    tasks: HeldTasks,
    site: Arc<Site>,
    control: Arc<Control>,
    card: Card,
    peers: BTreeMap<PeerId, Connected>,
    opening: BTreeMap<StreamRequest, StreamReply>,
    stream_orders: mpsc::Receiver<StreamOrder>,
    stream_orderer: mpsc::Sender<StreamOrder>,
    orders: mpsc::UnboundedReceiver<Order>,
    gossip: broadcast::Receiver<Arc<Published>>,
}

impl Peer {
    /// Opens the port.
    pub(in crate::fleet) fn start(
        key: &Keypair,
        port: u16,
        control: Arc<Control>,
        site: Arc<Site>,
    ) -> io::Result<Self> {
        let names = Protocol::ALL.map(Protocol::name).into_iter().chain([ID]);
        let config = streams::Config {
            inbound: names
                .map(|name| InboundProtocol {
                    name: StreamProtocol::new(name),
                    max_streams: MAX_INBOUND,
                })
                .collect(),
            answer_pings: true,
            max_outbound: MAX_OUTBOUND,
            open_timeout: OPEN_TIMEOUT,
        };
        let tasks = HeldTasks::new(control.freezer.clone());
        let mut swarm = swarm::build(key, config, Arc::clone(&control), tasks.clone())?;
        let listens = address_of(port);
        swarm
            .listen_on(listens.clone())
            .map_err(|error| match error {
                TransportError::Other(error) => error,
                TransportError::MultiaddrNotSupported(_) => io::ErrorKind::Unsupported.into(),
            })?;
        site.forget_subscriptions();
        let (stream_orderer, stream_orders) = mpsc::channel(STREAM_ORDERS);
        Ok(Self {
            swarm,
            tasks,
            gossip: site.network.listen(),
            orders: control.attach(),
            site,
            control,
            card: Card {
                public_key: key.public().encode_protobuf(),
                listens,
            },
            peers: BTreeMap::new(),
            opening: BTreeMap::new(),
            stream_orders,
            stream_orderer,
        })
    }

    /// The number of open connections.
    pub(in crate::fleet) fn connections(&self) -> usize {
        self.peers.values().map(|peer| peer.connections.len()).sum()
    }

    /// Waits for one thing to happen and deals with it. Nothing is lost when the wait is given up.
    pub(in crate::fleet) async fn turn(&mut self) {
        let freezer = self.control.freezer.clone();
        freezer.hold(self.one_turn()).await;
    }

    async fn one_turn(&mut self) {
        tokio::select! {
            event = self.swarm.select_next_some() => self.on_swarm(event),
            Some(order) = self.stream_orders.recv() => self.open_to_peer(order),
            Some(order) = self.orders.recv() => self.on_order(order),
            published = self.gossip.recv() => {
                // One that fell behind is as one that withholds.
                if let Ok(published) = published {
                    self.on_gossip(&published);
                }
            }
        }
    }

    /// Closes the port and drops every connection as they stand.
    pub(in crate::fleet) async fn stop(self) {
        let Self {
            swarm,
            tasks,
            peers,
            site,
            control,
            ..
        } = self;
        drop(swarm);
        tasks.tasks.stop().await;
        control.set_connected(BTreeSet::new());
        for peer in peers.keys() {
            let event = FleetEvent::new(&site.name, EventKind::Disconnect).peer(peer);
            site.events.emit(event.detail("stopped"));
        }
    }

    fn tell_connected(&self) {
        self.control
            .set_connected(self.peers.keys().copied().collect());
    }

    fn on_swarm(&mut self, event: SwarmEvent<streams::Event>) {
        match event {
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => {
                let remote = endpoint.get_remote_address().clone();
                let event = FleetEvent::new(&self.site.name, EventKind::Connect).peer(&peer_id);
                self.site.events.emit(event.detail(remote.to_string()));
                let connected = self.peers.entry(peer_id).or_insert_with(|| Connected {
                    connections: Vec::new(),
                    remote,
                    pushes: None,
                    wanted: 0,
                    haunted: false,
                });
                connected.connections.push(connection_id);
                self.tell_connected();
                for mischief in self.control.script(|script| script.on_connect.clone()) {
                    if let Some(target) = self.target(peer_id) {
                        self.tasks.spawn(target.act(mischief, oneshot::channel().0));
                    }
                }
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                cause,
                ..
            } => {
                if let Some(peer) = self.peers.get_mut(&peer_id) {
                    peer.connections.retain(|id| *id != connection_id);
                    if peer.connections.is_empty() {
                        self.peers.remove(&peer_id);
                        self.tell_connected();
                    }
                }
                let cause = cause.map_or_else(|| "closed".to_owned(), |cause| cause.to_string());
                let event = FleetEvent::new(&self.site.name, EventKind::Disconnect).peer(&peer_id);
                self.site.events.emit(event.detail(cause));
            }
            SwarmEvent::Behaviour(event) => self.on_streams(event),
            _ => {}
        }
    }

    fn on_streams(&mut self, event: streams::Event) {
        match event {
            streams::Event::Inbound {
                peer,
                protocol,
                stream,
                ..
            } => {
                if let Some(protocol) = Protocol::of_id(&protocol) {
                    let (site, control) = (Arc::clone(&self.site), Arc::clone(&self.control));
                    self.tasks
                        .spawn(answers::serve(site, control, peer, protocol, stream));
                } else if let Some(connected) = self.peers.get(&peer) {
                    let (control, remote) = (Arc::clone(&self.control), connected.remote.clone());
                    self.tasks
                        .spawn(self.card.clone().answer(control, remote, stream));
                }
            }
            // Those who waited may have given up meanwhile.
            streams::Event::Opened {
                request, stream, ..
            } => {
                if let Some(reply) = self.opening.remove(&request) {
                    let _ = reply.send(Ok(stream));
                }
            }
            streams::Event::OpenFailed { request, error, .. } => {
                if let Some(reply) = self.opening.remove(&request) {
                    let _ = reply.send(Err(error));
                }
            }
            _ => {}
        }
    }

    fn open_to_peer(&mut self, order: StreamOrder) {
        let connected = self.peers.get(&order.peer);
        match connected.and_then(|peer| peer.connections.last().copied()) {
            Some(connection) => {
                let streams = &mut self.swarm.behaviour_mut().streams;
                let request = streams.open(order.peer, connection, vec![order.protocol]);
                self.opening.insert(request, order.reply);
            }
            None => {
                let _ = order.reply.send(Err(OpenError::ConnectionClosed));
            }
        }
    }

    fn on_order(&mut self, order: Order) {
        match order {
            Order::Disconnect(peer) => {
                // An error says that it is not connected, which is what is wanted.
                let _ = self.swarm.disconnect_peer_id(peer);
            }
            Order::Do(peer, mischief, done) => {
                if let Some(target) = self.target(peer) {
                    self.tasks.spawn(target.act(mischief, done));
                }
            }
            Order::Subscribed(peer) => {
                let target = self.target(peer);
                if let (Some(target), Some(connected)) = (target, self.peers.get_mut(&peer))
                    && !std::mem::replace(&mut connected.haunted, true)
                {
                    self.tasks.spawn(target.haunt());
                }
            }
        }
    }

    fn target(&self, peer: PeerId) -> Option<Target> {
        Some(Target {
            peer,
            remote: self.peers.get(&peer)?.remote.clone(),
            card: self.card.clone(),
            cluster: self.site.network.cluster(),
            control: Arc::clone(&self.control),
            streams: self.stream_orderer.clone(),
        })
    }

    /// Passes a message of the network on, or does not.
    fn on_gossip(&mut self, published: &Arc<Published>) {
        let stalled = self.site.fault() == Fault::Stall;
        let (relay, alone, late) = self
            .control
            .script(|script| (script.relay, script.stream_each, script.late));
        let wanting = match late {
            true => self.control.ever_wanted(published),
            false => self.site.subscribers_of(published, Instant::now()),
        };
        for id in wanting {
            let target = self.target(id);
            let (Some(target), Some(peer)) = (target, self.peers.get_mut(&id)) else {
                continue;
            };
            peer.wanted = peer.wanted.wrapping_add(1);
            let delay = match relay {
                Relay::All => Duration::ZERO,
                Relay::Late(delay) => delay,
                Relay::Nothing => continue,
                Relay::WithoutEach(each) if peer.wanted.is_multiple_of(each.max(1)) => continue,
                Relay::WithoutEach(_) => Duration::ZERO,
            };
            if stalled {
                continue;
            }
            if alone {
                let frame = published.push_frame.clone();
                self.tasks.spawn(async move {
                    tokio::time::sleep(delay).await;
                    pushes::push_alone(target, frame).await;
                });
                continue;
            }
            let queue = peer.pushes.get_or_insert_with(|| {
                let site = Arc::clone(&self.site);
                let (queue, pump) = pump(id, site, self.stream_orderer.clone());
                self.tasks.spawn(pump);
                queue
            });
            if delay.is_zero() {
                // A full queue drops, as every server's does.
                let _ = queue.try_send(Arc::clone(published));
            } else {
                let (queue, published) = (queue.clone(), Arc::clone(published));
                self.tasks.spawn(async move {
                    tokio::time::sleep(delay).await;
                    let _ = queue.try_send(published);
                });
            }
        }
    }
}
