//! Stories about the walk under virtual time.

mod trees;
mod world;

use std::collections::BTreeSet;

use world::{ROUND_TRIP_MS, Resolver, World, enrs, forged, records, serves, zone};

use super::{Answer, ResolverFailure, Suspicion, TreeError, WalkConfig, WalkEvent};
use crate::discovery::enrtree::EntryError;

fn set(texts: &[String]) -> BTreeSet<String> {
    texts.iter().cloned().collect()
}

#[test]
fn the_first_candidate_comes_after_exactly_three_lookups_in_sequence() {
    let nodes = enrs(0..5);
    // As many links below one branch as would fill every place for a look-up.
    let links: Vec<_> = (0..12)
        .map(|n| zone(&format!("b{n}.test"), 1, &[], &[]).url.to_string())
        .collect();
    let tree = zone("a.test", 1, &nodes, &links);
    let mut world = World::new(&[&tree], vec![serves(&[&tree])]);
    let start = world.now;
    world.run();

    let first = world
        .events
        .iter()
        .find(|(_, event)| matches!(event, WalkEvent::Candidate { .. }));
    assert_eq!(first.unwrap().0, start + 3 * ROUND_TRIP_MS);
    // All five leaves were asked for at once, before any link below the first.
    let leaves = world
        .asked
        .iter()
        .filter(|(time, _, _)| *time == start + 2 * ROUND_TRIP_MS);
    assert!(leaves.count() >= 5);
    assert_eq!(world.candidate_set(), set(&nodes));
    assert_eq!(world.last_end(), (5, false));
}

#[test]
fn a_tree_of_one_record_needs_two_lookups() {
    let nodes = enrs(0..1);
    let tree = zone("a.test", 1, &nodes, &[]);
    let mut world = World::new(&[&tree], vec![serves(&[&tree])]);
    let start = world.now;
    world.run();
    let (time, event) = &world.events[0];
    assert!(matches!(event, WalkEvent::Candidate { .. }));
    assert_eq!(*time, start + 2 * ROUND_TRIP_MS);
}

#[test]
fn a_resolver_that_is_down_is_replaced_by_the_other_and_then_passed_over() {
    let nodes = enrs(0..5);
    let tree = zone("a.test", 1, &nodes, &[]);
    for failure in [
        ResolverFailure::Http,
        ResolverFailure::Timeout,
        ResolverFailure::ServFail,
        ResolverFailure::Malformed,
    ] {
        let mut world = World::new(&[&tree], vec![Resolver::Fails(failure), serves(&[&tree])]);
        world.run();
        assert_eq!(world.candidate_set(), set(&nodes));
        assert_eq!(world.suspects(), [(0, Suspicion::Failed(failure))]);
        let to_the_first = world.asked.iter().filter(|(_, resolver, _)| *resolver == 0);
        assert_eq!(to_the_first.count(), 1, "asked once, then passed over");
    }
}

#[test]
fn without_any_resolver_the_tree_fails_and_the_next_run_waits_its_backoff() {
    let nodes = enrs(0..5);
    let tree = zone("a.test", 1, &nodes, &[]);
    let down = || Resolver::Fails(ResolverFailure::Http);
    let mut world = World::new(&[&tree], vec![down(), down()]);
    world.run();
    assert_eq!(world.tree_failures(), [TreeError::Resolver]);
    assert_eq!(world.last_end(), (0, true));
    assert_eq!(world.asked.len(), 2, "each resolver once");

    let failed_at = world.now;
    world.resolvers[0] = serves(&[&tree]);
    world.run();
    assert_eq!(world.asked[2].0, failed_at + 5_000);
    assert_eq!(world.candidate_set(), set(&nodes));
    assert_eq!(world.last_end(), (5, false));
}

#[test]
fn the_backoff_of_a_root_doubles_up_to_its_limit() {
    let tree = zone("a.test", 1, &[], &[]);
    let mut world = World::new(&[&tree], vec![Resolver::Fails(ResolverFailure::Timeout)]);
    for _ in 0..10 {
        world.run();
    }
    let times: Vec<_> = world.asked.iter().map(|(time, _, _)| *time).collect();
    let waits: Vec<_> = times
        .windows(2)
        .map(|pair| pair[1] - pair[0] - ROUND_TRIP_MS)
        .collect();
    assert_eq!(
        waits,
        [5, 10, 20, 40, 80, 160, 320, 600, 600].map(|seconds| seconds * 1_000),
    );
}

#[test]
fn a_change_of_network_ends_every_backoff() {
    let nodes = enrs(0..2);
    let tree = zone("a.test", 1, &nodes, &[]);
    let mut world = World::new(&[&tree], vec![Resolver::Fails(ResolverFailure::Http)]);
    world.run();
    world.resolvers[0] = serves(&[&tree]);
    world.walk.reset_backoff();
    let again = world.now;
    world.run();
    assert_eq!(world.asked[1].0, again);
    assert_eq!(world.candidate_set(), set(&nodes));
}

#[test]
fn a_resolver_that_forges_entries_is_found_out_by_the_hash() {
    let nodes = enrs(0..5);
    let tree = zone("a.test", 1, &nodes, &[]);
    let mut world = World::new(&[&tree], vec![forged(&tree), serves(&[&tree])]);
    world.run();
    assert_eq!(
        world.candidate_set(),
        set(&nodes),
        "the forged record never comes out"
    );
    assert_eq!(world.suspects(), [(0, Suspicion::Lied)]);
    assert_eq!(world.dropped(), []);
}

#[test]
fn entries_that_nobody_has_right_are_dropped_with_a_reason_and_tried_again_later() {
    let nodes = enrs(0..5);
    let tree = zone("a.test", 1, &nodes, &[]);
    let mut world = World::new(&[&tree], vec![forged(&tree)]);
    world.run();
    assert_eq!(world.candidates(), [""; 0]);
    assert!(world.dropped().contains(&EntryError::HashMismatch));

    world.resolvers[0] = serves(&[&tree]);
    world.run();
    assert_eq!(world.candidate_set(), set(&nodes), "lies, then the truth");
}

#[test]
fn a_root_of_another_key_gives_nothing_and_the_true_one_is_taken() {
    let tree = zone("a.test", 1, &enrs(0..5), &[]);
    let mut forgery = zone("b.test", 1, &enrs(5..9), &[]).records;
    let root = forgery.remove("b.test").unwrap();
    let forger = || Resolver::Serves([("a.test".to_owned(), root.clone())].into());

    let mut world = World::new(&[&tree], vec![forger()]);
    world.run();
    assert_eq!(world.tree_failures(), [TreeError::BadSignature]);
    assert_eq!(world.last_end(), (0, true));

    let mut world = World::new(&[&tree], vec![forger(), serves(&[&tree])]);
    world.run();
    assert_eq!(world.tree_failures(), []);
    assert_eq!(world.suspects(), [(0, Suspicion::Lied)]);
    assert_eq!(world.last_end(), (5, false));
}

#[test]
fn a_resolver_cannot_hide_a_tree_from_another_one() {
    let tree = zone("a.test", 1, &enrs(0..5), &[]);
    let mut world = World::new(&[&tree], vec![serves(&[]), serves(&[&tree])]);
    world.run();
    assert_eq!(world.last_end(), (5, false));
    assert_eq!(world.suspects(), [(0, Suspicion::Lied)]);
}

#[test]
fn a_domain_without_a_root_fails_its_tree() {
    let tree = zone("a.test", 1, &enrs(0..5), &[]);
    let mut other = tree.records.clone();
    other.insert("a.test".into(), vec!["v=spf1 -all".into()]);
    for resolver in [serves(&[]), Resolver::Serves(other)] {
        let mut world = World::new(&[&tree], vec![resolver]);
        world.run();
        assert_eq!(world.tree_failures(), [TreeError::NoRoot]);
    }
}

#[test]
fn the_worse_of_two_faults_is_reported() {
    let tree = zone("a.test", 1, &enrs(0..5), &[]);
    let mut broken = tree.records.clone();
    broken.insert("a.test".into(), vec!["enrtree-root:v1 e=x".into()]);
    let down = Resolver::Fails(ResolverFailure::Http);
    let mut world = World::new(&[&tree], vec![Resolver::Serves(broken), down]);
    world.run();
    assert_eq!(world.tree_failures(), [TreeError::BadSyntax]);
}

#[test]
fn one_failing_tree_does_not_stop_another() {
    let (good, bad) = (
        zone("a.test", 1, &enrs(0..5), &[]),
        zone("b.test", 1, &[], &[]),
    );
    let mut world = World::new(&[&bad, &good], vec![serves(&[&good])]);
    world.run();
    assert_eq!(world.tree_failures(), [TreeError::NoRoot]);
    assert_eq!(world.last_end(), (5, false));
}

#[test]
fn an_older_root_is_refused_and_what_was_known_stays() {
    let old = zone("a.test", 6, &enrs(0..2), &[]);
    let new = zone("a.test", 7, &enrs(2..40), &[]);
    let config = WalkConfig {
        budget: 10,
        ..WalkConfig::default()
    };
    let mut world = World::with(&[&new], vec![serves(&[&new])], config, 1);
    world.run();
    let known = world.candidates().len();
    assert!(known < 38);

    // The root is served from an old cache, everything below from the new tree.
    world.now += 31 * 60 * 1_000;
    let mut stale = records(&[&old, &new]);
    stale.insert("a.test".into(), old.records["a.test"].clone());
    world.resolvers[0] = Resolver::Serves(stale);
    world.run();
    assert_eq!(world.tree_failures(), [TreeError::SeqRollback]);
    assert!(
        world.candidates().len() > known,
        "the newer tree is read on"
    );
    assert!(world.candidate_set().is_disjoint(&set(&enrs(0..2))));
    assert_eq!(world.walk.sequences().next().unwrap().1, 7);
}

#[test]
fn an_older_root_than_in_an_earlier_session_gives_nothing() {
    let tree = zone("a.test", 6, &enrs(0..5), &[]);
    let mut world = World::new(&[&tree], vec![serves(&[&tree])]);
    world.walk.restore_sequence(&tree.url, 7);
    world.run();
    assert_eq!(world.tree_failures(), [TreeError::SeqRollback]);
    assert_eq!(world.candidates(), [""; 0]);
}

#[test]
fn a_run_keeps_to_its_budget_and_the_next_continues() {
    let nodes = enrs(0..100);
    let tree = zone("a.test", 1, &nodes, &[]);
    let mut world = World::new(&[&tree], vec![serves(&[&tree])]);
    world.run();
    assert_eq!(world.asked.len(), 50);
    assert!(world.walk.has_more());
    let mut runs = 1;
    while world.walk.has_more() {
        world.run();
        runs += 1;
    }
    assert_eq!(world.candidate_set(), set(&nodes));
    assert_eq!(world.candidates().len(), nodes.len(), "each comes once");
    // 100 leaves, 9 branches, the empty one of links and the root.
    assert_eq!((world.asked.len(), runs), (111, 3));
    let names: BTreeSet<_> = world.names().into_iter().collect();
    assert_eq!(names.len(), 111, "nothing is looked up twice");
}

#[test]
fn no_more_than_twenty_lookups_are_made_in_a_second() {
    let tree = zone("a.test", 1, &enrs(0..100), &[]);
    let mut world = World::new(&[&tree], vec![serves(&[&tree])]);
    world.run();
    assert_eq!(world.asked[19].0 / 1_000, world.asked[0].0 / 1_000);
    for pair in world.asked.windows(21) {
        assert!(pair[20].0 - pair[0].0 >= 1_000);
    }
}

#[test]
fn no_more_than_ten_lookups_are_under_way() {
    let tree = zone("a.test", 1, &enrs(0..100), &[]);
    let config = WalkConfig {
        max_per_second: 1_000,
        ..WalkConfig::default()
    };
    let mut world = World::with(&[&tree], vec![serves(&[&tree])], config, 1);
    world.run();
    assert_eq!(world.most_in_flight, 10);
}

#[test]
fn a_stopped_run_is_silent_and_the_next_makes_its_lookups_again() {
    let nodes = enrs(0..5);
    let tree = zone("a.test", 1, &nodes, &[]);
    let mut world = World::new(&[&tree], vec![serves(&[&tree])]);
    world.walk.start(world.now);
    let query = world.walk.poll_query(world.now).unwrap();
    world.walk.stop();
    let late = Answer::Txt {
        records: tree.records["a.test"].clone(),
        ttl_s: 60,
    };
    world.walk.handle_answer(world.now, query.id, late);
    assert_eq!(world.walk.poll_event(), None);
    assert_eq!(world.walk.poll_query(world.now), None);
    assert_eq!(world.walk.next_deadline(), None);
    world.run();
    assert_eq!(world.candidate_set(), set(&nodes));
}

#[test]
fn the_seed_decides_the_order_and_nothing_else_does() {
    let nodes = enrs(0..30);
    let tree = zone("a.test", 1, &nodes, &[]);
    let order = |seed| {
        let config = WalkConfig::default();
        let mut world = World::with(&[&tree], vec![serves(&[&tree])], config, seed);
        world.run();
        world.asked
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
}

#[test]
fn a_run_with_nothing_to_read_ends_at_once() {
    let mut world = World::new(&[], vec![serves(&[])]);
    world.run();
    assert_eq!(world.last_end(), (0, false));

    let tree = zone("a.test", 1, &enrs(0..2), &[]);
    let mut world = World::new(&[&tree], vec![serves(&[&tree])]);
    world.run();
    let asked = world.asked.len();
    world.run();
    assert_eq!(world.asked.len(), asked, "the root still holds");
    assert_eq!(world.last_end(), (0, false));
}
