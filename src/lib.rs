//! Lightkeeper keeps a web page connected to the service peers of a peer-to-peer network.
//!
//! The crate is built twice: for `wasm32`, where it becomes the npm package `lightkeeper`, and natively, where it runs
//! its tests and the local network that they need.
//!
//! | module | what it is | depends on |
//! |---|---|---|
//! | [`manager`] | decides who should be connected, and why; no input or output of its own | nothing |
//! | [`discovery`] | node records, signed record trees and DNS messages; bytes in, candidates out | `shards` |
//! | [`protocols`] | wire formats and rules of the Waku request protocols | `shards` |
//! | `shards` | what records and protocols say of shards alike | nothing |
//! | `node` | the driver: one loop that owns the libp2p swarm | those above |
//! | `transport` | the browser's WebSocket as a libp2p transport (wasm only) | |
//! | `browser` | what JavaScript sees (wasm only) | `node`, `transport` |
//! | `fleet` | service nodes for a local network (native only) | `node` |
//!
//! The first four are pure: time, randomness and bytes are inputs, so a seed and a list of events reproduce a run.

pub mod discovery;
pub mod manager;
#[cfg(feature = "node")]
pub mod node;
pub mod protocols;
mod shards;

#[cfg(all(feature = "node", target_arch = "wasm32"))]
pub mod browser;
// Natively only what crosses is there, to be compared with the package's declarations.
#[cfg(all(test, feature = "node", not(target_arch = "wasm32")))]
#[allow(dead_code, unused_imports)]
mod browser {
    mod data;
}
#[cfg(all(feature = "fleet", not(target_arch = "wasm32")))]
pub mod fleet;
#[cfg(all(feature = "node", target_arch = "wasm32"))]
pub mod transport;
