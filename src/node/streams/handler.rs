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

use super::ping::{self, PingEnd, Pings};
use super::stream::{Heard, Slot, Slots, Stream};
use super::upgrade::Protocols;
use super::{Config, OpenError, StreamRequest};

/// Inbound ping streams that a connection may have open: what a responder accepts (libp2p-basics.md, section 7).
const MAX_INBOUND_PINGS: usize = 2;

/// Requests that wait for a place among our streams. More than any burst of a page; one more is refused.
const MAX_WAITING: usize = 1_024;

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
    /// Forget a request: nobody wants its stream any more.
    Cancel {
        /// Its name.
        request: StreamRequest,
    },
    /// Send a ping, and forget one that is under way.
    Ping {
        /// Its number.
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
    /// How a ping ended.
    PingEnded {
        /// Its number.
        ping: u32,
        /// How.
        end: PingEnd,
    },
    /// No stream of ours is open any more.
    Drained,
}

/// What an outbound stream is for.
#[derive(Debug)]
pub enum Purpose {
    /// A request of the behaviour.
    Request(StreamRequest, Slot),
    /// Our pings.
    Ping,
}

type ToBehaviour = ConnectionHandlerEvent<Protocols, Purpose, Report>;

/// See the module's documentation.
pub struct Handler {
    listen: Vec<StreamProtocol>,
    inbound: Vec<(StreamProtocol, Slots)>,
    outbound: Slots,
    /// Requests that wait for one of `outbound`, oldest first, within [`MAX_WAITING`].
    waiting: VecDeque<(StreamRequest, Vec<StreamProtocol>)>,
    open_timeout: Duration,
    heard: Heard,
    queue: VecDeque<ToBehaviour>,
    answer_pings: bool,
    /// Inbound pings being answered. Bounded by [`MAX_INBOUND_PINGS`].
    answering: FuturesUnordered<BoxFuture<'static, std::io::Result<()>>>,
    pings: Pings,
    /// Whether the behaviour waits for the end of our streams.
    draining: bool,
    waker: Option<Waker>,
}

impl Handler {
    pub(super) fn new(config: &Config, heard: Heard) -> Self {
        let mut listen: Vec<_> = config.inbound.iter().map(|p| p.name.clone()).collect();
        if config.answer_pings {
            listen.push(ping::PROTOCOL);
        }
        Self {
            listen,
            inbound: config
                .inbound
                .iter()
                .map(|p| (p.name.clone(), Slots::new(p.max_streams)))
                .collect(),
            outbound: Slots::new(config.max_outbound),
            waiting: VecDeque::new(),
            open_timeout: config.open_timeout,
            heard,
            queue: VecDeque::new(),
            answer_pings: config.answer_pings,
            answering: FuturesUnordered::new(),
            pings: Pings::default(),
            draining: false,
            waker: None,
        }
    }

    fn report(&mut self, report: Report) {
        self.queue
            .push_back(ConnectionHandlerEvent::NotifyBehaviour(report));
        self.wake();
    }

    /// Asks for a stream. The time to open one begins here, not while it waits for its place.
    fn request(&mut self, protocols: Vec<StreamProtocol>, purpose: Purpose) {
        self.queue
            .push_back(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(Protocols(protocols), purpose)
                    .with_timeout(self.open_timeout),
            });
        self.wake();
    }

    /// Gives free places to those that wait.
    fn promote(&mut self) {
        while !self.waiting.is_empty()
            && let Some(slot) = self.outbound.take()
        {
            if let Some((request, protocols)) = self.waiting.pop_front() {
                self.request(protocols, Purpose::Request(request, slot));
            }
        }
    }

    fn ping(&mut self, step: Option<ping::Step>) {
        match step {
            Some(ping::Step::Open) => self.request(vec![ping::PROTOCOL], Purpose::Ping),
            Some(ping::Step::Ended(ping, end)) => self.report(Report::PingEnded { ping, end }),
            None => {}
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn on_inbound(&mut self, stream: libp2p::Stream, protocol: StreamProtocol) {
        if protocol == ping::PROTOCOL && self.answer_pings {
            // One more than allowed is dropped, which resets it.
            if self.answering.len() < MAX_INBOUND_PINGS {
                let heard = self.heard.clone();
                self.answering.push(Box::pin(ping::answer(stream, heard)));
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
                stream: Stream::new(stream, self.heard.clone(), slot),
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
            Command::Open { request, protocols } => {
                if self.waiting.len() < MAX_WAITING {
                    self.waiting.push_back((request, protocols));
                    self.promote();
                } else {
                    self.report(Report::OpenFailed {
                        request,
                        error: OpenError::LimitReached,
                    });
                }
            }
            Command::Cancel { request } => {
                self.waiting.retain(|(waiting, _)| *waiting != request);
                // A drain may have waited for it.
                self.wake();
            }
            Command::Ping { ping, timeout } => {
                let step = self.pings.order(ping, timeout);
                self.ping(step);
                // The timer is set when it is polled.
                self.wake();
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
            }) => {
                self.heard.note();
                self.on_inbound(stream, protocol);
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (stream, protocol),
                info,
            }) => {
                self.heard.note();
                match info {
                    Purpose::Request(request, slot) => {
                        let stream = Stream::new(stream, self.heard.clone(), slot);
                        self.report(Report::Opened {
                            request,
                            protocol,
                            stream,
                        });
                    }
                    Purpose::Ping => {
                        self.pings.opened(stream);
                        self.wake();
                    }
                }
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                let error = match error {
                    StreamUpgradeError::Timeout => OpenError::Timeout,
                    StreamUpgradeError::NegotiationFailed => {
                        // A refusal is an answer.
                        self.heard.note();
                        OpenError::Unsupported
                    }
                    StreamUpgradeError::Io(e) => OpenError::Io(e.kind()),
                    StreamUpgradeError::Apply(never) => match never {},
                };
                match info {
                    Purpose::Request(request, _) => {
                        self.report(Report::OpenFailed { request, error });
                    }
                    Purpose::Ping => {
                        let step = self.pings.not_opened(error);
                        self.ping(step);
                    }
                }
            }
            _ => {}
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToBehaviour> {
        self.outbound.listen(cx);
        self.promote();
        if self.queue.is_empty() {
            let step = self.pings.poll(cx, &self.heard);
            self.ping(step);
        }
        if let Some(event) = self.queue.pop_front() {
            return Poll::Ready(event);
        }
        // An answered ping stream needs no word: it ended.
        while let Poll::Ready(Some(_)) = self.answering.poll_next_unpin(cx) {}
        if self.draining && self.waiting.is_empty() && self.outbound.all_free() {
            self.draining = false;
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Report::Drained));
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
