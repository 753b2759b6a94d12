//! Of which network a peer is, and which shards it has: asked of every new connection, and told to whoever asks
//! (metadata.md).

use std::time::Duration;

use super::exchange::{Exchange, exchange, within};
use super::{Done, Driver, Purpose};
use crate::manager::{ConnId, Event, Metadata};
use crate::node::framed::{read_frame, write_frame};
use crate::node::streams::{OpenError, Stream};
use crate::protocols::{ids, metadata};

/// How long a peer may take to answer (metadata.md, section 5).
const TIMEOUT: Duration = Duration::from_secs(5);
/// When a peer that did not answer is asked again (metadata.md, section 6).
const RETRY: Duration = Duration::from_secs(10);

/// How a connection was asked.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// It did not answer once already.
    again: bool,
}

impl Driver {
    pub(super) fn ask_metadata(&mut self, conn: ConnId) {
        self.open_for(conn, &[ids::METADATA], Purpose::Metadata(conn));
    }

    /// The stream for the question is open.
    pub(super) fn question_metadata(&mut self, conn: ConnId, stream: Stream) {
        let ours = metadata::Metadata::light(self.setup.network.cluster()).encode();
        self.spawn(async move {
            let limit = metadata::MAX_FRAME;
            Done::Metadata(conn, exchange(stream, ours, limit, TIMEOUT).await)
        });
    }

    pub(super) fn on_metadata(&mut self, conn: ConnId, answer: Exchange) {
        let cluster = self.setup.network.cluster();
        let shards = self.setup.network.shards();
        let Some(asked) = self.connections.metadata(conn) else {
            return;
        };
        let metadata = match answer {
            Exchange::Answer(bytes) => match metadata::Metadata::decode(&bytes)
                .map(|answer| metadata::interpret(cluster, &answer))
            {
                Ok(metadata::Standing::Same { shards: theirs }) => {
                    // An empty list means unknown (metadata.md, section 5).
                    if theirs.is_empty() || theirs.iter().any(|shard| shards.contains(shard)) {
                        Metadata::Matched { shards: theirs }
                    } else {
                        Metadata::OtherShards { shards: theirs }
                    }
                }
                Ok(metadata::Standing::Other { .. }) => Metadata::OtherNetwork,
                Err(_) => Metadata::Faulty,
                Ok(metadata::Standing::Unknown) => Metadata::Unsupported,
            },
            Exchange::Malformed => Metadata::Faulty,
            Exchange::NotOpened(OpenError::Unsupported) => Metadata::Unsupported,
            Exchange::NotOpened(OpenError::ConnectionClosed) => return,
            Exchange::NotOpened(_) | Exchange::TimedOut | Exchange::Ended | Exchange::Broken => {
                if !std::mem::replace(&mut asked.again, true) {
                    self.after(RETRY, Done::MetadataRetry(conn));
                }
                Metadata::NotYet
            }
        };
        let identity = self.connections.identity(conn);
        if let Some(metadata) = identity.and_then(|identity| identity.admit(metadata)) {
            self.inputs.push_back(Event::Metadata { conn, metadata });
        }
    }

    /// Answers at once and closes: nwaku waits for our end of the stream (metadata.md, section 3).
    pub(super) fn serve_metadata(&mut self, mut stream: Stream) {
        let ours = metadata::Metadata::light(self.setup.network.cluster()).encode();
        self.spawn(async move {
            let answer = async {
                read_frame(&mut stream, metadata::MAX_FRAME).await?;
                write_frame(&mut stream, &ours).await?;
                futures::AsyncWriteExt::close(&mut stream).await
            };
            // Who does not read our answer hangs up by itself.
            let _ = within(TIMEOUT, answer).await;
            Done::MetadataServed
        });
    }
}
