//! Real swarms on loopback.

mod client;
mod driver;
mod fleet;
mod hostile;
mod http;
mod streams;
