//! Nothing but the inputs decides: not the order of hash maps, not where things lie in memory (D2), and not which of two
//! peers is heard of first in one moment (D3).

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::process::Command as Process;

use libp2p_identity::PeerId;
use lightkeeper::manager::{Command, Config, ConnId, Event, GateQuery, Manager, Reason, Time};

use crate::brain::{Brain, Doctored, Hears, Maker, manager};
use crate::client::Step;
use crate::generate::network;
use crate::network::{Behaviour, NetworkSpec};
use crate::replay::{AS_IT_WAS, Machine};
use crate::rng::Rng;
use crate::runner::run;
use crate::script::{Act, Script};
use crate::view::Input;
use crate::world::{Options, World};

// --- D2 ---------------------------------------------------------------------------------------------------------------

/// Containers whose order nobody decides. `DefaultHasher` has fixed keys, and only finds.
const UNORDERED: [&str; 4] = ["HashMap", "HashSet", "RandomState", "hash_map"];

/// Lines of a source that name such a container, comments left out.
fn unordered(source: &str) -> Vec<&str> {
    let code = |line: &&str| {
        let code = line.split("//").next().unwrap_or_default();
        UNORDERED.iter().any(|name| code.contains(name))
    };
    source.lines().filter(code).collect()
}

#[test]
fn no_unordered_container_is_on_a_way_to_a_decision_d2() {
    let manager = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manager");
    let mut files = 0;
    let mut folders = vec![manager];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the sources are there") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|end| end != "rs") {
                continue;
            }
            let source = std::fs::read_to_string(&path).expect("it can be read");
            assert_eq!(unordered(&source), [""; 0], "D2: {}", path.display());
            files += 1;
        }
    }
    assert!(files > 50, "{files} files are the manager");
}

#[test]
fn a_hash_map_in_the_sources_fails_the_test_of_d2() {
    for line in [
        "use std::collections::HashMap;",
        "use std::collections::{BTreeMap, HashSet};",
        "let keys = RandomState::new();",
        "std::collections::hash_map::Entry::Vacant(entry)",
    ] {
        assert_eq!(unordered(&format!("fn a() {{}}\n{line}\n")), [line]);
    }
    assert_eq!(
        unordered("/// Unlike a `HashMap`.\nlet map = BTreeMap::new();"),
        [""; 0]
    );
}

/// A number for all that a machine orders when it is played a record: equal numbers, equal orders.
fn transcript(machine: &mut dyn Machine, steps: &[Step], clutter: u64) -> u64 {
    let mut rng = Rng::new(clutter);
    let mut heap: Vec<Vec<u8>> = Vec::new();
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    for step in steps {
        if clutter > 0 {
            let size = usize::try_from(rng.between(1, 5_000)).expect("small");
            heap.push(vec![0; size]);
            if rng.per_mille(450) {
                let place = usize::from(rng.place(heap.len()));
                heap.swap_remove(place);
            }
        }
        match &step.input {
            Input::Event(event) => machine.handle(step.time, event.clone()),
            Input::Gate(query, _) => {
                let _ = machine.gate(step.time, query.clone());
            }
        }
        while let Some(command) = machine.poll() {
            for byte in format!("{command:?}").bytes() {
                digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    digest
}

/// A record of a seed's run, and what the manager of it was made of.
fn record(seed: u64) -> (Vec<Step>, Config, [u8; 32]) {
    let script = Script::from_seed(seed);
    let options = Options {
        record: true,
        ..Options::default()
    };
    let run = run(&script, options);
    (
        run.log.steps.expect("it was recorded"),
        script.tuning.config(),
        run.seed,
    )
}

fn told(seed: u64, clutter: u64) -> u64 {
    let (steps, config, own) = record(seed);
    let mut manager = Manager::new(config, own, AS_IT_WAS.zero());
    transcript(&mut manager, &steps, clutter)
}

const RECORDED: [u64; 6] = [3, 6, 7, 12, 13, 23];

#[test]
fn a_cluttered_memory_changes_no_order_d2() {
    for seed in RECORDED {
        let tidy = told(seed, 0);
        let others: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (1..3)
                .map(|clutter| scope.spawn(move || told(seed, clutter)))
                .collect();
            let joined = threads.into_iter().map(|thread| thread.join());
            joined.map(|end| end.expect("it does not panic")).collect()
        });
        assert_eq!(others, [tidy; 2], "D2, seed {seed}");
    }
}

/// What the child prints before its numbers.
const MARK: &str = "transcripts:";

/// Prints for another process what is ordered in this one; for nobody else there is nothing to say.
#[test]
fn speaks_for_another_process() {
    if std::env::var_os("SIM_TRANSCRIPTS").is_some() {
        let told: Vec<String> = RECORDED.map(|seed| told(seed, 9).to_string()).into();
        println!("{MARK}{}", told.join(","));
    }
}

#[test]
fn another_process_gives_the_same_orders_d2() {
    let mut child = Process::new(std::env::current_exe().expect("it runs"));
    child.args([
        "--exact",
        "families_order::speaks_for_another_process",
        "--nocapture",
    ]);
    let output = child.env("SIM_TRANSCRIPTS", "1").output().expect("it runs");
    let said = String::from_utf8(output.stdout).expect("text");
    let there = said.lines().find_map(|line| line.split_once(MARK));
    let here: Vec<String> = RECORDED.map(|seed| told(seed, 0).to_string()).into();
    let (_, there) = there.expect("it says what it was asked");
    assert_eq!(there, here.join(","), "D2");
}

/// A manager that looks at something that no input tells.
struct Peeking {
    manager: Manager,
    sees: Box<dyn Fn() -> u64>,
    extra: Option<Command>,
}

impl Machine for Peeking {
    fn handle(&mut self, time: Time, event: Event) {
        self.manager.handle(time, event);
        let conn = ConnId((self.sees)());
        let timeout_ms = 0;
        self.extra = Some(Command::Ping {
            conn,
            ping: 0,
            timeout_ms,
        });
    }

    fn gate(&mut self, time: Time, query: GateQuery) -> Result<(), Reason> {
        self.manager.gate(time, query)
    }

    fn poll(&mut self) -> Option<Command> {
        self.extra.take().or_else(|| self.manager.poll())
    }

    fn next_deadline(&self) -> Option<u64> {
        self.manager.next_deadline()
    }

    fn read(&self) {}
}

#[test]
fn a_manager_that_looks_at_hashes_or_addresses_fails_the_test_of_d2() {
    let (steps, config, own) = record(3);
    let peeking = |sees: Box<dyn Fn() -> u64>| Peeking {
        manager: Manager::new(config.clone(), own, AS_IT_WAS.zero()),
        sees,
        extra: None,
    };
    let hashed = || -> Box<dyn Fn() -> u64> {
        let map: HashMap<u64, ()> = (0..1_024).map(|key| (key, ())).collect();
        Box::new(move || {
            let keys = map.keys();
            keys.fold(0, |sum: u64, key| sum.wrapping_mul(31).wrapping_add(*key))
        })
    };
    let placed = || -> Box<dyn Fn() -> u64> {
        let here = Box::new(0_u8);
        Box::new(move || std::ptr::from_ref(&*here).addr() as u64)
    };
    let makers: [&dyn Fn() -> Box<dyn Fn() -> u64>; 2] = [&hashed, &placed];
    for sees in makers {
        // Both live at once: no two things lie at one place.
        let (mut one, mut other) = (peeking(sees()), peeking(sees()));
        assert_ne!(
            transcript(&mut one, &steps, 0),
            transcript(&mut other, &steps, 0)
        );
    }
}

// --- D3 ---------------------------------------------------------------------------------------------------------------

/// A network that does not change, in which much happens at once and little is enough.
fn narrow(seed: u64) -> NetworkSpec {
    let mut rng = Rng::new(seed ^ 0xd3);
    let size = usize::try_from(rng.between(6, 40)).expect("few peers");
    let mut network = network(&mut rng, size);
    for (place, peer) in network.peers.iter_mut().enumerate() {
        peer.hop_ms = 20;
        if matches!(
            peer.behaviour,
            Behaviour::Flapping { .. } | Behaviour::Full { .. }
        ) {
            peer.behaviour = Behaviour::Honest;
        }
        // One or two serve the last requirement.
        if place > usize::from(rng.place(2)) {
            peer.serves &= 0b011;
            peer.claims &= 0b011;
        }
    }
    network
}

/// For each requirement: whether its minimum holds in the end, and its target. And how much was swapped.
fn satisfied(seed: u64, swap: Option<u64>, make: Maker) -> (Vec<(bool, bool)>, u64) {
    const HOUR: u64 = 3_600_000;
    let mut script = Script::new(seed, narrow(seed), HOUR).at(0, Act::Workload { every_ms: 5_000 });
    script.acts.push((HOUR / 2, Act::Workload { every_ms: 0 }));
    let mut world = World::with(&script, Options::default(), make);
    world.swaps = swap.map(|seed| (Rng::new(seed), 0));
    world.run();
    let manager = world.clients[0].brain.manager().expect("it is one");
    let met = manager.requirements().into_iter().map(|view| {
        let have = view.have;
        (have >= view.min, have >= view.target)
    });
    let swapped = world.swaps.map_or(0, |(_, swapped)| swapped);
    (met.collect(), swapped)
}

/// D3 over many networks. Returns how much was swapped.
fn permuted(make: Maker) -> Result<u64, String> {
    let mut swaps = 0;
    for seed in 0..60 {
        let (met, _) = satisfied(seed, None, make);
        for swap in 1..4 {
            let (again, swapped) = satisfied(seed, Some(swap), make);
            swaps += swapped;
            if again != met {
                return Err(format!(
                    "D3, seed {seed}, swaps {swap}: {met:?}, then {again:?}"
                ));
            }
        }
    }
    Ok(swaps)
}

#[test]
fn whom_one_hears_of_first_in_a_moment_does_not_matter_d3() {
    let swaps = permuted(manager).unwrap_or_else(|said| panic!("{said}"));
    assert!(swaps > 2_000, "{swaps} inputs were swapped");
}

#[test]
fn a_manager_that_hears_only_the_first_of_a_moment_fails_the_test_of_d3() {
    let hasty: Maker = |config, seed, now| -> Box<dyn Brain> {
        let (mut last, mut ignored) = (None, BTreeSet::new());
        let hears: Hears = Box::new(move |manager, time, event| {
            let mut hears = |peer: &PeerId| {
                if manager.peer(peer).is_some() {
                    return true;
                }
                if last == Some(time.mono_ms) {
                    ignored.insert(*peer);
                }
                last = Some(time.mono_ms);
                !ignored.contains(peer)
            };
            match event {
                Event::Answered { peer, mut entries } => {
                    entries.retain(|said| hears(&said.peer));
                    Some(Event::Answered { peer, entries })
                }
                Event::Discovered { peer, .. } if !hears(&peer) => None,
                event => Some(event),
            }
        });
        Box::new(Doctored::new(config, seed, now, hears))
    };
    assert!(permuted(hasty).is_err_and(|said| said.starts_with("D3")));
}
