//! What others say: peers that exist, answers that are complete.

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use crate::manager::book::netgroups::Label;
use crate::manager::book::peer::Peer;
use crate::manager::boundary::event::{Sighting, Source};
use crate::manager::tools::services::Services;
use crate::manager::tools::slot::Ix;
use crate::manager::{Manager, Notice};

impl Manager {
    /// A claim: adds a peer, addresses and claims. It changes nothing that was verified, and dials nobody.
    pub(in crate::manager) fn heard_of(
        &mut self,
        said: &Sighting,
        source: Source,
        introducer: Option<PeerId>,
    ) {
        let peer = said.peer;
        if peer == self.config.local {
            return;
        }
        let (all, nameable) = (self.all(), self.nameable());
        let (ix, new) = match self.table.find(&peer) {
            Some(ix) => (ix, false),
            None => match self.find_or_insert(peer, source, introducer) {
                Some(ix) => (ix, true),
                None => return,
            },
        };
        let mut changed = self.add_routes(ix, &said.routes) || new;
        if changed && !self.keep_bounds(ix, new) {
            return;
        }
        let Some(record) = self.table.get_mut(ix) else {
            return;
        };
        let before = record.claims();
        let claims: Services = said.claims.iter().copied().collect();
        record.claim(claims.and(all), nameable);
        let claims = record.claims();
        changed |= claims != before;
        changed |= record.heard_from(source);
        if !changed {
            return;
        }
        if new {
            self.out.tell(Notice::Discovered {
                peer,
                source,
                claims: claims.iter().collect(),
            });
        }
        self.refresh(ix);
    }

    /// Nobody who names peers, and no netgroup, has more than its part of the table (4.15): another one of them goes, or
    /// else the newcomer. Returns whether the peer is still there.
    fn keep_bounds(&mut self, ix: Ix, new: bool) -> bool {
        let Some(peer) = self.table.get(ix) else {
            return false;
        };
        let (introducer, group) = (
            peer.introducer(),
            peer.routes().best().map(|route| route.group),
        );
        if let Some(introducer) = introducer
            && new
            && self.table.counts().of(Label::New(introducer)) > self.config.max_introduced
        {
            let other = self.table.any_of_introducer(introducer, ix, &self.seed);
            self.forget(other.unwrap_or(ix));
        }
        if let Some(group) = group
            && self.table.counts().of(Label::Group(group)) > self.config.max_per_netgroup
        {
            let other = self.table.any_of_group(group, ix, &self.seed);
            let forgettable = new && self.table.get(ix).is_some_and(Peer::forgettable);
            if let Some(gone) = other.or(forgettable.then_some(ix)) {
                self.forget(gone);
            }
        }
        self.table.get(ix).is_some()
    }

    /// A peer names others, no more of which count than were asked for (4.15).
    pub(in crate::manager) fn on_answered(&mut self, peer: PeerId, entries: Vec<Sighting>) {
        if let Some(ix) = self.table.find(&peer) {
            self.asking.answered(ix);
        }
        let counted = usize::try_from(self.config.exchange_count).unwrap_or(usize::MAX);
        for said in entries.iter().take(counted) {
            self.heard_of(said, Source::PeerExchange, Some(peer));
        }
    }

    pub(in crate::manager) fn on_trees_done(&mut self, failed: bool, answered: bool) {
        self.asking
            .trees_done(&self.config, self.now.mono_ms, failed);
        if answered {
            self.resolver_answers();
        }
    }

    /// Adds addresses; whether one was new. The peer is placed anew by who calls.
    fn add_routes(&mut self, ix: Ix, routes: &[Multiaddr]) -> bool {
        let Some(peer) = self.table.get_mut(ix) else {
            return false;
        };
        let mut added = false;
        for route in routes {
            added |= peer
                .routes_mut()
                .add(route, self.config.max_routes, &self.seed);
        }
        if added {
            self.table.regroup(ix);
        }
        added
    }

    /// A peer that the user or a connection names: its record, with the news if it is new.
    pub(in crate::manager) fn known(&mut self, peer: PeerId, source: Source) -> Option<Ix> {
        if let Some(ix) = self.table.find(&peer) {
            return Some(ix);
        }
        let ix = self.find_or_insert(peer, source, None)?;
        self.out.tell(Notice::Discovered {
            peer,
            source,
            claims: Vec::new(),
        });
        Some(ix)
    }
}
