//! R2: what one input costs, counted in steps and not timed.
#![cfg(debug_assertions)]

use std::collections::BTreeMap;
use std::sync::Mutex;

use lightkeeper::manager::{Event, Manager, Source, Time};

use crate::book::{Flood, Note};
use crate::brain::{Brain, Doctored, Hears, Maker};
use crate::environment::Weather;
use crate::generate::{network, troubles};
use crate::rng::Rng;
use crate::script::{Act, Script};
use crate::world::{Options, World};

const MINUTE: u64 = 60_000;
/// Known peers, before and after they are ten times as many.
const FEW: u16 = 500;
const MANY: u16 = 4_900;
/// Requirements, and groups compared for each (4.6).
const REQUIREMENTS: u64 = 3;
const GROUPS: u64 = 8;
/// Steps for each of `(m + F·T) log n`.
const FACTOR: u64 = 2;
/// Steps that it takes to place a candidate anew.
const STEPS_PER_MOVE: u64 = 8;
/// Candidates that one input may place anew: 256 of a sweep over the table, and those that the input itself is about.
const MOVED: u64 = 256 + 8;

/// The dearest input of each kind: the most steps beside those of candidates that it placed anew, and the most of these.
type Dearest = BTreeMap<&'static str, (u64, u64)>;

static DEAREST: Mutex<Dearest> = Mutex::new(BTreeMap::new());
/// Runs share what they count.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn kind(event: &Event) -> &'static str {
    match event {
        Event::Tick => "tick",
        Event::Discovered {
            source: Source::PeerExchange,
            ..
        } => "sighting",
        Event::Discovered { .. } => "other sighting",
        Event::Answered { .. } => "answer",
        Event::Connected { .. } | Event::Identified { .. } | Event::Metadata { .. } => "connection",
        Event::Closed { .. } => "close",
        Event::DialFailed { .. } => "failure",
        Event::Report { .. } => "report",
        Event::Start => "start",
        Event::SetNeed { .. } => "need",
        Event::Online | Event::Offline => "network",
        _ => "other",
    }
}

/// Counts what the input before this one cost: an input is over when the next comes.
fn counting(walks: bool) -> Hears {
    let mut last: Option<&'static str> = None;
    Box::new(move |manager: &mut Manager, _: Time, event: Event| {
        if let Some(kind) = last {
            let (steps, moved) = Manager::take_steps();
            let mut dearest = DEAREST.lock().expect("nobody panics with it");
            let most = dearest.entry(kind).or_default();
            let beside = steps.saturating_sub(STEPS_PER_MOVE * moved);
            *most = (most.0.max(beside), most.1.max(moved));
        }
        // What reading costs is not the manager's.
        Manager::take_steps();
        if walks {
            manager.peers();
        }
        last = Some(kind(&event));
        Some(event)
    })
}

/// The dearest inputs of a story with so many known peers.
fn dearest(known: u16, make: Maker) -> Dearest {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(|end| end.into_inner());
    DEAREST.lock().expect("nobody panics with it").clear();
    Manager::take_steps();
    let mut rng = Rng::new(5);
    let mut script = Script::new(5, network(&mut rng, 40), 90 * MINUTE);
    script.acts.push((0, Act::Workload { every_ms: 2_000 }));
    for (n, first) in (0_u64..).zip((0..known).step_by(350)) {
        let count = (known - first).min(350);
        let what = Flood::Sightings { by: None };
        let flood = Note::Flood {
            first,
            count,
            groups: 100,
            what,
        };
        script.acts.push((n * 1_000, Act::Note(flood)));
    }
    for _ in 0..60 {
        let t = rng.between(5 * MINUTE, 80 * MINUTE);
        troubles(&mut rng, &script.network, t, 85 * MINUTE, &mut script.acts);
    }
    let gone = Weather::NetworkGone { noticed: true };
    script.acts.push((40 * MINUTE, Act::Weather(gone)));
    script
        .acts
        .push((50 * MINUTE, Act::Weather(Weather::NetworkBack)));
    let mut world = World::with(&script, Options::default(), make);
    world.run();
    let manager = world.clients[0].brain.manager().expect("it is one");
    assert!(manager.stats().known >= u32::from(known), "they are known");
    DEAREST.lock().expect("nobody panics with it").clone()
}

fn log2(n: u16) -> u64 {
    u64::from(u16::BITS - n.leading_zeros())
}

/// R2 for one size of the table.
fn affordable(known: u16, dearest: &Dearest) -> Result<(), String> {
    let most = FACTOR * (REQUIREMENTS + REQUIREMENTS * GROUPS) * log2(known);
    // A start looks at everybody once: it is rare.
    let mut inputs = dearest.iter().filter(|(kind, _)| **kind != "start");
    match inputs.find(|(_, (steps, moved))| *steps > most || *moved > MOVED) {
        None => Ok(()),
        Some(dear) => Err(format!(
            "R2, {known} peers: {dear:?}, at most {most} and {MOVED}"
        )),
    }
}

fn counted(walks: bool) -> Maker {
    if walks {
        |config, seed, now| -> Box<dyn Brain> {
            Box::new(Doctored::new(config, seed, now, counting(true)))
        }
    } else {
        |config, seed, now| -> Box<dyn Brain> {
            Box::new(Doctored::new(config, seed, now, counting(false)))
        }
    }
}

#[test]
fn an_input_costs_little_however_many_are_known_r2() {
    for known in [FEW, MANY] {
        let dearest = dearest(known, counted(false));
        assert!(dearest.len() > 7, "{dearest:?}");
        assert_eq!(affordable(known, &dearest), Ok(()));
    }
}

#[test]
fn an_input_that_walks_over_everybody_fails_the_test_of_r2() {
    let said = affordable(MANY, &dearest(MANY, counted(true)));
    assert!(said.is_err_and(|said| said.starts_with("R2")));
}
