//! The message log that all store nodes share.
//!
//! Ordered by (timestamp, hash) as store pages are (store.md, section 4). Bounded by number and by bytes; what is
//! oldest in that order goes first.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Bound, RangeBounds, RangeInclusive},
    sync::Arc,
};

use super::network::Published;
use crate::protocols::MessageHash;

/// Messages that the log keeps at most.
const MAX_MESSAGES: usize = 10_000;

/// Bytes of encoded messages that the log keeps at most: 64 MiB.
const MAX_BYTES: usize = 64 << 20;

/// Where a message stands in the order.
type Place = (i64, MessageHash);

const FIRST_HASH: MessageHash = MessageHash([u8::MIN; 32]);
const LAST_HASH: MessageHash = MessageHash([u8::MAX; 32]);

/// What a page is wanted of. Conditions that are empty hold for every message.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    pub(crate) pubsub_topic: Option<&'a str>,
    pub(crate) content_topics: &'a [String],
    /// Nanoseconds since 1970. Both ends belong to it, as with nwaku.
    pub(crate) time: RangeInclusive<i64>,
    pub(crate) hashes: &'a [MessageHash],
    /// The page begins behind this message, in the direction of the query.
    pub(crate) cursor: Option<MessageHash>,
    /// Oldest first; otherwise the newest page comes first.
    pub(crate) forward: bool,
    pub(crate) limit: usize,
}

/// A page; the messages oldest first, whatever the direction.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) messages: Vec<Arc<Published>>,
    /// Where the next page begins, if there is one.
    pub(crate) cursor: Option<MessageHash>,
}

/// The log does not hold the cursor's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cursor not found")]
pub(crate) struct CursorNotFound;

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct MessageLog {
    messages: BTreeMap<Place, Arc<Published>>,
    /// The timestamp of each hash.
    times: BTreeMap<MessageHash, i64>,
    bytes: usize,
}

impl MessageLog {
    /// Adds a message. One that is there already is not added again.
    pub(crate) fn append(&mut self, message: Arc<Published>) {
        if self.times.contains_key(&message.hash) {
            return;
        }
        self.bytes += message.size;
        let timestamp = message.message.timestamp();
        self.times.insert(message.hash, timestamp);
        self.messages.insert((timestamp, message.hash), message);
        while self.messages.len() > MAX_MESSAGES || self.bytes > MAX_BYTES {
            let Some((_, oldest)) = self.messages.pop_first() else {
                break;
            };
            self.times.remove(&oldest.hash);
            self.bytes -= oldest.size;
        }
    }

    /// The number of messages.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// One page of what `query` asks for.
    pub(crate) fn page(&self, query: &Query<'_>) -> Result<Page, CursorNotFound> {
        let cursor = match query.cursor {
            None => None,
            Some(hash) => Some((*self.times.get(&hash).ok_or(CursorNotFound)?, hash)),
        };
        let mut found: Vec<Arc<Published>> = Vec::new();
        // One more than asked for tells whether there is another page.
        let wanted = query.limit + 1;
        let holds = |message: &&Arc<Published>| {
            let content_topic = message.message.content_topic();
            query
                .pubsub_topic
                .is_none_or(|topic| topic == message.pubsub_topic)
                && (query.content_topics.is_empty()
                    || query
                        .content_topics
                        .iter()
                        .any(|topic| topic == content_topic))
        };
        let range = self.between(query, cursor);
        if query.forward {
            found.extend(range.filter(holds).take(wanted).cloned());
        } else {
            found.extend(range.rev().filter(holds).take(wanted).cloned());
        }
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        let cursor = found.last().filter(|_| more).map(|last| last.hash);
        if !query.forward {
            found.reverse();
        }
        Ok(Page {
            messages: found,
            cursor,
        })
    }

    /// The messages of the query's time and hashes that are on the cursor's right side, oldest first.
    fn between<'a>(
        &'a self,
        query: &Query<'_>,
        cursor: Option<Place>,
    ) -> Box<dyn DoubleEndedIterator<Item = &'a Arc<Published>> + 'a> {
        let mut first = Bound::Included((*query.time.start(), FIRST_HASH));
        let mut last = Bound::Included((*query.time.end(), LAST_HASH));
        let mut from = (*query.time.start(), FIRST_HASH);
        let mut to = (*query.time.end(), LAST_HASH);
        if let Some(cursor) = cursor {
            if query.forward && cursor >= from {
                first = Bound::Excluded(cursor);
                from = cursor;
            }
            if !query.forward && cursor <= to {
                last = Bound::Excluded(cursor);
                to = cursor;
            }
        }
        // A map panics when asked for a range that ends before it begins.
        if from >= to {
            return Box::new(std::iter::empty());
        }
        if query.hashes.is_empty() {
            return Box::new(
                self.messages
                    .range((first, last))
                    .map(|(_, message)| message),
            );
        }
        let places: BTreeSet<Place> = query
            .hashes
            .iter()
            .filter_map(|hash| self.times.get(hash).map(|time| (*time, *hash)))
            .filter(|place| (first, last).contains(place))
            .collect();
        Box::new(
            places
                .into_iter()
                .filter_map(|place| self.messages.get(&place)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocols::WakuMessage;

    fn published(timestamp: i64, payload: Vec<u8>) -> Arc<Published> {
        let message = WakuMessage::new("/a/1/b/proto", payload, timestamp);
        Arc::new(Published::new("/waku/2/rs/1/0".into(), message))
    }

    fn everything() -> Query<'static> {
        Query {
            pubsub_topic: None,
            content_topics: &[],
            time: i64::MIN..=i64::MAX,
            hashes: &[],
            cursor: None,
            forward: true,
            limit: usize::MAX - 1,
        }
    }

    fn times(log: &MessageLog, query: &Query<'_>) -> Vec<i64> {
        let page = log.page(query).unwrap();
        page.messages
            .iter()
            .map(|message| message.message.timestamp())
            .collect()
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let mut log = MessageLog::default();
        for timestamp in (0..MAX_MESSAGES as i64 + 10).rev() {
            log.append(published(timestamp, vec![1]));
        }
        assert_eq!(log.len(), MAX_MESSAGES);
        assert_eq!(log.times.len(), MAX_MESSAGES);
        assert_eq!(
            times(
                &log,
                &Query {
                    limit: 1,
                    ..everything()
                }
            ),
            [10]
        );
    }

    #[test]
    fn the_oldest_go_when_they_are_too_large() {
        let mut log = MessageLog::default();
        for timestamp in 0..600 {
            log.append(published(timestamp, vec![0; 150_000]));
        }
        assert!(log.bytes <= MAX_BYTES);
        assert_eq!(log.len(), MAX_BYTES / published(1, vec![0; 150_000]).size);
        assert_eq!(times(&log, &everything()).last(), Some(&599));
    }

    #[test]
    fn a_message_is_kept_once() {
        let mut log = MessageLog::default();
        log.append(published(1, vec![1]));
        log.append(published(1, vec![1]));
        log.append(published(1, vec![2]));
        assert_eq!(log.len(), 2);
    }

    #[test]
    fn a_cursor_may_stand_outside_of_the_time_asked_for() {
        let mut log = MessageLog::default();
        for timestamp in 0..10 {
            log.append(published(timestamp, vec![1]));
        }
        let at = |time: i64| Some(published(time, vec![1]).hash);
        for (cursor, forward, expected) in [
            (at(1), true, vec![3, 4, 5]),
            (at(4), true, vec![5]),
            (at(5), true, vec![]),
            (at(9), true, vec![]),
            (at(9), false, vec![3, 4, 5]),
            (at(4), false, vec![3]),
            (at(3), false, vec![]),
            (at(1), false, vec![]),
        ] {
            let query = Query {
                time: 3..=5,
                cursor,
                forward,
                ..everything()
            };
            assert_eq!(times(&log, &query), expected);
        }
        let backwards = RangeInclusive::new(5, 3);
        assert!(
            times(
                &log,
                &Query {
                    time: backwards,
                    ..everything()
                }
            )
            .is_empty()
        );
        let lost = Query {
            cursor: Some(MessageHash([1; 32])),
            ..everything()
        };
        assert_eq!(log.page(&lost).unwrap_err(), CursorNotFound);
    }
}
