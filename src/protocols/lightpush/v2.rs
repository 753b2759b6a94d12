//! Lightpush version 2 (19/WAKU2-LIGHTPUSH): no status numbers, only success or not, and a text.

use crate::protocols::codec::{DecodeError, Field, Kind, wire};
use crate::protocols::message::{self, WakuMessage};

/// The one message of the protocol: a request or an answer.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Rpc {
    /// Unique; echoed, or `N/A` when the server did not read the request.
    #[prost(string, required, tag = "1")]
    pub request_id: String,
    /// In a request.
    #[prost(message, optional, tag = "2")]
    pub request: Option<Request>,
    /// In an answer.
    #[prost(message, optional, tag = "3")]
    pub response: Option<Response>,
}

/// A request to publish.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Request {
    /// The shard; this version always needs it.
    #[prost(string, required, tag = "1")]
    pub pubsub_topic: String,
    /// What to publish.
    #[prost(message, optional, tag = "2")]
    pub message: Option<WakuMessage>,
}

/// The answer to it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Response {
    /// Whether the message was published. go-waku leaves a false one out: absent is false.
    #[prost(bool, optional, tag = "1")]
    pub is_success: Option<bool>,
    /// Text, from which alone the kind of a failure can be told.
    #[prost(string, optional, tag = "2")]
    pub info: Option<String>,
}

const REQUEST: &[Field] = &[(1, Kind::Bytes), (2, Kind::Message(message::FIELDS))];
const RESPONSE: &[Field] = &[(1, Kind::Varint), (2, Kind::Bytes)];
wire!(
    Rpc,
    &[
        (1, Kind::Bytes),
        (2, Kind::Message(REQUEST)),
        (3, Kind::Message(RESPONSE)),
    ],
    |rpc| match &rpc.request {
        Some(request) => request
            .message
            .as_ref()
            .ok_or(DecodeError::Missing("message"))?
            .check_wire(),
        None => Ok(()),
    }
);

impl Rpc {
    /// A request to publish `message` on `pubsub_topic`.
    pub fn request(request_id: String, pubsub_topic: String, message: WakuMessage) -> Self {
        Self {
            request_id,
            request: Some(Request {
                pubsub_topic,
                message: Some(message),
            }),
            response: None,
        }
    }

    /// An answer in nwaku's form, with a false `is_success` written out.
    pub fn answer(request_id: String, is_success: bool, info: Option<String>) -> Self {
        Self {
            request_id,
            request: None,
            response: Some(Response {
                is_success: Some(is_success),
                info,
            }),
        }
    }
}
