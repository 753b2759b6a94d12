//! Store version 3 (13/WAKU2-STORE): queries to a node that keeps messages.

pub mod page;
pub mod paging;

use super::codec::{Field, Kind, wire};
use super::message::{self, MessageHash, WakuMessage};
use super::topic::MAX_CONTENT_TOPIC;

pub use page::{Edge, EntryError, Page, StoredMessage, classify, interpret};
pub use paging::Position;

/// Most bytes of an answer that we read, without the prefix: a page of 100 messages of the default network.
pub const MAX_RESPONSE: usize = 16 * 1024 * 1024;
/// Most bytes of a request that a server of ours reads, without the prefix.
pub const MAX_REQUEST: usize = 64 * 1024;
/// Most content topics in one query: nwaku refuses more from the second page on.
pub const MAX_CONTENT_TOPICS: usize = 10;
/// Most hashes in one query: the answer must fit one page.
pub const MAX_HASHES: usize = 50;
/// Largest page; servers silently cut a larger one to this.
pub const MAX_PAGE: u64 = 100;
/// Page size of a query that names none, or 0.
pub const DEFAULT_PAGE: u64 = 20;

/// A query.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Request {
    /// Unique; echoed.
    #[prost(string, required, tag = "1")]
    pub request_id: String,
    /// Whether the answer holds the messages, or only their hashes.
    #[prost(bool, required, tag = "2")]
    pub include_data: bool,
    /// The shard; together with content topics.
    #[prost(string, optional, tag = "10")]
    pub pubsub_topic: Option<String>,
    /// The content topics; together with a shard.
    #[prost(string, repeated, tag = "11")]
    pub content_topics: Vec<String>,
    /// Nanoseconds since 1970, inclusive.
    #[prost(sint64, optional, tag = "12")]
    pub time_start: Option<i64>,
    /// Nanoseconds since 1970; exclusive by the specification, inclusive in nwaku.
    #[prost(sint64, optional, tag = "13")]
    pub time_end: Option<i64>,
    /// Hashes of 32 bytes, to look up or to ask for the presence of; never together with topics or times.
    #[prost(bytes = "vec", repeated, tag = "20")]
    pub message_hashes: Vec<Vec<u8>>,
    /// The cursor of the page before, exclusive.
    #[prost(bytes = "vec", optional, tag = "51")]
    pub pagination_cursor: Option<Vec<u8>>,
    /// True: oldest pages first.
    #[prost(bool, required, tag = "52")]
    pub pagination_forward: bool,
    /// Page size.
    #[prost(uint64, optional, tag = "53")]
    pub pagination_limit: Option<u64>,
}

/// The answer to it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Response {
    /// The request's id; `N/A` with 429, empty with nwaku's other errors.
    #[prost(string, required, tag = "1")]
    pub request_id: String,
    /// 200 to 299 for success.
    #[prost(uint32, optional, tag = "10")]
    pub status_code: Option<u32>,
    /// Text for people.
    #[prost(string, optional, tag = "11")]
    pub status_desc: Option<String>,
    /// The page, oldest first whatever the direction.
    #[prost(message, repeated, tag = "20")]
    pub messages: Vec<KeyValue>,
    /// Present when there are more pages.
    #[prost(bytes = "vec", optional, tag = "51")]
    pub pagination_cursor: Option<Vec<u8>>,
}

/// One entry of a page.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct KeyValue {
    /// The message's deterministic hash.
    #[prost(bytes = "vec", optional, tag = "1")]
    pub message_hash: Option<Vec<u8>>,
    /// The message, when data was asked for.
    #[prost(message, optional, tag = "2")]
    pub message: Option<WakuMessage>,
    /// The message's shard, when data was asked for.
    #[prost(string, optional, tag = "3")]
    pub pubsub_topic: Option<String>,
}

wire!(
    Request,
    &[
        (1, Kind::Bytes),
        (2, Kind::Varint),
        (10, Kind::Bytes),
        (11, Kind::Bytes),
        (12, Kind::Varint),
        (13, Kind::Varint),
        (20, Kind::Bytes),
        (51, Kind::Bytes),
        (52, Kind::Varint),
        (53, Kind::Varint),
    ]
);
const KEY_VALUE: &[Field] = &[
    (1, Kind::Bytes),
    (2, Kind::Message(message::FIELDS)),
    (3, Kind::Bytes),
];
wire!(
    Response,
    &[
        (1, Kind::Bytes),
        (10, Kind::Varint),
        (11, Kind::Bytes),
        (20, Kind::Message(KEY_VALUE)),
        (51, Kind::Bytes),
    ]
);

impl KeyValue {
    /// An entry with data.
    pub fn new(pubsub_topic: String, message: WakuMessage) -> Self {
        Self {
            message_hash: Some(message.hash(&pubsub_topic).0.to_vec()),
            message: Some(message),
            pubsub_topic: Some(pubsub_topic),
        }
    }

    /// An entry without.
    pub fn hash_only(hash: MessageHash) -> Self {
        Self {
            message_hash: Some(hash.0.to_vec()),
            message: None,
            pubsub_topic: None,
        }
    }
}

/// Why a query may not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Either both or neither.
    #[error("pubsub topic and content topics go together")]
    TopicsIncomplete,
    /// Split the query.
    #[error("{0} content topics are over the limit of 10")]
    TooManyContentTopics(usize),
    /// Content topics have 1 to 256 bytes.
    #[error("a content topic has 1 to 256 bytes")]
    ContentTopicLength,
    /// Split the query.
    #[error("{0} message hashes are over the limit of 50")]
    TooManyHashes(usize),
    /// A look-up names nothing but hashes.
    #[error("message hashes exclude topics and times")]
    HashesAndContent,
    /// Not 32 bytes.
    #[error("a message hash has 32 bytes")]
    HashLength,
    /// Not 32 bytes, or all zero, which no server knows.
    #[error("a cursor is a message hash and not zero")]
    Cursor,
    /// Servers would silently cut the page, and read 0 as their default.
    #[error("page size {0} is not 1 to 100")]
    PageSize(u64),
    /// Nothing can lie in between.
    #[error("time range ends before it starts")]
    TimeRange,
}

impl Request {
    /// What must hold before the query goes out. Mixed kinds of query are refused as the specification has it; nwaku
    /// would combine the conditions.
    pub fn check(&self) -> Result<(), RequestError> {
        let topics = &self.content_topics;
        let has_topic = self.pubsub_topic.as_ref().is_some_and(|t| !t.is_empty());
        let times = self.time_start.is_some() || self.time_end.is_some();
        if !self.message_hashes.is_empty() {
            if self.pubsub_topic.is_some() || !topics.is_empty() || times {
                return Err(RequestError::HashesAndContent);
            }
            if self.message_hashes.len() > MAX_HASHES {
                return Err(RequestError::TooManyHashes(self.message_hashes.len()));
            }
            if self.message_hashes.iter().any(|hash| hash.len() != 32) {
                return Err(RequestError::HashLength);
            }
        }
        if has_topic == topics.is_empty() || self.pubsub_topic.is_some() != has_topic {
            return Err(RequestError::TopicsIncomplete);
        }
        if topics.len() > MAX_CONTENT_TOPICS {
            return Err(RequestError::TooManyContentTopics(topics.len()));
        }
        if topics
            .iter()
            .any(|topic| topic.is_empty() || topic.len() > MAX_CONTENT_TOPIC)
        {
            return Err(RequestError::ContentTopicLength);
        }
        if let (Some(start), Some(end)) = (self.time_start, self.time_end)
            && end < start
        {
            return Err(RequestError::TimeRange);
        }
        if let Some(cursor) = &self.pagination_cursor
            && (cursor.len() != 32 || cursor.iter().all(|byte| *byte == 0))
        {
            return Err(RequestError::Cursor);
        }
        match self.pagination_limit {
            Some(size) if !(1..=MAX_PAGE).contains(&size) => Err(RequestError::PageSize(size)),
            _ => Ok(()),
        }
    }

    /// The same query for the page after `cursor`. Nothing but the id may change between pages.
    pub fn next_page(&self, request_id: String, cursor: MessageHash) -> Self {
        Self {
            request_id,
            pagination_cursor: Some(cursor.0.to_vec()),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(count: usize) -> Request {
        Request {
            request_id: "id".into(),
            pubsub_topic: Some("/waku/2/rs/1/3".into()),
            content_topics: (0..count).map(|n| format!("/app/1/{n}/proto")).collect(),
            ..Request::default()
        }
    }

    fn hashes(count: usize) -> Request {
        Request {
            request_id: "id".into(),
            message_hashes: vec![vec![1; 32]; count],
            ..Request::default()
        }
    }

    #[test]
    fn the_kinds_of_query_do_not_mix() {
        assert_eq!(topics(10).check(), Ok(()));
        assert_eq!(hashes(50).check(), Ok(()));
        assert_eq!(Request::default().check(), Ok(()), "everything");
        let mut mixed = topics(1);
        mixed.message_hashes = vec![vec![1; 32]];
        assert_eq!(mixed.check(), Err(RequestError::HashesAndContent));
        let mut mixed = hashes(1);
        mixed.time_end = Some(1);
        assert_eq!(mixed.check(), Err(RequestError::HashesAndContent));
        let mut half = topics(1);
        half.pubsub_topic = None;
        assert_eq!(half.check(), Err(RequestError::TopicsIncomplete));
        assert_eq!(topics(0).check(), Err(RequestError::TopicsIncomplete));
        let mut blank = topics(0);
        blank.pubsub_topic = Some(String::new());
        assert_eq!(blank.check(), Err(RequestError::TopicsIncomplete));
    }

    #[test]
    fn a_query_over_a_limit_is_not_sent() {
        assert_eq!(
            topics(11).check(),
            Err(RequestError::TooManyContentTopics(11))
        );
        assert_eq!(hashes(51).check(), Err(RequestError::TooManyHashes(51)));
        let mut request = hashes(1);
        request.message_hashes[0].pop();
        assert_eq!(request.check(), Err(RequestError::HashLength));
        for size in [0, 101] {
            let mut request = topics(1);
            request.pagination_limit = Some(size);
            assert_eq!(request.check(), Err(RequestError::PageSize(size)));
        }
    }

    #[test]
    fn a_cursor_is_a_hash_and_not_zero() {
        let request = topics(1).next_page("next".into(), MessageHash([1; 32]));
        assert_eq!(request.check(), Ok(()));
        assert_eq!(request.content_topics, topics(1).content_topics);
        for bytes in [vec![1; 31], vec![0; 32], vec![]] {
            let mut request = topics(1);
            request.pagination_cursor = Some(bytes);
            assert_eq!(request.check(), Err(RequestError::Cursor));
        }
    }

    #[test]
    fn a_time_range_may_be_open_or_a_point_and_not_backwards() {
        let mut request = topics(1);
        request.time_start = Some(5);
        assert_eq!(request.check(), Ok(()));
        request.time_end = Some(5);
        assert_eq!(request.check(), Ok(()));
        request.time_end = Some(4);
        assert_eq!(request.check(), Err(RequestError::TimeRange));
    }
}
