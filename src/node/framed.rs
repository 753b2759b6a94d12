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
        _ => rest(stream, first[0], limit, |_| true).await.map(Some),
    }
}

/// The same for a stream that may idle for ever between frames: once one has begun, it has to be whole in time. `grow`
/// says whether there is room for so many bytes more.
///
/// # Errors
/// As [`read_frame`]; `TimedOut`, and `QuotaExceeded` when there is no room.
pub(crate) async fn read_frame_within<S: AsyncRead + Unpin>(
    stream: &mut S,
    limit: usize,
    time: Duration,
    grow: impl Fn(usize) -> bool,
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
    grow: impl Fn(usize) -> bool,
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
