//! The bytes of an open socket, as libp2p reads and writes them.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::{AsyncRead, AsyncWrite, FutureExt};
use gloo_timers::future::{TimeoutFuture, sleep};
use send_wrapper::SendWrapper;

use super::socket::{Socket, State, Waiter};

/// Bytes handed to the browser and not yet taken by the network, from which on writers wait.
pub const HIGH_WATER: u32 = 256 * 1024;

/// Bytes in a message, at most: small enough that a link's other streams need not wait long behind one.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// How often a waiting writer asks whether the network has taken something. At 256 KiB in hand, this allows 25 MB/s.
const DRAIN_INTERVAL: Duration = Duration::from_millis(10);

/// An open connection. It ends with an [`io::Error`] whose inner error is [`Closed`](super::Closed) or
/// [`Fault`](super::Fault), never with an end of file; what came before the end can still be read.
#[derive(Debug)]
pub struct Connection(SendWrapper<Inner>);

#[derive(Debug)]
struct Inner {
    socket: Socket,
    /// The message that is being read, and how much of it has been.
    message: Vec<u8>,
    read: usize,
    /// Runs while a writer waits for the network. If that writer gives up, it fires once more, for nothing.
    drain: Option<TimeoutFuture>,
}

impl Connection {
    pub(super) fn new(socket: Socket) -> Self {
        Self(SendWrapper::new(Inner {
            socket,
            message: Vec::new(),
            read: 0,
            drain: None,
        }))
    }

    /// Bytes that were written and that the network has not taken yet.
    pub fn buffered_amount(&self) -> u32 {
        self.0.socket.buffered()
    }
}

impl Inner {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.read == self.message.len() {
            let Some(next) = self.socket.next_message() else {
                if let State::Ended(end) = self.socket.state() {
                    return Poll::Ready(Err(end.into()));
                }
                // An idle connection keeps no buffer.
                self.message = Vec::new();
                self.read = 0;
                self.socket.wait(Waiter::Reader, cx);
                return Poll::Pending;
            };
            self.message = next.to_vec();
            self.read = 0;
        }
        let rest = &self.message[self.read..];
        let taken = rest.len().min(buf.len());
        buf[..taken].copy_from_slice(&rest[..taken]);
        self.read += taken;
        Poll::Ready(Ok(taken))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.writable()?;
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(self.poll_drained(cx));
        let taken = buf.len().min(MAX_MESSAGE);
        if self.socket.send(&buf[..taken]) {
            return Poll::Ready(Ok(taken));
        }
        // The browser has begun to close, and reports the end in a moment.
        self.socket.wait(Waiter::Writer, cx);
        Poll::Pending
    }

    /// Ready while the browser has less than [`HIGH_WATER`] in hand.
    fn poll_drained(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.socket.buffered() >= HIGH_WATER {
            self.socket.wait(Waiter::Writer, cx);
            ready!(
                self.drain
                    .get_or_insert_with(|| sleep(DRAIN_INTERVAL))
                    .poll_unpin(cx)
            );
            self.drain = None;
        }
        self.drain = None;
        Poll::Ready(())
    }

    fn writable(&self) -> io::Result<()> {
        match self.socket.state() {
            State::Connecting | State::Open => Ok(()),
            State::Ended(end) => Err(end.into()),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().0.poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().0.poll_write(cx, buf)
    }

    /// Done at once: everything that was written is the browser's already.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.get_mut().0.writable())
    }

    /// Begins the closing handshake after what was written, and is done at once: the browser makes the handshake by itself,
    /// and with a silent remote takes a minute for it.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.socket.close();
        Poll::Ready(Ok(()))
    }
}
