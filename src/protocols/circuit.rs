//! Circuit relay, version 2: an address at somebody else's, and connections through it.
//!
//! A client *reserves* at a relay (hop protocol); whoever knows the address then asks the relay for a connection to it
//! (hop), and the relay opens a stream to the client (stop protocol) that becomes that connection.

pub mod reservations;

use libp2p_identity::PeerId;
use multiaddr::{Multiaddr, Protocol as Part};

use super::codec::{self, Field, Kind, Wire, wire};
use super::envelope::{Envelope, Purpose};
use super::verdict::{self, ExactClass, Protocol, Retry, Ruling, ShowCaller, Verdict};

/// Most bytes of a message of either protocol, without the prefix (the specification's limit).
pub const MAX_FRAME: usize = 4096;
/// A relay's clock may be this far behind ours, in seconds.
pub const SKEW_S: u64 = 60;
/// No reservation is believed to last longer, in seconds: whoever promises more is asked again.
pub const MAX_LIFE_S: u64 = 24 * 3_600;
/// Most of our addresses at one relay.
pub const MAX_ADDRESSES: usize = 8;

/// What a hop message is. Written always, also when it is 0: some readers demand it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum HopType {
    /// A client asks for an address here.
    Reserve = 0,
    /// Somebody asks for a connection to a client.
    Connect = 1,
    /// The relay's answer.
    Status = 2,
}

/// What a stop message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum StopType {
    /// The relay has somebody who wants to be connected.
    Connect = 0,
    /// The client's answer.
    Status = 1,
}

/// It was done.
pub const OK: u32 = 100;
/// Too many reservations, or none for this peer.
pub const RESERVATION_REFUSED: u32 = 200;
/// Too many circuits for one of both sides.
pub const RESOURCE_LIMIT_EXCEEDED: u32 = 201;
/// Filtered.
pub const PERMISSION_DENIED: u32 = 202;
/// The other side could not be reached, or said no.
pub const CONNECTION_FAILED: u32 = 203;
/// The other side has no reservation.
pub const NO_RESERVATION: u32 = 204;
/// What was sent is not understood.
pub const MALFORMED_MESSAGE: u32 = 400;
/// What was sent is not what comes now.
pub const UNEXPECTED_MESSAGE: u32 = 401;

/// A peer, by id.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Peer {
    /// The id's bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub id: Vec<u8>,
}

/// What a relay grants.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Reservation {
    /// Until when, in seconds of Unix time by the relay's clock.
    #[prost(uint64, optional, tag = "1")]
    pub expire: Option<u64>,
    /// The relay's own addresses.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub addrs: Vec<Vec<u8>>,
    /// The relay's signed word on it; not all give one.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub voucher: Option<Vec<u8>>,
}

/// How much one connection through a relay may carry; 0 and absent are no limit.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Limit {
    /// Seconds.
    #[prost(uint32, optional, tag = "1")]
    pub duration: Option<u32>,
    /// Bytes in each direction.
    #[prost(uint64, optional, tag = "2")]
    pub data: Option<u64>,
}

/// A message between a client or a caller and a relay.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct HopMessage {
    /// What it is.
    #[prost(enumeration = "HopType", optional, tag = "1")]
    pub kind: Option<i32>,
    /// Whom a caller wants.
    #[prost(message, optional, tag = "2")]
    pub peer: Option<Peer>,
    /// What the relay grants.
    #[prost(message, optional, tag = "3")]
    pub reservation: Option<Reservation>,
    /// What a connection may carry.
    #[prost(message, optional, tag = "4")]
    pub limit: Option<Limit>,
    /// How it went.
    #[prost(uint32, optional, tag = "5")]
    pub status: Option<u32>,
}

/// A message between a relay and a client of it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct StopMessage {
    /// What it is.
    #[prost(enumeration = "StopType", optional, tag = "1")]
    pub kind: Option<i32>,
    /// Who wants to be connected.
    #[prost(message, optional, tag = "2")]
    pub peer: Option<Peer>,
    /// What the connection may carry.
    #[prost(message, optional, tag = "3")]
    pub limit: Option<Limit>,
    /// Whether the client takes it.
    #[prost(uint32, optional, tag = "4")]
    pub status: Option<u32>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct RawVoucher {
    #[prost(bytes = "vec", tag = "1")]
    relay: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    peer: Vec<u8>,
    #[prost(uint64, tag = "3")]
    expiration: u64,
}

const PEER: &[Field] = &[(1, Kind::Bytes)];
const RESERVATION: &[Field] = &[(1, Kind::Varint), (2, Kind::Bytes), (3, Kind::Bytes)];
const LIMIT: &[Field] = &[(1, Kind::Varint), (2, Kind::Varint)];
wire!(
    HopMessage,
    &[
        (1, Kind::Varint),
        (2, Kind::Message(PEER)),
        (3, Kind::Message(RESERVATION)),
        (4, Kind::Message(LIMIT)),
        (5, Kind::Varint),
    ]
);
wire!(
    StopMessage,
    &[
        (1, Kind::Varint),
        (2, Kind::Message(PEER)),
        (3, Kind::Message(LIMIT)),
        (4, Kind::Varint),
    ]
);
impl Wire for RawVoucher {
    const FIELDS: &'static [Field] = &[(1, Kind::Bytes), (2, Kind::Bytes), (3, Kind::Varint)];
}

/// A relay's signed word on a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voucher {
    /// Where.
    pub relay: PeerId,
    /// Whose.
    pub peer: PeerId,
    /// Until when, in seconds of Unix time by the relay's clock.
    pub expires_at_s: u64,
}

impl Voucher {
    const PURPOSE: Purpose = Purpose {
        domain: "libp2p-relay-rsvp",
        payload_type: &[0x03, 0x02],
    };

    /// Reads a voucher; `None` when it is none, or not the relay's own word.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let envelope = Envelope::decode(bytes).ok()?;
        let signer = envelope.signer(Self::PURPOSE).ok()?;
        let raw = codec::decode::<RawVoucher>(&envelope.payload).ok()?;
        let voucher = Self {
            relay: PeerId::from_bytes(&raw.relay).ok()?,
            peer: PeerId::from_bytes(&raw.peer).ok()?,
            expires_at_s: raw.expiration,
        };
        (voucher.relay == signer.to_peer_id()).then_some(voucher)
    }
}

impl HopMessage {
    /// A request for a reservation.
    pub fn reserve() -> Self {
        Self {
            kind: Some(HopType::Reserve as i32),
            ..Self::default()
        }
    }

    /// A request for a connection.
    pub fn connect(peer: PeerId) -> Self {
        Self {
            kind: Some(HopType::Connect as i32),
            peer: Some(Peer {
                id: peer.to_bytes(),
            }),
            ..Self::default()
        }
    }
}

impl StopMessage {
    /// A client's answer.
    pub fn answer(status: u32) -> Self {
        Self {
            kind: Some(StopType::Status as i32),
            status: Some(status),
            ..Self::default()
        }
    }

    /// Who wants to be connected; `None` when the message says nothing of the kind.
    pub fn caller(&self) -> Option<PeerId> {
        if self.kind != Some(StopType::Connect as i32) {
            return None;
        }
        PeerId::from_bytes(&self.peer.as_ref()?.id).ok()
    }
}

/// What we have at a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// Until when, in seconds of Unix time by our clock.
    pub expires_at_s: u64,
    /// Where we can be dialed, each ending in our id; never empty.
    pub addresses: Vec<Multiaddr>,
    /// What each connection may carry, if the relay says so.
    pub limit: Option<Limit>,
}

/// Who asks, and what is known when the answer comes.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// The relay.
    pub relay: PeerId,
    /// Ourselves.
    pub us: PeerId,
    /// How we are connected to the relay.
    pub via: &'a Multiaddr,
    /// Now, in seconds of Unix time.
    pub now_s: u64,
}

/// The class of a status.
pub fn classify(status: Option<u32>) -> Ruling {
    const fn other(class: ExactClass, show: ShowCaller) -> Ruling {
        Ruling::new(class, Retry::Other, show)
    }
    match status {
        Some(OK) => Ruling::OK,
        Some(RESERVATION_REFUSED) => other(ExactClass::Refused, ShowCaller::WhenExhausted),
        Some(RESOURCE_LIMIT_EXCEEDED) => other(ExactClass::Busy, ShowCaller::WhenExhausted),
        Some(PERMISSION_DENIED) => other(ExactClass::Denied, ShowCaller::No),
        Some(CONNECTION_FAILED) => other(ExactClass::TargetUnreachable, ShowCaller::WhenExhausted),
        Some(NO_RESERVATION) => other(ExactClass::NoReservation, ShowCaller::WhenExhausted),
        Some(MALFORMED_MESSAGE | UNEXPECTED_MESSAGE) => {
            Ruling::new(ExactClass::OurBug, Retry::None, ShowCaller::Yes)
        }
        _ => Ruling::FAULT,
    }
}

fn status(answer: &HopMessage) -> Result<(), Verdict> {
    if answer.kind != Some(HopType::Status as i32) {
        return Err(Verdict::fault(
            Protocol::CircuitHop,
            "no answer to the request",
        ));
    }
    classify(answer.status).verdict(|| verdict::describe(Protocol::CircuitHop, answer.status, None))
}

/// What a relay's answer to a request for a reservation means.
///
/// # Errors
///
/// The verdict on the relay when it refuses, or answers what can't be.
pub fn reserved(asking: Asking<'_>, answer: &HopMessage) -> Result<Granted, Verdict> {
    let fault = |what: &str| Verdict::fault(Protocol::CircuitHop, what);
    status(answer)?;
    let reservation = answer
        .reservation
        .as_ref()
        .ok_or_else(|| fault("no reservation"))?;
    let expire = reservation.expire.unwrap_or(0);
    if expire.saturating_add(SKEW_S) < asking.now_s {
        return Err(fault("the reservation is over already"));
    }
    // Not all give one. One that is given has to be the relay's, and ours.
    if let Some(bytes) = reservation
        .voucher
        .as_ref()
        .filter(|bytes| !bytes.is_empty())
    {
        let good = Voucher::read(bytes).is_some_and(|voucher| {
            let whose = voucher.relay == asking.relay && voucher.peer == asking.us;
            whose && voucher.expires_at_s.saturating_add(SKEW_S) >= asking.now_s
        });
        if !good {
            return Err(fault("the voucher is not for us, or not the relay's"));
        }
    }
    let soonest = asking.now_s + SKEW_S;
    Ok(Granted {
        expires_at_s: expire.clamp(soonest, asking.now_s + MAX_LIFE_S),
        addresses: addresses(asking, &reservation.addrs),
        limit: answer.limit.filter(|limit| !limit.is_none()),
    })
}

/// What a relay's answer to a request for a connection means: the stream is the connection then.
///
/// # Errors
///
/// The verdict when there is no connection.
pub fn connected(answer: &HopMessage) -> Result<Option<Limit>, Verdict> {
    status(answer)?;
    Ok(answer.limit.filter(|limit| !limit.is_none()))
}

impl Limit {
    /// Nothing is limited.
    fn is_none(self) -> bool {
        self.duration.unwrap_or(0) == 0 && self.data.unwrap_or(0) == 0
    }
}

/// Where we can be dialed through a relay: at what it says of itself, or else where we reached it.
///
/// A relay may name addresses of others, or of a network of its own: only those that end in its id are taken, and
/// private ones only if we reached it at one. go-libp2p names none at all on a machine without a public address.
fn addresses(asking: Asking<'_>, said: &[Vec<u8>]) -> Vec<Multiaddr> {
    let private = is_private(asking.via);
    let ours = |address: Multiaddr| {
        let mut address = address;
        address.push(Part::P2pCircuit);
        address.push(Part::P2p(asking.us));
        address
    };
    let mut all: Vec<Multiaddr> = Vec::new();
    let mut for_pages = false;
    for bytes in said {
        let Some(relay) = Multiaddr::try_from(bytes.clone())
            .ok()
            .and_then(|address| of_relay(address, asking.relay))
            .filter(|address| private || !is_private(address))
        else {
            continue;
        };
        if all.len() < MAX_ADDRESSES - 1 {
            for_pages |= is_for_pages(&relay);
            let address = ours(relay);
            if !all.contains(&address) {
                all.push(address);
            }
        }
    }
    // Of a page's own kind there must be one: how we reached it is.
    if !for_pages && let Some(via) = of_relay(asking.via.clone(), asking.relay) {
        all.push(ours(via));
    }
    all
}

/// The relay's address with its id at the end, once; `None` when it is of somebody else, or through a relay itself.
fn of_relay(address: Multiaddr, relay: PeerId) -> Option<Multiaddr> {
    let mut bare = Multiaddr::empty();
    for part in &address {
        match part {
            Part::P2pCircuit => return None,
            Part::P2p(id) if id == relay => {}
            Part::P2p(_) => return None,
            part => bare.push(part),
        }
    }
    if bare.is_empty() {
        return None;
    }
    bare.push(Part::P2p(relay));
    Some(bare)
}

fn is_for_pages(address: &Multiaddr) -> bool {
    address.iter().any(|part| {
        matches!(
            part,
            Part::Ws(_) | Part::Wss(_) | Part::WebTransport | Part::WebRTCDirect
        )
    })
}

fn is_private(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Part::Ip4(ip)) => {
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()
        }
        Some(Part::Ip6(ip)) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
        }
        Some(Part::Dns(name) | Part::Dns4(name) | Part::Dns6(name)) => {
            name == "localhost" || name.ends_with(".localhost") || name.ends_with(".local")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
