//! `/ipfs/ping/1.0.0`: 32 random bytes, echoed (libp2p-basics.md, section 7).

use std::io;
use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::{Stream, StreamProtocol};
use web_time::Instant;

use crate::node::driver::within;

/// The protocol's id.
pub(crate) const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/ping/1.0.0");

/// The size of a ping.
const SIZE: usize = 32;

/// Sends one ping on a fresh stream and waits for its echo.
///
/// A stream of its own for each ping: they are a minute apart, and a stream that idles is one that servers reset.
pub(crate) async fn send(mut stream: Stream, timeout: Duration) -> io::Result<Duration> {
    let mut sent = [0; SIZE];
    getrandom::fill(&mut sent).map_err(io::Error::other)?;
    let exchange = async {
        let begin = Instant::now();
        stream.write_all(&sent).await?;
        stream.flush().await?;
        let mut received = [0; SIZE];
        stream.read_exact(&mut received).await?;
        let rtt = begin.elapsed();
        if received != sent {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // Best effort: the echo is what counts.
        let _ = stream.close().await;
        Ok(rtt)
    };
    within(timeout, exchange)
        .await
        .unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
}

/// Answers pings until the peer closes the stream.
pub(crate) async fn answer(mut stream: Stream) -> io::Result<()> {
    let mut buffer = [0; SIZE];
    loop {
        match stream.read_exact(&mut buffer).await {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return stream.close().await;
            }
            Err(error) => return Err(error),
        }
        stream.write_all(&buffer).await?;
        stream.flush().await?;
    }
}
