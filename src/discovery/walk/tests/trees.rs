//! Stories about what stands in trees: links, limits, wrong entries, new publications.

use std::collections::BTreeSet;

use super::world::{Resolver, World, enr, enrs, records, serves, zone};
use crate::discovery::{
    enrtree::{Entry, EntryError, subdomain},
    walk::{WalkConfig, WalkEvent},
};

fn followed(world: &World) -> Vec<(String, bool)> {
    world
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            WalkEvent::Link { url, followed, .. } => Some((url.domain().to_owned(), *followed)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_cycle_of_links_is_read_once() {
    let url = |domain| zone(domain, 1, &[], &[]).url.to_string();
    let a = zone("a.test", 1, &enrs(0..3), &[url("b.test")]);
    let b = zone("b.test", 1, &enrs(3..6), &[url("A.test"), url("c.test")]);
    let c = zone("c.test", 1, &enrs(6..9), &[url("c.test"), url("b.test")]);
    let mut world = World::new(&[&a], vec![serves(&[&a, &b, &c])]);
    world.run();
    assert_eq!(world.candidate_set().len(), 9);
    assert_eq!(world.walk.sequences().count(), 3);
    let roots = world
        .names()
        .into_iter()
        .filter(|name| name.len() == "a.test".len());
    assert_eq!(roots.count(), 3);
    let read: Vec<_> = followed(&world)
        .into_iter()
        .filter(|(_, read)| *read)
        .collect();
    assert_eq!(read.len(), 2);
}

#[test]
fn a_linked_tree_that_fails_is_skipped() {
    let link = zone("b.test", 1, &[], &[]).url.to_string();
    let tree = zone("a.test", 1, &enrs(0..5), &[link]);
    let mut world = World::new(&[&tree], vec![serves(&[&tree])]);
    world.run();
    assert_eq!(world.last_end(), (5, false));
    let linked = world
        .events
        .iter()
        .any(|(_, event)| matches!(event, WalkEvent::TreeFailed { linked: true, .. }));
    assert!(linked);
}

#[test]
fn links_beyond_the_limits_are_not_followed() {
    let domains: Vec<_> = ('b'..='z').map(|letter| format!("{letter}.test")).collect();
    let urls: Vec<_> = domains
        .iter()
        .map(|domain| zone(domain, 1, &[], &[]).url.to_string())
        .collect();
    let tree = zone("a.test", 1, &enrs(0..1), &urls);
    let config = WalkConfig {
        budget: 1_000,
        ..WalkConfig::default()
    };
    let mut world = World::with(&[&tree], vec![serves(&[&tree])], config.clone(), 1);
    world.run();
    let read = followed(&world).into_iter().filter(|(_, read)| *read);
    assert_eq!(read.count(), 15, "16 trees in all");

    // A chain: each tree links to the next.
    let mut chain = vec![zone("z.test", 1, &enrs(25..26), &[])];
    for letter in ('a'..='y').rev() {
        let next = chain.last().unwrap().url.to_string();
        let number = u16::from(letter as u8 - b'a');
        chain.push(zone(
            &format!("{letter}.test"),
            1,
            &enrs(number..number + 1),
            &[next],
        ));
    }
    let zones: Vec<_> = chain.iter().collect();
    let first = *zones.last().unwrap();
    let mut world = World::with(&[first], vec![serves(&zones)], config, 1);
    world.run();
    assert_eq!(world.candidates().len(), 9, "the tree itself and 8 links");
}

#[test]
fn links_take_no_more_than_half_of_the_budget() {
    let urls: Vec<_> = (0..60)
        .map(|n| zone(&format!("b{n}.test"), 1, &[], &[]).url.to_string())
        .collect();
    let tree = zone("a.test", 1, &enrs(0..60), &urls);
    let mut world = World::new(&[&tree], vec![serves(&[&tree])]);
    world.run();
    assert_eq!(world.asked.len(), 50);
    assert!(
        world.candidates().len() >= 15,
        "{}",
        world.candidates().len()
    );
}

#[test]
fn a_link_among_records_is_never_followed() {
    let other = zone("b.test", 1, &enrs(5..9), &[]);
    let tree = zone("a.test", 1, &[enr(1, 1), other.url.to_string()], &[]);
    let mut world = World::new(&[&tree], vec![serves(&[&tree, &other])]);
    world.run();
    assert_eq!(world.candidates(), [enr(1, 1)]);
    assert_eq!(world.dropped(), [EntryError::LinkInEnrTree]);
    assert!(!world.names().contains(&"b.test"));
}

#[test]
fn a_record_among_links_gives_nothing() {
    let tree = zone("a.test", 1, &enrs(0..2), &[enr(7, 1)]);
    let mut world = World::new(&[&tree], vec![serves(&[&tree])]);
    world.run();
    assert_eq!(world.candidates().len(), 2);
    assert_eq!(world.dropped(), [EntryError::EnrInLinkTree]);
}

#[test]
fn a_bad_record_leaves_the_others() {
    let mut nodes = enrs(0..4);
    nodes.push("enr:-----".into());
    let tree = zone("a.test", 1, &nodes, &[]);
    let mut world = World::new(&[&tree], vec![serves(&[&tree])]);
    world.run();
    assert_eq!(world.candidates().len(), 4);
    assert_eq!(world.dropped().len(), 1);
    assert_eq!(world.dropped()[0].reason(), "enr");
}

#[test]
fn of_two_records_of_a_node_the_newer_stands() {
    for order in [[2, 1], [1, 2]] {
        let nodes = order.map(|seq| enr(1, seq));
        let trees = [("a.test", &nodes[0]), ("b.test", &nodes[1])]
            .map(|(domain, node)| zone(domain, 1, std::slice::from_ref(node), &[]));
        let [first, second] = &trees;
        let mut world = World::new(&[first, second], vec![serves(&[first, second])]);
        world.run();
        assert_eq!(*world.candidates().last().unwrap(), enr(1, 2));
    }
}

#[test]
fn what_stands_beside_the_entries_is_passed_over() {
    let tree = zone("a.test", 1, &enrs(0..5), &[]);
    let mut beside = tree.records.clone();
    for texts in beside.values_mut() {
        texts.insert(0, "v=spf1 -all".into());
        texts.push("enrtree-root:v1 is not this".into());
    }
    let mut world = World::new(&[&tree], vec![Resolver::Serves(beside)]);
    world.run();
    assert_eq!(world.last_end(), (5, false));
    assert_eq!(world.dropped(), []);
}

#[test]
fn a_tree_that_is_deeper_than_any_real_one_is_cut() {
    // Branches of one child each, 40 levels.
    let mut tree = zone("a.test", 1, &enrs(0..1), &[]);
    let mut top = subdomain(&enr(0, 1));
    for _ in 0..40 {
        let text = Entry::Branch(vec![top]).to_string();
        top = subdomain(&text);
        tree.records.insert(format!("{top}.a.test"), vec![text]);
    }
    // The top is published as the only entry of the tree's root.
    let deep = zone(
        "a.test",
        2,
        &[tree.records[&format!("{top}.a.test")][0].clone()],
        &[],
    );
    let all = records(&[&tree, &deep]);
    let mut world = World::new(&[&deep], vec![Resolver::Serves(all)]);
    world.run();
    assert_eq!(world.candidates(), [""; 0]);
    assert_eq!(world.dropped(), [EntryError::TooDeep]);
}

#[test]
fn a_tree_with_more_entries_than_are_kept_is_cut() {
    let tree = zone("a.test", 1, &enrs(0..100), &[]);
    let config = WalkConfig {
        max_entries: 60,
        budget: 1_000,
        ..WalkConfig::default()
    };
    let mut world = World::with(&[&tree], vec![serves(&[&tree])], config, 1);
    world.run();
    assert!(world.dropped().contains(&EntryError::TooMany));
    let found = world.candidates().len();
    assert!((40..60).contains(&found), "{found}");
}

#[test]
fn an_entry_that_is_too_long_is_dropped() {
    let long = format!("enrtree-branch:{}", ["AAAAAAAAAAAAAAAAAAAA"; 200].join(","));
    let mut nodes = enrs(0..2);
    nodes.push(long);
    let tree = zone("a.test", 1, &nodes, &[]);
    let mut world = World::new(&[&tree], vec![serves(&[&tree])]);
    world.run();
    assert_eq!(world.candidates().len(), 2);
    assert_eq!(world.dropped(), [EntryError::TooLong]);
}

#[test]
fn a_root_that_changed_is_read_and_only_what_is_new_is_looked_up() {
    let old = zone("a.test", 1, &enrs(0..20), &[]);
    let new = zone("a.test", 2, &enrs(0..21), &[]);
    let mut world = World::new(&[&old], vec![serves(&[&old])]);
    world.run();
    assert_eq!(world.candidates().len(), 20);

    world.resolvers[0] = serves(&[&new]);
    world.now += 61_000;
    let before = world.asked.len();
    world.run();
    assert_eq!(world.candidates().len(), 21);
    // The root, the top, the branch that grew, and the new leaf.
    assert_eq!(world.asked.len() - before, 4);
    assert_eq!(world.last_end(), (1, false));
}

#[test]
fn a_new_publication_in_the_middle_of_a_run_is_noticed() {
    let old = zone("a.test", 1, &enrs(0..100), &[]);
    let new = zone("a.test", 2, &enrs(100..130), &[]);
    let mut world = World::new(&[&old], vec![serves(&[&old])]);
    world.walk.start(world.now);
    while world.candidates().is_empty() {
        assert!(world.step());
    }
    world.resolvers[0] = serves(&[&new]);
    while !matches!(world.events.last(), Some((_, WalkEvent::Finished { .. }))) {
        assert!(world.step());
    }
    let fresh: BTreeSet<_> = enrs(100..130).into_iter().collect();
    assert!(world.candidate_set().intersection(&fresh).count() > 5);
    assert_eq!(world.walk.sequences().next().unwrap().1, 2);
}

#[test]
fn every_tree_has_its_share_of_the_candidates() {
    let large = zone("a.test", 1, &enrs(0..100), &[]);
    let small = zone("b.test", 1, &enrs(100..108), &[]);
    let mut world = World::new(&[&large, &small], vec![serves(&[&large, &small])]);
    world.run();
    let fresh: BTreeSet<_> = enrs(100..108).into_iter().collect();
    assert_eq!(world.candidate_set().intersection(&fresh).count(), 8);
}
