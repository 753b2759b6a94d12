//! The hashes of delivered messages: each message is delivered once, whoever else pushes it.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::protocols::message::MessageHash;

/// Filter.md, section 6: at least 5 minutes and 10,000 hashes. 48 bytes each, twice: about 1 MB when full.
const MAX: usize = 10_000;
const KEEP: Duration = Duration::from_secs(5 * 60);

/// A set with a bound in number; what is older than five minutes makes room first.
#[derive(Debug, Default)]
pub(super) struct Seen {
    set: BTreeSet<[u8; 32]>,
    order: VecDeque<(u64, [u8; 32])>,
}

impl Seen {
    /// Whether the hash is new.
    pub(super) fn insert(&mut self, hash: MessageHash, now_ms: u64) -> bool {
        if !self.set.insert(hash.0) {
            return false;
        }
        self.order.push_back((now_ms, hash.0));
        let old = now_ms.saturating_sub(KEEP.as_millis() as u64);
        while self
            .order
            .front()
            .is_some_and(|(at, _)| *at < old || self.order.len() > MAX)
        {
            if let Some((_, hash)) = self.order.pop_front() {
                self.set.remove(&hash);
            }
        }
        true
    }
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
    fn a_hash_is_new_once() {
        let mut seen = Seen::default();
        assert!(seen.insert(hash(1), 0));
        assert!(!seen.insert(hash(1), 1));
    }

    #[test]
    fn the_oldest_make_room_above_the_bound() {
        let mut seen = Seen::default();
        for n in 0..=MAX as u32 {
            assert!(seen.insert(hash(n), 0));
        }
        assert_eq!(seen.set.len(), MAX);
        assert!(seen.insert(hash(0), 0));
        assert!(!seen.insert(hash(MAX as u32), 0));
    }
}
