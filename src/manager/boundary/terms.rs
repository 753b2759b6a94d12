//! The terms in which events, commands and settings speak: ids, moments, what somebody asks for, what is said of a peer.

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

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

/// One dial, named by the manager in [`Command::Dial`](crate::manager::Command::Dial). Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialId(pub u64);

/// One connection, named by the shell. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// The place of a requirement in [`Config::requirements`](crate::manager::Config::requirements).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequirementId(pub u8);

/// One enrolled protocol, named by the shell. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnrollmentId(pub u64);

/// One lock, named by the shell. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockId(pub u64);

/// One burst, named by the shell. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BurstId(pub u64);

/// How much a protocol matters when connections are short (4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Class {
    /// What is left.
    Opportunistic,
    /// The default.
    #[default]
    Normal,
    /// Its minimum is cut last, and never to nothing.
    Critical,
}

/// One bound of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// That many connections.
    Count(u16),
    /// That many thousandths of the global share.
    Permille(u16),
}

/// What a protocol asks of the global share (4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quota {
    /// What it can't do without; nothing when absent.
    pub min: Option<Bound>,
    /// More than this is of no use to it; everything when absent.
    pub max: Option<Bound>,
}

/// A protocol that enrolls (4.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolSpec {
    /// Its name, and that of its requirement. Unique among the enrolled.
    pub name: String,
    /// Protocol ids of which a provider's identify must list at least one.
    pub protocols: Vec<String>,
    /// How much it matters.
    pub class: Class,
    /// Its weight inside its class, 1 to 16.
    pub weight: u8,
    /// What it asks for.
    pub quota: Quota,
    /// How many serving peers it wants; `None`: it uses what others hold.
    pub need: Option<Need>,
    /// Whether it wants to be asked for scores in a round of regulation (4.13).
    pub scores: bool,
    /// How long a counter-offer waits for an answer, in milliseconds; then it counts as accepted.
    pub answer_ms: u64,
}

/// What carries a connection, for the limits by transport (4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// A WebSocket in the clear.
    Ws,
    /// A WebSocket over TLS.
    Wss,
    /// WebTransport.
    WebTransport,
    /// WebRTC to a server.
    WebRtcDirect,
    /// Through a relay.
    Circuit,
    /// Anything else: TCP between native nodes.
    Other,
}

impl Transport {
    /// The name that the npm API knows it by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::WebTransport => "webtransport",
            Self::WebRtcDirect => "webrtc-direct",
            Self::Circuit => "circuit",
            Self::Other => "other",
        }
    }
}

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
    /// It served in an earlier session (4.11).
    Saved,
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
    /// Our cluster, and none of our shards: the connection may stay, and serves nothing of ours (metadata.md, 5.6).
    OtherShards {
        /// The shards that the peer says it relays.
        shards: Vec<u16>,
    },
    /// Another cluster: the peer is of no use to us.
    OtherNetwork,
    /// What came can't be read, or is too long: the peer breaks the protocol.
    Faulty,
    /// The peer does not speak the protocol: neither good nor bad.
    Unsupported,
    /// Timed out or was cut off: not yet known. The shell asks again.
    NotYet,
}

/// What somebody says of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Whom.
    pub peer: PeerId,
    /// Where, without `/p2p/…`; only addresses that the shell can dial.
    pub routes: Vec<Multiaddr>,
    /// The requirements that it is said to serve; empty when nothing was said.
    pub claims: Vec<RequirementId>,
}
