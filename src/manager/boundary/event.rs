//! What the manager is told. Every input is one of these values; nothing else changes its state.

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use crate::manager::boundary::reason::{CloseCause, DialFailure, Outcome};

pub use crate::manager::boundary::terms::{
    Bound, BurstId, Class, ConnId, DialId, Direction, EnrollmentId, LockId, Metadata, Need,
    Priority, ProtocolSpec, Quota, RequirementId, Sighting, Source, Time, Transport,
};

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
        /// The peer that said so, if it was one; a whole answer of its comes as [`Self::Answered`].
        introducer: Option<PeerId>,
    },
    /// Discovery by DNS has begun, or has ended for now; `found` counts the candidates of this run.
    DnsFinished {
        /// Candidates handed out.
        found: u32,
        /// Whether every tree failed, so that the user should be told.
        failed: bool,
        /// Whether somebody answered, which shows that there is a network. What is known by heart shows nothing.
        answered: bool,
    },
    /// A peer exchange request ended. The answer is one input, so that the order in it does not matter.
    Answered {
        /// Who was asked.
        peer: PeerId,
        /// Whom it named, as far as they can be dialed; nobody when the request failed.
        entries: Vec<Sighting>,
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
        /// Where to dial before the addresses known.
        routes: Vec<Multiaddr>,
        /// Held for ever (the npm API's `keep`): not refused because it can't be dialed at this moment.
        permanent: bool,
    },
    /// The user's dial of this peer failed, or nobody waits for it any more: what its [`Event::ConnectNow`] did is undone.
    /// One for each `ConnectNow` that was not permanent and did not succeed, whether or not it was refused.
    GaveUp {
        /// Whom.
        peer: PeerId,
    },
    /// Close the connection and bar the peer until `ConnectNow`, `SetPriority` or a restart.
    HangUp {
        /// Whom.
        peer: PeerId,
    },

    /// The user knows an address of a peer: kept before those that others claim.
    AddRoute {
        /// Whose.
        peer: PeerId,
        /// Without `/p2p/…`.
        route: Multiaddr,
    },
    /// The user knows that an address is wrong. An open connection stays.
    RemoveRoute {
        /// Whose.
        peer: PeerId,
        /// Without `/p2p/…`.
        route: Multiaddr,
    },
    /// Drop what is known of a peer. An open connection is closed; a ban stays.
    Forget {
        /// Whom.
        peer: PeerId,
    },
    /// Keep a peer's connection as long as this tag stands (4.8). Idempotent for each peer and tag.
    Protect {
        /// Whom.
        peer: PeerId,
        /// Whose wish it is.
        tag: String,
    },
    /// Take one tag back.
    Unprotect {
        /// Whom.
        peer: PeerId,
        /// Which.
        tag: String,
    },
    /// A hint of worth that fades (4.5). The sum of a peer's hints is bounded, and can never ban.
    Hint {
        /// Whom.
        peer: PeerId,
        /// Its name: a second one of the same name replaces the first.
        tag: String,
        /// −1000 to 1000.
        value: i16,
        /// It is gone after this long, in milliseconds; `None`: it stays.
        ttl_ms: Option<u64>,
    },

    /// A protocol wants a share (4.3). Answered by [`Command::Offer`](crate::manager::Command::Offer).
    Enroll {
        /// Its name.
        enrollment: EnrollmentId,
        /// What it wants.
        spec: ProtocolSpec,
    },
    /// A protocol takes a counter-offer.
    AcceptOffer {
        /// Which.
        enrollment: EnrollmentId,
    },
    /// A protocol does not take an offer, or leaves: everything of it ends.
    Withdraw {
        /// Which.
        enrollment: EnrollmentId,
    },
    /// A protocol wants a peer's connection left alone for a while (4.9). Answered by
    /// [`Command::Lock`](crate::manager::Command::Lock).
    Lock {
        /// Its name.
        lock: LockId,
        /// Who wants it.
        enrollment: EnrollmentId,
        /// Whose connection.
        peer: PeerId,
        /// For how long, in milliseconds.
        ttl_ms: u64,
    },
    /// Renews a lock from now on.
    ExtendLock {
        /// Which.
        lock: LockId,
        /// For how long, in milliseconds.
        ttl_ms: u64,
    },
    /// A lock is no longer needed.
    Unlock {
        /// Which.
        lock: LockId,
    },
    /// A protocol wants many connections for a short time (4.10). Answered by
    /// [`Command::Burst`](crate::manager::Command::Burst).
    OpenBurst {
        /// Its name.
        burst: BurstId,
        /// Who wants it.
        enrollment: EnrollmentId,
        /// How many connections.
        slots: u8,
        /// For how long, in milliseconds.
        max_ms: u64,
    },
    /// The burst has done its work.
    CloseBurst {
        /// Which.
        burst: BurstId,
    },
    /// The answer to [`Command::RequestScores`](crate::manager::Command::RequestScores); what is missing keeps its last value.
    Scores {
        /// Of which round.
        round: u64,
        /// Whose.
        enrollment: EnrollmentId,
        /// Worth of each peer, −1000 to 1000.
        scores: Vec<(PeerId, i16)>,
    },

    /// Keep the connections, dial nobody, until [`Event::Unpause`] or [`Event::Start`] (4.18).
    Pause,
    /// Ends [`Event::Pause`].
    Unpause,
    /// One connection only, and no other scheduling, until [`Event::StopSync`] (4.18).
    StartSync {
        /// With whom; `None`: the best that is known.
        peer: Option<PeerId>,
    },
    /// Back to normal.
    StopSync,
    /// Change the limits of connections; what is absent stays.
    SetLimits {
        /// The soft target (G).
        soft: Option<u16>,
        /// The hard cap (H); not below the soft target.
        hard: Option<u16>,
    },
    /// Change the limit of one transport; `None` lifts it.
    SetMaxByTransport {
        /// Which.
        transport: Transport,
        /// Connections and dials together.
        max: Option<u16>,
    },
    /// Connections older than this are replaced by others (4.17); `None`: never.
    SetLifetime {
        /// Milliseconds.
        ms: Option<u64>,
    },
    /// Begin a round of regulation now (4.13).
    Regulate,

    /// The page is hidden, or visible again.
    Visibility {
        /// Nobody can see it.
        hidden: bool,
    },
    /// The shell's look at the clocks shows that the machine slept ([`Manager::has_slept`](crate::manager::Manager::has_slept)).
    Woke,
    /// The page is about to be frozen: no input will come until [`Event::Unfreeze`].
    Freeze,
    /// The page runs again, perhaps much later.
    Unfreeze,
    /// The way to the network changed: another interface, or another price.
    NetworkChanged {
        /// The user or the browser asks to save data, or the network is very slow.
        constrained: bool,
    },
    /// How much memory is in use.
    Memory {
        /// Bytes in use.
        used: u64,
        /// Bytes that may be used.
        limit: u64,
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
        /// Who answered instead, after [`DialFailure::WrongId`].
        answered: Option<PeerId>,
    },
    /// Bytes came on a connection: a sign of life, whatever they say.
    Heard {
        /// Where.
        conn: ConnId,
        /// How long ago the last of them came.
        silent_ms: u32,
    },
    /// A request is unanswered for longer than usual: is the peer still there?
    Doubt {
        /// Where.
        conn: ConnId,
    },
    /// An answer to [`Command::Ping`](crate::manager::Command::Ping). Only one to the last ping counts.
    Pong {
        /// Where.
        conn: ConnId,
        /// Which ping.
        ping: u32,
        /// Round trip.
        rtt_ms: u32,
    },
    /// No answer to [`Command::Ping`](crate::manager::Command::Ping) in time.
    PingFailed {
        /// Where.
        conn: ConnId,
        /// Which ping.
        ping: u32,
    },
    /// A protocol says how a peer did.
    Report {
        /// Whom.
        peer: PeerId,
        /// At what.
        requirement: RequirementId,
        /// How.
        outcome: Outcome,
        /// Whether the peer itself did this, and had the time for better. Otherwise it is only told. A success needs none.
        charged: bool,
    },

    /// The browser says that there is a network.
    Online,
    /// The browser says that there is none. Some say so for good (4.8): it holds until somebody answers.
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
