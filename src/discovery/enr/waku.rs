//! The Waku keys that say what a node does: `waku2` and `rs`/`rsv`.

use super::Enr;
use crate::shards::{MAX_SHARD, ascending};

/// `waku2`: what a node says it does. A hint written when the record was made; identify on a live connection is the
/// truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Capabilities(u8);

impl Capabilities {
    /// Relays messages.
    pub const RELAY: Self = Self(0x01);
    /// Serves history.
    pub const STORE: Self = Self(0x02);
    /// Serves filter subscriptions.
    pub const FILTER: Self = Self(0x04);
    /// Publishes for light nodes.
    pub const LIGHTPUSH: Self = Self(0x08);
    /// Syncs its store with others.
    pub const SYNC: Self = Self(0x10);
    /// Is a mix node (nwaku only).
    pub const MIX: Self = Self(0x20);

    /// The bits as the record holds them; unassigned ones are kept and mean nothing.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The bits as a record holds them.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether every capability of `other` is here.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it relays.
    pub const fn relay(self) -> bool {
        self.contains(Self::RELAY)
    }

    /// Whether it serves history.
    pub const fn store(self) -> bool {
        self.contains(Self::STORE)
    }

    /// Whether it serves filter subscriptions.
    pub const fn filter(self) -> bool {
        self.contains(Self::FILTER)
    }

    /// Whether it publishes for light nodes.
    pub const fn lightpush(self) -> bool {
        self.contains(Self::LIGHTPUSH)
    }

    /// Whether it syncs its store.
    pub const fn sync(self) -> bool {
        self.contains(Self::SYNC)
    }

    /// Whether it is a mix node.
    pub const fn mix(self) -> bool {
        self.contains(Self::MIX)
    }
}

impl std::ops::BitOr for Capabilities {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// `rs` or `rsv`: the cluster of a node and the shards that it relays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayShards {
    /// The cluster. One network; a node of another one is of no use.
    pub cluster: u16,
    /// The shards, ascending and without repetition; may be empty.
    pub shards: Vec<u16>,
}

/// Why a value of `rs` or `rsv` is not usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RelayShardsError {
    /// Fewer than the three bytes of cluster and count.
    #[error("too short")]
    TooShort,
    /// Not as long as its count says.
    #[error("length must be 3+2n")]
    Length,
    /// `rsv` is not 130 bytes.
    #[error("length must be 130")]
    VectorLength,
    /// A shard that no cluster can have.
    #[error("shard {0} out of range (max 1023)")]
    Shard(u16),
}

impl RelayShards {
    /// A cluster and its shards, which are sorted and freed of repetitions.
    pub fn new(cluster: u16, shards: Vec<u16>) -> Result<Self, RelayShardsError> {
        match shards.iter().find(|shard| **shard > MAX_SHARD) {
            Some(shard) => Err(RelayShardsError::Shard(*shard)),
            None => Ok(Self {
                cluster,
                shards: ascending(shards),
            }),
        }
    }

    /// Reads the index list: cluster, count, shards, all big endian.
    pub fn from_rs(bytes: &[u8]) -> Result<Self, RelayShardsError> {
        let &[c0, c1, count, ref list @ ..] = bytes else {
            return Err(RelayShardsError::TooShort);
        };
        if list.len() != 2 * usize::from(count) {
            return Err(RelayShardsError::Length);
        }
        let shards = list
            .chunks_exact(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect();
        Self::new(u16::from_be_bytes([c0, c1]), shards)
    }

    /// Reads the bit vector: cluster, then shard `i` in byte `i / 8` under the mask `1 << (i % 8)`, as nwaku and go-waku
    /// write it. js-waku and the specification's text count bits in two other ways, which nobody publishes.
    pub fn from_rsv(bytes: &[u8]) -> Result<Self, RelayShardsError> {
        let &[c0, c1, ref vector @ ..] = bytes else {
            return Err(RelayShardsError::TooShort);
        };
        if vector.len() != 128 {
            return Err(RelayShardsError::VectorLength);
        }
        let shards = (0..=MAX_SHARD)
            .filter(|shard| vector[usize::from(shard / 8)] & (1 << (shard % 8)) != 0)
            .collect();
        Self::new(u16::from_be_bytes([c0, c1]), shards)
    }

    /// The index list. At most 255 shards fit its count; further ones are left out.
    pub fn to_rs(&self) -> Vec<u8> {
        let count = self.shards.len().min(usize::from(u8::MAX));
        let mut bytes = Vec::with_capacity(3 + 2 * count);
        bytes.extend_from_slice(&self.cluster.to_be_bytes());
        bytes.push(u8::try_from(count).expect("limited to u8::MAX above"));
        for shard in &self.shards[..count] {
            bytes.extend_from_slice(&shard.to_be_bytes());
        }
        bytes
    }
}

impl Enr {
    /// What the node says it does; `None` when it does not say, which is not the same as nothing.
    ///
    /// One byte, as nwaku writes it, or the empty string that go-waku makes of 0.
    pub fn waku2(&self) -> Option<Capabilities> {
        match self.string(b"waku2")? {
            [] => Some(Capabilities::default()),
            [bits] => Some(Capabilities(*bits)),
            _ => None,
        }
    }

    /// The cluster and shards of the node. `rs` wins over `rsv` when both are there.
    pub fn relay_shards(&self) -> Option<RelayShards> {
        match self.value(b"rs") {
            Some(value) => RelayShards::from_rs(value.string()?).ok(),
            None => RelayShards::from_rsv(self.string(b"rsv")?).ok(),
        }
    }
}
