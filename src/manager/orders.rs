//! What the user, and the browser on the user's behalf, tell.

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use crate::manager::book::peer::{Bar, Link};
use crate::manager::boundary::command::{Command, DialWhy, Wish, WishAnswer};
use crate::manager::boundary::event::{Priority, Source};
use crate::manager::boundary::reason::{NetworkCause, NetworkState, Reason};
use crate::manager::dialing::purpose::Purpose;
use crate::manager::tools::deadlines::Timer;
use crate::manager::tools::slot::Ix;
use crate::manager::{Manager, Run};

impl Manager {
    pub(in crate::manager) fn on_start(&mut self) {
        self.normal();
        if self.run == Run::Running {
            return;
        }
        self.run = Run::Running;
        self.gauges.started(self.now.mono_ms);
        self.outage.started(self.now.mono_ms);
        self.ladder.restart(self.now.mono_ms);
        self.asking.restart();
        // A restart is a fresh beginning for those who were hung up on. Rare, so the walk over all peers is fine.
        let hung_up: Vec<Ix> = self
            .table
            .iter()
            .filter(|(_, peer)| peer.bar() == Bar::HungUp)
            .map(|(ix, _)| ix)
            .collect();
        for ix in hung_up {
            self.set_bar(ix, Bar::Open);
        }
    }

    pub(in crate::manager) fn on_stop(&mut self) {
        if self.run == Run::Stopped {
            return;
        }
        self.run = Run::Stopped;
        self.normal();
        self.forget_evictions();
        self.stop_bursts();
        self.releases.clear();
        self.cancel_all_dials();
        for conn in self.connections.ids() {
            self.close(conn, Reason::Stopped);
        }
        self.asking.stop();
        self.needs.forget_vacancies();
        self.pins.stop();
        if !self.outage.is_offline() && self.outage.reached(self.now.mono_ms) {
            self.tell_network(NetworkState::Online, NetworkCause::Told);
        }
        self.deadlines.clear(Timer::Tidy);
    }

    /// Tells the user what became of a wish.
    pub(in crate::manager) fn answer(&mut self, peer: PeerId, wish: Wish, answer: WishAnswer) {
        self.out.order(Command::Wish { peer, wish, answer });
    }

    pub(in crate::manager) fn on_set_priority(
        &mut self,
        peer: PeerId,
        priority: Priority,
    ) -> WishAnswer {
        if peer == self.config.local {
            return WishAnswer::Refused(Reason::OurOwnId);
        }
        let known = self.known(peer, Source::Static);
        if priority == Priority::Banned {
            return self.ban_by_user(peer);
        }
        let lifted = self.lift_ban(&peer);
        let Some(ix) = known else {
            return WishAnswer::Refused(Reason::LimitReached);
        };
        let Some(record) = self.table.get_mut(ix) else {
            return WishAnswer::Refused(Reason::LimitReached);
        };
        let before = record.set_priority(priority);
        if lifted || record.bar() == Bar::HungUp {
            self.set_bar(ix, Bar::Open);
        } else if before == priority {
            return WishAnswer::Unchanged;
        } else {
            self.refresh(ix);
        }
        WishAnswer::Granted
    }

    /// Holds a peer and dials it, or says why not. Whom the user keeps for good is held also when it can't be dialed at
    /// this moment.
    pub(in crate::manager) fn on_connect_now(
        &mut self,
        peer: PeerId,
        routes: &[Multiaddr],
        permanent: bool,
    ) -> WishAnswer {
        if peer == self.config.local {
            return WishAnswer::Refused(Reason::OurOwnId);
        }
        let Some(ix) = self.known(peer, Source::Static) else {
            return WishAnswer::Refused(Reason::LimitReached);
        };
        self.ask_routes(ix, routes);
        let refusal = self.refuses_pin(ix);
        let obstacle = self.cannot_dial(ix);
        let refusal = refusal.or(if permanent { None } else { obstacle });
        let Some(record) = self.table.get_mut(ix) else {
            return WishAnswer::Refused(Reason::LimitReached);
        };
        // Each call may be given up later, a refused one too.
        if !permanent {
            self.pins.dial_again(ix);
        }
        if let Some(reason) = refusal {
            return WishAnswer::Refused(reason);
        }
        record.note(None);
        let held = record.pin(true);
        let idle = record.link() == Link::Idle;
        let barred = record.bar() != Bar::Open;
        self.pins.hold(ix, permanent);
        if idle && obstacle.is_none() {
            self.pins.wait_for(ix);
        }
        if barred {
            self.set_bar(ix, Bar::Open);
        }
        if held {
            WishAnswer::Unchanged
        } else {
            WishAnswer::Granted
        }
    }

    /// The user names addresses of a peer, to be dialed there before anywhere else.
    fn ask_routes(&mut self, ix: Ix, routes: &[Multiaddr]) {
        let limit = self.config.max_routes;
        let Some(record) = self.table.get_mut(ix) else {
            return;
        };
        for route in routes {
            record.routes_mut().ask(route, limit, &self.seed);
        }
        if !routes.is_empty() {
            self.table.regroup(ix);
            self.refresh(ix);
        }
    }

    /// Why a peer is not held.
    fn refuses_pin(&self, ix: Ix) -> Option<Reason> {
        let full = self.pins.is_full_for(ix, self.limits.pins());
        let banned = self.table.get(ix).and_then(|peer| peer.banned());
        banned.or_else(|| full.then_some(Reason::PinLimit))
    }

    /// Why the user's own dial can't be made now. It may have to wait for a token, and for another dial of the same host.
    fn cannot_dial(&self, ix: Ix) -> Option<Reason> {
        let peer = self.table.get(ix)?;
        let refused = self
            .admission(peer, Purpose::Asked, &self.census(), &[])
            .err()
            .or_else(|| self.room_for(Purpose::Asked, true).err());
        refused.filter(|reason| !matches!(reason, Reason::AlreadyConnected | Reason::OverBudget))
    }

    /// A dial of the user's came to nothing: its peer is no longer held, unless somebody else wants it held.
    pub(in crate::manager) fn on_gave_up(&mut self, peer: &PeerId) {
        let Some(ix) = self.table.find(peer) else {
            return;
        };
        if !self.pins.give_up(ix) {
            return;
        }
        self.unpin(ix);
        let asked = self.dials.of(ix).map(|dial| dial.why);
        if asked == Some(DialWhy::Requested) {
            self.cancel_dial(ix);
        }
        self.refresh(ix);
    }

    pub(in crate::manager) fn on_hang_up(&mut self, peer: &PeerId) {
        let Some(ix) = self.table.find(peer) else {
            return;
        };
        self.unpin(ix);
        self.cancel_dial(ix);
        let conns: Vec<_> = self.connections.of(ix).map(|(id, _)| id).collect();
        for conn in conns {
            self.close(conn, Reason::HungUp);
        }
        let Some(peer) = self.table.get_mut(ix) else {
            return;
        };
        peer.note(Some(Reason::HungUp));
        // A ban outlasts it.
        if peer.banned().is_none() {
            self.set_bar(ix, Bar::HungUp);
        }
    }

    /// Lets go of a peer that the user held or protected.
    pub(in crate::manager) fn let_go(&mut self, ix: Ix) {
        self.pins.unprotect(ix);
        if let Some(peer) = self.table.get_mut(ix) {
            peer.clear_tags();
        }
        self.unpin(ix);
    }

    fn unpin(&mut self, ix: Ix) {
        self.pins.release(ix);
        if let Some(peer) = self.table.get_mut(ix) {
            peer.pin(false);
        }
    }
}
