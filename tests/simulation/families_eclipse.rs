//! What many runs must show of attackers who want to be all that a node is connected to: by what they tell of each other
//! (A1), and by what an earlier session saved (A5).

use lightkeeper::manager::{Config, Event, Manager, Source, Time};

use crate::brain::{Brain, Doctored, Hears, Maker, manager};
use crate::environment::Weather;
use crate::network::{Behaviour, NetworkSpec, PeerSpec};
use crate::rng::Rng;
use crate::script::{Act, Script};
use crate::truth::{Service, lives};
use crate::world::{Options, World};

const MINUTE: u64 = 60_000;
/// How soon a node is out of the attacker's hands.
const ESCAPE_MS: u64 = 5 * MINUTE;
const RUNS: u64 = 100;
/// Requirements with a target of two: light push and filter.
const SEVERAL: usize = 2;

/// Whether each requirement that wants several has one who does what it says.
fn is_out(world: &World) -> bool {
    let service = Service::of(&world.clients[0], &world.network, world.t, true);
    service.serving[..SEVERAL].iter().all(|honest| *honest > 0)
}

/// Fails if more than one run in a hundred did not come out.
fn most_are_out(id: &str, out: impl Fn(u64) -> bool) -> Result<(), String> {
    let caught: Vec<u64> = (0..RUNS).filter(|seed| !out(*seed)).collect();
    if caught.len() as u64 * 100 <= RUNS {
        return Ok(());
    }
    Err(format!(
        "{id}: not out in time with these seeds: {caught:?}"
    ))
}

fn must(verdict: Result<(), String>) {
    if let Err(said) = verdict {
        panic!("{said}");
    }
}

fn places(range: std::ops::Range<usize>) -> Vec<u16> {
    range
        .map(|place| u16::try_from(place).expect("few peers"))
        .collect()
}

// --- A1 ---------------------------------------------------------------------------------------------------------------

/// The attacker's ids, all in one /16, and honest peers in ten.
const ATTACKERS: usize = 100;
const HONEST: usize = 20;

/// Four of five whom the user holds are the attacker's and know nobody else; the fifth knows everybody.
fn eclipsed(seed: u64, work: bool) -> Script {
    let mut rng = Rng::new(seed ^ 0xa1);
    let attacker = |knows| PeerSpec {
        behaviour: Behaviour::Colluder,
        knows: Some(knows),
        ..PeerSpec::honest(0b111, 200)
    };
    let mut peers: Vec<PeerSpec> = (0..ATTACKERS)
        .map(|_| attacker(places(0..ATTACKERS)))
        .collect();
    for n in 0..HONEST {
        let group = u8::try_from(n % 10).expect("few groups") + 1;
        peers.push(PeerSpec {
            hop_ms: u16::try_from(rng.between(5, 150)).expect("short"),
            ..PeerSpec::honest(0b111, group)
        });
    }
    for n in 0..4 {
        peers.push(PeerSpec {
            serves: 0,
            claims: 0,
            // They answer sooner than anybody.
            hop_ms: 2 + n,
            ..attacker(places(0..ATTACKERS))
        });
    }
    peers.push(PeerSpec {
        in_tree: false,
        ..PeerSpec::bootstrap(places(0..ATTACKERS + HONEST), 30)
    });
    let introducers = places(ATTACKERS + HONEST..peers.len());
    let mut script = Script::new(seed, NetworkSpec { peers }, ESCAPE_MS);
    for place in introducers {
        script = script.at(0, Act::ConnectNow(place));
    }
    let every_ms = if work { 1_000 } else { 0 };
    script.at(0, Act::Workload { every_ms })
}

fn eclipses(work: bool, make: Maker) -> Result<(), String> {
    most_are_out("A1", |seed| {
        let mut world = World::with(&eclipsed(seed, work), Options::default(), make);
        (0..=ESCAPE_MS).step_by(1_000).any(|t| {
            world.run_until(t);
            is_out(&world)
        })
    })
}

#[test]
fn four_introducers_of_five_do_not_decide_whom_one_is_connected_to_a1() {
    for work in [true, false] {
        must(eclipses(work, manager));
    }
}

/// It believes whoever told it of peers first, and nobody else.
fn loyal(config: Config, seed: [u8; 32], now: Time) -> Box<dyn Brain> {
    let mut first = None;
    let hears: Hears = Box::new(move |_: &mut Manager, _, event| {
        if let Event::Answered { peer, .. } = &event {
            let first = *first.get_or_insert(*peer);
            let entries = Vec::new();
            let peer = *peer;
            return Some(if peer == first {
                event
            } else {
                Event::Answered { peer, entries }
            });
        }
        Some(event)
    });
    Box::new(Doctored::new(config, seed, now, hears))
}

#[test]
fn a_manager_that_believes_its_first_introducer_fails_the_test_of_a1() {
    let said = eclipses(false, loyal).expect_err("it believes the attacker");
    assert!(said.starts_with("A1"), "{said}");
}

// --- A5 ---------------------------------------------------------------------------------------------------------------

/// Attackers who served well in the last session and lie in this one, and honest peers that were away.
fn poisoned(seed: u64, lies: bool) -> Script {
    let mut rng = Rng::new(seed ^ 0xa5);
    let away = Behaviour::Dead { refuses: true };
    let mut peers: Vec<PeerSpec> = (0..ATTACKERS)
        .map(|n| PeerSpec {
            behaviour: if lies {
                Behaviour::Colluder
            } else {
                Behaviour::Honest
            },
            hop_ms: u16::try_from(rng.between(5, 150)).expect("short"),
            knows: Some(places(0..ATTACKERS)),
            // They have had the time to find networks of their own.
            ..PeerSpec::honest(0b111, u8::try_from(n % 40).expect("few groups") + 1)
        })
        .collect();
    let honest = |peer: PeerSpec| PeerSpec {
        behaviour: if lies {
            Behaviour::Honest
        } else {
            away.clone()
        },
        ..peer
    };
    for n in 0..HONEST {
        let group = u8::try_from(n % 10).expect("few groups") + 41;
        peers.push(honest(PeerSpec::honest(0b111, group)));
    }
    // The first session's bootstrap peer is gone.
    let mut lured = PeerSpec::bootstrap(places(0..ATTACKERS), 60);
    if lies {
        lured.behaviour = Behaviour::Dead { refuses: true };
    }
    peers.push(lured);
    let all = places(0..ATTACKERS + HONEST);
    peers.push(honest(PeerSpec::bootstrap(all, 61)));
    let horizon = if lies { ESCAPE_MS } else { 30 * MINUTE };
    let mut script =
        Script::new(seed, NetworkSpec { peers }, horizon).at(0, Act::Workload { every_ms: 1_000 });
    if !lies {
        // Many are tried, so that many are saved.
        for _ in 0..10 {
            script = script.at(rng.between(MINUTE, 25 * MINUTE), Act::LoseAll);
        }
    }
    script
}

/// Whether a session that begins with what the last one saved reaches an honest peer.
fn escapes(seed: u64, make: Maker) -> bool {
    let mut before = World::new(&poisoned(seed, false), Options::default());
    before.run();
    let last = before.clients[0].brain.manager().expect("it is one");
    let snapshot = last.snapshot(32 * 1_024);
    let mut world = World::with(&poisoned(seed, true), Options::default(), make);
    let client = &mut world.clients[0];
    let shift = Weather::WallShift {
        ms: 6 * 60 * i64::try_from(MINUTE).expect("a minute"),
    };
    client.environment.befall(shift, 0);
    let now = client.environment.time(0);
    client.brain.handle(now, Event::Tick);
    let manager = client.brain.manager_mut().expect("it is one");
    let restored = manager.restore(&snapshot).expect("it is a snapshot").peers;
    assert!(restored > 2, "the attacker's peers were saved: {restored}");
    for t in (0..=ESCAPE_MS).step_by(1_000) {
        world.run_until(t);
        let client = &world.clients[0];
        let mut links = client.links.iter();
        let honest = |place: usize| place >= ATTACKERS;
        if links
            .any(|(conn, link)| honest(link.place) && lives(client, &world.network, *conn, world.t))
        {
            return true;
        }
    }
    false
}

#[test]
fn what_an_attacker_saved_is_escaped_from_a5() {
    must(most_are_out("A5", |seed| escapes(seed, manager)));
}

/// It looks at no tree: what it knew is enough for it.
fn content(config: Config, seed: [u8; 32], now: Time) -> Box<dyn Brain> {
    let hears: Hears = Box::new(|_: &mut Manager, _, event| {
        let found = matches!(
            event,
            Event::Discovered {
                source: Source::Dns,
                ..
            }
        );
        (!found).then_some(event)
    });
    Box::new(Doctored::new(config, seed, now, hears))
}

#[test]
fn a_manager_that_is_content_with_what_it_knew_fails_the_test_of_a5() {
    let said = most_are_out("A5", |seed| escapes(seed, content));
    assert!(said.is_err_and(|said| said.starts_with("A5")));
}
