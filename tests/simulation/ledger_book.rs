//! What the user writes into the address book, as the ledger knows it: addresses, and who was forgotten.

use libp2p_identity::PeerId;
use lightkeeper::manager::{Event, PeerView};

use crate::ledger::{Ledger, PeerRecord};

impl Ledger {
    /// The record of somebody whom the user names.
    pub(crate) fn named(&mut self, peer: &PeerId) -> &mut PeerRecord {
        let known = self.peers.get(peer).is_some_and(|record| !record.gone);
        let record = self.peers.entry(*peer).or_default();
        record.named |= !known;
        record.gone = false;
        record
    }

    /// `subject`: what can be read of the peer that it is about, if it is known.
    pub(crate) fn book(&mut self, event: &Event, subject: Option<&PeerView>) {
        match event {
            Event::AddRoute { peer, route } if subject.is_some() => {
                let most = self.config.max_routes;
                let record = self.named(peer);
                record.named = true;
                record.routes.insert(route.clone());
                if record.routes.len() > most {
                    // The user's may cost any that others claim; which, cannot be read.
                    record.verified.clear();
                }
            }
            Event::RemoveRoute { peer, route } => {
                let Some(record) = self.peers.get_mut(peer) else {
                    return;
                };
                record.routes.remove(route);
                record.verified.remove(route);
                // Of more than it keeps, the manager may have kept only this.
                if subject.is_some_and(|view| view.route.is_none()) {
                    record.routes.clear();
                    record.verified.clear();
                }
            }
            Event::Hint { peer, .. } if subject.is_some() => {
                self.named(peer);
            }
            Event::Forget { peer } => {
                let connected = !self.conns_of(peer).is_empty();
                if let Some(record) = self.peers.get_mut(peer) {
                    *record = PeerRecord {
                        gone: !connected,
                        last_closed: record.last_closed,
                        introducer: record.introducer,
                        ..record.bans_alone()
                    };
                    self.going.retain(|going| going != peer);
                    if connected {
                        self.going.push(*peer);
                    }
                }
            }
            _ => {}
        }
        self.go();
    }

    /// Those who were forgotten while connected are gone with their connections, unless somebody named them since.
    fn go(&mut self) {
        for peer in std::mem::take(&mut self.going) {
            if !self.conns_of(&peer).is_empty() {
                self.going.push(peer);
                continue;
            }
            if let Some(record) = self.peers.get_mut(&peer)
                && record.routes.is_empty()
                && !record.named
                && !record.in_tree
                && !record.requested
            {
                *record = record.bans_alone();
            }
        }
    }
}
