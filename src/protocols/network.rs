//! The network that a node belongs to, and on which shard of it a content topic lives.

use core::num::NonZeroU16;

use super::topic::{
    ContentTopic, ContentTopicError, MAX_CONTENT_TOPIC, MAX_SHARD, PubsubTopic, autoshard,
};
use crate::shards::ascending;

/// A cluster and how it is sharded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// The content topic says the shard.
    Auto {
        /// The cluster.
        cluster: u16,
        /// How many shards it has, numbered from 0.
        count: NonZeroU16,
    },
    /// The application says the shard.
    Static {
        /// The cluster.
        cluster: u16,
        /// The shards that the application uses, ascending, each once, never none.
        shards: Vec<u16>,
    },
}

/// Why a network can't be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// At least one shard is needed.
    #[error("a network needs at least one shard")]
    NoShards,
    /// Node records carry shards 0 to 1023.
    #[error("shards are numbered 0 to 1023")]
    ShardTooLarge,
}

/// Why a content topic has no shard here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// Automatic sharding needs the structured form; static sharding any text of 1 to 256 bytes.
    #[error("content topic: {0}")]
    ContentTopic(#[from] ContentTopicError),
    /// The application must choose among its shards.
    #[error("the network has several static shards: name one")]
    Ambiguous,
    /// The shard named is not one of the network's.
    #[error("shard {0} is not one of the network's")]
    Unknown(u16),
    /// The content topic belongs to another shard, where everybody else would look for it.
    #[error("shard {named} is not the content topic's shard {derived}")]
    Mismatch {
        /// The shard named by the caller.
        named: u16,
        /// The shard of the content topic.
        derived: u16,
    },
}

impl Network {
    /// A network with automatic sharding over shards 0 to `count - 1`.
    pub fn auto(cluster: u16, count: u16) -> Result<Self, NetworkError> {
        let count = NonZeroU16::new(count).ok_or(NetworkError::NoShards)?;
        if count.get() - 1 > MAX_SHARD {
            return Err(NetworkError::ShardTooLarge);
        }
        Ok(Self::Auto { cluster, count })
    }

    /// A network of which the application uses `shards`.
    pub fn fixed(
        cluster: u16,
        shards: impl IntoIterator<Item = u16>,
    ) -> Result<Self, NetworkError> {
        let shards = ascending(shards);
        match shards.last() {
            None => Err(NetworkError::NoShards),
            Some(&last) if last > MAX_SHARD => Err(NetworkError::ShardTooLarge),
            Some(_) => Ok(Self::Static { cluster, shards }),
        }
    }

    /// The cluster.
    pub fn cluster(&self) -> u16 {
        match self {
            Self::Auto { cluster, .. } | Self::Static { cluster, .. } => *cluster,
        }
    }

    /// Every shard of the network, ascending.
    pub fn shards(&self) -> Vec<u16> {
        match self {
            Self::Auto { count, .. } => (0..count.get()).collect(),
            Self::Static { shards, .. } => shards.clone(),
        }
    }

    /// Whether the shard is one of the network's.
    pub fn contains(&self, topic: PubsubTopic) -> bool {
        topic.cluster == self.cluster()
            && match self {
                Self::Auto { count, .. } => topic.shard < count.get(),
                Self::Static { shards, .. } => shards.contains(&topic.shard),
            }
    }

    /// The shard of a content topic. `explicit` is the shard that the caller named, if any: needed with several static
    /// shards, and refused where it contradicts the network or the content topic.
    pub fn shard_of(
        &self,
        content_topic: &str,
        explicit: Option<u16>,
    ) -> Result<PubsubTopic, ShardError> {
        let topic = |shard| PubsubTopic {
            cluster: self.cluster(),
            shard,
        };
        if let Some(named) = explicit
            && !self.contains(topic(named))
        {
            return Err(ShardError::Unknown(named));
        }
        match self {
            Self::Auto { count, .. } => {
                let derived = autoshard(&content_topic.parse::<ContentTopic>()?, *count);
                match explicit {
                    Some(named) if named != derived => Err(ShardError::Mismatch { named, derived }),
                    _ => Ok(topic(derived)),
                }
            }
            Self::Static { shards, .. } => {
                if content_topic.is_empty() {
                    return Err(ContentTopicError::Empty.into());
                }
                if content_topic.len() > MAX_CONTENT_TOPIC {
                    return Err(ContentTopicError::TooLong.into());
                }
                match (explicit, &shards[..]) {
                    (Some(shard), _) | (None, &[shard]) => Ok(topic(shard)),
                    (None, _) => Err(ShardError::Ambiguous),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "/toychat/2/huilong/proto";

    fn shard(cluster: u16, shard: u16) -> PubsubTopic {
        PubsubTopic { cluster, shard }
    }

    #[test]
    fn with_automatic_sharding_the_content_topic_decides() {
        let network = Network::auto(1, 8).unwrap();
        assert_eq!(network.shard_of(TOPIC, None), Ok(shard(1, 3)));
        assert_eq!(network.shard_of(TOPIC, Some(3)), Ok(shard(1, 3)));
        assert_eq!(
            network.shard_of(TOPIC, Some(4)),
            Err(ShardError::Mismatch {
                named: 4,
                derived: 3
            })
        );
        assert_eq!(
            network.shard_of(TOPIC, Some(8)),
            Err(ShardError::Unknown(8))
        );
        assert_eq!(
            network.shard_of("free text", None),
            Err(ShardError::ContentTopic(ContentTopicError::NoLeadingSlash))
        );
    }

    #[test]
    fn one_static_shard_needs_no_naming_and_several_do() {
        let one = Network::fixed(16, [32]).unwrap();
        assert_eq!(one.shard_of("free text", None), Ok(shard(16, 32)));
        assert_eq!(one.shard_of(TOPIC, Some(33)), Err(ShardError::Unknown(33)));
        let two = Network::fixed(16, [64, 32, 64]).unwrap();
        assert_eq!(two.shards(), [32, 64]);
        assert_eq!(two.shard_of(TOPIC, None), Err(ShardError::Ambiguous));
        assert_eq!(two.shard_of(TOPIC, Some(64)), Ok(shard(16, 64)));
        assert_eq!(
            two.shard_of("", Some(64)),
            Err(ShardError::ContentTopic(ContentTopicError::Empty))
        );
    }

    #[test]
    fn networks_without_shards_or_with_too_many_are_refused() {
        assert_eq!(Network::auto(1, 0), Err(NetworkError::NoShards));
        assert_eq!(Network::auto(1, 1025), Err(NetworkError::ShardTooLarge));
        assert!(Network::auto(1, 1024).is_ok());
        assert_eq!(Network::fixed(1, []), Err(NetworkError::NoShards));
        assert_eq!(Network::fixed(1, [1024]), Err(NetworkError::ShardTooLarge));
    }
}
