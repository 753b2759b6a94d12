//! Peer exchange (34/WAKU2-PEER-EXCHANGE): asking a server for records of other nodes.

use core::time::Duration;

use super::codec::{Field, Kind, wire};
use super::verdict::{self, ExactClass, Protocol, Retry, Ruling, ShowCaller, Verdict};

/// Most bytes of an answer that we read, without the prefix: 60 records of 300 bytes (EIP-778), with slack.
pub const MAX_RESPONSE: usize = 32 * 1024;
/// Most bytes of a request that a server of ours reads, without the prefix.
pub const MAX_REQUEST: usize = 1024;
/// Most records that nwaku gives in one answer, whatever is asked for.
pub const MAX_RECORDS: u64 = 60;

/// The one message of the protocol. nwaku writes both fields in both directions; read only the one that is wanted.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Rpc {
    /// The request. nwaku refuses every message without it, answers included.
    #[prost(message, optional, tag = "1")]
    pub query: Option<Query>,
    /// The answer.
    #[prost(message, optional, tag = "2")]
    pub response: Option<Response>,
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Query {
    /// How many records are wanted.
    #[prost(uint64, required, tag = "1")]
    pub num_peers: u64,
}

/// What comes back.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Response {
    /// The records.
    #[prost(message, repeated, tag = "1")]
    pub peer_infos: Vec<PeerInfo>,
    /// nwaku's extension: 200 for success.
    #[prost(uint32, optional, tag = "10")]
    pub status_code: Option<u32>,
    /// nwaku's extension: text for people.
    #[prost(string, optional, tag = "11")]
    pub status_desc: Option<String>,
}

/// One record.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct PeerInfo {
    /// The node record as raw RLP, not as text.
    #[prost(bytes = "vec", required, tag = "1")]
    pub enr: Vec<u8>,
}

const QUERY: &[Field] = &[(1, Kind::Varint)];
const PEER_INFO: &[Field] = &[(1, Kind::Bytes)];
const RESPONSE: &[Field] = &[
    (1, Kind::Message(PEER_INFO)),
    (10, Kind::Varint),
    (11, Kind::Bytes),
];
wire!(
    Rpc,
    &[(1, Kind::Message(QUERY)), (2, Kind::Message(RESPONSE))]
);

impl Rpc {
    /// A request for at most `num_peers` records.
    pub fn request(num_peers: u64) -> Self {
        Self {
            query: Some(Query { num_peers }),
            response: None,
        }
    }

    /// An answer in nwaku's form, with the empty query that its reader demands.
    pub fn answer(records: Vec<Vec<u8>>, status_code: u32, status_desc: Option<String>) -> Self {
        Self {
            query: Some(Query { num_peers: 0 }),
            response: Some(Response {
                peer_infos: records.into_iter().map(|enr| PeerInfo { enr }).collect(),
                status_code: Some(status_code),
                status_desc,
            }),
        }
    }
}

/// The records of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// Raw RLP of each record, unverified; at most as many as were asked for. None is a success too: ask another server.
    pub enrs: Vec<Vec<u8>>,
}

/// The class of an answer: its status, if any, and how many records it has. Servers without nwaku's extension send no
/// status.
pub fn classify(status: Option<u32>, records: usize) -> Ruling {
    const UNAVAILABLE: Ruling = Ruling::new(
        ExactClass::Unavailable,
        Retry::Other,
        ShowCaller::WhenExhausted,
    );
    match status.unwrap_or(0) {
        200 if records == 0 => Ruling::new(ExactClass::Empty, Retry::Other, ShowCaller::No),
        // Without a presence bit, as proto3 has it, absent is 0.
        0 if records == 0 => UNAVAILABLE,
        200 | 0 => Ruling::OK,
        400 => Ruling::new(ExactClass::BadRequest, Retry::None, ShowCaller::Yes),
        429 => Ruling::new(
            ExactClass::RateLimited,
            Retry::OtherOrSameAfter(Duration::from_secs(60)),
            ShowCaller::No,
        ),
        _ => UNAVAILABLE,
    }
}

/// What an answer to `request` means.
pub fn interpret(request: &Rpc, answer: Rpc) -> Result<Records, Verdict> {
    let response = answer.response.unwrap_or_default();
    classify(response.status_code, response.peer_infos.len()).verdict(|| {
        verdict::describe(
            Protocol::PeerExchange,
            response.status_code,
            response.status_desc.as_deref(),
        )
    })?;
    let wanted = request.query.map_or(MAX_RECORDS, |query| query.num_peers);
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    Ok(Records {
        enrs: response
            .peer_infos
            .into_iter()
            .take(wanted)
            .map(|info| info.enr)
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_always_carries_its_query() {
        assert_eq!(Rpc::request(0).encode(), [0x0a, 0x02, 0x08, 0x00]);
    }

    #[test]
    fn an_answer_is_cut_to_what_was_asked_for() {
        let answer = Rpc::answer(vec![vec![1], vec![2], vec![3]], 200, None);
        let records = interpret(&Rpc::request(2), answer).unwrap();
        assert_eq!(records.enrs, [vec![1], vec![2]]);
    }

    #[test]
    fn an_answer_without_a_response_is_unavailable() {
        let verdict = interpret(&Rpc::request(2), Rpc::request(2)).unwrap_err();
        assert_eq!(verdict.class, ExactClass::Unavailable);
    }

    #[test]
    fn no_records_with_success_is_a_success() {
        let answer = Rpc::answer(Vec::new(), 200, None);
        assert_eq!(interpret(&Rpc::request(2), answer).unwrap().enrs.len(), 0);
    }
}
