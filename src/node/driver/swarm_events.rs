//! What the swarm reports of connections, as inputs of the manager.

use libp2p::swarm::{ConnectionError, ConnectionId, SwarmEvent};

use super::Driver;
use crate::discovery::dialable::split_peer;
use crate::manager::{CloseCause, Direction, Event};
use crate::node::behaviour::BehaviourEvent;
use crate::node::dialing::close_cause;
use crate::node::event::LogLevel;

impl Driver {
    pub(super) fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Identify(event)) => self.on_identify(event),
            SwarmEvent::Behaviour(BehaviourEvent::Streams(event)) => self.on_stream(event),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => {
                let conn = self.connections.insert(peer_id, connection_id);
                let dial = self.dials.arrived(connection_id);
                self.inputs.push_back(Event::Connected {
                    conn,
                    peer: peer_id,
                    direction: if endpoint.is_dialer() {
                        Direction::Outbound
                    } else {
                        Direction::Inbound
                    },
                    route: split_peer(endpoint.get_remote_address().clone()).0,
                    dial,
                });
                // Beside identify, not after it: one round trip less until the peer may serve.
                self.ask_metadata(conn);
            }
            SwarmEvent::ConnectionClosed {
                connection_id,
                cause,
                ..
            } => self.on_closed(connection_id, cause.as_ref()),
            SwarmEvent::OutgoingConnectionError {
                connection_id,
                error,
                ..
            } => {
                self.on_dial_failed(connection_id, &error);
            }
            _ => {}
        }
    }

    fn on_closed(&mut self, connection: ConnectionId, error: Option<&ConnectionError>) {
        let Some(gone) = self.connections.remove(connection) else {
            return;
        };
        let cause = if gone.identify_failed {
            CloseCause::IdentifyFailed
        } else {
            close_cause(error)
        };
        if let Some(error) = error {
            self.log(
                LogLevel::Debug,
                "connection",
                format_args!("{} closed: {error}", gone.peer),
            );
        }
        let conn = gone.conn;
        self.inputs.push_back(Event::Closed { conn, cause });
    }
}
