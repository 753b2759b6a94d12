//! Whole runs from seeds: the past failures first, then a range.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::runner::{judge, replay_command, run};
use crate::script::Script;
use crate::world::Options;

/// Seeds of the default run, and of the long one.
const DEFAULT: Range<u64> = 0..320;
const SOAK: Range<u64> = 0..1_000;
/// Cores that a default run may use.
const THREADS: usize = 2;

/// Whether there are hours to spend (`SIM_SOAK`).
pub(crate) fn soaks() -> bool {
    std::env::var_os("SIM_SOAK").is_some()
}

fn wanted() -> Range<u64> {
    let Ok(text) = std::env::var("SIM_SEEDS") else {
        return if soaks() { SOAK } else { DEFAULT };
    };
    let (from, to) = text.split_once("..").expect("SIM_SEEDS=from..to");
    let number = |text: &str| text.parse().expect("SIM_SEEDS names two numbers");
    number(from)..number(to)
}

/// Runs these seeds, several at once, and stops at the first failure (with `SIM_GO_ON`, only at the end).
fn all_pass(seeds: &[u64]) {
    let go_on = std::env::var_os("SIM_GO_ON").is_some();
    let next = AtomicU64::new(0);
    let failures: Mutex<Vec<String>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let place = usize::try_from(n).expect("few seeds");
                    let Some(seed) = seeds.get(place) else { return };
                    if !go_on && !failures.lock().expect("nobody panics with it").is_empty() {
                        return;
                    }
                    if let Some(violation) = judge(&Script::from_seed(*seed)) {
                        let said = format!("seed {seed}: {violation}\n{}", replay_command(*seed));
                        failures.lock().expect("nobody panics with it").push(said);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("nobody panics with it");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_seed_that_once_failed_passes() {
    let seeds: Vec<u64> = include_str!("seeds.txt")
        .lines()
        .filter_map(|line| line.split('#').next().map(str::trim))
        .filter(|line| !line.is_empty())
        .map(|line| line.parse().expect("a seed"))
        .collect();
    all_pass(&seeds);
}

#[test]
fn every_seed_keeps_the_invariants() {
    let seeds: Vec<u64> = wanted().collect();
    all_pass(&seeds);
}

/// Tells the story of `SIM_SEED`; without one, that of seed 0 must at least be tellable.
#[test]
fn one_seed() {
    let wanted = std::env::var("SIM_SEED").ok();
    let seed = wanted
        .as_ref()
        .map_or(0, |text| text.parse().expect("SIM_SEED is a number"));
    let script = Script::from_seed(seed);
    let story = wanted.is_some();
    if story {
        println!("{script:?}");
    }
    let options = Options {
        judge: true,
        record: false,
        story,
    };
    let told = run(&script, options);
    let broken = told.violation.or_else(|| judge(&script));
    if let Some(violation) = broken {
        panic!("seed {seed}: {violation}\n{}", replay_command(seed));
    }
}
