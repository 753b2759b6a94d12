//! Scores, bans, liars.

use lightkeeper::manager::{Notice, Outcome, ScoreParts};

use super::*;
use crate::view::Standing;

fn standing() -> Standing {
    Standing {
        score: 0,
        parts: ScoreParts::default(),
        priority: Priority::Medium,
        banned: false,
        failures: 0,
        flaps: 0,
    }
}

fn hint() -> Event {
    Event::Hint {
        peer: peer_id(1),
        tag: "tag".to_owned(),
        value: -1_000,
        ttl_ms: None,
    }
}

fn report(outcome: Outcome) -> Event {
    Event::Report {
        peer: peer_id(1),
        requirement: FILTER,
        outcome,
        charged: true,
    }
}

/// What an input that makes the peer stand so is judged to be.
fn made(event: Event, before: Option<Standing>, after: Standing) -> Option<&'static str> {
    let mut trace = Trace::started();
    (trace.view.prior, trace.view.standing) = (before, Some(after));
    trace.told(event, &[])
}

#[test]
fn a_score_out_of_bounds_breaks_s14() {
    let mut view = peer_view(peer_id(1), PeerState::Known, None);
    view.score = 1_001;
    let mut trace = Trace::started();
    trace.view.subject = Some(view);
    assert_eq!(trace.told(hint(), &[]), Some("S14"));
    let mut after = standing();
    after.parts.hints = -201;
    assert_eq!(made(hint(), Some(standing()), after), Some("S14"));
    let mut after = standing();
    after.parts.quality = vec![(FILTER, -1_001)];
    assert_eq!(made(report(Outcome::Broken), None, after), Some("S14"));
}

#[test]
fn a_report_that_is_not_charged_and_judges_breaks_s14() {
    let excused = || Event::Report {
        peer: peer_id(1),
        requirement: FILTER,
        outcome: Outcome::Fault,
        charged: false,
    };
    let mut after = standing();
    after.parts.quality = vec![(FILTER, -1)];
    assert_eq!(made(excused(), Some(standing()), after), Some("S14"));
    assert_eq!(made(excused(), Some(standing()), standing()), None);
}

#[test]
fn a_sighting_that_judges_breaks_s14() {
    let sighting = || found(1, Source::PeerExchange);
    assert_eq!(made(sighting(), Some(standing()), standing()), None);
    assert_eq!(made(sighting(), None, standing()), None);
    let wrong: [fn(&mut Standing); 7] = [
        |standing| standing.parts.quality = vec![(FILTER, 1)],
        |standing| standing.parts.behaviour = -1,
        |standing| standing.parts.hints = 1,
        |standing| standing.parts.reach = 200,
        |standing| standing.priority = Priority::High,
        |standing| standing.failures = 1,
        |standing| standing.banned = true,
    ];
    for (n, wrong) in wrong.into_iter().enumerate() {
        let mut after = standing();
        wrong(&mut after);
        let broken = made(sighting(), Some(standing()), after);
        assert_eq!(broken, Some("S14"), "wrong {n}");
    }
}

#[test]
fn a_hint_that_bans_or_judges_breaks_s14() {
    let mut after = standing();
    after.parts.hints = -200;
    assert_eq!(made(hint(), Some(standing()), after.clone()), None);
    after.parts.behaviour = -500;
    assert_eq!(made(hint(), Some(standing()), after), Some("S14"));
    let mut trace = Trace::started();
    let reason = Reason::BannedForFaults;
    let peer = peer_id(1);
    let banned = Command::Notify(Notice::Banned { peer, reason });
    assert_eq!(trace.told(hint(), &[banned]), Some("S14"));
}

#[test]
fn a_ban_that_is_missing_or_too_much_breaks_a7() {
    let ban = Event::SetPriority {
        peer: peer_id(1),
        priority: Priority::Banned,
    };
    for (held, broken) in [(0, Some("A7")), (1, None), (2, Some("A7"))] {
        let mut trace = Trace::started();
        trace.view.stats.banned = held;
        assert_eq!(trace.told(ban.clone(), &[]), broken, "{held}");
    }
}

#[test]
fn a_user_ban_that_makes_room_breaks_a7() {
    let mut config = Tuning::default().config();
    (config.max_bans, config.max_user_bans) = (2, 2);
    let mut trace = Trace::with(config);
    trace.well(Event::Start, &[]);
    for place in 1..4 {
        // The third is refused.
        trace.view.stats.banned = u32::try_from(place.min(2)).expect("few");
        let peer = peer_id(place);
        let priority = Priority::Banned;
        trace.well(Event::SetPriority { peer, priority }, &[]);
    }
    trace.view.stats.banned = 1;
    assert_eq!(trace.told(Event::Online, &[]), Some("A7"));
}

#[test]
fn a_liar_that_goes_on_counting_breaks_a3() {
    let mut trace = Trace::started();
    trace.connects(1);
    trace.serves(FILTER, &[1]);
    trace.well(Event::Online, &[]);
    for outcome in [
        Outcome::Broken,
        Outcome::Success,
        Outcome::Fault,
        Outcome::Broken,
    ] {
        trace.well(report(outcome), &[]);
    }
    assert_eq!(trace.told(report(Outcome::Broken), &[]), Some("A3"));
}
