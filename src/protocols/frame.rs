//! Frames: an unsigned varint length, then that many bytes. All Waku protocols use them.

use super::varint::{self, VarintError};

/// Most bytes of a length prefix: four give 256 MiB, far above every limit here. More are refused unread.
pub const MAX_PREFIX: usize = 4;

/// Why a stream of frames can't be read on. None of these can be recovered from: reset the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length prefix has more than four bytes.
    #[error("length prefix over 4 bytes")]
    PrefixTooLong,
    /// The length prefix has a shorter form.
    #[error("length prefix not minimal")]
    PrefixNotMinimal,
    /// The frame is above the reader's limit.
    #[error("frame of {len} bytes is over the limit of {limit}")]
    TooLarge {
        /// Length that the prefix announces, in bytes.
        len: usize,
        /// The reader's limit, in bytes.
        limit: usize,
    },
    /// The stream ended inside a frame.
    #[error("stream ended inside a frame")]
    Truncated,
}

/// `message` with its length in front.
pub fn encode(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + MAX_PREFIX);
    varint::encode(message.len() as u64, &mut out);
    out.extend_from_slice(message);
    out
}

/// The length prefix at the front of `bytes`: the announced length and how many bytes the prefix took, or `None` when
/// more bytes are needed. Refuses a length over `limit` before anybody allocates for it.
pub fn decode_prefix(bytes: &[u8], limit: usize) -> Result<Option<(usize, usize)>, FrameError> {
    let prefix = &bytes[..bytes.len().min(MAX_PREFIX)];
    match varint::decode(prefix) {
        Ok((len, used)) => {
            let len = usize::try_from(len).expect("four varint bytes hold 28 bits");
            if len > limit {
                return Err(FrameError::TooLarge { len, limit });
            }
            Ok(Some((len, used)))
        }
        Err(VarintError::NotMinimal) => Err(FrameError::PrefixNotMinimal),
        Err(_) if prefix.len() == MAX_PREFIX => Err(FrameError::PrefixTooLong),
        Err(_) => Ok(None),
    }
}

/// Cuts a stream of bytes, in whatever pieces it comes, into frames.
///
/// Holds what was pushed and not yet taken, and never allocates for a length that was only announced. Take every frame
/// after each [`push`](Self::push), and the memory stays below the limit plus one piece.
#[derive(Debug)]
pub struct FrameDecoder {
    limit: usize,
    buffer: Vec<u8>,
    /// Bytes at the front of `buffer` that were handed out already.
    taken: usize,
    failed: Option<FrameError>,
}

impl FrameDecoder {
    /// A decoder that refuses frames over `limit` bytes (without the prefix).
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            buffer: Vec::new(),
            taken: 0,
            failed: None,
        }
    }

    /// Adds bytes of the stream. After an error they are ignored.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.buffer.drain(..self.taken);
            self.taken = 0;
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next whole frame, or `None` when more bytes are needed. A frame may be empty: that is an empty message. The
    /// first error is final and comes again at each later call.
    pub fn next_frame(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let pending = &self.buffer[self.taken..];
        match decode_prefix(pending, self.limit) {
            Ok(Some((len, used))) if pending.len() >= used + len => {
                let frame = pending[used..used + len].to_vec();
                self.taken += used + len;
                Ok(Some(frame))
            }
            Ok(_) => Ok(None),
            Err(error) => {
                self.failed = Some(error);
                self.buffer = Vec::new();
                self.taken = 0;
                Err(error)
            }
        }
    }

    /// Says whether the stream may end here: an error when it stands inside a frame.
    pub fn finish(&self) -> Result<(), FrameError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.taken < self.buffer.len() => Err(FrameError::Truncated),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_frame_is_an_empty_message() {
        let mut decoder = FrameDecoder::new(10);
        decoder.push(&[0, 1, 7]);
        assert_eq!(decoder.next_frame(), Ok(Some(vec![])));
        assert_eq!(decoder.next_frame(), Ok(Some(vec![7])));
        assert_eq!(decoder.next_frame(), Ok(None));
        assert_eq!(decoder.finish(), Ok(()));
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_its_bytes_come() {
        let mut decoder = FrameDecoder::new(300);
        decoder.push(&[0xad, 0x02]);
        let error = FrameError::TooLarge {
            len: 301,
            limit: 300,
        };
        assert_eq!(decoder.next_frame(), Err(error));
        decoder.push(&[0]);
        assert_eq!(decoder.next_frame(), Err(error), "an error is final");
    }

    #[test]
    fn a_prefix_over_four_bytes_is_refused() {
        let mut decoder = FrameDecoder::new(usize::MAX);
        decoder.push(&[0x80, 0x80, 0x80]);
        assert_eq!(decoder.next_frame(), Ok(None));
        decoder.push(&[0x80]);
        assert_eq!(decoder.next_frame(), Err(FrameError::PrefixTooLong));
    }

    #[test]
    fn a_prefix_that_is_not_minimal_is_refused() {
        let mut decoder = FrameDecoder::new(10);
        decoder.push(&[0x81, 0x00, 0x00]);
        assert_eq!(decoder.next_frame(), Err(FrameError::PrefixNotMinimal));
    }

    #[test]
    fn a_stream_that_ends_inside_a_frame_is_an_error() {
        let mut decoder = FrameDecoder::new(10);
        decoder.push(&[2, 1]);
        assert_eq!(decoder.next_frame(), Ok(None));
        assert_eq!(decoder.finish(), Err(FrameError::Truncated));
    }
}
