//! Reads along what comes in on a connection, to know how much of each stream is unread and whether the peer said goodbye.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use futures::{AsyncRead, AsyncWrite};
use litemap::LiteMap;

use super::{UNREAD_LIMIT, WINDOW};

/// Size of a yamux header (libp2p-basics.md, section 5).
const HEADER: usize = 12;
/// Its types, in the second byte.
const DATA: u8 = 0;
const WINDOW_UPDATE: u8 = 1;
const GO_AWAY: u8 = 3;
/// The flag of a frame that opens a stream, in the fourth byte.
const SYN: u8 = 1;

/// What is unread, shared by a connection and its streams.
#[derive(Debug, Clone, Default)]
pub(super) struct Meter(Arc<Mutex<Tally>>);

#[derive(Debug, Default)]
struct Tally {
    /// Unread bytes of each stream that we know.
    streams: LiteMap<u32, usize>,
    /// Their sum.
    unread: usize,
    /// Inbound streams that are held by somebody.
    inbound: usize,
    goodbye: bool,
    /// Who waits for room.
    reader: Option<Waker>,
}

impl Tally {
    fn release(&mut self, bytes: usize) -> Option<Waker> {
        self.unread -= bytes;
        (self.unread < UNREAD_LIMIT).then(|| self.reader.take())?
    }
}

impl Meter {
    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0
            .lock()
            .expect("nothing panics while it holds a tally")
    }

    /// Whether the peer ended the connection in order.
    pub(super) fn said_goodbye(&self) -> bool {
        self.lock().goodbye
    }

    /// Inbound streams that are open.
    pub(super) fn inbound(&self) -> usize {
        self.lock().inbound
    }

    /// Bytes that were received and that nobody has read.
    #[cfg(all(test, not(target_arch = "wasm32")))]
    pub(super) fn unread(&self) -> usize {
        self.lock().unread
    }

    pub(super) fn opened(&self, stream: u32, inbound: bool) {
        let mut tally = self.lock();
        tally.streams.try_insert(stream, 0);
        tally.inbound += usize::from(inbound);
    }

    pub(super) fn taken(&self, stream: u32, bytes: usize) {
        let mut tally = self.lock();
        let Some(unread) = tally.streams.get_mut(&stream) else {
            return;
        };
        let bytes = bytes.min(*unread);
        *unread -= bytes;
        let waker = tally.release(bytes);
        drop(tally);
        waker.into_iter().for_each(Waker::wake);
    }

    pub(super) fn dropped(&self, stream: u32, inbound: bool) {
        let mut tally = self.lock();
        tally.inbound -= usize::from(inbound);
        let unread = tally.streams.remove(&stream).unwrap_or(0);
        let waker = tally.release(unread);
        drop(tally);
        waker.into_iter().for_each(Waker::wake);
    }
}

/// The bytes beneath yamux.
///
/// What came before the end of a connection is read before that end is told: a write that fails waits for the reader, who
/// may still find messages and the goodbye.
pub(super) struct Metered<C> {
    io: C,
    meter: Meter,
    header: [u8; HEADER],
    filled: usize,
    /// The stream whose data comes, and how much of the frame is to come.
    body: (u32, usize),
    /// How writing failed: from then on, what is written goes nowhere.
    failed: Option<io::Error>,
}

impl<C> Metered<C> {
    pub(super) fn new(io: C, meter: Meter) -> Self {
        Self {
            io,
            meter,
            header: [0; HEADER],
            filled: 0,
            body: (0, 0),
            failed: None,
        }
    }

    fn note(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let meter = self.meter.clone();
        let mut tally = meter.lock();
        while !bytes.is_empty() {
            let (stream, left) = self.body;
            if left > 0 {
                let here = left.min(bytes.len());
                self.body.1 -= here;
                bytes = &bytes[here..];
                // What comes for a stream that was dropped, yamux drops too.
                if let Some(unread) = tally.streams.get_mut(&stream) {
                    *unread += here;
                    tally.unread += here;
                }
                continue;
            }
            let here = (HEADER - self.filled).min(bytes.len());
            self.header[self.filled..self.filled + here].copy_from_slice(&bytes[..here]);
            self.filled += here;
            bytes = &bytes[here..];
            if self.filled < HEADER {
                break;
            }
            self.filled = 0;
            let [_, kind, _, flags, a, b, c, d, e, f, g, h] = self.header;
            let (stream, length) = (u32::from_be_bytes([a, b, c, d]), [e, f, g, h]);
            let length = u32::from_be_bytes(length) as usize;
            if matches!(kind, DATA | WINDOW_UPDATE) && flags & SYN != 0 {
                tally.streams.try_insert(stream, 0);
            }
            match kind {
                // yamux makes room for a frame when it is announced.
                DATA if length > WINDOW => return Err(io::ErrorKind::InvalidData.into()),
                DATA => self.body = (stream, length),
                // Any other code than 0 is a complaint.
                GO_AWAY => tally.goodbye = length == 0,
                _ => {}
            }
        }
        Ok(())
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Metered<C> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        {
            let mut tally = self.meter.lock();
            if tally.unread >= UNREAD_LIMIT {
                tally.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        let read = match Pin::new(&mut self.io).poll_read(cx, buf) {
            Poll::Ready(read) => read?,
            Poll::Pending => {
                return self
                    .failed
                    .take()
                    .map_or(Poll::Pending, |error| Poll::Ready(Err(error)));
            }
        };
        self.note(&buf[..read])?;
        Poll::Ready(Ok(read))
    }
}

impl<C: AsyncWrite + Unpin> Metered<C> {
    /// Keeps an error for the reader.
    fn defer<T>(&mut self, result: io::Result<T>, nowhere: T) -> io::Result<T> {
        Ok(result.unwrap_or_else(|error| {
            self.failed = Some(error);
            nowhere
        }))
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Metered<C> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.failed.is_some() {
            return Poll::Ready(Ok(buf.len()));
        }
        let result = std::task::ready!(Pin::new(&mut self.io).poll_write(cx, buf));
        Poll::Ready(self.defer(result, buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.failed.is_some() {
            return Poll::Ready(Ok(()));
        }
        let result = std::task::ready!(Pin::new(&mut self.io).poll_flush(cx));
        Poll::Ready(self.defer(result, ()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_close(cx)
    }
}
