//! Filter pushes: reads frame after frame of every stream that a server opens to us, and hands out what was asked for.

use libp2p::PeerId;

use super::{Done, Driver};
use crate::manager::{ConnId, Outcome};
use crate::node::config::FILTER;
use crate::node::event::{GapCause, LogLevel, NodeEvent};
use crate::node::filter::Delivery;
use crate::node::framed::read_frame;
use crate::node::platform;
use crate::node::streams::Stream;
use crate::protocols::filter::push::{MAX_FRAME, MessagePush};

/// A frame, and the stream for the next one.
pub(super) struct Frame {
    peer: PeerId,
    frame: std::io::Result<Option<Vec<u8>>>,
    stream: Stream,
}

/// Reads one frame. At the end of the stream it closes our side too: nwaku keeps one stream open for all messages, go-waku
/// opens one for each, and a stream that we never close counts against our bound (filter.md, section 2).
async fn next_frame(peer: PeerId, mut stream: Stream) -> Done {
    let frame = read_frame(&mut stream, MAX_FRAME).await;
    if matches!(frame, Ok(None)) {
        // The peer is done with the stream; so are we, whatever becomes of the goodbye.
        let _ = futures::AsyncWriteExt::close(&mut stream).await;
    }
    Done::Push(Frame {
        peer,
        frame,
        stream,
    })
}

impl Driver {
    pub(super) fn accept_push(&mut self, conn: ConnId, stream: Stream) {
        if let Some(connection) = self.connections.get(conn) {
            self.tasks
                .push(Box::pin(next_frame(connection.peer, stream)));
        }
    }

    pub(super) fn on_push(&mut self, push: Frame) {
        let Frame {
            peer,
            frame,
            stream,
        } = push;
        let bytes = match frame {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return,
            Err(error) => {
                if error.kind() == std::io::ErrorKind::InvalidData {
                    self.report(peer, FILTER, Outcome::Fault, true);
                }
                return;
            }
        };
        let Ok(push) = MessagePush::decode(&bytes) else {
            // Dropping the stream resets it.
            self.report(peer, FILTER, Outcome::Fault, true);
            return;
        };
        let now = platform::now().mono_ms;
        match self.subscriptions.accept(&self.network, peer, push, now) {
            Delivery::To(subscriptions, received) => {
                for id in subscriptions {
                    self.emit(NodeEvent::Message(id, received.clone()));
                }
            }
            Delivery::Dropped => {}
            Delivery::Unwanted(what) => {
                self.log(LogLevel::Warn, "filter", format!("{peer}: {what}"));
                self.report(peer, FILTER, Outcome::Fault, true);
            }
        }
        self.tasks.push(Box::pin(next_frame(peer, stream)));
    }

    /// More pushes at once than the bound allows: what they held is lost, and the user is told.
    pub(super) fn push_overflowed(&mut self, peer: PeerId) {
        let content_topics = self.subscriptions.topics_from(peer);
        if !content_topics.is_empty() {
            let now = platform::now().wall_ms;
            self.emit(NodeEvent::Gap {
                content_topics,
                from_ms: now,
                to_ms: now,
                cause: GapCause::Overflow,
            });
        }
    }
}
