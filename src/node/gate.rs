//! Lets the manager judge every dial and every inbound connection, whoever wants it (manager.md 4.7, 4.20).
//!
//! It is the first field of the derived behaviour, so that a denial precedes the other behaviours' state.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use libp2p::PeerId;
use libp2p::core::{Endpoint, Multiaddr, transport::PortUse};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};

use litemap::LiteMap;

use super::platform;
use crate::manager::{GateQuery, Reason, Recorded};

/// A dial or a connection that the manager refused.
#[derive(Debug, thiserror::Error)]
#[error("denied: {0}")]
pub(super) struct Denied(Reason);

/// The behaviour. See the module's documentation.
#[derive(Debug)]
pub(super) struct Gate {
    manager: Arc<Mutex<Recorded>>,
    /// Dials that the manager ordered and need no second judgement. Each is removed by its own question.
    ordered: LiteMap<ConnectionId, ()>,
}

impl Gate {
    pub(super) fn new(manager: Arc<Mutex<Recorded>>) -> Self {
        Self {
            manager,
            ordered: LiteMap::new(),
        }
    }

    /// The manager itself ordered this dial.
    pub(super) fn expect(&mut self, connection: ConnectionId) {
        self.ordered.insert(connection, ());
    }

    fn ask(&self, query: GateQuery) -> Result<(), ConnectionDenied> {
        self.manager
            .lock()
            .expect("nothing panics while it holds the manager")
            .gate(platform::now(), query)
            .map_err(|reason| ConnectionDenied::new(Denied(reason)))
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = std::convert::Infallible;

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        _: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        if self.ordered.remove(&connection).is_none() {
            self.ask(GateQuery::Outbound { peer })?;
        }
        Ok(Vec::new())
    }

    fn handle_pending_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.ask(GateQuery::Inbound { peer: None })
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.ask(GateQuery::Inbound { peer: Some(peer) })?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}
