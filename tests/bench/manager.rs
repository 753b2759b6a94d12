//! What one `handle` of the manager costs natively, and how much memory the manager takes.
//!
//! `cargo bench --no-default-features --bench manager` prints a table (percentiles over a mix of inputs, for more and
//! more known peers; memory), then criterion's means of three inputs with 5,000 known peers. `-- table` prints the table
//! alone. A number is one call of `handle` and the draining of what it ordered.

mod clock;
mod memory;
mod mix;
// Its spreads are the simulation's.
#[allow(dead_code)]
mod report;
mod table;
mod world;

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group};
use lightkeeper::manager::{Event, Outcome, RequirementId};
use world::World;

/// The most peers that are kept.
const PEERS: usize = 5_000;
/// One loss in this time: fast enough to be work, slow enough for the pacing of dials to allow each replacement.
const BETWEEN_LOSSES_MS: u64 = 1_000;
/// After so many losses the world is made anew, so that most peers have not failed yet.
const LOSSES_PER_WORLD: u64 = 300;

/// Measures calls of `handle` while `work` makes some, in worlds that are made anew now and then.
fn measure(calls: u64, rounds_per_world: u64, mut work: impl FnMut(&mut World, u64)) -> Duration {
    let (mut handled, mut took) = (0, Duration::ZERO);
    while handled < calls {
        let mut world = World::of(PEERS);
        let before = world.handled;
        let began = Instant::now();
        for round in 0..rounds_per_world {
            work(&mut world, round);
            if handled + world.handled - before >= calls {
                break;
            }
        }
        took += began.elapsed();
        handled += world.handled - before;
    }
    took.mul_f64(calls as f64 / handled as f64)
}

fn handle(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("handle");
    group.sample_size(20);

    // Losses, replacements, ticks and pings, as they follow from one another.
    group.bench_function(BenchmarkId::new("losses", PEERS), |bencher| {
        bencher.iter_custom(|calls| {
            measure(calls, LOSSES_PER_WORLD, |world, _| {
                world.pass(BETWEEN_LOSSES_MS);
                world.lose(0);
            })
        });
    });

    // Peers that are known already are heard of again.
    group.bench_function(BenchmarkId::new("discovered", PEERS), |bencher| {
        bencher.iter_custom(|calls| {
            measure(calls, u64::MAX, |world, round| {
                let event = world.sighting(round as usize * 997 % PEERS);
                world.tell(event);
            })
        });
    });

    // A request went well.
    group.bench_function(BenchmarkId::new("report", PEERS), |bencher| {
        bencher.iter_custom(|calls| {
            measure(calls, u64::MAX, |world, _| {
                let peer = world.open[0].peer;
                world.tell(Event::Report {
                    peer,
                    requirement: RequirementId(0),
                    outcome: Outcome::Success,
                    charged: true,
                });
            })
        });
    });
    group.finish();
}

criterion_group!(benches, handle);

fn main() {
    table::print();
    if !std::env::args().any(|word| word == "table") {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
}
