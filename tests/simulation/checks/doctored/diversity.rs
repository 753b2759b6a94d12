//! Variety of networks.

use lightkeeper::manager::What;

use super::*;

/// An address in a /16 of its own, or in one that is shared.
fn at(group: u8, host: usize) -> Multiaddr {
    format!("/ip4/60.{group}.0.{host}/tcp/443/wss")
        .parse()
        .expect("an address")
}

/// Twenty networks are known, and peers of one /24, of which each has an address elsewhere, too.
fn crowd() -> Trace {
    let mut trace = Trace::started();
    let named = |place: usize, routes| Event::Discovered {
        peer: peer_id(place),
        routes,
        claims: Vec::new(),
        source: Source::PeerExchange,
        introducer: None,
    };
    trace.view.stats.known = 41;
    for place in 0..20 {
        let group = u8::try_from(place).expect("few") + 100;
        trace.well(named(place, vec![at(group, place)]), &[]);
    }
    for place in 20..40 {
        let elsewhere = u8::try_from(place).expect("few") + 150;
        let routes = vec![at(elsewhere, place), at(1, place)];
        trace.well(named(place, routes), &[]);
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
