//! What can be read of the manager's state. Reading changes nothing (invariant D4).

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use super::command::Health;
use super::event::{ConnId, Direction, Priority, RequirementId, Source};
use super::reason::Reason;

/// Where a peer stands (`PeerInfo.state`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerState {
    /// Known, and may be dialed.
    Known,
    /// Being dialed.
    Dialing,
    /// Connected.
    Connected,
    /// We ordered its connection closed.
    Closing,
    /// Waiting out a failure, a busy answer or a hang-up.
    Cooling,
    /// Banned.
    Banned,
    /// A bootstrap peer that is not needed.
    Parked,
}

/// One peer, as the npm API shows it (`PeerInfo`).
#[derive(Debug, Clone)]
pub struct PeerView {
    /// Who.
    pub peer: PeerId,
    /// The address of the open connection, else the best one known.
    pub route: Option<Multiaddr>,
    /// Who opened the connection, while there is one.
    pub direction: Option<Direction>,
    /// Where it stands.
    pub state: PeerState,
    /// What it is said, or was verified, to serve.
    pub services: Vec<RequirementId>,
    /// What it serves us now.
    pub serving: Vec<RequirementId>,
    /// Shards that it named; `None` while unknown.
    pub shards: Option<Vec<u16>>,
    /// What it calls itself.
    pub agent: Option<String>,
    /// Who told us first.
    pub source: Source,
    /// How much the user cares for it.
    pub priority: Priority,
    /// −1000 to 1000; 0 is unknown.
    pub score: i16,
    /// Last round trip.
    pub rtt_ms: Option<u32>,
    /// Since when it is connected, wall clock.
    pub connected_at_wall_ms: Option<u64>,
    /// The last thing that went against it.
    pub last_reason: Option<Reason>,
    /// When it may be dialed again, wall clock.
    pub next_try_at_wall_ms: Option<u64>,
    /// The open connection.
    pub conn: Option<ConnId>,
    /// Held at any cost until the user hangs up.
    pub pinned: bool,
}

/// One requirement (`RequirementStatus`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequirementView {
    /// Which.
    pub id: RequirementId,
    /// Serving peers.
    pub have: u8,
    /// Its minimum.
    pub min: u8,
    /// Its target.
    pub target: u8,
    /// How it does.
    pub health: Health,
    /// Who serves it, best first.
    pub peers: Vec<PeerId>,
}

/// Counters since the manager was made (`stats()`); they only grow, but for the gauges at the top.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Gauge: known peers.
    pub known: u32,
    /// Gauge: open connections.
    pub open: u32,
    /// Gauge: dials under way.
    pub dialing: u32,
    /// Dials started.
    pub dials: u64,
    /// Dials that failed.
    pub dial_failures: u64,
    /// Connections that opened.
    pub connects: u64,
    /// Connections that ended.
    pub disconnects: u64,
    /// Connections that we closed.
    pub closes: u64,
    /// Takeovers.
    pub replacements: u64,
    /// Inputs handled.
    pub events: u64,
    /// Orders given.
    pub commands: u64,
}
