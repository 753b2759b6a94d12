//! Few connections in the steady state (4.6), and how old they become (4.17).

use lightkeeper::manager::{
    CloseCause, Config, Crossed, DialFailure, DialWhy, Event, Health, Outcome, Priority, Reason,
    RequirementId, RequirementSpec, Source,
};

use crate::world::{ALL, FILTER, LIGHT_PUSH, Reachable, STORE, World, config, need};

const MINUTE: u64 = 60_000;

fn without_spare() -> Config {
    let mut config = config(false);
    config.spare_connections = 0;
    config
}

fn connected(world: &World) -> Vec<usize> {
    (0..world.nodes.len())
        .filter(|place| world.connected(*place))
        .collect()
}

/// Foreign connections to nodes that serve these, and the usual needs.
fn open(config: Config, nodes: &[&[RequirementId]]) -> World {
    let mut world = World::with(config, 1);
    // No maximum is in the way.
    world.set_need(LIGHT_PUSH, need(1, 2, 40));
    world.set_need(FILTER, need(1, 2, 40));
    world.set_need(STORE, need(0, 1, 40));
    world.start();
    for serves in nodes {
        let place = world.node(serves);
        world.connects_by_itself(place);
    }
    world.run(1_000);
    world
}

fn loses_a_line(world: &World, mark: usize) -> bool {
    let lost = |crossed| matches!(crossed, Crossed::MinLost | Crossed::TargetLost);
    let crossings = world.crossings_since(mark);
    crossings.into_iter().any(|(_, crossed)| lost(crossed))
}

#[test]
fn surplus_connections_go_after_two_minutes_and_one_is_kept_warm() {
    let mut world = open(config(false), &[&ALL[..]; 4]);
    world.run(95_000);
    assert_eq!(connected(&world).len(), 4);
    world.run(60_000);
    assert_eq!(world.closes_since(0), [Reason::Surplus]);
    assert_eq!(connected(&world).len(), 3);
    // Quiet from now on (E1).
    let mark = world.mark();
    world.run(24 * 60 * MINUTE);
    assert_eq!(world.closes_since(mark), []);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
    assert!(!loses_a_line(&world, 0));
}

#[test]
fn as_few_connections_remain_as_the_targets_need() {
    let poor: [&[RequirementId]; 6] = [
        &[LIGHT_PUSH],
        &[FILTER],
        &[STORE],
        &ALL,
        &[LIGHT_PUSH, FILTER],
        &ALL,
    ];
    let mut world = open(without_spare(), &poor);
    world.run(10 * MINUTE);
    assert_eq!(connected(&world).len(), 2);
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn nothing_is_surplus_while_something_is_missing() {
    let mut world = open(without_spare(), &[&ALL[..1]; 4]);
    world.run(60 * MINUTE);
    assert_eq!(world.closes_since(0), []);
}

#[test]
fn a_surplus_connection_that_is_needed_again_stays() {
    let mut world = open(without_spare(), &[&ALL[..]; 3]);
    world.run(80_000);
    world.lose(0, CloseCause::Broken);
    world.run(60 * MINUTE);
    assert_eq!(connected(&world), [1, 2]);
    assert_eq!(world.closes_since(0), []);
}

#[test]
fn lean_down_can_be_switched_off() {
    let mut config = without_spare();
    config.lean_after_ms = 0;
    let mut world = open(config, &[&ALL[..]; 4]);
    world.run(60 * MINUTE);
    assert_eq!(connected(&world).len(), 4);
}

#[test]
fn whom_the_user_holds_is_never_surplus() {
    let mut world = World::with(without_spare(), 1);
    world.start();
    let held: Vec<usize> = (0..3).map(|_| world.node(&ALL)).collect();
    for place in &held {
        world.connect_now(*place);
    }
    world.run(60 * MINUTE);
    assert_eq!(connected(&world), held);
}

/// Two that share the work, and one that was verified before and could do it alone.
fn two_and_one(config: Config, reachable: Reachable) -> (World, usize) {
    two_and_one_who(config, reachable, &[])
}

/// The same, after the one did this at a service.
fn two_and_one_who(config: Config, reachable: Reachable, outcomes: &[Outcome]) -> (World, usize) {
    let mut world = World::with(config, 1);
    for id in ALL {
        world.set_need(id, need(0, 1, 2));
    }
    let rich = world.node(&ALL);
    let first = world.node(&[LIGHT_PUSH]);
    let second = world.node(&[FILTER, STORE]);
    world.start();
    world.connects_by_itself(rich);
    world.run(1_000);
    for outcome in outcomes {
        world.report(rich, FILTER, *outcome);
    }
    world.nodes[rich].reachable = reachable;
    world.lose(rich, CloseCause::Broken);
    for place in [first, second] {
        world.connects_by_itself(place);
    }
    world.run(10);
    (world, rich)
}

fn swaps(world: &World) -> Vec<usize> {
    let dials = world.dials_since(0).into_iter();
    dials
        .filter(|dial| dial.2 == DialWhy::Swap)
        .map(|dial| dial.1)
        .collect()
}

#[test]
fn one_that_can_do_the_work_of_two_replaces_them_before_they_go() {
    let (mut world, rich) = two_and_one(without_spare(), Reachable::Yes);
    let mark = world.mark();
    world.run(30 * MINUTE);
    assert_eq!(swaps(&world), [rich]);
    assert_eq!(connected(&world), [rich]);
    assert_eq!(world.closes_since(mark), [Reason::Surplus, Reason::Surplus]);
    assert!(!loses_a_line(&world, mark));
}

#[test]
fn one_that_took_over_may_go_when_one_whom_it_replaced_is_needed_again() {
    let mut world = World::with(without_spare(), 1);
    for id in [LIGHT_PUSH, FILTER] {
        world.set_need(id, need(0, 1, 4));
    }
    world.set_need(STORE, need(0, 0, 4));
    let rich = world.node(&[LIGHT_PUSH, FILTER]);
    let first = world.node(&[LIGHT_PUSH, STORE]);
    let second = world.node(&[FILTER]);
    world.start();
    world.connects_by_itself(rich);
    world.run(1_000);
    world.lose(rich, CloseCause::Broken);
    for place in [first, second] {
        world.connects_by_itself(place);
    }
    world.run(20_000);
    assert_eq!(swaps(&world), [rich]);
    // Nobody else serves this: the first stays, and the second goes.
    world.set_need(STORE, need(0, 1, 4));
    world.run(5 * MINUTE);
    assert_eq!(connected(&world), [rich, first]);
    // What the first does not do, another does who is cared for more.
    let other = world.node(&[FILTER]);
    world.connects_by_itself(other);
    world.set_priority(rich, Priority::Low);
    let mark = world.mark();
    world.run(30 * MINUTE);
    assert_eq!(connected(&world), [first, other]);
    assert!(!loses_a_line(&world, mark));
}

#[test]
fn nobody_is_swapped_for_one_who_is_cared_for_less() {
    let (mut world, rich) = two_and_one(without_spare(), Reachable::Never);
    // While it can't be reached, its priority falls.
    world.set_priority(rich, Priority::Low);
    world.run(20_000);
    let before = swaps(&world).len();
    world.nodes[rich].reachable = Reachable::Yes;
    world.run(12 * 60 * MINUTE);
    assert_eq!(swaps(&world).len(), before);
}

#[test]
fn nobody_is_swapped_for_one_who_did_worse() {
    let (mut world, rich) = two_and_one(without_spare(), Reachable::Never);
    for _ in 0..8 {
        world.report(rich, FILTER, Outcome::Unable);
    }
    world.run(20_000);
    let before = swaps(&world).len();
    world.nodes[rich].reachable = Reachable::Yes;
    world.run(3 * 60 * MINUTE);
    assert_eq!(swaps(&world).len(), before);
}

#[test]
fn swaps_that_fail_come_ever_more_seldom() {
    let no = Reachable::No(DialFailure::Unreachable);
    let (mut world, rich) = two_and_one(without_spare(), no);
    let mark = world.mark();
    world.run(12 * 60 * MINUTE);
    let dials = swaps(&world);
    assert!(dials.iter().all(|place| *place == rich));
    assert!((5..=20).contains(&dials.len()), "{dials:?}");
    assert_eq!(world.closes_since(mark), []);
}

/// Two services of which one peer is enough, and nodes that are heard of; an hour later.
fn one_is_enough(config: Config, nodes: &[&[RequirementId]]) -> World {
    let mut world = World::with(config, 1);
    for id in [LIGHT_PUSH, FILTER] {
        world.set_need(id, need(1, 1, 2));
    }
    world.set_need(STORE, need(0, 0, 0));
    for serves in nodes {
        let place = world.node(serves);
        world.discovered(place, Source::PeerExchange);
    }
    world.start();
    world.run(60 * MINUTE);
    world
}

#[test]
fn not_everything_depends_on_one_peer_when_another_is_known() {
    let nodes: [&[RequirementId]; 2] = [&ALL, &[FILTER]];
    let world = one_is_enough(config(false), &nodes);
    assert_eq!(connected(&world), [0, 1]);
    assert_eq!(world.dialed().len(), 2);
    assert_eq!(world.closes_since(0), []);
}

#[test]
fn who_stands_in_for_the_one_peer_is_not_trimmed_for_what_nobody_wants() {
    let world = one_is_enough(config(false), &[&ALL[..]; 6]);
    assert_eq!(connected(&world).len(), 2);
    assert_eq!(world.dialed().len(), 2);
    assert_eq!(world.closes_since(0), []);
}

/// Two of four serve, and connections live for ten minutes.
fn short_lived(known: usize) -> World {
    let mut world = World::with(without_spare(), 1);
    for _ in 0..known {
        let place = world.node(&ALL);
        world.discovered(place, Source::PeerExchange);
    }
    world.start();
    world.tell(Event::SetLifetime {
        ms: Some(10 * MINUTE),
    });
    world.run(7 * MINUTE);
    assert_eq!(world.health(), Health::Met);
    world
}

#[test]
fn old_connections_are_replaced_before_they_go() {
    let mut world = short_lived(4);
    let before = connected(&world);
    let mark = world.mark();
    world.run(7 * MINUTE);
    let after = connected(&world);
    assert!(before.iter().all(|place| !after.contains(place)));
    assert_eq!(after.len(), 2);
    let dials = world.dials_since(mark);
    assert!(dials.iter().all(|dial| dial.2 == DialWhy::Rotation));
    assert_eq!(dials.len(), 2);
    assert_eq!(
        world.closes_since(mark),
        [Reason::LifetimeOver, Reason::LifetimeOver]
    );
    assert!(!loses_a_line(&world, mark));
}

#[test]
fn old_connections_stay_when_nobody_could_take_over() {
    let mut world = short_lived(2);
    let mark = world.mark();
    world.run(60 * MINUTE);
    assert_eq!(connected(&world), [0, 1]);
    assert_eq!(world.closes_since(mark), []);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
}

#[test]
fn whom_the_user_holds_has_no_lifetime() {
    let mut world = short_lived(4);
    let held = connected(&world)[0];
    world.connect_now(held);
    world.run(60 * MINUTE);
    assert!(world.connected(held));
}

#[test]
fn a_lifetime_that_is_lifted_while_offline_rotates_nobody_afterwards() {
    let mut world = short_lived(4);
    world.tell(Event::Offline);
    world.tell(Event::SetLifetime { ms: Some(0) });
    world.run(1_000);
    world.tell(Event::SetLifetime { ms: None });
    let mark = world.mark();
    world.tell(Event::Online);
    world.run(60 * MINUTE);
    let mut dials = world.dials_since(mark).into_iter();
    assert!(dials.all(|(.., why)| why != DialWhy::Rotation));
}

#[test]
fn a_lifetime_can_be_lifted() {
    let mut world = short_lived(4);
    world.tell(Event::SetLifetime { ms: None });
    let mark = world.mark();
    world.run(60 * MINUTE);
    assert_eq!(world.closes_since(mark), []);
}

#[test]
fn without_a_spare_who_stands_in_for_the_one_peer_stays() {
    let world = one_is_enough(without_spare(), &[&ALL[..]; 3]);
    assert_eq!(connected(&world).len(), 2);
    assert_eq!(world.dialed().len(), 2);
    assert_eq!(world.closes_since(0), []);
}

/// Six services, one provider of each; what nodes serve is told by letters.
struct Six {
    world: World,
}

impl Six {
    fn new() -> Self {
        let requirement = |name: char| RequirementSpec {
            name: name.to_string(),
            protocols: vec![format!("/{name}")],
            need: need(0, 0, 8),
        };
        let requirements = "abcdef".chars().map(requirement).collect();
        let local = crate::world::id(9_999);
        let mut config = Config::light_node(local, requirements, "", false);
        config.spare_connections = 0;
        let mut world = World::with(config, 1);
        world.start();
        Self { world }
    }

    fn node(&mut self, serves: &str) -> usize {
        let place = self.world.node(&[]);
        let speaks = serves.chars().map(|name| format!("/{name}"));
        self.world.nodes[place].speaks = speaks.collect();
        place
    }

    fn connected(&mut self, serves: &str) -> usize {
        let place = self.node(serves);
        self.world.connects_by_itself(place);
        place
    }

    fn want_all(&mut self) {
        for place in 0..6 {
            self.world.set_need(RequirementId(place), need(0, 1, 8));
        }
    }

    /// It was verified once, and may be dialed.
    fn known(&mut self, serves: &str) -> usize {
        let place = self.connected(serves);
        self.world.run(1_000);
        self.world.lose(place, CloseCause::Broken);
        place
    }
}

#[test]
fn a_swap_is_not_undone_by_the_next_one() {
    let mut six = Six::new();
    let first = six.known("ab");
    let other = six.known("ab");
    for serves in ["acd", "bcd", "ce", "df"] {
        six.connected(serves);
    }
    six.want_all();
    // One does what the first two do that nobody else does.
    six.world.run(30_000);
    assert_eq!(swaps(&six.world).len(), 1);
    // Those are still there when another could do what the last two do.
    let second = six.known("cdef");
    let mark = six.world.mark();
    six.world.run(60 * MINUTE);
    let by = swaps(&six.world);
    assert!([first, other].contains(&by[0]), "{by:?}");
    assert_eq!(by[1..], [second]);
    let mut left = vec![by[0], second];
    left.sort_unstable();
    assert_eq!(connected(&six.world), left);
    assert_eq!(six.world.closes_since(mark), [Reason::Surplus; 4]);
}

/// A pair that can't go for as long as somebody locks one of it: the swap has its time, and the next one waits for ever
/// longer.
#[test]
fn a_swap_whose_pair_stays_comes_to_nothing_once() {
    let mut six = Six::new();
    six.known("ab");
    let locked = six.connected("ac");
    six.connected("bc");
    six.connected("cdef");
    six.want_all();
    six.world.run(20_000);
    assert_eq!(swaps(&six.world).len(), 1);
    let peer = six.world.nodes[locked].id;
    six.world.tell(Event::Protect {
        peer,
        tag: "mine".to_owned(),
    });
    six.world.run(60 * MINUTE);
    assert_eq!(swaps(&six.world).len(), 1);
    assert!(six.world.connected(locked));
    assert_eq!(six.world.health(), Health::Met);
}

#[test]
fn nobody_is_swapped_in_who_would_leave_everything_to_one_netgroup() {
    for (address, expected) in [("20.1.0.2", 0), ("20.2.0.2", 1)] {
        let mut six = Six::new();
        let rich = [six.node("ab"), six.node("ab")];
        for (place, address) in rich.into_iter().zip(["20.1.0.1", address]) {
            let address = format!("/ip4/{address}/tcp/443/wss").parse();
            six.world.nodes[place].address = address.expect("an address");
        }
        let [connected, known] = rich;
        six.world.connects_by_itself(known);
        six.world.run(1_000);
        six.world.lose(known, CloseCause::Broken);
        six.world.connects_by_itself(connected);
        for serves in ["a", "b"] {
            six.connected(serves);
        }
        for place in 0..2 {
            let two = need(0, 2, 8);
            six.world.set_need(RequirementId(place), two);
        }
        six.world.run(60 * MINUTE);
        assert_eq!(swaps(&six.world).len(), expected, "{address}");
        let closed = six.world.closes_since(0);
        assert_eq!(closed.len(), 2 * expected, "{address}");
    }
}
