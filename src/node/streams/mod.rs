//! One behaviour for all of our streams and pings (contract.md 4.20).
//!
//! It opens streams on connections that exist, accepts the protocols that it was told to, answers and sends pings and
//! closes single connections. Everything is addressed by [`ConnectionId`]; it never dials, and it keeps every connection
//! alive, because only the manager decides about that.
//!
//! Bounds, for each connection: outbound streams ([`Config::max_outbound`]; 1,024 more wait for a place), inbound streams for
//! each protocol ([`InboundProtocol::max_streams`]), two inbound ping streams, one ping of ours at a time. What overflows is
//! reset and told ([`Event::InboundOverflow`], [`OpenError::LimitReached`]), never dropped in silence.
//!
//! Whatever comes from a peer is a sign of life: [`Behaviour::heard`] tells when the last one came.

mod handler;
mod ping;
mod stream;
mod upgrade;

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use libp2p::core::{Endpoint, Multiaddr, transport::PortUse};
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler,
    THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{PeerId, StreamProtocol};

use litemap::LiteMap;

use ping::PingEnd;
use stream::Heard;
pub use stream::Stream;

/// A protocol that peers may open to us.
#[derive(Debug, Clone)]
pub struct InboundProtocol {
    /// Its id.
    pub name: StreamProtocol,
    /// Streams of it that one connection may have open at once.
    pub max_streams: usize,
}

/// What is accepted, and the bounds.
#[derive(Debug, Clone)]
pub struct Config {
    /// The protocols that are accepted.
    pub inbound: Vec<InboundProtocol>,
    /// Whether ping is accepted too, and answered here.
    pub answer_pings: bool,
    /// Streams that we may have open at once on one connection (libp2p-basics.md, section 5). More opens wait, in order.
    pub max_outbound: usize,
    /// How long opening and negotiating a stream may take, from when there is a place for it.
    pub open_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            inbound: Vec::new(),
            answer_pings: true,
            max_outbound: 32,
            open_timeout: Duration::from_secs(10),
        }
    }
}

/// A stream that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamRequest(u64);

/// Why a stream could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The peer speaks none of the protocols.
    #[error("protocol not supported by the peer")]
    Unsupported,
    /// The peer did not answer in [`Config::open_timeout`].
    #[error("timed out opening a stream")]
    Timeout,
    /// The connection ended first, or was gone already.
    #[error("connection closed")]
    ConnectionClosed,
    /// Too many opens wait on this connection.
    #[error("too many streams wait on this connection")]
    LimitReached,
    /// The negotiation broke.
    #[error("stream failed: {0}")]
    Io(std::io::ErrorKind),
}

/// What happened on a connection.
#[derive(Debug)]
pub enum Event {
    /// A stream that we asked for is open.
    Opened {
        /// The request.
        request: StreamRequest,
        /// With whom.
        peer: PeerId,
        /// On which connection.
        connection: ConnectionId,
        /// Which of the protocols asked for was agreed on.
        protocol: StreamProtocol,
        /// The stream.
        stream: Stream,
    },
    /// A stream that we asked for could not be opened.
    OpenFailed {
        /// The request.
        request: StreamRequest,
        /// With whom.
        peer: PeerId,
        /// On which connection.
        connection: ConnectionId,
        /// Why.
        error: OpenError,
    },
    /// The peer opened a stream.
    Inbound {
        /// Who.
        peer: PeerId,
        /// On which connection.
        connection: ConnectionId,
        /// For what.
        protocol: StreamProtocol,
        /// The stream.
        stream: Stream,
    },
    /// The peer opened one stream too many of this protocol; it was reset.
    InboundOverflow {
        /// Who.
        peer: PeerId,
        /// On which connection.
        connection: ConnectionId,
        /// For what.
        protocol: StreamProtocol,
    },
    /// Our ping came back.
    Pong {
        /// Who.
        peer: PeerId,
        /// On which connection.
        connection: ConnectionId,
        /// The ping's number.
        ping: u32,
        /// Round trip.
        rtt: Duration,
    },
    /// The peer said that it does not speak ping: a sign of life as good as any.
    Heard {
        /// Who.
        peer: PeerId,
        /// On which connection.
        connection: ConnectionId,
        /// The ping's number.
        ping: u32,
    },
    /// Our ping did not come back in time, or came back wrong.
    PingFailed {
        /// Who.
        peer: PeerId,
        /// On which connection.
        connection: ConnectionId,
        /// The ping's number.
        ping: u32,
    },
}

/// The behaviour. See the module's documentation.
#[derive(Debug)]
pub struct Behaviour {
    config: Config,
    next_request: u64,
    /// Open connections, so that a request for a dead one is answered instead of lost, and when each was last heard of.
    connections: LiteMap<ConnectionId, Heard>,
    /// Requests that a handler has and has not answered yet.
    pending: LiteMap<StreamRequest, (PeerId, ConnectionId)>,
    queue: VecDeque<ToSwarm<Event, handler::Command>>,
    waker: Option<Waker>,
}

impl Behaviour {
    /// A behaviour that accepts what `config` names.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            next_request: 0,
            connections: LiteMap::new(),
            pending: LiteMap::new(),
            queue: VecDeque::new(),
            waker: None,
        }
    }

    /// Opens a stream for the first of `protocols` that the peer speaks. `Opened` or `OpenFailed` follows, always.
    pub fn open(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        protocols: Vec<StreamProtocol>,
    ) -> StreamRequest {
        let request = StreamRequest(self.next_request);
        self.next_request += 1;
        if self.connections.contains_key(&connection) {
            self.pending.insert(request, (peer, connection));
            self.notify(
                peer,
                connection,
                handler::Command::Open { request, protocols },
            );
        } else {
            self.push(ToSwarm::GenerateEvent(Event::OpenFailed {
                request,
                peer,
                connection,
                error: OpenError::ConnectionClosed,
            }));
        }
        request
    }

    /// Nobody wants this stream any more: no answer follows, and a place that it waited for goes to the next.
    pub fn cancel(&mut self, request: StreamRequest) {
        if let Some((peer, connection)) = self.pending.remove(&request) {
            self.notify(peer, connection, handler::Command::Cancel { request });
        }
    }

    /// Sends a ping. `Pong`, `Heard` or `PingFailed` with its number follows, unless the connection ends first. A ping that
    /// is under way is given up: nothing is said of it.
    pub fn ping(&mut self, peer: PeerId, connection: ConnectionId, ping: u32, timeout: Duration) {
        if self.connections.contains_key(&connection) {
            self.notify(peer, connection, handler::Command::Ping { ping, timeout });
        }
    }

    /// How long ago bytes last came on a connection, on whatever stream of ours; `None` when it is gone.
    pub fn heard(&self, connection: ConnectionId) -> Option<Duration> {
        self.connections.get(&connection).map(Heard::since)
    }

    /// Something came on a connection that was no stream of this behaviour's.
    pub fn note_heard(&self, connection: ConnectionId) {
        if let Some(heard) = self.connections.get(&connection) {
            heard.note();
        }
    }

    /// Closes one connection as soon as none of our streams is open on it. New ones only put that off.
    pub fn drain(&mut self, peer: PeerId, connection: ConnectionId) {
        if self.connections.contains_key(&connection) {
            self.notify(peer, connection, handler::Command::Drain);
        }
    }

    /// Closes one connection. Streams still open on it end.
    pub fn close(&mut self, peer: PeerId, connection: ConnectionId) {
        self.push(ToSwarm::CloseConnection {
            peer_id: peer,
            connection: CloseConnection::One(connection),
        });
    }

    fn notify(&mut self, peer_id: PeerId, connection: ConnectionId, event: handler::Command) {
        self.push(ToSwarm::NotifyHandler {
            peer_id,
            handler: NotifyHandler::One(connection),
            event,
        });
    }

    fn handler(&mut self, connection: ConnectionId) -> handler::Handler {
        let heard = Heard::new();
        self.connections.insert(connection, heard.clone());
        handler::Handler::new(&self.config, heard)
    }

    fn push(&mut self, action: ToSwarm<Event, handler::Command>) {
        self.queue.push_back(action);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = handler::Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(connection))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(connection))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            // Somebody else refused it after we had made its handler.
            FromSwarm::DialFailure(e) => drop(self.connections.remove(&e.connection_id)),
            FromSwarm::ListenFailure(e) => drop(self.connections.remove(&e.connection_id)),
            FromSwarm::ConnectionClosed(e) => {
                self.connections.remove(&e.connection_id);
                let lost: Vec<_> = self
                    .pending
                    .iter()
                    .filter(|(_, (_, connection))| *connection == e.connection_id)
                    .map(|(request, _)| *request)
                    .collect();
                for request in lost {
                    self.pending.remove(&request);
                    self.push(ToSwarm::GenerateEvent(Event::OpenFailed {
                        request,
                        peer: e.peer_id,
                        connection: e.connection_id,
                        error: OpenError::ConnectionClosed,
                    }));
                }
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        let event = match event {
            handler::Report::Opened {
                request,
                protocol,
                stream,
            } => {
                // A request that was answered when its connection closed is not answered twice.
                if self.pending.remove(&request).is_none() {
                    return;
                }
                Event::Opened {
                    request,
                    peer,
                    connection,
                    protocol,
                    stream,
                }
            }
            handler::Report::OpenFailed { request, error } => {
                if self.pending.remove(&request).is_none() {
                    return;
                }
                Event::OpenFailed {
                    request,
                    peer,
                    connection,
                    error,
                }
            }
            handler::Report::Inbound { protocol, stream } => Event::Inbound {
                peer,
                connection,
                protocol,
                stream,
            },
            handler::Report::InboundOverflow { protocol } => Event::InboundOverflow {
                peer,
                connection,
                protocol,
            },
            handler::Report::PingEnded { ping, end } => match end {
                PingEnd::Pong(rtt) => Event::Pong {
                    peer,
                    connection,
                    ping,
                    rtt,
                },
                PingEnd::Heard => Event::Heard {
                    peer,
                    connection,
                    ping,
                },
                PingEnd::Failed => Event::PingFailed {
                    peer,
                    connection,
                    ping,
                },
            },
            handler::Report::Drained => return self.close(peer, connection),
        };
        self.push(ToSwarm::GenerateEvent(event));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        match self.queue.pop_front() {
            Some(action) => Poll::Ready(action),
            None => {
                self.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
