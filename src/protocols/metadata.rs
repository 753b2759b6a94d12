//! Metadata (66/WAKU2-METADATA): both sides tell each other their cluster and shards right after connecting.
//!
//! Requests and responses have one shape. Whoever answers must close the stream right after writing: nwaku waits for
//! the end of the stream before it looks at the answer.

use prost::Message as _;

use super::codec::{self, DecodeError, Field, Kind, Wire};
use crate::shards;

/// Most bytes of a frame in either direction, without the prefix; the servers' limit as well.
pub const MAX_FRAME: usize = 1024;

/// What a node says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The node's cluster; nwaku drops a peer that names none. A value above `u32` reads as `u32::MAX`.
    pub cluster_id: Option<u32>,
    /// Shards that the node relays, ascending, each once. From a server none means "unknown".
    pub shards: Vec<u16>,
}

/// Requests and responses are one message.
pub type Request = Metadata;
/// Requests and responses are one message.
pub type Response = Metadata;

/// The wire form. nwaku writes the shards in field 2 unpacked and in field 3 packed, go-waku 0.10 in field 3 alone, the
/// RFC and js-waku in field 2 packed. Numbers are read at full width, so that a value out of range is seen as such.
#[derive(Clone, PartialEq, prost::Message)]
struct Raw {
    #[prost(uint64, optional, tag = "1")]
    cluster_id: Option<u64>,
    #[prost(uint64, repeated, tag = "2")]
    shards: Vec<u64>,
    #[prost(uint64, repeated, tag = "3")]
    shards_again: Vec<u64>,
}

impl Wire for Raw {
    const FIELDS: &'static [Field] = &[(1, Kind::Varint), (2, Kind::Varints), (3, Kind::Varints)];
}

/// How a peer's network relates to ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The same cluster.
    Same {
        /// Shards that the peer relays; empty when it does not say.
        shards: Vec<u16>,
    },
    /// Another cluster: disconnect, and do not dial the peer again for 6 hours.
    Other {
        /// The cluster that it named.
        cluster_id: u32,
    },
    /// It named no cluster: keep it, ranked low.
    Unknown,
}

impl Metadata {
    /// What a node without relay says: its cluster and no shards (listing some would bring it requests that it can't
    /// serve).
    pub fn light(cluster_id: u16) -> Self {
        Self {
            cluster_id: Some(cluster_id.into()),
            shards: Vec::new(),
        }
    }

    /// The message as protobuf, without a length prefix: the cluster, even 0, and the shards packed in field 2.
    pub fn encode(&self) -> Vec<u8> {
        let raw = Raw {
            cluster_id: self.cluster_id.map(u64::from),
            shards: self.shards.iter().copied().map(u64::from).collect(),
            shards_again: Vec::new(),
        };
        raw.encode_to_vec()
    }

    /// Reads a message in any of the servers' forms: the shards are the union of fields 2 and 3, values above 65535
    /// left out.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let raw: Raw = codec::decode(bytes)?;
        let shards = shards::ascending(
            raw.shards
                .iter()
                .chain(&raw.shards_again)
                .filter_map(|&shard| u16::try_from(shard).ok()),
        );
        Ok(Self {
            cluster_id: raw
                .cluster_id
                .map(|cluster| u32::try_from(cluster).unwrap_or(u32::MAX)),
            shards,
        })
    }
}

/// What a peer's metadata means for a node of `cluster_id`.
pub fn interpret(cluster_id: u16, answer: &Metadata) -> Standing {
    match answer.cluster_id {
        Some(theirs) if theirs == u32::from(cluster_id) => Standing::Same {
            shards: answer.shards.clone(),
        },
        Some(cluster_id) => Standing::Other { cluster_id },
        None => Standing::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_above_16_bits_are_no_shards_of_ours() {
        // 65536 + 3 and 2^32 + 3 would both look like shard 3 when cut.
        let bytes = [
            0x08, 1, 0x10, 0x83, 0x80, 0x04, 0x10, 0x83, 0x80, 0x80, 0x80, 0x10,
        ];
        let metadata = Metadata::decode(&bytes).unwrap();
        assert_eq!(metadata, Metadata::light(1));
    }

    #[test]
    fn a_cluster_above_32_bits_is_another_cluster() {
        let bytes = [0x08, 0x81, 0x80, 0x80, 0x80, 0x10];
        let metadata = Metadata::decode(&bytes).unwrap();
        assert_eq!(
            interpret(1, &metadata),
            Standing::Other {
                cluster_id: u32::MAX
            }
        );
    }

    #[test]
    fn cluster_zero_is_written() {
        assert_eq!(Metadata::light(0).encode(), [0x08, 0x00]);
    }

    #[test]
    fn the_standing_follows_the_cluster() {
        let answer = Metadata {
            cluster_id: Some(1),
            shards: vec![3],
        };
        assert_eq!(interpret(1, &answer), Standing::Same { shards: vec![3] });
        assert_eq!(interpret(2, &answer), Standing::Other { cluster_id: 1 });
        assert_eq!(interpret(1, &Metadata::default()), Standing::Unknown);
    }
}
