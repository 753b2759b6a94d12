//! Wire formats and rules of the Waku request protocols, of relays and of rendezvous: bytes and texts in, decisions out.
//!
//! Nothing here reads a clock, draws a random number or knows a stream. Both directions are here, since the local
//! fleet serves what the node asks. How real servers speak each protocol, with the sources, is in the pages beside the
//! modules: `README.md` leads to them.
//!
//! | module | what it is |
//! |---|---|
//! | [`ids`] | the protocol ids |
//! | [`varint`], [`frame`] | length-prefixed frames |
//! | [`codec`] | decoding rules shared by all messages, [`DecodeError`] |
//! | [`message`] | `WakuMessage` and its deterministic hash |
//! | [`topic`], [`network`] | content topics, pubsub topics, sharding |
//! | [`metadata`], [`peer_exchange`], [`lightpush`], [`filter`], [`store`] | one protocol each |
//! | [`circuit`], [`rendezvous`] | relays, and finding one another by a name |
//! | [`envelope`], [`peer_record`] | what peers sign, and where they say that they are |
//! | [`charge`] | whether the end of a request counts against the peer |
//! | [`pace`] | how fast a server may be asked |
//! | [`verdict`] | what a failed request means: for the request, for the peer, for the caller |
//!
//! Every request protocol has one entry point for an answer, called `interpret`; ends that give no answer (timeout,
//! reset, …) go through [`Verdict::of_end`].

pub mod charge;
pub mod circuit;
pub mod codec;
pub mod envelope;
pub mod filter;
pub mod frame;
pub mod ids;
pub mod lightpush;
pub mod message;
pub mod metadata;
pub mod network;
pub mod pace;
pub mod peer_exchange;
pub mod peer_record;
pub mod rendezvous;
pub mod store;
pub mod topic;
pub mod varint;
pub mod verdict;

pub use codec::DecodeError;
pub use frame::{FrameDecoder, FrameError};
pub use message::{MessageError, MessageHash, WakuMessage};
pub use network::{Network, ShardError};
pub use topic::{ContentTopic, PubsubTopic};
pub use verdict::{
    End, ExactClass, FailureClass, PeerAction, Protocol, Retry, Ruling, ShowCaller, Verdict,
};
