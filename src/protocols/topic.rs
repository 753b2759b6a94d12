//! Content topics (23/WAKU2-TOPICS) and pubsub topics (relay sharding), and the automatic shard of the former.

use core::fmt;
use core::num::NonZeroU16;
use core::ops::Range;
use core::str::FromStr;

use sha2::{Digest, Sha256};

pub use crate::shards::MAX_SHARD;

/// Longest content topic that we send, in bytes.
pub const MAX_CONTENT_TOPIC: usize = 256;

/// A content topic in the structured form that automatic sharding needs:
/// `/<application>/<version>/<name>/<encoding>`, or with a generation in front.
///
/// Compared as text: `/0/a/1/b/c` and `/a/1/b/c` share their shard and are two topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentTopic {
    text: String,
    generation: Option<u32>,
    parts: [Range<usize>; 4],
}

/// Why a text is not a structured content topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContentTopicError {
    /// No text.
    #[error("empty")]
    Empty,
    /// Over [`MAX_CONTENT_TOPIC`].
    #[error("longer than 256 bytes")]
    TooLong,
    /// The first character.
    #[error("no leading slash")]
    NoLeadingSlash,
    /// Neither four parts nor five.
    #[error("parts")]
    Parts,
    /// Five parts of which the first is no number.
    #[error("generation not numeric")]
    GenerationNotNumeric,
    /// Only generation 0 is defined.
    #[error("generation above 0 unsupported")]
    Generation,
    /// Nothing between the slashes.
    #[error("empty parts")]
    EmptyParts,
    /// The part of that name is empty.
    #[error("empty {0}")]
    EmptyPart(&'static str),
}

const PART_NAMES: [&str; 4] = ["application", "version", "name", "encoding"];

impl ContentTopic {
    /// The topic as it goes over the wire.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The generation, when the text names one; always 0 then.
    pub fn generation(&self) -> Option<u32> {
        self.generation
    }

    /// The application's name.
    pub fn application(&self) -> &str {
        self.part(0)
    }

    /// The application's version; any text.
    pub fn version(&self) -> &str {
        self.part(1)
    }

    /// The topic's name within the application.
    pub fn name(&self) -> &str {
        self.part(2)
    }

    /// The payload's encoding.
    pub fn encoding(&self) -> &str {
        self.part(3)
    }

    fn part(&self, index: usize) -> &str {
        &self.text[self.parts[index].clone()]
    }
}

impl FromStr for ContentTopic {
    type Err = ContentTopicError;

    fn from_str(text: &str) -> Result<Self, ContentTopicError> {
        if text.is_empty() {
            return Err(ContentTopicError::Empty);
        }
        if text.len() > MAX_CONTENT_TOPIC {
            return Err(ContentTopicError::TooLong);
        }
        let body = text
            .strip_prefix('/')
            .ok_or(ContentTopicError::NoLeadingSlash)?;
        let mut ranges = Vec::with_capacity(5);
        let mut start = 1;
        for part in body.split('/') {
            if ranges.len() == 5 {
                return Err(ContentTopicError::Parts);
            }
            ranges.push(start..start + part.len());
            start += part.len() + 1;
        }
        let generation = match ranges.len() {
            4 => None,
            5 => {
                let digits = &text[ranges.remove(0)];
                if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(ContentTopicError::GenerationNotNumeric);
                }
                // Any number of zeros is zero; a number too large to parse is above it.
                if digits.bytes().any(|byte| byte != b'0') {
                    return Err(ContentTopicError::Generation);
                }
                Some(0)
            }
            _ => return Err(ContentTopicError::Parts),
        };
        let parts: [Range<usize>; 4] = ranges.try_into().expect("four parts are left");
        if parts.iter().all(Range::is_empty) {
            return Err(ContentTopicError::EmptyParts);
        }
        if let Some(index) = parts.iter().position(Range::is_empty) {
            return Err(ContentTopicError::EmptyPart(PART_NAMES[index]));
        }
        Ok(Self {
            text: text.to_owned(),
            generation,
            parts,
        })
    }
}

impl fmt::Display for ContentTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A shard of a cluster, in text `/waku/2/rs/<cluster>/<shard>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PubsubTopic {
    /// The cluster.
    pub cluster: u16,
    /// The shard, at most [`MAX_SHARD`].
    pub shard: u16,
}

/// Why a text is not the pubsub topic of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PubsubTopicError {
    /// Not `/waku/2/rs/…`.
    #[error("prefix")]
    Prefix,
    /// A topic of the time before sharding, `/waku/2/<name>/<encoding>`.
    #[error("legacy named topic, not a shard")]
    Named,
    /// Not exactly a cluster and a shard.
    #[error("parts")]
    Parts,
    /// Nothing between the slashes.
    #[error("cluster missing")]
    ClusterMissing,
    /// Not decimal.
    #[error("cluster not numeric")]
    ClusterNotNumeric,
    /// More than 16 bits.
    #[error("cluster over 65535")]
    ClusterTooLarge,
    /// Nothing after the slash.
    #[error("shard missing")]
    ShardMissing,
    /// Not decimal.
    #[error("shard not numeric")]
    ShardNotNumeric,
    /// Over [`MAX_SHARD`].
    #[error("shard over 1023")]
    ShardTooLarge,
}

enum Number {
    Missing,
    NotNumeric,
    TooLarge,
}

fn number(text: &str) -> Result<u16, Number> {
    if text.is_empty() {
        return Err(Number::Missing);
    }
    // `parse` alone would take a plus sign.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Number::NotNumeric);
    }
    text.parse().map_err(|_| Number::TooLarge)
}

impl FromStr for PubsubTopic {
    type Err = PubsubTopicError;

    fn from_str(text: &str) -> Result<Self, PubsubTopicError> {
        let body = text
            .strip_prefix("/waku/2/")
            .ok_or(PubsubTopicError::Prefix)?;
        let (kind, rest) = match body.split_once('/') {
            Some((kind, rest)) => (kind, Some(rest)),
            None => (body, None),
        };
        if kind != "rs" {
            return Err(match rest {
                Some(encoding) if !encoding.contains('/') => PubsubTopicError::Named,
                _ => PubsubTopicError::Prefix,
            });
        }
        let (cluster, shard) = rest
            .and_then(|rest| rest.split_once('/'))
            .filter(|(_, shard)| !shard.contains('/'))
            .ok_or(PubsubTopicError::Parts)?;
        let cluster = number(cluster).map_err(|error| match error {
            Number::Missing => PubsubTopicError::ClusterMissing,
            Number::NotNumeric => PubsubTopicError::ClusterNotNumeric,
            Number::TooLarge => PubsubTopicError::ClusterTooLarge,
        })?;
        let shard = number(shard).map_err(|error| match error {
            Number::Missing => PubsubTopicError::ShardMissing,
            Number::NotNumeric => PubsubTopicError::ShardNotNumeric,
            Number::TooLarge => PubsubTopicError::ShardTooLarge,
        })?;
        if shard > MAX_SHARD {
            return Err(PubsubTopicError::ShardTooLarge);
        }
        Ok(Self { cluster, shard })
    }
}

impl fmt::Display for PubsubTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/waku/2/rs/{}/{}", self.cluster, self.shard)
    }
}

/// The shard of a content topic by automatic sharding, generation 0: the last 8 bytes of
/// `sha256(application, version)`, big endian, modulo the count of shards.
pub fn autoshard(topic: &ContentTopic, shards_in_cluster: NonZeroU16) -> u16 {
    let digest: [u8; 32] = Sha256::new()
        .chain_update(topic.application())
        .chain_update(topic.version())
        .finalize()
        .into();
    let tail: [u8; 8] = digest[24..].try_into().expect("a digest has 32 bytes");
    let shard = u64::from_be_bytes(tail) % u64::from(shards_in_cluster.get());
    u16::try_from(shard).expect("a remainder is below its 16-bit divisor")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_of_many_zeros_is_generation_0_and_keeps_its_text() {
        let topic: ContentTopic = "/000/app/1/name/proto".parse().unwrap();
        assert_eq!(topic.generation(), Some(0));
        assert_eq!(topic.as_str(), "/000/app/1/name/proto");
        assert_eq!(topic.application(), "app");
    }

    #[test]
    fn a_content_topic_over_256_bytes_is_refused() {
        let fits = format!("/app/1/{}/proto", "x".repeat(256 - 13));
        assert!(fits.parse::<ContentTopic>().is_ok());
        let over = format!("{fits}x");
        assert_eq!(
            over.parse::<ContentTopic>(),
            Err(ContentTopicError::TooLong)
        );
    }

    #[test]
    fn a_signed_or_huge_number_is_no_shard() {
        assert_eq!(
            "/waku/2/rs/+1/2".parse::<PubsubTopic>(),
            Err(PubsubTopicError::ClusterNotNumeric)
        );
        assert_eq!(
            "/waku/2/rs/65536/2".parse::<PubsubTopic>(),
            Err(PubsubTopicError::ClusterTooLarge)
        );
        assert_eq!(
            "/waku/2/rs/1/99999999".parse::<PubsubTopic>(),
            Err(PubsubTopicError::ShardTooLarge)
        );
    }

    #[test]
    fn a_pubsub_topic_prints_as_it_parses() {
        let topic: PubsubTopic = "/waku/2/rs/16/1023".parse().unwrap();
        assert_eq!(topic.to_string(), "/waku/2/rs/16/1023");
    }
}
