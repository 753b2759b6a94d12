//! Lightpush version 3.

use crate::protocols::codec::{DecodeError, Kind, wire};
use crate::protocols::message::{self, WakuMessage};

/// A request to publish.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Request {
    /// Unique; echoed.
    #[prost(string, required, tag = "1")]
    pub request_id: String,
    /// The shard. Servers of an auto-sharded network can derive it; one of a static network can't: always send it.
    #[prost(string, optional, tag = "20")]
    pub pubsub_topic: Option<String>,
    /// What to publish.
    #[prost(message, optional, tag = "21")]
    pub message: Option<WakuMessage>,
}

/// The answer to it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Response {
    /// The request's id, or `N/A` when the server did not read the request.
    #[prost(string, required, tag = "1")]
    pub request_id: String,
    /// 200 for success.
    #[prost(uint32, optional, tag = "10")]
    pub status_code: Option<u32>,
    /// Text for people.
    #[prost(string, optional, tag = "11")]
    pub status_desc: Option<String>,
    /// Peers that the server handed the message to.
    #[prost(uint32, optional, tag = "12")]
    pub relay_peer_count: Option<u32>,
}

wire!(
    Request,
    &[
        (1, Kind::Bytes),
        (20, Kind::Bytes),
        (21, Kind::Message(message::FIELDS)),
    ],
    |request| {
        request
            .message
            .as_ref()
            .ok_or(DecodeError::Missing("message"))?
            .check_wire()
    }
);
wire!(
    Response,
    &[
        (1, Kind::Bytes),
        (10, Kind::Varint),
        (11, Kind::Bytes),
        (12, Kind::Varint),
    ]
);
