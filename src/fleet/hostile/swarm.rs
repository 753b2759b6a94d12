//! The libp2p of a hostile peer: our streams behaviour, but for the protocols that it refuses and the pings that it does
//! not echo. Identify is a stream like any other here, since libp2p's own does not lie.

use std::{
    io,
    sync::Arc,
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr, PeerId, Stream, Swarm,
    core::{Endpoint, transport::PortUse},
    identity::Keypair,
    swarm::{
        self, ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
        handler::{ConnectionEvent, FullyNegotiatedInbound},
    },
};

use super::{PING, control::Control, freeze::HeldTasks, script::Ping};
use crate::{fleet::node::transport, node::streams};

/// What the streams behaviour has for each connection.
type Inner = <streams::Behaviour as NetworkBehaviour>::ConnectionHandler;
type Inbound = <Inner as ConnectionHandler>::InboundProtocol;
type Outbound = <Inner as ConnectionHandler>::OutboundProtocol;
type OutboundInfo = <Inner as ConnectionHandler>::OutboundOpenInfo;

/// See the module's documentation.
pub(super) struct Behaviour {
    pub(super) streams: streams::Behaviour,
    control: Arc<Control>,
}

impl Behaviour {
    fn handler(&self, inner: Inner) -> Handler {
        Handler {
            inner,
            control: Arc::clone(&self.control),
            unanswered: Vec::new(),
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = streams::Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let inner = self
            .streams
            .handle_established_inbound_connection(connection, peer, local, remote)?;
        Ok(self.handler(inner))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let inner = self
            .streams
            .handle_established_outbound_connection(connection, peer, address, role, port_use)?;
        Ok(self.handler(inner))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.streams.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.streams
            .on_connection_handler_event(peer, connection, event);
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<streams::Event, THandlerInEvent<Self>>> {
        self.streams.poll(cx)
    }
}

/// The part that lives with a connection.
pub(super) struct Handler {
    inner: Inner,
    control: Arc<Control>,
    /// Pings that nobody echoes; dropping them would reset them.
    unanswered: Vec<Stream>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = <Inner as ConnectionHandler>::FromBehaviour;
    type ToBehaviour = <Inner as ConnectionHandler>::ToBehaviour;
    type InboundProtocol = Inbound;
    type OutboundProtocol = Outbound;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = OutboundInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<Inbound> {
        let refused = self.control.script(|script| script.refused.clone());
        self.inner.listen_protocol().map_upgrade(|mut spoken| {
            spoken
                .0
                .retain(|protocol| !refused.contains(&protocol.as_ref()));
            spoken
        })
    }

    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn on_behaviour_event(&mut self, command: Self::FromBehaviour) {
        self.inner.on_behaviour_event(command);
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Inbound, Outbound, (), OutboundInfo>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, protocol),
                info,
            }) => {
                let ping =
                    (protocol.as_ref() == PING).then(|| self.control.script(|script| script.ping));
                match ping {
                    Some(Ping::Silence) => self.unanswered.push(stream),
                    Some(Ping::Reset) => drop(stream),
                    Some(Ping::Echo) | None => {
                        self.inner
                            .on_connection_event(ConnectionEvent::FullyNegotiatedInbound(
                                FullyNegotiatedInbound {
                                    protocol: (stream, protocol),
                                    info,
                                },
                            ))
                    }
                }
            }
            other => self.inner.on_connection_event(other),
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Outbound, OutboundInfo, Self::ToBehaviour>> {
        self.inner.poll(cx)
    }
}

/// A swarm that does as `control` says, whose connections run as `tasks`.
pub(super) fn build(
    key: &Keypair,
    streams: streams::Config,
    control: Arc<Control>,
    tasks: HeldTasks,
) -> io::Result<Swarm<Behaviour>> {
    let behaviour = Behaviour {
        streams: streams::Behaviour::new(streams),
        control,
    };
    Ok(Swarm::new(
        transport(key)?,
        behaviour,
        key.public().to_peer_id(),
        swarm::Config::with_executor(tasks),
    ))
}
