//! What each protocol is granted, and when it is told (4.4).
//!
//! The grants of all are worked out together, and hold at once. Owns nothing: a grant is kept with its protocol.

use super::{Consent, Heard, Protocol};
use crate::manager::Manager;
use crate::manager::boundary::command::{Command, Grant, Offer};
use crate::manager::boundary::event::{
    Bound, EnrollmentId, Need, ProtocolSpec, Quota, RequirementId,
};
use crate::manager::boundary::view::What;
use crate::manager::demand::quota::{Request, allocate};
use crate::manager::tools::deadlines::Timer;

impl Manager {
    /// What a requirement wants changed. A protocol that asks for more than it is granted hears its grant again.
    pub(in crate::manager) fn need_changed(&mut self, requirement: RequirementId, before: Need) {
        let Some(now) = self.needs.need(requirement) else {
            return;
        };
        let short = |protocol: &Protocol| u16::from(now.target) > protocol.grant.high;
        let soft = self.soft();
        if now.target > before.target
            && let Some(protocol) = self
                .enrollments
                .iter_mut()
                .find(|protocol| protocol.requirement == Some(requirement))
            && let Some(guest) = &protocol.guest
            && (short(protocol) || protocol.grant.low < asked(&guest.spec, soft).low)
            && let Some(guest) = &mut protocol.guest
            && let Some(told) = &mut guest.told
        {
            told.again = true;
        }
        self.reallocate();
    }

    /// The soft target, as quotas count.
    pub(super) fn soft(&self) -> u16 {
        u16::try_from(self.limits.soft()).unwrap_or(u16::MAX)
    }

    /// What everybody would be granted now.
    pub(super) fn grants(&self) -> Vec<Grant> {
        let soft = self.soft();
        let requests: Vec<Request> = self
            .enrollments
            .iter()
            .enumerate()
            .map(|(place, protocol)| match &protocol.guest {
                Some(guest) => asked(&guest.spec, soft),
                // What is built in asks for what its minimum may take: nobody who enrolls gets that (A6).
                None => {
                    let need = protocol.requirement.and_then(|id| self.needs.need(id));
                    let min = need.map(|need| Bound::Count(u16::from(need.min)));
                    let quota = Quota { min, max: None };
                    Request::new(self.class_of(place), 1, quota, soft)
                }
            })
            .collect();
        allocate(&requests, soft)
    }

    /// Works out all grants, and tells those that changed: somebody came, left or wants something else, or the limits changed.
    pub(in crate::manager) fn reallocate(&mut self) {
        let grants = self.grants();
        for (protocol, grant) in self.enrollments.iter_mut().zip(grants) {
            protocol.grant = grant;
        }
        for place in 0..self.enrollments.list.len() {
            if self.offered(place) && !self.short_of_minimum(place) {
                self.settle(place);
            } else {
                self.announce_grant(place);
            }
        }
        self.keep_lock_budgets();
        self.enrollments.changed.mark();
    }

    pub(super) fn offered(&self, place: usize) -> bool {
        let protocol = self.enrollments.list.get(place);
        protocol.is_some_and(|protocol| !protocol.takes_part())
    }

    /// Whether a protocol is granted less than the minimum that it asks for.
    pub(super) fn short_of_minimum(&self, place: usize) -> bool {
        let soft = self.soft();
        let Some(protocol) = self.enrollments.list.get(place) else {
            return false;
        };
        let guest = protocol.guest.as_ref();
        guest.is_some_and(|guest| protocol.grant.low < asked(&guest.spec, soft).low)
    }

    /// A protocol is enrolled from now on: its requirement begins.
    pub(super) fn settle(&mut self, place: usize) {
        let Some(guest) = self
            .enrollments
            .list
            .get_mut(place)
            .and_then(|p| p.guest.as_mut())
        else {
            return;
        };
        guest.consent = Consent::Enrolled;
        let (id, need) = (guest.id, guest.spec.need);
        let (name, protocols) = (guest.spec.name.clone(), guest.spec.protocols.clone());
        self.deadlines.clear(Timer::Answer(id));
        let requirement = need.and_then(|need| self.open_requirement(&name, &protocols, need));
        self.enrollments.list[place].requirement = requirement;
        self.tell_grant(place);
    }

    /// Tells a protocol its grant if that changed, but not too often.
    pub(super) fn announce_grant(&mut self, place: usize) {
        let Some(protocol) = self.enrollments.list.get(place) else {
            return;
        };
        let Some(guest) = &protocol.guest else {
            return;
        };
        let (id, told) = (guest.id, guest.told);
        let Some(told) = told else {
            self.tell_grant(place);
            return;
        };
        let changed = told.again || told.grant != protocol.grant;
        let at = told.at.saturating_add(self.config.offer_every_ms);
        if changed && self.now.mono_ms >= at {
            self.tell_grant(place);
        } else {
            self.deadlines.put(Timer::Offer(id), changed.then_some(at));
        }
    }

    fn tell_grant(&mut self, place: usize) {
        let short = self.short_of_minimum(place);
        let now = self.now.mono_ms;
        let Some(protocol) = self.enrollments.list.get_mut(place) else {
            return;
        };
        let grant = protocol.grant;
        let Some(guest) = &mut protocol.guest else {
            return;
        };
        guest.told = Some(Heard {
            grant,
            at: now,
            again: false,
        });
        let answer_ms = match guest.consent {
            Consent::Offered { until } => until.saturating_sub(now),
            Consent::Enrolled => 0,
        };
        let (id, protocol) = (guest.id, guest.spec.name.clone());
        self.deadlines.clear(Timer::Offer(id));
        self.ring.push(self.now, What::Offered { protocol, grant });
        let offer = if short {
            Offer::Counter { grant, answer_ms }
        } else {
            Offer::Granted(grant)
        };
        self.offer(id, offer);
    }

    pub(super) fn offer(&mut self, enrollment: EnrollmentId, offer: Offer) {
        self.out.order(Command::Offer { enrollment, offer });
    }
}

/// What a protocol asks for at this soft target.
fn asked(spec: &ProtocolSpec, soft: u16) -> Request {
    Request::new(spec.class, spec.weight, spec.quota, soft)
}
