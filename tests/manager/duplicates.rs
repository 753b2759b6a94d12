//! Two connections to one peer (4.7).

use lightkeeper::manager::{CloseCause, Command, ConnId, Event, Reason};

use crate::world::{ALL, LIGHT_PUSH, STORE, World};

/// A peer that is connected through a relay, and then without: or the other way round.
fn relayed_and_direct(relayed_first: bool) -> (World, usize, [ConnId; 2]) {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.start();
    let direct = world.nodes[place].address.clone();
    let relay = crate::world::id(8_000);
    let relayed = format!("/ip4/127.0.0.1/tcp/7000/ws/p2p/{relay}/p2p-circuit");
    let relayed: multiaddr::Multiaddr = relayed.parse().expect("an address");
    let routes = if relayed_first {
        [relayed, direct]
    } else {
        [direct, relayed]
    };
    let conns = routes.map(|route| {
        world.nodes[place].address = route;
        let conn = world.connects_by_itself(place);
        world.run(1_000);
        conn
    });
    (world, place, conns)
}

#[test]
fn a_direct_connection_beats_a_relayed_one_whichever_came_first() {
    for relayed_first in [true, false] {
        let (mut world, place, [first, second]) = relayed_and_direct(relayed_first);
        world.report(place, STORE, lightkeeper::manager::Outcome::Success);
        let mark = world.mark();
        world.run(10_000);
        assert_eq!(world.closes_since(mark), [Reason::Duplicate]);
        let kept = if relayed_first { second } else { first };
        assert_eq!(world.view(place).conn, Some(kept));
        // It served all the time, and nobody took over from anybody.
        assert_eq!(world.crossings_since(mark), []);
        assert_eq!(world.takeovers_since(mark), []);
        assert!(ALL.into_iter().all(|id| world.serves(place, id)));
    }
}

#[test]
fn a_direct_connection_that_is_not_verified_takes_nobodys_place() {
    let (mut world, place, [first, second]) = relayed_and_direct(true);
    world.tell(Event::Closed {
        conn: second,
        cause: CloseCause::Broken,
    });
    world.nodes[place].identifies = false;
    world.connects_by_itself(place);
    world.run(6_000);
    assert_eq!(world.closes_since(0), [Reason::Duplicate]);
    assert_eq!(world.view(place).conn, Some(first));
}

#[test]
fn the_second_connection_to_a_peer_is_closed_after_five_seconds() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.start();
    let first = world.connects_by_itself(place);
    world.connects_by_itself(place);
    world.run(4_999);
    assert_eq!(world.closes_since(0), []);
    world.run(100);
    assert_eq!(world.closes_since(0), [Reason::Duplicate]);
    assert_eq!(world.view(place).conn, Some(first));
    // For the user there was one connection all along.
    use lightkeeper::manager::Notice::{Connected, Disconnected};
    let told = |o: &Command| matches!(o, Command::Notify(Connected { .. } | Disconnected { .. }));
    assert_eq!(world.count(0, told), 1);
}

#[test]
fn the_second_connection_takes_over_when_the_first_ends() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.start();
    let first = world.connects_by_itself(place);
    let second = world.connects_by_itself(place);
    world.run(100);
    world.tell(Event::Closed {
        conn: first,
        cause: CloseCause::Broken,
    });
    assert_eq!(world.view(place).conn, Some(second));
    assert!(world.serves(place, LIGHT_PUSH));
    world.run(60_000);
    assert_eq!(world.view(place).conn, Some(second));
    assert_eq!(world.disconnect_of(place), None);
}
