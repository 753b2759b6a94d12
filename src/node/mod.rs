//! The driver: one loop that owns the libp2p swarm, feeds the manager and carries out its orders.

pub mod framed;
pub mod streams;
