//! Real swarms on loopback.

mod client;
mod driver;
mod fleet;
mod http;
mod streams;
