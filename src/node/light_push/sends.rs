//! What is remembered of the messages that we send.

use libp2p::PeerId;

use super::confirm::Echoes;
use super::sent::Sent;
use crate::protocols::filter::push::MessagePush;

/// A clock that was set back by more than this was wrong before. By less, it was read twice.
const SET_BACK_NS: i64 = 1_000_000_000;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(in crate::node) struct Sends {
    /// What was sent lately.
    pub(super) sent: Sent,
    /// What waits to be seen elsewhere.
    pub(super) echoes: Echoes,
    /// The last time that we gave to a message, in nanoseconds.
    last_stamp: i64,
}

impl Sends {
    /// A time in nanoseconds that no other message of this node has: equal messages with equal times would be one message
    /// to the network (message.md, section 8). It follows a clock that is set back, because servers refuse what is 20
    /// seconds off.
    pub(super) fn stamp(&mut self, now: i64) -> i64 {
        let last = self.last_stamp;
        self.last_stamp = if now > last || now < last.saturating_sub(SET_BACK_NS) {
            now
        } else {
            last + 1
        };
        self.last_stamp
    }

    /// A server pushed this. Whether somebody waits to see it elsewhere.
    pub(in crate::node) fn has_echo(&mut self, push: &MessagePush, from: PeerId) -> bool {
        if !self.echoes.wait() {
            return false;
        }
        let Some(message) = &push.waku_message else {
            return false;
        };
        let hash = message.hash(push.pubsub_topic());
        self.echoes.heard(&hash, from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_differ_and_follow_a_clock_that_is_set_back() {
        let mut sends = Sends::default();
        let hour = 3_600 * SET_BACK_NS;
        assert_eq!(sends.stamp(hour), hour);
        assert_eq!(sends.stamp(hour), hour + 1);
        assert_eq!(sends.stamp(hour - 5), hour + 2, "read again");
        let back = hour - 60 * SET_BACK_NS;
        assert_eq!(sends.stamp(back), back, "it was a minute ahead");
        assert_eq!(sends.stamp(back), back + 1);
    }
}
