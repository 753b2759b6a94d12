//! What protocols ask for: bursts, scores, and what they are refused.

use lightkeeper::manager::{
    BurstAnswer, BurstId, EnrollmentId, LockAnswer, LockDenial, LockId, Notice, Offer,
};

use super::claims::{BURST, CHAT, LOCK, TTL, enroll, lock, of_burst, of_lock, offer, open_burst};
use super::*;

// --- S12 ----------------------------------------------------------------------------------------------------------

#[test]
fn more_slots_than_were_asked_for_break_s12() {
    let mut trace = Trace::enrolled();
    trace.wakes_in(TTL);
    let slots = 3;
    let answer = of_burst(BurstAnswer::Granted { slots });
    assert_eq!(trace.told(open_burst(2), &[answer]), Some("S12"));
}

#[test]
fn more_slots_than_a_share_has_left_break_s12() {
    let mut trace = Trace::enrolled();
    trace.wakes_in(TTL);
    let slots = 6;
    let answer = of_burst(BurstAnswer::Granted { slots });
    assert_eq!(trace.told(open_burst(9), &[answer]), Some("S12"));
}

#[test]
fn more_slots_than_there_is_room_for_break_s12() {
    let mut trace = Trace::enrolled();
    trace.connects(1);
    let limits = trace.limits(5, 5);
    trace.well(limits, &[]);
    trace.wakes_in(TTL);
    let slots = 5;
    let answer = of_burst(BurstAnswer::Granted { slots });
    assert_eq!(trace.told(open_burst(9), &[answer]), Some("S12"));
}

#[test]
fn a_dial_beyond_the_slots_breaks_s12() {
    let (mut trace, _) = Trace::bursting();
    let why = DialWhy::Burst(BURST);
    let event = found(4, Source::PeerExchange);
    assert_eq!(trace.told(event, &[dial_for(4, 21, why)]), Some("S12"));
}

#[test]
fn a_dial_for_a_burst_that_is_over_breaks_s12() {
    let (mut trace, conn) = Trace::bursting();
    let end = Event::CloseBurst { burst: BURST };
    trace.well(end, &[of_burst(BurstAnswer::Closed)]);
    trace.well(closed(conn), &[]);
    let why = DialWhy::Burst(BURST);
    let event = found(4, Source::PeerExchange);
    assert_eq!(trace.told(event, &[dial_for(4, 21, why)]), Some("S12"));
}

#[test]
fn a_burst_that_takes_the_place_of_another_breaks_s12() {
    let (mut trace, _) = Trace::bursting();
    let other = trace.connects(1);
    trace.chat(0, 2, true);
    let limits = trace.limits(2, 20);
    trace.well(limits, &[]);
    let order = close(other, Reason::OverLimit);
    assert_eq!(trace.told(Event::Online, &[order]), Some("S12"));
}

#[test]
fn what_a_burst_leaves_behind_breaks_s12() {
    let (mut trace, _) = Trace::bursting();
    trace.t += 30_000;
    let end = Event::CloseBurst { burst: BURST };
    trace.well(end, &[of_burst(BurstAnswer::Closed)]);
    trace.t += 10_000;
    trace.well(Event::Online, &[]);
    trace.t += 1_000;
    assert_eq!(trace.told(Event::Online, &[]), Some("S12"));
}

#[test]
fn an_end_of_what_a_burst_made_before_the_burst_ends_breaks_s12() {
    let (mut trace, conn) = Trace::bursting();
    trace.t += 30_000;
    let order = close(conn, Reason::BurstOver);
    assert_eq!(trace.told(Event::Online, &[order]), Some("S12"));
}

#[test]
fn a_burst_that_ends_twice_breaks_s12() {
    let (mut trace, _) = Trace::bursting();
    let over = of_burst(BurstAnswer::Closed);
    let end = Event::CloseBurst { burst: BURST };
    trace.well(end, std::slice::from_ref(&over));
    assert_eq!(trace.told(Event::Online, &[over]), Some("S12"));
}

// --- S14 ----------------------------------------------------------------------------------------------------------

fn scores() -> Event {
    Event::Scores {
        round: 1,
        enrollment: CHAT,
        scores: vec![(peer_id(1), i16::MIN)],
    }
}

#[test]
fn scores_that_ban_break_s14() {
    let mut trace = Trace::enrolled();
    let reason = Reason::BannedForFaults;
    let peer = peer_id(1);
    let banned = Command::Notify(Notice::Banned { peer, reason });
    assert_eq!(trace.told(scores(), &[banned]), Some("S14"));
}

#[test]
fn scores_that_change_what_is_read_break_s14() {
    let mut trace = Trace::enrolled();
    trace.view.stats.banned = 1;
    assert_eq!(trace.told(scores(), &[]), Some("S14"));
}

#[test]
fn scores_that_move_a_score_break_s14() {
    let mut trace = Trace::enrolled();
    trace.view.scores = vec![(peer_id(1), 700)];
    trace.well(Event::Online, &[]);
    trace.view.scores = vec![(peer_id(1), 500)];
    assert_eq!(trace.told(scores(), &[]), Some("S14"));
}

#[test]
fn a_score_out_of_its_range_breaks_s14() {
    let mut trace = Trace::enrolled();
    trace.view.scores = vec![(peer_id(1), -1_001)];
    assert_eq!(trace.told(Event::Online, &[]), Some("S14"));
}

// --- R3 -----------------------------------------------------------------------------------------------------------

#[test]
fn a_word_of_a_protocol_about_nothing_that_does_something_breaks_r3() {
    let enrollment = EnrollmentId(9);
    for word in [
        Event::AcceptOffer { enrollment },
        Event::Withdraw { enrollment },
        Event::Unlock { lock: LockId(9) },
        Event::CloseBurst { burst: BurstId(9) },
    ] {
        let (mut trace, _) = Trace::locked();
        trace.t += 1_000;
        assert_eq!(trace.told(word, &[Command::Discover]), Some("R3"));
    }
}

// --- S19 ----------------------------------------------------------------------------------------------------------

#[test]
fn a_lock_denied_for_what_is_not_so_breaks_s19() {
    for denial in LockDenial::ALL {
        let mut trace = Trace::enrolled();
        trace.connects(1);
        let denied = of_lock(LockAnswer::Denied(*denial));
        assert_eq!(trace.told(lock(1), &[denied]), Some("S19"), "{denial}");
    }
}

#[test]
fn a_renewal_denied_for_what_is_not_so_breaks_s19() {
    for denial in LockDenial::ALL {
        let (mut trace, _) = Trace::locked();
        let denied = of_lock(LockAnswer::Denied(*denial));
        let (lock, ttl_ms) = (LOCK, TTL);
        let renewal = Event::ExtendLock { lock, ttl_ms };
        assert_eq!(trace.told(renewal, &[denied]), Some("S19"), "{denial}");
    }
}

#[test]
fn a_burst_denied_for_what_is_not_so_breaks_s19() {
    for reason in [
        Reason::NotEnrolled,
        Reason::Stopped,
        Reason::Offline,
        Reason::NoRoute,
        Reason::OverBudget,
        Reason::LimitReached,
        Reason::OverQuota,
        Reason::NotNeeded,
        Reason::Busy,
    ] {
        let mut trace = Trace::enrolled();
        let denied = of_burst(BurstAnswer::Denied(reason));
        assert_eq!(
            trace.told(open_burst(2), &[denied]),
            Some("S19"),
            "{reason}"
        );
    }
}

#[test]
fn an_enrollment_rejected_for_what_is_not_so_breaks_s19() {
    for reason in [Reason::NotEnrolled, Reason::NoShare, Reason::Stopped] {
        let mut trace = Trace::started();
        let rejected = offer(Offer::Rejected(reason));
        assert_eq!(trace.told(enroll(), &[rejected]), Some("S19"), "{reason}");
    }
}
