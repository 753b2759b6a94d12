//! What others say: peers that exist, answers that are complete.

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use crate::manager::book::netgroups::Label;
use crate::manager::book::peer::{Peer, Role};
use crate::manager::boundary::event::{RequirementId, Source};
use crate::manager::tools::services::Services;
use crate::manager::tools::slot::Ix;
use crate::manager::{Manager, Notice};

impl Manager {
    /// A claim: adds a peer, addresses and claims. It changes nothing that was verified, and dials nobody.
    pub(in crate::manager) fn on_discovered(
        &mut self,
        peer: PeerId,
        routes: &[Multiaddr],
        claims: &[RequirementId],
        source: Source,
        introducer: Option<PeerId>,
    ) {
        if peer == self.config.local {
            return;
        }
        let (all, nameable) = (self.all(), self.nameable());
        let answerer = introducer.and_then(|id| self.table.find(&id));
        if answerer.is_some_and(|ix| !self.asking.counts(&self.config, ix)) {
            return;
        }
        let (ix, new) = match self.table.find(&peer) {
            Some(ix) => (ix, false),
            None => match self.find_or_insert(peer, source, introducer) {
                Some(ix) => (ix, true),
                None => return,
            },
        };
        let mut changed = self.add_routes(ix, routes) || new;
        if changed && !self.keep_bounds(ix, new) {
            return;
        }
        let Some(record) = self.table.get_mut(ix) else {
            return;
        };
        let before = record.claims;
        let said: Services = claims.iter().copied().collect();
        record.claim(said.and(all), nameable);
        let claims = record.claims;
        changed |= claims != before;
        let role = match (record.role, source) {
            (_, Source::Static) => Role::Named,
            (Role::Ordinary, Source::Dns) => Role::Bootstrap,
            (role, Source::Dns | Source::PeerExchange | Source::Foreign | Source::Saved) => role,
        };
        changed |= role != record.role;
        record.role = role;
        if !changed {
            return;
        }
        if new {
            self.out.tell(Notice::Discovered {
                peer,
                source,
                claims: claims.iter().collect(),
            });
            if let Some(answerer) = answerer
                && self.asking.arrives(answerer, ix)
                && let Some(record) = self.table.get_mut(ix)
            {
                record.arriving = true;
            }
        }
        self.refresh(ix);
    }

    /// Nobody who names peers, and no netgroup, has more than its part of the table (4.15): another one of them goes, or
    /// else the newcomer. Returns whether the peer is still there.
    fn keep_bounds(&mut self, ix: Ix, new: bool) -> bool {
        let Some(peer) = self.table.get(ix) else {
            return false;
        };
        let (introducer, group) = (peer.introducer, peer.routes.best().map(|route| route.group));
        if let Some(introducer) = introducer
            && new
            && self.table.crowds.of(Label::New(introducer)) > self.config.max_introduced
        {
            let draw = self.seed.draw();
            let other = self.table.crowds.any_of_introducer(introducer, ix, draw);
            self.forget(other.unwrap_or(ix));
        }
        if let Some(group) = group
            && self.table.crowds.of(Label::Group(group)) > self.config.max_per_netgroup
        {
            let draw = self.seed.draw();
            let other = self.table.crowds.any_of_group(group, ix, draw);
            let forgettable = new && self.table.get(ix).is_some_and(Peer::forgettable);
            if let Some(gone) = other.or(forgettable.then_some(ix)) {
                self.forget(gone);
            }
        }
        self.table.get(ix).is_some()
    }

    /// The answer of a peer is complete: what it brought is weighed as a whole.
    pub(in crate::manager) fn on_answered(&mut self, peer: &PeerId) {
        let Some(ix) = self.table.find(peer) else {
            return;
        };
        for newcomer in self.asking.answered(ix) {
            self.arrived(newcomer);
        }
    }

    pub(in crate::manager) fn on_trees_done(&mut self, failed: bool) {
        self.asking
            .trees_done(&self.config, self.now.mono_ms, failed);
    }

    /// A newcomer is weighed from now on.
    pub(in crate::manager) fn arrived(&mut self, ix: Ix) {
        if let Some(peer) = self.table.get_mut(ix) {
            peer.arriving = false;
            self.refresh(ix);
        }
    }

    /// Adds addresses; whether one was new.
    pub(in crate::manager) fn add_routes(&mut self, ix: Ix, routes: &[Multiaddr]) -> bool {
        let Some(peer) = self.table.get_mut(ix) else {
            return false;
        };
        let mut added = false;
        for route in routes {
            added |= peer.routes.add(route, self.config.max_routes, &self.seed);
        }
        if added {
            self.table.regroup(ix);
            self.refresh(ix);
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
