//! The recorded runs of `tests/simulation/logs`, made from stories. Kept as files so that a browser repeats what this
//! machine recorded, and so that a change of the manager shows.

#[path = "../simulation/logs/mod.rs"]
mod logs;

use std::path::Path;

use lightkeeper::manager::{
    Class, CloseCause, EnrollmentId, Event, GateQuery, LockId, Log, Metadata, Outcome, Priority,
    ProtocolSpec, Quota, Recorded, Source, Time,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::events::{event, query};
use crate::world::{ALL, FILTER, LIGHT_PUSH, STORE, World, config, need};
use logs::{DIGESTS, LOGS, hex};

/// A cold start, reports of all kinds, hand-off, and the loss of one provider after another.
fn start() -> World {
    let (mut world, fleet) = World::fleet_with(11);
    world.start();
    world.run(20_000);
    for place in [fleet.all[0], fleet.all[1]] {
        for outcome in Outcome::ALL {
            world.report(place, FILTER, *outcome);
            world.run(700);
        }
    }
    world.run(300_000);
    for place in fleet.everybody() {
        world.stop_node(place);
        world.run(9_000);
        world.start_node(place);
        world.run(45_000);
    }
    world
}

/// Everything fails, the browser goes offline and online, the machine sleeps.
fn outage() -> World {
    let (mut world, fleet) = World::fleet_with(12);
    world.start();
    world.run(120_000);
    for place in fleet.everybody() {
        world.stop_node(place);
    }
    world.run(90_000);
    world.tell(Event::Offline);
    world.run(60_000);
    for place in fleet.everybody() {
        world.start_node(place);
    }
    world.tell(Event::Online);
    world.run(60_000);
    // Nobody is told of the end of any connection while the machine sleeps.
    world.now += 3_600_000;
    world.tell(Event::Tick);
    world.run(60_000);
    world
}

/// What a user and protocols of their own do.
fn user() -> World {
    let (mut world, fleet) = World::fleet_with(13);
    let stranger = world.node(&ALL);
    world.nodes[stranger].metadata = Metadata::OtherNetwork;
    world.named(stranger);
    world.start();
    world.run(10_000);
    world.connect_now(fleet.store);
    world.set_need(LIGHT_PUSH, need(2, 3, 4));
    world.set_need(STORE, need(1, 2, 2));
    world.run(10_000);
    let peer = world.nodes[fleet.all[0]].id;
    let enrollment = EnrollmentId(1);
    for event in [
        Event::Enroll {
            enrollment,
            spec: ProtocolSpec {
                name: "chat".to_owned(),
                protocols: vec!["/store/3".to_owned()],
                class: Class::Normal,
                weight: 2,
                quota: Quota::default(),
                need: Some(need(1, 1, 2)),
                scores: true,
                answer_ms: 5_000,
            },
        },
        Event::Lock {
            lock: LockId(1),
            enrollment,
            peer,
            ttl_ms: 30_000,
        },
        Event::Protect {
            peer,
            tag: "friend".to_owned(),
        },
        Event::Hint {
            peer,
            tag: "near".to_owned(),
            value: 100,
            ttl_ms: Some(60_000),
        },
        Event::SetLimits {
            soft: Some(6),
            hard: Some(8),
        },
        Event::Regulate,
    ] {
        world.tell(event);
        world.run(2_000);
    }
    for peer in [None, Some(peer), Some(world.nodes[stranger].id)] {
        let _ = world
            .manager
            .gate(world.time(), GateQuery::Outbound { peer });
        let _ = world
            .manager
            .gate(world.time(), GateQuery::Inbound { peer });
    }
    world.set_priority(fleet.all[1], Priority::Banned);
    world.hang_up(fleet.store);
    world.lose(fleet.all[2], CloseCause::RemoteClean);
    world.discovered(fleet.filter, Source::Static);
    world.run(120_000);
    world.tell(Event::Stop);
    world.run(1_000);
    world.tell(Event::Start);
    world.run(30_000);
    world
}

/// Inputs of every kind, without sense.
fn storm() -> Recorded {
    let mut runner = TestRunner::deterministic();
    let mut any = |count: usize| {
        let step = (0..4_000_u64, event(), prop::option::weighted(0.1, query()));
        let steps = prop::collection::vec(step, count);
        steps.new_tree(&mut runner).expect("a value").current()
    };
    let mut now = Time {
        mono_ms: 0,
        wall_ms: 1_700_000_000_000,
    };
    let mut manager = Recorded::new(config(true), [14; 32], now);
    for (wait_ms, event, query) in any(1_500) {
        now.mono_ms += wait_ms;
        now.wall_ms += wait_ms;
        // A node that someone stopped or paused for good would show nothing.
        manager.handle(now, Event::Unpause);
        manager.handle(now, Event::Online);
        manager.handle(now, Event::Start);
        manager.handle(now, event);
        if let Some(query) = query {
            let _ = manager.gate(now, query);
        }
        while manager.poll().is_some() {}
    }
    manager
}

fn recorded(name: &str) -> Vec<u8> {
    match name {
        "start" => start().manager.log(),
        "outage" => outage().manager.log(),
        "user" => user().manager.log(),
        "storm" => storm().log(),
        _ => panic!("no story makes {name}"),
    }
}

#[test]
fn the_corpus_of_logs_is_what_the_stories_record() {
    let bless = std::env::var_os("LIGHTKEEPER_BLESS").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulation/logs");
    let mut digests = String::new();
    for (name, stored) in LOGS {
        let bytes = recorded(name);
        let log = Log::decode(&bytes).expect("its own log");
        assert!(log.complete);
        digests += &format!("{name} {}\n", hex(log.digest()));
        if bless {
            std::fs::write(folder.join(format!("{name}.bin")), &bytes).expect("a log is written");
        } else {
            let same = *stored == bytes;
            assert!(
                same,
                "{name} is another run now: see tests/simulation/logs/mod.rs"
            );
        }
    }
    if bless {
        std::fs::write(folder.join("digests.txt"), digests).expect("the digests are written");
    } else {
        assert_eq!(digests, DIGESTS, "see tests/simulation/logs/mod.rs");
    }
}
