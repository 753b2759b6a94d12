//! What the manager is told. Every input is one of these values; nothing else changes its state.

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use super::reason::{CloseCause, DialFailure, Outcome};

/// A moment, given by the shell with every input.
///
/// The manager reads no clock. `mono_ms` orders everything; `wall_ms` is only for what outlives the process or is shown
/// to people. Neither is trusted: a clock that goes backwards is held at its last value (invariant D7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time {
    /// Monotonic milliseconds since any fixed point.
    pub mono_ms: u64,
    /// Milliseconds since 1970.
    pub wall_ms: u64,
}

/// One dial, named by the manager in [`Command::Dial`](super::Command::Dial). Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialId(pub u64);

/// One connection, named by the shell. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// The place of a requirement in [`Config::requirements`](super::Config::requirements).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequirementId(pub u8);

/// How many peers a requirement wants (`Need` of the npm API).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Below this the requirement is `unmet`.
    pub min: u8,
    /// At this many serving peers it is `met`, and nobody is dialed for it any more.
    pub target: u8,
    /// More providers than this are not kept for this requirement.
    pub max: u8,
}

/// Where a peer was heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A signed record tree: a bootstrap peer, parked until the ladder of 4.11 releases it.
    Dns,
    /// Another peer's answer.
    PeerExchange,
    /// The user named it: a multiaddr or a record in the options. Never parked.
    Static,
    /// It was connected before anybody told us of it.
    Foreign,
}

/// How much the user cares for a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Priority {
    /// Never dialed; an open connection is closed at once. Lasts until changed.
    Banned,
    /// Only when nothing else serves.
    Low,
    /// The default.
    #[default]
    Medium,
    /// Before all others.
    High,
}

/// Who opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// We dialed.
    Outbound,
    /// The peer dialed.
    Inbound,
}

/// What the metadata exchange on a connection said (protocols/metadata.md, section 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Metadata {
    /// Our cluster. `shards` may be empty, which means unknown.
    Matched {
        /// The shards that the peer says it relays.
        shards: Vec<u16>,
    },
    /// Another cluster, or none of our shards: the peer is of no use to us.
    OtherNetwork,
    /// The peer does not speak the protocol: neither good nor bad.
    Unsupported,
    /// Timed out or was cut off: not yet known. The shell asks again.
    NotYet,
}

/// An input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Begin to connect. Idempotent.
    Start,
    /// Close everything and dial nobody. Idempotent; what is known of peers is kept.
    Stop,
    /// A deadline passed. Harmless at any other time.
    Tick,

    /// Somebody said that a peer exists. A claim: it adds routes and claims, it changes nothing that was verified.
    Discovered {
        /// Whom.
        peer: PeerId,
        /// Where, without `/p2p/…`; only addresses that the shell can dial.
        routes: Vec<Multiaddr>,
        /// The requirements that it is said to serve; empty when nothing was said.
        claims: Vec<RequirementId>,
        /// Who said so.
        source: Source,
        /// For [`Source::PeerExchange`], the peer that answered.
        introducer: Option<PeerId>,
    },
    /// Discovery by DNS has begun, or has ended for now; `found` counts the candidates of this run.
    DnsFinished {
        /// Candidates handed out.
        found: u32,
        /// Whether every tree failed, so that the user should be told.
        failed: bool,
    },
    /// A peer exchange request ended.
    PeerExchangeDone {
        /// Who was asked.
        peer: PeerId,
        /// Dialable candidates in the answer; `None` when it failed.
        found: Option<u32>,
    },

    /// Change what a requirement wants.
    SetNeed {
        /// Which.
        requirement: RequirementId,
        /// What it wants from now on.
        need: Need,
    },
    /// Change how much the user cares for a peer.
    SetPriority {
        /// Whom.
        peer: PeerId,
        /// How much.
        priority: Priority,
    },
    /// Dial this peer now and hold it until [`Event::HangUp`] (the npm API's `dial`). May overdraw the pacing by two.
    ConnectNow {
        /// Whom.
        peer: PeerId,
        /// Addresses to try besides those known.
        routes: Vec<Multiaddr>,
    },
    /// Close the connection and bar the peer until `ConnectNow`, `SetPriority` or a restart.
    HangUp {
        /// Whom.
        peer: PeerId,
    },

    /// A connection is open and its remote key is the expected one.
    Connected {
        /// Its name.
        conn: ConnId,
        /// Whose.
        peer: PeerId,
        /// Who opened it.
        direction: Direction,
        /// The address that worked, without `/p2p/…`.
        route: Multiaddr,
        /// The dial that it completes; `None` for one that we did not order.
        dial: Option<DialId>,
    },
    /// Identify came in, or a push changed the list of protocols.
    Identified {
        /// Where.
        conn: ConnId,
        /// All protocols that the peer accepts.
        protocols: Vec<String>,
        /// What it calls itself.
        agent: String,
    },
    /// The metadata exchange came to a result.
    Metadata {
        /// Where.
        conn: ConnId,
        /// Which result.
        metadata: Metadata,
    },
    /// A connection is gone.
    Closed {
        /// Which.
        conn: ConnId,
        /// Why, as far as the shell can know.
        cause: CloseCause,
    },
    /// A dial failed.
    DialFailed {
        /// Which.
        dial: DialId,
        /// How.
        failure: DialFailure,
    },
    /// An answer to [`Command::Ping`](super::Command::Ping).
    Pong {
        /// Where.
        conn: ConnId,
        /// Round trip.
        rtt_ms: u32,
    },
    /// No answer to [`Command::Ping`](super::Command::Ping) in time.
    PingFailed {
        /// Where.
        conn: ConnId,
    },
    /// A protocol says how a peer did.
    Report {
        /// Whom.
        peer: PeerId,
        /// At what.
        requirement: RequirementId,
        /// How.
        outcome: Outcome,
    },

    /// The browser says that there is a network.
    Online,
    /// The browser says that there is none: dials are pointless, connections may yet survive.
    Offline,
}

/// A dial that somebody else wants to make: the only synchronous question (4.1, 4.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateQuery {
    /// A behaviour other than the manager's wants to dial.
    Outbound {
        /// Whom, when it is known.
        peer: Option<PeerId>,
    },
    /// A peer wants to connect to us.
    Inbound {
        /// Whom, once the handshake told.
        peer: Option<PeerId>,
    },
}
