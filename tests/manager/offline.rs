//! When the browser says that there is no network, and that there is one again (4.8, 4.14).

use lightkeeper::manager::{Cause, CloseCause, Command, DialFailure, Event, Health, Reason};

use crate::outage::settled;
use crate::world::Reachable;

#[test]
fn the_first_dial_comes_within_a_second_of_being_online_again() {
    for offline_ms in [5_000, 3_600_000, 24 * 3_600_000] {
        let (mut world, fleet) = settled();
        world.tell(Event::Offline);
        world.tree.clear();
        for place in fleet.everybody() {
            world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
            world.lose(place, CloseCause::Broken);
        }
        world.run(offline_ms);
        for place in fleet.everybody() {
            world.start_node(place);
        }
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
