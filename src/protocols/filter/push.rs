//! What a filter server sends to us, without an answer.

use crate::protocols::codec::{DecodeError, Kind, wire};
use crate::protocols::message::{self, WakuMessage};

/// Most bytes of a frame that we read, without the prefix: a message of the default network and what goes around it.
/// With another limit on messages, that limit plus the same 64 KiB.
pub const MAX_FRAME: usize = message::MAX_SIZE + 64 * 1024;

/// One message of a subscription.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct MessagePush {
    /// The message.
    #[prost(message, optional, tag = "1")]
    pub waku_message: Option<WakuMessage>,
    /// The shard that it came from; both servers always set it.
    #[prost(string, optional, tag = "2")]
    pub pubsub_topic: Option<String>,
}

wire!(
    MessagePush,
    &[(1, Kind::Message(message::FIELDS)), (2, Kind::Bytes)],
    |push| {
        push.waku_message
            .as_ref()
            .ok_or(DecodeError::Missing("waku_message"))?
            .check_wire()
    }
);
