//! The part of the streams behaviour that lives with one connection.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use libp2p::StreamProtocol;
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol,
};

use super::stream::{Slot, Slots, Stream};
use super::upgrade::Protocols;
use super::{Config, OpenError, StreamRequest, ping};

/// Inbound ping streams that a connection may have open: what a responder accepts (libp2p-basics.md, section 7).
const MAX_INBOUND_PINGS: usize = 2;

/// What the behaviour asks of the handler.
#[derive(Debug)]
pub enum Command {
    /// Open a stream.
    Open {
        /// Its name.
        request: StreamRequest,
        /// The protocols, preferred first.
        protocols: Vec<StreamProtocol>,
    },
    /// Send a ping, and forget one that is under way.
    Ping {
        /// Which of the connection's.
        ping: u32,
        /// When to give up.
        timeout: Duration,
    },
    /// Say when no stream of ours is open any more.
    Drain,
}

/// What the handler tells the behaviour.
#[derive(Debug)]
pub enum Report {
    /// A stream is open.
    Opened {
        /// Its name.
        request: StreamRequest,
        /// What was agreed on.
        protocol: StreamProtocol,
        /// The stream.
        stream: Stream,
    },
    /// A stream could not be opened.
    OpenFailed {
        /// Its name.
        request: StreamRequest,
        /// Why.
        error: OpenError,
    },
    /// The peer opened a stream.
    Inbound {
        /// For what.
        protocol: StreamProtocol,
        /// The stream.
        stream: Stream,
    },
    /// The peer opened one too many.
    InboundOverflow {
        /// For what.
        protocol: StreamProtocol,
    },
    /// A ping came back, or did not.
    PingEnded {
        /// Which of the connection's.
        ping: u32,
        /// Round trip.
        rtt: Option<Duration>,
    },
    /// No stream of ours is open any more.
    Drained,
}

/// What an outbound stream is for.
#[derive(Debug)]
pub enum Purpose {
    /// A request of the behaviour.
    Request(StreamRequest, Slot),
    /// A ping, which of the connection's, with this timeout.
    Ping(u32, Duration),
}

type ToBehaviour = ConnectionHandlerEvent<Protocols, Purpose, Report>;

/// See the module's documentation.
pub struct Handler {
    listen: Vec<StreamProtocol>,
    inbound: Vec<(StreamProtocol, Slots)>,
    outbound: Slots,
    open_timeout: Duration,
    queue: VecDeque<ToBehaviour>,
    /// Inbound pings being answered. Bounded by [`MAX_INBOUND_PINGS`].
    answering: FuturesUnordered<BoxFuture<'static, std::io::Result<()>>>,
    /// Our ping under way, from the order to the echo.
    pinging: Pinging,
    /// Whether the behaviour waits for the end of our streams.
    draining: bool,
    waker: Option<Waker>,
}

enum Pinging {
    Idle,
    Opening(u32),
    Waiting(u32, BoxFuture<'static, std::io::Result<Duration>>),
}

impl Pinging {
    fn is_opening(&self, ping: u32) -> bool {
        matches!(self, Self::Opening(opening) if *opening == ping)
    }
}

impl Handler {
    pub(super) fn new(config: &Config) -> Self {
        let mut listen: Vec<_> = config.inbound.iter().map(|p| p.name.clone()).collect();
        listen.push(ping::PROTOCOL);
        Self {
            listen,
            inbound: config
                .inbound
                .iter()
                .map(|p| (p.name.clone(), Slots::new(p.max_streams)))
                .collect(),
            outbound: Slots::new(config.max_outbound),
            open_timeout: config.open_timeout,
            queue: VecDeque::new(),
            answering: FuturesUnordered::new(),
            pinging: Pinging::Idle,
            draining: false,
            waker: None,
        }
    }

    fn report(&mut self, report: Report) {
        self.queue
            .push_back(ConnectionHandlerEvent::NotifyBehaviour(report));
        self.wake();
    }

    fn request(&mut self, protocols: Vec<StreamProtocol>, purpose: Purpose, timeout: Duration) {
        self.queue
            .push_back(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(Protocols(protocols), purpose)
                    .with_timeout(timeout),
            });
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn on_inbound(&mut self, stream: libp2p::Stream, protocol: StreamProtocol) {
        if protocol == ping::PROTOCOL {
            // One more than allowed is dropped, which resets it.
            if self.answering.len() < MAX_INBOUND_PINGS {
                self.answering.push(Box::pin(ping::answer(stream)));
                self.wake();
            }
            return;
        }
        let slot = self
            .inbound
            .iter()
            .find(|(name, _)| *name == protocol)
            .and_then(|(_, slots)| slots.take());
        self.report(match slot {
            Some(slot) => Report::Inbound {
                protocol,
                stream: Stream::new(stream, slot),
            },
            None => Report::InboundOverflow { protocol },
        });
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Command;
    type ToBehaviour = Report;
    type InboundProtocol = Protocols;
    type OutboundProtocol = Protocols;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Purpose;

    fn listen_protocol(&self) -> SubstreamProtocol<Protocols> {
        SubstreamProtocol::new(Protocols(self.listen.clone()), ()).with_timeout(self.open_timeout)
    }

    /// Only the manager ends a connection.
    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn on_behaviour_event(&mut self, command: Command) {
        match command {
            Command::Open { request, protocols } => match self.outbound.take() {
                Some(slot) => {
                    let purpose = Purpose::Request(request, slot);
                    self.request(protocols, purpose, self.open_timeout);
                }
                None => self.report(Report::OpenFailed {
                    request,
                    error: OpenError::LimitReached,
                }),
            },
            Command::Ping { ping, timeout } => {
                self.pinging = Pinging::Opening(ping);
                let purpose = Purpose::Ping(ping, timeout);
                self.request(vec![ping::PROTOCOL], purpose, timeout);
            }
            Command::Drain => {
                self.draining = true;
                self.wake();
            }
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Protocols, Protocols, (), Purpose>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, protocol),
                ..
            }) => self.on_inbound(stream, protocol),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (stream, protocol),
                info,
            }) => match info {
                Purpose::Request(request, slot) => self.report(Report::Opened {
                    request,
                    protocol,
                    stream: Stream::new(stream, slot),
                }),
                Purpose::Ping(ping, timeout) => {
                    if self.pinging.is_opening(ping) {
                        let echo = Box::pin(ping::send(stream, timeout));
                        self.pinging = Pinging::Waiting(ping, echo);
                        self.wake();
                    }
                }
            },
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => match info {
                Purpose::Request(request, _) => {
                    let error = match error {
                        StreamUpgradeError::Timeout => OpenError::Timeout,
                        StreamUpgradeError::NegotiationFailed => OpenError::Unsupported,
                        StreamUpgradeError::Io(e) => OpenError::Io(e.kind()),
                        StreamUpgradeError::Apply(never) => match never {},
                    };
                    self.report(Report::OpenFailed { request, error });
                }
                Purpose::Ping(ping, _) => {
                    if self.pinging.is_opening(ping) {
                        self.pinging = Pinging::Idle;
                    }
                    self.report(Report::PingEnded { ping, rtt: None });
                }
            },
            _ => {}
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToBehaviour> {
        if let Some(event) = self.queue.pop_front() {
            return Poll::Ready(event);
        }
        if let Pinging::Waiting(ping, echo) = &mut self.pinging
            && let Poll::Ready(result) = echo.as_mut().poll(cx)
        {
            let (ping, rtt) = (*ping, result.ok());
            self.pinging = Pinging::Idle;
            let report = Report::PingEnded { ping, rtt };
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(report));
        }
        // An answered ping stream needs no word: it ended.
        while let Poll::Ready(Some(_)) = self.answering.poll_next_unpin(cx) {}
        if self.draining && self.outbound.all_free(cx) {
            self.draining = false;
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Report::Drained));
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
