//! The log of inputs: what is recorded is read back, and repeats the run (4.19, D1, R5, R6).

use std::collections::BTreeSet;

use lightkeeper::manager::record::{Input, Log};
use lightkeeper::manager::{Command, Event, GateQuery, Outcome, Recorded, Time, WireError};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::events::{KINDS, event, every, kind, query};
use crate::world::{FILTER, World, config};

const START: Time = Time {
    mono_ms: 5,
    wall_ms: 1_700_000_000_000,
};

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        8 => event().prop_map(Input::Event),
        1 => query().prop_map(Input::Query),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Input::Restore),
    ]
}

/// Clocks that go forward, stand, and go back.
fn time() -> impl Strategy<Value = Time> {
    let clock = || prop_oneof![4 => 0..1_000_000_u64, 1 => any::<u64>()];
    (clock(), clock()).prop_map(|(mono_ms, wall_ms)| Time { mono_ms, wall_ms })
}

fn steps() -> impl Strategy<Value = Vec<(Time, Input)>> {
    prop::collection::vec((time(), input()), 0..60)
}

fn feed(manager: &mut Recorded, at: Time, input: &Input) -> Vec<Command> {
    match input {
        Input::Event(event) => manager.handle(at, event.clone()),
        Input::Query(query) => drop(manager.gate(at, query.clone())),
        Input::Restore(bytes) => drop(manager.restore(at, bytes)),
    }
    std::iter::from_fn(|| manager.poll()).collect()
}

#[test]
fn every_input_is_among_those_that_the_properties_try() {
    let mut runner = TestRunner::deterministic();
    let seen: BTreeSet<&str> = every()
        .iter()
        .map(|one| {
            let tree = one.new_tree(&mut runner).expect("a value");
            kind(&tree.current())
        })
        .collect();
    assert_eq!(seen, KINDS.iter().copied().collect());
    assert_eq!(every().len(), KINDS.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_recorded_is_read_back(seed in any::<[u8; 32]>(), steps in steps()) {
        let mut manager = Recorded::new(config(true), seed, START);
        for (at, input) in &steps {
            feed(&mut manager, *at, input);
        }
        let log = Log::decode(&manager.log()).expect("its own log");
        prop_assert_eq!(log.seed, seed);
        prop_assert_eq!(log.start, START);
        prop_assert_eq!(format!("{:?}", log.config), format!("{:?}", config(true)));
        prop_assert!(log.complete);
        prop_assert_eq!(log.steps, steps);
    }

    #[test]
    fn a_log_repeats_the_run_that_it_was_taken_from(seed in any::<u8>(), steps in steps()) {
        let mut manager = Recorded::new(config(true), [seed; 32], START);
        let orders: Vec<Vec<Command>> = steps
            .iter()
            .map(|(at, input)| feed(&mut manager, *at, input))
            .collect();
        let log = Log::decode(&manager.log()).expect("its own log");
        let mut replay = log.replay();
        let repeated: Vec<Vec<Command>> = replay.by_ref().map(|turn| turn.commands).collect();
        prop_assert_eq!(orders, repeated);
        prop_assert_eq!(replay.manager().stats(), manager.stats());
        prop_assert_eq!(log.digest(), log.digest());
    }

    #[test]
    fn reading_any_bytes_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Log::decode(&bytes).is_err());
    }

    #[test]
    fn a_damaged_log_is_refused_or_read_and_replayed_without_a_panic(
        steps in steps(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut manager = Recorded::new(config(true), [1; 32], START);
        for (at, input) in &steps {
            feed(&mut manager, *at, input);
        }
        let mut bytes = manager.log();
        // The head ends where a log without steps does; settings of any size are not what a damage is to show.
        let head = Recorded::new(config(true), [1; 32], START).log().len() - 1;
        if cut {
            bytes.truncate(end.index(bytes.len()));
            prop_assert!(Log::decode(&bytes).is_err());
        } else {
            for (place, value) in damage {
                let place = head + place.index(bytes.len() - head);
                bytes[place] = value;
            }
            if let Ok(log) = Log::decode(&bytes) {
                log.digest();
            }
        }
    }
}

#[test]
fn a_log_with_something_after_its_end_is_refused() {
    let manager = Recorded::new(config(true), [1; 32], START);
    let mut bytes = manager.log();
    let end = bytes.len();
    bytes.push(0);
    assert_eq!(
        Log::decode(&bytes).map(|_| ()),
        Err(WireError::Malformed(end))
    );
}

#[test]
fn a_log_of_a_build_with_other_inputs_is_refused() {
    let mut bytes = Recorded::new(config(true), [1; 32], START).log();
    bytes[6] ^= 1;
    assert_eq!(Log::decode(&bytes).map(|_| ()), Err(WireError::OtherBuild));
    assert_eq!(Log::decode(b"{}").map(|_| ()), Err(WireError::NotALog));
    bytes.truncate(8);
    assert_eq!(Log::decode(&bytes).map(|_| ()), Err(WireError::CutOff));
}

#[test]
fn a_full_log_keeps_its_beginning_and_says_that_it_is_not_all() {
    const LIMIT: usize = 4_000;
    let mut manager = Recorded::with_limit(config(true), [1; 32], START, LIMIT);
    for i in 0..2_000 {
        let at = Time {
            mono_ms: START.mono_ms + i,
            ..START
        };
        manager.handle(at, Event::Online);
    }
    let bytes = manager.log();
    assert!(bytes.len() <= LIMIT);
    let log = Log::decode(&bytes).expect("its own log");
    assert!(!log.complete);
    assert!(log.steps.len() > 100);
    for (i, (at, input)) in log.steps.iter().enumerate() {
        assert_eq!(at.mono_ms, START.mono_ms + i as u64);
        assert_eq!(*input, Input::Event(Event::Online));
    }
}

#[test]
fn a_story_can_be_replayed_step_by_step_with_its_decisions() {
    let (mut world, fleet) = World::fleet();
    world.start();
    world.run(60_000);
    world.report(fleet.all[0], FILTER, Outcome::Broken);
    let _ = world
        .manager
        .gate(world.time(), GateQuery::Outbound { peer: None });
    let log = Log::decode(&world.manager.log()).expect("its own log");
    let mut replay = log.replay();
    let mut orders = Vec::new();
    let mut decisions = 0;
    for turn in replay.by_ref() {
        decisions += turn.decisions.len();
        orders.extend(turn.commands);
    }
    let live: Vec<Command> = world.orders.iter().map(|o| o.command.clone()).collect();
    assert_eq!(orders, live);
    assert_eq!(
        replay.manager().decisions(usize::MAX),
        world.manager.decisions(usize::MAX)
    );
    assert_eq!(decisions as u64, world.manager.stats().decisions);
}
