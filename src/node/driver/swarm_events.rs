//! What the swarm reports, as inputs of the manager; and what is asked of every new connection.

use std::time::Duration;

use libp2p::swarm::{ConnectionId, StreamUpgradeError, SwarmEvent};
use libp2p::{PeerId, StreamProtocol, identify};

use super::dials::Dialing;
use super::exchange::{Exchange, exchange};
use super::{Done, Driver, Purpose};
use crate::discovery::dialable::split_peer;
use crate::discovery::enr::Enr;
use crate::manager::{CloseCause, ConnId, DialFailure, Direction, Event, Metadata, Sighting};
use crate::node::behaviour::BehaviourEvent;
use crate::node::dialing::{close_cause, dial_failure};
use crate::node::event::LogLevel;
use crate::node::framed::{read_frame, write_frame};
use crate::node::platform;
use crate::node::streams::{self, OpenError, Stream, StreamRequest};
use crate::node::verdicts::answer_of;
use crate::protocols::verdict::{End, ExactClass, Protocol, Verdict};
use crate::protocols::{ids, metadata, peer_exchange};

/// How long a peer may take to answer (metadata.md, section 5).
const METADATA_TIMEOUT: Duration = Duration::from_secs(5);
/// When a peer that did not answer is asked again (metadata.md, section 6).
const METADATA_RETRY: Duration = Duration::from_secs(10);
/// How long peer exchange may take (peer-exchange.md, section 4).
const PEER_EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);

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
                let dial = self.dials.take(connection_id).map(|(dial, _)| dial);
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
                let failure = dial_failure(&error);
                self.on_dial_failed(connection_id, failure, &error.to_string());
            }
            _ => {}
        }
    }

    fn on_closed(
        &mut self,
        connection: ConnectionId,
        error: Option<&libp2p::swarm::ConnectionError>,
    ) {
        let Some((conn, closed)) = self.connections.remove(connection) else {
            return;
        };
        let cause = if closed.identify_failed {
            CloseCause::IdentifyFailed
        } else {
            close_cause(error)
        };
        if let Some(error) = error {
            self.log(
                LogLevel::Debug,
                "connection",
                format_args!("{} closed: {error}", closed.peer),
            );
        }
        self.inputs.push_back(Event::Closed { conn, cause });
    }

    pub(super) fn on_dial_failed(
        &mut self,
        connection: ConnectionId,
        failure: DialFailure,
        error: &str,
    ) {
        let Some((
            dial,
            Dialing {
                peer, route, late, ..
            },
        )) = self.dials.take(connection)
        else {
            return;
        };
        let failure = if late { DialFailure::Timeout } else { failure };
        self.log(
            LogLevel::Debug,
            "dial",
            format_args!("{peer} at {route}: {failure} ({error})"),
        );
        self.inputs.push_back(Event::DialFailed { dial, failure });
    }

    fn on_identify(&mut self, event: identify::Event) {
        match event {
            identify::Event::Received {
                connection_id,
                info,
                ..
            } => {
                self.note_heard(connection_id);
                let Some(conn) = self.connections.named(connection_id) else {
                    return;
                };
                let protocols = info.protocols.iter().map(ToString::to_string).collect();
                self.identified(conn, (protocols, info.agent_version));
            }
            identify::Event::Error {
                peer_id,
                connection_id,
                error,
            } => {
                let Some(conn) = self.connections.named(connection_id) else {
                    return;
                };
                self.log(
                    LogLevel::Debug,
                    "identify",
                    format_args!("{peer_id}: {error}"),
                );
                // Without the first answer nothing can be used. Only what failed before the stream was open is surely our
                // question: the rest may be a push, or the peer's question to us, and is left to the manager's deadline.
                let ours = matches!(
                    error,
                    StreamUpgradeError::NegotiationFailed | StreamUpgradeError::Io(_)
                );
                if let Some(connection) = self.connections.get_mut(conn)
                    && !connection.identified
                    && ours
                {
                    connection.identify_failed = true;
                    self.close_connection(conn);
                }
            }
            identify::Event::Sent { connection_id, .. } => self.note_heard(connection_id),
            identify::Event::Pushed { .. } => {}
        }
    }

    /// Identify's streams are not ours, and as good a sign of life.
    fn note_heard(&self, connection: ConnectionId) {
        if let Some(swarm) = &self.swarm {
            swarm.behaviour().streams.note_heard(connection);
        }
    }

    fn on_stream(&mut self, event: streams::Event) {
        match event {
            streams::Event::Opened {
                request,
                protocol,
                stream,
                ..
            } => match self.openings.remove(&request) {
                Some(Purpose::Metadata(conn)) => {
                    let ours = metadata::Metadata::light(self.network.cluster()).encode();
                    self.tasks.push(Box::pin(async move {
                        let limit = metadata::MAX_FRAME;
                        Done::Metadata(conn, exchange(stream, ours, limit, METADATA_TIMEOUT).await)
                    }));
                }
                Some(Purpose::PeerExchange(peer, count)) => {
                    let request = peer_exchange::Rpc::request(count.into()).encode();
                    self.tasks.push(Box::pin(async move {
                        let limit = peer_exchange::MAX_RESPONSE;
                        let answer = exchange(stream, request, limit, PEER_EXCHANGE_TIMEOUT).await;
                        Done::PeerExchange(peer, count, answer)
                    }));
                }
                // A call that gave up meanwhile drops the stream, which resets it.
                Some(Purpose::Call(answer)) => drop(answer.send(Ok((stream, protocol)))),
                None => {}
            },
            streams::Event::OpenFailed { request, error, .. } => {
                match self.openings.remove(&request) {
                    Some(Purpose::Metadata(conn)) => {
                        self.on_metadata(conn, Exchange::NotOpened(error));
                    }
                    Some(Purpose::PeerExchange(peer, count)) => {
                        self.on_peer_exchange(peer, count, Exchange::NotOpened(error));
                    }
                    Some(Purpose::Call(answer)) => drop(answer.send(Err(error))),
                    None => {}
                }
            }
            streams::Event::Inbound {
                connection,
                protocol,
                stream,
                ..
            } => {
                if protocol.as_ref() == ids::METADATA {
                    self.serve_metadata(stream);
                } else if let Some(conn) = self.connections.named(connection) {
                    self.accept_push(conn, stream);
                }
            }
            streams::Event::InboundOverflow { peer, protocol, .. } => {
                self.log(
                    LogLevel::Warn,
                    "streams",
                    format_args!("{peer} opened too many streams of {protocol}"),
                );
                if protocol.as_ref() == ids::FILTER_PUSH {
                    self.push_overflowed(peer);
                }
            }
            streams::Event::Pong {
                connection,
                ping,
                rtt,
                ..
            } => {
                if let Some(conn) = self.connections.named(connection) {
                    let rtt_ms = u32::try_from(rtt.as_millis()).unwrap_or(u32::MAX);
                    self.inputs.push_back(Event::Pong { conn, ping, rtt_ms });
                    self.filter_server_lives(conn);
                }
            }
            streams::Event::PingFailed {
                connection, ping, ..
            } => {
                if let Some(conn) = self.connections.named(connection) {
                    // Whoever said anything since is there, if busy with something else.
                    let heard = self.heard_since_ping(conn);
                    if heard.is_some() {
                        self.filter_server_lives(conn);
                    }
                    self.inputs
                        .push_back(heard.unwrap_or(Event::PingFailed { conn, ping }));
                }
            }
            streams::Event::Heard { connection, .. } => {
                if let Some(conn) = self.connections.named(connection) {
                    let heard = self.heard_since_ping(conn);
                    self.inputs.extend(heard);
                }
            }
        }
    }

    /// The sign of life that came on a connection since its last ping went out, if one did.
    fn heard_since_ping(&self, conn: ConnId) -> Option<Event> {
        let connection = self.connections.get(conn)?;
        let streams = &self.swarm.as_ref()?.behaviour().streams;
        let silent = streams.heard(connection.swarm_id)?.as_millis();
        let silent_ms = u32::try_from(silent).unwrap_or(u32::MAX);
        let at = platform::mono_ms().saturating_sub(silent_ms.into());
        (at >= connection.pinged_at).then_some(Event::Heard { conn, silent_ms })
    }

    // --- metadata ----------------------------------------------------------------------------------------------------

    pub(super) fn ask_metadata(&mut self, conn: ConnId) {
        self.open_for(conn, &[ids::METADATA], Purpose::Metadata(conn));
    }

    pub(super) fn on_metadata(&mut self, conn: ConnId, answer: Exchange) {
        let cluster = self.network.cluster();
        let shards = self.network.shards();
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        let metadata = match answer {
            Exchange::Answer(bytes) => match metadata::Metadata::decode(&bytes)
                .map(|answer| metadata::interpret(cluster, &answer))
            {
                Ok(metadata::Standing::Same { shards: theirs }) => {
                    // An empty list means unknown (metadata.md, section 5).
                    if theirs.is_empty() || theirs.iter().any(|shard| shards.contains(shard)) {
                        Metadata::Matched { shards: theirs }
                    } else {
                        Metadata::OtherShards { shards: theirs }
                    }
                }
                Ok(metadata::Standing::Other { .. }) => Metadata::OtherNetwork,
                Err(_) => Metadata::Faulty,
                Ok(metadata::Standing::Unknown) => Metadata::Unsupported,
            },
            Exchange::Malformed => Metadata::Faulty,
            Exchange::NotOpened(OpenError::Unsupported) => Metadata::Unsupported,
            Exchange::NotOpened(OpenError::ConnectionClosed) => return,
            Exchange::NotOpened(_) | Exchange::TimedOut | Exchange::Ended | Exchange::Broken => {
                if !connection.metadata_retried {
                    connection.metadata_retried = true;
                    self.after(METADATA_RETRY, Done::MetadataRetry(conn));
                }
                Metadata::NotYet
            }
        };
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        if connection.identified {
            self.inputs.push_back(Event::Metadata { conn, metadata });
        } else {
            connection.early_metadata = Some(metadata);
        }
    }

    /// Answers at once and closes: nwaku waits for our end of the stream (metadata.md, section 3).
    fn serve_metadata(&mut self, mut stream: Stream) {
        let ours = metadata::Metadata::light(self.network.cluster()).encode();
        self.tasks.push(Box::pin(async move {
            let answer = async {
                read_frame(&mut stream, metadata::MAX_FRAME).await?;
                write_frame(&mut stream, &ours).await?;
                futures::AsyncWriteExt::close(&mut stream).await
            };
            // Who does not read our answer hangs up by itself.
            let _ = super::exchange::within(METADATA_TIMEOUT, answer).await;
            Done::MetadataServed
        }));
    }

    // --- peer exchange -----------------------------------------------------------------------------------------------

    pub(super) fn on_peer_exchange(&mut self, peer: PeerId, count: u32, answer: Exchange) {
        let request = peer_exchange::Rpc::request(count.into());
        let records = answer_of(Protocol::PeerExchange, answer).and_then(|bytes| {
            let answer = peer_exchange::Rpc::decode(&bytes)
                .map_err(|_| Verdict::of_end(Protocol::PeerExchange, End::Undecodable))?;
            peer_exchange::interpret(&request, answer)
        });
        let entries = match records {
            Ok(answer) => self.on_exchanged(peer, &answer.enrs),
            Err(verdict) => {
                // What breaks the protocol is worth more than a line for those who look for bugs.
                let level = match verdict.class {
                    ExactClass::ProtocolFault => LogLevel::Warn,
                    _ => LogLevel::Debug,
                };
                self.log(level, "peer-exchange", format_args!("{peer}: {verdict}"));
                Vec::new()
            }
        };
        self.inputs.push_back(Event::Answered { peer, entries });
    }

    /// Whom the records name. It is worth a warning when more than half are broken: the peer stores what it cannot have
    /// verified (peer-exchange.md, section 6).
    fn on_exchanged(&self, peer: PeerId, records: &[Vec<u8>]) -> Vec<Sighting> {
        let whole: Vec<_> = records
            .iter()
            .filter_map(|record| Enr::from_rlp(record).ok())
            .collect();
        let broken = records.len() - whole.len();
        let entries: Vec<Sighting> = whole.iter().filter_map(|enr| self.sighting(enr)).collect();
        let level = if broken > whole.len() {
            LogLevel::Warn
        } else {
            LogLevel::Debug
        };
        let message = format!(
            "{peer}: {} records, {broken} broken, {} dialable",
            records.len(),
            entries.len()
        );
        self.log(level, "peer-exchange", format_args!("{message}"));
        entries
    }

    // --- helpers -----------------------------------------------------------------------------------------------------

    /// Opens a stream on a connection; on one that is gone the failure follows at once.
    pub(super) fn open_for(
        &mut self,
        conn: ConnId,
        protocols: &[&'static str],
        purpose: Purpose,
    ) -> Option<StreamRequest> {
        let target = self
            .connections
            .get(conn)
            .map(|connection| (connection.peer, connection.swarm_id));
        if let (Some((peer, connection)), Some(swarm)) = (target, &mut self.swarm) {
            let protocols = protocols
                .iter()
                .map(|name| StreamProtocol::new(name))
                .collect();
            let request = swarm
                .behaviour_mut()
                .streams
                .open(peer, connection, protocols);
            self.openings.insert(request, purpose);
            self.wake();
            return Some(request);
        }
        match purpose {
            Purpose::Call(answer) => drop(answer.send(Err(OpenError::ConnectionClosed))),
            Purpose::PeerExchange(peer, _) => {
                let entries = Vec::new();
                self.inputs.push_back(Event::Answered { peer, entries });
            }
            Purpose::Metadata(_) => {}
        }
        None
    }

    /// Ends one connection; the swarm reports when it is gone.
    pub(super) fn close_connection(&mut self, conn: ConnId) {
        let target = self.connections.get_mut(conn).map(|connection| {
            connection.leaving = true;
            (connection.peer, connection.swarm_id)
        });
        if let (Some((peer, connection)), Some(swarm)) = (target, &mut self.swarm) {
            swarm.behaviour_mut().streams.close(peer, connection);
        }
    }
}
