//! The driver: one loop that owns the libp2p swarm, feeds the manager and carries out its orders.
//!
//! [`Node`] is what the shells hold. Its calls are plain async code that waits for the loop (`driver`), asks peers over
//! streams of our own behaviour ([`streams`]) and reports to the manager how they did. The same code runs natively and in
//! the browser; `platform` holds what differs. The rules of what is beneath the protocols are in `libp2p-basics.md`.

mod behaviour;
mod config;
mod control;
mod dialing;
mod driver;
mod enrollment;
mod error;
mod event;
mod filter;
pub mod framed;
mod gate;
mod handle;
mod leases;
mod light_push;
pub mod muxer;
pub mod noise;
mod paces;
mod peers;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod pipe;
mod platform;
mod request;
mod store;
pub mod streams;
mod undo;
mod verdicts;

pub use config::{
    Bootstrap, FILTER, LIGHT_PUSH, Limits, Needs, NodeConfig, REQUIREMENT_NAMES, STORE,
};
#[cfg(target_arch = "wasm32")]
pub(crate) use driver::within;
pub use enrollment::Enrolled;
pub use error::{ErrorCode, Failure, NodeError};
pub use event::{
    GapCause, LogLevel, Named, NodeEvent, Received, SubscriptionId, SubscriptionState, Via,
};
pub use filter::{Subscribed, Wanted};
pub use handle::{HealthView, Node, ReadyLevel};
pub use leases::{Burst, Locked};
pub use light_push::{Outgoing, SendOptions, SendReport};
#[cfg(target_arch = "wasm32")]
pub(crate) use platform::spawn;
pub use store::{Page as StorePage, Query as StoreQuery};

/// The media type of a `Content-Type` header: lower case, without parameters.
fn media_type(header: &str) -> String {
    header
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}
