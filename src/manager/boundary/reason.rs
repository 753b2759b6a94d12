//! The closed lists of reasons. Every close, every denied dial and every state that a user can see names one of these.
//!
//! The texts are part of the npm API (`Reason`, `Cause`, `FailKind` in `types/reasons.d.ts`): never rename one.

macro_rules! closed_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }
        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The stable text of the npm API.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

closed_enum! {
    /// Why a connection ended, a dial was refused or a peer is not dialed.
    Reason {
        /// The user hung up.
        HungUp = "hung-up",
        /// The node was stopped or closed.
        Stopped = "stopped",
        /// The user banned the peer.
        BannedByUser = "banned-by-user",
        /// The peer broke the protocol often enough to be banned.
        BannedForFaults = "banned-for-faults",
        /// Metadata named another cluster.
        OtherNetwork = "other-network",
        /// A bootstrap peer whose work others do by now (4.11).
        HandedOff = "handed-off",
        /// It serves nothing that we still need.
        NotNeeded = "not-needed",
        /// It stopped serving and another peer took over.
        FailedService = "failed-service",
        /// It kept from us what others delivered, or spread nothing of what it took, and another peer takes over.
        Withheld = "withheld",
        /// A second connection to the same peer.
        Duplicate = "duplicate",
        /// A connection that nobody ordered and that was not admitted.
        NotAdmitted = "not-admitted",
        /// No answer to our ping.
        PingTimeout = "ping-timeout",
        /// Identify failed or did not come.
        IdentifyFailed = "identify-failed",
        /// What it said of its network can't be read.
        MetadataFailed = "metadata-failed",
        /// The remote closed cleanly.
        RemoteClosed = "remote-closed",
        /// The connection broke without a word.
        ConnectionLost = "connection-lost",
        /// The connection broke while this machine had no network.
        NetworkLost = "network-lost",
        /// The peer ended the connection just after it opened, as servers do that want another cluster or get no
        /// answer to their metadata request.
        RejectedByRemote = "rejected-by-remote",
        /// The dial found nobody there.
        Unreachable = "unreachable",
        /// The dial took too long.
        DialTimeout = "dial-timeout",
        /// The handshake failed.
        HandshakeFailed = "handshake-failed",
        /// Somebody else answered at that address.
        WrongId = "wrong-id",
        /// The page may not dial that address.
        NotAllowed = "not-allowed",
        /// Waiting out a failure.
        BackingOff = "backing-off",
        /// A bootstrap peer that is not needed yet.
        Parked = "parked",
        /// The peer said that it is full or busy.
        Busy = "busy",
        /// Every dial that pacing allows is under way.
        OverBudget = "over-budget",
        /// The browser is offline.
        Offline = "offline",
        /// Already connected or being dialed.
        AlreadyConnected = "already-connected",
        /// It is ourselves.
        OurOwnId = "our-own-id",
        /// No address that this page can dial is known.
        NoRoute = "no-route",
        /// The limit of connections is reached.
        LimitReached = "limit-reached",
        /// The limit of peers to hold at any cost is reached.
        PinLimit = "pin-limit",
        /// Never heard of that peer.
        UnknownPeer = "unknown-peer",
        /// The user dropped what was known of the peer.
        Forgotten = "forgotten",
        /// More connections than the limit, and this one was missed least.
        OverLimit = "over-limit",
        /// Nobody uses it.
        Idle = "idle",
        /// Its protocol has more connections than its share.
        OverQuota = "over-quota",
        /// Memory is short.
        MemoryPressure = "memory-pressure",
        /// Fewer connections do the same work.
        Surplus = "surplus",
        /// It is older than connections may become.
        LifetimeOver = "lifetime-over",
        /// Its burst is over.
        BurstOver = "burst-over",
        /// The initial sync uses one connection.
        InitialSync = "initial-sync",
        /// We closed it a short time ago.
        CoolingDown = "cooling-down",
        /// The limit of its transport is reached.
        TransportLimit = "transport-limit",
        /// Too many of its network, or introduced by one peer, are connected.
        DiversityLimit = "diversity-limit",
        /// The node makes no new connections for now.
        Paused = "paused",
        /// The peer behaved badly.
        BadBehaviour = "bad-behaviour",
        /// Several peers of its subnet were banned a short time ago.
        SubnetBanned = "subnet-banned",
        /// An enrollment of that name exists, or there are too many.
        NotEnrolled = "not-enrolled",
        /// There is no share left to grant.
        NoShare = "no-share",
    }
}

closed_enum! {
    /// Who ended a connection (`cause` of `peer:disconnect`; contract.md 4.20).
    Cause {
        /// We ordered it.
        Local = "local",
        /// We ordered it because the peer is banned.
        Banned = "banned",
        /// We ordered it because the connection was not needed.
        Pruned = "pruned",
        /// We ordered it because another peer took over.
        Replaced = "replaced",
        /// Our ping or deadline ran out.
        Timeout = "timeout",
        /// The network of this machine went away.
        Network = "network",
        /// Anything else.
        Remote = "remote",
    }
}

closed_enum! {
    /// How a dial failed. A page never learns more than this (contract.md 4.7).
    DialFailure {
        /// Nobody there.
        Unreachable = "unreachable",
        /// Nobody answered in time.
        Timeout = "timeout",
        /// The connection opened and the handshake failed.
        Handshake = "handshake",
        /// Another peer answered.
        WrongId = "wrong-id",
        /// The page may not dial this address (insecure from a secure page, a private address).
        NotAllowed = "not-allowed",
        /// We gave up on it, or our own side refused it: no fault of the peer's, nothing is charged.
        Cancelled = "cancelled",
    }
}

closed_enum! {
    /// How a request to a peer ended: success or one of the classes of protocols/README.md.
    Outcome {
        /// It served.
        Success = "success",
        /// Our request was wrong: nothing is charged.
        Ours = "ours",
        /// Full or rate limited: later, no penalty.
        Busy = "busy",
        /// It can't do this now: small penalty, skipped for some minutes after the third in a row.
        Unable = "unable",
        /// Error, reset or timeout: small penalty, replaced after the second within a minute.
        Broken = "broken",
        /// It broke the protocol: strong penalty, sent away for a while after the second in a short time, banned at the
        /// limit.
        Fault = "fault",
        /// It did not pass on what others delivered, or took a message without spreading it: small penalty, replaced once
        /// in a while if others serve.
        Withheld = "withheld",
        /// It has not answered for longer than usual: nothing is charged, and another one takes over meanwhile.
        Late = "late",
        /// State is gone: rebuild it on the same peer.
        Lost = "lost",
        /// It does not speak the protocol: the capability is cleared.
        Absent = "absent",
    }
}

/// What the shell knows of the end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCause {
    /// We ordered it, by [`Command::Close`](crate::manager::Command::Close) or by dropping the swarm.
    Ordered,
    /// The remote closed it cleanly (WebSocket close code 1000 or 1001, or a clean end of the multiplexer).
    RemoteClean,
    /// It broke: an error, a bare reset, code 1006.
    Broken,
    /// A keep-alive or handshake deadline of ours ran out.
    TimedOut,
    /// Identify failed on it.
    IdentifyFailed,
}

closed_enum! {
    /// Why the health is what it is (`reason` of `health()` and of `health:change`).
    HealthReason {
        /// Every target is met.
        AllMet = "all-met",
        /// All minima hold, some target is not met yet.
        BelowTarget = "below-target",
        /// The node is not running.
        Stopped = "stopped",
        /// No bootstrap was given and no peer is known.
        NoBootstrap = "no-bootstrap",
        /// Looking up bootstrap peers.
        Discovering = "discovering",
        /// No resolver gave a usable tree.
        DiscoveryFailed = "discovery-failed",
        /// Dials are under way.
        Connecting = "connecting",
        /// Peers are connected and what they serve is being verified.
        Verifying = "verifying",
        /// Every known candidate is waiting out a failure.
        BackingOff = "backing-off",
        /// Nobody known serves what is missing.
        NoCandidates = "no-candidates",
        /// Every peer that answered is of another network.
        WrongNetwork = "wrong-network",
        /// The browser is offline.
        Offline = "offline",
        /// Everything fails at once: probably this machine's network.
        SuspectOffline = "suspect-offline",
    }
}

closed_enum! {
    /// Why a lock is not granted (4.9).
    LockDenial {
        /// The protocol holds as many as its share allows.
        QuotaExceeded = "quota-exceeded",
        /// Three quarters of the connections are locked.
        LockBudget = "lock-budget",
        /// The peer is not connected.
        NotConnected = "not-connected",
        /// The connection is on its way out.
        Draining = "draining",
        /// Longer than locks may last.
        TtlTooLong = "ttl-too-long",
        /// The protocol is not enrolled, or the lock is not known.
        NotEnrolled = "not-enrolled",
        /// It was renewed as often as locks may be.
        RenewedTooOften = "renewed-too-often",
    }
}

closed_enum! {
    /// Why a lock ends before its time (4.9).
    Revocation {
        /// More connections than the hard cap.
        HardLimit = "hard-limit",
        /// Memory is short.
        Memory = "memory",
        /// The share of its protocol shrank.
        QuotaBreach = "quota-breach",
        /// The peer is banned.
        Ban = "ban",
        /// The node stops.
        Stop = "stop",
        /// An initial sync begins.
        ModeChange = "mode-change",
        /// The connection is gone.
        ConnectionLost = "connection-lost",
        /// Its protocol left.
        Withdrawn = "withdrawn",
    }
}

closed_enum! {
    /// Why a connection may not be closed for others (4.13, guards).
    Guard {
        /// The user holds the peer.
        Pinned = "pinned",
        /// The user protects the peer by a tag.
        Protected = "protected",
        /// A protocol locked it.
        Locked = "locked",
        /// A requirement would fall below its minimum.
        Minimum = "minimum",
        /// A requirement would fall below its target.
        Target = "target",
        /// It is new, and has not shown yet what it is worth.
        Grace = "grace",
        /// It is one of the last two networks.
        LastGroup = "last-group",
        /// It is the connection of the initial sync.
        Sync = "sync",
        /// It gave no sign of life, and is asked again.
        Asked = "asked",
    }
}

closed_enum! {
    /// What began a round of regulation (4.13).
    Trigger {
        /// More connections than the hard cap.
        OverHard = "over-hard",
        /// More connections than the soft target.
        OverSoft = "over-soft",
        /// A protocol has more than its share.
        QuotaBreach = "quota-breach",
        /// The environment asks for less.
        Pressure = "pressure",
        /// A burst ended.
        BurstClosed = "burst-closed",
        /// Something is missing and there is no room for it.
        DeficitAtLimit = "deficit-at-limit",
        /// The user asked for it.
        Manual = "manual",
        /// It is time.
        Timer = "timer",
    }
}

closed_enum! {
    /// What this machine's network does (`state` of `network:change`).
    NetworkState {
        /// The browser says that there is none.
        Offline = "offline",
        /// There is one.
        Online = "online",
        /// The page sleeps.
        Suspended = "suspended",
        /// It woke up.
        Resumed = "resumed",
    }
}

closed_enum! {
    /// How we know what this machine's network does (`cause` of `network:change`).
    NetworkCause {
        /// The browser or the shell said so.
        Told = "told",
        /// Nobody answers.
        Silence = "silence",
        /// Somebody answered again.
        Answer = "answer",
        /// The clocks jumped.
        Slept = "slept",
    }
}

closed_enum! {
    /// Why the limits of connections changed (4.14).
    LimitCause {
        /// The user.
        User = "user",
        /// Memory.
        Memory = "memory",
        /// The page is hidden.
        Hidden = "hidden",
        /// The network is to be spared.
        Constrained = "constrained",
        /// The pressure is over.
        Calm = "calm",
        /// An initial sync, or its end.
        Sync = "sync",
    }
}
