//! From nothing to met (4.11).

use lightkeeper::manager::{Command, DialFailure, Event, Health, Notice, Reason, Source};

use crate::world::{ALL, FILTER, LIGHT_PUSH, Reachable, STORE, World};

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
        assert_eq!(world.dialed_since(mark), [], "seed {seed}");
        assert_eq!(world.health(), Health::Met);
    }
}
