//! Yamux, bounded: the streams of a connection.
//!
//! - Inbound streams wait in order until they are negotiated, and are reset beyond [`MAX_INBOUND`] at once. The bound is no
//!   limit of what may come in one burst: whoever reads makes room.
//! - What a peer sent and nobody has read costs at most [`UNREAD_LIMIT`], over all streams: then nothing more is read
//!   from the connection until some of it is taken or its stream is dropped.
//! - A goodbye of the peer's ([`Goodbye`]) is told apart from a connection that broke.
//! - A close of ours is over after [`CLOSE_TIMEOUT`], whatever the other side does.
//!
//! What a peer that opens all streams and stalls can make us hold, at most 4 MiB: 1 MiB unread, 2 MiB in negotiation (128
//! streams of [`MAX_NEGOTIATING`], each with a line of 16 KiB, the longest that multistream-select 0.14 takes) and less
//! than 1 KiB for the state of each stream.

mod meter;

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::io;
use std::iter;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{AsyncRead, AsyncWrite};
use libp2p::core::UpgradeInfo;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};

use self::meter::{Meter, Metered};
use super::platform;

/// Inbound streams that may be open at once: go-waku opens one for each message, hundreds at once towards a page that was
/// frozen.
pub const MAX_INBOUND: usize = 1_280;

/// Inbound streams that negotiate at once; the others wait.
pub const MAX_NEGOTIATING: usize = 128;

/// Streams at which yamux itself gives the connection up: a peer that has been reset that often does not listen.
const MAX_STREAMS: usize = 2_048;

/// What a stream may have on its way to us (libp2p-basics.md, section 5). It never grows, so no frame is longer.
const WINDOW: usize = yamux::DEFAULT_CREDIT as usize;

/// Bytes that a peer sent and nobody has read.
pub const UNREAD_LIMIT: usize = 1024 * 1024;

/// How long a close waits until the goodbye is written.
pub const CLOSE_TIMEOUT: Duration = Duration::from_millis(500);

/// The peer ended the connection in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the peer said goodbye")]
pub struct Goodbye;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// In order.
    #[error("{0}")]
    Goodbye(#[source] Goodbye),
    /// It broke, or the peer broke the protocol.
    #[error("{0}")]
    Yamux(#[source] yamux::ConnectionError),
}

/// Makes yamux the multiplexer of a connection; see the [module](self).
#[derive(Debug, Clone, Copy, Default)]
pub struct Config;

impl Config {
    fn start<C: AsyncRead + AsyncWrite + Unpin>(io: C, mode: yamux::Mode) -> Muxer<C> {
        let mut config = yamux::Config::default();
        config.set_max_num_streams(MAX_STREAMS);
        config.set_max_connection_receive_window(Some(MAX_STREAMS * WINDOW));
        let meter = Meter::default();
        Muxer {
            connection: yamux::Connection::new(Metered::new(io, meter.clone()), config, mode),
            meter,
            inbound: VecDeque::new(),
            waker: None,
            closing: None,
        }
    }
}

impl UpgradeInfo for Config {
    type Info = &'static str;
    type InfoIter = iter::Once<&'static str>;
    fn protocol_info(&self) -> Self::InfoIter {
        iter::once("/yamux/1.0.0")
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> InboundConnectionUpgrade<C> for Config {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Muxer<C>>>;
    fn upgrade_inbound(self, io: C, _: &'static str) -> Self::Future {
        ready(Ok(Self::start(io, yamux::Mode::Server)))
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> OutboundConnectionUpgrade<C> for Config {
    type Output = Muxer<C>;
    type Error = io::Error;
    type Future = Ready<io::Result<Muxer<C>>>;
    fn upgrade_outbound(self, io: C, _: &'static str) -> Self::Future {
        ready(Ok(Self::start(io, yamux::Mode::Client)))
    }
}

/// A connection and its streams.
pub struct Muxer<C> {
    connection: yamux::Connection<Metered<C>>,
    meter: Meter,
    /// Streams that the peer opened and nobody has taken yet, within [`MAX_INBOUND`].
    inbound: VecDeque<Substream>,
    waker: Option<Waker>,
    /// Runs from the order to close.
    closing: Option<BoxFuture<'static, ()>>,
}

impl<C> Muxer<C> {
    fn error(&self, error: yamux::ConnectionError) -> Error {
        if self.meter.said_goodbye() {
            return Error::Goodbye(Goodbye);
        }
        Error::Yamux(error)
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> StreamMuxer for Muxer<C> {
    type Substream = Substream;
    type Error = Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Substream, Error>> {
        if let Some(stream) = self.inbound.pop_front() {
            return Poll::Ready(Ok(stream));
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Substream, Error>> {
        let opened = std::task::ready!(self.connection.poll_new_outbound(cx));
        Poll::Ready(match opened {
            Ok(stream) => Ok(Substream::new(stream, &self.meter, false)),
            Err(error) => Err(self.error(error)),
        })
    }

    /// Ends with the goodbye written or without: whoever closes has no more to say to a peer that does not read.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.connection.poll_close(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let timer = self
            .closing
            .get_or_insert_with(|| platform::sleep(CLOSE_TIMEOUT));
        timer.as_mut().poll(cx).map(Ok)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Error>> {
        let opened = match std::task::ready!(self.connection.poll_next_inbound(cx)) {
            Some(Ok(stream)) => Substream::new(stream, &self.meter, true),
            Some(Err(error)) => return Poll::Ready(Err(self.error(error))),
            None => return Poll::Ready(Err(self.error(yamux::ConnectionError::Closed))),
        };
        // One too many is dropped, which resets it.
        if self.meter.inbound() <= MAX_INBOUND {
            self.inbound.push_back(opened);
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
        // There may be more; the streams that have come are looked at between.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// One stream. Dropping it without closing resets it.
pub struct Substream {
    stream: yamux::Stream,
    meter: Meter,
    inbound: bool,
}

impl Substream {
    fn new(stream: yamux::Stream, meter: &Meter, inbound: bool) -> Self {
        meter.opened(stream.id().val(), inbound);
        Self {
            stream,
            meter: meter.clone(),
            inbound,
        }
    }
}

impl Drop for Substream {
    fn drop(&mut self) {
        self.meter.dropped(self.stream.id().val(), self.inbound);
    }
}

impl AsyncRead for Substream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.meter.taken(self.stream.id().val(), read);
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for Substream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
