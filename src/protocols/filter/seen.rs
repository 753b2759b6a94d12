//! The hashes of delivered messages: each message is delivered once, whoever else pushes it and whatever a store gives.

use std::collections::{BTreeSet, VecDeque};

use crate::protocols::message::MessageHash;

/// How long a hash is remembered at least, in milliseconds: longer than servers repeat a message, and than the 10 seconds
/// by which a catch-up overlaps with what was delivered.
const KEEP_MS: u64 = 15 * 60 * 1_000;
/// The bound in number: 20 messages a second for as long as [`KEEP_MS`]. With half of each hash, twice, and a time it is
/// 1.6 MiB when full.
pub(super) const MAX: usize = 22_000;

/// Half of a hash, and a zero: of the type of the manager's ordered sets, because each type is kilobytes of code.
type Half = [u64; 3];

/// A set with bounds in time and number; the oldest make room.
///
/// Half of a hash is kept: to find two messages that share 128 bits takes 2^64 tries, and gains that one of the two is not
/// delivered where the other was.
#[derive(Debug, Default)]
pub(super) struct Seen {
    set: BTreeSet<Half>,
    /// The hash, and the second in which it came.
    order: VecDeque<(u32, [u64; 2])>,
    /// The time of the youngest hash that had to go for the bound in number.
    crowded_out: u64,
}

impl Seen {
    /// Whether the hash is new. Nothing that is younger than `keep_from` is forgotten for its age.
    pub(super) fn insert(&mut self, hash: &MessageHash, now_ms: u64, keep_from: u64) -> bool {
        let number = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
        let (high, low) = (number(&hash.0[..8]), number(&hash.0[8..16]));
        if !self.set.insert([high, low, 0]) {
            return false;
        }
        self.order.push_back((seconds(now_ms), [high, low]));
        let old = seconds(now_ms.saturating_sub(KEEP_MS).min(keep_from));
        while let Some((at, [high, low])) = self.order.front().copied() {
            let crowded = self.order.len() > MAX;
            if !crowded && at >= old {
                break;
            }
            if crowded {
                self.crowded_out = (u64::from(at) + 1) * 1_000;
            }
            self.order.pop_front();
            self.set.remove(&[high, low, 0]);
        }
        true
    }

    /// Messages that were delivered before this time may be told as new: a catch-up must not reach further back.
    pub(super) fn crowded_out(&self) -> u64 {
        self.crowded_out
    }
}

fn seconds(ms: u64) -> u32 {
    u32::try_from(ms / 1_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(n: u32) -> MessageHash {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        MessageHash(bytes)
    }

    #[test]
    fn a_hash_is_new_once_and_again_after_a_quarter_of_an_hour() {
        let mut seen = Seen::default();
        assert!(seen.insert(&hash(1), 0, u64::MAX));
        assert!(!seen.insert(&hash(1), KEEP_MS, u64::MAX));
        assert!(seen.insert(&hash(2), KEEP_MS + 1_000, u64::MAX));
        assert!(seen.insert(&hash(1), KEEP_MS + 1_000, u64::MAX));
        assert_eq!(seen.crowded_out(), 0);
    }

    #[test]
    fn what_a_catch_up_still_needs_does_not_age() {
        let mut seen = Seen::default();
        assert!(seen.insert(&hash(1), 5_000, u64::MAX));
        assert!(seen.insert(&hash(2), 10 * KEEP_MS, 4_000));
        assert!(!seen.insert(&hash(1), 10 * KEEP_MS, 4_000));
    }

    #[test]
    fn the_oldest_make_room_above_the_bound_and_it_is_known_which() {
        let mut seen = Seen::default();
        for n in 0..MAX as u32 {
            assert!(seen.insert(&hash(n), u64::from(n) * 10, 0));
        }
        assert_eq!(seen.crowded_out(), 0);
        assert!(seen.insert(&hash(u32::MAX), 300_000, 0));
        assert_eq!((seen.set.len(), seen.order.len()), (MAX, MAX));
        assert_eq!(seen.crowded_out(), 1_000);
        assert!(seen.insert(&hash(0), 300_000, 0));
    }
}
