//! Store version 3 (13/WAKU2-STORE): queries to a node that keeps messages.

use super::codec::{Field, Kind, wire};
use super::message::{self, WakuMessage};

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
