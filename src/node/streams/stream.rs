//! A stream that counts against a bound for as long as it lives.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::task::AtomicWaker;
use futures::{AsyncRead, AsyncWrite};

use crate::node::platform;

/// A bounded number of places, shared by the handler and the streams that took one.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    shared: Arc<Shared>,
    max: usize,
}

#[derive(Debug, Default)]
struct Shared {
    used: AtomicUsize,
    /// Who waits for a place to be given back.
    waiting: AtomicWaker,
}

impl Slots {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            shared: Arc::default(),
            max,
        }
    }

    /// Takes a place, if there is one.
    pub(crate) fn take(&self) -> Option<Slot> {
        self.shared
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                (used < self.max).then_some(used + 1)
            })
            .ok()
            .map(|_| Slot(self.shared.clone()))
    }

    /// Wakes the task of `cx` when a place is given back. To be called before looking for one, so that none is missed.
    pub(crate) fn listen(&self, cx: &Context<'_>) {
        self.shared.waiting.register(cx.waker());
    }

    /// Whether no place is taken.
    pub(crate) fn all_free(&self) -> bool {
        self.shared.used.load(Ordering::Acquire) == 0
    }
}

/// A place taken; given back on drop.
#[derive(Debug)]
pub struct Slot(Arc<Shared>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.used.fetch_sub(1, Ordering::AcqRel);
        self.0.waiting.wake();
    }
}

/// When bytes last came from the peer of a connection, shared by the behaviour, the handler and the streams.
#[derive(Debug, Clone)]
pub(crate) struct Heard(Arc<AtomicU64>);

impl Heard {
    /// A connection that was just made: its handshake is a sign of life.
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(platform::mono_ms())))
    }

    pub(crate) fn note(&self) {
        self.0.store(platform::mono_ms(), Ordering::Relaxed);
    }

    pub(crate) fn since(&self) -> Duration {
        let then = self.0.load(Ordering::Relaxed);
        Duration::from_millis(platform::mono_ms().saturating_sub(then))
    }
}

/// An open stream. Dropping it without closing resets it, and gives its place back.
#[derive(Debug)]
pub struct Stream {
    inner: libp2p::Stream,
    heard: Heard,
    _slot: Slot,
}

impl Stream {
    pub(crate) fn new(inner: libp2p::Stream, heard: Heard, slot: Slot) -> Self {
        Self {
            inner,
            heard,
            _slot: slot,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        if read > 0 {
            self.heard.note();
        }
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}
