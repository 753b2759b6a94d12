//! What the ledger keeps of a dial, of a connection and of a peer.

use std::collections::BTreeSet;

use libp2p_identity::PeerId;
use lightkeeper::manager::{DialWhy, Metadata, Reason, RequirementId};
use multiaddr::Multiaddr;

/// A dial under way.
#[derive(Debug, Clone)]
pub(crate) struct DialRecord {
    pub(crate) peer: PeerId,
    pub(crate) route: Multiaddr,
    pub(crate) at: u64,
    pub(crate) timeout_ms: u32,
    pub(crate) why: DialWhy,
}

/// A connection that was told of and is not over.
#[derive(Debug, Clone)]
pub(crate) struct ConnRecord {
    pub(crate) peer: PeerId,
    pub(crate) route: Multiaddr,
    pub(crate) opened_at: u64,
    /// It completes a dial that was under way, or the gate admitted it.
    pub(crate) admitted: bool,
    /// Ordered closed: from when on it should be gone, and why.
    pub(crate) closing: Option<(u64, Reason)>,
    pub(crate) identified: bool,
    pub(crate) metadata: Option<Metadata>,
    /// Pings without a sign of life since, and the number of the last: only an answer to that one counts.
    pub(crate) unanswered: u32,
    pub(crate) ping: u32,
    pub(crate) pinged_at: u64,
    /// When it was told to prove that it lives, unless it did: then one ping is enough (4.14).
    pub(crate) on_trial: Option<u64>,
}

/// Why a peer is to be left alone for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// It failed.
    Backoff,
    /// It stopped serving, and we closed it.
    Replaced,
    /// Nobody needed it, and we closed it. Yields to a minimum.
    Spare,
    /// Another network.
    Network,
}

/// What is known of a peer.
#[derive(Debug, Clone, Default)]
pub(crate) struct PeerRecord {
    pub(crate) in_tree: bool,
    pub(crate) named: bool,
    pub(crate) claims: BTreeSet<RequirementId>,
    /// Who told of it first.
    pub(crate) introducer: Option<PeerId>,
    pub(crate) banned_by_user: bool,
    pub(crate) banned_until: Option<u64>,
    /// It was banned, and that is remembered until then.
    pub(crate) remembered_until: Option<u64>,
    /// Automatic bans that are remembered.
    pub(crate) bans: u32,
    /// It was forgotten: what is here outlasts that.
    pub(crate) gone: bool,
    pub(crate) hung_up: bool,
    /// The user asked for it, and has not taken that back.
    pub(crate) requested: bool,
    pub(crate) routes: BTreeSet<Multiaddr>,
    pub(crate) verified: BTreeSet<Multiaddr>,
    pub(crate) wait: Option<(u64, Wait)>,
    pub(crate) last_dial: Option<u64>,
    pub(crate) last_closed: Option<(u64, Reason)>,
    pub(crate) last_lost: Option<u64>,
}

impl PeerRecord {
    pub(crate) fn banned(&self, now: u64) -> bool {
        self.banned_by_user || self.banned_until.is_some_and(|until| now < until)
    }

    /// Only the start-up ladder may release it.
    pub(crate) fn is_bootstrap(&self) -> bool {
        self.in_tree && !self.named
    }
}
