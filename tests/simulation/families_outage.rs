//! The twin without the outage (S17): what was charged while it lasted is taken back at all places that 4.8 names, from the
//! records of peers, their addresses, the pace of dials and the measured chance of them.

use std::collections::BTreeMap;

use lightkeeper::manager::{Config, ConnId, Need, PeerState, RequirementId, Time};
use multiaddr::Multiaddr;

use crate::book::Note;
use crate::brain::{Brain, Maker, manager};
use crate::environment::Weather;
use crate::families::honest;
use crate::network::NetworkSpec;
use crate::script::{Act, Script};
use crate::world::{Options, World};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

const GONE_MS: u64 = 5 * MINUTE;
/// Until when requests are made in vain.
const WORK_MS: u64 = GONE_MS + 20 * SECOND;
const BACK_MS: u64 = 10 * MINUTE;
/// By then whoever was lost is back.
const CALM_MS: u64 = 25 * MINUTE;

/// How a peer stands, as far as can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Standing {
    failures: u8,
    flaps: u8,
    behaviour: i16,
    reach: u16,
    cooling: bool,
    quality: Vec<(RequirementId, i16)>,
    /// The address of its connection, else the first that would be dialed.
    route: Option<Multiaddr>,
    connected: Option<ConnId>,
}

const UNKNOWN: Standing = Standing {
    failures: 0,
    flaps: 0,
    behaviour: 0,
    reach: 0,
    cooling: false,
    quality: Vec::new(),
    route: None,
    connected: None,
};

type Standings = BTreeMap<usize, Standing>;

fn standings(world: &World) -> Standings {
    let manager = world.clients[0].brain.manager().expect("it is one");
    let places = world.network.ids.iter().enumerate();
    places
        .filter_map(|(place, peer)| {
            let why = manager.explain(peer)?;
            let standing = Standing {
                failures: why.failures,
                flaps: why.flaps,
                behaviour: why.parts.behaviour,
                reach: why.parts.reach,
                cooling: why.view.state == PeerState::Cooling,
                quality: why.parts.quality,
                route: why.view.route,
                connected: why.view.conn,
            };
            Some((place, standing))
        })
        .collect()
}

/// A run without the outage, or with one that the browser tells of or does not.
fn script(seed: u64, network: NetworkSpec, outage: Option<bool>) -> Script {
    // There is no work after it: what changes then is the outage's doing.
    let until = if outage.is_some() { WORK_MS } else { GONE_MS };
    let script = Script::new(seed, network, CALM_MS)
        .at(0, Act::Workload { every_ms: 1_000 })
        .at(until, Act::Workload { every_ms: 0 });
    let Some(noticed) = outage else {
        return script;
    };
    script
        .at(GONE_MS, Act::Weather(Weather::NetworkGone { noticed }))
        .at(BACK_MS, Act::Weather(Weather::NetworkBack))
}

fn check(seed: u64, outage: bool, what: &str, worse: Option<String>) -> Result<(), String> {
    let said = |worse| format!("S17, seed {seed}, noticed: {outage}, {what}: {worse}");
    worse.map_or(Ok(()), |worse| Err(said(worse)))
}

// --- records and addresses --------------------------------------------------------------------------------------------

/// Whether peers stand worse than in the twin. Scores fade faster while connected, so those of the twin are lower.
fn worse(twin: &Standings, after: &Standings) -> Option<String> {
    let unknown = UNKNOWN;
    let mut all = after.iter();
    let (place, now) = all.find(|(place, now)| {
        let before = twin.get(place).unwrap_or(&unknown);
        let quality = |standing: &Standing, id| {
            let mut all = standing.quality.iter();
            all.find(|(of, _)| *of == id).map_or(0, |(_, value)| *value)
        };
        let mut judged = before.quality.iter();
        now.failures > before.failures
            || now.flaps > before.flaps
            || now.behaviour < before.behaviour
            || (before.reach > 0 && now.reach < before.reach)
            || (now.cooling && !before.cooling)
            || judged.any(|(id, value)| quality(now, *id) < *value)
            || (before.connected.is_some() && now.route != before.route)
    })?;
    let before = twin.get(place);
    Some(format!(
        "p{place} stands at {now:?}, in the twin at {before:?}"
    ))
}

/// How peers stand at the end of the outage, and when all is calm again. By then others may be connected than in the
/// twin, and their scores have faded faster.
fn told_wrong(seed: u64, outage: Option<bool>, make: Maker) -> [Standings; 2] {
    let script = script(seed, honest(10), outage);
    let mut world = World::with(&script, Options::default(), make);
    world.run_until(GONE_MS - SECOND);
    // Whoever is connected is said to be somewhere else, too.
    let links = world.clients[0].links.values();
    let places: Vec<usize> = links.map(|link| link.place).collect();
    for place in places {
        let rumour = Note::Rumour {
            of: u16::try_from(place).expect("few"),
            by: None,
            wrong: 7,
        };
        world.note(0, &rumour);
    }
    world.run_until(BACK_MS - 1);
    let gone = standings(&world);
    world.run_until(CALM_MS);
    let mut calm = standings(&world);
    for standing in calm.values_mut() {
        standing.quality.clear();
    }
    [gone, calm]
}

fn leaves_records(make: Maker) -> Result<(), String> {
    for seed in 0..30 {
        let twin = told_wrong(seed, None, make);
        for outage in [true, false] {
            let after = told_wrong(seed, Some(outage), make);
            for (when, (twin, after)) in ["gone", "calm"].iter().zip(twin.iter().zip(&after)) {
                check(seed, outage, when, worse(twin, after))?;
            }
        }
    }
    Ok(())
}

#[test]
fn an_outage_leaves_every_peer_as_it_was_s17() {
    assert_eq!(leaves_records(manager), Ok(()));
}

// --- pace and chances -------------------------------------------------------------------------------------------------

/// Dials for a need that rises a while after the outage: how many beyond what was missing, and how long until the last.
fn rise(seed: u64, outage: Option<bool>, make: Maker) -> (usize, u64) {
    const WANTED: u8 = 12;
    const RISES_MS: u64 = BACK_MS + 15 * SECOND;
    let need = Need {
        min: WANTED,
        target: WANTED,
        max: WANTED,
    };
    let script = script(seed, honest(20), outage).at(RISES_MS, Act::SetNeed(1, need));
    let mut world = World::with(&script, Options::default(), make);
    world.run_until(RISES_MS - 1);
    let have = world.truth(0).serving[1];
    world.run_until(RISES_MS + 20 * SECOND);
    let dials = world.clients[0].log.dials.iter();
    let since: Vec<u64> = dials.map(|(t, ..)| *t).filter(|t| *t >= RISES_MS).collect();
    let beyond = since.len().saturating_sub(usize::from(WANTED) - have);
    (beyond, since.last().map_or(0, |last| last - RISES_MS))
}

fn leaves_pace(make: Maker) -> Result<(), String> {
    for seed in 0..30 {
        let (beyond, took_ms) = rise(seed, None, make);
        for outage in [true, false] {
            let after = rise(seed, Some(outage), make);
            let more = after.0 > beyond;
            let said = format!("{} dials too many, {beyond} in the twin", after.0);
            check(seed, outage, "chance", more.then_some(said))?;
            let slower = after.1 > took_ms + SECOND / 2;
            let said = format!("{} ms, {took_ms} ms in the twin", after.1);
            check(seed, outage, "pace", slower.then_some(said))?;
        }
    }
    Ok(())
}

#[test]
fn an_outage_leaves_pace_and_chances_as_they_were_s17() {
    assert_eq!(leaves_pace(manager), Ok(()));
}

// --- managers with something wrong about them -------------------------------------------------------------------------

/// It looks for no fault in its own network.
fn sure_of_itself(mut config: Config, seed: [u8; 32], now: Time) -> Box<dyn Brain> {
    config.suspect_failures = u32::MAX;
    manager(config, seed, now)
}

/// It takes nothing back.
fn unforgiving(mut config: Config, seed: [u8; 32], now: Time) -> Box<dyn Brain> {
    config.charges_kept = 0;
    manager(config, seed, now)
}

fn fails(verdict: Result<(), String>) {
    let said = verdict.expect_err("something is wrong with this manager");
    assert!(said.starts_with("S17"), "{said}");
}

#[test]
fn a_manager_that_charges_an_outage_fails_the_tests_of_s17() {
    fails(leaves_records(sure_of_itself));
    fails(leaves_pace(sure_of_itself));
}

#[test]
fn a_manager_that_takes_nothing_back_fails_the_test_of_s17() {
    fails(leaves_records(unforgiving));
}

#[test]
fn a_peer_that_pays_for_an_outage_anywhere_fails_the_test_of_s17() {
    let id = RequirementId(0);
    let here = Some("/ip4/60.1.0.1/tcp/443/wss".parse().expect("an address"));
    let good = Standing {
        reach: 170,
        quality: vec![(id, 500)],
        route: here.clone(),
        connected: Some(ConnId(1)),
        ..UNKNOWN
    };
    let twin = BTreeMap::from([(0, good.clone())]);
    assert!(worse(&twin, &twin).is_none());
    let paid = |pays: fn(&mut Standing)| {
        let mut standing = good.clone();
        pays(&mut standing);
        worse(&twin, &BTreeMap::from([(0, standing)])).is_some()
    };
    assert!(paid(|standing| standing.failures = 1));
    assert!(paid(|standing| standing.flaps = 1));
    assert!(paid(|standing| standing.behaviour = -1));
    assert!(paid(|standing| standing.reach = 100));
    assert!(paid(|standing| standing.cooling = true));
    assert!(paid(|standing| standing.quality[0].1 = 499));
    assert!(paid(|standing| standing.route = None));
}
