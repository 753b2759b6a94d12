//! Who is connected to a peer of the fleet, honest or not, and the streams that it opens to them.

use std::{
    collections::{BTreeMap, btree_map},
    io,
    sync::Arc,
};

use futures::future::BoxFuture;
use libp2p::{
    PeerId, StreamProtocol, Swarm, TransportError,
    core::ConnectedPoint,
    swarm::{ConnectionError, ConnectionId, NetworkBehaviour},
};
use tokio::sync::{mpsc, oneshot};

use super::{
    address_of,
    push::{PushQueue, pump},
};
use crate::{
    fleet::{
        events::{EventKind, FleetEvent},
        services::Site,
    },
    node::streams::{self, OpenError, Stream, StreamRequest},
};

/// Requests for streams that wait for the loop.
const STREAM_ORDERS: usize = 64;

/// Somebody wants a stream to a peer.
pub(in crate::fleet) struct StreamOrder {
    pub(in crate::fleet) peer: PeerId,
    pub(in crate::fleet) protocol: StreamProtocol,
    pub(in crate::fleet) reply: StreamReply,
}

pub(in crate::fleet) type StreamReply = oneshot::Sender<Result<Stream, OpenError>>;

/// Somebody who is connected, and what is noted of him besides.
pub(in crate::fleet) struct Connected<N> {
    /// Oldest first. Never empty.
    connections: Vec<ConnectionId>,
    /// What waits to be pushed to it, once something was.
    pushes: Option<PushQueue>,
    pub(in crate::fleet) notes: N,
}

/// See the module's documentation.
pub(in crate::fleet) struct Peers<N> {
    site: Arc<Site>,
    connected: BTreeMap<PeerId, Connected<N>>,
    opening: BTreeMap<StreamRequest, StreamReply>,
    orderer: mpsc::Sender<StreamOrder>,
}

impl<N> Peers<N> {
    /// Nobody is connected. The orders for streams are the loop's to carry out, by [`Self::open_to_peer`].
    pub(in crate::fleet) fn new(site: Arc<Site>) -> (Self, mpsc::Receiver<StreamOrder>) {
        let (orderer, orders) = mpsc::channel(STREAM_ORDERS);
        let peers = Self {
            site,
            connected: BTreeMap::new(),
            opening: BTreeMap::new(),
            orderer,
        };
        (peers, orders)
    }

    /// Where streams to peers are ordered.
    pub(in crate::fleet) fn orderer(&self) -> mpsc::Sender<StreamOrder> {
        self.orderer.clone()
    }

    /// The number of open connections.
    pub(in crate::fleet) fn connections(&self) -> usize {
        let all = self.connected.values();
        all.map(|peer| peer.connections.len()).sum()
    }

    pub(in crate::fleet) fn ids(&self) -> impl Iterator<Item = PeerId> {
        self.connected.keys().copied()
    }

    pub(in crate::fleet) fn get(&self, peer: &PeerId) -> Option<&Connected<N>> {
        self.connected.get(peer)
    }

    pub(in crate::fleet) fn get_mut(&mut self, peer: &PeerId) -> Option<&mut Connected<N>> {
        self.connected.get_mut(peer)
    }

    /// Where messages wait until they are pushed to a peer, if it is connected. The first time `spawn` gets the task that
    /// does so.
    pub(in crate::fleet) fn pushes(
        &mut self,
        peer: PeerId,
        spawn: impl FnOnce(BoxFuture<'static, ()>),
    ) -> Option<&PushQueue> {
        let known = self.connected.get_mut(&peer)?;
        Some(known.pushes.get_or_insert_with(|| {
            let (queue, pump) = pump(peer, Arc::clone(&self.site), self.orderer.clone());
            spawn(Box::pin(pump));
            queue
        }))
    }

    fn tell(&self, kind: EventKind, peer: &PeerId, detail: String) {
        let event = FleetEvent::new(&self.site.name, kind).peer(peer);
        self.site.events.emit(event.detail(detail));
    }

    /// A connection is open; `notes` are those of a peer that has no other.
    pub(in crate::fleet) fn opened(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        endpoint: &ConnectedPoint,
        notes: impl FnOnce() -> N,
    ) {
        match self.connected.entry(peer) {
            btree_map::Entry::Occupied(mut known) => known.get_mut().connections.push(connection),
            btree_map::Entry::Vacant(new) => {
                new.insert(Connected {
                    connections: vec![connection],
                    pushes: None,
                    notes: notes(),
                });
            }
        }
        let remote = endpoint.get_remote_address().to_string();
        self.tell(EventKind::Connect, &peer, remote);
    }

    /// A connection is gone, and with the last one what was noted of the peer.
    pub(in crate::fleet) fn closed(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        cause: Option<&ConnectionError>,
    ) {
        if let Some(known) = self.connected.get_mut(&peer) {
            known.connections.retain(|id| *id != connection);
            if known.connections.is_empty() {
                self.connected.remove(&peer);
            }
        }
        let cause = cause.map_or_else(|| "closed".to_owned(), ToString::to_string);
        self.tell(EventKind::Disconnect, &peer, cause);
    }

    /// The swarm is gone, and with it every connection.
    pub(in crate::fleet) fn stopped(self) {
        for peer in self.connected.keys() {
            self.tell(EventKind::Disconnect, peer, "stopped".to_owned());
        }
    }

    /// Opens a stream on a connection.
    pub(in crate::fleet) fn open(
        &mut self,
        streams: &mut streams::Behaviour,
        connection: ConnectionId,
        order: StreamOrder,
    ) {
        let request = streams.open(order.peer, connection, vec![order.protocol]);
        self.opening.insert(request, order.reply);
    }

    /// Opens a stream to a peer, on its newest connection: that one lives longest, if one of two is a leftover.
    pub(in crate::fleet) fn open_to_peer(
        &mut self,
        streams: &mut streams::Behaviour,
        order: StreamOrder,
    ) {
        let known = self.connected.get(&order.peer);
        match known.and_then(|known| known.connections.last().copied()) {
            Some(connection) => self.open(streams, connection, order),
            None => {
                let _ = order.reply.send(Err(OpenError::ConnectionClosed));
            }
        }
    }

    /// A stream was opened, or could not be.
    pub(in crate::fleet) fn answered(
        &mut self,
        request: StreamRequest,
        result: Result<Stream, OpenError>,
    ) {
        if let Some(reply) = self.opening.remove(&request) {
            // Those who waited may have given up meanwhile.
            let _ = reply.send(result);
        }
    }
}

/// Opens the port.
pub(in crate::fleet) fn listen<B: NetworkBehaviour>(
    swarm: &mut Swarm<B>,
    port: u16,
) -> io::Result<()> {
    let listening = swarm.listen_on(address_of(port));
    listening.map(|_| ()).map_err(|error| match error {
        TransportError::Other(error) => error,
        TransportError::MultiaddrNotSupported(_) => io::ErrorKind::Unsupported.into(),
    })
}
