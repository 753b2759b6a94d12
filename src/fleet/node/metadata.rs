//! The metadata request that a node sends on every new connection.

use std::{io, time::Duration};

use futures::AsyncWriteExt;
use libp2p::{PeerId, swarm::ConnectionId};
use tokio::sync::oneshot;

use crate::{
    fleet::services::metadata::of_node,
    node::{
        framed::{read_frame, write_frame},
        streams::{OpenError, Stream},
    },
    protocols::metadata::{MAX_FRAME, Metadata, Standing, interpret},
};

/// How long a peer may take, from the request for a stream to the answer. nwaku waits for longer, but holds the rest of
/// its set-up meanwhile; ours leaves soon enough to be noticed.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How asking went.
pub(super) struct Asked {
    pub(super) peer: PeerId,
    pub(super) connection: ConnectionId,
    pub(super) result: Result<(), Unfit>,
}

/// Why a peer is left.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    #[error("no answer in time")]
    TimedOut,
    #[error("no metadata stream: {0}")]
    NoStream(#[from] OpenError),
    #[error("metadata stream failed: {0}")]
    Broken(#[from] io::Error),
    #[error("metadata undecodable")]
    Undecodable,
    #[error("no cluster given")]
    NoCluster,
    #[error("of cluster {0}")]
    OtherCluster(u32),
}

/// Asks one peer.
pub(super) async fn ask(
    peer: PeerId,
    connection: ConnectionId,
    cluster: u16,
    stream: oneshot::Receiver<Result<Stream, OpenError>>,
) -> Asked {
    let result = tokio::time::timeout(TIMEOUT, exchange(cluster, stream)).await;
    Asked {
        peer,
        connection,
        result: result.unwrap_or(Err(Unfit::TimedOut)),
    }
}

async fn exchange(
    cluster: u16,
    stream: oneshot::Receiver<Result<Stream, OpenError>>,
) -> Result<(), Unfit> {
    let gone = || io::Error::from(io::ErrorKind::NotConnected);
    let mut stream = stream.await.map_err(|_| gone())??;
    write_frame(&mut stream, &of_node(cluster).encode()).await?;
    stream.close().await?;
    let answer = read_frame(&mut stream, MAX_FRAME).await?;
    let answer = answer.ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?;
    let answer = Metadata::decode(&answer).map_err(|_| Unfit::Undecodable)?;
    match interpret(cluster, &answer) {
        Standing::Same { .. } => Ok(()),
        Standing::Other { cluster_id } => Err(Unfit::OtherCluster(cluster_id)),
        Standing::Unknown => Err(Unfit::NoCluster),
    }
}
