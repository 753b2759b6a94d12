//! `WakuMessage` (14/WAKU2-MESSAGE), its deterministic hash, and the rules for sending and receiving one.

use core::fmt;
use core::str::FromStr;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::codec::{DecodeError, Field, Kind, wire};

/// Largest encoded message on The Waku Network (cluster 1) and the default elsewhere, in bytes: 150 KiB. A server that
/// attaches a rate-limit proof adds about 300 bytes, which count.
pub const MAX_SIZE: usize = 150 * 1024;

/// Most bytes of [`WakuMessage::meta`].
pub const MAX_META: usize = 64;

/// One message.
///
/// `payload` and `content_topic` are optional only on the wire: nwaku refuses a message that lacks either, go-waku one
/// in which either is empty. [`decode`](Self::decode) gives both, [`check_outgoing`](Self::check_outgoing) wants both
/// filled; read them by the methods of their names.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct WakuMessage {
    /// The content.
    #[prost(bytes = "vec", optional, tag = "1")]
    pub payload: Option<Vec<u8>>,
    /// What the message is about; see [`ContentTopic`](super::ContentTopic).
    #[prost(string, optional, tag = "2")]
    pub content_topic: Option<String>,
    /// Scheme of the payload's encryption: 0 or absent none, 1 26/WAKU2-PAYLOAD, 2 noise.
    #[prost(uint32, optional, tag = "3")]
    pub version: Option<u32>,
    /// The sender's time, in nanoseconds since 1970.
    #[prost(sint64, optional, tag = "10")]
    pub timestamp: Option<i64>,
    /// Data of the application, at most [`MAX_META`] bytes.
    #[prost(bytes = "vec", optional, tag = "11")]
    pub meta: Option<Vec<u8>>,
    /// An encoded RLN proof.
    #[prost(bytes = "vec", optional, tag = "21")]
    pub rate_limit_proof: Option<Vec<u8>>,
    /// True: store nodes must not keep it.
    #[prost(bool, optional, tag = "31")]
    pub ephemeral: Option<bool>,
}

pub(crate) const FIELDS: &[Field] = &[
    (1, Kind::Bytes),
    (2, Kind::Bytes),
    (3, Kind::Varint),
    (10, Kind::Varint),
    (11, Kind::Bytes),
    (21, Kind::Bytes),
    (31, Kind::Varint),
];

wire!(WakuMessage, FIELDS, Self::check_wire);

/// Why a message may not be sent, or is dropped when it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// js-waku and go-waku refuse such a message.
    #[error("payload is empty")]
    EmptyPayload,
    /// go-waku refuses such a message.
    #[error("content topic is empty")]
    EmptyContentTopic,
    /// Above what Waku allows.
    #[error("meta longer than 64 bytes")]
    MetaTooLong,
    /// Servers would fill in their own time, which changes the hash.
    #[error("timestamp is missing or not positive")]
    NoTimestamp,
    /// Relays drop such a message.
    #[error("message of {size} bytes is over the limit of {limit}")]
    TooLarge {
        /// Size of the encoded message, in bytes.
        size: usize,
        /// The network's limit, in bytes.
        limit: usize,
    },
}

impl WakuMessage {
    /// A message with what every message must have. `timestamp` is in nanoseconds since 1970; two messages that are to
    /// be told apart need different ones, since payload, topics, meta and timestamp are all that the hash covers.
    pub fn new(content_topic: impl Into<String>, payload: Vec<u8>, timestamp: i64) -> Self {
        Self {
            payload: Some(payload),
            content_topic: Some(content_topic.into()),
            timestamp: Some(timestamp),
            ..Self::default()
        }
    }

    /// Size of the encoded message, in bytes.
    pub fn size(&self) -> usize {
        prost::Message::encoded_len(self)
    }

    /// The deterministic hash on the given shard:
    /// `sha256(pubsub topic, payload, content topic, meta, timestamp as 8 bytes big endian)`. An absent timestamp counts
    /// as zero, as nwaku and go-waku have it.
    pub fn hash(&self, pubsub_topic: &str) -> MessageHash {
        let digest = Sha256::new()
            .chain_update(pubsub_topic)
            .chain_update(self.payload())
            .chain_update(self.content_topic())
            .chain_update(self.meta())
            .chain_update(self.timestamp().to_be_bytes())
            .finalize();
        MessageHash(digest.into())
    }

    /// The rules for sending: neither payload nor content topic empty, a timestamp, meta and size in bounds. `limit` is
    /// the network's limit on the encoded message, in bytes ([`MAX_SIZE`]).
    pub fn check_outgoing(&self, limit: usize) -> Result<(), MessageError> {
        self.check_incoming(limit)?;
        if self.timestamp() <= 0 {
            return Err(MessageError::NoTimestamp);
        }
        Ok(())
    }

    /// The rules for delivering a message that came: as for sending, but any timestamp.
    pub fn check_incoming(&self, limit: usize) -> Result<(), MessageError> {
        if self.payload().is_empty() {
            return Err(MessageError::EmptyPayload);
        }
        if self.content_topic().is_empty() {
            return Err(MessageError::EmptyContentTopic);
        }
        if self.meta().len() > MAX_META {
            return Err(MessageError::MetaTooLong);
        }
        let size = self.size();
        if size > limit {
            return Err(MessageError::TooLarge { size, limit });
        }
        Ok(())
    }

    /// nwaku's rules for a message on the wire, which hold wherever one stands alone or is the point of a request.
    pub(crate) fn check_wire(&self) -> Result<(), DecodeError> {
        if self.payload.is_none() {
            return Err(DecodeError::Missing("payload"));
        }
        if self.content_topic.is_none() {
            return Err(DecodeError::Missing("content_topic"));
        }
        if self.meta().len() > MAX_META {
            return Err(DecodeError::MetaTooLong);
        }
        Ok(())
    }
}

/// The deterministic hash of a message on a shard: its identity in caches, in stores and as a store's cursor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageHash(pub [u8; 32]);

impl MessageHash {
    /// The hash as bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<&[u8]> for MessageHash {
    type Error = HashError;

    fn try_from(bytes: &[u8]) -> Result<Self, HashError> {
        bytes.try_into().map(Self).map_err(|_| HashError)
    }
}

/// Not 32 bytes, or not the hexadecimal text of such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message hash is 32 bytes")]
pub struct HashError;

/// Lower-case hexadecimal after `0x`, as nwaku writes it in its logs and its REST API.
impl fmt::Display for MessageHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for MessageHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MessageHash {
    type Err = HashError;

    /// Reads the text form, with or without `0x`.
    fn from_str(text: &str) -> Result<Self, HashError> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let bytes = data_encoding::HEXLOWER_PERMISSIVE
            .decode(digits.as_bytes())
            .map_err(|_| HashError)?;
        Self::try_from(&bytes[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> WakuMessage {
        WakuMessage::new("/app/1/name/proto", vec![1], 1)
    }

    #[test]
    fn what_servers_would_refuse_is_not_sent() {
        assert_eq!(message().check_outgoing(MAX_SIZE), Ok(()));
        let check = |change: fn(&mut WakuMessage)| {
            let mut message = message();
            change(&mut message);
            message.check_outgoing(MAX_SIZE)
        };
        assert_eq!(
            check(|m| m.payload = Some(Vec::new())),
            Err(MessageError::EmptyPayload)
        );
        assert_eq!(check(|m| m.payload = None), Err(MessageError::EmptyPayload));
        assert_eq!(
            check(|m| m.content_topic = None),
            Err(MessageError::EmptyContentTopic)
        );
        assert_eq!(check(|m| m.meta = Some(vec![0; 64])), Ok(()));
        assert_eq!(
            check(|m| m.meta = Some(vec![0; 65])),
            Err(MessageError::MetaTooLong)
        );
        for timestamp in [None, Some(0), Some(-1)] {
            let mut message = message();
            message.timestamp = timestamp;
            assert_eq!(
                message.check_outgoing(MAX_SIZE),
                Err(MessageError::NoTimestamp)
            );
            assert_eq!(message.check_incoming(MAX_SIZE), Ok(()));
        }
    }

    #[test]
    fn the_limit_is_on_the_encoded_message() {
        let mut message = message();
        message.payload = Some(vec![0; MAX_SIZE]);
        let over = message.size() - MAX_SIZE;
        message.payload = Some(vec![0; MAX_SIZE - over]);
        assert_eq!(message.size(), MAX_SIZE);
        assert_eq!(message.check_outgoing(MAX_SIZE), Ok(()));
        message.payload = Some(vec![0; MAX_SIZE - over + 1]);
        assert_eq!(
            message.check_outgoing(MAX_SIZE),
            Err(MessageError::TooLarge {
                size: MAX_SIZE + 1,
                limit: MAX_SIZE
            })
        );
    }

    #[test]
    fn the_hash_depends_on_the_shard_and_not_on_the_version() {
        let hash = message().hash("/waku/2/rs/1/0");
        assert_ne!(hash, message().hash("/waku/2/rs/1/1"));
        let mut other = message();
        other.version = Some(1);
        other.ephemeral = Some(true);
        assert_eq!(hash, other.hash("/waku/2/rs/1/0"));
    }

    #[test]
    fn a_hash_reads_as_it_prints() {
        let hash = message().hash("/waku/2/rs/1/0");
        let text = hash.to_string();
        assert!(text.starts_with("0x") && text.len() == 66);
        assert_eq!(text.parse(), Ok(hash));
        assert_eq!(text[2..].to_uppercase().parse(), Ok(hash));
        assert_eq!("0x12".parse::<MessageHash>(), Err(HashError));
    }
}
