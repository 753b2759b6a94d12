//! What a node tells its shell.

use libp2p::PeerId;

use crate::manager::{
    BurstAnswer, BurstId, EnrollmentId, LockAnswer, LockId, Notice, Offer, PeerView, Reason,
};
use crate::protocols::message::{MessageHash, WakuMessage};
use crate::protocols::topic::PubsubTopic;

/// A subscription of the npm API, named by the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub u32);

/// Where a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionState {
    /// Each of its topics is served.
    Active,
    /// Some topic is served by nobody; others are being asked.
    Moving,
    /// It ended.
    Closed,
}

/// A message that a subscription or a query brought.
#[derive(Debug, Clone)]
pub struct Received {
    /// The message.
    pub message: WakuMessage,
    /// Its deterministic hash.
    pub hash: MessageHash,
    /// The shard that it came on.
    pub pubsub_topic: PubsubTopic,
    /// Who sent it to us.
    pub peer: PeerId,
    /// By which way.
    pub via: Via,
}

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A filter server pushed it.
    Filter,
    /// A store had it.
    Store,
}

impl Via {
    /// The stable text of the npm API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Store => "store",
        }
    }
}

/// Why messages of a subscription may have been missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapCause {
    /// Its peers were lost, and others took over.
    Moved,
    /// Its peer had forgotten it; it was made again.
    Resubscribed,
    /// More messages came in at once than the bounds allow, or one that is larger than the network's limit.
    Overflow,
    /// We were asleep or offline.
    Slept,
}

impl GapCause {
    /// The stable text of the npm API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Resubscribed => "resubscribed",
            Self::Overflow => "overflow",
            Self::Slept => "slept",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum NodeEvent {
    /// The manager's news.
    Manager(Notice),
    /// A message of a subscription.
    Message(SubscriptionId, Box<Received>),
    /// A subscription changed.
    Subscription {
        /// Which.
        id: SubscriptionId,
        /// Where it stands now.
        state: SubscriptionState,
        /// Who serves it.
        peers: Vec<PeerId>,
        /// Why it ended, once it has.
        reason: Option<Reason>,
    },
    /// Messages may have been missed.
    Gap {
        /// Which content topics.
        content_topics: Vec<String>,
        /// Since when, wall clock.
        from_ms: u64,
        /// Until when, wall clock.
        to_ms: u64,
        /// Why.
        cause: GapCause,
        /// Whether a store gave all that it has of that time.
        filled: bool,
        /// How many messages it gave that were new.
        recovered: u32,
    },
    /// The share of an enrolled protocol changed, or is to change, or it is enrolled no more.
    Offer(EnrollmentId, Offer),
    /// A lock ended, by itself or before its time.
    Lock(LockId, LockAnswer),
    /// A burst ended.
    Burst(BurstId, BurstAnswer),
    /// A protocol may say what these connections are worth to it, by [`Node::give_scores`](super::Node::give_scores).
    Scores {
        /// Whom this asks.
        enrollment: EnrollmentId,
        /// The round, for the answer.
        round: u64,
        /// Whose connections.
        peers: Vec<PeerView>,
        /// How long the manager waits for the answer, in milliseconds.
        deadline_ms: u32,
    },
    /// A line for the log.
    Log(LogLevel, &'static str, String),
}

/// Something of the user's that events are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// A subscription.
    Subscription(SubscriptionId),
    /// An enrollment, a lock or a burst: one counter names them all.
    Asked(u64),
}

impl NodeEvent {
    /// What it is about, if that has a name, and whether it is the last about it.
    pub fn about(&self) -> Option<(Named, bool)> {
        Some(match self {
            Self::Message(id, _) => (Named::Subscription(*id), false),
            Self::Subscription { id, state, .. } => {
                let closed = *state == SubscriptionState::Closed;
                (Named::Subscription(*id), closed)
            }
            Self::Offer(id, offer) => {
                let ended = matches!(offer, Offer::Rejected(_) | Offer::Ended);
                (Named::Asked(id.0), ended)
            }
            Self::Lock(id, answer) => {
                let ended = matches!(answer, LockAnswer::Revoked { .. } | LockAnswer::Ended);
                (Named::Asked(id.0), ended)
            }
            Self::Burst(id, answer) => {
                let ended = !matches!(answer, BurstAnswer::Granted { .. });
                (Named::Asked(id.0), ended)
            }
            Self::Scores { enrollment, .. } => (Named::Asked(enrollment.0), false),
            Self::Manager(_) | Self::Gap { .. } | Self::Log(..) => return None,
        })
    }
}

/// How much a line of the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Every step.
    Debug,
    /// What a user may want to know.
    Info,
    /// What went wrong without harm.
    Warn,
    /// What went wrong.
    Error,
}

impl LogLevel {
    /// Reads the text of the npm API; `None` for `off`, and for what is no level.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Debug, Self::Info, Self::Warn, Self::Error]
            .into_iter()
            .find(|level| level.as_str() == text)
    }

    /// The stable text of the npm API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}
