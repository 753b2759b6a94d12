//! The pace of dials, and the waits between them.

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
        trace.well(found(1, Source::PeerExchange), &[]);
        ports.iter().zip(1..).find_map(|(port, id)| {
            let mut next = dial(1, id);
            if let Command::Dial { route: to, .. } = &mut next {
                *to = route(1, *port);
            }
            trace.t += 100;
            trace
                .told(found(2, Source::PeerExchange), &[next])
                .or_else(|| trace.told(failed(id), &[]))
        })
    };
    assert_eq!(run(&[443, 444, 445]), None);
    assert_eq!(run(&[443, 444, 445, 446]), Some("S2"));
    assert_eq!(run(&[443, 443]), Some("S2"));
}
