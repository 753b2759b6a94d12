//! Fewer connections for the same work (4.6): one for two, and two for three.

use lightkeeper::manager::{
    CloseCause, Config, DialFailure, DialWhy, Event, Health, Outcome, Priority, Reason,
    RequirementId, RequirementSpec,
};

use crate::lean::{connected, loses_a_line, without_spare};
use crate::world::{ALL, FILTER, LIGHT_PUSH, Reachable, STORE, World, need};

const MINUTE: u64 = 60_000;

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

    fn node_at(&mut self, serves: &str, address: &str) -> usize {
        let place = self.node(serves);
        let address = format!("/ip4/{address}/tcp/443/wss").parse();
        self.world.nodes[place].address = address.expect("an address");
        place
    }

    /// It was verified once, and may be dialed.
    fn known(&mut self, serves: &str) -> usize {
        let place = self.node(serves);
        self.once(place);
        place
    }

    fn once(&mut self, place: usize) {
        self.world.connects_by_itself(place);
        self.world.run(1_000);
        self.world.lose(place, CloseCause::Broken);
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
        let connected = six.node_at("ab", "20.1.0.1");
        let known = six.node_at("ab", address);
        six.once(known);
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

/// Two who share the work of three, which nobody alone could take from two of them.
fn three_and_two() -> (Six, [usize; 2]) {
    let mut six = Six::new();
    let two = [six.known("acd"), six.known("bef")];
    for serves in ["ab", "cd", "ef"] {
        six.connected(serves);
    }
    six.want_all();
    (six, two)
}

#[test]
fn two_replace_three_one_after_the_other() {
    let (mut six, two) = three_and_two();
    let mark = six.world.mark();
    six.world.run(30 * MINUTE);
    let mut by = swaps(&six.world);
    by.sort_unstable();
    assert_eq!(by, two);
    assert_eq!(connected(&six.world), two);
    assert_eq!(six.world.closes_since(mark), [Reason::Surplus; 3]);
    assert!(!loses_a_line(&six.world, mark));
    // Quiet from now on (E1).
    let mark = six.world.mark();
    six.world.run(24 * 60 * MINUTE);
    assert_eq!(six.world.dialed_since(mark), [0_usize; 0]);
}

#[test]
fn the_first_of_two_who_could_do_for_three_is_not_dialed_again_when_the_second_fails() {
    let (mut six, two) = three_and_two();
    while swaps(&six.world).is_empty() {
        six.world.run(1_000);
    }
    let first = swaps(&six.world)[0];
    let second = two[usize::from(first == two[0])];
    six.world.nodes[second].reachable = Reachable::No(DialFailure::Unreachable);
    let mark = six.world.mark();
    six.world.run(12 * 60 * MINUTE);
    let dials = six.world.dialed_since(mark);
    assert!(dials.iter().all(|place| *place == second), "{dials:?}");
    assert!((2..=20).contains(&dials.len()), "{dials:?}");
    assert_eq!(six.world.closes_since(mark), [Reason::Surplus]);
    assert!(!loses_a_line(&six.world, mark));
}

#[test]
fn two_of_one_netgroup_or_who_failed_are_not_dialed_for_three() {
    // The second would be one too many of its netgroup then, or fail again.
    let cases = [
        ("20.2.0.2", false, 2),
        ("20.1.0.2", false, 0),
        ("20.2.0.2", true, 0),
    ];
    for (address, fails, expected) in cases {
        let mut six = Six::new();
        let two = [six.node_at("acd", "20.1.0.1"), six.node_at("bef", address)];
        for place in two {
            six.once(place);
        }
        if fails {
            six.world.nodes[two[1]].reachable = Reachable::No(DialFailure::Unreachable);
            six.world.set_need(RequirementId(1), need(0, 1, 8));
            six.world.run(5_000);
            assert!(!six.world.dialed().is_empty());
        }
        for serves in ["ab", "cd", "ef"] {
            six.connected(serves);
        }
        six.world.run(10);
        six.world.nodes[two[1]].reachable = Reachable::Yes;
        six.want_all();
        six.world.run(60 * MINUTE);
        assert_eq!(swaps(&six.world).len(), expected, "{address} {fails}");
    }
}

#[test]
fn nobody_is_swapped_while_needs_are_told() {
    let mut six = Six::new();
    let rich = six.known("ab");
    let others = ["ac", "bd"].map(|serves| six.connected(serves));
    // Whoever was lost may be dialed again.
    six.world.run(20_000);
    let mark = six.world.mark();
    let one = need(0, 1, 8);
    six.world.set_need(RequirementId(0), one);
    six.world.set_need(RequirementId(1), one);
    six.world.run(1_000);
    six.world.set_need(RequirementId(2), one);
    six.world.set_need(RequirementId(3), one);
    six.world.run(60 * MINUTE);
    assert_eq!(six.world.dialed_since(mark), [0_usize; 0]);
    assert_eq!(connected(&six.world), others);
    assert!(!six.world.connected(rich));
}
