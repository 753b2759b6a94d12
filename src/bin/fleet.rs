//! The local network.
fn main() {}
