//! Filter pushes: reads frame after frame of every stream that a server opens to us, and has the hub judge each.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::AsyncWriteExt;
use libp2p::PeerId;

use super::now;
use crate::manager::{ConnId, Outcome};
use crate::node::config::FILTER;
use crate::node::driver::{Done, Driver};
use crate::node::event::LogLevel;
use crate::node::framed::read_frame_within;
use crate::node::streams::Stream;
use crate::protocols::filter::hub::{Admission, Push};
use crate::protocols::filter::push::MessagePush;

/// A frame that has begun is whole within this time: servers themselves give up after 20 seconds (filter.md, section 4).
const FRAME_TIME: Duration = Duration::from_secs(20);
/// What unfinished frames of one connection may hold together, beside the largest message.
const MAX_UNFINISHED: usize = 2 * 1024 * 1024;
/// What goes around a message in a frame (filter.md, section 2).
const OVERHEAD: usize = 64 * 1024;
/// Push streams of somebody whom we never asked, until it answers for them.
const MAX_STRANGE: u8 = 10;

/// The push streams of one connection.
#[derive(Debug, Default)]
pub(in crate::node::driver) struct Pushing {
    /// Bytes of frames that are not whole.
    unfinished: Arc<AtomicUsize>,
    /// Streams that were refused because nothing was ever asked for there.
    strange: u8,
}

impl Pushing {
    /// One more stream of somebody whom we never asked. Whether it answers for that now.
    fn is_stranger(&mut self) -> bool {
        self.strange = self.strange.saturating_add(1);
        self.strange == MAX_STRANGE
    }
}

/// A frame, and the stream for the next one.
pub(in crate::node) struct Frame {
    conn: ConnId,
    peer: PeerId,
    frame: io::Result<Option<Vec<u8>>>,
    stream: Stream,
}

impl Driver {
    /// Takes a push stream of a server that was asked for something, and resets any other.
    pub(in crate::node::driver) fn accept_push(&mut self, conn: ConnId, stream: Stream) {
        let Some(peer) = self.connections.peer(conn) else {
            return;
        };
        match self.filter.hub.may_push(now(), &peer) {
            Admission::Welcome => self.read_push(conn, peer, stream),
            Admission::Refused => {}
            Admission::Stranger => {
                if self
                    .connections
                    .pushing(conn)
                    .is_some_and(Pushing::is_stranger)
                {
                    self.report(peer, FILTER, Outcome::Fault, true);
                }
            }
        }
    }

    /// Reads one frame. At the end of the stream it closes our side too: nwaku keeps one stream open for all messages,
    /// go-waku opens one for each, and a stream that we never close counts against our bound (filter.md, section 2).
    fn read_push(&mut self, conn: ConnId, peer: PeerId, mut stream: Stream) {
        let Some(pushing) = self.connections.pushing(conn) else {
            return;
        };
        let unfinished = pushing.unfinished.clone();
        let limit = self.setup.max_message_bytes + OVERHEAD;
        self.spawn(async move {
            let held = Held::new(unfinished, limit);
            let grow = |bytes| held.grow(bytes);
            let frame = read_frame_within(&mut stream, limit, FRAME_TIME, &grow).await;
            drop(held);
            if matches!(frame, Ok(None)) {
                // The peer is done with the stream; so are we, whatever becomes of the goodbye.
                let _ = stream.close().await;
            }
            Done::Push(Frame {
                conn,
                peer,
                frame,
                stream,
            })
        });
    }

    pub(in crate::node::driver) fn on_push(&mut self, push: Frame) {
        let Frame {
            conn,
            peer,
            frame,
            stream,
        } = push;
        let now = now();
        let bytes = match frame {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return,
            Err(error) => {
                match error.kind() {
                    // Over the limit, or not a length: its own words. Dropping the stream resets it.
                    io::ErrorKind::InvalidData => self.report(peer, FILTER, Outcome::Fault, true),
                    // Our bounds in bytes and time.
                    io::ErrorKind::QuotaExceeded | io::ErrorKind::TimedOut => {
                        self.filter.hub.lost_bytes(now, &peer);
                    }
                    _ => {}
                }
                return;
            }
        };
        let Ok(push) = MessagePush::decode(&bytes) else {
            self.report(peer, FILTER, Outcome::Fault, true);
            return;
        };
        if self.sends.has_echo(&push, peer) {
            self.outlet.notify();
        }
        match self.filter.hub.pushed(now, &peer, push, bytes.len()) {
            Push::Deliver(delivery) => self.deliver(vec![*delivery]),
            Push::Held | Push::Dropped | Push::Unrequested => {}
            Push::Stranger | Push::OverBudget => {
                self.log(
                    LogLevel::Debug,
                    "filter",
                    format_args!("{peer}: push refused"),
                );
                return;
            }
        }
        self.read_push(conn, peer, stream);
    }

    /// More push streams at once than the bound allows: what they held is lost, and the user is told, once for all.
    pub(in crate::node::driver) fn push_overflowed(&mut self, peer: PeerId) {
        self.filter.hub.lost_bytes(now(), &peer);
    }
}

/// The bytes of one unfinished frame, given back with it.
struct Held {
    all: Arc<AtomicUsize>,
    mine: AtomicUsize,
    limit: usize,
}

impl Held {
    fn new(all: Arc<AtomicUsize>, limit: usize) -> Self {
        Self {
            all,
            mine: AtomicUsize::new(0),
            limit,
        }
    }

    /// Whether there is room for more. One frame always has room.
    fn grow(&self, bytes: usize) -> bool {
        self.mine.fetch_add(bytes, Ordering::Relaxed);
        let all = self.all.fetch_add(bytes, Ordering::Relaxed) + bytes;
        all <= MAX_UNFINISHED.max(self.limit)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mine = self.mine.load(Ordering::Relaxed);
        self.all.fetch_sub(mine, Ordering::Relaxed);
    }
}
