//! What goes into the hub and what comes out.

use libp2p_identity::PeerId;

use crate::protocols::filter::Request;
use crate::protocols::filter::push::Received;
use crate::protocols::message::{self, MessageHash};
use crate::protocols::network::{Network, ShardError};
use crate::protocols::topic::PubsubTopic;
use crate::protocols::verdict::Verdict;

/// A moment on both clocks, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Now {
    /// A clock that does not go back: what waits are counted by.
    pub mono_ms: u64,
    /// Since 1970: what stores and people understand.
    pub wall_ms: u64,
}

impl Now {
    /// A moment of the monotonic clock that is not long before this one, on both.
    pub(super) fn before(self, mono_ms: u64) -> Self {
        let ago = self.mono_ms.saturating_sub(mono_ms);
        Self {
            mono_ms,
            wall_ms: self.wall_ms.saturating_sub(ago),
        }
    }
}

/// Names what one subscription of the user's wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WishId(pub u32);

/// Tells requests apart. Never used twice by one hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub u64);

/// Tells catch-ups apart. Never used twice by one hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CatchUpId(pub u32);

/// Content topics of one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The shard.
    pub pubsub_topic: PubsubTopic,
    /// The content topics, each once.
    pub content_topics: Vec<String>,
}

impl Group {
    /// Sorts content topics by their shards: a request has exactly one (message.md, section 5). `shard` is the one that the
    /// caller named, if any.
    pub fn all(
        network: &Network,
        content_topics: &[String],
        shard: Option<u16>,
    ) -> Result<Vec<Self>, ShardError> {
        let mut groups = Vec::new();
        for topic in content_topics {
            Self::add(&mut groups, network.shard_of(topic, shard)?, topic);
        }
        Ok(groups)
    }

    pub(super) fn add(groups: &mut Vec<Self>, pubsub_topic: PubsubTopic, topic: &str) {
        let place = groups.iter().position(|g| g.pubsub_topic == pubsub_topic);
        let place = place.unwrap_or_else(|| {
            groups.push(Self {
                pubsub_topic,
                content_topics: Vec::new(),
            });
            groups.len() - 1
        });
        let topics = &mut groups[place].content_topics;
        if !topics.iter().any(|known| known == topic) {
            topics.push(topic.to_owned());
        }
    }
}

/// A peer that serves filter now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Who it is. Servers keep subscriptions by peer id, over connections.
    pub peer: PeerId,
    /// The connection. Another number is another connection: what was under way on the old one is lost.
    pub conn: u64,
    /// The shards that it serves; `None` when nobody knows, which counts as all.
    pub shards: Option<Vec<u16>>,
    /// The round trip, when known, in milliseconds.
    pub rtt_ms: Option<u32>,
}

/// Bounds that the network or the user sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The largest encoded message of the network, in bytes.
    pub max_message_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_bytes: message::MAX_SIZE,
        }
    }
}

/// How messages of a subscription come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WishState {
    /// Each of its topics is acknowledged by some server.
    Active,
    /// Some topic is served by nobody right now.
    Moving,
}

/// Why messages may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The servers were lost, and others or new connections took over.
    Moved,
    /// The server had forgotten the subscription, by a restart or a clean-up.
    Resubscribed,
    /// More came than our bounds allow, or a message over the network's limit.
    Overflow,
    /// We were asleep or offline.
    Resumed,
}

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A filter server pushed it.
    Filter,
    /// A store had it.
    Store,
}

/// A message for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The subscriptions that want it, at least one.
    pub to: Vec<WishId>,
    /// Who gave it.
    pub peer: PeerId,
    /// How.
    pub via: Via,
    /// The message.
    pub received: Received,
}

/// What became of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Push {
    /// To be handed over now.
    Deliver(Box<Delivery>),
    /// New, and kept until the subscriptions that want it are opened.
    Held,
    /// Known already, not wanted any more, or a message against the rules, for which no server can be blamed.
    Dropped,
    /// Never asked for at this server, which asks for one each time; ten in a minute become [`Action::Unrequested`].
    Unrequested,
    /// From a peer at which nothing was asked for in the last minutes: its stream is to be reset, and it may be blamed.
    Stranger,
    /// Past the server's budget. The first time, [`Action::OverBudget`] follows.
    OverBudget,
}

/// Whether a peer may open a push stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Something was asked for there.
    Welcome,
    /// Refused without blame: it sent too much and is unsubscribed.
    Refused,
    /// Nothing was asked for there in the last minutes. Who insists may be blamed.
    Stranger,
}

/// What the shell is to do, or to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make this request, and give its end to [`Hub::answered`](super::Hub::answered) or
    /// [`Hub::cancelled`](super::Hub::cancelled).
    Ask {
        /// To be given back.
        ask: AskId,
        /// Whom.
        peer: PeerId,
        /// On which connection.
        conn: u64,
        /// The request. Its id is unique within the hub; the shell may set another.
        request: Request,
        /// After so many milliseconds the end is a timeout.
        timeout_ms: u32,
    },
    /// A subscription is made: each of its topics is acknowledged by a server. Comes once, unless
    /// [`Failed`](Self::Failed) does.
    Made {
        /// Which.
        id: WishId,
        /// By whom.
        peers: Vec<PeerId>,
    },
    /// Every server there is calls the request wrong: the wish has ended.
    Failed {
        /// Which.
        id: WishId,
        /// What they said.
        errors: Vec<(PeerId, Verdict)>,
        /// Shards that no server serves.
        unserved_shards: Vec<u16>,
    },
    /// The state or the servers of a subscription that was made have changed.
    State {
        /// Which.
        id: WishId,
        /// How its messages come now.
        state: WishState,
        /// Who serves it.
        peers: Vec<PeerId>,
    },
    /// Messages may be missing, or were and are not any more. One for each outage.
    Gap {
        /// The content topics.
        topics: Vec<String>,
        /// From when.
        from_wall_ms: u64,
        /// Until when; after `from_wall_ms`.
        to_wall_ms: u64,
        /// Why.
        cause: Cause,
        /// Whether a store gave everything that it has of that time.
        filled: bool,
        /// How many messages it gave that were new.
        recovered: u32,
    },
    /// Query a store over this time and give what it has to [`Hub::stored`](super::Hub::stored).
    CatchUp {
        /// To be given back.
        catch_up: CatchUpId,
        /// What to query for.
        groups: Vec<Group>,
        /// From when.
        from_wall_ms: u64,
        /// Until when. May lie ahead, for senders whose clocks do.
        to_wall_ms: u64,
    },
    /// Ask a store, which is none of `accusers`, which of these it has, and give that to
    /// [`Hub::confirmed`](super::Hub::confirmed).
    Confirm {
        /// The server that did not push them.
        suspect: PeerId,
        /// The messages.
        hashes: Vec<MessageHash>,
        /// The servers that pushed them, and could have made them up.
        accusers: Vec<PeerId>,
    },
    /// The server has not answered for longer than usual: another one had better be found, although nobody can say yet
    /// that it fails.
    Late {
        /// Which.
        peer: PeerId,
    },
    /// The server withholds what others deliver. It is replaced as soon as another one serves.
    Withheld {
        /// Which.
        peer: PeerId,
    },
    /// The server sends more than the budget allows. It is unsubscribed and replaced.
    OverBudget {
        /// Which.
        peer: PeerId,
    },
    /// The server pushed ten times in a minute what was never asked for there. It is unsubscribed and replaced.
    Unrequested {
        /// Which.
        peer: PeerId,
    },
}
