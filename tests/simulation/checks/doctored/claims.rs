//! What protocols ask for: locks and offers; `bursts` has the rest.

use lightkeeper::manager::{
    BurstAnswer, BurstId, Class, EnrollmentId, Grant, LockAnswer, LockId, Offer, ProtocolSpec,
    ProtocolView, Revocation,
};

use super::*;
use crate::claims::Wish;

pub(super) const CHAT: EnrollmentId = EnrollmentId(1);
pub(super) const LOCK: LockId = LockId(7);
pub(super) const BURST: BurstId = BurstId(3);
pub(super) const TTL: u64 = 60_000;

pub(super) fn spec() -> ProtocolSpec {
    Wish::MODEST.spec(1)
}

pub(super) fn offer(offer: Offer) -> Command {
    let enrollment = CHAT;
    Command::Offer { enrollment, offer }
}

pub(super) fn granted(low: u16, high: u16) -> Command {
    offer(Offer::Granted(Grant { low, high }))
}

pub(super) fn of_lock(answer: LockAnswer) -> Command {
    let lock = LOCK;
    Command::Lock { lock, answer }
}

pub(super) fn of_burst(answer: BurstAnswer) -> Command {
    let burst = BURST;
    Command::Burst { burst, answer }
}

pub(super) fn enroll() -> Event {
    Event::Enroll {
        enrollment: CHAT,
        spec: spec(),
    }
}

pub(super) fn lock(place: usize) -> Event {
    Event::Lock {
        lock: LOCK,
        enrollment: CHAT,
        peer: peer_id(place),
        ttl_ms: TTL,
    }
}

pub(super) fn open_burst(slots: u8) -> Event {
    Event::OpenBurst {
        burst: BURST,
        enrollment: CHAT,
        slots,
        max_ms: TTL,
    }
}

impl Trace {
    /// The protocol as it is read from now on.
    pub(super) fn chat(&mut self, low: u16, high: u16, enrolled: bool) {
        let grant = Some(Grant { low, high });
        self.view.protocols.truncate(3);
        self.view.protocols.push(ProtocolView {
            name: "guest-1".to_owned(),
            enrollment: Some(CHAT),
            requirement: None,
            class: Class::Normal,
            granted: grant.filter(|_| enrolled),
            offered: grant.filter(|_| !enrolled),
            share: 0,
            connections: 0,
            locked: 0,
        });
    }

    /// A protocol that takes part.
    pub(super) fn enrolled() -> Self {
        let mut trace = Self::started();
        trace.chat(2, 5, true);
        trace.well(enroll(), &[granted(2, 5)]);
        trace
    }

    pub(super) fn wakes_in(&mut self, ms: u64) {
        self.view.next_deadline = Some(MONO_ZERO + self.t + ms);
    }

    /// It holds a lock on a connection.
    pub(super) fn locked() -> (Self, ConnId) {
        let mut trace = Self::enrolled();
        let conn = trace.connects(1);
        trace.view.stats.locks = 1;
        trace.wakes_in(TTL);
        let ttl_ms = TTL;
        trace.well(lock(1), &[of_lock(LockAnswer::Granted { ttl_ms })]);
        (trace, conn)
    }

    pub(super) fn revoked(&mut self, reason: Revocation, grace_ms: u64) -> Option<&'static str> {
        self.view.stats.locks = 0;
        let revoked = LockAnswer::Revoked { reason, grace_ms };
        self.told(Event::Online, &[of_lock(revoked)])
    }

    /// It has a burst, for which somebody was connected.
    pub(super) fn bursting() -> (Self, ConnId) {
        let mut trace = Self::enrolled();
        trace.wakes_in(TTL);
        let slots = 1;
        let answer = BurstAnswer::Granted { slots };
        trace.well(open_burst(4), &[of_burst(answer)]);
        let why = DialWhy::Burst(BURST);
        let event = found(2, Source::PeerExchange);
        trace.well(event, &[dial_for(2, 20, why)]);
        trace.well(connected(2, 20, Some(20)), &[]);
        (trace, ConnId(20))
    }
}

// --- S6 -----------------------------------------------------------------------------------------------------------

#[test]
fn a_close_of_what_is_locked_breaks_s6() {
    for reason in [Reason::NotNeeded, Reason::Surplus, Reason::FailedService] {
        let (mut trace, conn) = Trace::locked();
        let order = close(conn, reason);
        assert_eq!(trace.told(Event::Online, &[order]), Some("S6"), "{reason}");
    }
}

#[test]
fn a_close_before_the_grace_is_over_breaks_s6() {
    let (mut trace, conn) = Trace::locked();
    trace.chat(0, 0, true);
    assert_eq!(trace.revoked(Revocation::QuotaBreach, 2_000), None);
    trace.t += 1_999;
    let order = close(conn, Reason::NotNeeded);
    assert_eq!(trace.told(Event::Online, &[order]), Some("S6"));
}

#[test]
fn a_close_after_the_grace_keeps_s6() {
    let (mut trace, conn) = Trace::locked();
    trace.chat(0, 0, true);
    assert_eq!(trace.revoked(Revocation::QuotaBreach, 2_000), None);
    trace.t += 2_000;
    trace.well(Event::Online, &[close(conn, Reason::NotNeeded)]);
}

#[test]
fn a_revocation_without_its_grace_breaks_s6() {
    let (mut trace, _) = Trace::locked();
    trace.chat(0, 0, true);
    let broken = trace.revoked(Revocation::QuotaBreach, 1_999);
    assert_eq!(broken, Some("S6"));
}

#[test]
fn a_revocation_for_what_is_not_so_breaks_s6() {
    for why in [
        Revocation::QuotaBreach,
        Revocation::HardLimit,
        Revocation::Ban,
        Revocation::Stop,
        Revocation::ConnectionLost,
        Revocation::Withdrawn,
    ] {
        let (mut trace, _) = Trace::locked();
        assert_eq!(trace.revoked(why, 2_000), Some("S6"), "{why}");
    }
}

#[test]
fn a_lock_that_ends_twice_breaks_s6() {
    let (mut trace, _) = Trace::locked();
    trace.view.stats.locks = 0;
    let over = of_lock(LockAnswer::Ended);
    trace.well(Event::Unlock { lock: LOCK }, std::slice::from_ref(&over));
    assert_eq!(trace.told(Event::Online, &[over]), Some("S6"));
}

#[test]
fn a_lock_that_ends_early_breaks_s6() {
    let (mut trace, _) = Trace::locked();
    trace.view.stats.locks = 0;
    trace.t += TTL - 1;
    let over = of_lock(LockAnswer::Ended);
    assert_eq!(trace.told(Event::Online, &[over]), Some("S6"));
}

#[test]
fn a_lock_that_outlives_its_connection_breaks_s6() {
    let (mut trace, conn) = Trace::locked();
    let cause = CloseCause::Broken;
    assert_eq!(trace.told(Event::Closed { conn, cause }, &[]), Some("S6"));
}

#[test]
fn more_locks_than_a_share_allows_break_s6() {
    let (mut trace, _) = Trace::locked();
    trace.chat(0, 0, true);
    assert_eq!(trace.told(Event::Online, &[]), Some("S6"));
}

#[test]
fn more_locks_than_three_quarters_break_s6() {
    let (mut trace, _) = Trace::locked();
    let limits = trace.limits(1, 20);
    assert_eq!(trace.told(limits, &[]), Some("S6"));
}

#[test]
fn locks_that_are_miscounted_break_s6() {
    let (mut trace, _) = Trace::locked();
    trace.view.stats.locks = 2;
    assert_eq!(trace.told(Event::Online, &[]), Some("S6"));
}

#[test]
fn a_lock_on_somebody_who_is_not_connected_breaks_s6() {
    let mut trace = Trace::enrolled();
    let ttl_ms = TTL;
    let granted = of_lock(LockAnswer::Granted { ttl_ms });
    assert_eq!(trace.told(lock(1), &[granted]), Some("S6"));
}

#[test]
fn a_lock_of_nobody_breaks_s6() {
    let mut trace = Trace::started();
    trace.connects(1);
    let ttl_ms = TTL;
    let granted = of_lock(LockAnswer::Granted { ttl_ms });
    assert_eq!(trace.told(lock(1), &[granted]), Some("S6"));
}

#[test]
fn a_lock_that_is_asked_for_in_vain_breaks_s6() {
    let mut trace = Trace::enrolled();
    trace.connects(1);
    assert_eq!(trace.told(lock(1), &[]), Some("S6"));
}

#[test]
fn a_fourth_renewal_breaks_s6() {
    let (mut trace, _) = Trace::locked();
    let (lock, ttl_ms) = (LOCK, TTL);
    let granted = of_lock(LockAnswer::Granted { ttl_ms });
    for _ in 0..3 {
        trace.well(
            Event::ExtendLock { lock, ttl_ms },
            std::slice::from_ref(&granted),
        );
    }
    let fourth = Event::ExtendLock { lock, ttl_ms };
    assert_eq!(trace.told(fourth, &[granted]), Some("S6"));
}

// --- L4 -----------------------------------------------------------------------------------------------------------

#[test]
fn a_lock_without_end_breaks_l4() {
    let (mut trace, _) = Trace::locked();
    trace.t += TTL;
    trace.wakes_in(1_000);
    assert_eq!(trace.told(Event::Online, &[]), Some("L4"));
}

#[test]
fn a_lock_that_nobody_wakes_to_end_breaks_l4() {
    let (mut trace, _) = Trace::locked();
    trace.view.next_deadline = None;
    assert_eq!(trace.told(Event::Online, &[]), Some("L4"));
}

#[test]
fn a_burst_without_end_breaks_l4() {
    let (mut trace, _) = Trace::bursting();
    trace.t += TTL;
    trace.wakes_in(1_000);
    assert_eq!(trace.told(Event::Online, &[]), Some("L4"));
}

#[test]
fn an_offer_without_end_breaks_l4() {
    let mut trace = Trace::started();
    trace.chat(1, 1, false);
    let (low, high) = (1, 1);
    let grant = Grant { low, high };
    let answer_ms = 10_000;
    trace.wakes_in(answer_ms);
    let counter = offer(Offer::Counter { grant, answer_ms });
    trace.well(enroll(), &[counter]);
    trace.t += answer_ms;
    trace.wakes_in(1_000);
    assert_eq!(trace.told(Event::Online, &[]), Some("L4"));
}

// --- S13 ----------------------------------------------------------------------------------------------------------

#[test]
fn minima_above_the_whole_break_s13() {
    let mut trace = Trace::enrolled();
    let limits = trace.limits(1, 20);
    assert_eq!(trace.told(limits, &[]), Some("S13"));
}

#[test]
fn a_grant_that_ends_before_it_begins_breaks_s13() {
    let mut trace = Trace::enrolled();
    trace.chat(2, 1, true);
    assert_eq!(trace.told(Event::Online, &[]), Some("S13"));
}

#[test]
fn a_grant_above_the_request_breaks_s13() {
    let mut trace = Trace::enrolled();
    trace.chat(3, 5, true);
    assert_eq!(trace.told(Event::Online, &[]), Some("S13"));
}

#[test]
fn an_offer_that_is_no_less_than_the_request_breaks_s13() {
    for low in [2, 3] {
        let mut trace = Trace::started();
        let grant = Grant { low, high: 5 };
        let answer_ms = 10_000;
        trace.chat(2, 5, false);
        trace.wakes_in(answer_ms);
        let counter = offer(Offer::Counter { grant, answer_ms });
        assert_eq!(trace.told(enroll(), &[counter]), Some("S13"), "{low}");
    }
}

#[test]
fn a_grant_below_the_request_breaks_s13() {
    let mut trace = Trace::started();
    trace.chat(1, 5, true);
    assert_eq!(trace.told(enroll(), &[granted(1, 5)]), Some("S13"));
}

#[test]
fn a_critical_minimum_that_is_cut_to_nothing_breaks_s13() {
    let mut trace = Trace::enrolled();
    trace.chat(0, 5, true);
    trace.well(Event::Online, &[]);
    trace.view.protocols[3].class = Class::Critical;
    assert_eq!(trace.told(Event::Online, &[]), Some("S13"));
}

// --- L8 -----------------------------------------------------------------------------------------------------------

#[test]
fn an_enrollment_that_nobody_answers_breaks_l8() {
    let mut trace = Trace::started();
    trace.well(enroll(), &[]);
    trace.t += 20_000;
    trace.well(Event::Online, &[]);
    trace.t += 1;
    assert_eq!(trace.told(Event::Online, &[]), Some("L8"));
}

#[test]
fn an_enrollment_that_nobody_wakes_for_breaks_l8() {
    let mut trace = Trace::started();
    trace.well(enroll(), &[]);
    assert_eq!(trace.at_end(), Some("L8"));
}
