//! Every choice between equals, from one seed.
//!
//! Owns the seed and the number of decisions drawn so far. A draw depends on the seed and on how many *decisions* were
//! made before it, never on how often the manager was called, so that idle calls change nothing (invariant D4).

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
    /// Decisions.
    Draw = 4,
    /// A small group of addresses.
    Subnet = 5,
    /// Who told of others.
    Introducer = 6,
    /// The lifetime of a connection.
    Lifetime = 8,
    /// Finding records.
    Id = 9,
}

/// The source of choices.
#[derive(Debug, Clone)]
pub(in crate::manager) struct Seed {
    seed: [u8; 32],
    drawn: u64,
}

impl Seed {
    pub(in crate::manager) fn new(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
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

    /// How many decisions were drawn, to come back to when nothing came of them.
    pub(in crate::manager) fn drawn(&self) -> u64 {
        self.drawn
    }

    /// What was drawn since leads to nothing: it was no decision.
    pub(in crate::manager) fn undraw(&mut self, drawn: u64) {
        self.drawn = drawn;
    }

    /// A fresh uniform number.
    pub(in crate::manager) fn draw(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        self.mark(Domain::Draw, &self.drawn.to_le_bytes())
    }

    /// A fresh uniform number between two bounds, both included.
    pub(in crate::manager) fn between(&mut self, low: u64, high: u64) -> u64 {
        let span = u128::from(high.saturating_sub(low)) + 1;
        let offset = (u128::from(self.draw()) * span) >> 64;
        low.saturating_add(offset as u64)
    }

    /// About this much: up to a fifth less or more.
    pub(in crate::manager) fn about(&mut self, wait: u64) -> u64 {
        self.between(wait - wait / 5, wait.saturating_add(wait / 5))
    }

    /// True once in `n` times; never for 0.
    pub(in crate::manager) fn one_in(&mut self, n: u64) -> bool {
        n != 0 && self.between(1, n) == 1
    }
}
