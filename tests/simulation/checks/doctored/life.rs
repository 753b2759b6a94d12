//! Signs of life.

use super::*;

#[test]
fn giving_a_connection_less_than_its_time_to_answer_after_sleep_breaks_s19() {
    for (waited_ms, broken) in [(2_999, Some("S19")), (3_000, None)] {
        let mut trace = Trace::started();
        let conn = trace.connects(1);
        let timeout_ms = 3_000;
        trace.well(
            Event::Online,
            &[Command::Ping {
                conn,
                ping: 1,
                timeout_ms,
            }],
        );
        trace.t += waited_ms;
        let order = close(conn, Reason::PingTimeout);
        let judged = trace.told(Event::PingFailed { conn, ping: 1 }, &[order]);
        assert_eq!(judged, broken, "after {waited_ms} ms");
    }
}

#[test]
fn a_missed_sign_of_life_that_changes_nothing_breaks_4_8() {
    let missed = |serves: bool, again: bool| {
        let mut trace = Trace::started();
        let conn = trace.connects(1);
        let ping = |ping| Command::Ping {
            conn,
            ping,
            timeout_ms: 3_000,
        };
        trace.serves(FILTER, &[1]);
        trace.well(found(1, Source::PeerExchange), &[ping(1)]);
        trace.t += 3_000;
        if !serves {
            trace.serves(FILTER, &[]);
        }
        let orders = if again { vec![ping(2)] } else { Vec::new() };
        trace.told(Event::PingFailed { conn, ping: 1 }, &orders)
    };
    assert_eq!(missed(true, true), Some("4.8"));
    assert_eq!(missed(false, false), Some("4.8"));
    assert_eq!(missed(false, true), None);
}

#[test]
fn a_ping_with_another_time_to_be_answered_breaks_4_8() {
    for timeout_ms in [999, 5_001] {
        let mut trace = Trace::started();
        let conn = trace.connects(1);
        let ping = Command::Ping {
            conn,
            ping: 1,
            timeout_ms,
        };
        let event = found(1, Source::PeerExchange);
        assert_eq!(trace.told(event, &[ping]), Some("4.8"));
    }
}

#[test]
fn a_dead_connection_that_is_kept_breaks_l7() {
    let kept = |needed: bool, ms: u64| {
        let mut trace = Trace::started();
        let conn = trace.connects(1);
        if needed {
            trace.serves(FILTER, &[1]);
            trace.well(found(1, Source::PeerExchange), &[]);
        }
        trace.dead.insert(conn);
        trace.well(found(1, Source::PeerExchange), &[]);
        trace.t += ms;
        trace.view.next_deadline = None;
        trace.told(found(1, Source::PeerExchange), &[])
    };
    assert_eq!(kept(true, 15_000), None);
    assert_eq!(kept(true, 15_001), Some("L7"));
    assert_eq!(kept(false, 35_000 + 180_000), None);
    assert_eq!(kept(false, 35_001 + 180_000), Some("L7"));
}
