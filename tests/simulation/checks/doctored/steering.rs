//! What the user and the environment steer: limits, modes, guards, rounds.

use lightkeeper::manager::{Trigger, What};

use super::*;

fn protect(place: usize) -> Event {
    Event::Protect {
        peer: peer_id(place),
        tag: "mine".to_owned(),
    }
}

fn regulated(trigger: Trigger) -> What {
    What::Regulated {
        round: 1,
        trigger,
        closed: 0,
    }
}

/// Memory in use, in percent.
fn memory(percent: u64) -> Event {
    Event::Memory {
        used: percent,
        limit: 100,
    }
}

impl Trace {
    /// These are connected, serve nothing, and are no longer new.
    fn crowd(&mut self, places: std::ops::Range<usize>) -> Vec<ConnId> {
        let conns = places
            .map(|place| {
                self.t += MINUTE;
                self.connects(place)
            })
            .collect();
        self.t += MINUTE;
        conns
    }

    /// The soft target that the user wants, and that holds.
    fn wants(&mut self, soft: u16, hard: u16) {
        self.view.stats.soft = soft;
        self.view.stats.hard = hard;
        let event = Event::SetLimits {
            soft: Some(soft),
            hard: Some(hard),
        };
        let decisions = &mut self.view.decisions;
        decisions.push(What::Overcommitted {
            held_by: Vec::new(),
        });
        self.well(event, &[]);
    }
}

#[test]
fn a_protected_connection_that_is_closed_for_others_breaks_s7() {
    let mut trace = Trace::started();
    let conn = trace.connects(1);
    trace.view.subject = Some(peer_view(peer_id(1), PeerState::Connected, None));
    trace.well(protect(1), &[]);
    trace.met_by(&[2, 3]);
    trace.well(Event::Online, &[]);
    trace.t += MINUTE;
    let order = close(conn, Reason::Surplus);
    assert_eq!(trace.told(Event::Online, &[order]), Some("S7"));
}

/// No more than one connection of the kind that all have.
fn one_by_wss() -> Event {
    Event::SetMaxByTransport {
        transport: lightkeeper::manager::Transport::Wss,
        max: Some(1),
    }
}

#[test]
fn a_dial_beyond_a_transports_cap_breaks_s8() {
    let mut trace = Trace::started();
    trace.connects(1);
    trace.well(one_by_wss(), &[]);
    let event = found(2, Source::PeerExchange);
    assert_eq!(trace.told(event, &[dial(2, 2)]), Some("S8"));
}

#[test]
fn a_connection_that_stays_above_a_lowered_cap_breaks_s8() {
    let mut trace = Trace::started();
    trace.connects(1);
    trace.connects(2);
    assert_eq!(trace.told(one_by_wss(), &[]), Some("S8"));
}

#[test]
fn a_gate_that_forgets_a_transports_cap_breaks_s8() {
    let mut trace = Trace::started();
    trace.connects(1);
    trace.well(one_by_wss(), &[]);
    trace.well(found(2, Source::PeerExchange), &[]);
    let peer = Some(peer_id(2));
    let address = Some(route(2, 443));
    trace.view.subject = Some(peer_view(peer_id(2), PeerState::Known, address));
    let asked = Input::Gate(GateQuery::Outbound { peer }, Ok(()));
    assert_eq!(trace.judged(asked, &[]), Some("S8"));
}

#[test]
fn a_round_that_closes_more_than_a_quarter_breaks_s11() {
    let mut trace = Trace::started();
    let conns = trace.crowd(1..9);
    trace.wants(4, 20);
    trace.t += MINUTE;
    trace.view.decisions = vec![regulated(Trigger::OverSoft)];
    let orders = [close(conns[0], Reason::Idle), close(conns[1], Reason::Idle)];
    assert_eq!(trace.told(Event::Regulate, &orders), Some("S11"));
}

#[test]
fn two_rounds_in_a_moment_break_s11() {
    let mut trace = Trace::started();
    trace.view.decisions = vec![regulated(Trigger::Manual)];
    trace.well(Event::Regulate, &[]);
    trace.t += 500;
    trace.view.decisions = vec![regulated(Trigger::Manual)];
    assert_eq!(trace.told(Event::Regulate, &[]), Some("S11"));
}

#[test]
fn a_provider_that_goes_before_who_serves_nothing_breaks_s11() {
    let mut trace = Trace::started();
    let conns = trace.crowd(1..6);
    // One after another: the first two are assigned.
    for serving in [&[1][..], &[1, 2], &[1, 2, 3]] {
        trace.serves(FILTER, serving);
        trace.well(Event::Online, &[]);
    }
    trace.wants(4, 20);
    trace.t += MINUTE;
    trace.serves(FILTER, &[2, 3]);
    trace.view.decisions = vec![regulated(Trigger::OverSoft)];
    let order = close(conns[0], Reason::OverLimit);
    assert_eq!(trace.told(Event::Regulate, &[order]), Some("S11"));
}

#[test]
fn a_new_connection_goes_only_when_no_older_one_can_breaks_nothing() {
    let mut trace = Trace::started();
    let conns = trace.crowd(1..6);
    trace.wants(4, 20);
    trace.t += MINUTE;
    trace.view.decisions = vec![regulated(Trigger::OverSoft)];
    trace.well(Event::Regulate, &[close(conns[0], Reason::Idle)]);
}

#[test]
fn a_target_that_breaks_without_need_breaks_s11() {
    let mut trace = Trace::started();
    let conns = trace.crowd(1..3);
    trace.serves(RequirementId(2), &[1]);
    trace.view.stats.soft = 2;
    trace.well(
        Event::SetLimits {
            soft: Some(2),
            hard: None,
        },
        &[],
    );
    trace.t += MINUTE;
    trace.view.decisions = vec![regulated(Trigger::DeficitAtLimit)];
    let order = close(conns[0], Reason::OverQuota);
    // Phase 4 is for protocols; a minimum holds in any phase but the last.
    trace.view.requirements[2].min = 1;
    assert_eq!(trace.told(Event::Regulate, &[order]), Some("S11"));
}

#[test]
fn a_round_that_leaves_too_many_without_a_word_breaks_l6() {
    let mut trace = Trace::started();
    trace.crowd(1..7);
    trace.wants(4, 20);
    trace.t += MINUTE / 10;
    trace.view.decisions = vec![regulated(Trigger::OverSoft)];
    assert_eq!(trace.told(Event::Regulate, &[]), Some("L6"));
}

#[test]
fn too_many_that_nobody_closes_break_l6() {
    let mut trace = Trace::started();
    trace.crowd(1..7);
    trace.wants(4, 20);
    trace.well(Event::Online, &[]);
    trace.t += MINUTE;
    assert_eq!(trace.told(Event::Online, &[]), Some("L6"));
}

#[test]
fn a_soft_target_below_what_the_minima_need_breaks_e8() {
    let mut trace = Trace::started();
    trace.connects(1);
    trace.connects(2);
    trace.serves(RequirementId(0), &[1]);
    trace.serves(FILTER, &[2]);
    trace.view.stats.soft = 3;
    trace.well(memory(80), &[]);
    trace.view.stats.soft = 2;
    assert_eq!(trace.told(memory(80), &[]), Some("E8"));
}

#[test]
fn a_soft_target_that_falls_for_nothing_breaks_e8() {
    let mut trace = Trace::started();
    trace.view.stats.soft = 15;
    assert_eq!(trace.told(Event::Online, &[]), Some("E8"));
}

#[test]
fn who_stays_above_a_lowered_cap_breaks_s1() {
    let mut trace = Trace::started();
    trace.crowd(1..6);
    trace.wants(4, 4);
    trace.t += 2_000;
    trace.well(Event::Online, &[]);
    trace.t += MINUTE / 10;
    assert_eq!(trace.told(Event::Online, &[]), Some("S1"));
}

#[test]
fn who_is_let_in_above_the_cap_breaks_s1() {
    let mut trace = Trace::started();
    trace.crowd(1..5);
    trace.wants(4, 4);
    let peer = Some(peer_id(9));
    let asked = Input::Gate(GateQuery::Inbound { peer }, Ok(()));
    assert_eq!(trace.judged(asked, &[]), Some("S1"));
}

#[test]
fn a_dial_while_paused_breaks_s2() {
    let mut trace = Trace::started();
    trace.well(Event::Pause, &[]);
    let event = found(1, Source::PeerExchange);
    assert_eq!(trace.told(event, &[dial(1, 1)]), Some("S2"));
}

#[test]
fn a_dial_for_a_need_in_a_sync_breaks_s2() {
    let mut trace = Trace::started();
    trace.well(Event::StartSync { peer: None }, &[]);
    let event = found(1, Source::PeerExchange);
    assert_eq!(trace.told(event, &[dial(1, 1)]), Some("S2"));
}

#[test]
fn a_hand_off_while_paused_breaks_e1() {
    let mut trace = Trace::started();
    let conn = trace.connects(1);
    trace.met_by(&[2, 3]);
    trace.well(Event::Pause, &[]);
    let order = close(conn, Reason::NotNeeded);
    assert_eq!(trace.told(Event::Online, &[order]), Some("E1"));
}

#[test]
fn a_young_connection_that_is_rotated_breaks_e2() {
    let mut trace = Trace::started();
    let conn = trace.connects(1);
    trace.met_by(&[2, 3]);
    let ms = Some(10 * MINUTE);
    trace.well(Event::SetLifetime { ms }, &[]);
    trace.t += 5 * MINUTE;
    let order = close(conn, Reason::LifetimeOver);
    assert_eq!(trace.told(Event::Online, &[order]), Some("E2"));
}

#[test]
fn a_rotation_where_nobody_is_old_breaks_e2() {
    let mut trace = Trace::started();
    trace.connects(1);
    let event = found(2, Source::PeerExchange);
    let order = dial_for(2, 2, DialWhy::Rotation);
    assert_eq!(trace.told(event, &[order]), Some("E2"));
}
