//! Length-prefixed frames on a stream (libp2p-basics.md, section 1).

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A length takes at most 4 bytes: longer ones are refused before anything is compared or allocated.
const MAX_PREFIX: usize = 4;

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
    let mut used = 0;
    let length = loop {
        if used == MAX_PREFIX {
            return Err(invalid("frame length takes more than 4 bytes"));
        }
        let read = stream.read(&mut prefix[used..=used]).await?;
        if read == 0 {
            return if used == 0 {
                Ok(None)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
        used += 1;
        if prefix[used - 1] & 0x80 == 0 {
            let (length, _) = unsigned_varint::decode::usize(&prefix[..used])
                .map_err(|_| invalid("frame length is not a minimal varint"))?;
            break length;
        }
    };
    if length > limit {
        return Err(invalid("frame over the limit"));
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await?;
    Ok(Some(frame))
}

/// Writes one frame and flushes.
///
/// # Errors
/// Whatever the stream reports.
pub async fn write_frame<S: AsyncWrite + Unpin>(stream: &mut S, frame: &[u8]) -> io::Result<()> {
    let mut prefix = unsigned_varint::encode::usize_buffer();
    let prefix = unsigned_varint::encode::usize(frame.len(), &mut prefix);
    // One write, so that a small request is one message of the multiplexer and of the WebSocket.
    let mut bytes = Vec::with_capacity(prefix.len() + frame.len());
    bytes.extend_from_slice(prefix);
    bytes.extend_from_slice(frame);
    stream.write_all(&bytes).await?;
    stream.flush().await
}

fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
