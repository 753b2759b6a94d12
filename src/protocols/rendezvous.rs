//! Rendezvous: peers that want to meet register under a name, a *namespace*, and ask who else did.

use core::time::Duration;

use libp2p_identity::PeerId;

use super::codec::{Field, Kind, wire};
use super::peer_record::{Form, PeerRecord};
use super::verdict::{self, ExactClass, Protocol, Retry, Ruling, ShowCaller, Verdict};

/// Longest namespace, in bytes (the specification's limit).
pub const MAX_NAMESPACE: usize = 255;
/// Longest cookie that is kept and sent back, in bytes.
pub const MAX_COOKIE: usize = 1024;
/// Most bytes of a request: what servers read, and what ours reads, without the prefix.
pub const MAX_REQUEST: usize = 4096;
/// Most bytes of an answer that is read, without the prefix.
pub const MAX_RESPONSE: usize = 128 * 1024;
/// Most registrations that are asked for, and taken of an answer.
pub const MAX_REGISTRATIONS: usize = 64;
/// How long servers keep a registration that names no lifetime: the shortest that the specification allows.
pub const DEFAULT_TTL: Duration = Duration::from_secs(2 * 3_600);
/// The longest lifetime that servers grant.
pub const MAX_TTL: Duration = Duration::from_secs(72 * 3_600);

/// What a message is. Written always, also when it is 0: some readers demand it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum MessageType {
    /// Take me in.
    Register = 0,
    /// Whether it did.
    RegisterResponse = 1,
    /// Take me out; has no answer.
    Unregister = 2,
    /// Who is there?
    Discover = 3,
    /// Who is.
    DiscoverResponse = 4,
}

/// It was done.
pub const OK: u32 = 0;
/// The namespace is too long, or nobody has it.
pub const INVALID_NAMESPACE: u32 = 100;
/// The record can't be read, or is somebody else's.
pub const INVALID_SIGNED_PEER_RECORD: u32 = 101;
/// The lifetime is too short or too long.
pub const INVALID_TTL: u32 = 102;
/// The cookie is of another namespace, or of before a restart.
pub const INVALID_COOKIE: u32 = 103;
/// Not for us; nim-libp2p says so of too many registrations, too.
pub const NOT_AUTHORIZED: u32 = 200;
/// The server failed.
pub const INTERNAL_ERROR: u32 = 300;
/// The server can't now.
pub const UNAVAILABLE: u32 = 400;

/// A message, in either direction.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Message {
    /// What it is.
    #[prost(enumeration = "MessageType", optional, tag = "1")]
    pub kind: Option<i32>,
    /// With [`MessageType::Register`].
    #[prost(message, optional, tag = "2")]
    pub register: Option<Register>,
    /// With [`MessageType::RegisterResponse`].
    #[prost(message, optional, tag = "3")]
    pub register_response: Option<RegisterResponse>,
    /// With [`MessageType::Unregister`].
    #[prost(message, optional, tag = "4")]
    pub unregister: Option<Unregister>,
    /// With [`MessageType::Discover`].
    #[prost(message, optional, tag = "5")]
    pub discover: Option<Discover>,
    /// With [`MessageType::DiscoverResponse`].
    #[prost(message, optional, tag = "6")]
    pub discover_response: Option<DiscoverResponse>,
}

/// A registration: ours, or somebody's that a server tells.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Register {
    /// Under what name.
    #[prost(string, optional, tag = "1")]
    pub ns: Option<String>,
    /// Who, and where.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub signed_peer_record: Option<Vec<u8>>,
    /// For how many seconds, or for how many still.
    #[prost(uint64, optional, tag = "3")]
    pub ttl: Option<u64>,
}

/// Whether a registration was taken.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RegisterResponse {
    /// How it went.
    #[prost(uint32, optional, tag = "1")]
    pub status: Option<u32>,
    /// Text for people.
    #[prost(string, optional, tag = "2")]
    pub status_text: Option<String>,
    /// For how many seconds it was taken.
    #[prost(uint64, optional, tag = "3")]
    pub ttl: Option<u64>,
}

/// The end of a registration.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Unregister {
    /// Under what name.
    #[prost(string, optional, tag = "1")]
    pub ns: Option<String>,
}

/// A question who is there.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Discover {
    /// Under what name; absent for all.
    #[prost(string, optional, tag = "1")]
    pub ns: Option<String>,
    /// At most how many.
    #[prost(uint64, optional, tag = "2")]
    pub limit: Option<u64>,
    /// Only those that came since the answer that had this.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub cookie: Option<Vec<u8>>,
}

/// Who is there.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct DiscoverResponse {
    /// Those.
    #[prost(message, repeated, tag = "1")]
    pub registrations: Vec<Register>,
    /// To be sent with the next question for the same name.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub cookie: Option<Vec<u8>>,
    /// How it went.
    #[prost(uint32, optional, tag = "3")]
    pub status: Option<u32>,
    /// Text for people.
    #[prost(string, optional, tag = "4")]
    pub status_text: Option<String>,
}

const REGISTER: &[Field] = &[(1, Kind::Bytes), (2, Kind::Bytes), (3, Kind::Varint)];
const REGISTER_RESPONSE: &[Field] = &[(1, Kind::Varint), (2, Kind::Bytes), (3, Kind::Varint)];
const UNREGISTER: &[Field] = &[(1, Kind::Bytes)];
const DISCOVER: &[Field] = &[(1, Kind::Bytes), (2, Kind::Varint), (3, Kind::Bytes)];
const DISCOVER_RESPONSE: &[Field] = &[
    (1, Kind::Message(REGISTER)),
    (2, Kind::Bytes),
    (3, Kind::Varint),
    (4, Kind::Bytes),
];
wire!(
    Message,
    &[
        (1, Kind::Varint),
        (2, Kind::Message(REGISTER)),
        (3, Kind::Message(REGISTER_RESPONSE)),
        (4, Kind::Message(UNREGISTER)),
        (5, Kind::Message(DISCOVER)),
        (6, Kind::Message(DISCOVER_RESPONSE)),
    ]
);

impl Message {
    fn of(kind: MessageType) -> Self {
        Self {
            kind: Some(kind as i32),
            ..Self::default()
        }
    }

    /// Take me in, for so many seconds or for as long as the server likes.
    pub fn register(namespace: &str, record: Vec<u8>, ttl_s: Option<u64>) -> Self {
        Self {
            register: Some(Register {
                ns: Some(namespace.to_owned()),
                signed_peer_record: Some(record),
                ttl: ttl_s,
            }),
            ..Self::of(MessageType::Register)
        }
    }

    /// Take me out.
    pub fn unregister(namespace: &str) -> Self {
        Self {
            unregister: Some(Unregister {
                ns: Some(namespace.to_owned()),
            }),
            ..Self::of(MessageType::Unregister)
        }
    }

    /// Who is there, or who came since the answer that had this cookie?
    pub fn discover(namespace: &str, limit: usize, cookie: Option<Vec<u8>>) -> Self {
        Self {
            discover: Some(Discover {
                ns: Some(namespace.to_owned()),
                limit: Some(limit as u64),
                cookie,
            }),
            ..Self::of(MessageType::Discover)
        }
    }
}

/// What was asked, as far as a status depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A registration.
    Register,
    /// A question.
    Discover,
}

/// The class of a status. Absent is 0: not all write it.
pub fn classify(operation: Operation, status: Option<u32>) -> Ruling {
    const fn ruling(class: ExactClass, retry: Retry, show: ShowCaller) -> Ruling {
        Ruling::new(class, retry, show)
    }
    match (status.unwrap_or(OK), operation) {
        (OK, _) => Ruling::OK,
        (INVALID_NAMESPACE, Operation::Register) => {
            ruling(ExactClass::BadNamespace, Retry::None, ShowCaller::Yes)
        }
        // nim-libp2p says so of a name that nobody has.
        (INVALID_NAMESPACE, Operation::Discover) => {
            ruling(ExactClass::Empty, Retry::Other, ShowCaller::No)
        }
        (INVALID_SIGNED_PEER_RECORD, _) => ruling(
            ExactClass::BadRecord,
            Retry::SameOtherEnvelope,
            ShowCaller::WhenExhausted,
        ),
        (INVALID_TTL, _) => ruling(
            ExactClass::BadTtl,
            Retry::SameDefaultTtl,
            ShowCaller::WhenExhausted,
        ),
        (INVALID_COOKIE, _) => ruling(
            ExactClass::BadCookie,
            Retry::SameWithoutCookie,
            ShowCaller::No,
        ),
        (NOT_AUTHORIZED, _) => ruling(ExactClass::Denied, Retry::Other, ShowCaller::WhenExhausted),
        (UNAVAILABLE, _) => ruling(ExactClass::Unavailable, Retry::Other, ShowCaller::No),
        _ => ruling(ExactClass::ServerError, Retry::Other, ShowCaller::No).keep(),
    }
}

/// For how long a server took us in.
///
/// # Errors
///
/// The verdict when it did not.
pub fn registered(answer: &Message) -> Result<Duration, Verdict> {
    let response = answer
        .register_response
        .as_ref()
        .filter(|_| answer.kind == Some(MessageType::RegisterResponse as i32))
        .ok_or_else(|| Verdict::fault(Protocol::Rendezvous, "no answer to the request"))?;
    judge(
        Operation::Register,
        response.status,
        response.status_text.as_deref(),
    )?;
    let granted = response.ttl.filter(|&ttl| ttl > 0);
    let granted = granted.map_or(DEFAULT_TTL, Duration::from_secs);
    Ok(granted.min(MAX_TTL))
}

/// What a server tells of a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Who is there, by their own word; each once, by the newest record.
    pub peers: Vec<Registered>,
    /// For the next question for the same namespace at the same server.
    pub cookie: Option<Vec<u8>>,
    /// How many registrations were not to be believed: their server has to look at them.
    pub false_entries: usize,
}

/// Somebody who is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Who, and where.
    pub record: PeerRecord,
    /// In which form the record was.
    pub form: Form,
    /// For how long still.
    pub ttl: Duration,
}

/// Who is there, by a server's answer for a namespace. Registrations that are not to be believed cost no other.
///
/// # Errors
///
/// The verdict when it tells nothing.
pub fn found(namespace: &str, us: PeerId, answer: Message) -> Result<Found, Verdict> {
    let response = answer
        .discover_response
        .filter(|_| answer.kind == Some(MessageType::DiscoverResponse as i32))
        .ok_or_else(|| Verdict::fault(Protocol::Rendezvous, "no answer to the request"))?;
    judge(
        Operation::Discover,
        response.status,
        response.status_text.as_deref(),
    )?;
    let mut found = Found {
        cookie: response
            .cookie
            .filter(|cookie| (1..=MAX_COOKIE).contains(&cookie.len())),
        ..Found::default()
    };
    for entry in response.registrations.into_iter().take(MAX_REGISTRATIONS) {
        let named = entry.ns.as_deref() == Some(namespace);
        let read = entry.signed_peer_record.as_deref().map(PeerRecord::read);
        let Some(Ok((record, form))) = read.filter(|_| named) else {
            found.false_entries += 1;
            continue;
        };
        if record.peer == us {
            continue;
        }
        let ttl = entry
            .ttl
            .map_or(DEFAULT_TTL, Duration::from_secs)
            .min(MAX_TTL);
        let registered = Registered { record, form, ttl };
        match found
            .peers
            .iter_mut()
            .find(|known| known.record.peer == registered.record.peer)
        {
            Some(known) if known.record.seq >= registered.record.seq => {}
            Some(known) => *known = registered,
            None => found.peers.push(registered),
        }
    }
    Ok(found)
}

fn judge(operation: Operation, status: Option<u32>, text: Option<&str>) -> Result<(), Verdict> {
    classify(operation, status).verdict(|| verdict::describe(Protocol::Rendezvous, status, text))
}

#[cfg(test)]
mod tests;
