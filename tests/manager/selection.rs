//! Whom needs choose (4.6).

use lightkeeper::manager::{Command, Event, Health, Source};

use crate::world::{ALL, FILTER, LIGHT_PUSH, STORE, World, config, need};

#[test]
fn static_peers_of_unknown_services_are_tried_three_at_a_time() {
    let mut world = World::offline_trees();
    for _ in 0..6 {
        let place = world.node(&ALL);
        world.named(place);
    }
    world.start();
    assert_eq!(world.dialed().len(), 3);
    world.run(60_000);
    assert_eq!(world.health(), Health::Met);
    assert_eq!(world.dialed().len(), 3);
}

#[test]
fn a_peer_that_claims_several_missing_services_wins() {
    for seed in 0..30 {
        let mut world = World::with(config(false), seed);
        let one = world.node(&[LIGHT_PUSH]);
        let rich = world.node(&ALL);
        let two = world.node(&[FILTER, STORE]);
        for place in [one, rich, two] {
            world.discovered(place, Source::PeerExchange);
        }
        world.start();
        assert_eq!(world.dialed()[0], rich, "seed {seed}");
    }
}

/// One thing is missing; of those who claim it the last claims everything.
fn one_rich_of_seven(seed: u8) -> (World, usize) {
    let mut config = config(false);
    config.explore_one_in = u64::MAX;
    let mut world = World::with(config, seed);
    world.set_need(LIGHT_PUSH, need(1, 1, 1));
    for id in [FILTER, STORE] {
        world.set_need(id, need(0, 0, 4));
    }
    let poor = [&[LIGHT_PUSH][..]; 6];
    let places: Vec<usize> = poor
        .into_iter()
        .chain([&ALL[..]])
        .map(|serves| world.node(serves))
        .collect();
    for place in &places {
        world.discovered(*place, Source::PeerExchange);
    }
    (world, places[6])
}

#[test]
fn of_equals_for_what_is_missing_the_one_that_serves_more_is_dialed() {
    for seed in 0..30 {
        let (mut world, rich) = one_rich_of_seven(seed);
        world.start();
        assert_eq!(world.dialed(), [rich], "seed {seed}");
        // What is wanted later costs no connection.
        for id in [FILTER, STORE] {
            world.set_need(id, need(0, 1, 4));
        }
        world.run(1_000);
        assert_eq!(world.dialed(), [rich], "seed {seed}");
    }
}

#[test]
fn what_the_user_says_of_a_peer_counts_before_what_it_serves_besides() {
    let (mut world, _) = one_rich_of_seven(1);
    let poor = 2;
    world.tell(Event::Hint {
        peer: world.nodes[poor].id,
        tag: "useful".to_owned(),
        value: 50,
        ttl_ms: None,
    });
    world.start();
    assert_eq!(world.dialed(), [poor]);
}

#[test]
fn a_whole_netgroup_weighs_as_one_peer() {
    let mut chosen = 0;
    const SEEDS: u8 = 60;
    for seed in 0..SEEDS {
        let mut world = World::with(config(false), seed);
        world.set_need(FILTER, need(0, 0, 0));
        world.set_need(STORE, need(0, 0, 0));
        world.set_need(LIGHT_PUSH, need(1, 1, 1));
        for i in 0..30 {
            let place = world.node(&[LIGHT_PUSH]);
            world.nodes[place].address = format!("/ip4/34.1.{i}.9/tcp/443/wss")
                .parse()
                .expect("an address");
            world.discovered(place, Source::PeerExchange);
        }
        let lonely = world.node(&[LIGHT_PUSH]);
        world.nodes[lonely].address = "/ip4/52.2.3.4/tcp/443/wss".parse().expect("an address");
        world.discovered(lonely, Source::PeerExchange);
        world.start();
        chosen += u32::from(world.dialed() == [lonely]);
    }
    // One of two groups: about half of the seeds, where one of 31 peers would be two of them.
    assert!((18..=42).contains(&chosen), "{chosen} of {SEEDS}");
}

#[test]
fn a_peer_of_higher_priority_wins_over_better_coverage() {
    use lightkeeper::manager::Priority;
    let mut world = World::offline_trees();
    let rich = world.node(&ALL);
    let poor = world.node(&[LIGHT_PUSH]);
    world.discovered(rich, Source::PeerExchange);
    world.discovered(poor, Source::PeerExchange);
    world.set_priority(poor, Priority::High);
    world.start();
    assert_eq!(world.dialed()[0], poor);
}

#[test]
fn we_never_dial_ourselves() {
    let mut world = World::offline_trees();
    let peer = crate::world::id(9_999);
    let routes = vec!["/ip4/127.0.0.1/tcp/1/ws".parse().expect("an address")];
    world.tell(Event::Discovered {
        peer,
        routes: routes.clone(),
        claims: ALL.to_vec(),
        source: Source::Static,
        introducer: None,
    });
    world.start();
    world.tell(Event::ConnectNow {
        peer,
        routes,
        permanent: false,
    });
    world.run(10_000);
    assert_eq!(
        world.count(0, |order| matches!(order, Command::Dial { .. })),
        0
    );
    assert!(world.manager.peer(&peer).is_none());
}
