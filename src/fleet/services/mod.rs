//! The request protocols of a fleet node: one frame in, one frame out, as nwaku answers them.

mod filter;
mod lightpush;
pub(super) mod metadata;
mod peer_exchange;
mod store;

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::{PeerId, StreamProtocol};
use prost::encoding::{DecodeContext, decode_key, skip_field};
use tokio::{sync::watch, time::timeout};

use self::filter::Subscriptions;
use super::{
    bucket::{Bucket, Limit},
    events::{EventKind, Events, FleetEvent},
    fault::Fault,
    network::{Network, Published},
    records::Records,
    role::Service,
};
use crate::{
    node::{
        framed::{read_frame, write_frame},
        streams::Stream,
    },
    protocols,
};

/// How late a slow node answers.
const SLOW: Duration = Duration::from_secs(2);

/// What nwaku's filter lets each peer ask (filter.md, section 4).
const FILTER_LIMIT: Limit = Limit {
    requests: 30,
    period: Duration::from_secs(60),
};

/// How long a stream may stay without its request. nwaku leaves that to yamux, which waits five minutes.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the other side may take to end the stream after our answer.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The request id of answers to what was not read: over the rate limit, or undecodable.
const NO_REQUEST_ID: &str = "N/A";

/// What nwaku says when there are too many requests.
const TOO_MANY_REQUESTS: &str = "TOO_MANY_REQUESTS";

/// A protocol that nodes answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Metadata,
    PeerExchange,
    LightpushV3,
    LightpushV2,
    Filter,
    Store,
}

impl Protocol {
    pub(crate) const ALL: [Self; 6] = [
        Self::Metadata,
        Self::PeerExchange,
        Self::LightpushV3,
        Self::LightpushV2,
        Self::Filter,
        Self::Store,
    ];

    /// The id.
    pub(crate) fn name(self) -> &'static str {
        use protocols::ids;
        match self {
            Self::Metadata => ids::METADATA,
            Self::PeerExchange => ids::PEER_EXCHANGE,
            Self::LightpushV3 => ids::LIGHTPUSH_V3,
            Self::LightpushV2 => ids::LIGHTPUSH_V2,
            Self::Filter => ids::FILTER_SUBSCRIBE,
            Self::Store => ids::STORE_QUERY,
        }
    }

    /// The id that peers open streams with.
    pub(crate) fn id(self) -> StreamProtocol {
        StreamProtocol::new(self.name())
    }

    /// The protocol of this id.
    pub(crate) fn of_id(id: &StreamProtocol) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.name() == id.as_ref())
    }

    /// What a node with these services answers. Metadata always.
    pub(crate) fn of_services(services: &[Service]) -> Vec<Self> {
        let mut all = vec![Self::Metadata];
        for service in services {
            all.extend_from_slice(match service {
                Service::LightPush => &[Self::LightpushV3, Self::LightpushV2],
                Service::Filter => &[Self::Filter],
                Service::Store => &[Self::Store],
                Service::PeerExchange => &[Self::PeerExchange],
            });
        }
        all
    }

    /// Bytes of a request that are read.
    pub(crate) fn request_limit(self) -> usize {
        match self {
            Self::Metadata => protocols::metadata::MAX_FRAME,
            Self::PeerExchange => protocols::peer_exchange::MAX_REQUEST,
            Self::LightpushV3 | Self::LightpushV2 => protocols::lightpush::MAX_REQUEST,
            Self::Filter => protocols::filter::MAX_REQUEST,
            Self::Store => protocols::store::MAX_REQUEST,
        }
    }

    /// The honest answer.
    pub(crate) fn answer(self, site: &Site, peer: &PeerId, request: &[u8]) -> Reply {
        match self {
            Self::Metadata => metadata::answer(site, request),
            Self::PeerExchange => peer_exchange::answer(site, request),
            Self::LightpushV3 => lightpush::answer_v3(site, request),
            Self::LightpushV2 => lightpush::answer_v2(site, request),
            Self::Filter => filter::answer(site, peer, request),
            Self::Store => store::answer(site, request),
        }
    }

    /// The answer of a busy node; `None` for a protocol without such an answer.
    fn busy(self) -> Option<Reply> {
        Some(match self {
            Self::Metadata => return None,
            Self::PeerExchange => peer_exchange::busy(),
            Self::LightpushV3 => lightpush::busy_v3(),
            Self::LightpushV2 => lightpush::busy_v2(),
            Self::Filter => filter::busy(),
            Self::Store => store::busy(),
        })
    }
}

/// What a request leads to.
pub(crate) enum Reply {
    /// This frame; `told` is what the event stream says of it.
    Frame { frame: Vec<u8>, told: String },
    /// The stream is closed without an answer.
    Close { told: &'static str },
}

impl Reply {
    fn new(frame: Vec<u8>, told: impl Into<String>) -> Self {
        Self::Frame {
            frame,
            told: told.into(),
        }
    }
}

/// A node as its services see it.
pub(crate) struct Site {
    /// The node's name.
    pub(crate) name: String,
    peer_id: PeerId,
    pub(crate) network: Arc<Network>,
    pub(crate) events: Events,
    records: Arc<Records>,
    /// Peer exchange answers given.
    samples: AtomicUsize,
    subscriptions: Mutex<Subscriptions>,
    fault: watch::Sender<Fault>,
    /// Filter requests of each peer while the fault is `limited`.
    buckets: Mutex<BTreeMap<PeerId, Bucket>>,
}

impl Site {
    pub(crate) fn new(
        name: String,
        peer_id: PeerId,
        network: Arc<Network>,
        records: Arc<Records>,
        events: Events,
    ) -> Self {
        Self {
            name,
            peer_id,
            network,
            events,
            records,
            samples: AtomicUsize::new(0),
            subscriptions: Mutex::default(),
            fault: watch::Sender::new(Fault::None),
            buckets: Mutex::default(),
        }
    }

    pub(crate) fn fault(&self) -> Fault {
        *self.fault.borrow()
    }

    pub(crate) fn set_fault(&self, fault: Fault) {
        self.buckets().clear();
        self.fault.send_replace(fault);
    }

    /// Waits for as long as the node is stalled.
    async fn not_stalled(&self) {
        let mut fault = self.fault.subscribe();
        // The sender lives as long as the site.
        let _ = fault.wait_for(|fault| *fault != Fault::Stall).await;
    }

    fn subscriptions(&self) -> MutexGuard<'_, Subscriptions> {
        self.subscriptions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn buckets(&self) -> MutexGuard<'_, BTreeMap<PeerId, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a filter request of a peer is within nwaku's limit.
    fn within_limit(&self, peer: PeerId) -> bool {
        let now = tokio::time::Instant::now();
        let mut buckets = self.buckets();
        let bucket = buckets.entry(peer).or_insert_with(|| Bucket::new(now));
        bucket.take(FILTER_LIMIT, now)
    }

    /// As after a restart.
    pub(crate) fn forget_subscriptions(&self) {
        *self.subscriptions() = Subscriptions::default();
    }

    /// Who wants this message.
    pub(crate) fn subscribers_of(&self, published: &Published, now: Instant) -> Vec<PeerId> {
        self.subscriptions().matching(published, now)
    }

    /// Forgets subscribers that were quiet for too long, or are not `wanted`.
    pub(crate) fn clean_up_subscriptions(&self, now: Instant, wanted: impl Fn(&PeerId) -> bool) {
        self.subscriptions().clean_up(now, wanted);
    }

    fn sample_records(&self, most: usize) -> Vec<Vec<u8>> {
        let turn = self.samples.fetch_add(1, Ordering::Relaxed);
        self.records.sample(&self.peer_id, most, turn)
    }
}

/// Serves one stream to its end.
pub(crate) async fn serve(site: Arc<Site>, peer: PeerId, protocol: Protocol, mut stream: Stream) {
    let tell = |kind, detail: String| {
        let event = FleetEvent::new(&site.name, kind)
            .peer(&peer)
            .protocol(protocol.name());
        site.events.emit(event.detail(detail));
    };
    if site.fault() == Fault::Refuse {
        return tell(EventKind::Answer, "refused: stream closed".into());
    }
    let limit = protocol.request_limit();
    let request = match timeout(REQUEST_TIMEOUT, read_frame(&mut stream, limit)).await {
        Ok(Ok(Some(request))) => request,
        Ok(Ok(None)) => {
            return tell(
                EventKind::Answer,
                "none: stream ended without request".into(),
            );
        }
        Ok(Err(error)) => return tell(EventKind::Answer, format!("none: {error}")),
        Err(_) => return tell(EventKind::Answer, "none: no request in time".into()),
    };
    tell(EventKind::Request, format!("{} bytes", request.len()));
    site.not_stalled().await;
    let reply = match site.fault() {
        Fault::Refuse => Reply::Close {
            told: "refused: stream closed",
        },
        Fault::Busy => protocol
            .busy()
            .unwrap_or_else(|| protocol.answer(&site, &peer, &request)),
        Fault::Limited if protocol == Protocol::Filter && !site.within_limit(peer) => {
            filter::busy()
        }
        Fault::Slow => {
            tokio::time::sleep(SLOW).await;
            protocol.answer(&site, &peer, &request)
        }
        Fault::None | Fault::Stall | Fault::Limited | Fault::WrongId => {
            protocol.answer(&site, &peer, &request)
        }
    };
    match reply {
        Reply::Frame { frame, told } => match send(&mut stream, &frame).await {
            Ok(()) => tell(EventKind::Answer, told),
            Err(error) => tell(EventKind::Answer, format!("{told}, not delivered: {error}")),
        },
        Reply::Close { told } => tell(EventKind::Answer, told.into()),
    }
}

/// Writes the answer, ends our side, and waits for the end of theirs, as nwaku does.
async fn send(stream: &mut Stream, frame: &[u8]) -> io::Result<()> {
    write_frame(stream, frame).await?;
    stream.close().await?;
    let rest = async { while !matches!(stream.read(&mut [0; 64]).await, Ok(0) | Err(_)) {} };
    // Whether they end it does not change what was delivered.
    let _ = timeout(CLOSE_TIMEOUT, rest).await;
    Ok(())
}

/// Whether a field of the outermost message is on the wire, be it empty: nwaku demands that of some.
fn has_field(message: &[u8], wanted: u32) -> bool {
    let mut rest = message;
    while !rest.is_empty() {
        let Ok((number, wire_type)) = decode_key(&mut rest) else {
            return false;
        };
        if number == wanted {
            return true;
        }
        if skip_field(wire_type, number, &mut rest, DecodeContext::default()).is_err() {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_even_when_it_is_empty() {
        // Field 1 empty text, field 10 number 5.
        let message = [0x0a, 0, 0x50, 5];
        assert!(has_field(&message, 1));
        assert!(has_field(&message, 10));
        assert!(!has_field(&message, 2));
        assert!(!has_field(&[0x0a, 9], 2));
    }

    #[test]
    fn every_protocol_is_found_by_its_id() {
        for protocol in Protocol::ALL {
            assert_eq!(Protocol::of_id(&protocol.id()), Some(protocol));
        }
    }
}
