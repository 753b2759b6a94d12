//! What the browser says of the network is a hint, and in some pages it is wrong for good (4.8, 4.14).

use lightkeeper::manager::{
    CloseCause, Command, DialFailure, DialWhy, Event, Health, HealthReason, NetworkCause,
    NetworkState, Notice, Reason, Source,
};

use crate::world::{ALL, Fleet, Reachable, World};

const MINUTE: u64 = 60_000;

/// The usual fleet, on other machines.
fn elsewhere() -> (World, Fleet) {
    let (mut world, fleet) = World::fleet();
    for place in 0..world.nodes.len() {
        move_away(&mut world, place);
    }
    (world, fleet)
}

fn move_away(world: &mut World, place: usize) {
    let address = format!("/ip4/60.{place}.0.1/tcp/443/wss");
    world.nodes[place].address = address.parse().expect("an address");
}

fn settled() -> (World, Fleet) {
    let (mut world, fleet) = elsewhere();
    world.start();
    world.run(180_000);
    assert_eq!(world.health(), Health::Met);
    (world, fleet)
}

/// Nothing gets through any more: no answer, no dial, no look-up.
fn cut(world: &mut World) {
    world.tree.clear();
    for node in &mut world.nodes {
        node.answers_pings = false;
        node.reachable = Reachable::No(DialFailure::Unreachable);
    }
}

fn believed(world: &World) -> bool {
    world.manager.health().1 == HealthReason::Offline
}

fn told(world: &World, mark: usize) -> Vec<(NetworkState, NetworkCause)> {
    let notices = world.notices_since(mark).into_iter();
    notices
        .filter_map(|(_, notice)| match notice {
            Notice::NetworkChanged { state, cause } => Some((state, cause)),
            _ => None,
        })
        .collect()
}

fn gaps(world: &World, mark: usize) -> Vec<u64> {
    let dials = world.dials_since(mark);
    dials.windows(2).map(|pair| pair[1].0 - pair[0].0).collect()
}

#[test]
fn a_page_that_says_offline_for_good_meets_what_is_needed_all_the_same() {
    for trees in [true, false] {
        let (mut world, fleet) = elsewhere();
        if !trees {
            world.tree.clear();
            world.discovered(fleet.all[0], Source::PeerExchange);
            world.discovered(fleet.boot[0], Source::Dns);
        }
        world.tell(Event::Offline);
        world.run(10 * MINUTE);
        world.start();
        world.run(10_000);
        assert_eq!(world.health(), Health::Met, "with trees: {trees}");
        // It goes on so: whoever is lost is replaced.
        let lost = fleet.all.into_iter().find(|place| world.connected(*place));
        world.stop_node(lost.expect("somebody serves"));
        world.run(10_000);
        assert_eq!(world.health(), Health::Met, "with trees: {trees}");
    }
}

#[test]
fn whoever_answers_shows_that_the_browser_is_wrong() {
    let (mut world, _) = settled();
    let mark = world.mark();
    world.tell(Event::Offline);
    world.tell(Event::Offline);
    world.run(100);
    assert_eq!(
        told(&world, mark),
        [
            (NetworkState::Offline, NetworkCause::Told),
            (NetworkState::Online, NetworkCause::Answer),
        ]
    );
    // What is true then is told no second time.
    world.tell(Event::Online);
    assert_eq!(told(&world, mark).len(), 2);
    assert_eq!(world.health(), Health::Met);
    assert_eq!(world.closes_since(mark), []);
}

#[test]
fn whoever_died_is_replaced_although_the_browser_says_offline() {
    let (mut world, fleet) = settled();
    world.tell(Event::Offline);
    world.run(100);
    let died = fleet.all.into_iter().find(|place| world.connected(*place));
    let died = died.expect("somebody serves");
    world.nodes[died].answers_pings = false;
    world.nodes[died].reachable = Reachable::Never;
    world.run(20_000);
    assert!(!world.connected(died));
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn really_offline_connections_stay_and_only_probes_go_out_slower() {
    let (mut world, fleet) = settled();
    let provider = fleet.all.into_iter().find(|place| world.connected(*place));
    world.stop_node(provider.expect("somebody serves"));
    assert!(world.manager.stats().dialing > 0);
    cut(&mut world);
    let mark = world.mark();
    world.tell(Event::Offline);
    let cancelled = world.count(mark, |order| matches!(order, Command::CancelDial { .. }));
    assert!(cancelled > 0);
    let open = world.manager.stats().open;
    world.run(MINUTE);
    assert!(believed(&world));
    let early = gaps(&world, mark);
    assert!((8_000..=10_000).contains(&early[0]), "{early:?}");
    assert!((8_000..=24_000).contains(&early[1]), "{early:?}");
    world.run(2 * MINUTE);
    let later = world.mark();
    world.run(10 * MINUTE);
    let late = gaps(&world, later);
    assert!(late.len() > 8, "they go on");
    assert!(
        late.iter().all(|gap| (48_000..=60_000).contains(gap)),
        "{late:?}"
    );
    let mut dials = world.dials_since(mark).into_iter();
    assert!(dials.all(|(.., why)| why == DialWhy::Probe));
    assert_eq!(world.closes_since(mark), []);
    assert_eq!(world.manager.stats().open, open);
}

#[test]
fn a_probe_that_connects_is_enough() {
    let (mut world, fleet) = settled();
    cut(&mut world);
    for place in fleet.everybody() {
        world.lose(place, CloseCause::Broken);
    }
    world.tell(Event::Offline);
    world.run(10 * MINUTE);
    assert!(believed(&world));
    for place in fleet.everybody() {
        world.nodes[place].answers_pings = true;
        world.start_node(place);
    }
    world.run(MINUTE);
    assert_eq!(world.health(), Health::Met);
    // Nobody was charged for it.
    for place in fleet.everybody() {
        let peer = world.nodes[place].id;
        let told = world.manager.explain(&peer).expect("it is known");
        assert_eq!((told.failures, told.flaps), (0, 0), "of {place}");
    }
}

#[test]
fn what_failed_just_before_the_browser_said_so_is_taken_back() {
    let mut world = World::offline_trees();
    for place in 0..2 {
        world.node(&ALL);
        move_away(&mut world, place);
        world.discovered(place, Source::PeerExchange);
    }
    cut(&mut world);
    world.start();
    world.run(100);
    let failures = |world: &World| {
        let all = world
            .nodes
            .iter()
            .map(|node| world.manager.explain(&node.id));
        all.map(|told| told.map_or(0, |told| told.failures)).max()
    };
    assert_eq!(failures(&world), Some(1));
    world.tell(Event::Offline);
    assert_eq!(failures(&world), Some(0));
}

#[test]
fn on_this_machine_nobody_waits_for_the_network() {
    let mut world = World::offline_trees();
    let here = world.node(&ALL);
    for place in 1..=20 {
        world.node(&ALL);
        move_away(&mut world, place);
    }
    cut(&mut world);
    for place in 0..=20 {
        world.discovered(place, Source::PeerExchange);
    }
    world.tell(Event::Offline);
    world.start();
    world.run(10_000);
    assert_eq!(world.dialed()[0], here);
    world.start_node(here);
    world.nodes[here].answers_pings = true;
    world.run(5 * MINUTE);
    assert!(world.connected(here));
    // Those elsewhere fail meanwhile, and pay nothing for it when there is a network.
    world.run(60 * MINUTE);
    for place in 1..=20 {
        world.start_node(place);
    }
    let mark = world.mark();
    world.tell(Event::Online);
    world.run(3_000);
    assert!(!world.dialed_since(mark).is_empty());
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn who_is_alone_on_this_machine_is_probed_as_often_as_ever() {
    let mut world = World::offline_trees();
    let here = world.node(&ALL);
    cut(&mut world);
    world.discovered(here, Source::PeerExchange);
    world.tell(Event::Offline);
    world.start();
    world.run(100_000);
    let gaps = gaps(&world, 0);
    assert!(gaps.len() > 10);
    assert!(
        gaps.iter().all(|gap| (3_000..=5_000).contains(gap)),
        "{gaps:?}"
    );
}

#[test]
fn a_dial_on_this_machine_is_not_given_up() {
    let mut world = World::offline_trees();
    let [here, there] = [world.node(&ALL), world.node(&ALL)];
    move_away(&mut world, there);
    for place in [here, there] {
        world.nodes[place].reachable = Reachable::Slowly(1_000);
        world.discovered(place, Source::PeerExchange);
    }
    world.start();
    assert_eq!(world.manager.stats().dialing, 2);
    world.tell(Event::Offline);
    assert_eq!(world.manager.stats().dialing, 1);
    world.run(2_000);
    assert!(world.connected(here));
}

#[test]
fn the_users_own_dial_asks_nobody_whether_there_is_a_network() {
    let mut world = World::offline_trees();
    let [wanted, other] = [world.node(&ALL), world.node(&ALL)];
    for place in [wanted, other] {
        move_away(&mut world, place);
    }
    world.nodes[other].reachable = Reachable::No(DialFailure::Unreachable);
    world.discovered(other, Source::PeerExchange);
    world.start();
    world.run(10);
    world.tell(Event::Offline);
    let explained = |world: &World, place: usize| {
        let told = world.manager.explain(&world.nodes[place].id);
        told.and_then(|told| told.not_dialed)
    };
    assert_eq!(explained(&world, other), Some(Reason::Offline));
    world.connect_now(wanted);
    assert_eq!(world.refusal(), None);
    world.run(100);
    assert!(world.connected(wanted));
    assert_ne!(explained(&world, other), Some(Reason::Offline));
}

#[test]
fn a_node_that_stops_and_starts_while_offline_asks_anew() {
    let (mut world, _) = settled();
    cut(&mut world);
    world.tell(Event::Offline);
    world.run(5 * MINUTE);
    world.tell(Event::Stop);
    world.run(MINUTE);
    let mark = world.mark();
    let started = world.now;
    world.start();
    world.run(MINUTE);
    assert!(believed(&world));
    let dials = world.dials_since(mark);
    assert_eq!(dials[0].0, started);
    assert!(dials.iter().all(|(.., why)| *why == DialWhy::Probe));
}
