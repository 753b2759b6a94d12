//! Bootstrap peers that are let go (4.11), and other connections that are not needed.

use lightkeeper::manager::{
    Cause, Config, DialWhy, Health, Outcome, PeerState, Reason, RequirementId, Source,
};

use crate::world::{ALL, FILTER, LIGHT_PUSH, STORE, World, config, need};

/// A bootstrap peer that serves, and others behind it.
fn serving_bootstrap(
    config: Config,
    serves: &[RequirementId],
    others: &[&[RequirementId]],
) -> World {
    let mut world = World::with(config, 1);
    let others: Vec<usize> = others.iter().map(|serves| world.node(serves)).collect();
    let boot = world.bootstrap(&others);
    world.nodes[boot].serves = serves.to_vec();
    world.nodes[boot].claims = serves.to_vec();
    world
}

fn boot_of(world: &World) -> usize {
    world.tree[0]
}

#[test]
fn a_bootstrap_peer_that_only_names_others_is_handed_off_and_parked_again() {
    for seed in 0..20 {
        let (mut world, _) = World::fleet_with(seed);
        world.start();
        world.run(1_000);
        let boot = world.dialed()[0];
        let mark = world.mark();
        world.run(58_000);
        assert_eq!(world.closes_since(mark), []);
        world.run(63_000);
        assert_eq!(world.closes_since(mark), [Reason::HandedOff]);
        assert_eq!(world.view(boot).state, PeerState::Parked);
        let told = world.disconnect_of(boot).expect("it was told");
        assert_eq!((told.cause, told.deliberate), (Cause::Replaced, true));
        assert!(!told.will_reconnect);
        world.run(600_000);
        assert!(!world.connected(boot));
    }
}

#[test]
fn a_bootstrap_peer_that_others_have_replaced_leaves_without_a_dial() {
    let mut world = serving_bootstrap(config(true), &ALL, &[&ALL, &ALL, &ALL]);
    // Both others are wanted before the bootstrap peer goes.
    for id in ALL {
        world.set_need(id, need(1, 2, 4));
    }
    world.start();
    world.run(1_000);
    let boot = boot_of(&world);
    assert_eq!(world.dialed(), [boot, world.dialed()[1]]);
    let other = world.dialed()[1];
    let mark = world.mark();
    world.run(29_000);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
    world.run(2_000);
    // Without the bootstrap peer two would not hold: one dial is made to replace it.
    assert_eq!(world.dialed_since(mark).len(), 1);
    assert_eq!(world.dials_since(mark)[0].2, DialWhy::HandOff);
    assert_eq!(world.closes_since(mark), []);
    world.run(121_000);
    assert_eq!(world.closes_since(mark), [Reason::HandedOff]);
    assert_eq!(world.health(), Health::Met);
    assert!(world.connected(other));
    let gained = world.dialed_since(mark)[0];
    let takeovers = world.takeovers_since(mark);
    for takeover in &takeovers {
        assert_eq!((takeover.0, takeover.1, takeover.3), (boot, gained, 0));
    }
    assert!(takeovers.iter().any(|takeover| takeover.2 == LIGHT_PUSH));
    // And nothing ever falls below its target meanwhile.
    use lightkeeper::manager::Crossed::{MinLost, TargetLost};
    let lost = |crossing: &(RequirementId, _)| matches!(crossing.1, MinLost | TargetLost);
    assert!(!world.crossings_since(mark).iter().any(lost));
}

#[test]
fn the_only_provider_of_something_stays_however_much_it_is_a_bootstrap_peer() {
    let light: &[RequirementId] = &[LIGHT_PUSH, FILTER];
    let mut world = serving_bootstrap(config(true), &ALL, &[light, light]);
    world.start();
    world.run(3_600_000);
    assert!(world.connected(boot_of(&world)));
    assert_eq!(world.closes_since(0), []);
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn a_bootstrap_peer_that_is_needed_again_is_not_handed_off() {
    let mut world = serving_bootstrap(config(true), &ALL, &[&ALL, &ALL]);
    world.start();
    world.run(1_000);
    let boot = boot_of(&world);
    world.run(40_000);
    // Somebody else leaves before its time has come.
    let other = (0..2).find(|place| world.connected(*place)).expect("one");
    world.stop_node(other);
    world.run(300_000);
    assert!(world.connected(boot));
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn a_pinned_bootstrap_peer_is_not_handed_off() {
    let (mut world, _) = World::fleet();
    world.start();
    world.run(1_000);
    let boot = world.dialed()[0];
    world.connect_now(boot);
    world.run(600_000);
    assert!(world.connected(boot));
}

#[test]
fn providers_above_max_that_serve_nothing_else_are_closed_after_a_moment() {
    let mut world = World::offline_trees();
    for _ in 0..3 {
        world.node(&[LIGHT_PUSH]);
    }
    world.set_need(LIGHT_PUSH, need(1, 1, 2));
    world.start();
    for place in 0..3 {
        world.connects_by_itself(place);
    }
    world.run(1_000);
    assert_eq!(world.have(LIGHT_PUSH), 3);
    assert_eq!(world.closes_since(0), []);
    world.run(6_000);
    assert_eq!(world.closes_since(0), [Reason::NotNeeded]);
    assert_eq!(world.have(LIGHT_PUSH), 2);
    world.run(600_000);
    assert_eq!(world.have(LIGHT_PUSH), 2);
}

#[test]
fn a_provider_above_max_stays_while_it_serves_something_else_that_is_needed() {
    let mut world = World::offline_trees();
    world.set_need(LIGHT_PUSH, need(1, 1, 1));
    world.set_need(FILTER, need(0, 0, 0));
    let rich = world.node(&[LIGHT_PUSH, STORE]);
    let poor = world.node(&[LIGHT_PUSH]);
    world.start();
    world.connects_by_itself(rich);
    world.connects_by_itself(poor);
    world.run(60_000);
    assert!(world.connected(rich));
    assert!(!world.connected(poor));
}

#[test]
fn a_requirement_that_is_given_up_lets_its_providers_go() {
    let mut world = World::offline_trees();
    let light: &[RequirementId] = &[LIGHT_PUSH, FILTER];
    for serves in [light, light, &[STORE]] {
        let place = world.node(serves);
        world.discovered(place, Source::PeerExchange);
    }
    world.start();
    world.run(1_000);
    assert_eq!(world.health(), Health::Met);
    world.set_need(STORE, need(0, 0, 0));
    world.run(10_000);
    assert_eq!(world.closes_since(0), [Reason::NotNeeded]);
    assert_eq!(world.health(), Health::Met);
    // And it comes back when it is wanted again.
    world.set_need(STORE, need(1, 1, 1));
    world.run(1_000);
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn a_connection_that_serves_nothing_wanted_goes_once_nothing_is_missing() {
    let mut world = World::offline_trees();
    for id in ALL {
        world.set_need(id, need(1, 1, 2));
    }
    let useless = world.node(&[]);
    let useful = world.node(&ALL);
    world.named(useless);
    world.named(useful);
    world.start();
    world.run(60_000);
    assert!(!world.connected(useless));
    assert_eq!(world.closes_since(0), [Reason::NotNeeded]);
    assert!(world.connected(useful));
    let mark = world.mark();
    world.run(600_000);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
}

#[test]
fn where_there_is_hardly_room_a_bootstrap_peer_goes_and_not_who_took_over_from_it() {
    let mut settings = config(true);
    (settings.soft_connections, settings.hard_connections) = (3, 5);
    let mut world = serving_bootstrap(settings, &ALL, &[&ALL, &ALL, &ALL]);
    for id in ALL {
        world.set_need(id, need(3, 3, 6));
    }
    // Whom the user holds has a place, too.
    let held = world.node(&[]);
    world.connect_now(held);
    world.start();
    world.run(20_000);
    let boot = boot_of(&world);
    assert!(world.connected(boot));
    let mark = world.mark();
    for _ in 0..3 * 3_600 {
        if world.connected(boot) {
            // It does most.
            world.report(boot, FILTER, Outcome::Success);
        }
        world.run(1_000);
    }
    assert!(!world.connected(boot));
    assert_eq!(world.closes_since(mark).len(), 1);
    assert_eq!(world.health(), Health::Met);
}
