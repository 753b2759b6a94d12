//! Serving one request as the script says.

use std::{io, sync::Arc, time::Duration};

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::PeerId;

use super::{
    HOLD,
    control::{Control, Order},
    lies,
    script::{Answer, Id, Part, Status},
};
use crate::{
    fleet::{
        events::{EventKind, FleetEvent},
        fault::Fault,
        services::{self, Protocol, Reply, Site},
    },
    node::{
        framed::{read_frame, write_frame},
        streams::Stream,
    },
    protocols::{
        filter, frame,
        lightpush::{v2, v3},
        peer_exchange, store,
    },
};

/// How long a request may take to come.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A frame that is no protobuf: a field of a wire type that there is not.
const GARBAGE: [u8; 4] = [0xff; 4];

/// Serves one stream to its end. A fault that the control API has set goes before the script.
pub(super) async fn serve(
    site: Arc<Site>,
    control: Arc<Control>,
    peer: PeerId,
    protocol: Protocol,
    mut stream: Stream,
) {
    if site.fault() != Fault::None {
        return services::serve(site, peer, protocol, stream).await;
    }
    let tell = |kind, detail: String| {
        let event = FleetEvent::new(&site.name, kind)
            .peer(&peer)
            .protocol(protocol.name());
        site.events.emit(event.detail(detail));
    };
    let reading = read_frame(&mut stream, protocol.request_limit());
    let Ok(Ok(Some(request))) = tokio::time::timeout(TIMEOUT, reading).await else {
        return tell(EventKind::Answer, "none: no request".into());
    };
    tell(EventKind::Request, format!("{} bytes", request.len()));
    let mut answer = control.decide(peer, protocol, &request);
    while let Answer::Late(late, then) = answer {
        tokio::time::sleep(late).await;
        answer = *then;
    }
    let subscribes = Part::of(protocol, &request) == Part::Subscribe;
    // Before the answer goes out: whoever has read it may ask what was told.
    tell(EventKind::Answer, word(&answer));
    // Nobody here minds a stream that broke.
    let _ = give(&site, peer, protocol, &request, answer, &mut stream).await;
    if subscribes && protocol == Protocol::Filter {
        control.order(Order::Subscribed(peer));
    }
}

/// What the event stream says of an answer.
fn word(answer: &Answer) -> String {
    match answer {
        Answer::Status(status) => format!("{} {}", status.code, status.text),
        Answer::Frame(frame) => format!("{} bytes by script", frame.len()),
        other => format!("{other:?}").to_lowercase(),
    }
}

async fn give(
    site: &Site,
    peer: PeerId,
    protocol: Protocol,
    request: &[u8],
    answer: Answer,
    stream: &mut Stream,
) -> io::Result<()> {
    let honest = || match protocol.answer(site, &peer, request) {
        Reply::Frame { frame, .. } => Some(frame),
        Reply::Close { .. } => None,
    };
    let frame = match answer {
        Answer::Honest => honest(),
        Answer::Status(status) => of_status(protocol, request, &status),
        Answer::Frame(frame) => Some(frame),
        Answer::Garbage => Some(GARBAGE.to_vec()),
        Answer::Made(make) => (make.0)(request),
        Answer::Dropped(relay_peers) => dropped(protocol, request, relay_peers),
        Answer::Lie(lie) => lies::page(lie, request, |request| {
            match Protocol::Store.answer(site, &peer, request) {
                Reply::Frame { frame, .. } => store::Response::decode(&frame).unwrap_or_default(),
                Reply::Close { .. } => store::Response::default(),
            }
        }),
        Answer::Close | Answer::Late(..) => None,
        Answer::Reset => return Ok(()),
        Answer::Silence => return hold().await,
        Answer::Half => {
            let whole = frame::encode(&honest().unwrap_or_default());
            stream.write_all(&whole[..whole.len().div_ceil(2)]).await?;
            stream.flush().await?;
            return hold().await;
        }
        Answer::Announced(length) => {
            stream.write_all(&prefix(length)).await?;
            stream.flush().await?;
            return hold().await;
        }
    };
    if let Some(frame) = frame {
        write_frame(stream, &frame).await?;
    }
    stream.close().await?;
    let rest = async { while !matches!(stream.read(&mut [0; 64]).await, Ok(0) | Err(_)) {} };
    // Whether they end it does not change what was delivered.
    let _ = tokio::time::timeout(TIMEOUT, rest).await;
    Ok(())
}

/// Keeps the caller's stream open.
async fn hold() -> io::Result<()> {
    tokio::time::sleep(HOLD).await;
    Ok(())
}

/// A frame's length prefix, without the frame.
pub(super) fn prefix(length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    crate::protocols::varint::encode(length as u64, &mut bytes);
    bytes
}

/// A status as the protocol says it; `None` where it cannot.
fn of_status(protocol: Protocol, request: &[u8], status: &Status) -> Option<Vec<u8>> {
    let Status {
        code,
        ref text,
        relay_peers,
        ..
    } = *status;
    let (status_code, status_desc) = (Some(code), Some(text.clone()));
    let request_id = match status.id {
        Id::Echo => id_of(protocol, request),
        Id::NotAvailable => "N/A".to_owned(),
        Id::Wrong => "not yours".to_owned(),
    };
    Some(match protocol {
        Protocol::Metadata => return None,
        Protocol::PeerExchange => {
            peer_exchange::Rpc::answer(Vec::new(), code, status_desc).encode()
        }
        Protocol::LightpushV3 => v3::Response {
            request_id,
            status_code,
            status_desc,
            relay_peer_count: relay_peers,
        }
        .encode(),
        Protocol::LightpushV2 => {
            let success = (200..300).contains(&code);
            v2::Rpc::answer(request_id, success, status_desc).encode()
        }
        Protocol::Filter => filter::Response {
            request_id,
            status_code,
            status_desc,
        }
        .encode(),
        Protocol::Store => store::Response {
            request_id,
            status_code,
            status_desc,
            ..store::Response::default()
        }
        .encode(),
    })
}

/// That a message was taken, which it was not.
fn dropped(protocol: Protocol, request: &[u8], relay_peers: u32) -> Option<Vec<u8>> {
    let status = Status {
        code: 200,
        text: "OK".to_owned(),
        id: Id::Echo,
        relay_peers: Some(relay_peers),
    };
    of_status(protocol, request, &status)
}

/// The id of a request; empty when it has none, or cannot be read.
fn id_of(protocol: Protocol, request: &[u8]) -> String {
    match protocol {
        Protocol::Metadata | Protocol::PeerExchange => None,
        Protocol::LightpushV3 => v3::Request::decode(request).ok().map(|r| r.request_id),
        Protocol::LightpushV2 => v2::Rpc::decode(request).ok().map(|r| r.request_id),
        Protocol::Filter => filter::Request::decode(request).ok().map(|r| r.request_id),
        Protocol::Store => store::Request::decode(request).ok().map(|r| r.request_id),
    }
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_carries_the_id_that_the_script_wants() {
        let request = filter::Request::ping("mine".into()).encode();
        let id = |id| {
            let status = Status {
                code: 400,
                text: String::new(),
                id,
                relay_peers: None,
            };
            let frame = of_status(Protocol::Filter, &request, &status).unwrap();
            filter::Response::decode(&frame).unwrap().request_id
        };
        assert_eq!(id(Id::Echo), "mine");
        assert_eq!(id(Id::NotAvailable), "N/A");
        assert_ne!(id(Id::Wrong), "mine");
    }

    #[test]
    fn a_prefix_announces_its_length() {
        assert_eq!(prefix(219_136 - 1), [0xff, 0xaf, 0x0d]);
    }
}
