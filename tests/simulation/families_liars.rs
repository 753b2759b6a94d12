//! What many runs must show of those who lie: colluders (A3) and floods of bans (A7).

use std::collections::BTreeMap;

use lightkeeper::manager::{
    Config, Event, Manager, Outcome, PeerState, Priority, RequirementId, Source, Time,
};

use crate::brain::{Brain, Doctored, Hears, Maker, manager};
use crate::environment::{MONO_ZERO, WALL_ZERO};
use crate::families_economy::still;
use crate::network::{Behaviour, address, peer_id};
use crate::rng::Rng;
use crate::script::{Act, Script, Tuning};
use crate::world::{Options, World};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

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
