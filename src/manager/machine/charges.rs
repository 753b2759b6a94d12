//! What peers were charged with lately, so that it can be taken back (4.8, F6).
//!
//! Owns the records of peers as they were before each of the last failures. When our own network turns out to be to
//! blame, those records are put back.

use std::collections::VecDeque;

use multiaddr::Multiaddr;

use crate::manager::Manager;
use crate::manager::book::attempts::Attempts;
use crate::manager::book::peer::{Bar, Peer};
use crate::manager::book::route::Tried;
use crate::manager::book::service::Service;
use crate::manager::boundary::config::Config;
use crate::manager::boundary::event::RequirementId;
use crate::manager::boundary::reason::Reason;
use crate::manager::tools::backoff;
use crate::manager::tools::slot::Ix;

/// A peer's record before it was charged with a failure.
#[derive(Debug, Clone)]
pub(in crate::manager) struct Charge {
    ix: Ix,
    attempts: Attempts,
    bar: Bar,
    /// How it did at a requirement, when it was charged with a failure of that.
    service: Option<(Service, i16)>,
    /// The address that failed, and how it stood.
    route: Option<(Multiaddr, Tried)>,
}

/// The last charges, the oldest first.
#[derive(Debug, Default)]
pub(in crate::manager::machine) struct Charges {
    list: VecDeque<Charge>,
}

impl Charges {
    /// Remembers one; the oldest makes room.
    pub(in crate::manager::machine) fn push(&mut self, config: &Config, charge: Charge) {
        if self.list.len() >= config.charges_kept {
            self.list.pop_front();
        }
        self.list.push_back(charge);
    }

    /// None of them will be taken back.
    pub(in crate::manager::machine) fn clear(&mut self) {
        self.list.clear();
    }

    /// All of them, the newest first: each record ends as it was before its oldest charge.
    pub(in crate::manager::machine) fn take(&mut self) -> Vec<Charge> {
        self.list.drain(..).rev().collect()
    }

    /// A requirement is gone: its place may be another's soon.
    pub(in crate::manager::machine) fn forget_requirement(&mut self, id: RequirementId) {
        self.list.retain(|charge| {
            charge
                .service
                .is_none_or(|(before, _)| before.requirement() != id)
        });
    }
}

impl Charge {
    /// What a peer's record is before anything is charged.
    fn before(ix: Ix, peer: &Peer) -> Self {
        Self {
            ix,
            attempts: peer.attempts(),
            bar: peer.bar(),
            service: None,
            route: None,
        }
    }
}

impl Manager {
    /// Keeps a peer's record as it is, in case the next charge has to be taken back.
    pub(in crate::manager) fn remember(&mut self, ix: Ix) {
        let Some(peer) = self.table.get(ix) else {
            return;
        };
        let charge = Charge::before(ix, peer);
        self.outage.remember(&self.config, charge);
    }

    /// The same, before a dial of this address counts against both.
    pub(in crate::manager) fn remember_dial(&mut self, ix: Ix, route: &Multiaddr) {
        let Some(peer) = self.table.get(ix) else {
            return;
        };
        let charge = Charge {
            route: peer
                .routes()
                .tried(route)
                .map(|tried| (route.clone(), tried)),
            ..Charge::before(ix, peer)
        };
        self.outage.remember(&self.config, charge);
    }

    /// The same, before it is charged with a failure at a requirement.
    pub(in crate::manager) fn remember_service(&mut self, ix: Ix, requirement: RequirementId) {
        let now = self.now.mono_ms;
        let Some(peer) = self.table.get_mut(ix) else {
            return;
        };
        let quality = peer.quality(requirement, now);
        let service = *peer.service(requirement);
        let charge = Charge {
            service: Some((service, quality)),
            ..Charge::before(ix, peer)
        };
        self.outage.remember(&self.config, charge);
    }

    /// Takes a charge back: the failure was our own network's.
    pub(in crate::manager) fn take_back(&mut self, charge: Charge) {
        let Some(peer) = self.table.get_mut(charge.ix) else {
            return;
        };
        *peer.attempts_mut() = charge.attempts;
        if let Some((before, quality)) = charge.service {
            let service = peer.service(before.requirement());
            service.put_back(&before, quality, self.now.mono_ms);
        }
        let backs_off = peer.backs_off();
        if let Some((route, tried)) = &charge.route {
            peer.routes_mut().put_back(route, *tried);
            self.table.regroup(charge.ix);
        }
        if backs_off {
            self.set_bar(charge.ix, charge.bar);
        } else {
            self.refresh(charge.ix);
        }
    }

    /// Bars a peer for as long as its failures ask for. Returns until when.
    pub(in crate::manager) fn back_off(&mut self, ix: Ix) -> u64 {
        let now = self.now.mono_ms;
        let Some(peer) = self.table.get_mut(ix) else {
            return now;
        };
        let level = peer.attempts().waits_by();
        let draw = peer.draw(&self.seed);
        let wait = backoff::delay(&self.config, draw, peer.standing(), level);
        let why = Reason::BackingOff;
        let mut at = now.saturating_add(wait);
        self.set_bar(ix, Bar::Until { at, why });
        // Asked last: by now it is no candidate itself.
        if let Some(down_ms) = self.misses(ix) {
            let (min, max) = (self.config.probe_min_ms, self.config.probe_max_ms);
            let soon = self.wait(ix, min, max);
            at = at.min(now.saturating_add(soon));
            // No more than one try after all of it.
            let most = backoff::level_of(self.config.backoff_good_ms, down_ms);
            if let Some(peer) = self.table.get_mut(ix) {
                peer.attempts_mut().say_at_most(most);
            }
            self.set_bar(ix, Bar::Until { at, why });
        }
        at
    }

    /// How long a peer waits, between two bounds.
    pub(in crate::manager) fn wait(&mut self, ix: Ix, least: u64, most: u64) -> u64 {
        let draw = self.table.get_mut(ix).map(|peer| peer.draw(&self.seed));
        draw.map_or(least, |draw| draw.between(least, most))
    }

    /// How long a peer is away that served until lately, and whom nobody can stand in for although something is missing:
    /// while somebody sees the page it is tried every few seconds for two minutes, as probes are. Most restarts are over
    /// by then.
    fn misses(&self, ix: Ix) -> Option<u64> {
        // Who is lost again and again before it was healthy waits, as 4.8 has it.
        let peer = self
            .table
            .get(ix)
            .filter(|peer| peer.served_once() && peer.attempts().flaps() < 2)?;
        let down_ms = self.now.mono_ms.saturating_sub(peer.lost_at()?);
        let sole = peer
            .possible(self.all())
            .iter()
            .any(|id| self.needs.deficit(id) > 0 && !self.candidates.any(id));
        let soon = down_ms < self.config.probe_eager_ms && self.environment.is_visible();
        (soon && sole).then_some(down_ms)
    }

    /// Bars a peer for as long as any wait of its kind can be, whatever it did: what stands against it won't change soon.
    /// Returns until when.
    pub(in crate::manager) fn wait_longest(&mut self, ix: Ix, why: Reason) -> Option<u64> {
        let peer = self.table.get_mut(ix)?;
        let draw = peer.draw(&self.seed);
        let wait = backoff::longest(&self.config, draw, peer.standing());
        let at = self.now.mono_ms.saturating_add(wait);
        self.set_bar(ix, Bar::Until { at, why });
        Some(at)
    }
}
