//! What contact with a peer told, and what the user said of it.
//!
//! Apart from the [`Peer`] itself, because most of the thousands of known peers were merely heard of: they have none.

use std::ops::{Deref, DerefMut};

use crate::manager::book::hints::Hint;
use crate::manager::book::peer::{Lost, Peer, Service};
use crate::manager::book::score::Faded;
use crate::manager::tools::services::Services;

/// See the module. Read and written as if it were part of the [`Peer`]; made with the first write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::manager) struct History {
    /// What identify said on the last connection that got so far.
    pub(in crate::manager) verified: Option<Services>,
    pub(in crate::manager) services: Vec<Service>,
    /// Why the user wants its connection left alone: one tag for each wish (4.8).
    pub(in crate::manager) tags: Vec<String>,
    pub(in crate::manager) lost: Option<Lost>,
    /// When it last served, wall clock.
    pub(in crate::manager) served_wall_ms: Option<u64>,
    /// How well it behaved (4.5): only breaches of a protocol move it, and it stands still during a ban.
    pub(in crate::manager) behaviour: Faded,
    /// What the user thinks of it, for a time.
    pub(in crate::manager) hints: Vec<Hint>,
    pub(in crate::manager) faults: u8,
    pub(in crate::manager) last_fault: u64,
    pub(in crate::manager) shards: Option<Vec<u16>>,
    pub(in crate::manager) agent: Option<String>,
    pub(in crate::manager) rtt_ms: Option<u32>,
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
