//! Lightpush: asking a relay node to publish one message. nwaku speaks version 3 and still version 2, go-waku only 2.

pub mod v2;
pub mod v3;

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
