//! What can be made to go wrong with a node, and the actions that the control API knows.

use std::{fmt, str::FromStr};

use serde::Serialize;

/// A fault of a running node. It acts on existing connections as well as on new ones, and outlives a stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The node does its work.
    #[default]
    None,
    /// Connections and streams are accepted, identify and pings answered, requests never; nothing is pushed.
    /// Requests that wait when the fault is healed are answered then, as by a process that was frozen.
    Stall,
    /// Every request stream is closed at once, unread.
    Refuse,
    /// Every service answers that it has too many requests (429); metadata is answered.
    Busy,
    /// Filter answers 30 requests of a peer in a minute, as nwaku does unless told otherwise, and 429 beyond.
    Limited,
    /// Every answer comes two seconds late.
    Slow,
    /// The node's port is held by a node of another identity.
    WrongId,
}

/// Whether a node's port is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// It listens and serves, as far as its fault lets it.
    Running,
    /// Its port is closed and it has no connections.
    Stopped,
}

/// What the control API can do to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Closes the port and drops every connection without a goodbye. Filter subscriptions are forgotten.
    Stop,
    /// Opens the port again. The fault stays.
    Start,
    /// Sets a fault, or ends it.
    Fault(Fault),
}

/// No action has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no such action; known are stop, start, stall, refuse, busy, limited, slow, wrong-id, heal"
)]
pub struct UnknownAction;

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        Ok(match text {
            "stop" => Self::Stop,
            "start" => Self::Start,
            "stall" => Self::Fault(Fault::Stall),
            "refuse" => Self::Fault(Fault::Refuse),
            "busy" => Self::Fault(Fault::Busy),
            "limited" => Self::Fault(Fault::Limited),
            "slow" => Self::Fault(Fault::Slow),
            "wrong-id" => Self::Fault(Fault::WrongId),
            "heal" => Self::Fault(Fault::None),
            _ => return Err(UnknownAction),
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Fault(Fault::None) => "heal",
            Self::Fault(Fault::Stall) => "stall",
            Self::Fault(Fault::Refuse) => "refuse",
            Self::Fault(Fault::Busy) => "busy",
            Self::Fault(Fault::Limited) => "limited",
            Self::Fault(Fault::Slow) => "slow",
            Self::Fault(Fault::WrongId) => "wrong-id",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_spelled_as_it_is_read() {
        for text in [
            "stop", "start", "stall", "refuse", "busy", "limited", "slow", "wrong-id", "heal",
        ] {
            assert_eq!(text.parse::<Action>().unwrap().to_string(), text);
        }
        assert_eq!("halt".parse::<Action>(), Err(UnknownAction));
    }
}
