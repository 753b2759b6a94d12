//! Dials: how they begin, go on to the next address, fail and are given up.

use std::collections::VecDeque;

use crate::manager::book::peer::{Bar, Link};
use crate::manager::book::route::Route;
use crate::manager::boundary::command::{Command, DialWhy, Failed};
use crate::manager::boundary::event::DialId;
use crate::manager::boundary::reason::{DialFailure, NetworkCause, NetworkState, Reason};
use crate::manager::dialing::dials::{Job, Leg};
use crate::manager::dialing::diversity::Admission;
use crate::manager::tools::deadlines::Timer;
use crate::manager::tools::slot::Ix;
use crate::manager::{Manager, Notice, Run, What};

/// Why a dial did not begin, or that it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Begun {
    Yes,
    /// No token, no slot, or the limit of connections: later.
    Later,
    /// Every address is being dialed for somebody else, or the peer may not be dialed.
    NotNow,
}

impl Manager {
    /// Whether the pacing admits one more dial.
    pub(in crate::manager) fn pace_admits(&self, urgent: bool) -> bool {
        self.dials.len() < self.environment.in_flight(&self.config)
            && self.dials.bucket.has(self.now.mono_ms, urgent)
    }

    /// Whether an address may be dialed at this moment.
    pub(in crate::manager) fn may_try(&self, route: &Route) -> bool {
        !self.dials.busy(route.endpoint)
            && self.transport_admits(route.transport)
            && !self.quarantined(&route.address)
    }

    /// Begins to dial a peer. `urgent`: the user waits, and may overdraw the bucket.
    pub(in crate::manager) fn begin_dial(
        &mut self,
        ix: Ix,
        why: DialWhy,
        urgent: bool,
        bootstrap: bool,
    ) -> Begun {
        let all = self.all();
        let Some(peer) = self.table.get(ix) else {
            return Begun::NotNow;
        };
        if peer.link != Link::Idle || peer.banned().is_some() {
            return Begun::NotNow;
        }
        let rest: VecDeque<Leg> = peer
            .routes
            .iter()
            .filter(|route| self.transport_admits(route.transport))
            .take(usize::from(self.config.routes_per_dial))
            .filter(|route| !self.quarantine.refuses(&route.address))
            .map(|route| Leg {
                route: route.address.clone(),
                endpoint: route.endpoint,
                group: route.group,
                subnet: route.subnet,
                transport: route.transport,
            })
            .collect();
        if rest.iter().all(|leg| self.dials.busy(leg.endpoint)) {
            return Begun::NotNow;
        }
        let cover = peer.cover(all, self.config.unverified_counted);
        let admission = self.admission(&self.census(), peer);
        if admission == Admission::Over {
            return Begun::NotNow;
        }
        // Last: whoever can't be dialed anyway waits for no token, however many are left (D4).
        if !self.pace_admits(urgent) || self.occupied() >= self.limits.hard() {
            return Begun::Later;
        }
        if admission == Admission::Relaxed {
            self.report_relaxed(ix);
        }
        if let Some(peer) = self.table.get_mut(ix) {
            peer.link = Link::Dialing;
            peer.count_attempt();
        }
        self.dials.begin(
            ix,
            Job {
                why,
                cover,
                bootstrap,
                urgent,
                started_at: self.now.mono_ms,
                rest,
                flight: None,
            },
        );
        self.needs.expect(cover);
        self.set_bar(ix, Bar::Open);
        self.tell_dialed(ix, why);
        self.take_off(ix);
        Begun::Yes
    }

    /// Leaves in the ring whom the plan chose, and from how many.
    fn tell_dialed(&mut self, ix: Ix, why: DialWhy) {
        let (compared, value) = self.ring.choice(self.now, ix);
        if let Some(peer) = self.table.get(ix).map(|peer| peer.id) {
            let what = What::Dialed {
                peer,
                why,
                compared,
                value,
            };
            self.ring.push(self.now, what);
        }
    }

    /// Dials the next address of a job, if pacing and endpoints allow.
    pub(in crate::manager) fn take_off(&mut self, ix: Ix) {
        let Some((urgent, why)) = self.dials.job(ix).map(|job| (job.urgent, job.why)) else {
            return;
        };
        let Some(peer) = self.table.get(ix).map(|peer| peer.id) else {
            return;
        };
        let now = self.now.mono_ms;
        if !self.dials.bucket.has(now, urgent) {
            return;
        }
        if self.strike_out(ix) {
            return;
        }
        let Some(flight) = self.dials.take_off(ix) else {
            return;
        };
        self.dials.bucket.take(now, urgent);
        let timeout_ms = self.config.dial_timeout_ms;
        let lost_at = now
            .saturating_add(u64::from(timeout_ms))
            .saturating_add(self.config.watchdog_ms);
        self.deadlines.set(Timer::Dial(flight.dial), lost_at);
        self.out.order(Command::Dial {
            dial: flight.dial,
            peer,
            route: flight.route,
            timeout_ms,
            why,
        });
    }

    /// Gives up the addresses of a job for which there is no room any more; whether none is left.
    fn strike_out(&mut self, ix: Ix) -> bool {
        let Some(job) = self.dials.job(ix).filter(|job| job.flight.is_none()) else {
            return false;
        };
        let admitted = |leg: &&Leg| self.transport_admits(leg.transport);
        if job.rest.iter().all(|leg| admitted(&leg)) {
            return false;
        }
        let rest: VecDeque<Leg> = job.rest.iter().filter(admitted).cloned().collect();
        if rest.is_empty() {
            self.dial_refused(ix);
            return true;
        }
        self.dials.set_rest(ix, rest);
        false
    }

    /// A dial ended: when most fail although our network works, the next ones come half as fast (4.14).
    pub(in crate::manager) fn dial_ended(&mut self, succeeded: bool) {
        self.dials.results.record(succeeded);
        self.set_pace();
    }

    /// The pace that the environment allows.
    pub(in crate::manager) fn set_pace(&mut self) {
        let mut rate = self.environment.dial_rate(&self.config);
        let mut open = self.connections.open();
        if self.dials.results.mostly_fail() && open.any(|(_, conn)| conn.verified()) {
            rate /= 2;
        }
        self.dials.bucket.set_rate(self.now.mono_ms, rate);
    }

    pub(in crate::manager) fn on_dial_failed(&mut self, dial: DialId, failure: DialFailure) {
        let Some(ix) = self.dials.whose(dial) else {
            return;
        };
        let Some(flight) = self.dials.land(ix) else {
            return;
        };
        self.deadlines.clear(Timer::Dial(dial));
        if failure == DialFailure::Cancelled {
            self.dial_refused(ix);
            return;
        }
        self.out.stats.dial_failures += 1;
        self.dial_ended(false);
        // An address that leads elsewhere is no fault of the peer's, as long as there are others to try. The last one is
        // kept, and waited for like any that fails: somebody else answers there.
        let mut others = false;
        if let Some(peer) = self.table.get_mut(ix) {
            peer.routes.failed(&flight.route);
            if matches!(failure, DialFailure::WrongId | DialFailure::NotAllowed) {
                peer.routes.drop_unless_last(&flight.route);
                others = peer.routes.best().is_some_and(|route| route.failures == 0);
            }
            peer.last_reason = Some(reason_of(failure));
            self.table.regroup(ix);
        }
        let next = self.dials.job(ix).is_some_and(|job| {
            let spent = self.now.mono_ms.saturating_sub(job.started_at);
            !job.rest.is_empty() && spent < self.config.dial_job_ms
        });
        let mut retry_at = None;
        if !next {
            self.end_job(ix);
            if !others {
                retry_at = self.charge_dial(ix, failure);
            }
        }
        if let Some(peer) = self.table.get(ix).map(|peer| peer.id) {
            self.out.tell(Notice::Failed {
                peer,
                failed: Failed::Dial {
                    route: flight.route,
                    failure,
                },
                charged: retry_at.is_some() && failure != DialFailure::NotAllowed,
                retry_at_wall_ms: retry_at.map(|at| self.wall_at(at)),
            });
        }
        if next {
            return;
        }
        if failure == DialFailure::WrongId {
            // Somebody answered there: our network works.
            self.outage.heard();
            return;
        }
        if failure == DialFailure::NotAllowed {
            // Nobody was asked.
            return;
        }
        let connected = self.connections.open().next().is_some();
        let charges = self.outage.failed(
            &self.config,
            &mut self.seed,
            self.now.mono_ms,
            flight.group,
            self.table.crowds.groups(),
            connected,
        );
        if charges.is_some() {
            self.ring.push(self.now, What::Suspect);
            self.tell_network(NetworkState::Offline, NetworkCause::Silence);
        }
        for charge in charges.into_iter().flatten() {
            self.take_back(charge);
        }
        self.ask_for_life();
    }

    /// Our own side refused the dial: nobody is charged, and it is not repeated at once.
    fn dial_refused(&mut self, ix: Ix) {
        self.end_job(ix);
        let at = self.now.mono_ms.saturating_add(self.config.refused_wait_ms);
        let why = Reason::BackingOff;
        self.set_bar(ix, Bar::Until { at, why });
    }

    /// A job ends without a connection.
    pub(in crate::manager) fn end_job(&mut self, ix: Ix) -> Option<Job> {
        let job = self.dials.end(ix)?;
        if let Some(flight) = &job.flight {
            self.deadlines.clear(Timer::Dial(flight.dial));
        }
        self.needs.unexpect(job.cover);
        self.pins.urgent.remove(&ix);
        if let Some(peer) = self.table.get_mut(ix)
            && peer.link == Link::Dialing
        {
            peer.link = Link::Idle;
        }
        self.refresh(ix);
        Some(job)
    }

    /// Gives up the dial of a peer.
    pub(in crate::manager) fn cancel_dial(&mut self, ix: Ix) {
        if let Some(Job {
            flight: Some(flight),
            ..
        }) = self.end_job(ix)
        {
            if let Some(peer) = self.table.get_mut(ix) {
                peer.routes.cut_off(&flight.route);
                self.table.regroup(ix);
            }
            self.out.order(Command::CancelDial { dial: flight.dial });
        }
    }

    pub(in crate::manager) fn cancel_all_dials(&mut self) {
        let dialing: Vec<Ix> = self.dials.iter().map(|(ix, _)| ix).collect();
        for ix in dialing {
            self.cancel_dial(ix);
        }
    }

    /// Charges a peer with a failed dial. Returns when it may be tried again.
    fn charge_dial(&mut self, ix: Ix, failure: DialFailure) -> Option<u64> {
        if self.run == Run::Stopped || !self.outage.charges_count() {
            return None;
        }
        self.remember(ix);
        // What the page may not dial is dialed ever less often, and says nothing of the peer.
        let ours = failure == DialFailure::NotAllowed;
        if !ours {
            self.regulation
                .dialed(&self.config, self.now.mono_ms, false);
        }
        let peer = self.table.get_mut(ix)?;
        peer.level = peer.level.saturating_add(1);
        if !ours {
            peer.reach.record(false);
        }
        Some(self.back_off(ix))
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
