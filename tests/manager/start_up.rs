//! From nothing to met (4.11).

use lightkeeper::manager::{
    DialFailure, DialWhy, Event, Health, HealthReason, Notice, Outcome, PeerState, Reason, Source,
};

use crate::world::{ALL, FILTER, LIGHT_PUSH, Reachable, STORE, World, config, need};

#[test]
fn a_cold_fleet_is_met_by_three_connections_one_of_them_to_a_bootstrap_peer() {
    for seed in 0..20 {
        let (mut world, fleet) = World::fleet_with(seed);
        world.start();
        world.run(1_000);
        assert_eq!(world.health(), Health::Met, "seed {seed}");
        let dialed = world.dialed();
        assert_eq!(dialed.len(), 3, "seed {seed}: {dialed:?}");
        assert!(fleet.boot.contains(&dialed[0]));
        assert!(dialed[1..].iter().all(|place| fleet.all.contains(place)));
    }
}

#[test]
fn nobody_is_dialed_in_the_five_minutes_after_a_healthy_start() {
    for seed in 0..20 {
        let (mut world, _) = World::fleet_with(seed);
        world.start();
        world.run(1_000);
        let mark = world.mark();
        world.run(300_000);
        assert_eq!(world.dialed_since(mark), [0_usize; 0], "seed {seed}");
        assert_eq!(world.health(), Health::Met);
    }
}

#[test]
fn different_seeds_choose_different_bootstrap_peers() {
    let first = |seed| {
        let (mut world, fleet) = World::fleet_with(seed);
        for place in fleet.boot {
            world.discovered(place, Source::Dns);
        }
        world.start();
        world.dialed()[0]
    };
    let chosen: std::collections::BTreeSet<usize> = (0..20).map(first).collect();
    assert_eq!(chosen.len(), 2);
}

#[test]
fn discovery_never_dials_while_the_node_is_stopped_or_nothing_is_missing() {
    let (mut world, fleet) = World::fleet();
    for place in fleet.everybody() {
        world.discovered(place, Source::PeerExchange);
    }
    world.run(60_000);
    assert_eq!(world.dialed(), [0_usize; 0]);
    world.start();
    world.run(1_000);
    let mark = world.mark();
    let newcomer = world.node(&ALL);
    world.discovered(newcomer, Source::PeerExchange);
    world.run(60_000);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
}

#[test]
fn a_parked_bootstrap_peer_is_never_dialed_while_others_serve() {
    let (mut world, fleet) = World::fleet();
    for place in fleet.boot {
        world.discovered(place, Source::Dns);
    }
    for place in fleet.all {
        world.named(place);
    }
    world.start();
    world.run(600_000);
    let dialed = world.dialed();
    assert!(fleet.boot.iter().all(|boot| !dialed.contains(boot)));
    assert_eq!(world.view(fleet.boot[0]).state, PeerState::Parked);
}

#[test]
fn what_peer_exchange_says_of_a_bootstrap_peer_does_not_release_it() {
    let (mut world, fleet) = World::fleet();
    for boot in fleet.boot {
        let other = fleet.boot.iter().copied().find(|other| *other != boot);
        world.nodes[boot].knows = vec![other.expect("there are two")];
    }
    world.start();
    world.run(400);
    let released = world.dialed().len();
    // Both are released in the end, for nothing else is there, but by the ladder.
    let whys: Vec<DialWhy> = world.dials_since(0).iter().map(|dial| dial.2).collect();
    assert_eq!(released, 2);
    assert!(whys.iter().all(|why| matches!(why, DialWhy::Bootstrap(_))));
}

#[test]
fn a_bootstrap_peer_is_released_at_once_when_nothing_else_is_known() {
    let (mut world, fleet) = World::fleet();
    for place in fleet.boot {
        world.discovered(place, Source::Dns);
    }
    world.start();
    assert_eq!(world.dialed().len(), 1);
    assert_eq!(world.dials_since(0)[0].2, DialWhy::Bootstrap(2));
}

#[test]
fn static_peers_get_three_seconds_before_a_bootstrap_peer_is_released() {
    let (mut world, fleet) = World::fleet();
    for place in fleet.boot {
        world.discovered(place, Source::Dns);
    }
    world.nodes[fleet.all[0]].reachable = Reachable::Never;
    world.named(fleet.all[0]);
    world.start();
    world.run(2_999);
    assert_eq!(world.dialed(), [fleet.all[0]]);
    world.run(1);
    assert_eq!(world.dialed().len(), 2);
    assert!(fleet.boot.contains(&world.dialed()[1]));
}

#[test]
fn a_failed_bootstrap_peer_is_followed_by_another_at_once() {
    let (mut world, fleet) = World::fleet();
    for place in fleet.boot {
        world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
        world.discovered(place, Source::Dns);
    }
    world.start();
    world.run(100);
    let mut dialed = world.dialed();
    dialed.sort_unstable();
    assert_eq!(dialed, fleet.boot);
}

#[test]
fn a_bootstrap_dial_that_takes_four_seconds_gets_company_of_one() {
    let (mut world, fleet) = World::fleet();
    let third = world.bootstrap(&[]);
    for place in fleet.boot.into_iter().chain([third]) {
        world.nodes[place].reachable = Reachable::Lost;
        world.discovered(place, Source::Dns);
    }
    world.start();
    world.run(3_999);
    assert_eq!(world.dialed().len(), 1);
    world.run(2);
    assert_eq!(world.dialed().len(), 2);
    world.run(6_000);
    assert_eq!(world.dialed().len(), 2);
}

#[test]
fn without_any_connection_for_fifteen_seconds_three_bootstrap_peers_are_dialed_together() {
    let (mut world, fleet) = World::fleet();
    let more = [
        world.bootstrap(&[]),
        world.bootstrap(&[]),
        world.bootstrap(&[]),
    ];
    for place in fleet.boot.into_iter().chain(more) {
        world.nodes[place].reachable = Reachable::Lost;
        world.discovered(place, Source::Dns);
    }
    world.start();
    world.run(14_999);
    assert!(world.manager.stats().dialing <= 2);
    world.run(2);
    assert_eq!(world.manager.stats().dialing, 3);
}

#[test]
fn a_network_of_bootstrap_peers_alone_reaches_every_target() {
    for seed in 0..10 {
        let mut world = World::with(config(true), seed);
        for _ in 0..4 {
            let place = world.node(&ALL);
            world.nodes[place].exchanges = true;
            world.nodes[place].knows = vec![0, 1, 2, 3];
            world.tree.push(place);
        }
        world.start();
        world.run(5_000);
        assert_eq!(world.health(), Health::Met, "seed {seed}");
        assert_eq!(world.dialed().len(), 2, "seed {seed}");
        let mark = world.mark();
        world.run(600_000);
        assert_eq!(world.dialed_since(mark), [0_usize; 0]);
        assert_eq!(world.closes_since(mark), []);
    }
}

#[test]
fn a_restart_climbs_the_ladder_again() {
    let (mut world, _) = World::fleet();
    world.start();
    world.run(1_000);
    world.tell(Event::Stop);
    world.run(1_000);
    assert_eq!(world.manager.stats().open, 0);
    assert_eq!(world.manager.next_deadline(), None);
    assert_eq!(
        world.manager.health(),
        (Health::Unmet, HealthReason::Stopped)
    );
    let mark = world.mark();
    world.run(600_000);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
    world.start();
    world.run(1_000);
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn a_peer_is_announced_once_with_who_told_first() {
    let (mut world, fleet) = World::fleet();
    world.discovered(fleet.store, Source::PeerExchange);
    world.discovered(fleet.store, Source::Static);
    world.discovered(fleet.store, Source::PeerExchange);
    let notices = world.notices_since(0);
    let peer = world.nodes[fleet.store].id;
    assert_eq!(
        notices,
        [(
            0,
            Notice::Discovered {
                peer,
                source: Source::PeerExchange,
                claims: vec![STORE]
            }
        )]
    );
}

#[test]
fn a_peer_of_another_network_is_left_and_not_dialed_for_six_hours() {
    use lightkeeper::manager::{Metadata, Outcome};
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.nodes[place].metadata = Metadata::OtherNetwork;
    world.named(place);
    world.start();
    world.run(1_000);
    assert_eq!(world.closes_since(0), [Reason::OtherNetwork]);
    assert_eq!(world.manager.health().1, HealthReason::WrongNetwork);
    assert_eq!(world.view(place).state, PeerState::Cooling);
    // Whatever it is blamed for besides does not make that shorter.
    world.report(place, ALL[0], Outcome::Fault);
    world.report(place, ALL[0], Outcome::Fault);
    world.run(6 * 3_600_000 - 10_000);
    assert_eq!(world.dialed().len(), 1);
    world.run(20_000);
    assert_eq!(world.dialed().len(), 2);
}

#[test]
fn requirements_rise_line_by_line_and_health_with_them() {
    let mut world = World::offline_trees();
    let all = [world.node(&ALL), world.node(&ALL)];
    let crossings = |world: &World, mark| world.crossings_since(mark);
    use lightkeeper::manager::Crossed::{MinReached, TargetReached};
    world.named(all[0]);
    world.start();
    world.run(100);
    assert_eq!(
        crossings(&world, 0),
        [
            (LIGHT_PUSH, MinReached),
            (FILTER, MinReached),
            (STORE, TargetReached)
        ]
    );
    assert_eq!(
        world.manager.health(),
        (Health::Minimal, HealthReason::BelowTarget)
    );
    let mark = world.mark();
    world.discovered(all[1], Source::PeerExchange);
    world.run(100);
    assert_eq!(
        crossings(&world, mark),
        [(LIGHT_PUSH, TargetReached), (FILTER, TargetReached)]
    );
    let changes: Vec<(Health, Health)> = world
        .notices_since(0)
        .into_iter()
        .filter_map(|(_, notice)| match notice {
            Notice::HealthChanged { old, new, .. } => Some((old, new)),
            _ => None,
        })
        .collect();
    assert_eq!(
        changes,
        [
            (Health::Unmet, Health::Minimal),
            (Health::Minimal, Health::Met)
        ]
    );
}

#[test]
fn a_bootstrap_is_released_when_one_provider_after_another_fails_although_others_are_left_a5() {
    let mut world = World::offline_trees();
    world.set_need(LIGHT_PUSH, need(0, 0, 0));
    world.set_need(STORE, need(0, 0, 0));
    let liars: Vec<usize> = (0..12).map(|_| world.node(&[FILTER])).collect();
    for place in &liars {
        world.discovered(*place, Source::PeerExchange);
    }
    world.start();
    world.run(1_000);
    let boot = world.node(&ALL);
    world.discovered(boot, Source::Dns);
    let mut failed = 0;
    while failed < 4 {
        assert!(!world.dialed().contains(&boot), "after {failed}");
        let serving = liars.iter().find(|place| world.serves(**place, FILTER));
        let liar = *serving.expect("somebody else came");
        world.report(liar, FILTER, Outcome::Broken);
        world.report(liar, FILTER, Outcome::Broken);
        failed += 1;
        world.run(1_000);
    }
    world.run(1_000);
    assert!(world.serves(boot, FILTER));
    // One of them is enough.
    assert_eq!(
        world
            .dialed()
            .iter()
            .filter(|place| **place == boot)
            .count(),
        1
    );
}
