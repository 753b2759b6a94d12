//! Dials, connections, closes, bounds.

use super::*;

#[test]
fn more_connections_and_dials_than_the_cap_break_s1() {
    let mut config = Tuning::default().config();
    config.hard_connections = 2;
    let mut trace = Trace::with(config);
    let dials = [dial(1, 1), dial(2, 2), dial(3, 3)];
    assert_eq!(trace.told(Event::Start, &dials), Some("S1"));
}

#[test]
fn a_dial_while_stopped_breaks_s2() {
    let mut trace = Trace::new();
    let event = found(1, Source::PeerExchange);
    assert_eq!(trace.told(event, &[dial(1, 1)]), Some("S2"));
}

#[test]
fn a_dial_to_a_banned_peer_breaks_s2() {
    let mut trace = Trace::started();
    let ban = Event::SetPriority {
        peer: peer_id(1),
        priority: Priority::Banned,
    };
    trace.view.stats.banned = 1;
    trace.well(ban, &[]);
    trace.t += MINUTE;
    let event = found(1, Source::PeerExchange);
    assert_eq!(trace.told(event, &[dial(1, 1)]), Some("S2"));
}

#[test]
fn a_dial_to_a_connected_peer_breaks_s2() {
    let mut trace = Trace::started();
    trace.connects(1);
    assert_eq!(trace.told(Event::Online, &[dial(1, 9)]), Some("S2"));
}

#[test]
fn a_connection_that_outlives_the_ban_breaks_s3() {
    let mut trace = Trace::started();
    trace.connects(1);
    let ban = Event::SetPriority {
        peer: peer_id(1),
        priority: Priority::Banned,
    };
    assert_eq!(trace.told(ban, &[]), Some("S3"));
}

#[test]
fn a_ban_that_a_sighting_lifts_breaks_s3() {
    let mut trace = Trace::started();
    let ban = Event::SetPriority {
        peer: peer_id(1),
        priority: Priority::Banned,
    };
    trace.view.stats.banned = 1;
    trace.well(ban, &[]);
    trace.view.subject = Some(peer_view(peer_id(1), PeerState::Known, None));
    let event = found(1, Source::PeerExchange);
    assert_eq!(trace.told(event, &[]), Some("S3"));
}

#[test]
fn a_parked_peer_that_is_dialed_for_a_need_breaks_s4() {
    let mut trace = Trace::started();
    let event = found(1, Source::Dns);
    assert_eq!(trace.told(event, &[dial(1, 1)]), Some("S4"));
}

#[test]
fn an_emergency_before_its_time_breaks_s4() {
    let mut trace = Trace::started();
    trace.t += 5_000;
    let early = dial_for(1, 1, DialWhy::Bootstrap(5));
    assert_eq!(trace.told(found(1, Source::Dns), &[early]), Some("S4"));
}

#[test]
fn a_close_below_the_target_breaks_s5() {
    let mut trace = Trace::started();
    trace.connects(1);
    let conn = trace.connects(2);
    trace.serves(FILTER, &[1, 2]);
    trace.well(Event::Online, &[]);
    trace.serves(FILTER, &[1]);
    let order = close(conn, Reason::NotNeeded);
    assert_eq!(trace.told(Event::Online, &[order]), Some("S5"));
}

#[test]
fn a_hand_off_below_the_target_breaks_e4() {
    let mut trace = Trace::started();
    trace.connects(1);
    let conn = trace.connects(2);
    trace.serves(FILTER, &[1, 2]);
    trace.well(Event::Online, &[]);
    trace.serves(FILTER, &[1]);
    let order = close(conn, Reason::HandedOff);
    assert_eq!(trace.told(Event::Online, &[order]), Some("E4"));
}

#[test]
fn a_dial_right_after_a_prune_breaks_e2() {
    let mut trace = Trace::started();
    let conn = trace.connects(1);
    trace.met_by(&[2, 3]);
    trace.well(Event::Online, &[close(conn, Reason::NotNeeded)]);
    trace.well(closed(conn), &[]);
    trace.t += 10_000;
    assert_eq!(trace.told(Event::Online, &[dial(1, 9)]), Some("E2"));
}

#[test]
fn a_duplicate_that_stays_breaks_s9() {
    let mut trace = Trace::started();
    trace.connects(1);
    trace.well(connected(1, 7, None), &[]);
    trace.t += 6_000;
    let rtt_ms = 5;
    let conn = ConnId(7);
    assert_eq!(
        trace.told(
            Event::Pong {
                conn,
                ping: 1,
                rtt_ms
            },
            &[]
        ),
        Some("S9")
    );
}

#[test]
fn a_verified_address_that_failures_delete_breaks_s18() {
    let mut trace = Trace::started();
    let conn = trace.connects(1);
    let cause = CloseCause::Broken;
    trace.well(Event::Closed { conn, cause }, &[]);
    let broken = (10..60).find_map(|id| {
        trace.t += MINUTE;
        let mut elsewhere = dial(1, id);
        if let Command::Dial { route: to, .. } = &mut elsewhere {
            *to = route(1, 8_000);
        }
        trace
            .told(Event::Online, &[elsewhere])
            .or_else(|| trace.told(failed(id), &[]))
    });
    assert_eq!(broken, Some("S18"));
}

#[test]
fn a_last_address_that_failures_delete_breaks_s18() {
    let mut trace = Trace::started();
    trace.well(found(1, Source::PeerExchange), &[dial(1, 1)]);
    trace.view.subject = Some(peer_view(peer_id(1), PeerState::Cooling, None));
    assert_eq!(trace.told(failed(1), &[]), Some("S18"));
}

#[test]
fn a_close_for_a_reason_that_is_not_so_breaks_s19() {
    for reason in [
        Reason::HungUp,
        Reason::Stopped,
        Reason::BannedByUser,
        Reason::OtherNetwork,
        Reason::Duplicate,
        Reason::NotAdmitted,
        Reason::PingTimeout,
        Reason::IdentifyFailed,
        Reason::RemoteClosed,
    ] {
        let mut trace = Trace::started();
        let conn = trace.connects(1);
        let order = close(conn, reason);
        assert_eq!(trace.told(Event::Online, &[order]), Some("S19"), "{reason}");
    }
}

#[test]
fn a_denial_for_a_reason_that_is_not_so_breaks_s19() {
    for reason in [
        Reason::Stopped,
        Reason::Offline,
        Reason::BannedByUser,
        Reason::AlreadyConnected,
        Reason::LimitReached,
        Reason::Busy,
    ] {
        let mut trace = Trace::started();
        let peer = Some(peer_id(1));
        let input = Input::Gate(GateQuery::Outbound { peer }, Err(reason));
        assert_eq!(trace.judged(input, &[]), Some("S19"), "{reason}");
    }
}

#[test]
fn another_denial_than_was_explained_breaks_s19() {
    let denied = |reason, said| {
        let mut trace = Trace::started();
        trace.well(found(1, Source::PeerExchange), &[]);
        let explained = Explained {
            not_dialed: said,
            not_closed: None,
        };
        trace.view.explained = [(peer_id(1), explained)].into();
        let peer = Some(peer_id(1));
        trace.judged(Input::Gate(GateQuery::Outbound { peer }, Err(reason)), &[])
    };
    let waits = Some(Reason::BackingOff);
    assert_eq!(denied(Reason::BackingOff, waits), None);
    assert_eq!(denied(Reason::DiversityLimit, waits), Some("S19"));
    assert_eq!(denied(Reason::OverBudget, None), Some("S19"));
    // Whom nobody needs others may dial: its addresses are looked at after that.
    let idle = Some(Reason::NotNeeded);
    assert_eq!(denied(Reason::DiversityLimit, idle), None);
    assert_eq!(denied(Reason::HungUp, idle), Some("S19"));
}

#[test]
fn a_close_of_whom_a_guard_was_explained_to_hold_breaks_s19() {
    for guard in [
        Guard::Pinned,
        Guard::Protected,
        Guard::Locked,
        Guard::Sync,
        Guard::Asked,
        Guard::Minimum,
        Guard::Target,
    ] {
        let mut trace = Trace::started();
        let conn = trace.connects(1);
        let explained = Explained {
            not_dialed: None,
            not_closed: Some(guard),
        };
        trace.view.explained = [(peer_id(1), explained)].into();
        let order = close(conn, Reason::Idle);
        let event = found(2, Source::PeerExchange);
        assert_eq!(trace.told(event, &[order]), Some("S19"), "{guard:?}");
    }
}

#[test]
fn a_table_above_its_bound_breaks_r1() {
    let mut trace = Trace::started();
    trace.view.stats.known = 5_001;
    assert_eq!(trace.told(Event::Online, &[]), Some("R1"));
}

#[test]
fn an_order_for_a_dead_id_breaks_r3() {
    let mut trace = Trace::started();
    let conn = trace.connects(1);
    let metadata = Metadata::OtherNetwork;
    let stale = Event::Metadata {
        conn: ConnId(99),
        metadata,
    };
    let timeout_ms = 5_000;
    let order = Command::Ping {
        conn,
        ping: 1,
        timeout_ms,
    };
    assert_eq!(trace.told(stale, &[order]), Some("R3"));
}

#[test]
fn an_idle_tick_that_does_something_breaks_d4() {
    let mut trace = Trace::started();
    trace.t += 1_000;
    assert_eq!(trace.told(Event::Tick, &[Command::Discover]), Some("D4"));
}

#[test]
fn a_dial_in_deep_quiet_breaks_e1() {
    let mut trace = Trace::started();
    trace.met_by(&[1, 2]);
    trace.well(Event::Online, &[]);
    for _ in 0..30 {
        trace.t += MINUTE;
        trace.well(Event::Tick, &[]);
    }
    let routine = Event::DnsFinished {
        found: 0,
        failed: false,
        answered: true,
    };
    assert_eq!(trace.told(routine, &[dial(5, 1)]), Some("E1"));
}

/// A swap that is undone and made again, this often and this far apart.
fn circles(times: u64, apart_ms: u64) -> Option<&'static str> {
    let mut trace = Trace::started();
    trace.well(found(5, Source::PeerExchange), &[]);
    trace.met_by(&[1, 2]);
    trace.well(found(5, Source::PeerExchange), &[]);
    let routine = Event::DnsFinished {
        found: 0,
        failed: false,
        answered: true,
    };
    (1..=times).find_map(|n| {
        trace.t += apart_ms;
        let swap = dial_for(5, n, DialWhy::Swap);
        let conn = ConnId(n);
        trace
            .told(routine.clone(), &[swap])
            .or_else(|| trace.told(connected(5, n, Some(n)), &[]))
            .or_else(|| {
                trace.t += 2 * MINUTE;
                trace.told(routine.clone(), &[close(conn, Reason::Surplus)])
            })
            .or_else(|| trace.told(closed(conn), &[]))
    })
}

#[test]
fn a_loop_of_swaps_of_any_period_breaks_e1() {
    for apart_ms in [2 * MINUTE, 20 * MINUTE, 120 * MINUTE] {
        assert_eq!(circles(2, apart_ms), None, "{apart_ms}");
        assert_eq!(circles(3, apart_ms), Some("E1"), "{apart_ms}");
    }
}

#[test]
fn a_dial_that_nobody_wants_breaks_e1() {
    let mut config = Tuning::default().config();
    for spec in &mut config.requirements {
        (spec.need.min, spec.need.target) = (0, 0);
    }
    let mut trace = Trace::with(config);
    assert_eq!(trace.told(Event::Start, &[dial(1, 1)]), Some("E1"));
}

#[test]
fn a_dial_without_end_breaks_l4() {
    let mut trace = Trace::started();
    trace.well(found(1, Source::PeerExchange), &[dial(1, 1)]);
    trace.t += 11_000;
    assert_eq!(trace.told(Event::Online, &[]), Some("L4"));
}

#[test]
fn polling_breaks_l4() {
    let mut trace = Trace::started();
    let broken = (0..200).find_map(|_| {
        trace.t += 1;
        trace.told(Event::Tick, &[])
    });
    assert_eq!(broken, Some("L4"));
}

#[test]
fn a_candidate_that_is_never_tried_breaks_l5() {
    let mut trace = Trace::started();
    trace.well(found(1, Source::PeerExchange), &[]);
    let broken = (0..90).find_map(|_| {
        trace.t += MINUTE;
        trace.told(Event::Tick, &[])
    });
    assert_eq!(broken, Some("L5"));
}

#[test]
fn minima_of_which_only_the_manager_believes_that_they_hold_break_l1() {
    let mut trace = Trace::started();
    trace.met_by(&[1, 2]);
    trace.serving = [0; 3];
    trace.healed_at = Some(0);
    trace.t = 80 * MINUTE;
    assert_eq!(trace.at_end(), Some("L1"));
    trace.serving = [2; 3];
    assert_eq!(trace.at_end(), None);
}

#[test]
fn a_requirement_that_starves_beside_another_breaks_l5() {
    let mut trace = Trace::started();
    let claims = |place, service: u8| {
        let mut event = found(place, Source::PeerExchange);
        if let Event::Discovered { claims, .. } = &mut event {
            *claims = vec![RequirementId(service)];
        }
        event
    };
    trace.well(claims(1, 0), &[]);
    // Whoever serves the other is dialed at once.
    let broken = (10..100).find_map(|place| {
        trace.t += MINUTE;
        let id = place as u64;
        trace
            .told(claims(place, 1), &[dial(place, id)])
            .or_else(|| trace.told(failed(id), &[]))
    });
    assert_eq!(broken, Some("L5"));
}

#[test]
fn minima_that_are_missed_though_all_is_well_break_l1() {
    let mut trace = Trace::started();
    trace.healed_at = Some(0);
    trace.t = 80 * MINUTE;
    assert_eq!(trace.at_end(), Some("L1"));
}
