//! Streams that are being opened, and for what.

use futures::channel::oneshot;
use libp2p::{PeerId, StreamProtocol};
use litemap::LiteMap;

use super::Driver;
use super::exchange::Exchange;
use crate::manager::{ConnId, Event};
use crate::node::streams::{OpenError, Stream, StreamRequest};

/// A stream that a call asked for, and what was agreed on.
pub(in crate::node) type Opened = Result<(Stream, StreamProtocol), OpenError>;

/// A stream that is being opened, for whoever waits for it.
pub(in crate::node) struct Opening {
    request: Option<StreamRequest>,
    pub(in crate::node) opened: oneshot::Receiver<Opened>,
}

/// Why a stream is being opened.
pub(super) enum Purpose {
    /// To ask a new connection's metadata.
    Metadata(ConnId),
    /// To ask for other peers.
    PeerExchange(PeerId, u32),
    /// For a call of the API.
    Call(oneshot::Sender<Opened>),
}

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Openings(LiteMap<StreamRequest, Purpose>);

impl Driver {
    /// Opens a stream on a connection. The answer never fails to come, but the channel closes with the node.
    pub(in crate::node) fn open(&mut self, conn: ConnId, protocols: &[&'static str]) -> Opening {
        let (sender, opened) = oneshot::channel();
        let request = self.open_for(conn, protocols, Purpose::Call(sender));
        Opening { request, opened }
    }

    /// Nobody waits for a stream any more: it need not be opened.
    pub(in crate::node) fn take_back(&mut self, opening: Opening) {
        let Opening { request, .. } = opening;
        if let Some(request) = request {
            self.openings.0.remove(&request);
            if let Some(swarm) = &mut self.swarm {
                swarm.behaviour_mut().streams.cancel(request);
            }
        }
    }

    /// Opens a stream on a connection; on one that is gone the failure follows at once.
    pub(super) fn open_for(
        &mut self,
        conn: ConnId,
        protocols: &[&'static str],
        purpose: Purpose,
    ) -> Option<StreamRequest> {
        if let (Some((peer, connection)), Some(swarm)) =
            (self.connections.target(conn), &mut self.swarm)
        {
            let protocols = protocols
                .iter()
                .map(|name| StreamProtocol::new(name))
                .collect();
            let streams = &mut swarm.behaviour_mut().streams;
            let request = streams.open(peer, connection, protocols);
            self.openings.0.insert(request, purpose);
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

    /// A stream is open: whoever wanted it goes on.
    pub(super) fn on_opened(
        &mut self,
        request: StreamRequest,
        protocol: StreamProtocol,
        stream: Stream,
    ) {
        match self.openings.0.remove(&request) {
            Some(Purpose::Metadata(conn)) => self.question_metadata(conn, stream),
            Some(Purpose::PeerExchange(peer, count)) => {
                self.question_peers(peer, count, stream);
            }
            // A call that gave up meanwhile drops the stream, which resets it.
            Some(Purpose::Call(answer)) => drop(answer.send(Ok((stream, protocol)))),
            None => {}
        }
    }

    /// A stream could not be opened.
    pub(super) fn on_open_failed(&mut self, request: StreamRequest, error: OpenError) {
        match self.openings.0.remove(&request) {
            Some(Purpose::Metadata(conn)) => self.on_metadata(conn, Exchange::NotOpened(error)),
            Some(Purpose::PeerExchange(peer, count)) => {
                self.on_peer_exchange(peer, count, Exchange::NotOpened(error));
            }
            Some(Purpose::Call(answer)) => drop(answer.send(Err(error))),
            None => {}
        }
    }
}
