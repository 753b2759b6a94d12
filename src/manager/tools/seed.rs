//! Every choice between equals, from one seed.
//!
//! Owns the seed. A draw depends on it, on what it is for, on whom it is about, and on how many were drawn for that; never
//! on how often the manager was called or what else was drawn, so that idle calls change nothing (invariant D4). Whoever
//! draws keeps the count, and counts what was decided.

use sha2::{Digest, Sha256};

/// What a stable mark is for: equal bytes get different marks in different domains.
#[derive(Debug, Clone, Copy)]
pub(in crate::manager) enum Domain {
    /// The order among equal peers.
    Peer = 1,
    /// A group of addresses.
    Group = 2,
    /// A host and port.
    Endpoint = 3,
    /// How long a peer waits.
    Wait = 4,
    /// A small group of addresses.
    Subnet = 5,
    /// Who told of others.
    Introducer = 6,
    /// The lifetime of a connection.
    Lifetime = 8,
    /// Finding records.
    Id = 9,
    /// Whether any other than the best candidate is dialed.
    Explore = 10,
    /// Among whom that other is.
    Around = 11,
    /// Which of them.
    Other = 12,
    /// Who is forgotten for a newcomer.
    Room = 13,
    /// When the next probe is.
    Probe = 14,
    /// When a round that closed nothing is tried again.
    Round = 15,
    /// When a connection goes that is not needed.
    Release = 16,
}

/// The source of choices.
#[derive(Debug, Clone)]
pub(in crate::manager) struct Seed {
    seed: [u8; 32],
}

impl Seed {
    pub(in crate::manager) fn new(seed: [u8; 32]) -> Self {
        Self { seed }
    }

    /// A number that always is the same for these bytes. Nobody who does not know the seed can choose it.
    pub(in crate::manager) fn mark(&self, domain: Domain, bytes: &[u8]) -> u64 {
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update([domain as u8]);
        hash.update(bytes);
        let digest = hash.finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        u64::from_le_bytes(first)
    }

    /// The uniform number of the `count`th decision of a kind about somebody or something.
    pub(in crate::manager) fn draw(&self, domain: Domain, about: u64, count: u64) -> Draw {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&about.to_le_bytes());
        bytes[8..].copy_from_slice(&count.to_le_bytes());
        Draw(self.mark(domain, &bytes))
    }
}

/// A uniform number.
#[derive(Debug, Clone, Copy)]
pub(in crate::manager) struct Draw(pub(in crate::manager) u64);

impl Draw {
    /// Between two bounds, both included.
    pub(in crate::manager) fn between(self, low: u64, high: u64) -> u64 {
        let span = u128::from(high.saturating_sub(low)) + 1;
        let offset = (u128::from(self.0) * span) >> 64;
        low.saturating_add(offset as u64)
    }

    /// About this much: up to a fifth less or more.
    pub(in crate::manager) fn about(self, wait: u64) -> u64 {
        self.between(wait - wait / 5, wait.saturating_add(wait / 5))
    }

    /// True once in `n` times; never for 0.
    pub(in crate::manager) fn one_in(self, n: u64) -> bool {
        n != 0 && self.between(1, n) == 1
    }
}
