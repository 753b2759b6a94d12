//! Finds the addresses of peers: node records, signed record trees, and the DNS messages that carry them.
//!
//! Bytes and texts go in, verified records come out. Nothing here opens a socket, reads a clock or draws entropy: time
//! and the seed are arguments, so a seed and a list of answers reproduce a run.
//!
//! | module | what it is | source of its rules |
//! |---|---|---|
//! | [`enr`] | a signed node record, its Waku keys, a builder | EIP-778, 31/WAKU2-ENR |
//! | [`ws_url`] | a multiaddr as the URL that a browser's WebSocket takes | multiaddr, WHATWG URL |
//! | [`address`] | texts as multiaddrs, without what no page speaks | multiaddr |
//! | [`dialable`] | which addresses a page may dial | browsers' mixed content rules |
//! | [`enrtree`] | tree URL, signed root, entries, a zone builder | EIP-1459 |
//! | [`dns`] | queries and answers of DNS over HTTPS, in both forms | RFC 1035, RFC 8484 |
//! | [`walk`] | the tree walk as a machine: queries out, answers in, records out | EIP-1459 |
//!
//! What real publishers and servers do, and what follows here, is in `dns-discovery.md` and `enr.md` beside this file.
//!
//! Everything that is read comes from strangers, so every reader is bounded and returns an error with a fixed name
//! instead of panicking.

pub mod address;
pub mod dialable;
pub mod dns;
pub mod enr;
pub mod enrtree;
pub mod walk;
pub mod ws_url;

use sha3::{Digest, Keccak256};

/// Keccak-256 with the original padding, which is not SHA3-256 (EIP-778, EIP-1459).
pub(crate) fn keccak256(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}
