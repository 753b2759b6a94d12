//! What is done to a peer without being asked: pushes of all kinds, and identify pushes.

use std::{io, sync::Arc, time::Duration};

use futures::{AsyncReadExt, AsyncWriteExt, future::join_all};
use libp2p::{Multiaddr, PeerId, StreamProtocol};
use tokio::sync::{mpsc, oneshot};

use super::{
    HOLD, ID_PUSH,
    answers::prefix,
    control::{Control, Held, Pair},
    identify::{self, Card},
    script::Mischief,
};
use crate::{
    fleet::{network::now_ns, node::StreamOrder},
    node::{framed::write_frame, streams::Stream},
    protocols::{
        PubsubTopic, WakuMessage,
        filter::{MessagePush, push::MAX_FRAME},
        frame, ids,
    },
};

/// Bytes of small messages that are written at once.
const BATCH: usize = 64 * 1024;

/// How long the other side may take to end a stream that we have ended.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// A topic that nobody asks for.
const NEVER_ASKED: &str = "/lightkeeper/1/never-asked/proto";

/// One peer, and the ways to it.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) peer: PeerId,
    pub(super) remote: Multiaddr,
    pub(super) card: Card,
    pub(super) cluster: u16,
    pub(super) control: Arc<Control>,
    pub(super) streams: mpsc::Sender<StreamOrder>,
}

impl Target {
    /// Does it; `done` is told once everything is on its way, even when some of it failed.
    pub(super) async fn act(self, mischief: Mischief, done: oneshot::Sender<()>) {
        // What fails is the other side's defence.
        let _ = self.carry_out(mischief, done).await;
    }

    /// Does all of the script's mischief to a subscriber, again and again if it says so, while it is connected.
    pub(super) async fn haunt(self) {
        loop {
            let (all, again) = self
                .control
                .script(|script| (script.on_subscribe.clone(), script.again));
            for mischief in all {
                self.clone().act(mischief, oneshot::channel().0).await;
            }
            let Some(pause) = again else {
                return;
            };
            tokio::time::sleep(pause).await;
            if !self.control.connected().borrow().contains(&self.peer) {
                return;
            }
        }
    }

    async fn carry_out(&self, mischief: Mischief, done: oneshot::Sender<()>) -> io::Result<()> {
        match mischief {
            Mischief::Empty(count) => {
                let pair = self.asked_for();
                let frames = (0..count).map(|n| push_frame(&pair, n, Vec::new()));
                self.on_one_stream(frames).await
            }
            Mischief::NeverAsked(count) => {
                let pair = self.never_asked();
                let frames = (0..count).map(|n| push_frame(&pair, n, small(n)));
                self.on_one_stream(frames).await
            }
            Mischief::Large(size) => {
                let frame = push_frame(&self.asked_for(), 0, vec![7; size]);
                self.on_one_stream([frame]).await
            }
            Mischief::Flood(count) => {
                let pair = self.asked_for();
                let frames = (0..count).map(|n| push_frame(&pair, n, small(n)));
                self.on_one_stream(frames).await
            }
            Mischief::Singles(count) => {
                let pair = self.asked_for();
                let frames = (0..count).map(|n| push_frame(&pair, n, small(n)));
                join_all(frames.map(|frame| self.on_one_stream([frame]))).await;
                Ok(())
            }
            Mischief::Garbage => self.on_one_stream([vec![0xff; 4]]).await,
            Mischief::Frame(frame) => self.on_one_stream([frame]).await,
            Mischief::Half => {
                let frame = frame::encode(&push_frame(&self.asked_for(), 0, vec![7; 1000]));
                let stream = self.begun(&frame[..frame.len() / 2]).await?;
                let held = self.control.hold();
                let _ = done.send(());
                keep(stream, held).await;
                Ok(())
            }
            Mischief::Stall(count) => {
                let header = prefix(MAX_FRAME - 1);
                let begun = join_all((0..count).map(|_| self.begun(&header))).await;
                let begun = begun.into_iter().flatten();
                // Counted before it is told that they are there.
                let held: Vec<_> = begun.map(|s| (s, self.control.hold())).collect();
                let _ = done.send(());
                join_all(held.into_iter().map(|(stream, held)| keep(stream, held))).await;
                Ok(())
            }
            Mischief::IdentifyFrame(frame) => {
                let mut stream = self.open(ID_PUSH).await?;
                identify::write(&mut stream, &frame).await
            }
            Mischief::Identify { count, changing } => {
                for number in 0..count {
                    let more: Vec<String> = changing
                        .then(|| format!("/changed/{number}"))
                        .into_iter()
                        .collect();
                    let frame = self
                        .control
                        .script(|script| self.card.frame(script, &self.remote, &more));
                    let mut stream = self.open(ID_PUSH).await?;
                    // The next one may say it better.
                    let _ = identify::write(&mut stream, &frame).await;
                }
                Ok(())
            }
        }
    }

    /// A pair that the peer subscribed to, or else one that it did not.
    fn asked_for(&self) -> Pair {
        let ever = self.control.ever(&self.peer);
        ever.into_iter()
            .next()
            .unwrap_or_else(|| self.never_asked())
    }

    fn never_asked(&self) -> Pair {
        let shard = PubsubTopic {
            cluster: self.cluster,
            shard: 0,
        };
        (shard.to_string(), NEVER_ASKED.to_owned())
    }

    async fn open(&self, protocol: &'static str) -> io::Result<Stream> {
        let (reply, stream) = oneshot::channel();
        let order = StreamOrder {
            peer: self.peer,
            protocol: StreamProtocol::new(protocol),
            reply,
        };
        let gone = || io::Error::from(io::ErrorKind::NotConnected);
        self.streams.send(order).await.map_err(|_| gone())?;
        stream.await.map_err(|_| gone())?.map_err(io::Error::other)
    }

    /// A push stream with these bytes on it.
    async fn begun(&self, bytes: &[u8]) -> io::Result<Stream> {
        let mut stream = self.open(ids::FILTER_PUSH).await?;
        stream.write_all(bytes).await?;
        stream.flush().await?;
        Ok(stream)
    }

    /// Writes frames to one push stream, and ends it.
    async fn on_one_stream(&self, frames: impl IntoIterator<Item = Vec<u8>>) -> io::Result<()> {
        let mut stream = self.open(ids::FILTER_PUSH).await?;
        let mut batch = Vec::new();
        for push in frames {
            batch.extend(frame::encode(&push));
            if batch.len() >= BATCH {
                stream.write_all(&batch).await?;
                stream.flush().await?;
                batch.clear();
            }
        }
        stream.write_all(&batch).await?;
        finish(stream).await
    }
}

/// Pushes one message on a stream of its own, as go-waku does.
pub(super) async fn push_alone(target: Target, frame: Vec<u8>) {
    let result = async {
        let mut stream = target.open(ids::FILTER_PUSH).await?;
        write_frame(&mut stream, &frame).await?;
        finish(stream).await
    };
    // A push has no answer.
    let _: io::Result<()> = result.await;
}

/// Keeps a push stream open until the other side ends it.
async fn keep(mut stream: Stream, _held: Held<'_>) {
    let ended = async { while !matches!(stream.read(&mut [0; 64]).await, Ok(0) | Err(_)) {} };
    // What nobody ended by then is dropped.
    let _ = tokio::time::timeout(HOLD, ended).await;
}

/// Ends our side and waits for the end of theirs.
async fn finish(mut stream: Stream) -> io::Result<()> {
    stream.close().await?;
    let rest = async { while !matches!(stream.read(&mut [0; 64]).await, Ok(0) | Err(_)) {} };
    // Whether they end it does not change what was sent.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, rest).await;
    Ok(())
}

/// The push of a message of now; the number makes it another one than its siblings.
fn push_frame((shard, topic): &Pair, number: usize, payload: Vec<u8>) -> Vec<u8> {
    let message = WakuMessage::new(topic, payload, now_ns() + number as i64);
    MessagePush::new(shard.clone(), message).encode()
}

fn small(number: usize) -> Vec<u8> {
    (number as u64).to_be_bytes().to_vec()
}
