//! What contact with a peer told, and what the user said of it.
//!
//! Apart from the [`Peer`] itself, because most of the thousands of known peers were merely heard of: they have none.

use std::ops::{Deref, DerefMut};

use super::hints::Hint;
use super::peer::{Lost, Peer, Service};
use super::score::Faded;
use super::services::Services;

/// See the module. Read and written as if it were part of the [`Peer`]; made with the first write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct History {
    /// What identify said on the last connection that got so far.
    pub(super) verified: Option<Services>,
    pub(super) services: Vec<Service>,
    /// Why the user wants its connection left alone: one tag for each wish (4.8).
    pub(super) tags: Vec<String>,
    pub(super) lost: Option<Lost>,
    /// When it last served, wall clock.
    pub(super) served_wall_ms: Option<u64>,
    /// How well it behaved (4.5): only breaches of a protocol move it, and it stands still during a ban.
    pub(super) behaviour: Faded,
    /// What the user thinks of it, for a time.
    pub(super) hints: Vec<Hint>,
    pub(super) faults: u8,
    pub(super) last_fault: u64,
    pub(super) shards: Option<Vec<u16>>,
    pub(super) agent: Option<String>,
    pub(super) rtt_ms: Option<u32>,
}

/// Of whom nothing is known.
static NO_HISTORY: History = History {
    verified: None,
    services: Vec::new(),
    tags: Vec::new(),
    lost: None,
    served_wall_ms: None,
    behaviour: Faded::ZERO,
    hints: Vec::new(),
    faults: 0,
    last_fault: 0,
    shards: None,
    agent: None,
    rtt_ms: None,
};

impl Deref for Peer {
    type Target = History;

    fn deref(&self) -> &History {
        self.history.as_deref().unwrap_or(&NO_HISTORY)
    }
}

impl DerefMut for Peer {
    fn deref_mut(&mut self) -> &mut History {
        self.history
            .get_or_insert_with(|| Box::new(NO_HISTORY.clone()))
    }
}
