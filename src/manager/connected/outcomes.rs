//! What the protocols say of their peers: the error classes, and what each does to a provider (4.5, 4.8).

use libp2p_identity::PeerId;

use crate::manager::book::score::BEHAVIOUR_HALF_LIFE_MS;
use crate::manager::book::{peer::Link, service::Rest};
use crate::manager::boundary::command::Failed;
use crate::manager::boundary::event::RequirementId;
use crate::manager::boundary::reason::{Outcome, Reason, Revocation};
use crate::manager::tools::deadlines::Timer;
use crate::manager::tools::slot::Ix;
use crate::manager::{Manager, Notice, What};

/// How long a provider that is late is passed over, unless it answers before.
const LATE_REST_MS: u64 = 15_000;
/// Whose quality is no better does not serve (4.3).
const POOR: i16 = -250;
/// How closely the moment is looked for at which a quality is better, in milliseconds.
const POOR_STEP_MS: u64 = 10_000;

impl Manager {
    pub(in crate::manager) fn on_report(
        &mut self,
        peer: &PeerId,
        requirement: RequirementId,
        outcome: Outcome,
        charged: bool,
    ) {
        let Some(ix) = self.table.find(peer) else {
            return;
        };
        if self.needs.need(requirement).is_none() || outcome == Outcome::Ours {
            return;
        }
        if outcome == Outcome::Success {
            self.succeeded(ix, requirement);
            return;
        }
        // While everything fails, failures say nothing about the peer.
        let silence = matches!(outcome, Outcome::Broken | Outcome::Withheld);
        // What a lost connection breaks is charged to the loss.
        let connected = matches!(
            self.table.get(ix).map(|peer| peer.link()),
            Some(Link::Connected(_))
        );
        let counts = self.outage.charges_count() && connected;
        let charged = charged && (counts || !silence);
        let mut until = None;
        if charged {
            if silence {
                self.remember_service(ix, requirement);
            }
            let rest_ms = self.failed_service(ix, requirement, outcome);
            until = rest_ms.map(|wait| self.now.mono_ms.saturating_add(wait));
        } else if outcome == Outcome::Late && self.can_wait_for(ix, requirement) {
            until = Some(self.now.mono_ms.saturating_add(LATE_REST_MS));
        }
        if let Some(until) = until {
            if charged && !matches!(outcome, Outcome::Busy | Outcome::Absent) {
                self.needs.tried(requirement, false);
            }
            self.rest(ix, requirement, until, outcome);
        }
        let what = What::Failed {
            peer: *peer,
            requirement,
            outcome,
            charged,
        };
        self.ring.push(self.now, what);
        self.out.tell(Notice::Failed {
            peer: *peer,
            failed: Failed::Request {
                requirement,
                outcome,
            },
            charged,
            retry_at_wall_ms: until.map(|at| self.wall_at(at)),
        });
        if charged && outcome == Outcome::Fault {
            self.misbehaved(ix);
        }
    }

    fn succeeded(&mut self, ix: Ix, requirement: RequirementId) {
        let now = self.now.mono_ms;
        let Some(peer) = self.table.get_mut(ix) else {
            return;
        };
        peer.has_served(self.now.wall_ms);
        let link = peer.link();
        self.needs.tried(requirement, true);
        let recovered = peer.succeeds(requirement, now);
        if recovered && !self.is_poor(ix, requirement) {
            self.end_rest(ix, requirement);
        }
        if let Link::Connected(conn) = link {
            self.somebody_answers();
            if let Some(open) = self.connections.get_mut(conn) {
                open.successes = open.successes.saturating_add(1);
                open.heard_at = now;
            }
            self.healthy(conn);
        } else {
            self.refresh(ix);
        }
    }

    /// Charges a failure. Returns for how long the peer does not serve the requirement, if it is more than a slip.
    fn failed_service(
        &mut self,
        ix: Ix,
        requirement: RequirementId,
        outcome: Outcome,
    ) -> Option<u64> {
        let now = self.now.mono_ms;
        // What a lost connection breaks is charged to the loss.
        let peer = self.table.get(ix)?;
        let connected = matches!(peer.link(), Link::Connected(_));
        let displaced = outcome == Outcome::Withheld && self.displaces(ix, requirement);
        let peer = self.table.get_mut(ix)?;
        let failure = (outcome, displaced);
        let rest = peer.fails(requirement, failure, (&self.config, &self.seed), now);
        // Who withholds serves on as long as nobody else can, however often it does.
        let poor_ms = if connected && (outcome != Outcome::Withheld || displaced) {
            self.poor_for(ix, requirement)
        } else {
            0
        };
        let rest = match rest {
            Some((wait, reason)) => Some((wait.max(poor_ms), reason)),
            None if poor_ms > 0 => Some((poor_ms, Some(Reason::FailedService))),
            None => None,
        };
        let (wait, reason) = rest?;
        let peer = self.table.get_mut(ix)?;
        if reason.is_some() {
            peer.note(reason);
        }
        Some(wait)
    }

    fn is_poor(&self, ix: Ix, requirement: RequirementId) -> bool {
        let peer = self.table.get(ix);
        peer.is_some_and(|peer| peer.quality(requirement, self.now.mono_ms) <= POOR)
    }

    /// For how long a peer is too poor to serve a requirement, if nothing more is heard of it: two failures of three
    /// requests never are two in a minute, nor three in a row. Never longer than the longest rest, so that whoever is
    /// the only one is tried again (L5).
    fn poor_for(&self, ix: Ix, requirement: RequirementId) -> u64 {
        let Some(peer) = self.table.get(ix) else {
            return 0;
        };
        let poor = |wait: &u64| {
            let at = self.now.mono_ms.saturating_add(*wait);
            peer.quality(requirement, at) <= POOR
        };
        let most = self.config.broken_rest_cap_ms;
        let waits = (0..most).step_by(POOR_STEP_MS as usize);
        waits.take_while(poor).count() as u64 * POOR_STEP_MS
    }

    /// Whoever is connected anew and served poorly before has the rest of that, unless nobody else could serve.
    pub(in crate::manager::connected) fn rest_the_poor(&mut self, ix: Ix) {
        let Some(peer) = self.table.get(ix) else {
            return;
        };
        for id in peer.possible(self.all()).iter() {
            let others = self.needs.have(id) > 0 || self.candidates.any(id);
            let wait = self.poor_for(ix, id);
            if others && wait > 0 {
                let until = self.now.mono_ms.saturating_add(wait);
                self.rest(ix, id, until, Outcome::Broken);
            }
        }
    }

    /// Whether a provider that withholds makes room for another: at most once in a while for each requirement, and only
    /// while somebody serves beside it, or could be dialed, and the minimum holds without it (4.5).
    fn displaces(&mut self, ix: Ix, requirement: RequirementId) -> bool {
        let now = self.now.mono_ms;
        let serves = self.table.get(ix).is_some_and(|peer| match peer.link() {
            Link::Connected(conn) => self
                .connections
                .get(conn)
                .is_some_and(|open| open.serving.contains(requirement)),
            Link::Idle | Link::Dialing => false,
        });
        let left = self.needs.have(requirement).saturating_sub(1);
        let min = self.needs.need(requirement).map_or(0, |need| need.min);
        let others = left > 0 || self.candidates.any(requirement);
        serves
            && left >= min
            && others
            && self
                .needs
                .displaces(requirement, now, self.config.broken_window_ms)
    }

    /// Whether a provider that is late can be passed over until it answers: somebody else serves, or could be dialed.
    fn can_wait_for(&self, ix: Ix, requirement: RequirementId) -> bool {
        let resting = self
            .table
            .get(ix)
            .is_none_or(|peer| peer.resting().contains(requirement));
        let others = self.needs.have(requirement) > 1 || self.candidates.any(requirement);
        !resting && others
    }

    /// A provider does not serve for a while.
    pub(in crate::manager) fn rest(
        &mut self,
        ix: Ix,
        requirement: RequirementId,
        until: u64,
        after: Outcome,
    ) {
        let Some(peer) = self.table.get_mut(ix) else {
            return;
        };
        peer.service(requirement)
            .set_rest(Some(Rest { until, after }));
        self.deadlines.set(Timer::Rest(ix, requirement), until);
        self.rests_changed(ix);
    }

    /// It may serve again: no reconnect is needed.
    pub(in crate::manager) fn end_rest(&mut self, ix: Ix, requirement: RequirementId) {
        let Some(peer) = self.table.get_mut(ix) else {
            return;
        };
        peer.service(requirement).set_rest(None);
        self.deadlines.clear(Timer::Rest(ix, requirement));
        self.rests_changed(ix);
    }

    fn rests_changed(&mut self, ix: Ix) {
        if let Some(Link::Connected(conn)) = self.table.get(ix).map(|peer| peer.link()) {
            self.reassess(conn);
        } else {
            self.refresh(ix);
        }
    }

    /// A breach of the protocol tells of the peer's behaviour (4.5): two in a short time disconnect it for a while, and
    /// at the limit of faults it is banned (4.16). Nothing but what the peer itself did comes this far (S14).
    fn misbehaved(&mut self, ix: Ix) {
        let now = self.now.mono_ms;
        let config = &self.config;
        let Some(peer) = self.table.get_mut(ix) else {
            return;
        };
        if peer.banned().is_some() {
            return;
        }
        let faults = peer.misbehaved(config.fault_step, config.fault_memory_ms, now);
        let behaviour = i32::from(peer.behaviour(now));
        if faults >= config.faults_to_ban || -behaviour >= i32::from(config.behaviour_ban) {
            self.ban_for_faults(ix);
        } else if -behaviour >= i32::from(config.behaviour_disconnect) && !peer.held() {
            self.send_away(ix);
        }
    }

    /// Disconnects a peer for a while.
    fn send_away(&mut self, ix: Ix) {
        let why = Reason::BadBehaviour;
        self.cancel_dial(ix);
        let conns: Vec<_> = self.connections.of(ix).map(|(id, _)| id).collect();
        for conn in &conns {
            self.revoke_locks(*conn, Revocation::Ban);
            self.close(*conn, why);
        }
        let at = self.now.mono_ms.saturating_add(BEHAVIOUR_HALF_LIFE_MS);
        if conns.is_empty() {
            self.bar_until(ix, at, why);
        }
    }
}
