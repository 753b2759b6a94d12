//! A running node: its swarm, what peers ask of it, and what it pushes to them.

use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::StreamExt;
use libp2p::{
    PeerId, StreamProtocol, Swarm, TransportError, identify,
    identity::Keypair,
    swarm::{ConnectionId, SwarmEvent},
};
use tokio::{
    sync::{broadcast, mpsc, oneshot},
    task::JoinSet,
    time::{Interval, MissedTickBehavior},
};

use super::{
    address_of,
    metadata::{self, Asked},
    push::{self, PushQueue},
    swarm::{Behaviour, BehaviourEvent, Tasks},
};
use crate::{
    fleet::{
        events::{EventKind, FleetEvent},
        fault::Fault,
        network::Published,
        role::Service,
        services::{self, Protocol, Site},
    },
    node::streams::{self, InboundProtocol, OpenError, Stream, StreamRequest},
    protocols::ids,
};

/// Request streams of one protocol that a connection may have open; what a stalled node holds is bounded by it.
const MAX_REQUESTS: usize = 64;

/// Streams that a node has open to one peer: a push stream and a metadata request, and room for their successors.
const MAX_OUTBOUND: usize = 8;

/// How long a peer may take to agree on a stream.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// How often subscriptions are cleaned up (filter.md, section 4).
const CLEAN_UP_EVERY: Duration = Duration::from_secs(60);

/// Requests for push streams that wait for the loop.
const STREAM_ORDERS: usize = 64;

/// Somebody wants a stream to a peer.
pub(crate) struct StreamOrder {
    pub(crate) peer: PeerId,
    pub(crate) protocol: StreamProtocol,
    pub(crate) reply: StreamReply,
}

pub(crate) type StreamReply = oneshot::Sender<Result<Stream, OpenError>>;

/// A connected peer.
struct Peer {
    /// Its connections, oldest first. Never empty.
    connections: Vec<ConnectionId>,
    /// What waits to be pushed to it, once something was.
    pushes: Option<PushQueue>,
    /// Whether identify lists filter-push; unknown until identify has come.
    accepts_pushes: Option<bool>,
}

/// See the module's documentation.
pub(super) struct Instance {
    swarm: Swarm<Behaviour>,
    tasks: Tasks,
    site: Arc<Site>,
    peers: BTreeMap<PeerId, Peer>,
    opening: BTreeMap<StreamRequest, StreamReply>,
    stream_orders: mpsc::Receiver<StreamOrder>,
    stream_orderer: mpsc::Sender<StreamOrder>,
    asked: JoinSet<Asked>,
    gossip: broadcast::Receiver<Arc<Published>>,
    clean_up: Interval,
}

impl Instance {
    /// Opens the port and serves.
    pub(super) fn start(
        key: &Keypair,
        port: u16,
        services: &[Service],
        site: Arc<Site>,
    ) -> io::Result<Self> {
        let inbound = Protocol::of_services(services)
            .into_iter()
            .map(|protocol| InboundProtocol {
                name: protocol.id(),
                max_streams: MAX_REQUESTS,
            })
            .collect();
        let config = streams::Config {
            inbound,
            max_outbound: MAX_OUTBOUND,
            open_timeout: OPEN_TIMEOUT,
            ..streams::Config::default()
        };
        let tasks = Tasks::default();
        let mut swarm = super::swarm::build(key, config, tasks.clone())?;
        swarm
            .listen_on(address_of(port))
            .map_err(|error| match error {
                TransportError::Other(error) => error,
                TransportError::MultiaddrNotSupported(_) => io::ErrorKind::Unsupported.into(),
            })?;
        site.forget_subscriptions();
        let (stream_orderer, stream_orders) = mpsc::channel(STREAM_ORDERS);
        let mut clean_up = tokio::time::interval(CLEAN_UP_EVERY);
        clean_up.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            swarm,
            tasks,
            gossip: site.network.listen(),
            site,
            peers: BTreeMap::new(),
            opening: BTreeMap::new(),
            stream_orders,
            stream_orderer,
            asked: JoinSet::new(),
            clean_up,
        })
    }

    /// The number of open connections.
    pub(super) fn connections(&self) -> usize {
        self.peers.values().map(|peer| peer.connections.len()).sum()
    }

    /// Waits for one thing to happen and deals with it. Nothing is lost when the wait is given up.
    pub(super) async fn turn(&mut self) {
        tokio::select! {
            event = self.swarm.select_next_some() => self.on_swarm(event),
            Some(order) = self.stream_orders.recv() => self.open_to_peer(order),
            published = self.gossip.recv() => self.on_gossip(published),
            Some(asked) = self.asked.join_next() => self.on_asked(asked),
            _ = self.clean_up.tick() => self.clean_up(),
        }
    }

    /// Closes the port and drops every connection as they stand.
    pub(super) async fn stop(self) {
        let Self {
            swarm,
            tasks,
            mut asked,
            peers,
            ..
        } = self;
        // The listener goes with the swarm, the connections with their tasks.
        drop(swarm);
        asked.shutdown().await;
        tasks.stop().await;
        for peer in peers.keys() {
            let event = FleetEvent::new(&self.site.name, EventKind::Disconnect).peer(peer);
            self.site.events.emit(event.detail("stopped"));
        }
    }

    fn event(&self, kind: EventKind, peer: &PeerId) -> FleetEvent {
        FleetEvent::new(&self.site.name, kind).peer(peer)
    }

    fn on_swarm(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => {
                self.peers
                    .entry(peer_id)
                    .or_insert_with(|| Peer {
                        connections: Vec::new(),
                        pushes: None,
                        accepts_pushes: None,
                    })
                    .connections
                    .push(connection_id);
                let address = endpoint.get_remote_address().to_string();
                self.site
                    .events
                    .emit(self.event(EventKind::Connect, &peer_id).detail(address));
                self.ask_metadata(peer_id, connection_id);
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
                    }
                }
                let cause = cause.map_or_else(|| "closed".to_owned(), |cause| cause.to_string());
                self.site
                    .events
                    .emit(self.event(EventKind::Disconnect, &peer_id).detail(cause));
            }
            SwarmEvent::Behaviour(BehaviourEvent::Streams(event)) => self.on_streams(event),
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                peer_id,
                info,
                ..
            })) => {
                if let Some(peer) = self.peers.get_mut(&peer_id) {
                    let is_push = |protocol: &StreamProtocol| protocol.as_ref() == ids::FILTER_PUSH;
                    peer.accepts_pushes = Some(info.protocols.iter().any(is_push));
                }
            }
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
                    let site = Arc::clone(&self.site);
                    self.tasks
                        .spawn(services::serve(site, peer, protocol, stream));
                }
            }
            streams::Event::InboundOverflow { peer, protocol, .. } => {
                let event = self
                    .event(EventKind::Answer, &peer)
                    .protocol(protocol.as_ref());
                self.site
                    .events
                    .emit(event.detail("refused: too many open streams"));
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

    /// Asks a new connection for its metadata, as nwaku does at once (metadata.md, section 3).
    fn ask_metadata(&mut self, peer: PeerId, connection: ConnectionId) {
        let (reply, stream) = oneshot::channel();
        self.open(peer, connection, StreamProtocol::new(ids::METADATA), reply);
        self.asked.spawn(metadata::ask(
            peer,
            connection,
            self.site.network.cluster(),
            stream,
        ));
    }

    /// Leaves peers that do not answer metadata, or are of another cluster.
    fn on_asked(&mut self, asked: Result<Asked, tokio::task::JoinError>) {
        // A task that was cancelled belongs to an instance that is stopping.
        let Ok(Asked {
            peer,
            connection,
            result: Err(error),
        }) = asked
        else {
            return;
        };
        let left = self.swarm.close_connection(connection);
        if left {
            let event = self.event(EventKind::Answer, &peer).protocol(ids::METADATA);
            self.site
                .events
                .emit(event.detail(format!("left the peer: {error}")));
        }
    }

    fn open(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        protocol: StreamProtocol,
        reply: StreamReply,
    ) {
        let streams = &mut self.swarm.behaviour_mut().streams;
        let request = streams.open(peer, connection, vec![protocol]);
        self.opening.insert(request, reply);
    }

    fn open_to_peer(&mut self, order: StreamOrder) {
        // The newest connection is the one that lives longest, if one of two is a leftover.
        match self
            .peers
            .get(&order.peer)
            .and_then(|peer| peer.connections.last().copied())
        {
            Some(connection) => self.open(order.peer, connection, order.protocol, order.reply),
            None => {
                let _ = order.reply.send(Err(OpenError::ConnectionClosed));
            }
        }
    }

    /// Queues a message for the subscribers that are connected; the others miss it (filter.md, section 2).
    fn on_gossip(&mut self, published: Result<Arc<Published>, broadcast::error::RecvError>) {
        let published = match published {
            Ok(published) => published,
            Err(error) => {
                let event = FleetEvent::new(&self.site.name, EventKind::Push);
                self.site
                    .events
                    .emit(event.detail(format!("messages lost: {error}")));
                return;
            }
        };
        if self.site.fault() == Fault::Stall {
            return;
        }
        for id in self.site.subscribers_of(&published, Instant::now()) {
            let Some(peer) = self.peers.get_mut(&id) else {
                continue;
            };
            let pushes = peer.pushes.get_or_insert_with(|| {
                let (queue, pump) =
                    push::pump(id, Arc::clone(&self.site), self.stream_orderer.clone());
                self.tasks.spawn(pump);
                queue
            });
            if pushes.try_send(Arc::clone(&published)).is_err() {
                let event = FleetEvent::new(&self.site.name, EventKind::Push).peer(&id);
                let event = event.protocol(ids::FILTER_PUSH);
                self.site
                    .events
                    .emit(event.detail("dropped: the peer reads too slowly"));
            }
        }
    }

    /// nwaku forgets subscribers that were quiet for too long, and those whose identify does not list filter-push
    /// (filter.md, section 2).
    fn clean_up(&mut self) {
        let peers = &self.peers;
        self.site.clean_up_subscriptions(Instant::now(), |id| {
            peers.get(id).and_then(|peer| peer.accepts_pushes) != Some(false)
        });
    }
}
