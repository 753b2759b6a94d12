//! When our own network is to blame: suspicion, and the probes of it (4.8).

use lightkeeper::manager::{CloseCause, DialFailure, DialWhy, Event, Health, HealthReason, Source};

use crate::world::{ALL, Fleet, Reachable, World};

pub(crate) fn settled() -> (World, Fleet) {
    let (mut world, fleet) = World::fleet();
    world.start();
    world.run(180_000);
    assert_eq!(world.health(), Health::Met);
    (world, fleet)
}

pub(crate) fn stop_all(world: &mut World, fleet: Fleet) {
    for place in fleet.everybody() {
        world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
    }
    for place in fleet.everybody() {
        world.lose(place, CloseCause::Broken);
    }
}

#[test]
fn a_fleet_that_stops_as_a_whole_makes_our_network_suspect() {
    let (mut world, fleet) = settled();
    stop_all(&mut world, fleet);
    world.run(10_000);
    assert_eq!(
        world.manager.health(),
        (Health::Unmet, HealthReason::SuspectOffline)
    );
}

#[test]
fn under_suspicion_one_peer_is_probed_every_few_seconds_and_later_less_often() {
    let (mut world, fleet) = settled();
    world.tree.clear();
    stop_all(&mut world, fleet);
    world.run(10_000);
    let mark = world.mark();
    world.run(100_000);
    let dials = world.dials_since(mark);
    assert!(dials.iter().all(|dial| dial.2 == DialWhy::Probe));
    let gaps: Vec<u64> = dials.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(
        gaps.iter().all(|gap| (3_000..=5_000).contains(gap)),
        "{gaps:?}"
    );
    world.run(600_000);
    let gaps = |world: &mut World, ms| {
        let mark = world.mark();
        world.run(ms);
        let dials = world.dials_since(mark);
        let gaps: Vec<u64> = dials.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        assert!(gaps.len() > 10, "they go on");
        gaps
    };
    let seen = gaps(&mut world, 300_000);
    assert!(
        seen.iter().all(|gap| (6_000..=10_000).contains(gap)),
        "{seen:?}"
    );
    world.tell(Event::Visibility { hidden: true });
    world.run(60_000);
    let hidden = gaps(&mut world, 900_000);
    assert!(
        hidden.iter().all(|gap| (24_000..=30_000).contains(gap)),
        "{hidden:?}"
    );
    // Whoever looks again does not wait for what was put off.
    let mark = world.mark();
    let shown = world.now;
    world.tell(Event::Visibility { hidden: false });
    world.run(10_000);
    assert!(world.dials_since(mark)[0].0 - shown <= 5_000);
}

#[test]
fn trees_that_can_be_looked_up_end_a_suspicion() {
    let (mut world, fleet) = settled();
    // The resolver is away as well.
    world.tree.clear();
    stop_all(&mut world, fleet);
    world.run(300_000);
    assert_eq!(world.manager.health().1, HealthReason::SuspectOffline);
    let place = fleet.all[0];
    let before = world.mark();
    world.tell(Event::DnsFinished {
        found: 1,
        failed: false,
        answered: true,
    });
    assert_ne!(world.manager.health().1, HealthReason::SuspectOffline);
    // Whoever waits is tried within the two seconds of a recovery.
    world.start_node(place);
    world.run(3_000);
    assert!(world.dialed_since(before).contains(&place));
    assert!(world.connected(place));
    // Once is enough: when nobody answers even then, it is the others who are away.
    stop_all(&mut world, fleet);
    for _ in 0..3 {
        world.run(300_000);
        world.tell(Event::DnsFinished {
            found: 1,
            failed: false,
            answered: true,
        });
    }
    world.run(60_000);
    let mark = world.mark();
    world.tell(Event::DnsFinished {
        found: 1,
        failed: false,
        answered: true,
    });
    assert_eq!(world.manager.health().1, HealthReason::SuspectOffline);
    assert_eq!(world.notices_since(mark).len(), 0);
}

#[test]
fn strangers_are_probed_one_at_a_time_between_those_who_answered_before() {
    let (mut world, fleet) = settled();
    world.tree.clear();
    let strangers: Vec<usize> = (0..20).map(|_| world.node(&ALL)).collect();
    for place in &strangers {
        world.nodes[*place].reachable = Reachable::Never;
        world.discovered(*place, Source::PeerExchange);
    }
    stop_all(&mut world, fleet);
    world.run(600_000);
    assert_eq!(world.manager.health().1, HealthReason::SuspectOffline);
    let mark = world.mark();
    world.run(3_600_000);
    let dialed = world.dialed_since(mark);
    let strange: Vec<bool> = dialed.iter().map(|p| strangers.contains(p)).collect();
    assert!(!strange.windows(2).any(|pair| pair == [true, true]));
    // All of them have their turn.
    let asked: std::collections::BTreeSet<&usize> =
        strangers.iter().filter(|p| dialed.contains(p)).collect();
    assert_eq!(asked.len(), strangers.len());
}

#[test]
fn probes_go_round_everybody() {
    let (mut world, fleet) = settled();
    stop_all(&mut world, fleet);
    world.run(10_000);
    let mark = world.mark();
    world.run(110_000);
    let probed: std::collections::BTreeSet<usize> = world.dialed_since(mark).into_iter().collect();
    assert_eq!(probed.len(), fleet.everybody().len());
}

#[test]
fn a_fleet_that_comes_back_is_used_again_within_seconds() {
    for down_ms in [3_000, 20_000, 100_000, 1_800_000] {
        let (mut world, fleet) = settled();
        stop_all(&mut world, fleet);
        world.run(down_ms);
        for place in fleet.everybody() {
            world.start_node(place);
        }
        let patience = if down_ms < 120_000 { 10_000 } else { 40_000 };
        world.run(patience);
        assert_eq!(world.health(), Health::Met, "after {down_ms} ms");
    }
}

#[test]
fn a_few_dead_candidates_are_no_outage_while_a_connection_lives() {
    let mut world = World::offline_trees();
    let good = world.node(&[crate::world::LIGHT_PUSH]);
    world.discovered(good, Source::PeerExchange);
    world.start();
    world.run(1_000);
    for _ in 0..5 {
        let dead = world.node(&ALL);
        world.nodes[dead].reachable = Reachable::No(DialFailure::Unreachable);
        world.discovered(dead, Source::PeerExchange);
        world.run(1_000);
    }
    world.run(60_000);
    assert_ne!(world.manager.health().1, HealthReason::SuspectOffline);
    assert!(world.view(1).next_try_at_wall_ms.is_some());
}

#[test]
fn a_tree_that_names_others_by_now_is_the_way_out_of_a_suspicion() {
    let (mut world, fleet) = settled();
    let newcomer = world.bootstrap(&[]);
    world.nodes[newcomer].serves = ALL.to_vec();
    // Everybody known is gone for good: it looks as if our network were.
    let known = fleet.everybody();
    stop_all(&mut world, fleet);
    world.run(5_000);
    assert_eq!(world.manager.health().1, HealthReason::SuspectOffline);
    world.run(20 * 60_000);
    assert!(world.connected(newcomer));
    assert!(known.iter().all(|place| !world.connected(*place)));
}

#[test]
fn trees_that_are_known_by_heart_end_no_suspicion() {
    let (mut world, fleet) = settled();
    stop_all(&mut world, fleet);
    world.run(60_000);
    assert_eq!(world.manager.health().1, HealthReason::SuspectOffline);
    let mark = world.mark();
    world.tell(Event::DnsFinished {
        found: 0,
        failed: false,
        answered: false,
    });
    assert_eq!(world.manager.health().1, HealthReason::SuspectOffline);
    assert_eq!(world.notices_since(mark).len(), 0);
}
