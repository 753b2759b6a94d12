//! The driver, natively, against a fleet on loopback: the same code as in the browser, without one.

mod dnsaddr;
mod drain;
mod enrollment;
mod messages;
mod peers;
mod receiving;
mod sending;
mod wire;
mod wishes;
pub(crate) mod world;
