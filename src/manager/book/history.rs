//! What contact with a peer told, and what the user said of it.
//!
//! Apart from the rest of a peer's record, because most of the thousands of known peers were merely heard of: they have
//! none. Knows no peer; [`Peer`](super::peer::Peer) keeps one from the first contact on.

use crate::manager::book::score::Faded;
use crate::manager::book::service::Service;
use crate::manager::tools::services::Services;

/// Tags that protect one peer.
pub(in crate::manager::book) const MAX_TAGS: usize = 16;
/// Hints on one peer.
pub(in crate::manager::book) const MAX_HINTS: usize = 16;
/// All hints on a peer together move its score by no more than this: less than any threshold of 4.5, which hints do not
/// touch anyway (S14).
const MAX_HINTED: i32 = 200;

/// A loss that has not been made good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) struct Lost {
    /// When, monotonic.
    pub(in crate::manager) at: u64,
    /// Dials since.
    pub(in crate::manager) attempts: u32,
}

/// What the user thinks of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::manager::book) struct Hint {
    pub(in crate::manager::book) tag: String,
    pub(in crate::manager::book) value: i16,
    /// Monotonic milliseconds; `None`: for good.
    pub(in crate::manager::book) until: Option<u64>,
}

impl Hint {
    pub(in crate::manager::book) fn holds(&self, now: u64) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::manager::book) struct History {
    /// What identify said on the last connection that got so far.
    pub(in crate::manager::book) verified: Option<Services>,
    pub(in crate::manager::book) services: Vec<Service>,
    /// Why the user wants its connection left alone: one tag for each wish (4.8).
    pub(in crate::manager::book) tags: Vec<String>,
    pub(in crate::manager::book) lost: Option<Lost>,
    /// When it last served, wall clock.
    pub(in crate::manager::book) served_wall_ms: Option<u64>,
    /// How well it behaved (4.5): only breaches of a protocol move it, and it stands still during a ban.
    pub(in crate::manager::book) behaviour: Faded,
    /// What the user thinks of it, for a time.
    pub(in crate::manager::book) hints: Vec<Hint>,
    pub(in crate::manager::book) faults: u8,
    pub(in crate::manager::book) last_fault: u64,
    pub(in crate::manager::book) shards: Option<Vec<u16>>,
    pub(in crate::manager::book) agent: Option<String>,
    pub(in crate::manager::book) rtt_ms: Option<u32>,
}

impl History {
    /// Of whom nothing is known.
    pub(in crate::manager::book) const NONE: Self = Self {
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

    /// The sum of the hints that hold.
    pub(in crate::manager::book) fn hinted(&self, now: u64) -> i16 {
        let holding = self.hints.iter().filter(|hint| hint.holds(now));
        let sum: i32 = holding.map(|hint| i32::from(hint.value)).sum();
        let sum = sum.clamp(-MAX_HINTED, MAX_HINTED);
        i16::try_from(sum).expect("clamped to less than a score")
    }
}
