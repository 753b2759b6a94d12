//! A stream that counts against a bound for as long as it lives.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use futures::{AsyncRead, AsyncWrite};

/// A bounded number of places, shared by the handler and the streams that took one.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    shared: Arc<Shared>,
    max: usize,
}

#[derive(Debug, Default)]
struct Shared {
    used: AtomicUsize,
    /// Who waits for the last place to be given back.
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

    /// Whether no place is taken. If one is, the task is woken once that has changed.
    pub(crate) fn all_free(&self, cx: &Context<'_>) -> bool {
        // Registered before the look, so that a place given back between the two is not missed.
        self.shared.waiting.register(cx.waker());
        self.shared.used.load(Ordering::Acquire) == 0
    }
}

/// A place taken; given back on drop.
#[derive(Debug)]
pub struct Slot(Arc<Shared>);

impl Drop for Slot {
    fn drop(&mut self) {
        if self.0.used.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.waiting.wake();
        }
    }
}

/// An open stream. Dropping it without closing resets it, and gives its place back.
#[derive(Debug)]
pub struct Stream {
    inner: libp2p::Stream,
    _slot: Slot,
}

impl Stream {
    pub(crate) fn new(inner: libp2p::Stream, slot: Slot) -> Self {
        Self { inner, _slot: slot }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
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
