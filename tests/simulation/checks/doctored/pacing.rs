//! The pace of dials, and the waits between them.

use lightkeeper::manager::What;

use super::*;

#[test]
fn a_second_socket_to_an_endpoint_breaks_s10() {
    let mut trace = Trace::started();
    let mut second = dial(2, 2);
    if let Command::Dial { route: to, .. } = &mut second {
        *to = route(1, 443);
    }
    let event = found(1, Source::PeerExchange);
    assert_eq!(trace.told(event, &[dial(1, 1), second]), Some("S10"));
}

#[test]
fn a_dial_more_than_there_are_tokens_breaks_s10() {
    let mut trace = Trace::started();
    for n in 1..=8 {
        trace.well(Event::Online, &[dial(n as usize, n)]);
        trace.well(failed(n), &[]);
    }
    assert_eq!(trace.told(Event::Online, &[dial(9, 9)]), Some("S10"));
}

/// Dials one after the other, this far apart, after these events.
fn paced(events: &[Event], apart_ms: u64) -> Option<&'static str> {
    let mut trace = Trace::started();
    for event in events {
        trace.well(event.clone(), &[]);
    }
    trace.t += 2 * MINUTE;
    (1..=40).find_map(|n| {
        trace.t += apart_ms;
        trace
            .told(found(60, Source::PeerExchange), &[dial(n as usize, n)])
            .or_else(|| trace.told(failed(n), &[]))
    })
}

#[test]
fn a_faster_pace_than_the_page_allows_breaks_s10() {
    let hidden = Event::Visibility { hidden: true };
    let constrained = Event::NetworkChanged { constrained: true };
    for (events, apart_ms) in [
        (vec![], 500),
        (vec![constrained.clone()], 1_000),
        (vec![hidden.clone()], 5_000),
    ] {
        assert_eq!(paced(&events, apart_ms), None, "{events:?}");
        let faster = paced(&events, apart_ms * 3 / 4);
        assert_eq!(faster, Some("S10"), "{events:?}");
    }
}

#[test]
fn the_full_pace_while_most_dials_fail_breaks_s10() {
    let run = |apart_ms: u64| {
        let mut trace = Trace::started();
        let conn = trace.connects(50);
        let protocols = Vec::new();
        let agent = String::new();
        let identified = Event::Identified {
            conn,
            protocols,
            agent,
        };
        trace.well(identified, &[]);
        let metadata = Metadata::Matched { shards: vec![0] };
        trace.well(Event::Metadata { conn, metadata }, &[]);
        (100..160).find_map(|n| {
            trace.t += apart_ms;
            trace
                .told(found(60, Source::PeerExchange), &[dial(n as usize, n)])
                .or_else(|| trace.told(failed(n), &[]))
        })
    };
    assert_eq!(run(1_000), None);
    assert_eq!(run(750), Some("S10"));
}

#[test]
fn more_dials_at_once_than_the_page_allows_break_s10() {
    let hidden = Event::Visibility { hidden: true };
    let constrained = Event::NetworkChanged { constrained: true };
    for (event, most) in [(None, 6), (Some(constrained), 3), (Some(hidden), 1)] {
        let mut trace = Trace::started();
        if let Some(event) = event {
            trace.well(event, &[]);
        }
        trace.t += 2 * MINUTE;
        for n in 1..=most {
            trace.well(Event::Online, &[dial(n as usize, n)]);
        }
        let more = trace.told(Event::Online, &[dial(9, 9)]);
        assert_eq!(more, Some("S10"), "beside {most}");
    }
}

/// An unknown peer's first wait is 5 to 10 s, its second 10 to 20 s.
#[test]
fn a_wait_that_is_too_short_after_a_failure_breaks_s2() {
    let run = |waits: [u64; 2]| {
        let mut trace = Trace::started();
        trace.well(found(1, Source::PeerExchange), &[dial(1, 1)]);
        trace.well(failed(1), &[]);
        waits.iter().zip(2..).find_map(|(wait, id)| {
            trace.t += wait;
            trace
                .told(found(2, Source::PeerExchange), &[dial(1, id)])
                .or_else(|| trace.told(failed(id), &[]))
        })
    };
    assert_eq!(run([5_000, 10_000]), None);
    assert_eq!(run([4_999, 10_000]), Some("S2"));
    assert_eq!(run([5_000, 9_999]), Some("S2"));
}

#[test]
fn a_fourth_address_or_the_same_again_without_a_wait_breaks_s2() {
    let run = |ports: &[u16]| {
        let mut trace = Trace::started();
        ports.iter().zip(1..).find_map(|(port, id)| {
            let mut next = dial(1, id);
            if let Command::Dial { route: to, .. } = &mut next {
                *to = route(1, *port);
            }
            trace.t += 100;
            let event = match id {
                1 => found(1, Source::PeerExchange),
                _ => failed(id - 1),
            };
            trace.told(event, &[next])
        })
    };
    assert_eq!(run(&[443, 444, 445]), None);
    assert_eq!(run(&[443, 444, 445, 446]), Some("S2"));
    assert_eq!(run(&[443, 443]), Some("S2"));
}

/// How long after the loss of a short connection, or after failures that follow it, a peer may be dialed again; in the
/// end every target is met, unless it is missed.
fn redialed(losses: &[(u64, u64)], missed: bool) -> Option<(usize, &'static str)> {
    let mut trace = Trace::started();
    if !missed {
        trace.met_by(&[8, 9]);
    }
    // Somebody stays.
    trace.connects(9);
    let mut id = 100;
    losses.iter().enumerate().find_map(|(n, (lasts, wait))| {
        id += 1;
        let broken = trace.told(found(60, Source::PeerExchange), &[dial(1, id)]);
        if let Some(broken) = broken {
            return Some((n, broken));
        }
        trace.well(connected(1, id, Some(id)), &[]);
        trace.t += lasts;
        let cause = CloseCause::Broken;
        let conn = ConnId(id);
        trace.well(Event::Closed { conn, cause }, &[]);
        trace.t += wait;
        None
    })
}

/// Of one that was reached before, the waits are 1 to 2 s, 2 to 4 s, 4 to 8 s.
#[test]
fn a_wait_that_is_too_short_after_a_short_connection_breaks_s2() {
    let run = |losses: &[(u64, u64)]| redialed(losses, false);
    let flaps = [(30_000, 1_000), (30_000, 2_000), (30_000, 4_000), (1, 1)];
    assert_eq!(run(&flaps), None);
    assert_eq!(run(&[(30_000, 999), (1, 1)]), Some((1, "S2")));
    let third = [(30_000, 1_000), (30_000, 2_000), (30_000, 3_999), (1, 1)];
    assert_eq!(run(&third), Some((3, "S2")));
    // One that lasts clears them.
    let healed = [(30_000, 1_000), (60_000, 1), (30_000, 1_000), (1, 1)];
    assert_eq!(run(&healed), None);
}

/// A peer that served fails again and again: how long it was left alone after each, until something breaks.
fn tried_again(waits: &[u64], missed: bool) -> Option<usize> {
    let mut trace = Trace::started();
    if !missed {
        trace.met_by(&[8, 9]);
    }
    let conn = trace.connects(1);
    trace.connects(9);
    trace.t += 2 * MINUTE;
    let cause = CloseCause::Broken;
    trace.well(Event::Closed { conn, cause }, &[]);
    trace.t += 1_000;
    waits
        .iter()
        .zip(200..)
        .enumerate()
        .find_map(|(n, (wait, id))| {
            let broken = trace.told(found(60, Source::PeerExchange), &[dial(1, id)]);
            assert!(broken.is_none_or(|id| id == "S2"), "{broken:?}");
            trace.well(failed(id), &[]);
            trace.t += wait;
            broken.map(|_| n)
        })
}

#[test]
fn the_second_and_third_wait_of_one_that_served_are_held_by_s2() {
    assert_eq!(tried_again(&[1_000, 2_000, 4_000, 8_000, 0], false), None);
    assert_eq!(tried_again(&[1_000, 1_999, 0], false), Some(2));
    assert_eq!(tried_again(&[1_000, 2_000, 3_999, 0], false), Some(3));
    // Whom nobody can stand in for is tried every three seconds at most for two minutes, and its level rises no further
    // than the time that has passed.
    let often = |times: usize| [&[1_000, 2_000, 2_000][..], &vec![3_000; times]].concat();
    assert_eq!(tried_again(&often(30), true), None);
    assert_eq!(tried_again(&[1_000, 2_000, 2_000, 2_999, 0], true), Some(4));
    assert_eq!(tried_again(&often(60), true), Some(42));
}

/// A peer that fails four times, unless somebody answers meanwhile; then our own network is suspected.
fn suspected(answered: bool, waits_ms: u64) -> Option<&'static str> {
    let mut trace = Trace::started();
    let conn = trace.connects(9);
    let ping = Command::Ping {
        conn,
        ping: 1,
        timeout_ms: 3_000,
    };
    trace.well(found(60, Source::PeerExchange), &[ping]);
    for (id, wait) in (1..=3).zip([5_000, 10_000, 20_000]) {
        trace.well(found(61, Source::PeerExchange), &[dial(1, id)]);
        trace.well(failed(id), &[]);
        trace.t += wait;
    }
    if answered {
        let (ping, rtt_ms) = (1, 20);
        trace.well(Event::Pong { conn, ping, rtt_ms }, &[]);
    }
    trace.view.decisions = vec![What::Suspect];
    trace.well(found(62, Source::PeerExchange), &[]);
    trace.view.decisions = vec![What::Recovered];
    trace.well(found(63, Source::PeerExchange), &[dial(1, 8)]);
    trace.well(failed(8), &[]);
    trace.t += waits_ms;
    trace.told(found(64, Source::PeerExchange), &[dial(1, 9)])
}

#[test]
fn what_was_charged_before_somebody_answered_is_not_taken_back_for_s2() {
    // It was the first failure.
    assert_eq!(suspected(false, 5_000), None);
    assert_eq!(suspected(false, 4_999), Some("S2"));
    // It was the fourth.
    assert_eq!(suspected(true, 40_000), None);
    assert_eq!(suspected(true, 39_999), Some("S2"));
}
