//! What a filter server sends to us, without an answer.

use crate::protocols::codec::{DecodeError, Kind, wire};
use crate::protocols::message::{self, MessageError, MessageHash, WakuMessage};
use crate::protocols::network::Network;

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

/// A push that may be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The hash by which copies from other servers are told.
    pub hash: MessageHash,
    /// The shard.
    pub pubsub_topic: String,
    /// The message.
    pub message: WakuMessage,
}

/// Why a push is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The message breaks a rule.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// Not a pair that we subscribed to at this server: a penalty.
    #[error("not subscribed to that topic")]
    Unrequested,
}

impl MessagePush {
    /// A push of `message` on `pubsub_topic`.
    pub fn new(pubsub_topic: String, message: WakuMessage) -> Self {
        Self {
            waku_message: Some(message),
            pubsub_topic: Some(pubsub_topic),
        }
    }

    /// Accepts a push from a server. `subscribed` says whether a pair of pubsub topic and content topic is one of ours
    /// at that server; the shard of a push that names none follows from the content topic. `limit` is the network's
    /// limit on the encoded message, in bytes.
    pub fn accept(
        self,
        network: &Network,
        limit: usize,
        subscribed: impl FnOnce(&str, &str) -> bool,
    ) -> Result<Received, PushError> {
        let message = self.waku_message.unwrap_or_default();
        message.check_incoming(limit)?;
        let pubsub_topic = match self.pubsub_topic {
            Some(topic) => topic,
            None => network
                .shard_of(message.content_topic(), None)
                .map_err(|_| PushError::Unrequested)?
                .to_string(),
        };
        if !subscribed(&pubsub_topic, message.content_topic()) {
            return Err(PushError::Unrequested);
        }
        Ok(Received {
            hash: message.hash(&pubsub_topic),
            pubsub_topic,
            message,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "/toychat/2/huilong/proto";
    const SHARD: &str = "/waku/2/rs/1/3";

    fn accept(push: MessagePush) -> Result<Received, PushError> {
        let network = Network::auto(1, 8).unwrap();
        push.accept(&network, message::MAX_SIZE, |shard, topic| {
            shard == SHARD && topic == TOPIC
        })
    }

    #[test]
    fn a_push_of_a_subscribed_pair_is_delivered_with_its_hash() {
        let message = WakuMessage::new(TOPIC, vec![1], 7);
        let received = accept(MessagePush::new(SHARD.into(), message.clone())).unwrap();
        assert_eq!(received.hash, message.hash(SHARD));
        assert_eq!(received.message, message);
    }

    #[test]
    fn a_push_without_a_shard_is_on_the_content_topics_shard() {
        let mut push = MessagePush::new(SHARD.into(), WakuMessage::new(TOPIC, vec![1], 7));
        push.pubsub_topic = None;
        assert_eq!(accept(push).unwrap().pubsub_topic, SHARD);
    }

    #[test]
    fn a_push_that_nobody_asked_for_is_refused() {
        let message = WakuMessage::new(TOPIC, vec![1], 7);
        assert_eq!(
            accept(MessagePush::new("/waku/2/rs/1/4".into(), message)),
            Err(PushError::Unrequested)
        );
        let message = WakuMessage::new("/other/1/a/b", vec![1], 7);
        assert_eq!(
            accept(MessagePush::new(SHARD.into(), message)),
            Err(PushError::Unrequested)
        );
    }

    #[test]
    fn a_push_of_a_message_against_the_rules_is_refused() {
        let message = WakuMessage::new(TOPIC, vec![], 7);
        assert_eq!(
            accept(MessagePush::new(SHARD.into(), message)),
            Err(PushError::Message(MessageError::EmptyPayload))
        );
    }
}
