//! What the nodes see, as a bounded broadcast: a slow listener loses events, and nothing waits for it.

use std::time::{SystemTime, UNIX_EPOCH};

use libp2p::PeerId;
use serde::Serialize;
use tokio::sync::broadcast;

/// Events kept for a listener that lags behind.
const BACKLOG: usize = 1024;

/// The kinds of a [`FleetEvent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// A peer connected.
    Connect,
    /// A connection ended.
    Disconnect,
    /// A peer asked for something.
    Request,
    /// The node answered; the detail is the status.
    Answer,
    /// A filter push went out, or failed to.
    Push,
    /// A fault was set or healed.
    Fault,
    /// The node was started or stopped.
    State,
}

/// Something that a node saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FleetEvent {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// The node's name; `resolver` for the resolver.
    pub node: String,
    /// What happened.
    pub kind: EventKind,
    /// The peer it happened with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The protocol id that it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// More, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl FleetEvent {
    /// An event of now.
    pub(crate) fn new(node: &str, kind: EventKind) -> Self {
        let at = unix_time().as_millis() as u64;
        Self {
            at,
            node: node.to_owned(),
            kind,
            peer: None,
            protocol: None,
            detail: None,
        }
    }

    pub(crate) fn peer(mut self, peer: &PeerId) -> Self {
        self.peer = Some(peer.to_string());
        self
    }

    pub(crate) fn protocol(mut self, protocol: &str) -> Self {
        self.protocol = Some(protocol.to_owned());
        self
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// The time since 1970; zero on a machine whose clock stands before that.
pub(crate) fn unix_time() -> std::time::Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// The sending side; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Events(broadcast::Sender<FleetEvent>);

impl Events {
    pub(crate) fn new() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }

    /// Tells whoever listens.
    pub(crate) fn emit(&self, event: FleetEvent) {
        // An error says that nobody listens.
        let _ = self.0.send(event);
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<FleetEvent> {
        self.0.subscribe()
    }
}
