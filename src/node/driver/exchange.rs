//! One request frame, one answer frame, a deadline.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures::AsyncWriteExt;

use crate::node::framed::{read_frame, write_frame};
use crate::node::platform;
use crate::node::streams::{OpenError, Stream};

/// How an exchange ended.
#[derive(Debug)]
pub(in crate::node) enum Exchange {
    /// The answer.
    Answer(Vec<u8>),
    /// The stream could not be opened.
    NotOpened(OpenError),
    /// No answer before the deadline.
    TimedOut,
    /// The answer is longer than allowed, or its length is malformed.
    Malformed,
    /// The peer closed the stream without an answer.
    Ended,
    /// The stream broke before an answer came.
    Broken,
}

/// Writes one frame, closes our side and reads one frame (libp2p-basics.md, section 1).
///
/// It does not wait for the end of the stream: go-waku leaves it open after an error.
pub(in crate::node) async fn exchange(
    mut stream: Stream,
    request: Vec<u8>,
    limit: usize,
    timeout: Duration,
) -> Exchange {
    let talk = async {
        write_frame(&mut stream, &request).await?;
        stream.close().await?;
        read_frame(&mut stream, limit).await
    };
    match within(timeout, talk).await {
        None => Exchange::TimedOut,
        Some(Ok(Some(answer))) => Exchange::Answer(answer),
        Some(Ok(None)) => Exchange::Ended,
        Some(Err(error)) if error.kind() == io::ErrorKind::InvalidData => Exchange::Malformed,
        Some(Err(_)) => Exchange::Broken,
    }
}

/// `None` when the time ran out first.
pub(crate) async fn within<T>(timeout: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut timer = platform::sleep(timeout);
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => timer.as_mut().poll(cx).map(|()| None),
    })
    .await
}
