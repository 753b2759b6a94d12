//! What must be shown of floods: a million discoveries (A2), and strangers who knock without end (A4).

use std::collections::BTreeSet;

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    Command, Config, ConnId, Direction, Event, LockAnswer, Manager, Need, PeerState, Priority,
    RequirementId, Source, Time,
};

use crate::brain::{Brain, Doctored, Hears, Maker, manager};
use crate::claims::{Claim, Whom, Wish};
use crate::network::{NetworkSpec, PeerSpec, address, peer_id};
use crate::orders::parting;
use crate::script::{Act, Script};
use crate::seeds::soaks;
use crate::view::Input;
use crate::world::{Options, World};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

// --- A2 ---------------------------------------------------------------------------------------------------------------

/// The ids of the flood begin there.
const STRANGERS: usize = 100_000;
/// Peers that the user banned before.
const BANNED: std::ops::Range<usize> = 50_000..50_020;
/// One input may not cost more than when the table began to be full, but for what is due by chance.
const SLACK: u64 = 2;

/// Those who told of a peer: attackers and not, and one after the other.
fn flood(n: usize) -> Event {
    let place = STRANGERS + n;
    let group = u8::try_from(n % 199).expect("a byte");
    Event::Discovered {
        peer: peer_id(place),
        routes: vec![address(group, place, 443)],
        claims: vec![RequirementId(0), RequirementId(1), RequirementId(2)],
        source: Source::PeerExchange,
        introducer: Some(peer_id(n % 7)),
    }
}

/// Steps of the dearest of some inputs.
#[cfg(debug_assertions)]
fn dearest(world: &mut World, inputs: std::ops::Range<usize>) -> u64 {
    let mut most = 0;
    for n in inputs {
        Manager::take_steps();
        world.tell(0, flood(n));
        most = most.max(Manager::take_steps().0);
    }
    most
}

#[cfg(not(debug_assertions))]
fn dearest(world: &mut World, inputs: std::ops::Range<usize>) -> u64 {
    inputs.for_each(|n| world.tell(0, flood(n)));
    0
}

fn flooded(make: Maker) -> Result<(), String> {
    let count = if soaks() { 1_000_000 } else { 60_000 };
    let peers = (0..30_usize).map(|n| {
        let group = u8::try_from(n % 15).expect("few groups") + 1;
        PeerSpec::honest(0b111, group)
    });
    let mut network = NetworkSpec {
        peers: peers.collect(),
    };
    network
        .peers
        .push(PeerSpec::bootstrap((0..30).collect(), 40));
    let mut script = Script::new(2, network, 10 * MINUTE);
    for n in 1..8 {
        script = script.at(n * MINUTE, Act::LoseAll);
    }
    let mut world = World::with(
        &script,
        Options {
            record: true,
            ..Options::default()
        },
        make,
    );
    world.run_until(10 * MINUTE);
    for place in BANNED {
        let (peer, priority) = (peer_id(place), Priority::Banned);
        world.tell(0, Event::SetPriority { peer, priority });
    }
    let steps = world.clients[0].log.steps.take().unwrap_or_default();
    let reached: BTreeSet<PeerId> = steps
        .iter()
        .filter_map(|step| match &step.input {
            Input::Event(Event::Connected { peer, .. }) => Some(*peer),
            _ => None,
        })
        .collect();
    if reached.len() < 4 {
        return Err(format!("A2: only {} were reached before", reached.len()));
    }
    let full = world.clients[0].config.max_peers;
    // The table fills, and is full.
    dearest(&mut world, 0..2 * full);
    let early = dearest(&mut world, 2 * full..2 * full + 2_000);
    dearest(&mut world, 2 * full + 2_000..count - 2_000);
    let late = dearest(&mut world, count - 2_000..count);
    let manager = world.clients[0].brain.manager().expect("it is one");
    manager.check();
    let known = manager.stats().known as usize;
    let forgotten = reached.iter().filter(|peer| manager.peer(peer).is_none());
    let forgotten = forgotten.count();
    let unbanned = BANNED.filter(|place| {
        let view = manager.peer(&peer_id(*place));
        view.is_none_or(|view| view.state != PeerState::Banned)
    });
    let unbanned = unbanned.count();
    if known > full || forgotten > 0 || unbanned > 0 || late > SLACK * early {
        return Err(format!(
            "A2: {known} are known, at most {full}; of those reached {forgotten} were forgotten, {unbanned} bans are gone; \
             an input took {early} steps at first and {late} in the end"
        ));
    }
    Ok(())
}

#[test]
fn a_flood_of_discoveries_costs_nobody_who_was_reached_and_no_ban_a2() {
    assert_eq!(flooded(manager), Ok(()));
}

/// It forgets somebody that it reached for each thousand newcomers.
fn forgetful(config: Config, seed: [u8; 32], now: Time) -> Box<dyn Brain> {
    let mut reached: Vec<PeerId> = Vec::new();
    let mut heard = 0;
    let hears: Hears = Box::new(move |manager: &mut Manager, time, event| {
        match &event {
            Event::Connected { peer, .. } => reached.push(*peer),
            Event::Discovered { .. } => {
                heard += 1;
                if heard % 1_000 == 0
                    && let Some(peer) = reached.pop()
                {
                    manager.handle(time, Event::Forget { peer });
                }
            }
            _ => {}
        }
        Some(event)
    });
    Box::new(Doctored::new(config, seed, now, hears))
}

#[test]
fn a_manager_that_forgets_whom_it_reached_fails_the_test_of_a2() {
    let said = flooded(forgetful).expect_err("it forgets");
    assert!(said.starts_with("A2"), "{said}");
}

// --- A4 ---------------------------------------------------------------------------------------------------------------

/// Places of strangers begin there.
const KNOCKING: u16 = 20;

/// A node with what it needs, a lock, and room for a few more, at which strangers knock for two minutes.
fn knocked(seed: u64) -> Script {
    let mut peers: Vec<PeerSpec> = (0..KNOCKING)
        .map(|n| {
            let group = u8::try_from(n % 10).expect("few groups") + 1;
            PeerSpec::honest(0b1111, group)
        })
        .collect();
    peers[0] = PeerSpec::bootstrap((1..KNOCKING).collect(), 30);
    // They serve everything, and are there at once.
    for n in 0..200_u16 {
        let group = u8::try_from(n % 40).expect("few groups") + 50;
        peers.push(PeerSpec {
            hop_ms: 1,
            ..PeerSpec::honest(0b1111, group)
        });
    }
    let mut script = Script::new(seed, NetworkSpec { peers }, 10 * MINUTE);
    script.tuning.soft = 8;
    script.tuning.needs[2] = Need {
        min: 1,
        target: 2,
        max: 4,
    };
    script = script
        .at(MINUTE, Act::Claim(Claim::Enroll(1, Wish::MODEST)))
        .at(
            5 * MINUTE - 5 * SECOND,
            Act::Claim(Claim::Lock {
                lock: 1,
                of: 1,
                whom: Whom::Serving(0),
                ttl_ms: 300_000,
            }),
        );
    for n in 0..1_200_u16 {
        let t = 5 * MINUTE + u64::from(n) * 100;
        script = script.at(t, Act::Inbound(KNOCKING + n % 200));
    }
    script
}

/// Whom it closed, of those that served when the strangers came; and what became of the lock.
fn besieged(seed: u64, make: Maker) -> Result<(), String> {
    let options = Options {
        judge: true,
        record: true,
        story: false,
    };
    let mut world = World::with(&knocked(seed), options, make);
    world.run_until(5 * MINUTE - 1);
    let brain = &world.clients[0].brain;
    let serving: BTreeSet<ConnId> = (0..3)
        .flat_map(|id| brain.serving(RequirementId(id)))
        .map(|(_, conn)| conn)
        .collect();
    world.run_until(8 * MINUTE);
    if let Some(violation) = &world.violation {
        return Err(format!("A4, seed {seed}: {violation}"));
    }
    let steps = world.clients[0].log.steps.as_deref().unwrap_or_default();
    let orders = || steps.iter().flat_map(|step| &step.commands);
    let let_in = steps.iter().filter(|step| {
        let inbound = Direction::Inbound;
        matches!(&step.input, Input::Event(Event::Connected { direction, .. }) if *direction == inbound)
    });
    let let_in = let_in.count();
    let closed = orders().filter_map(parting);
    let closed = closed.filter(|(conn, ..)| serving.contains(conn)).count();
    // What its holder gives back is not taken.
    let given_back = |input: &Input| matches!(input, Input::Event(Event::Unlock { .. }));
    let answers: Vec<(u64, &LockAnswer)> = steps
        .iter()
        .filter(|step| !given_back(&step.input))
        .flat_map(|step| step.commands.iter().map(|order| (step.time.mono_ms, order)))
        .filter_map(|(at, order)| match order {
            Command::Lock { answer, .. } => Some((at, answer)),
            _ => None,
        })
        .collect();
    let granted = |(_, answer): &(u64, &LockAnswer)| matches!(answer, LockAnswer::Granted { .. });
    let held = !answers.is_empty() && answers.iter().all(granted);
    let good = serving.len() >= 2 && let_in > 0 && closed == 0 && held;
    if good {
        return Ok(());
    }
    Err(format!(
        "A4, seed {seed}: of {} that served {closed} were closed while {let_in} strangers were let in; of the lock was \
         said: {answers:?}",
        serving.len()
    ))
}

#[test]
fn strangers_who_knock_take_nobodys_place_a4() {
    for seed in 0..20 {
        assert_eq!(besieged(seed, manager), Ok(()));
    }
}

/// It lets go of somebody for each newcomer.
fn hospitable(config: Config, seed: [u8; 32], now: Time) -> Box<dyn Brain> {
    let hears: Hears = Box::new(|manager: &mut Manager, time, event| {
        if let Event::Connected {
            direction: Direction::Inbound,
            ..
        } = &event
            && let Some((peer, _)) = manager.serving(RequirementId(1)).last()
        {
            let peer = *peer;
            manager.handle(time, Event::HangUp { peer });
        }
        Some(event)
    });
    Box::new(Doctored::new(config, seed, now, hears))
}

#[test]
fn a_manager_that_makes_room_for_strangers_fails_the_test_of_a4() {
    let said = besieged(0, hospitable).expect_err("it makes room");
    assert!(said.starts_with("A4"), "{said}");
}
