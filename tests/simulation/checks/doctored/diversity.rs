//! Variety of networks.

use lightkeeper::manager::{Outcome, What};

use super::*;

/// An address in a /16 of its own, or in one that is shared.
fn at(group: u8, host: usize) -> Multiaddr {
    format!("/ip4/60.{group}.0.{host}/tcp/443/wss")
        .parse()
        .expect("an address")
}

fn named(place: usize, routes: Vec<Multiaddr>, by: Option<usize>) -> Event {
    Event::Discovered {
        peer: peer_id(place),
        routes,
        claims: vec![FILTER],
        source: Source::PeerExchange,
        introducer: by.map(peer_id),
    }
}

/// Twenty networks are known, and peers of one /24, of which each has an address elsewhere, too.
fn crowd() -> Trace {
    let mut trace = Trace::started();
    trace.view.stats.known = 41;
    for place in 0..20 {
        let group = u8::try_from(place).expect("few") + 100;
        trace.well(named(place, vec![at(group, place)], None), &[]);
    }
    for place in 20..40 {
        let elsewhere = u8::try_from(place).expect("few") + 150;
        let routes = vec![at(elsewhere, place), at(1, place)];
        trace.well(named(place, routes, None), &[]);
    }
    trace
}

fn dial_at(place: usize, id: u64, to: Multiaddr) -> Command {
    let mut order = dial(place, id);
    if let Command::Dial { route, .. } = &mut order {
        *route = to;
    }
    order
}

/// The third of them is dialed where the other two are, or elsewhere, and something is said of it or not.
fn third(to: Multiaddr, said: bool, missed: bool) -> Option<&'static str> {
    let mut trace = crowd();
    if !missed {
        trace.met_by(&[0]);
    }
    for place in [20, 21] {
        trace.well(
            found(60, Source::PeerExchange),
            &[dial_at(place, place as u64, at(1, place))],
        );
        let mut event = connected(place, place as u64, Some(place as u64));
        if let Event::Connected { route, .. } = &mut event {
            *route = at(1, place);
        }
        trace.well(event, &[]);
    }
    if said {
        trace.view.decisions = vec![What::Relaxed { peer: peer_id(22) }];
    }
    trace.told(found(60, Source::PeerExchange), &[dial_at(22, 22, to)])
}

#[test]
fn a_third_connection_with_one_subnet_breaks_s15() {
    assert_eq!(third(at(1, 22), false, true), Some("S15"));
    assert_eq!(third(at(1, 22), true, false), Some("S15"));
    assert_eq!(third(at(1, 22), true, true), None);
}

#[test]
fn where_it_might_have_been_dialed_does_not_count_for_s15() {
    assert_eq!(third(at(172, 22), false, false), None);
}

#[test]
fn a_cap_that_is_relaxed_by_two_steps_breaks_s15() {
    let mut trace = crowd();
    let broken = (20..30).find_map(|place| {
        trace.view.decisions = vec![What::Relaxed {
            peer: peer_id(place),
        }];
        let id = place as u64;
        trace.t += 1_000;
        let order = dial_at(place, id, at(1, place));
        let mut event = connected(place, id, Some(id));
        if let Event::Connected { route, .. } = &mut event {
            *route = at(1, place);
        }
        trace
            .told(found(60, Source::PeerExchange), &[order])
            .map(|id| (place, id))
            .or_else(|| trace.told(event, &[]).map(|id| (place, id)))
    });
    assert_eq!(broken, Some((24, "S15")));
}

/// Connections with those whom one of two others named, each in a network of its own, until something breaks: how many.
fn of_one(tellers: usize, said: bool) -> Option<(usize, &'static str)> {
    let mut trace = Trace::started();
    trace.view.stats.known = 40;
    for place in 0..40 {
        let group = u8::try_from(place).expect("few") + 100;
        let by = 50 + if place < 30 { 0 } else { tellers - 1 };
        trace.well(named(place, vec![at(group, place)], Some(by)), &[]);
    }
    (0..30).find_map(|place| {
        let group = u8::try_from(place).expect("few") + 100;
        let id = place as u64;
        if said {
            let peer = peer_id(place);
            trace.view.decisions = vec![What::Relaxed { peer }];
        }
        trace.t += 1_000;
        let to = at(group, place);
        let order = dial_at(place, id, to.clone());
        let mut event = connected(place, id, Some(id));
        if let Event::Connected { route, .. } = &mut event {
            *route = to;
        }
        let broken = trace.told(named(place, Vec::new(), None), &[order]);
        broken
            .or_else(|| trace.told(event, &[]))
            .map(|id| (place, id))
    })
}

#[test]
fn more_than_half_of_whom_one_peer_named_break_s15() {
    assert_eq!(of_one(2, false), Some((8, "S15")));
    assert_eq!(of_one(2, true), Some((16, "S15")));
    // Where nobody else names anybody it has all.
    assert_eq!(of_one(1, false), Some((16, "S15")));
}

/// All who serve are of one network for good, and one of another is known, or was.
fn ends_with(other: Option<Outcome>, in_group: u8) -> Option<&'static str> {
    let mut trace = Trace::started();
    for place in [1, 2] {
        let conn = trace.connects(place);
        let (protocols, agent) = (Vec::new(), String::new());
        trace.well(
            Event::Identified {
                conn,
                protocols,
                agent,
            },
            &[],
        );
    }
    trace.met_by(&[1, 2]);
    let route = at(in_group, 3);
    trace.well(named(3, vec![route.clone()], None), &[]);
    if let Some(outcome) = other {
        let report = Event::Report {
            peer: peer_id(3),
            requirement: FILTER,
            outcome,
            charged: true,
        };
        trace.well(report, &[]);
    }
    let (peer, serves) = (peer_id(3), 0b111);
    trace.good = vec![Good {
        peer,
        serves,
        route,
    }];
    trace.view.stats.known = 3;
    trace.healed_at = Some(0);
    trace.t += 80 * MINUTE;
    trace.at_end()
}

#[test]
fn one_operator_for_everything_beside_another_who_is_known_breaks_s15() {
    assert_eq!(ends_with(None, 2), Some("S15"));
    // The same network, or one who failed.
    assert_eq!(ends_with(None, 1), None);
    assert_eq!(ends_with(Some(Outcome::Broken), 2), None);
}
