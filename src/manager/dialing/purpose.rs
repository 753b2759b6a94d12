//! What a dial is for, as far as the rule of admission depends on it.

use crate::manager::boundary::command::DialWhy;
use crate::manager::boundary::reason::Reason;

/// What a dial is for, as far as a rule depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Purpose {
    /// A requirement is below its target.
    Need,
    /// To take over from others, or for a burst: beyond the soft target, too.
    Relief,
    /// A bootstrap peer that the ladder released.
    Ladder,
    /// Does our network work? Backoffs do not bind: what they wait out may be our own fault.
    Probe,
    /// The user holds it.
    Held,
    /// The user asks for it, which ends every wait and takes back that it was hung up, and waits for it.
    Asked,
    /// The one connection of an initial sync.
    Sync,
    /// Somebody else dials. It may know an address that we do not.
    Foreign,
    /// Somebody else's connection comes to us, or came.
    Inbound,
}

impl Purpose {
    /// `urgent`: the user waits for it.
    pub(in crate::manager) fn of(why: DialWhy, urgent: bool) -> Self {
        match why {
            _ if urgent => Self::Asked,
            DialWhy::Need(_) | DialWhy::Redial => Self::Need,
            DialWhy::HandOff
            | DialWhy::Swap
            | DialWhy::Rotation
            | DialWhy::Variety
            | DialWhy::Burst(_) => Self::Relief,
            DialWhy::Bootstrap(_) => Self::Ladder,
            DialWhy::Probe => Self::Probe,
            DialWhy::Requested => Self::Held,
            DialWhy::Sync => Self::Sync,
        }
    }

    /// Whether a wait for this reason binds it.
    pub(in crate::manager::dialing) fn waits_out(self, why: Reason) -> bool {
        match self {
            Self::Asked => false,
            Self::Probe | Self::Inbound => why != Reason::BackingOff,
            _ => true,
        }
    }

    /// Whether it waits while the browser says that there is no network (4.8). What asks whether that is so does not, nor
    /// whom the user waits for, nor who comes.
    pub(in crate::manager) fn needs_network(self) -> bool {
        match self {
            Self::Need | Self::Relief | Self::Ladder | Self::Held | Self::Foreign => true,
            Self::Probe | Self::Asked | Self::Sync | Self::Inbound => false,
        }
    }

    /// Whether it makes a connection of somebody else's choice: at an address that we need not know.
    pub(in crate::manager::dialing) fn is_foreign(self) -> bool {
        matches!(self, Self::Foreign | Self::Inbound)
    }
}
