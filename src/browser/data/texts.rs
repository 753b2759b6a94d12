//! Texts of closed lists. Each list is a Rust enum; what crosses is the text of a value.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use super::requests::Order;
use crate::manager::{
    BurstId, Cause, Class, Crossed, DialFailure, DialWhy, Direction, Guard, Health, HealthReason,
    LimitCause, NetworkCause, NetworkState, Outcome, PeerState, Priority, Reason, RequirementId,
    Revocation, Source, Transport, Trigger,
};
use crate::node::{ErrorCode, GapCause, LogLevel, ReadyLevel, SubscriptionState, Via};

/// A closed list of texts.
pub(crate) trait Closed: Copy + 'static {
    /// What it is called in the declarations.
    #[cfg(test)]
    const NAME: &'static str;
    /// Its values.
    const ALL: &'static [Self];
    /// The text of a value.
    fn text(self) -> &'static str;
}

/// A text of a closed list.
#[derive(Clone, Copy)]
pub(crate) struct Text<T>(pub(crate) T);

impl<T: Closed> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // As serde's own unit variants: such texts are made once for JavaScript and kept.
        serializer.serialize_unit_variant("", 0, self.0.text())
    }
}

impl<T: Closed> Text<T> {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let known = T::ALL.iter().find(|known| known.text() == text);
        known.map(|known| Self(*known))
    }
}

impl<'de, T: Closed> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(text + " is not known here"))
    }
}

/// For lists that have their texts where they are made. All values have to be named: the match does not compile else.
macro_rules! closed {
    ($($list:ident { $($value:ident),+ })+) => { $(
        impl Closed for $list {
            #[cfg(test)]
            const NAME: &'static str = stringify!($list);
            const ALL: &'static [Self] = &[$(Self::$value),+];

            fn text(self) -> &'static str {
                match self { $(Self::$value)|+ => self.as_str() }
            }
        }
    )+ };
}

/// For lists whose texts nobody needs but JavaScript.
macro_rules! spelt {
    ($($list:ident { $($value:ident = $text:literal),+ })+) => { $(
        impl Closed for $list {
            #[cfg(test)]
            const NAME: &'static str = stringify!($list);
            const ALL: &'static [Self] = &[$(Self::$value),+];

            fn text(self) -> &'static str {
                match self { $(Self::$value => $text),+ }
            }
        }
    )+ };
}

/// For the lists of `reason.rs`, which know their values.
macro_rules! reasons {
    ($($list:ident)+) => { $(
        impl Closed for $list {
            #[cfg(test)]
            const NAME: &'static str = stringify!($list);
            const ALL: &'static [Self] = Self::ALL;

            fn text(self) -> &'static str {
                self.as_str()
            }
        }
    )+ };
}

reasons! { Reason Cause DialFailure Outcome HealthReason Revocation Guard Trigger NetworkState NetworkCause LimitCause }

closed! {
    Crossed { MinReached, MinLost, TargetReached, TargetLost }
    GapCause { Moved, Resubscribed, Overflow, Slept }
    Via { Filter, Store }
    LogLevel { Debug, Info, Warn, Error }
    ErrorCode {
        InvalidOptions, NotStarted, Closed, NoPeer, Timeout, Denied, DialFailed, Unsupported, Rejected, Busy, Protocol
    }
    Transport { Ws, Wss, WebTransport, WebRtcDirect, Circuit, Other }
}

spelt! {
    Health { Unmet = "unmet", Minimal = "minimal", Met = "met" }
    ReadyLevel { Minimal = "minimal", Met = "met" }
    Direction { Outbound = "outbound", Inbound = "inbound" }
    Source {
        Dns = "dns", PeerExchange = "peer-exchange", Static = "static", Foreign = "foreign", Saved = "saved"
    }
    Priority { High = "high", Medium = "medium", Low = "low", Banned = "banned" }
    Class { Critical = "critical", Normal = "normal", Opportunistic = "opportunistic" }
    PeerState {
        Known = "known", Dialing = "dialing", Connected = "connected", Closing = "closing", Cooling = "cooling",
        Banned = "banned", Parked = "parked"
    }
    Order { Ascending = "ascending", Descending = "descending" }
    SubscriptionState { Active = "active", Moving = "moving", Closed = "closed" }
}

/// What a value carries is told beside it: one for each text.
impl Closed for DialWhy {
    #[cfg(test)]
    const NAME: &'static str = "DialWhy";
    const ALL: &'static [Self] = &[
        Self::Need(RequirementId(0)),
        Self::Requested,
        Self::Bootstrap(0),
        Self::Redial,
        Self::Probe,
        Self::HandOff,
        Self::Swap,
        Self::Rotation,
        Self::Burst(BurstId(0)),
        Self::Sync,
        Self::Variety,
    ];

    fn text(self) -> &'static str {
        self.as_str()
    }
}
