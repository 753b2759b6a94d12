//! Lets the manager judge every dial and every inbound connection, whoever wants it (contract.md 4.7, 4.20).
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
    /// Dials that the manager ordered and need no second judgement. Each is removed by its own question, or by its failure:
    /// the swarm refuses some before it asks.
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

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::DialFailure(failure) = event {
            self.ordered.remove(&failure.connection_id);
        }
    }

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

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use libp2p::Swarm;
    use libp2p::core::Transport as _;
    use libp2p::core::transport::dummy::DummyTransport;
    use libp2p::identity::Keypair;
    use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};

    use super::*;
    use crate::manager::{Config, Time};

    #[test]
    fn a_dial_that_the_swarm_refuses_at_once_leaves_nothing() {
        let key = Keypair::generate_ed25519();
        let local = key.public().to_peer_id();
        let start = Time {
            mono_ms: 0,
            wall_ms: 0,
        };
        let manager = Recorded::new(
            Config::light_node(local, Vec::new(), "/px", false),
            [0; 32],
            start,
        );
        let transport = DummyTransport::<(PeerId, libp2p::core::muxing::StreamMuxerBox)>::new();
        let mut swarm = Swarm::new(
            transport.boxed(),
            Gate::new(Arc::new(Mutex::new(manager))),
            local,
            libp2p::swarm::Config::without_executor(),
        );
        let dial = DialOpts::peer_id(PeerId::random())
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .build();
        swarm.behaviour_mut().expect(dial.connection_id());
        // No address: refused before the behaviour is asked.
        assert!(swarm.dial(dial).is_err());
        assert!(swarm.behaviour().ordered.is_empty());
    }
}
