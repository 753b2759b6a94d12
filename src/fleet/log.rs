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
