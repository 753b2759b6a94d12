//! The table of what `handle` costs by how many peers are known, and of memory.

use lightkeeper::manager::Event;

use crate::memory;
use crate::mix::{self, micros};
use crate::report::say;
use crate::world::{REQUIREMENTS, World};

/// Known peers; the last is for information, no node keeps so many.
const SIZES: [usize; 4] = [500, 1_600, 5_000, 50_000];
/// What is promised of 5,000.
const PROMISED: usize = 5_000;

/// Bytes that a manager takes that knows so many peers.
fn bytes(peers: usize) -> usize {
    let mut world = World::empty(peers);
    let events: Vec<Event> = (0..peers).map(|place| world.sighting(place)).collect();
    let before = memory::live();
    for event in events {
        // The events' own memory moves into the manager, or is given back: it was counted before.
        world.tell(event);
    }
    let after = memory::live();
    assert_eq!(world.manager.stats().known as usize, peers);
    let given: usize = (0..peers)
        .map(|place| {
            let before = memory::live();
            let event = world.sighting(place);
            let size = memory::live() - before;
            drop(event);
            size
        })
        .sum();
    after + given - before
}

/// The table of issue 4, section 3.
pub(crate) fn print() {
    println!("handle, {REQUIREMENTS} requirements, microseconds");
    println!(
        "{:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6}",
        "peers", "p50", "p90", "p99", "p99.9", "inputs", "open"
    );
    let mut medians = Vec::new();
    for peers in SIZES {
        let measured = mix::run(peers);
        let all = &measured.all;
        medians.push((peers, micros(all, 500)));
        let at = |per_mille| micros(all, per_mille);
        println!(
            "{peers:>8} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>8} {:>6}",
            at(500),
            at(900),
            at(990),
            at(999),
            all.len(),
            measured.open,
        );
        if peers == PROMISED {
            say("handle_p50_us", micros(all, 500), "us");
            say("handle_p99_us", micros(all, 990), "us");
            println!("         by input, of {peers} peers (to reach over all: p50 2, p99 20)");
            for (kind, list) in &measured.by_kind {
                println!(
                    "{kind:>12} {:>8.2} {:>8.2} {:>8.2} {:>8}",
                    micros(list, 500),
                    micros(list, 990),
                    micros(list, 999),
                    list.len()
                );
            }
        }
    }
    let median = |peers| medians.iter().find(|(size, _)| *size == peers);
    if let (Some((few, low)), Some((many, high))) = (median(SIZES[0]), median(PROMISED)) {
        // What is to be reached: as log n grows.
        let to_reach = (*many as f64).ln() / (*few as f64).ln();
        println!("p50 of {many} over {few} peers (to reach: {to_reach:.2})");
        say("handle_growth", high / low, "ratio");
    }
    println!("memory");
    for peers in SIZES {
        let kib = bytes(peers) as f64 / 1_024.0;
        println!("{peers:>8} peers {kib:>8.0} KiB (to reach at 5,000: 3,072)");
        if peers == PROMISED {
            say("manager_memory_kib", kib, "KiB");
        }
    }
}
