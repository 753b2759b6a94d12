//! The records of peers: how one is made, finds its place among those who could be dialed, and is forgotten.

use libp2p_identity::PeerId;

use crate::manager::Manager;
use crate::manager::book::peer::{Bar, Peer};
use crate::manager::boundary::event::Source;
use crate::manager::boundary::reason::Reason;
use crate::manager::tools::deadlines::Timer;
use crate::manager::tools::seed::Domain;
use crate::manager::tools::slot::Ix;

impl Manager {
    /// Bars a peer from being dialed, or lifts it.
    pub(in crate::manager) fn set_bar(&mut self, ix: Ix, bar: Bar) {
        let Some(peer) = self.table.get_mut(ix) else {
            return;
        };
        peer.set_bar(bar);
        self.leaving.barred(ix, bar);
        let until = match bar {
            Bar::Until { at, .. } => Some(at),
            Bar::Open | Bar::HungUp => None,
        };
        self.deadlines.put(Timer::Bar(ix), until);
        self.refresh(ix);
    }

    /// Bars a peer until then, unless it is barred for as long already: no wait is made shorter by another.
    pub(in crate::manager) fn bar_until(&mut self, ix: Ix, at: u64, why: Reason) {
        let longer = self.table.get(ix).is_some_and(|peer| match peer.bar() {
            Bar::HungUp => true,
            Bar::Until { at: until, .. } => until >= at,
            Bar::Open => false,
        });
        if longer {
            self.refresh(ix);
        } else {
            self.set_bar(ix, Bar::Until { at, why });
        }
    }

    /// Finds a peer's record, or makes one, which is to be placed then; `None` when the table is full of peers that may not be forgotten.
    pub(in crate::manager) fn find_or_insert(
        &mut self,
        peer: PeerId,
        source: Source,
        introducer: Option<PeerId>,
    ) -> Option<Ix> {
        if let Some(ix) = self.table.find(&peer) {
            return Some(ix);
        }
        let room = self.table.room(self.config.max_peers, &self.seed);
        if let Some(old) = room.ok()? {
            self.forget(old);
        }
        let mark = |id: PeerId| self.seed.mark(Domain::Introducer, &id.to_bytes());
        let introducer = introducer.map(mark);
        let ix = self.table.insert(peer, source, introducer, &self.seed);
        // Without an address it has no place among those who could be dialed yet.
        self.copy_ban(ix);
        Some(ix)
    }

    /// Forgets a peer and everything that refers to it.
    pub(in crate::manager) fn forget(&mut self, ix: Ix) {
        let Some(peer) = self.table.remove(ix) else {
            return;
        };
        self.refresh(ix);
        self.clear_timers(ix, &peer);
    }

    /// Disarms everything that waits for a peer.
    pub(in crate::manager) fn clear_timers(&mut self, ix: Ix, peer: &Peer) {
        self.deadlines.clear(Timer::Bar(ix));
        self.deadlines.clear(Timer::Hint(ix));
        for service in peer.services() {
            self.deadlines.clear(Timer::Rest(ix, service.requirement()));
        }
        self.asking.forget(ix);
        self.leaving.forget(ix);
        self.last_session.forget(ix);
    }
}
