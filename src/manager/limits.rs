//! How many connections there may be (4.4, 4.7, 4.14).
//!
//! Owns the limits that the user set and those that hold now: the soft target G, the hard cap H, the caps by transport
//! and the lifetime of connections. Everything that compares with G or H asks here.

use litemap::LiteMap;

use super::config::Config;
use super::event::Transport;

/// See the module.
#[derive(Debug)]
pub(super) struct Limits {
    /// What the user wants; the environment never goes above it.
    wanted_soft: u16,
    wanted_hard: u16,
    /// What holds now.
    soft: u16,
    hard: u16,
    by_transport: LiteMap<Transport, u16>,
    /// How old connections become; `None`: as old as they like (4.17).
    pub(super) lifetime_ms: Option<u64>,
}

impl Limits {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            wanted_soft: config.soft_connections,
            wanted_hard: config.hard_connections,
            soft: config.soft_connections,
            hard: config.hard_connections,
            by_transport: LiteMap::new(),
            lifetime_ms: None,
        }
    }

    /// The soft target (G): aimed at, exceeded only to replace before breaking.
    pub(super) fn soft(&self) -> usize {
        usize::from(self.soft)
    }

    /// The hard cap (H) of connections and dials together.
    pub(super) fn hard(&self) -> usize {
        usize::from(self.hard)
    }

    /// Peers that may be pinned or protected: half of the soft target that the user set, so that needs keep the rest
    /// (4.8).
    pub(super) fn pins(&self) -> usize {
        usize::from(self.wanted_soft).div_ceil(2)
    }
}
