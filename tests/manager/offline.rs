//! When the browser says that there is no network, and that there is one again (4.8, 4.14).

use lightkeeper::manager::{Cause, CloseCause, Command, Event, Health, HealthReason, Reason};

use crate::outage::settled;
use crate::world::Reachable;

#[test]
fn offline_cancels_dials_keeps_connections_and_dials_nobody() {
    let (mut world, fleet) = settled();
    let provider = fleet.all.into_iter().find(|place| world.connected(*place));
    let provider = provider.expect("somebody serves");
    world.stop_node(provider);
    assert!(world.manager.stats().dialing > 0);
    let mark = world.mark();
    world.tell(Event::Offline);
    let cancelled = world.count(mark, |order| matches!(order, Command::CancelDial { .. }));
    assert!(cancelled > 0);
    let open = world.manager.stats().open;
    world.run(600_000);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
    assert_eq!(world.closes_since(mark), []);
    assert_eq!(world.manager.stats().open, open);
    assert_eq!(world.manager.health().1, HealthReason::Offline);
}

#[test]
fn the_first_dial_comes_within_a_second_of_being_online_again() {
    for offline_ms in [5_000, 3_600_000, 7 * 24 * 3_600_000] {
        let (mut world, fleet) = settled();
        world.tell(Event::Offline);
        for place in fleet.everybody() {
            world.lose(place, CloseCause::Broken);
        }
        world.run(offline_ms);
        let mark = world.mark();
        let online_at = world.now;
        world.tell(Event::Online);
        world.run(30_000);
        let first = world.dials_since(mark)[0].0;
        assert!(first - online_at <= 1_000);
        assert_eq!(world.health(), Health::Met);
    }
}

#[test]
fn a_connection_that_breaks_while_offline_was_the_networks() {
    let (mut world, fleet) = settled();
    let provider = fleet.all.into_iter().find(|place| world.connected(*place));
    let provider = provider.expect("somebody serves");
    world.tell(Event::Offline);
    world.lose(provider, CloseCause::Broken);
    let told = world.disconnect_of(provider).expect("it was told");
    assert_eq!(
        (told.cause, told.reason),
        (Cause::Network, Reason::NetworkLost)
    );
}

#[test]
fn online_again_every_connection_must_answer_a_ping_soon() {
    let (mut world, _) = settled();
    world.tell(Event::Offline);
    let mark = world.mark();
    world.tell(Event::Online);
    let soon = 3_000..=5_000;
    let pings = world.count(
        mark,
        |order| matches!(order, Command::Ping { timeout_ms, .. } if soon.contains(timeout_ms)),
    );
    assert_eq!(pings, world.manager.stats().open as usize);
}

#[test]
fn a_connection_that_died_in_sleep_is_replaced() {
    let (mut world, fleet) = settled();
    let provider = fleet.all.into_iter().find(|place| world.connected(*place));
    let provider = provider.expect("somebody serves");
    world.nodes[provider].answers_pings = false;
    world.nodes[provider].reachable = Reachable::Never;
    world.tell(Event::Offline);
    world.tell(Event::Online);
    world.run(30_000);
    let told = world.disconnect_of(provider).expect("it was told");
    assert_eq!(
        (told.cause, told.reason, told.deliberate),
        (Cause::Timeout, Reason::PingTimeout, false)
    );
    assert_eq!(world.health(), Health::Met);
}
