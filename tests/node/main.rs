//! Real swarms on loopback.

mod client;
mod fleet;
mod http;
