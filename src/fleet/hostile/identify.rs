//! Identify, written by hand: what libp2p's own would never say.

use std::{io, sync::Arc, time::Duration};

use futures::AsyncWriteExt;
use libp2p::Multiaddr;

use super::{
    HOLD, ID, ID_PUSH, PING,
    control::Control,
    script::{Identify, Script},
};
use crate::{
    fleet::services::Protocol,
    node::{framed::write_frame, streams::Stream},
};

/// How long an answer may take to be read.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The message of identify and its push.
#[derive(Clone, PartialEq, prost::Message)]
struct Message {
    #[prost(bytes = "vec", optional, tag = "1")]
    public_key: Option<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    listen_addrs: Vec<Vec<u8>>,
    #[prost(string, repeated, tag = "3")]
    protocols: Vec<String>,
    #[prost(bytes = "vec", optional, tag = "4")]
    observed_addr: Option<Vec<u8>>,
    #[prost(string, optional, tag = "5")]
    protocol_version: Option<String>,
    #[prost(string, optional, tag = "6")]
    agent_version: Option<String>,
}

/// Who the peer is.
#[derive(Debug, Clone)]
pub(super) struct Card {
    /// The public key as protobuf.
    pub(super) public_key: Vec<u8>,
    pub(super) listens: Multiaddr,
}

impl Card {
    /// What the script has the peer say of itself, and so many protocols more.
    pub(super) fn frame(&self, script: &Script, remote: &Multiaddr, more: &[String]) -> Vec<u8> {
        let served = Protocol::of_services(&script.services);
        let protocols = [ID, ID_PUSH, PING]
            .into_iter()
            .chain(served.into_iter().map(Protocol::name))
            .filter(|id| !script.refused.contains(id))
            .map(str::to_owned)
            .chain(more.iter().cloned())
            .collect();
        let message = Message {
            public_key: Some(self.public_key.clone()),
            listen_addrs: vec![self.listens.to_vec()],
            protocols,
            observed_addr: Some(remote.to_vec()),
            protocol_version: Some("/ipfs/0.1.0".to_owned()),
            agent_version: Some("lightkeeper-fleet/hostile".to_owned()),
        };
        prost::Message::encode_to_vec(&message)
    }

    /// Answers one question.
    pub(super) async fn answer(self, control: Arc<Control>, remote: Multiaddr, mut stream: Stream) {
        let frame = match control.script(|script| script.identify) {
            Identify::Honest => control.script(|script| self.frame(script, &remote, &[])),
            Identify::Late(late) => {
                tokio::time::sleep(late).await;
                control.script(|script| self.frame(script, &remote, &[]))
            }
            Identify::Protocols(count) => {
                let more: Vec<String> = (0..count).map(|n| format!("/x/{n}")).collect();
                control.script(|script| self.frame(script, &remote, &more))
            }
            Identify::Garbage => vec![0xff; 8],
            Identify::Reset => return,
            Identify::Silence => return tokio::time::sleep(HOLD).await,
        };
        // Whoever does not read it does not learn it.
        let _ = tokio::time::timeout(TIMEOUT, write(&mut stream, &frame)).await;
    }
}

/// Writes the one frame of a stream.
pub(super) async fn write(stream: &mut Stream, frame: &[u8]) -> io::Result<()> {
    write_frame(stream, frame).await?;
    stream.close().await
}
