//! A mix of inputs, each timed by itself, for percentiles.

use std::collections::BTreeMap;

use lightkeeper::manager::{Event, Outcome, Priority, RequirementId};

use crate::world::{REQUIREMENTS, World};

/// Inputs of the mix, before what follows from them.
const INPUTS: u64 = 60_000;
/// Time between two of them, in milliseconds.
const BETWEEN_MS: u64 = 40;

/// A small generator: the mix is the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// One input, as often as a busy node sees them: mostly requests and signs of life, then news of peers, then losses.
fn step(world: &mut World, dice: &mut Dice, number: usize, peers: usize) {
    let place = usize::try_from(dice.roll(world.open.len().max(1) as u64)).unwrap_or(0);
    let Some(open) = world.open.get(place).copied() else {
        return;
    };
    let id = u8::try_from(dice.roll(u64::from(REQUIREMENTS))).unwrap_or(0);
    let report = |outcome| Event::Report {
        peer: open.peer,
        requirement: RequirementId(id),
        outcome,
        charged: true,
    };
    let known = dice.roll(peers as u64) as usize;
    let event = match dice.roll(100) {
        0..40 => report(Outcome::Success),
        40..42 => report(Outcome::Broken),
        42 => report(Outcome::Busy),
        43..60 => Event::Heard {
            conn: open.conn,
            silent_ms: 20,
        },
        60..72 => Event::Tick,
        72..84 => world.sighting(known),
        84..92 => world.stranger(number),
        92..94 => world.identify(open.conn, &open.peer),
        94 => Event::SetPriority {
            peer: open.peer,
            priority: Priority::Medium,
        },
        _ => return world.lose(place),
    };
    world.tell(event);
}

/// What each call of `handle` took, in nanoseconds, the shortest first.
pub(crate) struct Measured {
    pub(crate) all: Vec<u64>,
    pub(crate) by_kind: BTreeMap<&'static str, Vec<u64>>,
    /// Connections at the end.
    pub(crate) open: usize,
}

/// The mix, in a world of so many peers.
pub(crate) fn run(peers: usize) -> Measured {
    let mut world = World::of(peers);
    world.fails_one_in = 5;
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    for number in 0..1_000 {
        world.pass(BETWEEN_MS);
        step(&mut world, &mut dice, number, peers);
    }
    world.took = Some(Vec::new());
    for number in 1_000..1_000 + INPUTS as usize {
        world.pass(BETWEEN_MS);
        step(&mut world, &mut dice, number, peers);
    }
    world.manager.check();
    let mut measured = Measured {
        all: Vec::new(),
        by_kind: BTreeMap::new(),
        open: world.open.len(),
    };
    for (kind, ns) in world.took.take().unwrap_or_default() {
        measured.all.push(ns);
        measured.by_kind.entry(kind).or_default().push(ns);
    }
    measured.all.sort_unstable();
    for list in measured.by_kind.values_mut() {
        list.sort_unstable();
    }
    measured
}

/// A percentile in microseconds.
pub(crate) fn micros(sorted: &[u64], per_mille: usize) -> f64 {
    let place = (sorted.len() * per_mille / 1_000).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or(0) as f64 / 1_000.0
}
