//! What many runs must show of the address book: economy (E3), exploration (L10), restarts (L11), colluders (A3) and
//! floods of bans (A7).

use std::collections::{BTreeMap, BTreeSet};

use lightkeeper::manager::{
    Command, Config, DialFailure, Event, Manager, Need, Outcome, PeerState, Priority,
    RequirementId, Source, Time,
};

use crate::brain::{Brain, Doctored, Hears, Maker, manager};
use crate::environment::{MONO_ZERO, WALL_ZERO, Weather};
use crate::generate::network;
use crate::network::{Behaviour, NetworkSpec, address, peer_id};
use crate::oracles::cover::fewest;
use crate::rng::Rng;
use crate::script::{Act, Script, Tuning};
use crate::view::Input;
use crate::world::{Options, World};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

fn need(min: u8, target: u8, max: u8) -> Need {
    Need { min, target, max }
}

/// A network of a seed in which nothing changes by itself.
fn still(seed: u64) -> NetworkSpec {
    let mut rng = Rng::new(seed ^ 0x0e30_1000);
    let size = usize::try_from(rng.between(10, 60)).expect("few peers");
    let mut network = network(&mut rng, size);
    for peer in &mut network.peers {
        if matches!(
            peer.behaviour,
            Behaviour::Flapping { .. } | Behaviour::Full { .. }
        ) {
            peer.behaviour = Behaviour::Honest;
        }
        peer.accepts_per_s = None;
    }
    network
}

// --- E3 ---------------------------------------------------------------------------------------------------------------

/// What a run settled on.
#[derive(Debug)]
struct Settled {
    open: usize,
    /// The fewest of those that it had verified.
    optimum: usize,
}

impl Settled {
    /// Connections above OPT + 1 + spare.
    fn over(&self, config: &Config) -> usize {
        let allowed = self.optimum + 1 + usize::from(config.spare_connections);
        self.open.saturating_sub(allowed)
    }
}

/// Who was identified, as far as it does what it says.
fn verified(world: &World) -> BTreeSet<usize> {
    let client = &world.clients[0];
    let steps = client.log.steps.iter().flatten();
    let mut conns = BTreeMap::new();
    let mut identified = BTreeSet::new();
    for step in steps {
        match &step.input {
            Input::Event(Event::Connected { conn, peer, .. }) => {
                conns.insert(*conn, *peer);
            }
            Input::Event(Event::Identified { conn, .. }) => {
                identified.extend(conns.get(conn).and_then(|peer| world.network.place(peer)));
            }
            _ => {}
        }
    }
    identified.retain(|place| world.network.spec.peers[*place].is_good());
    identified
}

/// Needs rise, fall again, and then nothing happens for two hours.
fn settles(seed: u64, make: Maker) -> Settled {
    let mut script =
        Script::new(seed, still(seed), 4 * HOUR).at(0, Act::Workload { every_ms: 5_000 });
    let mut rng = Rng::new(seed);
    let target = |rng: &mut Rng| u8::try_from(rng.between(0, 3)).expect("few");
    for id in 0..3 {
        let usual = target(&mut rng);
        let more = need(0, usual + 2, 8);
        script.tuning.needs[usize::from(id)] = need(usual.min(1), usual, 8);
        script = script
            .at(10 * MINUTE, Act::SetNeed(id, more))
            .at(40 * MINUTE, Act::SetNeed(id, need(usual.min(1), usual, 8)));
    }
    let script = script.at(2 * HOUR, Act::Workload { every_ms: 0 });
    let options = Options {
        record: true,
        ..Options::default()
    };
    let mut world = World::with(&script, options, make);
    world.run();
    let manager = world.clients[0].brain.manager().expect("it is one");
    let views = manager.requirements();
    let demand: Vec<u8> = views
        .iter()
        .map(|view| view.target.min(view.have))
        .collect();
    let connected: BTreeSet<usize> = world.clients[0]
        .links
        .values()
        .map(|link| link.place)
        .collect();
    // Parked peers are no candidates, unless they are needed; and whoever serves is one, whatever it is.
    let mut able = verified(&world);
    let serving = views.iter().flat_map(|view| &view.peers);
    able.extend(serving.filter_map(|peer| world.network.place(peer)));
    let candidates: Vec<u64> = able
        .into_iter()
        .filter(|place| !world.network.spec.peers[*place].in_tree || connected.contains(place))
        .map(|place| u64::from(world.network.spec.peers[place].serves))
        .collect();
    Settled {
        open: connected.len(),
        optimum: fewest(&candidates, &demand).expect("those that serve can"),
    }
}

/// E3: at most OPT + 1 + spare; in one run of a hundred up to two more.
fn economical(make: Maker) -> Result<usize, String> {
    const RUNS: u64 = 200;
    let config = Tuning::default().config();
    let runs: Vec<(u64, Settled)> = (0..RUNS).map(|seed| (seed, settles(seed, make))).collect();
    let over: Vec<_> = runs
        .iter()
        .filter(|(_, settled)| settled.over(&config) > 0)
        .collect();
    let far = over.iter().any(|(_, settled)| settled.over(&config) > 2);
    let more = runs
        .iter()
        .filter(|(_, settled)| settled.optimum > 1)
        .count();
    if far || over.len() as u64 * 100 > RUNS {
        return Err(format!("E3: {over:?}"));
    }
    Ok(more)
}

#[test]
fn few_connections_are_enough_in_the_end_e3() {
    let interesting = economical(manager).unwrap_or_else(|said| panic!("{said}"));
    assert!(
        interesting > 50,
        "{interesting} runs need more than one peer"
    );
}

#[test]
fn a_manager_that_keeps_its_surplus_fails_the_test_of_e3() {
    let fat: Maker = |mut config, seed, now| {
        config.lean_after_ms = 0;
        manager(config, seed, now)
    };
    let said = economical(fat).expect_err("it keeps what it had");
    assert!(said.starts_with("E3"), "{said}");
}

// --- L10 --------------------------------------------------------------------------------------------------------------

const GROUPS: u8 = 40;
const STEPS: usize = 10_000;

/// How often each group is chosen, when every choice leaves the pool as it was.
fn chosen(explore_one_in: u64) -> BTreeMap<u8, u32> {
    let tuning = Tuning {
        needs: [need(0, 1, 2), need(0, 0, 0), need(0, 0, 0)],
        has_tree: false,
        ..Tuning::default()
    };
    let mut config = tuning.config();
    config.explore_one_in = explore_one_in;
    let mut time = Time {
        mono_ms: MONO_ZERO,
        wall_ms: WALL_ZERO,
    };
    let mut manager = Manager::new(config, [7; 32], time);
    let mut group_of = BTreeMap::new();
    for place in 0..usize::from(GROUPS) * 3 {
        let group = u8::try_from(place).expect("few") % GROUPS;
        let peer = peer_id(place);
        group_of.insert(peer, group);
        manager.handle(
            time,
            Event::Discovered {
                peer,
                routes: vec![address(group, place, 443)],
                claims: vec![RequirementId(0)],
                source: Source::PeerExchange,
                introducer: None,
            },
        );
        // Some are liked and some are not: all of them have their chance.
        let value = i16::from(group) * 10 - 200;
        let tag = "liked".to_owned();
        manager.handle(
            time,
            Event::Hint {
                peer,
                tag,
                value,
                ttl_ms: None,
            },
        );
    }
    manager.handle(time, Event::Start);
    let mut count = BTreeMap::new();
    let mut steps = 0;
    while steps < STEPS {
        let mut dialed = Vec::new();
        while let Some(command) = manager.poll() {
            if let Command::Dial { dial, peer, .. } = command {
                *count.entry(group_of[&peer]).or_insert(0) += 1;
                steps += 1;
                dialed.push(dial);
            }
        }
        for dial in dialed {
            let failure = DialFailure::Cancelled;
            manager.handle(
                time,
                Event::DialFailed {
                    dial,
                    failure,
                    answered: None,
                },
            );
        }
        let due = manager.next_deadline().expect("somebody is missing");
        let passed = due.saturating_sub(time.mono_ms);
        time.mono_ms += passed;
        time.wall_ms += passed;
        manager.handle(time, Event::Tick);
    }
    count
}

#[test]
fn every_group_is_tried_some_day_l10() {
    let count = chosen(Tuning::default().config().explore_one_in);
    assert_eq!(count.len(), usize::from(GROUPS), "L10: {count:?}");
    let most = count.values().max().expect("somebody was");
    assert!(
        *most as usize > 4 * STEPS / usize::from(GROUPS),
        "{count:?}"
    );
}

#[test]
fn a_manager_that_never_explores_fails_the_test_of_l10() {
    assert!(chosen(0).len() < usize::from(GROUPS));
}

// --- L11 --------------------------------------------------------------------------------------------------------------

/// What a session met, and when its minima held for the first time.
#[derive(Debug, PartialEq, Eq)]
struct Session {
    /// For each requirement: its minimum holds, its target holds.
    met: Vec<(bool, bool)>,
    minima_ms: Option<u64>,
    snapshot: Vec<u8>,
}

const AWAY_MS: u64 = 6 * HOUR;

/// A session in a still network, of a manager that begins with this snapshot.
fn session(seed: u64, snapshot: Option<&[u8]>) -> Session {
    let mut script = Script::new(seed, still(seed), HOUR).at(0, Act::Workload { every_ms: 5_000 });
    script
        .acts
        .push((40 * MINUTE, Act::Workload { every_ms: 0 }));
    let mut world = World::new(&script, Options::default());
    if let Some(bytes) = snapshot {
        let client = &mut world.clients[0];
        let shift = Weather::WallShift {
            ms: i64::try_from(HOUR + AWAY_MS).expect("hours"),
        };
        client.environment.befall(shift, 0);
        // Another session has another seed.
        let own = Rng::new(seed ^ 0x5e55).seed();
        let mut manager = Manager::new(client.config.clone(), own, client.environment.time(0));
        manager.restore(bytes).expect("it is a snapshot");
        manager.check();
        client.brain = Box::new(manager);
    }
    world.run();
    let client = &world.clients[0];
    let manager = client.brain.manager().expect("it is one");
    let views = manager.requirements();
    Session {
        met: views
            .iter()
            .map(|view| (view.have >= view.min, view.have >= view.target))
            .collect(),
        minima_ms: client.log.minima_after(0),
        snapshot: manager.snapshot(32 * 1_024),
    }
}

/// L11 over many networks: the same is met, and not later. `keep`: what becomes of a snapshot on its way.
fn restarts(keep: fn(Vec<u8>) -> Vec<u8>) -> Result<(), String> {
    const RUNS: u64 = 100;
    let (mut first_ms, mut again_ms) = (Vec::new(), Vec::new());
    for seed in 0..RUNS {
        let first = session(seed, None);
        let again = session(seed, Some(&keep(first.snapshot.clone())));
        if first.met != again.met {
            return Err(format!(
                "L11, seed {seed}: {:?} was met, then {:?}",
                first.met, again.met
            ));
        }
        first_ms.push(first.minima_ms.unwrap_or(u64::MAX));
        again_ms.push(again.minima_ms.unwrap_or(u64::MAX));
    }
    first_ms.sort_unstable();
    again_ms.sort_unstable();
    // Half as long at the median, and no later at any other part of the runs.
    let place = |per_mille: usize| (RUNS as usize - 1) * per_mille / 1_000;
    let slower = (0..=1_000)
        .step_by(50)
        .find(|part| again_ms[place(*part)] > first_ms[place(*part)]);
    let soon = again_ms[place(500)] <= first_ms[place(500)] / 2;
    if slower.is_some() || !soon {
        return Err(format!(
            "L11: with what was kept {again_ms:?}, without {first_ms:?}"
        ));
    }
    Ok(())
}

#[test]
fn a_restart_meets_what_was_met_and_sooner_l11() {
    if let Err(said) = restarts(|bytes| bytes) {
        panic!("{said}");
    }
}

#[test]
fn a_snapshot_that_keeps_nobody_fails_the_test_of_l11() {
    let said = restarts(|_| {
        let config = Tuning::default().config();
        let now = Time {
            mono_ms: MONO_ZERO,
            wall_ms: WALL_ZERO,
        };
        Manager::new(config, [0; 32], now).snapshot(32 * 1_024)
    });
    assert!(said.is_err_and(|said| said.starts_with("L11")));
}

// --- A3 ---------------------------------------------------------------------------------------------------------------

/// Worse than this an honest provider may not be thought of.
const FRAMED: i16 = -250;

/// Honest providers and two that collude, at work for hours; the worst that is thought of an honest one.
fn worst_of_the_honest(seed: u64, make: Maker) -> i16 {
    let mut network = still(seed);
    for peer in &mut network.peers {
        if peer.behaviour == Behaviour::Colluder {
            peer.behaviour = Behaviour::Honest;
        }
    }
    let colluders = [4, 5];
    for place in colluders {
        network.peers[place].behaviour = Behaviour::Colluder;
        (network.peers[place].serves, network.peers[place].claims) = (0b111, 0b111);
    }
    let mut script = Script::new(seed, network, 2 * HOUR).at(0, Act::Workload { every_ms: 2_000 });
    let mut rng = Rng::new(seed);
    for n in 0..200 {
        let rumour = crate::book::Note::Rumour {
            of: rng.place(script.network.peers.len()),
            by: Some(*rng.pick(&[4, 5])),
            wrong: 8,
        };
        script.acts.push((n * 30 * SECOND, Act::Note(rumour)));
    }
    let mut world = World::with(&script, Options::default(), make);
    let mut worst = 0;
    for minute in 0..120 {
        world.run_until(minute * MINUTE);
        for (place, peer) in world.network.ids.iter().enumerate() {
            if world.network.spec.peers[place].behaviour != Behaviour::Honest {
                continue;
            }
            let manager = world.clients[0].brain.manager().expect("it is one");
            let why = manager.explain(peer);
            let parts = why.iter().flat_map(|why| &why.parts.quality);
            worst = parts.map(|(_, part)| *part).fold(worst, i16::min);
        }
    }
    worst
}

#[test]
fn two_colluders_do_not_frame_an_honest_provider_a3() {
    for seed in 0..20 {
        let worst = worst_of_the_honest(seed, manager);
        assert!(worst >= FRAMED, "A3, seed {seed}: {worst}");
    }
}

/// A manager to which the word of another is as good as what it saw.
fn credulous(config: Config, seed: [u8; 32], now: Time) -> Box<dyn Brain> {
    let hears: Hears = Box::new(|manager, time, event| {
        let named = match &event {
            Event::Answered { entries, .. } => entries.iter().map(|said| said.peer).collect(),
            Event::Discovered {
                peer,
                introducer: Some(_),
                ..
            } => vec![*peer],
            _ => Vec::new(),
        };
        for peer in named {
            let slander = Event::Report {
                peer,
                requirement: RequirementId(0),
                outcome: Outcome::Broken,
                charged: true,
            };
            manager.handle(time, slander);
        }
        Some(event)
    });
    Box::new(Doctored::new(config, seed, now, hears))
}

#[test]
fn a_manager_that_believes_slander_fails_the_test_of_a3() {
    let worst = (0..20)
        .map(|seed| worst_of_the_honest(seed, credulous))
        .min();
    assert!(worst < Some(FRAMED), "{worst:?}");
}

// --- A7 ---------------------------------------------------------------------------------------------------------------

#[test]
fn four_thousand_burnt_ids_cost_no_ban_of_the_users_a7() {
    let config = Tuning::default().config();
    let (most, most_by_user) = (config.max_bans, config.max_user_bans);
    let mut time = Time {
        mono_ms: MONO_ZERO,
        wall_ms: WALL_ZERO,
    };
    let mut manager = Manager::new(config.clone(), [3; 32], time);
    manager.handle(time, Event::Start);
    let mut pass = |manager: &mut Manager, event: Event| {
        time.mono_ms += 1;
        time.wall_ms += 1;
        manager.handle(time, event);
        while manager.poll().is_some() {}
        time.mono_ms
    };
    // The user bans as many as one may, and one more.
    for place in 0..=most_by_user {
        let (peer, priority) = (peer_id(place), Priority::Banned);
        pass(&mut manager, Event::SetPriority { peer, priority });
    }
    let banned = |manager: &Manager, place: usize| {
        let view = manager.peer(&peer_id(place));
        view.is_some_and(|view| view.state == PeerState::Banned)
    };
    assert!(banned(&manager, most_by_user - 1) && !banned(&manager, most_by_user));
    // The attacker burns 4,096 ids, of which the table holds three quarters.
    let burnt: Vec<usize> = (20_000..20_000 + most).collect();
    let mut until = BTreeMap::new();
    for place in &burnt {
        let peer = peer_id(*place);
        let group = u8::try_from(place % 200).expect("a byte");
        let found = Event::Discovered {
            peer,
            routes: vec![address(group, *place, 443)],
            claims: vec![RequirementId(0)],
            source: Source::PeerExchange,
            introducer: None,
        };
        pass(&mut manager, found);
        for _ in 0..3 {
            let fault = Event::Report {
                peer,
                requirement: RequirementId(0),
                outcome: Outcome::Fault,
                charged: true,
            };
            let now = pass(&mut manager, fault);
            until.insert(*place, now + config.ban_ms);
        }
    }
    manager.check();
    assert_eq!(manager.stats().banned as usize, most);
    assert!((0..most_by_user).all(|place| banned(&manager, place)));
    // The documented departure: those whose bans end first made room. All others are held out to their last moment.
    let held = &burnt[most_by_user..];
    let (first, last) = (until[&held[0]], until[&held[held.len() - 1]]);
    manager.handle(
        Time {
            mono_ms: first - 1,
            wall_ms: WALL_ZERO,
        },
        Event::Tick,
    );
    assert_eq!(manager.stats().banned as usize, most);
    let mut now = first - 1;
    while manager.stats().banned as usize > most_by_user {
        let due = manager.next_deadline().expect("bans end");
        now = now.max(due);
        let time = Time {
            mono_ms: now,
            wall_ms: WALL_ZERO,
        };
        manager.handle(time, Event::Tick);
        while manager.poll().is_some() {}
        let over = held.iter().filter(|place| until[place] <= now).count();
        let still = manager.stats().banned as usize - most_by_user;
        assert!(still >= held.len() - over, "none is over before its time");
    }
    assert!(now <= last + 1_000, "none is held out much longer");
    assert!((0..most_by_user).all(|place| banned(&manager, place)));
}
