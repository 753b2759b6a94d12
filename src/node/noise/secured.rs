//! A connection whose handshake is done. Its bytes are cut into texts, each encrypted and behind its length.
//!
//! What is written is gathered until it fills a text or is flushed; what was encrypted goes out before more is. At most one
//! text each way is held, apart from what the connection below takes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};

use super::broken;
use super::handshake::{Cipher, Keys, TAG};

/// The length in front of a text.
const LENGTH: usize = 2;
/// What one text holds. The length allows for 65,519; go and Rust write a little less.
const MAX_TEXT: usize = 65_535 - 1_024;

/// An encrypted connection.
pub struct Secured<T> {
    pub(super) io: T,
    reader: Reader,
    writer: Writer,
}

struct Reader {
    cipher: Cipher,
    /// A length or a text while it comes in, and how much of it is there; then the text itself, and how much of it was read.
    buffer: Vec<u8>,
    at: usize,
    awaits: Awaits,
}

/// What the reader's buffer is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaits {
    Length,
    Text,
    Readers,
}

struct Writer {
    cipher: Cipher,
    /// Room for a length and what was written since the last text.
    open: Vec<u8>,
    /// An encrypted text, and how much of it the connection has taken.
    sealed: Vec<u8>,
    sent: usize,
}

impl<T> Secured<T> {
    pub(super) fn new(io: T, keys: Keys) -> Self {
        Self {
            io,
            reader: Reader {
                cipher: keys.theirs,
                buffer: vec![0; LENGTH],
                at: 0,
                awaits: Awaits::Length,
            },
            writer: Writer {
                cipher: keys.ours,
                open: Vec::new(),
                sealed: Vec::new(),
                sent: 0,
            },
        }
    }
}

impl Reader {
    fn await_length(&mut self) {
        // A text's memory is given back: most connections are idle most of the time.
        self.buffer = vec![0; LENGTH];
        self.at = 0;
        self.awaits = Awaits::Length;
    }

    /// A buffer is full.
    fn filled(&mut self) -> io::Result<()> {
        self.at = 0;
        if self.awaits == Awaits::Length {
            let length = u16::from_be_bytes([self.buffer[0], self.buffer[1]]);
            self.buffer = vec![0; length.into()];
            self.awaits = Awaits::Text;
        } else {
            self.cipher.decrypt(&[], &mut self.buffer)?;
            self.awaits = Awaits::Readers;
        }
        Ok(())
    }

    fn poll_read<T: AsyncRead + Unpin>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
        target: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let rest = &mut self.buffer[self.at..];
            if self.awaits == Awaits::Readers {
                if rest.is_empty() {
                    self.await_length();
                    continue;
                }
                let taken = rest.len().min(target.len());
                target[..taken].copy_from_slice(&rest[..taken]);
                self.at += taken;
                return Poll::Ready(Ok(taken));
            }
            if rest.is_empty() {
                self.filled()?;
                continue;
            }
            let came = ready!(Pin::new(&mut *io).poll_read(cx, rest))?;
            if came == 0 {
                // Between two texts is where a connection may end.
                let is_between = self.awaits == Awaits::Length && self.at == 0;
                return Poll::Ready(if is_between {
                    Ok(0)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                });
            }
            self.at += came;
        }
    }
}

impl Writer {
    fn room(&self) -> usize {
        (LENGTH + MAX_TEXT).saturating_sub(self.open.len().max(LENGTH))
    }

    /// Hands over what is encrypted.
    fn poll_sent<T: AsyncWrite + Unpin>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.sent < self.sealed.len() {
            let taken = ready!(Pin::new(&mut *io).poll_write(cx, &self.sealed[self.sent..]))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += taken;
        }
        self.sealed = Vec::new();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    /// Encrypts what was written, once the text before it is handed over.
    fn poll_sealed<T: AsyncWrite + Unpin>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_sent(io, cx))?;
        if self.open.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let mut text = std::mem::take(&mut self.open);
        let length = u16::try_from(text.len() - LENGTH + TAG);
        let length = length.map_err(|_| broken("a text that is too long"))?;
        text[..LENGTH].copy_from_slice(&length.to_be_bytes());
        self.cipher.encrypt(&[], &mut text, LENGTH)?;
        self.sealed = text;
        self.poll_sent(io, cx)
    }

    fn poll_write<T: AsyncWrite + Unpin>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.room() == 0 {
            ready!(self.poll_sealed(io, cx))?;
        }
        if self.open.is_empty() {
            self.open.resize(LENGTH, 0);
        }
        let taken = bytes.len().min(self.room());
        self.open.extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Secured<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.reader.poll_read(&mut this.io, cx, target)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Secured<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.writer.poll_write(&mut this.io, cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.writer.poll_sealed(&mut this.io, cx))?;
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.get_mut().io).poll_close(cx)
    }
}
