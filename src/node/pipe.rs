//! A pipe in memory that holds only so much, for the tests of what lies above a connection.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures::{AsyncRead, AsyncWrite};

/// One direction of a pipe.
#[derive(Default)]
struct Lane {
    bytes: VecDeque<u8>,
    room: usize,
    /// Nothing comes any more.
    ended: bool,
    /// Nobody reads any more: writes fail.
    broken: bool,
    wakers: Vec<Waker>,
}

impl Lane {
    fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }
}

/// One end of a pipe.
#[derive(Clone)]
pub(super) struct Pipe {
    incoming: Arc<Mutex<Lane>>,
    outgoing: Arc<Mutex<Lane>>,
}

/// Both ends of a pipe that holds so many bytes each way.
pub(super) fn pipe(room: usize) -> (Pipe, Pipe) {
    let lane = || {
        Arc::new(Mutex::new(Lane {
            room,
            ..Lane::default()
        }))
    };
    let (a, b) = (lane(), lane());
    let end = |incoming: &Arc<Mutex<Lane>>, outgoing: &Arc<Mutex<Lane>>| Pipe {
        incoming: incoming.clone(),
        outgoing: outgoing.clone(),
    };
    (end(&a, &b), end(&b, &a))
}

impl Pipe {
    /// Nothing more is written.
    pub(super) fn end(&self) {
        let mut lane = self.outgoing.lock().unwrap();
        lane.ended = true;
        lane.wake();
    }

    /// The other side can write no more.
    pub(super) fn refuse(&self) {
        let mut lane = self.incoming.lock().unwrap();
        lane.broken = true;
        lane.wake();
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut lane = self.incoming.lock().unwrap();
        let count = buf.len().min(lane.bytes.len());
        if count == 0 && !lane.ended {
            lane.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        for (to, from) in buf.iter_mut().zip(lane.bytes.drain(..count)) {
            *to = from;
        }
        lane.wake();
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut lane = self.outgoing.lock().unwrap();
        if lane.broken {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = buf.len().min(lane.room - lane.bytes.len());
        if count == 0 {
            lane.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        lane.bytes.extend(&buf[..count]);
        lane.wake();
        Poll::Ready(Ok(count))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outgoing.lock().unwrap().broken {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Poll::Ready(Ok(()))
    }
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end();
        Poll::Ready(Ok(()))
    }
}

#[cfg(feature = "fleet")]
impl Pipe {
    /// Bytes that were written here and not read at the other end.
    pub(super) fn on_its_way(&self) -> usize {
        self.outgoing.lock().unwrap().bytes.len()
    }
}
