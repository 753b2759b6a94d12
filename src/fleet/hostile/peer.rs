//! A running hostile peer: its swarm, and the tasks that do as the script says.

use std::{
    collections::BTreeSet,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::StreamExt;
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, identity::Keypair, swarm::SwarmEvent};
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
        fault::Fault,
        network::Published,
        node::{Peers, StreamOrder, address_of, listen},
        services::{Protocol, Site},
    },
    node::streams::{self, InboundProtocol},
};

/// Streams of one protocol that a connection may have open: more than any client of ours opens.
const MAX_INBOUND: usize = 1024;

/// Streams that the peer has open on one connection: more than any client of ours lets it.
const MAX_OUTBOUND: usize = 4096;

/// How long a stream may take to be agreed on.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// What is noted of a peer while it is connected.
struct Notes {
    remote: Multiaddr,
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
    peers: Peers<Notes>,
    stream_orders: mpsc::Receiver<StreamOrder>,
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
        listen(&mut swarm, port)?;
        site.forget_subscriptions();
        let (peers, stream_orders) = Peers::new(Arc::clone(&site));
        Ok(Self {
            swarm,
            tasks,
            gossip: site.network.listen(),
            orders: control.attach(),
            site,
            control,
            card: Card {
                public_key: key.public().encode_protobuf(),
                listens: address_of(port),
            },
            peers,
            stream_orders,
        })
    }

    /// The number of open connections.
    pub(in crate::fleet) fn connections(&self) -> usize {
        self.peers.connections()
    }

    /// Waits for one thing to happen and deals with it. Nothing is lost when the wait is given up.
    pub(in crate::fleet) async fn turn(&mut self) {
        let freezer = self.control.freezer.clone();
        freezer.hold(self.one_turn()).await;
    }

    async fn one_turn(&mut self) {
        tokio::select! {
            event = self.swarm.select_next_some() => self.on_swarm(event),
            Some(order) = self.stream_orders.recv() => {
                self.peers.open_to_peer(&mut self.swarm.behaviour_mut().streams, order);
            }
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
            control,
            ..
        } = self;
        drop(swarm);
        tasks.tasks.stop().await;
        control.set_connected(BTreeSet::new());
        peers.stopped();
    }

    fn tell_connected(&self) {
        self.control.set_connected(self.peers.ids().collect());
    }

    fn on_swarm(&mut self, event: SwarmEvent<streams::Event>) {
        match event {
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => {
                let notes = || Notes {
                    remote: endpoint.get_remote_address().clone(),
                    wanted: 0,
                    haunted: false,
                };
                self.peers.opened(peer_id, connection_id, &endpoint, notes);
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
                self.peers.closed(peer_id, connection_id, cause.as_ref());
                self.tell_connected();
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
                } else if let Some(remote) = self.remote_of(&peer) {
                    let control = Arc::clone(&self.control);
                    self.tasks
                        .spawn(self.card.clone().answer(control, remote, stream));
                }
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
                    && !std::mem::replace(&mut connected.notes.haunted, true)
                {
                    self.tasks.spawn(target.haunt());
                }
            }
        }
    }

    fn remote_of(&self, peer: &PeerId) -> Option<Multiaddr> {
        Some(self.peers.get(peer)?.notes.remote.clone())
    }

    fn target(&self, peer: PeerId) -> Option<Target> {
        Some(Target {
            peer,
            remote: self.remote_of(&peer)?,
            card: self.card.clone(),
            cluster: self.site.network.cluster(),
            control: Arc::clone(&self.control),
            streams: self.peers.orderer(),
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
            peer.notes.wanted = peer.notes.wanted.wrapping_add(1);
            let delay = match relay {
                Relay::All => Duration::ZERO,
                Relay::Late(delay) => delay,
                Relay::Nothing => continue,
                Relay::WithoutEach(each) if peer.notes.wanted.is_multiple_of(each.max(1)) => {
                    continue;
                }
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
            let Some(queue) = self.peers.pushes(id, |pump| self.tasks.spawn(pump)) else {
                continue;
            };
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
