//! What the user says of a peer: addresses, tags that protect it, hints that fade, and that it may be forgotten.

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use crate::manager::Manager;
use crate::manager::book::history::{Hint, MAX_HINTS, MAX_TAGS};
use crate::manager::book::peer::{Link, Role};
use crate::manager::boundary::command::WishAnswer;
use crate::manager::boundary::event::Source;
use crate::manager::boundary::reason::{Reason, Revocation};
use crate::manager::tools::deadlines::Timer;
use crate::manager::tools::slot::Ix;

impl Manager {
    pub(in crate::manager) fn on_add_route(
        &mut self,
        peer: PeerId,
        route: &Multiaddr,
    ) -> WishAnswer {
        let ix = match self.named(peer) {
            Ok(ix) => ix,
            Err(reason) => return WishAnswer::Refused(reason),
        };
        let limit = self.config.max_routes;
        let Some(record) = self.table.get_mut(ix) else {
            return WishAnswer::Refused(Reason::LimitReached);
        };
        record.heard_from(Source::Static);
        let kept = record.routes_mut().add_named(route, limit, &self.seed);
        self.table.regroup(ix);
        self.refresh(ix);
        if kept {
            WishAnswer::Granted
        } else {
            WishAnswer::Refused(Reason::LimitReached)
        }
    }

    pub(in crate::manager) fn on_remove_route(&mut self, peer: &PeerId, route: &Multiaddr) {
        let Some(ix) = self.table.find(peer) else {
            return;
        };
        let dialed = self.dials.of(ix);
        if dialed.is_some_and(|dial| dial.route.address == *route) {
            self.cancel_dial(ix);
        }
        if let Some(record) = self.table.get_mut(ix) {
            record.routes_mut().remove(route);
        }
        self.table.regroup(ix);
        self.refresh(ix);
    }

    /// Everything but a ban goes; the record itself once nothing is connected any more.
    pub(in crate::manager) fn on_forget(&mut self, peer: &PeerId) {
        let Some(ix) = self.table.find(peer) else {
            return;
        };
        self.let_go(ix);
        self.cancel_dial(ix);
        let conns: Vec<_> = self.connections.of(ix).map(|(id, _)| id).collect();
        for conn in &conns {
            self.revoke_locks(*conn, Revocation::ConnectionLost);
            self.close(*conn, Reason::Forgotten);
            self.connections.forget_with(*conn);
        }
        if conns.is_empty() {
            self.forget(ix);
            return;
        }
        let Some(record) = self.table.get_mut(ix) else {
            return;
        };
        let blank = record.forgotten();
        let old = core::mem::replace(record, blank);
        self.clear_timers(ix, &old);
        self.table.regroup(ix);
        self.note_ban(ix);
    }

    /// The connection of a forgotten peer is gone, and with it the record, unless somebody spoke of the peer since.
    pub(in crate::manager) fn forget_rest(&mut self, ix: Ix) {
        let blank = self.table.get(ix).is_some_and(|peer| {
            let named = peer.role() != Role::Ordinary || peer.held();
            peer.link() == Link::Idle && peer.routes().is_empty() && !named
        });
        if blank {
            self.forget(ix);
        } else {
            self.refresh(ix);
        }
    }

    pub(in crate::manager) fn on_protect(&mut self, peer: PeerId, tag: String) -> WishAnswer {
        let ix = match self.named(peer) {
            Ok(ix) => ix,
            Err(reason) => return WishAnswer::Refused(reason),
        };
        let full = self.pins.is_full_for(ix, self.limits.pins());
        let Some(record) = self.table.get_mut(ix) else {
            return WishAnswer::Refused(Reason::LimitReached);
        };
        if record.tags().contains(&tag) {
            return WishAnswer::Unchanged;
        }
        let refusal = if record.banned().is_some() {
            record.banned()
        } else if full {
            Some(Reason::PinLimit)
        } else if record.tags().len() >= MAX_TAGS {
            Some(Reason::LimitReached)
        } else {
            None
        };
        if let Some(reason) = refusal {
            return WishAnswer::Refused(reason);
        }
        record.history_mut().tags.push(tag);
        self.pins.protect(ix);
        WishAnswer::Granted
    }

    pub(in crate::manager) fn on_unprotect(&mut self, peer: &PeerId, tag: &str) {
        let Some(ix) = self.table.find(peer) else {
            return;
        };
        let Some(record) = self.table.get_mut(ix) else {
            return;
        };
        record.history_mut().tags.retain(|of| of != tag);
        if !record.protected() {
            self.pins.unprotect(ix);
        }
    }

    pub(in crate::manager) fn on_hint(
        &mut self,
        peer: PeerId,
        tag: String,
        value: i16,
        ttl_ms: Option<u64>,
    ) -> WishAnswer {
        let now = self.now.mono_ms;
        let ix = match self.named(peer) {
            Ok(ix) => ix,
            Err(reason) => return WishAnswer::Refused(reason),
        };
        let Some(record) = self.table.get_mut(ix) else {
            return WishAnswer::Refused(Reason::LimitReached);
        };
        let hints = &mut record.history_mut().hints;
        hints.retain(|hint| hint.tag != tag && hint.holds(now));
        let full = hints.len() >= MAX_HINTS;
        if !full {
            hints.push(Hint {
                tag,
                value,
                until: ttl_ms.map(|ttl| now.saturating_add(ttl)),
            });
        }
        self.hints_over(ix);
        if full {
            WishAnswer::Refused(Reason::LimitReached)
        } else {
            WishAnswer::Granted
        }
    }

    /// Drops the hints that are over, and places the peer anew.
    pub(in crate::manager) fn hints_over(&mut self, ix: Ix) {
        let now = self.now.mono_ms;
        let Some(record) = self.table.get_mut(ix) else {
            return;
        };
        let hints = &mut record.history_mut().hints;
        hints.retain(|hint| hint.holds(now));
        let next = hints.iter().filter_map(|hint| hint.until).min();
        self.deadlines.put(Timer::Hint(ix), next);
        self.refresh(ix);
    }

    /// The record of a peer that the user names: never our own, and none when the table is full of peers that may not be
    /// forgotten.
    fn named(&mut self, peer: PeerId) -> Result<Ix, Reason> {
        if peer == self.config.local {
            return Err(Reason::OurOwnId);
        }
        self.known(peer, Source::Static).ok_or(Reason::LimitReached)
    }
}
