//! Length-prefixed frames on a stream: `protocols::frame` where there is a stream to read from and to write to.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::protocols::frame::{self, MAX_PREFIX};

/// Reads one frame of at most `limit` bytes. `None`: the stream ended before a frame began.
///
/// # Errors
/// `UnexpectedEof` inside a frame, `InvalidData` for a length over the limit or not a minimal varint, and whatever the
/// stream reports.
pub async fn read_frame<S: AsyncRead + Unpin>(
    stream: &mut S,
    limit: usize,
) -> io::Result<Option<Vec<u8>>> {
    let mut prefix = [0; MAX_PREFIX];
    // Byte by byte, because what follows the frame is another reader's.
    for used in 0..MAX_PREFIX {
        if stream.read(&mut prefix[used..=used]).await? == 0 {
            return match used {
                0 => Ok(None),
                _ => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        let decoded = frame::decode_prefix(&prefix[..=used], limit)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if let Some((length, _)) = decoded {
            let mut frame = vec![0; length];
            stream.read_exact(&mut frame).await?;
            return Ok(Some(frame));
        }
    }
    unreachable!("a whole prefix decodes or is refused")
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
