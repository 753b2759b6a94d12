//! What a request comes to: the replies of the messages that the sink gets.

use serde::Serialize;

use super::decisions::Grant;
use super::messages::{Page, SendReport};
use super::peers::{PeerInfo, peer_ids};
use super::values::Whole;
use crate::node::{Burst, Enrolled, Locked, Subscribed};

/// What a request came to.
#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum Answer {
    /// It is done.
    Done,
    /// `dial`.
    Peer(Box<PeerInfo>),
    /// `send`.
    Report(SendReport),
    /// `query`.
    Page(Page),
    /// `plan`.
    Plan(Vec<Vec<String>>),
    /// `has`.
    Hashes(Vec<String>),
    /// `subscribe`.
    Subscribed {
        subscription: u32,
        peers: Vec<String>,
        content_topics: Vec<String>,
    },
    /// `enroll`.
    Enrolled {
        enrollment: Whole,
        granted: Grant,
        counter: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        answer_ms: Option<Whole>,
        #[serde(skip_serializing_if = "Option::is_none")]
        requirement: Option<String>,
    },
    /// `lock`.
    Locked { lock: Whole, expires_at: Whole },
    /// `extendLock`.
    Extended { expires_at: Whole },
    /// `burstOpen`.
    Burst { burst: Whole, slots: u8 },
}

impl Answer {
    pub(crate) fn subscribed(subscribed: &Subscribed, content_topics: Vec<String>) -> Self {
        Self::Subscribed {
            subscription: subscribed.id.0,
            peers: peer_ids(&subscribed.peers),
            content_topics,
        }
    }

    pub(crate) fn enrolled(enrolled: Enrolled, requirement: Option<String>) -> Self {
        Self::Enrolled {
            enrollment: enrolled.id.0.into(),
            granted: enrolled.granted.into(),
            counter: enrolled.answer_ms.is_some(),
            answer_ms: enrolled.answer_ms.map(Whole::from),
            requirement,
        }
    }

    pub(crate) fn locked(locked: Locked) -> Self {
        Self::Locked {
            lock: locked.id.0.into(),
            expires_at: locked.expires_at_wall_ms.into(),
        }
    }

    pub(crate) fn burst(burst: Burst) -> Self {
        Self::Burst {
            burst: burst.id.0.into(),
            slots: burst.slots,
        }
    }
}
