//! Peer exchange (34/WAKU2-PEER-EXCHANGE): asking a server for records of other nodes.

use super::codec::{Field, Kind, wire};

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
