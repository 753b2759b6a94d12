//! Dials under way, and what others dial (4.7).
//!
//! Owns one entry for each peer that is being dialed, at the one address that is dialed at this moment; and what somebody
//! else was allowed to dial. Both occupy room under the hard cap. A few dozen at most: everything is found by looking
//! through them.

use libp2p_identity::PeerId;
use litemap::LiteMap;
use multiaddr::Multiaddr;

use crate::manager::book::route::Route;
use crate::manager::boundary::command::DialWhy;
use crate::manager::boundary::config::Config;
use crate::manager::boundary::event::{DialId, RequirementId, Transport};
use crate::manager::tools::services::Cover;
use crate::manager::tools::slot::Ix;

/// One peer being dialed at one address.
#[derive(Debug, Clone)]
pub(in crate::manager) struct Dial {
    pub(in crate::manager) id: DialId,
    pub(in crate::manager) why: DialWhy,
    /// What it is expected to bring.
    pub(in crate::manager) cover: Cover,
    /// It is one of the few bootstrap peers that may be dialed at once (S4).
    pub(in crate::manager) bootstrap: bool,
    /// The user waits for it: it may overdraw the bucket.
    pub(in crate::manager) urgent: bool,
    /// When the first of the peer's addresses was dialed.
    pub(in crate::manager) began_at: u64,
    /// Addresses that failed since then.
    pub(in crate::manager) failed: Vec<Multiaddr>,
    /// It takes so long that nothing is expected of it any more.
    pub(in crate::manager) slow: bool,
    /// Where.
    pub(in crate::manager) route: Route,
}

/// What somebody else was allowed to dial, until then: by that time it is connected, or comes no more.
#[derive(Debug, Clone, Copy)]
struct Foreign {
    peer: Option<PeerId>,
    until: u64,
}

/// Nobody tells how a dial of somebody else's fails. It occupies its place for as long as the slowest takes, in
/// milliseconds.
const FOREIGN_MS: u64 = 30_000;

/// All dials.
#[derive(Debug, Default)]
pub(in crate::manager) struct Dials {
    list: LiteMap<Ix, Dial>,
    foreign: Vec<Foreign>,
    named: u64,
}

impl Dials {
    pub(in crate::manager) fn len(&self) -> usize {
        self.list.len()
    }

    pub(in crate::manager) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(in crate::manager) fn iter(&self) -> impl Iterator<Item = (Ix, &Dial)> {
        self.list.iter().map(|(ix, dial)| (*ix, dial))
    }

    /// The dial of a peer.
    pub(in crate::manager) fn of(&self, ix: Ix) -> Option<&Dial> {
        self.list.get(&ix)
    }

    /// Whom a dial is for.
    pub(in crate::manager) fn whose(&self, id: DialId) -> Option<Ix> {
        self.iter()
            .find(|(_, dial)| dial.id == id)
            .map(|(ix, _)| ix)
    }

    /// Whether somebody is connecting to this host and port.
    pub(in crate::manager) fn busy(&self, endpoint: u64) -> bool {
        self.iter().any(|(_, dial)| dial.route.endpoint == endpoint)
    }

    /// How many are of this transport.
    pub(in crate::manager) fn count_of(&self, transport: Transport) -> usize {
        self.iter()
            .filter(|(_, dial)| dial.route.transport == transport)
            .count()
    }

    /// The last that began of this transport.
    pub(in crate::manager) fn last_of(&self, transport: Transport) -> Option<Ix> {
        self.iter()
            .filter(|(_, dial)| dial.route.transport == transport)
            .max_by_key(|(_, dial)| dial.id)
            .map(|(ix, _)| ix)
    }

    /// A requirement is gone: nothing is expected for it any more.
    pub(in crate::manager) fn forget_requirement(&mut self, id: RequirementId) {
        for (_, dial) in self.list.iter_mut() {
            dial.cover = dial.cover.without(id);
        }
    }

    /// A dial takes too long. Returns what was expected of it.
    pub(in crate::manager) fn doubt(&mut self, ix: Ix) -> Option<Cover> {
        let dial = self.list.get_mut(&ix)?;
        dial.slow = true;
        Some(core::mem::replace(&mut dial.cover, Cover::NONE))
    }

    /// How many were ordered so far.
    pub(in crate::manager) fn ordered(&self) -> u64 {
        self.named
    }

    /// An id for the next dial.
    pub(in crate::manager) fn next_id(&mut self) -> DialId {
        self.named += 1;
        DialId(self.named)
    }

    pub(in crate::manager) fn begin(&mut self, ix: Ix, dial: Dial) {
        let replaced = self.list.insert(ix, dial);
        debug_assert!(replaced.is_none(), "one dial for each peer");
    }

    pub(in crate::manager) fn end(&mut self, ix: Ix) -> Option<Dial> {
        self.list.remove(&ix)
    }

    /// Somebody else may dial, this peer if it is known. A second dial of one peer is none more.
    pub(in crate::manager) fn allow(&mut self, now: u64, peer: Option<PeerId>) {
        self.foreign
            .retain(|foreign| peer.is_none() || foreign.peer != peer);
        self.foreign.push(Foreign {
            peer,
            until: now.saturating_add(FOREIGN_MS),
        });
    }

    /// A connection came that we did not order: a dial that was allowed came to its end.
    pub(in crate::manager) fn came(&mut self, peer: PeerId) {
        let named = self
            .foreign
            .iter()
            .position(|foreign| foreign.peer == Some(peer));
        let of_it = named.or_else(|| {
            self.foreign
                .iter()
                .position(|foreign| foreign.peer.is_none())
        });
        if let Some(place) = of_it {
            self.foreign.remove(place);
        }
    }

    /// Those that never told how they ended occupy no room any more. Returns when the next of them does not.
    pub(in crate::manager) fn expire(&mut self, now: u64) -> Option<u64> {
        self.foreign.retain(|foreign| now < foreign.until);
        self.foreign.iter().map(|foreign| foreign.until).min()
    }

    /// The places that all dials occupy, ours and others'.
    pub(in crate::manager) fn occupied(&self) -> usize {
        self.list.len() + self.foreign.len()
    }

    /// Whether they are what they must be (S10).
    pub(in crate::manager) fn check(&self, config: &Config) {
        assert!(self.len() <= config.dials_in_flight, "in flight <= cap");
        for (ix, dial) in self.iter() {
            assert_eq!(self.whose(dial.id), Some(ix));
            let there = |(_, other): &(Ix, &Dial)| other.route.endpoint == dial.route.endpoint;
            assert_eq!(self.iter().filter(there).count(), 1, "one an endpoint");
            assert!(dial.failed.len() < usize::from(config.routes_per_dial));
        }
    }
}
