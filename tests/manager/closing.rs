//! What the user is told of every end (4.20).

use lightkeeper::manager::{Cause, CloseCause, Event, Notice, Reason, Source};

use crate::world::{ALL, World};

/// Two serve everything, one is known.
fn served() -> (World, usize) {
    let mut world = World::offline_trees();
    for _ in 0..3 {
        let place = world.node(&ALL);
        world.discovered(place, Source::PeerExchange);
    }
    world.start();
    world.run(10_000);
    let place = (0..3).find(|place| world.connected(*place));
    (world, place.expect("two are"))
}

#[test]
fn causes_and_reasons_of_what_the_shell_saw() {
    for (seen, cause, reason, deliberate) in [
        (CloseCause::Ordered, Cause::Local, Reason::Stopped, true),
        (
            CloseCause::RemoteClean,
            Cause::Remote,
            Reason::RemoteClosed,
            true,
        ),
        (
            CloseCause::Broken,
            Cause::Remote,
            Reason::ConnectionLost,
            false,
        ),
        (
            CloseCause::TimedOut,
            Cause::Timeout,
            Reason::PingTimeout,
            false,
        ),
        (
            CloseCause::IdentifyFailed,
            Cause::Remote,
            Reason::IdentifyFailed,
            false,
        ),
    ] {
        let (mut world, place) = served();
        world.lose(place, seen);
        let told = world.disconnect_of(place).expect("it was told");
        assert_eq!(
            (told.cause, told.reason, told.deliberate),
            (cause, reason, deliberate)
        );
    }
}

#[test]
fn our_order_decides_however_the_connection_then_ends() {
    let (mut world, place) = served();
    let peer = world.nodes[place].id;
    let conn = world.conns_of(place)[0];
    world.tell(Event::HangUp { peer });
    world.tell(Event::Closed {
        conn,
        cause: CloseCause::Broken,
    });
    let told = world.disconnect_of(place).expect("it was told");
    assert_eq!((told.cause, told.reason), (Cause::Local, Reason::HungUp));
}

#[test]
fn a_disconnect_says_how_long_the_connection_lasted() {
    let (mut world, place) = served();
    let since = world.view(place).connected_at_wall_ms.expect("connected");
    world.run(50_000);
    let lasted = world.time().wall_ms - since;
    let mark = world.mark();
    world.lose(place, CloseCause::Broken);
    let told = world
        .notices_since(mark)
        .into_iter()
        .find_map(|(_, n)| match n {
            Notice::Disconnected { uptime_ms, .. } => Some(uptime_ms),
            _ => None,
        });
    assert_eq!(told, Some(lasted));
}

#[test]
fn a_connection_to_ourselves_is_closed() {
    let mut world = World::offline_trees();
    world.start();
    world.tell(Event::Connected {
        conn: lightkeeper::manager::ConnId(77),
        peer: crate::world::id(9_999),
        direction: lightkeeper::manager::Direction::Inbound,
        route: "/ip4/127.0.0.1/tcp/1/ws".parse().expect("an address"),
        dial: None,
    });
    assert_eq!(world.closes_since(0), [Reason::OurOwnId]);
}
