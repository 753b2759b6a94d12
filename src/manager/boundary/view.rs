//! What can be read of the manager's state. Reading changes nothing (invariant D4).

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use crate::manager::boundary::command::{DialWhy, Grant, Health};
use crate::manager::boundary::event::{
    BurstId, Class, ConnId, Direction, EnrollmentId, LockId, Priority, RequirementId, Source,
    Transport,
};
use crate::manager::boundary::reason::{Guard, LimitCause, Outcome, Reason, Revocation, Trigger};

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
    /// −1000 to 1000; 0 is unknown. As of the last input: it fades with time.
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
    /// From the first start to when its target was first reached, in milliseconds.
    pub first_met_after_ms: Option<u64>,
}

/// One enrolled protocol (`stats().protocols`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolView {
    /// Its name; the built-in ones are called as their requirements.
    pub name: String,
    /// As the shell named it; `None` for the built-in ones.
    pub enrollment: Option<EnrollmentId>,
    /// The requirement that it brought along.
    pub requirement: Option<RequirementId>,
    /// How much it matters.
    pub class: Class,
    /// What it was granted; `None` while it only has an offer.
    pub granted: Option<Grant>,
    /// An offer that waits for an answer.
    pub offered: Option<Grant>,
    /// What it uses, in 1/256 of a connection: one that several use is shared among them (4.4).
    pub share: u32,
    /// Connections that it uses.
    pub connections: u16,
    /// Of these, locked by it.
    pub locked: u16,
}

/// Why a peer stands where it stands (`explain()`).
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The peer itself.
    pub view: PeerView,
    /// The first rule that forbids to dial it now; `None`: it may be dialed.
    pub not_dialed: Option<Reason>,
    /// The first rule that forbids to close its connection for others; `None`: it may be closed, or there is none.
    pub not_closed: Option<Guard>,
    /// Protocols that use its connection, by name.
    pub used_by: Vec<String>,
    /// The parts of its score.
    pub parts: ScoreParts,
    /// Failed dials in a row.
    pub failures: u8,
    /// Short connections in a row.
    pub flaps: u8,
    /// Tags that protect it.
    pub protected_by: Vec<String>,
    /// What it failed at last, charged or not, the oldest first; at most 4 of [`What::Failed`].
    pub failed: Vec<Decision>,
    /// The last decisions about it, the oldest first; at most 16.
    pub decisions: Vec<Decision>,
}

/// What a score is made of; each is −1000 to 1000.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScoreParts {
    /// How well it served, for each requirement that was tried.
    pub quality: Vec<(RequirementId, i16)>,
    /// How well it behaved.
    pub behaviour: i16,
    /// The sum of the user's hints, −200 to 200.
    pub hints: i16,
    /// The chance to reach it, in 1/256.
    pub reach: u16,
}

/// A decision, and when it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Wall clock.
    pub at_wall_ms: u64,
    /// What.
    pub what: What,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Somebody is dialed.
    Dialed {
        /// Whom.
        peer: PeerId,
        /// Why.
        why: DialWhy,
        /// Candidates that were compared; 1 when there was no choice.
        compared: u16,
        /// The expected worth of the dial, in 1/256 of a provider.
        value: u32,
    },
    /// A connection is closed.
    Closed {
        /// Whose.
        peer: PeerId,
        /// Why.
        reason: Reason,
    },
    /// A dial or a connection that somebody else wanted is refused.
    Denied {
        /// Whose, when that is known.
        peer: Option<PeerId>,
        /// Why.
        reason: Reason,
    },
    /// A peer failed at a requirement.
    Failed {
        /// Who.
        peer: PeerId,
        /// At what.
        requirement: RequirementId,
        /// How.
        outcome: Outcome,
        /// Whether it counts against the peer.
        charged: bool,
    },
    /// A peer is banned.
    Banned {
        /// Whom.
        peer: PeerId,
        /// Why.
        reason: Reason,
    },
    /// A round of regulation ended.
    Regulated {
        /// Its number.
        round: u64,
        /// What began it.
        trigger: Trigger,
        /// Connections that it closed.
        closed: u16,
    },
    /// There are more connections than wanted, and all of them are held.
    Overcommitted {
        /// By what, and how many.
        held_by: Vec<(Guard, u16)>,
    },
    /// A protocol was told its share.
    Offered {
        /// Which.
        protocol: String,
        /// How much.
        grant: Grant,
    },
    /// A connection was locked.
    Locked {
        /// By which lock.
        lock: LockId,
        /// Whose.
        peer: PeerId,
    },
    /// A lock ended before its time.
    Revoked {
        /// Which.
        lock: LockId,
        /// Why.
        reason: Revocation,
    },
    /// A burst began.
    BurstOpened {
        /// Which.
        burst: BurstId,
        /// With how many connections.
        slots: u8,
    },
    /// A burst ended.
    BurstClosed {
        /// Which.
        burst: BurstId,
    },
    /// The limits of connections changed.
    Limits {
        /// The soft target now.
        soft: u16,
        /// The hard cap now.
        hard: u16,
        /// Why.
        why: LimitCause,
    },
    /// A bootstrap peer stays, because nobody else serves something.
    BootstrapRetained {
        /// Who.
        peer: PeerId,
    },
    /// A cap on diversity was relaxed by one step, because a minimum can't be met otherwise.
    Relaxed {
        /// For whom.
        peer: PeerId,
    },
    /// Everything fails: this machine's network is suspected.
    Suspect,
    /// The network works again; the failures of the time are taken back.
    Recovered,
}

impl What {
    /// Whom it is about.
    pub fn peer(&self) -> Option<PeerId> {
        match self {
            Self::Dialed { peer, .. }
            | Self::Closed { peer, .. }
            | Self::Failed { peer, .. }
            | Self::Banned { peer, .. }
            | Self::Locked { peer, .. }
            | Self::BootstrapRetained { peer }
            | Self::Relaxed { peer } => Some(*peer),
            Self::Denied { peer, .. } => *peer,
            Self::Regulated { .. }
            | Self::Overcommitted { .. }
            | Self::Offered { .. }
            | Self::Revoked { .. }
            | Self::BurstOpened { .. }
            | Self::BurstClosed { .. }
            | Self::Limits { .. }
            | Self::Suspect
            | Self::Recovered => None,
        }
    }
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
    /// Gauge: the soft target of connections now (G).
    pub soft: u16,
    /// Gauge: the hard cap now (H).
    pub hard: u16,
    /// Gauge: banned peers.
    pub banned: u32,
    /// Gauge: locks that hold.
    pub locks: u32,
    /// Gauge: of the open connections, those that the peer opened.
    pub inbound: u32,
    /// Gauge: the open connections by what carries them; what carries none is left out.
    pub by_transport: Vec<(Transport, u32)>,
    /// Gauge: dials that the pacing admits at this moment; negative when the user overdrew it.
    pub dial_tokens: i32,
    /// The longest that a deadline was missed by, in milliseconds, sleep left out.
    pub deadline_lag_ms: u64,
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
    /// Rounds of regulation.
    pub rounds: u64,
    /// Foreign dials and connections that were refused.
    pub denials: u64,
    /// Decisions taken, the forgotten ones included.
    pub decisions: u64,
    /// Inputs handled.
    pub events: u64,
    /// Orders given.
    pub commands: u64,
}
