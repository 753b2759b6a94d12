//! Filter (12/WAKU2-FILTER): live subscriptions. Requests to a server; the server then opens streams to us.

pub mod push;

use super::codec::{Kind, wire};

pub use push::MessagePush;

/// Most bytes of an answer that we read, without the prefix.
pub const MAX_RESPONSE: usize = 64 * 1024;
/// Most bytes of a request that a server of ours reads, without the prefix.
pub const MAX_REQUEST: usize = 64 * 1024;
/// Most content topics in one request; servers refuse more.
pub const MAX_CONTENT_TOPICS: usize = 100;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum SubscribeType {
    /// Is my subscription alive? Refreshes it as well.
    Ping = 0,
    /// Add pairs of pubsub topic and content topic.
    Subscribe = 1,
    /// Remove pairs.
    Unsubscribe = 2,
    /// Remove all.
    UnsubscribeAll = 3,
}

/// A request.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Request {
    /// Unique; echoed.
    #[prost(string, required, tag = "1")]
    pub request_id: String,
    /// A [`SubscribeType`]; read it by the method of this name.
    #[prost(enumeration = "SubscribeType", required, tag = "2")]
    pub filter_subscribe_type: i32,
    /// The shard, for subscribe and unsubscribe; left out else.
    #[prost(string, optional, tag = "10")]
    pub pubsub_topic: Option<String>,
    /// The content topics, for subscribe and unsubscribe.
    #[prost(string, repeated, tag = "11")]
    pub content_topics: Vec<String>,
}

/// The answer to it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Response {
    /// The request's id, or `N/A` with 429.
    #[prost(string, required, tag = "1")]
    pub request_id: String,
    /// 200 to 299 for success.
    #[prost(uint32, optional, tag = "10")]
    pub status_code: Option<u32>,
    /// Text for people.
    #[prost(string, optional, tag = "11")]
    pub status_desc: Option<String>,
}

wire!(
    Request,
    &[
        (1, Kind::Bytes),
        (2, Kind::Varint),
        (10, Kind::Bytes),
        (11, Kind::Bytes),
    ]
);
wire!(
    Response,
    &[(1, Kind::Bytes), (10, Kind::Varint), (11, Kind::Bytes)]
);

impl Request {
    /// A request to add the content topics on a shard.
    pub fn subscribe(
        request_id: String,
        pubsub_topic: String,
        content_topics: Vec<String>,
    ) -> Self {
        Self {
            request_id,
            filter_subscribe_type: SubscribeType::Subscribe.into(),
            pubsub_topic: Some(pubsub_topic),
            content_topics,
        }
    }

    /// A request to remove the content topics on a shard.
    pub fn unsubscribe(
        request_id: String,
        pubsub_topic: String,
        content_topics: Vec<String>,
    ) -> Self {
        Self {
            filter_subscribe_type: SubscribeType::Unsubscribe.into(),
            ..Self::subscribe(request_id, pubsub_topic, content_topics)
        }
    }

    /// A request whether our subscription is alive.
    pub fn ping(request_id: String) -> Self {
        Self {
            request_id,
            filter_subscribe_type: SubscribeType::Ping.into(),
            pubsub_topic: None,
            content_topics: Vec::new(),
        }
    }

    /// A request to remove everything of ours.
    pub fn unsubscribe_all(request_id: String) -> Self {
        Self {
            filter_subscribe_type: SubscribeType::UnsubscribeAll.into(),
            ..Self::ping(request_id)
        }
    }
}
