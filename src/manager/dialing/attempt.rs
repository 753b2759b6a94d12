//! A dial, from its beginning to its end.
//!
//! One address for each dial. When it fails the peer's next address follows at once, through the same admission as the
//! first: at most `routes_per_dial` addresses of a peer in a row, the last of them begun within `dial_job_ms` of the
//! first. When no address may follow, the peer is charged once and waits; an address that had no turn comes before those
//! that failed the next time.

use libp2p_identity::PeerId;

use crate::manager::book::peer::{Bar, Link, Peer, Role};
use crate::manager::boundary::command::{Command, DialWhy, Failed};
use crate::manager::boundary::event::{DialId, Sighting, Source};
use crate::manager::boundary::reason::{DialFailure, NetworkCause, NetworkState, Reason};
use crate::manager::dialing::dials::Dial;
use crate::manager::dialing::purpose::Purpose;
use crate::manager::tools::deadlines::Timer;
use crate::manager::tools::slot::Ix;
use crate::manager::{Manager, Notice, Run, What};

impl Manager {
    /// Dials a peer, at the first of its addresses that may be dialed.
    ///
    /// # Errors
    ///
    /// The first rule that forbids it.
    pub(in crate::manager) fn dial(&mut self, ix: Ix, why: DialWhy) -> Result<(), Reason> {
        let urgent = why == DialWhy::Requested && self.pins.is_urgent(ix);
        let purpose = Purpose::of(why, urgent);
        let peer = self.table.get(ix).ok_or(Reason::UnknownPeer)?;
        let admitted = self.admission(peer, purpose, &self.census(), &[])?;
        // Last: whoever can't be dialed anyway waits for no token, however many are left (D4).
        self.room_for(purpose, urgent)?;
        let dial = Dial {
            id: self.dials.next_id(),
            why,
            cover: peer.cover(self.all(), self.config.unverified_counted),
            bootstrap: is_bootstrap(peer, why),
            urgent,
            began_at: self.now.mono_ms,
            failed: Vec::new(),
            slow: false,
            route: admitted.route.clone(),
        };
        if admitted.relaxed {
            self.report_relaxed(ix);
        }
        self.needs.expect(dial.cover);
        self.tell_dialed(ix, why);
        self.order_dial(ix, dial);
        if let Some(peer) = self.table.get_mut(ix) {
            peer.count_attempt();
        }
        self.set_bar(ix, Bar::Open);
        Ok(())
    }

    /// Leaves in the log whom the plan chose, and from how many.
    fn tell_dialed(&mut self, ix: Ix, why: DialWhy) {
        let (compared, value) = self.ring.choice(self.now, ix);
        if let Some(peer) = self.table.get(ix).map(|peer| peer.id()) {
            let what = What::Dialed {
                peer,
                why,
                compared,
                value,
            };
            self.ring.push(self.now, what);
        }
    }

    /// Orders a dial that was admitted. It costs a token.
    fn order_dial(&mut self, ix: Ix, dial: Dial) {
        let Some(peer) = self.table.get_mut(ix) else {
            return;
        };
        peer.set_link(Link::Dialing, self.now.mono_ms);
        let now = self.now.mono_ms;
        let timeout_ms = self.config.dial_timeout_ms;
        let lost_at = now
            .saturating_add(u64::from(timeout_ms))
            .saturating_add(self.config.watchdog_ms);
        self.deadlines.set(Timer::Dial(dial.id), lost_at);
        self.pace.take(now);
        self.out.order(Command::Dial {
            dial: dial.id,
            peer: peer.id(),
            route: dial.route.address.clone(),
            timeout_ms,
            why: dial.why,
        });
        self.dials.begin(ix, dial);
    }

    /// A dial failed; `answered` is somebody else who answered there.
    pub(in crate::manager) fn on_dial_failed(
        &mut self,
        id: DialId,
        failure: DialFailure,
        answered: Option<PeerId>,
    ) {
        let Some(ix) = self.dials.whose(id) else {
            return;
        };
        if failure == DialFailure::Cancelled {
            return self.dial_refused(ix);
        }
        let Some(dial) = self.take_dial(ix) else {
            return;
        };
        self.out.stats.dial_failures += 1;
        if failure == DialFailure::WrongId {
            // Somebody answered there: our network works.
            self.somebody_answers();
        }
        // Under suspicion our own network may be to blame, and where the page may not go nobody was asked: nothing is
        // counted, against the address neither (4.8).
        let counts = self.outage.charges_count() && failure != DialFailure::NotAllowed;
        if counts {
            self.remember_dial(ix, &dial.route.address);
            self.dial_ended(false);
        }
        // An address that leads elsewhere is no fault of the peer's, as long as there are others to try. The last one is
        // kept, and waited for like any that fails: somebody else answers there.
        let mut others = false;
        if let Some(peer) = self.table.get_mut(ix) {
            let route = &dial.route.address;
            if counts {
                peer.routes_mut().failed(route);
            } else {
                peer.routes_mut().cut_off(route);
            }
            if matches!(failure, DialFailure::WrongId | DialFailure::NotAllowed) {
                peer.routes_mut().drop_unless_last(route);
                let best = peer.routes().best();
                others = best.is_some_and(|best| best.failures == 0 && best.address != *route);
            }
            peer.note(Some(reason_of(failure)));
            self.table.regroup(ix);
        }
        let (route, group) = (dial.route.address.clone(), dial.route.group);
        let next = self.next_address(ix, dial);
        let mut retry_at = None;
        if next.is_none() && !others && failure == DialFailure::NotAllowed {
            retry_at = self.wait_longest(ix, Reason::NotAllowed);
        } else if next.is_none() && !others && counts {
            retry_at = self.charge_dial(ix);
        }
        if next.is_none() && retry_at.is_none() {
            // Whoever waits was placed by that.
            self.refresh(ix);
        }
        if let Some(peer) = self.table.get(ix).map(|peer| peer.id()) {
            self.out.tell(Notice::Failed {
                peer,
                failed: Failed::Dial {
                    route: route.clone(),
                    failure,
                },
                charged: retry_at.is_some() && failure != DialFailure::NotAllowed,
                retry_at_wall_ms: retry_at.map(|at| self.wall_at(at)),
            });
        }
        if let Some(other) = answered {
            // A claim like any other: only a dial shows whether it is true.
            let said = Sighting {
                peer: other,
                routes: vec![route],
                claims: Vec::new(),
            };
            self.heard_of(&said, Source::Foreign, None);
        }
        if let Some(dial) = next {
            return self.order_dial(ix, dial);
        }
        if !counts || failure == DialFailure::WrongId {
            return;
        }
        let connected = self.connections.open().next().is_some();
        let charges = self.outage.failed(
            &self.config,
            &self.seed,
            self.now.mono_ms,
            group,
            self.table.counts().groups(),
            connected,
        );
        if let Some(charges) = charges {
            self.suspicion_begins(charges);
            self.tell_network(NetworkState::Offline, NetworkCause::Silence);
        }
        self.ask_for_life();
    }

    /// The dial of a peer's next address after one failed. `None`: the peer is dialed no more, and is to be placed by who
    /// calls.
    fn next_address(&mut self, ix: Ix, mut dial: Dial) -> Option<Dial> {
        let purpose = Purpose::of(dial.why, dial.urgent);
        self.needs.unexpect(dial.cover);
        dial.failed.push(dial.route.address.clone());
        let spent = self.now.mono_ms.saturating_sub(dial.began_at);
        let more = dial.failed.len() < usize::from(self.config.routes_per_dial)
            && spent < self.config.dial_job_ms
            && self.room_for(purpose, dial.urgent).is_ok();
        let next = self.table.get(ix).filter(|_| more).and_then(|peer| {
            let admitted = self.admission(peer, purpose, &self.census(), &dial.failed);
            let admitted = admitted.ok()?;
            Some((admitted.route.clone(), admitted.relaxed))
        });
        let Some((route, relaxed)) = next else {
            self.pins.stop_waiting(ix);
            return None;
        };
        if relaxed {
            self.report_relaxed(ix);
        }
        self.needs.expect(dial.cover);
        dial.route = route;
        dial.id = self.dials.next_id();
        Some(dial)
    }

    /// A dial is over, whatever it came to; what it was expected to bring is still expected.
    fn take_dial(&mut self, ix: Ix) -> Option<Dial> {
        let dial = self.dials.end(ix)?;
        self.deadlines.clear(Timer::Dial(dial.id));
        if let Some(peer) = self.table.get_mut(ix)
            && peer.link() == Link::Dialing
        {
            peer.set_link(Link::Idle, self.now.mono_ms);
        }
        Some(dial)
    }

    /// A peer is dialed no more, and is to be placed by who calls.
    pub(in crate::manager) fn stop_dialing(&mut self, ix: Ix) -> Option<Dial> {
        let dial = self.take_dial(ix)?;
        self.needs.unexpect(dial.cover);
        self.pins.stop_waiting(ix);
        Some(dial)
    }

    /// A peer is dialed no more.
    pub(in crate::manager) fn end_dial(&mut self, ix: Ix) -> Option<Dial> {
        let dial = self.stop_dialing(ix)?;
        self.refresh(ix);
        Some(dial)
    }

    /// Our own side refused the dial: nobody is charged, and it is not repeated at once.
    fn dial_refused(&mut self, ix: Ix) {
        self.stop_dialing(ix);
        let at = self.now.mono_ms.saturating_add(self.config.refused_wait_ms);
        let why = Reason::BackingOff;
        self.set_bar(ix, Bar::Until { at, why });
    }

    /// Gives up the dial of a peer.
    pub(in crate::manager) fn cancel_dial(&mut self, ix: Ix) {
        let Some(dial) = self.end_dial(ix) else {
            return;
        };
        if let Some(peer) = self.table.get_mut(ix) {
            peer.routes_mut().cut_off(&dial.route.address);
            self.table.regroup(ix);
        }
        self.out.order(Command::CancelDial { dial: dial.id });
    }

    /// Gives up whom the user does not wait for, where the browser says that there is no network. On this machine that means
    /// nothing.
    pub(in crate::manager) fn give_up_dials_elsewhere(&mut self) {
        let pointless = |dial: &Dial| {
            Purpose::of(dial.why, dial.urgent).needs_network() && !dial.route.on_this_machine
        };
        let dials = self.dials.iter().filter(|(_, dial)| pointless(dial));
        let dialing: Vec<Ix> = dials.map(|(ix, _)| ix).collect();
        for ix in dialing {
            self.cancel_dial(ix);
        }
    }

    pub(in crate::manager) fn cancel_all_dials(&mut self) {
        let dialing: Vec<Ix> = self.dials.iter().map(|(ix, _)| ix).collect();
        for ix in dialing {
            self.cancel_dial(ix);
        }
    }

    /// Charges a peer with a failed dial. Returns when it may be tried again.
    fn charge_dial(&mut self, ix: Ix) -> Option<u64> {
        if self.run == Run::Stopped {
            return None;
        }
        self.outage.peer_tried(false);
        let peer = self.table.get_mut(ix)?;
        peer.attempts_mut().failed();
        Some(self.back_off(ix))
    }
}

/// Whether a dial is one of the few of bootstrap peers that may be under way at once (S4). The user may have as many as
/// he likes.
fn is_bootstrap(peer: &Peer, why: DialWhy) -> bool {
    match why {
        DialWhy::Bootstrap(_) => true,
        DialWhy::Requested => false,
        _ => peer.role() == Role::Bootstrap,
    }
}

fn reason_of(failure: DialFailure) -> Reason {
    match failure {
        DialFailure::Unreachable => Reason::Unreachable,
        DialFailure::Timeout => Reason::DialTimeout,
        DialFailure::Handshake => Reason::HandshakeFailed,
        DialFailure::WrongId => Reason::WrongId,
        DialFailure::NotAllowed => Reason::NotAllowed,
        DialFailure::Cancelled => Reason::OverBudget,
    }
}
