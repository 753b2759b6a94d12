//! Length-prefixed frames on a stream: `protocols::frame` where there is a stream to read from and to write to.

use std::io;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::driver::within;
use crate::protocols::frame::{self, MAX_PREFIX};

/// How far a buffer grows ahead of what has come: the announced length is only an announcement.
const AHEAD: usize = 4 * 1024;

/// Reads one frame of at most `limit` bytes. `None`: the stream ended before a frame began.
///
/// # Errors
/// `UnexpectedEof` inside a frame, `InvalidData` for a length over the limit or not a minimal varint, and whatever the
/// stream reports.
pub async fn read_frame<S: AsyncRead + Unpin>(
    stream: &mut S,
    limit: usize,
) -> io::Result<Option<Vec<u8>>> {
    let mut first = [0];
    match stream.read(&mut first).await? {
        0 => Ok(None),
        _ => rest(stream, first[0], limit, &|_| true).await.map(Some),
    }
}

/// Whether there is room for so many bytes more.
pub(crate) type Room<'a> = dyn Fn(usize) -> bool + Send + Sync + 'a;

/// The same for a stream that may idle for ever between frames: once one has begun, it has to be whole in time. `grow`
/// says whether there is room for so many bytes more.
///
/// # Errors
/// As [`read_frame`]; `TimedOut`, and `QuotaExceeded` when there is no room.
pub(crate) async fn read_frame_within<S: AsyncRead + Unpin>(
    stream: &mut S,
    limit: usize,
    time: Duration,
    grow: &Room<'_>,
) -> io::Result<Option<Vec<u8>>> {
    let mut first = [0];
    if stream.read(&mut first).await? == 0 {
        return Ok(None);
    }
    match within(time, rest(stream, first[0], limit, grow)).await {
        Some(frame) => frame.map(Some),
        None => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// What follows the first byte of a frame.
async fn rest<S: AsyncRead + Unpin>(
    stream: &mut S,
    first: u8,
    limit: usize,
    grow: &Room<'_>,
) -> io::Result<Vec<u8>> {
    let mut prefix = [first; MAX_PREFIX];
    let mut used = 1;
    let length = loop {
        let decoded = frame::decode_prefix(&prefix[..used], limit)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if let Some((length, _)) = decoded {
            break length;
        }
        // Byte by byte, because what follows the frame is another reader's. A whole prefix decodes or is refused.
        stream.read_exact(&mut prefix[used..=used]).await?;
        used += 1;
    };
    let mut frame = Vec::new();
    let mut filled = 0;
    while filled < length {
        if filled == frame.len() {
            // Twice what has come, at most: a long frame is not copied at each step.
            let more = AHEAD.max(filled).min(length - filled);
            if !grow(more) {
                return Err(io::ErrorKind::QuotaExceeded.into());
            }
            frame.resize(filled + more, 0);
        }
        match stream.read(&mut frame[filled..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    Ok(frame)
}

/// Writes one frame and flushes.
///
/// # Errors
/// Whatever the stream reports.
pub async fn write_frame<S: AsyncWrite + Unpin>(stream: &mut S, message: &[u8]) -> io::Result<()> {
    // One write, so that a small request is one message of the multiplexer and of the WebSocket.
    stream.write_all(&frame::encode(message)).await?;
    stream.flush().await
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use futures::FutureExt;

    use super::*;

    /// Gives these bytes, few at a time, then nothing more, and notes how much room it was offered at most.
    struct Source {
        bytes: Vec<u8>,
        at: usize,
        step: usize,
        room: usize,
    }

    impl Source {
        fn new(bytes: Vec<u8>, step: usize) -> Self {
            Self {
                bytes,
                at: 0,
                step,
                room: 0,
            }
        }
    }

    impl AsyncRead for Source {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            self.room = self.room.max(buf.len());
            let count = (self.bytes.len() - self.at).min(buf.len()).min(self.step);
            if count == 0 {
                return Poll::Pending;
            }
            buf[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
            self.at += count;
            Poll::Ready(Ok(count))
        }
    }

    #[test]
    fn an_announced_length_costs_nothing_until_bytes_come() {
        // 16 MiB, of which ten bytes come.
        let mut source = Source::new(
            vec![0x80, 0x80, 0x80, 0x08, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
            3,
        );
        let read = read_frame(&mut source, 16 << 20).now_or_never();
        assert!(read.is_none(), "{read:?}");
        assert_eq!((source.at, source.room), (14, AHEAD));
    }

    #[test]
    fn a_long_frame_comes_whole_in_whatever_pieces() {
        let message: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        for step in [1, 777, AHEAD, 1 << 20] {
            let mut bytes = frame::encode(&message);
            bytes.extend(frame::encode(b"next"));
            let mut source = Source::new(bytes, step);
            let first = read_frame(&mut source, 1 << 20).now_or_never();
            assert_eq!(first.unwrap().unwrap().unwrap(), message, "step {step}");
            let next = read_frame(&mut source, 1 << 20).now_or_never();
            assert_eq!(next.unwrap().unwrap().unwrap(), b"next", "step {step}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_runs_from_the_first_byte() {
        let second = Duration::from_secs(1);
        let mut idle = Source::new(Vec::new(), 1);
        let waiting = read_frame_within(&mut idle, 100, second, &|_| true);
        let waited = tokio::time::timeout(1_000 * second, waiting).await;
        assert!(waited.is_err(), "an idle stream waits");
        for begun in [vec![0x80], vec![5, 1, 2]] {
            let mut stuck = Source::new(begun, 1);
            let read = read_frame_within(&mut stuck, 1 << 20, second, &|_| true);
            let error = tokio::time::timeout(2 * second, read)
                .await
                .expect("an end");
            assert_eq!(error.unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
    }

    #[test]
    fn a_frame_without_room_is_given_up() {
        let mut source = Source::new(frame::encode(&[7; 10_000]), 1 << 20);
        let read = read_frame_within(&mut source, 1 << 20, Duration::from_secs(1), &|bytes| {
            bytes < 4_000
        });
        let error = read.now_or_never().unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded);
    }
}
