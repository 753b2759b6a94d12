//! `/ipfs/ping/1.0.0`: 32 random bytes, echoed (libp2p-basics.md, section 7).
//!
//! Our pings share one stream for as long as the peer keeps it open: with a ping every few seconds, opening one for each
//! would be most of the traffic. A peer that closes it after each echo, as nwaku does, gets a fresh one each time.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use libp2p::{Stream, StreamProtocol};
use web_time::Instant;

use super::OpenError;
use super::stream::Heard;
use crate::node::platform;

/// The protocol's id.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/ping/1.0.0");

/// The size of a ping.
const SIZE: usize = 32;

/// How a ping ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PingEnd {
    /// It came back, after this round trip.
    Pong(Duration),
    /// The peer does not speak ping, and said so: it lives.
    Heard,
    /// It did not come back in time, or came back wrong.
    Failed,
}

/// What is to be done for our pings.
#[derive(Debug)]
pub(super) enum Step {
    /// Open a stream.
    Open,
    /// Report a ping.
    Ended(u32, PingEnd),
}

/// Our pings on one connection: one at a time.
#[derive(Default)]
pub(super) struct Pings {
    stream: Kept,
    order: Option<Order>,
}

/// A ping under way.
struct Order {
    number: u32,
    /// Runs once, over opening a stream and the echo.
    timer: BoxFuture<'static, ()>,
    /// Whether its stream was opened for it, and not kept from another: then one that breaks is not tried again.
    fresh: bool,
}

/// The stream.
#[derive(Default)]
enum Kept {
    #[default]
    None,
    /// On its way, for whatever ping there is when it comes.
    Opening,
    Idle(Stream),
    Echoing(BoxFuture<'static, io::Result<(Duration, Stream)>>),
}

impl Pings {
    /// Begins a ping. One that is under way is given up, and nothing is said of it.
    pub(super) fn order(&mut self, number: u32, timeout: Duration) -> Option<Step> {
        self.order = Some(Order {
            number,
            timer: platform::sleep(timeout),
            fresh: false,
        });
        match std::mem::take(&mut self.stream) {
            Kept::Idle(stream) => {
                self.stream = Kept::Echoing(Box::pin(send(stream)));
                None
            }
            Kept::Opening => {
                self.stream = Kept::Opening;
                self.expect_fresh();
                None
            }
            // The echo of another would come first.
            Kept::Echoing(_) | Kept::None => self.open(),
        }
    }

    fn expect_fresh(&mut self) {
        if let Some(order) = &mut self.order {
            order.fresh = true;
        }
    }

    fn open(&mut self) -> Option<Step> {
        self.expect_fresh();
        self.stream = Kept::Opening;
        Some(Step::Open)
    }

    fn end(&mut self, end: PingEnd) -> Option<Step> {
        let order = self.order.take()?;
        Some(Step::Ended(order.number, end))
    }

    /// A stream that we asked for is open.
    pub(super) fn opened(&mut self, stream: Stream) {
        self.stream = match self.order {
            Some(_) => Kept::Echoing(Box::pin(send(stream))),
            None => Kept::Idle(stream),
        };
    }

    /// A stream that we asked for could not be opened.
    pub(super) fn not_opened(&mut self, error: OpenError) -> Option<Step> {
        self.stream = Kept::None;
        match error {
            OpenError::Unsupported => self.end(PingEnd::Heard),
            // It was asked for by an earlier ping: this one has its own time.
            OpenError::Timeout if self.order.is_some() => self.open(),
            _ => self.end(PingEnd::Failed),
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>, heard: &Heard) -> Option<Step> {
        match &mut self.stream {
            Kept::Idle(stream) => {
                // An end of the stream, or what nobody asked for.
                if Pin::new(stream).poll_read(cx, &mut [0]).is_ready() {
                    self.stream = Kept::None;
                }
            }
            Kept::Echoing(echo) => match echo.as_mut().poll(cx) {
                Poll::Ready(Ok((rtt, stream))) => {
                    heard.note();
                    self.stream = Kept::Idle(stream);
                    return self.end(PingEnd::Pong(rtt));
                }
                Poll::Ready(Err(_)) => {
                    self.stream = Kept::None;
                    let kept = self.order.as_ref().is_some_and(|order| !order.fresh);
                    return if kept {
                        self.open()
                    } else {
                        self.end(PingEnd::Failed)
                    };
                }
                Poll::Pending => {}
            },
            Kept::None | Kept::Opening => {}
        }
        let order = self.order.as_mut()?;
        if order.timer.as_mut().poll(cx).is_pending() {
            return None;
        }
        if let Kept::Echoing(_) = self.stream {
            self.stream = Kept::None;
        }
        self.end(PingEnd::Failed)
    }
}

/// Sends one ping and waits for its echo. Gives the stream back for the next.
async fn send(mut stream: Stream) -> io::Result<(Duration, Stream)> {
    let mut sent = [0; SIZE];
    getrandom::fill(&mut sent).map_err(io::Error::other)?;
    let begin = Instant::now();
    stream.write_all(&sent).await?;
    stream.flush().await?;
    let mut received = [0; SIZE];
    stream.read_exact(&mut received).await?;
    if received != sent {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok((begin.elapsed(), stream))
}

/// Answers pings until the peer closes the stream.
pub(super) async fn answer(mut stream: Stream, heard: Heard) -> io::Result<()> {
    let mut buffer = [0; SIZE];
    loop {
        match stream.read_exact(&mut buffer).await {
            Ok(()) => heard.note(),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return stream.close().await;
            }
            Err(error) => return Err(error),
        }
        stream.write_all(&buffer).await?;
        stream.flush().await?;
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// The next step, now or when its time has come.
    async fn next(pings: &mut Pings, heard: &Heard) -> Step {
        poll_fn(|cx| pings.poll(cx, heard).map_or(Poll::Pending, Poll::Ready)).await
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_a_ping_runs_once_over_all_of_it() {
        let (mut pings, heard) = (Pings::default(), Heard::new());
        let begin = tokio::time::Instant::now();
        let first = pings.order(1, Duration::from_secs(3));
        assert!(matches!(first, Some(Step::Open)));
        let end = next(&mut pings, &heard).await;
        assert!(matches!(end, Step::Ended(1, PingEnd::Failed)));
        assert_eq!(begin.elapsed().as_secs(), 3, "virtual time");
        // The stream is still on its way, and serves the next ping: a silent peer costs one stream, not one a ping.
        assert!(pings.order(2, Duration::from_secs(3)).is_none());
        // Its own opening times out when the second has just begun: that one asks anew.
        let again = pings.not_opened(OpenError::Timeout);
        assert!(matches!(again, Some(Step::Open)));
        let end = next(&mut pings, &heard).await;
        assert!(matches!(end, Step::Ended(2, PingEnd::Failed)));
    }

    #[tokio::test]
    async fn a_refusal_is_a_sign_of_life() {
        let mut pings = Pings::default();
        pings.order(7, Duration::from_secs(3));
        let end = pings.not_opened(OpenError::Unsupported);
        assert!(matches!(end, Some(Step::Ended(7, PingEnd::Heard))));
        // Without a ping there is nothing to say.
        assert!(pings.not_opened(OpenError::Unsupported).is_none());
    }
}
