//! Lightpush: asking a relay node to publish one message. nwaku speaks version 3 and still version 2, go-waku only 2.

pub mod sending;
pub mod v2;
pub mod v3;

use core::time::Duration;

use super::message::{MessageError, WakuMessage};
use super::verdict::{ExactClass, IdEcho, Retry, Ruling, ShowCaller};

/// Most bytes of an answer that we read, without the prefix.
pub const MAX_RESPONSE: usize = 64 * 1024;
/// Most bytes of a request that a server of ours reads, without the prefix: a message and what goes around it.
pub const MAX_REQUEST: usize = super::message::MAX_SIZE + 64 * 1024;

/// A server took the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// How many relay peers the server says it handed the message to; absent when it does not say. A claim, not a
    /// proof.
    pub relay_peers: Option<u32>,
}

/// Why a request may not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Both versions of ours name the shard: the one form that every server takes.
    #[error("pubsub topic is missing")]
    NoPubsubTopic,
    /// Nothing to publish.
    #[error("message is missing")]
    NoMessage,
    /// The message breaks a rule.
    #[error(transparent)]
    Message(#[from] MessageError),
}

fn check(
    pubsub_topic: &str,
    message: Option<&WakuMessage>,
    limit: usize,
) -> Result<(), RequestError> {
    if pubsub_topic.trim().is_empty() {
        return Err(RequestError::NoPubsubTopic);
    }
    message
        .ok_or(RequestError::NoMessage)?
        .check_outgoing(limit)?;
    Ok(())
}

/// The class of a status of version 3, to which version 2's texts are mapped. `text` may be in any case.
fn classify(status: u32, text: &str, relay_peers: Option<u32>, id: IdEcho) -> Ruling {
    const NO_RELAY_PEERS: Ruling = Ruling::new(
        ExactClass::NoRelayPeers,
        Retry::Other,
        ShowCaller::WhenExhausted,
    );
    const TOO_LARGE: Ruling = Ruling::new(ExactClass::TooLarge, Retry::None, ShowCaller::Yes);
    if !id.fits(status == 200) {
        return Ruling::FAULT;
    }
    let text = text.to_lowercase();
    match status {
        200 => match relay_peers {
            // nwaku's own client reads it so.
            Some(0) => NO_RELAY_PEERS,
            Some(_) => Ruling::OK,
            None => Ruling::new(ExactClass::OkUnknownCount, Retry::None, ShowCaller::No),
        },
        // A server that echoes the id understood the request: another one will say the same. One that did not read it
        // may be an old one.
        400 if id == IdEcho::Same => {
            Ruling::new(ExactClass::BadRequest, Retry::None, ShowCaller::Yes)
        }
        413 => TOO_LARGE,
        420 if text.contains("size exceeded") => TOO_LARGE,
        420 if text.contains("pubsub topic must be specified") => {
            Ruling::new(ExactClass::NeedTopic, Retry::SameWithTopic, ShowCaller::No)
        }
        420 => {
            // The proof or the clock is ours, unless the server says that the proof is its own.
            let retry = if text.contains("server proof") {
                Retry::OtherOnce
            } else {
                Retry::None
            };
            Ruling::new(ExactClass::InvalidMessage, retry, ShowCaller::Yes)
        }
        421 => Ruling::new(
            ExactClass::UnsupportedShard,
            Retry::Other,
            ShowCaller::WhenExhausted,
        ),
        429 => Ruling::new(
            ExactClass::RateLimited,
            Retry::OtherOrSameAfter(Duration::from_secs(1)),
            ShowCaller::WhenExhausted,
        ),
        400..=499 => Ruling::new(ExactClass::BadRequest, Retry::OtherOnce, ShowCaller::Yes),
        503 | 505 => NO_RELAY_PEERS,
        504 => Ruling::new(
            ExactClass::ServerQuota,
            Retry::Other,
            ShowCaller::WhenExhausted,
        ),
        _ => Ruling::SERVER_ERROR,
    }
}
