//! Servers that come, go and fall silent at random, while wishes come and go.

use proptest::collection::vec;
use proptest::prelude::*;

use super::fake::Takes;
use super::world::World;
use crate::protocols::filter::hub::WishState;

const SERVERS: usize = 5;
const TOPICS: usize = 4;

#[derive(Debug, Clone)]
enum Step {
    Publish(usize),
    Pass(u64),
    /// Connects one that is away, disconnects one that is there.
    Toggle(usize),
    /// Falls silent; it is found out and disconnected so many milliseconds later.
    Stall(usize, u64),
    Want(usize, u8),
    Unwant(usize),
    /// What arrives is lost to our bounds.
    Lose(usize),
    Sleep(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..TOPICS).prop_map(Step::Publish),
        6 => (0..5_000_u64).prop_map(Step::Pass),
        1 => (0..100_000_u64).prop_map(Step::Pass),
        3 => (0..SERVERS).prop_map(Step::Toggle),
        2 => (0..SERVERS, 0..9_000_u64).prop_map(|(n, ms)| Step::Stall(n, ms)),
        2 => (0..TOPICS, 1..4_u8).prop_map(|(n, peers)| Step::Want(n, peers)),
        1 => (0..TOPICS).prop_map(Step::Unwant),
        1 => (0..SERVERS).prop_map(Step::Lose),
        1 => (15_000..400_000_u64).prop_map(Step::Sleep),
    ]
}

fn name(n: usize) -> String {
    format!("/app/1/{n}/proto")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever servers do: with a store every message comes, none twice (the world asserts it), nobody is asked more often
    /// than it allows, and nobody is blamed.
    #[test]
    fn nothing_is_lost_or_told_twice_and_no_pace_is_broken(
        steps in vec(step(), 1..80),
        takes in prop_oneof![Just(Takes::ThirtyAMinute), Just(Takes::OneASecond)],
    ) {
        let mut world = World::of(SERVERS, takes);
        // Of each wish: its topic, and what was published since it was made.
        let mut wishes = Vec::new();
        let mut stalled = [None; SERVERS];
        for step in steps {
            let until = match step {
                Step::Pass(ms) => world.now + ms,
                _ => world.now,
            };
            while let Some((server, at)) = (0..SERVERS)
                .filter_map(|n| stalled[n].map(|at: u64| (n, at)))
                .filter(|(_, at)| *at <= until)
                .min_by_key(|(_, at)| *at)
            {
                stalled[server] = None;
                world.run_to(at.max(world.now));
                world.disconnect(server);
            }
            world.run_to(until);
            match step {
                Step::Publish(n) => {
                    let hash = world.publish(&name(n));
                    for (id, topic, sent) in &mut wishes {
                        if *topic == n && world.made.contains_key(id) {
                            Vec::push(sent, hash);
                        }
                    }
                }
                Step::Pass(_) => {}
                Step::Toggle(n) if stalled[n].is_some() => {}
                Step::Toggle(n) if world.fakes[n].serving => world.disconnect(n),
                Step::Toggle(n) => {
                    world.fakes[n].silent = false;
                    world.connect(n);
                }
                Step::Stall(n, ms) => {
                    if world.fakes[n].serving {
                        world.fakes[n].silent = true;
                        stalled[n].get_or_insert(world.now + ms);
                    }
                }
                Step::Want(n, peers) => {
                    let id = world.want_with(&[&name(n)], 0, peers, true);
                    wishes.push((id, n, Vec::new()));
                }
                Step::Unwant(n) => {
                    if let Some(place) = wishes.iter().position(|(_, topic, _)| *topic == n) {
                        let (id, _, _) = wishes.remove(place);
                        let time = world.time();
                        world.hub.unwant(time, id);
                    }
                }
                Step::Lose(n) => {
                    let (time, peer) = (world.time(), world.fakes[n].peer);
                    world.hub.lost_bytes(time, &peer);
                }
                Step::Sleep(ms) => {
                    let from = world.time();
                    world.now += ms;
                    let time = world.time();
                    world.hub.disturbed(time, from);
                }
            }
        }
        for (n, stalled) in stalled.iter().enumerate() {
            world.fakes[n].silent = false;
            if !world.fakes[n].serving || stalled.is_some() {
                world.connect(n);
            }
        }
        world.run_for(5 * 60_000);
        for (id, _, sent) in &wishes {
            prop_assert!(world.made.contains_key(id));
            let got = world.got(*id);
            let lost: Vec<_> = sent.iter().filter(|hash| !got.contains(hash)).collect();
            prop_assert!(lost.is_empty(), "{} of {} lost, {:?}", lost.len(), sent.len(), world.gaps);
            let last = world.states.iter().rev().find(|(_, of, _)| of == id);
            prop_assert!(last.is_none_or(|(_, _, state)| *state == WishState::Active));
        }
        prop_assert!(world.gaps.iter().all(|gap| gap.filled));
        prop_assert!(world.told.is_empty(), "{:?}", world.told);
        for fake in &world.fakes {
            prop_assert!(fake.most_in_a_minute() <= 30);
            prop_assert!(takes != Takes::ThirtyAMinute || fake.refused == 0);
        }
    }
}
