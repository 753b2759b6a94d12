//! What the manager orders. The shell drains these after every input and carries them out in order.

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use crate::manager::boundary::event::{
    BurstId, ConnId, DialId, Direction, EnrollmentId, LockId, RequirementId, Source,
};
use crate::manager::boundary::reason::{
    Cause, DialFailure, HealthReason, LockDenial, NetworkCause, NetworkState, Outcome, Reason,
    Revocation,
};

/// Why somebody is dialed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialWhy {
    /// A requirement is below its target.
    Need(RequirementId),
    /// The user asked for it, or pinned the peer.
    Requested,
    /// A bootstrap peer that the ladder released (4.11); the number is the rung.
    Bootstrap(u8),
    /// A peer that was lost and is tried again.
    Redial,
    /// A single probe while everything fails (4.8).
    Probe,
    /// To take over from a bootstrap peer (4.11).
    HandOff,
    /// One that can do the work of two, or the first of two who can do that of three (4.6).
    Swap,
    /// To take over from a connection that is old (4.17).
    Rotation,
    /// So that not everything depends on one peer or one netgroup (4.3, 4.6).
    Variety,
    /// For a burst (4.10).
    Burst(BurstId),
    /// The one connection of an initial sync (4.18).
    Sync,
}

impl DialWhy {
    /// A word for the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Need(_) => "needed",
            Self::Requested => "requested",
            Self::Bootstrap(_) => "bootstrap",
            Self::Redial => "redial",
            Self::Probe => "probe",
            Self::HandOff => "hand-off",
            Self::Swap => "swap",
            Self::Rotation => "rotation",
            Self::Variety => "variety",
            Self::Burst(_) => "burst",
            Self::Sync => "sync",
        }
    }
}

/// A share of the connections: from what is certain to what may be used (4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grant {
    /// Connections that nobody may take away for others.
    pub low: u16,
    /// Connections beyond which it pays first when they are short.
    pub high: u16,
}

/// The answer to an enrollment, and every change of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// Enrolled, with this share.
    Granted(Grant),
    /// Less than was asked for; counts as accepted when nothing is said within the time.
    Counter {
        /// What there is.
        grant: Grant,
        /// Milliseconds left to answer; 0 for one that is enrolled: its grant shrank, and holds already.
        answer_ms: u64,
    },
    /// Not enrolled.
    Rejected(Reason),
    /// No longer enrolled.
    Ended,
}

/// What becomes of a lock. After `Revoked` or `Ended`, and after `Denied` to a new one, nothing more is said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockAnswer {
    /// It holds, or holds on.
    Granted {
        /// For this long from now, in milliseconds.
        ttl_ms: u64,
    },
    /// It does not hold, or is not renewed: then it lasts until its time.
    Denied(LockDenial),
    /// It ends before its time.
    Revoked {
        /// Why.
        reason: Revocation,
        /// The connection is left alone for this much longer, in milliseconds.
        grace_ms: u64,
    },
    /// Its time is over, or it was given back.
    Ended,
}

/// What becomes of a burst.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BurstAnswer {
    /// That many connections may be made.
    Granted {
        /// At most what was asked for.
        slots: u8,
    },
    /// None.
    Denied(Reason),
    /// It is over.
    Closed,
}

/// What the user wants of one peer and may be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// [`Event::ConnectNow`](crate::manager::Event::ConnectNow): to be connected with it, and to keep it.
    Connect,
    /// [`Event::SetPriority`](crate::manager::Event::SetPriority), a ban included.
    Priority,
    /// [`Event::Protect`](crate::manager::Event::Protect): one more tag.
    Protect,
    /// [`Event::Hint`](crate::manager::Event::Hint): one more hint.
    Hint,
    /// [`Event::AddRoute`](crate::manager::Event::AddRoute): one more address.
    Route,
}

/// What became of a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WishAnswer {
    /// It holds from now on.
    Granted,
    /// It held already.
    Unchanged,
    /// It does not hold, and nothing changed.
    Refused(Reason),
}

/// An order to the shell, or news for it to pass on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Dial one address of one peer, once. Ends in `Connected` or `DialFailed` with the same id.
    Dial {
        /// Its name.
        dial: DialId,
        /// Whom.
        peer: PeerId,
        /// Where, without `/p2p/…`.
        route: Multiaddr,
        /// When to give up.
        timeout_ms: u32,
        /// Why.
        why: DialWhy,
    },
    /// Give up a dial. Acts only while the peer is not connected.
    CancelDial {
        /// Which.
        dial: DialId,
    },
    /// Close one connection. `Closed` follows.
    Close {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: Reason,
    },
    /// Let one connection finish its requests and then close it. `Closed` follows.
    Drain {
        /// Which.
        conn: ConnId,
        /// Why.
        reason: Reason,
        /// When to close it in any case.
        deadline_ms: u32,
    },
    /// Tell an enrolled protocol its share.
    Offer {
        /// Whom.
        enrollment: EnrollmentId,
        /// What.
        offer: Offer,
    },
    /// Tell the holder of a lock.
    Lock {
        /// Which.
        lock: LockId,
        /// What.
        answer: LockAnswer,
    },
    /// Tell the owner of a burst.
    Burst {
        /// Which.
        burst: BurstId,
        /// What.
        answer: BurstAnswer,
    },
    /// Tell the user what became of a wish. Each is answered once, in the input that brought it.
    Wish {
        /// Of whom it was.
        peer: PeerId,
        /// What.
        wish: Wish,
        /// What became of it.
        answer: WishAnswer,
    },
    /// Ask a protocol what connections are worth to it. `Scores` may follow; nothing waits for it beyond the time.
    RequestScores {
        /// Its name.
        round: u64,
        /// Whom.
        enrollment: EnrollmentId,
        /// Of which connected peers, at most 32.
        peers: Vec<PeerId>,
        /// When to answer.
        deadline_ms: u32,
    },
    /// Ping on one connection. `Pong` or `PingFailed` follows; what an earlier ping on it came to is no news any more.
    Ping {
        /// Where.
        conn: ConnId,
        /// Its number among those of the connection, from 1.
        ping: u32,
        /// When to give up.
        timeout_ms: u32,
    },
    /// Candidates are missing: look up (more of) the record trees.
    Discover,
    /// Ask this peer for others. `Answered` follows.
    QueryPeers {
        /// On which connection.
        conn: ConnId,
        /// Whom.
        peer: PeerId,
        /// How many records to ask for.
        count: u32,
    },
    /// Tell the user.
    Notify(Notice),
}

/// Which line a requirement crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crossed {
    /// From below `min` to at least `min`.
    MinReached,
    /// From at least `min` to below it.
    MinLost,
    /// From below `target` to at least `target`.
    TargetReached,
    /// From at least `target` to below it.
    TargetLost,
}

impl Crossed {
    /// The stable text of the npm API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MinReached => "min-reached",
            Self::MinLost => "min-lost",
            Self::TargetReached => "target-reached",
            Self::TargetLost => "target-lost",
        }
    }
}

/// How well a requirement, or the whole node, does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Below `min`.
    Unmet,
    /// At least `min`, below `target`.
    Minimal,
    /// At least `target`.
    Met,
}

/// What failed, for `peer:fail`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failed {
    /// A dial.
    Dial {
        /// Where.
        route: Multiaddr,
        /// How.
        failure: DialFailure,
    },
    /// A request.
    Request {
        /// For which requirement.
        requirement: RequirementId,
        /// How.
        outcome: Outcome,
    },
}

/// News. Each becomes one event of the npm API ("Events" in pkg-template/README.md).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// `peer:discovery`: a peer became known for the first time.
    Discovered {
        /// Whom.
        peer: PeerId,
        /// Who said so.
        source: Source,
        /// What it is said to serve.
        claims: Vec<RequirementId>,
    },
    /// `peer:connect`.
    Connected {
        /// Whom.
        peer: PeerId,
        /// Where.
        route: Multiaddr,
        /// Who opened it.
        direction: Direction,
    },
    /// `peer:identify`.
    Identified {
        /// Whom.
        peer: PeerId,
        /// Where it is connected.
        route: Multiaddr,
        /// Who opened that connection.
        direction: Direction,
        /// What it accepts.
        protocols: Vec<String>,
        /// What it calls itself.
        agent: String,
    },
    /// `peer:disconnect`: the last connection to a peer ended.
    Disconnected {
        /// Whom.
        peer: PeerId,
        /// Who ended it.
        cause: Cause,
        /// Why.
        reason: Reason,
        /// We ordered it, or the remote closed cleanly.
        deliberate: bool,
        /// How long it had lasted.
        uptime_ms: u64,
        /// Whether it will be dialed again without anybody asking.
        will_reconnect: bool,
    },
    /// `peer:reconnect`: a peer that was lost is connected again. Comes after its `Connected`.
    Reconnected {
        /// Whom.
        peer: PeerId,
        /// How long it was away.
        down_ms: u64,
        /// Dials that it took.
        attempts: u32,
    },
    /// `peer:replace`: another peer took over a requirement.
    Replaced {
        /// Who is gone, or no longer serves.
        lost: PeerId,
        /// Who serves now.
        gained: PeerId,
        /// What.
        requirement: RequirementId,
        /// From the loss to the takeover; 0 when the new one served before the old one went.
        gap_ms: u64,
    },
    /// `peer:fail`.
    Failed {
        /// Whom.
        peer: PeerId,
        /// What.
        failed: Failed,
        /// Whether it counts against the peer.
        charged: bool,
        /// When the peer is tried again at the earliest, in wall-clock milliseconds, if that is known.
        retry_at_wall_ms: Option<u64>,
    },
    /// `peer:ban`.
    Banned {
        /// Whom.
        peer: PeerId,
        /// Why.
        reason: Reason,
    },
    /// `requirement:change`.
    RequirementChanged {
        /// Which.
        requirement: RequirementId,
        /// How many peers serve it now.
        have: u8,
        /// Its minimum.
        min: u8,
        /// Its target.
        target: u8,
        /// Which line was crossed.
        crossed: Crossed,
    },
    /// `health:change`.
    HealthChanged {
        /// Before.
        old: Health,
        /// Now.
        new: Health,
        /// Why.
        reason: HealthReason,
    },
    /// `peer:prune`: we close a connection that worked, to stay within our limits. `Disconnected` follows.
    Pruned {
        /// Whom.
        peer: PeerId,
        /// Why.
        reason: Reason,
    },
    /// `network:change`.
    NetworkChanged {
        /// What it is now.
        state: NetworkState,
        /// How we know.
        cause: NetworkCause,
    },
}
