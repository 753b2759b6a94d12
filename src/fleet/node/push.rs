//! Filter push to one peer: one stream that is kept open, frame after frame on it, as nwaku does (filter.md, section 2).

use std::{future::Future, io, sync::Arc, time::Duration};

use futures::{AsyncReadExt, FutureExt};
use libp2p::{PeerId, StreamProtocol};
use tokio::sync::{mpsc, oneshot};

use super::peers::StreamOrder;
use crate::{
    fleet::{
        events::{EventKind, FleetEvent},
        network::Published,
        services::Site,
    },
    node::{framed::write_frame, streams::Stream},
    protocols::ids,
};

/// Messages that wait for a peer that reads slowly; more are dropped.
const QUEUE: usize = 256;

/// How long a push may take (filter.md, section 4).
const TIMEOUT: Duration = Duration::from_secs(20);

/// The way to a peer's pump, which ends when this is dropped.
pub(crate) type PushQueue = mpsc::Sender<Arc<Published>>;

/// A queue, and the task that empties it.
pub(crate) fn pump(
    peer: PeerId,
    site: Arc<Site>,
    streams: mpsc::Sender<StreamOrder>,
) -> (PushQueue, impl Future<Output = ()> + Send + 'static) {
    let (queue, waiting) = mpsc::channel(QUEUE);
    (
        queue,
        Pump {
            peer,
            site,
            streams,
            stream: None,
        }
        .run(waiting),
    )
}

struct Pump {
    peer: PeerId,
    site: Arc<Site>,
    streams: mpsc::Sender<StreamOrder>,
    stream: Option<Stream>,
}

impl Pump {
    async fn run(mut self, mut waiting: mpsc::Receiver<Arc<Published>>) {
        while let Some(published) = waiting.recv().await {
            let result = match tokio::time::timeout(TIMEOUT, self.push(&published)).await {
                Ok(result) => result,
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            };
            let detail = match result {
                Ok(()) => published.hash.to_string(),
                Err(error) => {
                    self.stream = None;
                    format!("failed: {error}")
                }
            };
            let event = FleetEvent::new(&self.site.name, EventKind::Push).peer(&self.peer);
            self.site
                .events
                .emit(event.protocol(ids::FILTER_PUSH).detail(detail));
        }
    }

    async fn push(&mut self, published: &Published) -> io::Result<()> {
        let frame = &published.push_frame;
        if let Some(stream) = &mut self.stream
            && still_open(stream)
        {
            return write_frame(stream, frame).await;
        }
        let mut stream = self.open().await?;
        write_frame(&mut stream, frame).await?;
        self.stream = Some(stream);
        Ok(())
    }

    /// Takes itself exclusively because streams cannot be shared between threads.
    async fn open(&mut self) -> io::Result<Stream> {
        let (reply, stream) = oneshot::channel();
        let order = StreamOrder {
            peer: self.peer,
            protocol: StreamProtocol::new(ids::FILTER_PUSH),
            reply,
        };
        let gone = || io::Error::from(io::ErrorKind::NotConnected);
        self.streams.send(order).await.map_err(|_| gone())?;
        stream.await.map_err(|_| gone())?.map_err(io::Error::other)
    }
}

/// Whether the peer has neither closed nor reset the stream, and has sent nothing, which it must not.
fn still_open(stream: &mut Stream) -> bool {
    // Reading waits for as long as the stream is open both ways.
    stream.read(&mut [0]).now_or_never().is_none()
}
