//! Which network a peer is of, and what is told of our own: metadata (protocols/metadata.md), sleep, outages (4.8, 4.14).

use lightkeeper::manager::{
    Cause, CloseCause, DialFailure, Direction, Event, Health, Metadata, NetworkCause, NetworkState,
    Notice, Reason, Source, What,
};

use crate::world::{ALL, FILTER, Reachable, STORE, World, need};

const MINUTE: u64 = 60_000;

/// One node that says this of its network.
fn of(metadata: Metadata) -> (World, usize) {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.nodes[place].metadata = metadata;
    world.discovered(place, Source::PeerExchange);
    world.start();
    world.run(1_000);
    (world, place)
}

#[test]
fn a_peer_of_other_shards_stays_and_serves_nothing() {
    let (mut world, place) = of(Metadata::OtherShards { shards: vec![7] });
    assert!(world.connected(place));
    let view = world.view(place);
    assert_eq!(view.shards, Some(vec![7]));
    assert_eq!(view.serving, []);
    assert_eq!(world.health(), Health::Unmet);
    // Identify that comes again changes nothing.
    let conn = view.conn.expect("it is connected");
    world.tell(Event::Identified {
        conn,
        protocols: vec!["/filter/2".to_owned()],
        agent: String::new(),
    });
    world.run(10 * MINUTE);
    assert_eq!(world.view(place).serving, []);
    assert_eq!(world.closes_since(0), []);
    assert_eq!(world.dialed(), [place]);
}

#[test]
fn a_peer_of_other_shards_is_left_for_others_and_asked_again_in_half_an_hour() {
    for identified_last in [false, true] {
        let (mut world, place) = of(Metadata::OtherShards { shards: vec![7] });
        if identified_last {
            // It says more than it was said to serve.
            let conn = world.view(place).conn.expect("it is connected");
            world.tell(Event::Identified {
                conn,
                protocols: vec!["/filter/2".to_owned(), "/store/3".to_owned()],
                agent: String::new(),
            });
        }
        world.lose(place, CloseCause::Broken);
        let mark = world.mark();
        world.run(28 * MINUTE);
        assert_eq!(world.dialed_since(mark), [0_usize; 0]);
        world.nodes[place].metadata = Metadata::Matched { shards: vec![0] };
        world.run(4 * MINUTE);
        assert!(world.serves(place, FILTER));
    }
}

#[test]
fn a_peer_whose_metadata_is_no_metadata_fails_as_by_identify() {
    let (mut world, place) = of(Metadata::Faulty);
    assert_eq!(world.closes_since(0)[0], Reason::MetadataFailed);
    let told = world.disconnect_of(place).expect("it was told");
    assert_eq!(
        (told.cause, told.reason),
        (Cause::Local, Reason::MetadataFailed)
    );
    // It is not of another network: it is tried again, ever later.
    world.nodes[place].metadata = Metadata::Matched { shards: vec![0] };
    world.run(5 * MINUTE);
    assert!(world.serves(place, STORE));
}

#[test]
fn identify_is_told_with_where_and_how_the_peer_was_connected_then() {
    let mut world = World::offline_trees();
    for id in ALL {
        world.set_need(id, need(0, 0, 4));
    }
    world.start();
    let place = world.node(&ALL);
    let conn = world.opens(place, Direction::Inbound);
    world.tell(Event::Identified {
        conn,
        protocols: Vec::new(),
        agent: "it".to_owned(),
    });
    let expected = Notice::Identified {
        peer: world.nodes[place].id,
        route: world.nodes[place].address.clone(),
        direction: Direction::Inbound,
        protocols: Vec::new(),
        agent: "it".to_owned(),
    };
    let mut told = world.notices_since(0).into_iter();
    assert!(told.any(|(_, notice)| notice == expected));
}

fn settled() -> World {
    let (mut world, _) = World::fleet();
    world.start();
    world.run(3 * MINUTE);
    assert_eq!(world.health(), Health::Met);
    world
}

/// What was told of the network since a mark.
fn told(world: &World, mark: usize) -> Vec<(NetworkState, NetworkCause)> {
    let notices = world.notices_since(mark).into_iter();
    notices
        .filter_map(|(_, notice)| match notice {
            Notice::NetworkChanged { state, cause } => Some((state, cause)),
            _ => None,
        })
        .collect()
}

/// The network is gone, the resolver's too.
fn vanish(world: &mut World) {
    world.tree.clear();
    for node in &mut world.nodes {
        node.reachable = Reachable::No(DialFailure::Unreachable);
    }
    for place in 0..world.nodes.len() {
        world.lose(place, CloseCause::Broken);
    }
}

fn come_back(world: &mut World) {
    for node in &mut world.nodes {
        node.reachable = Reachable::Yes;
    }
}

#[test]
fn a_suspected_outage_is_told_with_its_end_and_how_we_know() {
    let mut world = settled();
    let mark = world.mark();
    vanish(&mut world);
    world.run(MINUTE);
    let silence = (NetworkState::Offline, NetworkCause::Silence);
    assert_eq!(told(&world, mark), [silence]);
    come_back(&mut world);
    world.run(MINUTE);
    let answer = (NetworkState::Online, NetworkCause::Answer);
    assert_eq!(told(&world, mark), [silence, answer]);
    let mark = world.mark();
    vanish(&mut world);
    world.run(MINUTE);
    world.tell(Event::NetworkChanged { constrained: false });
    let said = (NetworkState::Online, NetworkCause::Told);
    assert_eq!(told(&world, mark), [silence, said]);
    // Each end of a suspicion is one line of the log.
    let decisions = world.manager.decisions(1_000).into_iter();
    let recovered = decisions.filter(|decision| decision.what == What::Recovered);
    assert_eq!(recovered.count(), 2);
}

#[test]
fn what_the_browser_says_and_sleep_are_told_as_such() {
    let mut world = settled();
    let mark = world.mark();
    world.tell(Event::Offline);
    world.tell(Event::Online);
    world.tell(Event::Freeze);
    world.run(MINUTE);
    world.tell(Event::Unfreeze);
    world.now += 60 * MINUTE;
    world.tell(Event::Tick);
    assert_eq!(
        told(&world, mark),
        [
            (NetworkState::Offline, NetworkCause::Told),
            (NetworkState::Online, NetworkCause::Told),
            (NetworkState::Suspended, NetworkCause::Told),
            (NetworkState::Resumed, NetworkCause::Slept),
            (NetworkState::Resumed, NetworkCause::Slept),
        ]
    );
}

fn answer(world: &mut World, answers: bool) {
    for node in &mut world.nodes {
        node.answers_pings = answers;
    }
}

#[test]
fn sleep_and_outages_disturb_what_began_before_their_end() {
    let mut world = settled();
    let calm = world.now;
    assert!(!world.manager.disturbed_since(0));
    // Sleep.
    world.now += 60 * MINUTE;
    world.tell(Event::Tick);
    assert!(world.manager.disturbed_since(calm));
    world.run(1_000);
    assert!(!world.manager.disturbed_since(world.now));
    // What the browser says; also while it lasts.
    answer(&mut world, false);
    let tree = core::mem::take(&mut world.tree);
    world.tell(Event::Offline);
    world.run(1_000);
    assert!(world.manager.disturbed_since(world.now));
    answer(&mut world, true);
    world.tree = tree;
    world.tell(Event::Online);
    let over = world.now;
    assert!(world.manager.disturbed_since(over));
    assert!(!world.manager.disturbed_since(over + 1));
    // A suspicion.
    world.run(MINUTE);
    vanish(&mut world);
    assert!(!world.manager.disturbed_since(over + 1));
    world.run(MINUTE);
    assert!(world.manager.disturbed_since(world.now));
    come_back(&mut world);
    world.run(MINUTE);
    assert!(world.manager.disturbed_since(over + 1));
    assert!(!world.manager.disturbed_since(world.now));
}
