//! A running node: its swarm, what peers ask of it, and what it pushes to them.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::StreamExt;
use libp2p::{
    PeerId, StreamProtocol, Swarm, identify,
    identity::Keypair,
    swarm::{ConnectionId, SwarmEvent},
};
use tokio::{
    sync::{broadcast, mpsc, oneshot},
    task::JoinSet,
    time::{Interval, MissedTickBehavior},
};

use super::{
    metadata::{self, Asked},
    peers::{Peers, StreamOrder, listen},
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
    node::streams::{self, InboundProtocol},
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

/// What is noted of a peer while it is connected.
#[derive(Default)]
struct Notes {
    /// Whether identify lists filter-push; unknown until identify has come.
    accepts_pushes: Option<bool>,
}

/// See the module's documentation.
pub(super) struct Instance {
    swarm: Swarm<Behaviour>,
    tasks: Tasks,
    site: Arc<Site>,
    peers: Peers<Notes>,
    stream_orders: mpsc::Receiver<StreamOrder>,
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
        listen(&mut swarm, port)?;
        site.forget_subscriptions();
        let (peers, stream_orders) = Peers::new(Arc::clone(&site));
        let mut clean_up = tokio::time::interval(CLEAN_UP_EVERY);
        clean_up.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            swarm,
            tasks,
            gossip: site.network.listen(),
            site,
            peers,
            stream_orders,
            asked: JoinSet::new(),
            clean_up,
        })
    }

    /// The number of open connections.
    pub(super) fn connections(&self) -> usize {
        self.peers.connections()
    }

    /// Waits for one thing to happen and deals with it. Nothing is lost when the wait is given up.
    pub(super) async fn turn(&mut self) {
        tokio::select! {
            event = self.swarm.select_next_some() => self.on_swarm(event),
            Some(order) = self.stream_orders.recv() => {
                self.peers.open_to_peer(&mut self.swarm.behaviour_mut().streams, order);
            }
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
        peers.stopped();
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
                    .opened(peer_id, connection_id, &endpoint, Notes::default);
                self.ask_metadata(peer_id, connection_id);
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                cause,
                ..
            } => self.peers.closed(peer_id, connection_id, cause.as_ref()),
            SwarmEvent::Behaviour(BehaviourEvent::Streams(event)) => self.on_streams(event),
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                peer_id,
                info,
                ..
            })) => {
                if let Some(peer) = self.peers.get_mut(&peer_id) {
                    let is_push = |protocol: &StreamProtocol| protocol.as_ref() == ids::FILTER_PUSH;
                    peer.notes.accepts_pushes = Some(info.protocols.iter().any(is_push));
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
            streams::Event::Opened {
                request, stream, ..
            } => self.peers.answered(request, Ok(stream)),
            streams::Event::OpenFailed { request, error, .. } => {
                self.peers.answered(request, Err(error));
            }
            _ => {}
        }
    }

    /// Asks a new connection for its metadata, as nwaku does at once (metadata.md, section 3).
    fn ask_metadata(&mut self, peer: PeerId, connection: ConnectionId) {
        let (reply, stream) = oneshot::channel();
        let order = StreamOrder {
            peer,
            protocol: StreamProtocol::new(ids::METADATA),
            reply,
        };
        let streams = &mut self.swarm.behaviour_mut().streams;
        self.peers.open(streams, connection, order);
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
            let Some(pushes) = self.peers.pushes(id, |pump| self.tasks.spawn(pump)) else {
                continue;
            };
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
            peers.get(id).and_then(|peer| peer.notes.accepts_pushes) != Some(false)
        });
    }
}
