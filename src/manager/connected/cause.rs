//! Why a connection ended (4.20).
//!
//! Pure: from what we ordered, what the shell could see and how this machine's network is, to what the user is told.

use crate::manager::boundary::reason::{Cause, CloseCause, Reason};

/// What is known when a connection is gone.
#[derive(Debug, Clone, Copy)]
pub(in crate::manager) struct Ending {
    /// Why we ordered it closed, if we did.
    pub(in crate::manager) ordered: Option<Reason>,
    /// What the shell saw.
    pub(in crate::manager) seen: CloseCause,
    /// Offline, suspect, or one of a mass loss.
    pub(in crate::manager) network_down: bool,
    /// It was young and not verified.
    pub(in crate::manager) early: bool,
}

/// What the user is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) struct Verdict {
    pub(in crate::manager) cause: Cause,
    pub(in crate::manager) reason: Reason,
    /// We ordered it, or the remote closed cleanly. A timeout of ours is no deliberate end.
    pub(in crate::manager) deliberate: bool,
}

/// See the module.
pub(in crate::manager) fn judge(ending: Ending) -> Verdict {
    if let Some(reason) = ending.ordered {
        return ordered(reason);
    }
    match ending.seen {
        // The shell let everything go without an order of ours: it ends.
        CloseCause::Ordered => ordered(Reason::Stopped),
        CloseCause::RemoteClean => Verdict {
            cause: Cause::Remote,
            reason: if ending.early {
                Reason::RejectedByRemote
            } else {
                Reason::RemoteClosed
            },
            deliberate: true,
        },
        CloseCause::Broken if ending.network_down => Verdict {
            cause: Cause::Network,
            reason: Reason::NetworkLost,
            deliberate: false,
        },
        CloseCause::Broken => Verdict {
            cause: Cause::Remote,
            reason: if ending.early {
                Reason::RejectedByRemote
            } else {
                Reason::ConnectionLost
            },
            deliberate: false,
        },
        CloseCause::TimedOut => ordered(Reason::PingTimeout),
        CloseCause::IdentifyFailed => Verdict {
            cause: Cause::Remote,
            reason: Reason::IdentifyFailed,
            deliberate: false,
        },
    }
}

fn ordered(reason: Reason) -> Verdict {
    let cause = match reason {
        Reason::BannedByUser | Reason::BannedForFaults => Cause::Banned,
        Reason::HandedOff | Reason::FailedService | Reason::LifetimeOver => Cause::Replaced,
        Reason::NotNeeded
        | Reason::LimitReached
        | Reason::NotAdmitted
        | Reason::OverLimit
        | Reason::Idle
        | Reason::OverQuota
        | Reason::MemoryPressure
        | Reason::Surplus
        | Reason::BurstOver => Cause::Pruned,
        Reason::PingTimeout | Reason::IdentifyFailed => Cause::Timeout,
        _ => Cause::Local,
    };
    Verdict {
        cause,
        reason,
        deliberate: cause != Cause::Timeout,
    }
}
