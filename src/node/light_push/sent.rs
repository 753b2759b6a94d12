//! The messages that were handed over lately: who refuses them again may be one that knows them.

use std::collections::VecDeque;

use crate::protocols::message::MessageHash;

/// Servers know bytes again for two minutes (lightpush.md, section 5); clocks and queues get the rest.
const KEEP_MS: u64 = 5 * 60 * 1_000;
/// 48 bytes each.
const MAX: usize = 1_024;

/// A message's bytes: what its hash leaves out and we may set is its second half.
pub(super) type Key = (MessageHash, bool);

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Sent {
    accepted: VecDeque<(u64, Key)>,
    /// On their way now.
    under_way: Vec<Key>,
}

impl Sent {
    /// Begins to send; `false` while the same bytes are on their way.
    pub(super) fn begin(&mut self, key: Key) -> bool {
        let free = !self.under_way.contains(&key);
        if free {
            self.under_way.push(key);
        }
        free
    }

    /// They are on their way no more.
    pub(super) fn end(&mut self, key: Key) {
        self.under_way.retain(|other| *other != key);
    }

    /// Somebody took them.
    pub(super) fn accepted(&mut self, key: Key, now_ms: u64) {
        if self.accepted.len() >= MAX {
            self.accepted.pop_front();
        }
        self.accepted.push_back((now_ms, key));
    }

    /// Whether somebody took them lately.
    pub(super) fn is_known(&mut self, key: Key, now_ms: u64) -> bool {
        let old = now_ms.saturating_sub(KEEP_MS);
        while self.accepted.front().is_some_and(|(at, _)| *at < old) {
            self.accepted.pop_front();
        }
        self.accepted.iter().any(|(_, known)| *known == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_known_for_five_minutes_after_somebody_took_them() {
        let mut sent = Sent::default();
        let key = (MessageHash([1; 32]), false);
        assert!(sent.begin(key) && !sent.begin(key));
        assert!(!sent.is_known(key, 0));
        sent.accepted(key, 10);
        sent.end(key);
        assert!(sent.begin(key), "it may be sent again");
        assert!(sent.is_known(key, KEEP_MS));
        assert!(!sent.is_known((key.0, true), KEEP_MS));
        assert!(!sent.is_known(key, KEEP_MS + 11));
    }
}
