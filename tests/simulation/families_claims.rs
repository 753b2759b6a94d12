//! What protocols ask for, over many seeds: that it occurs at all, that it ends when nobody answers any more (L4), and
//! that a malicious protocol takes nothing from others (A6).

use std::collections::BTreeMap;

use lightkeeper::manager::{
    BurstAnswer, Class, Command, Config, DialWhy, LockAnswer, Manager, Need, Offer, Reason, Time,
};

use crate::application::{SILENT, SILENT_HOLD};
use crate::brain::{self, Brain, Maker};
use crate::claims::{CHATS, Claim, Whom, Wish};
use crate::network::{NetworkSpec, PeerSpec};
use crate::orders::parting;
use crate::rng::Rng;
use crate::runner::run;
use crate::script::{Act, Script};
use crate::world::{Options, World};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const JUDGED: Options = Options {
    judge: true,
    record: false,
    story: false,
};

/// What an order says to a protocol, or does for one.
fn kind(command: &Command) -> Option<String> {
    let kind = match command {
        Command::Offer { offer, .. } => match offer {
            Offer::Granted(_) => "granted".to_owned(),
            Offer::Counter { answer_ms: 0, .. } => "shrunk".to_owned(),
            Offer::Counter { .. } => "countered".to_owned(),
            Offer::Rejected(reason) => format!("rejected: {reason}"),
            Offer::Ended => "left".to_owned(),
        },
        Command::Lock { answer, .. } => match answer {
            LockAnswer::Granted { .. } => "lock granted".to_owned(),
            LockAnswer::Denied(denial) => format!("lock denied: {denial}"),
            LockAnswer::Revoked { reason, grace_ms } => {
                let graced = if *grace_ms > 0 { "with" } else { "without" };
                format!("lock revoked {graced} grace: {reason}")
            }
            LockAnswer::Ended => "lock ended".to_owned(),
        },
        Command::Burst { answer, .. } => match answer {
            BurstAnswer::Granted { .. } => "burst granted".to_owned(),
            BurstAnswer::Denied(reason) => format!("burst denied: {reason}"),
            BurstAnswer::Closed => "burst closed".to_owned(),
        },
        Command::RequestScores { .. } => "scores asked for".to_owned(),
        Command::Dial {
            why: DialWhy::Burst(_),
            ..
        } => "dialed for a burst".to_owned(),
        _ => {
            let (_, reason, _) = parting(command)?;
            let for_room = matches!(
                reason,
                Reason::BurstOver | Reason::OverLimit | Reason::OverQuota | Reason::Idle
            );
            return for_room.then(|| format!("closed: {reason}"));
        }
    };
    Some(kind)
}

/// How often each came over the default seeds that play claims.
fn counts() -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for seed in (0..320).filter(|seed| matches!(seed % 8, 4 | 7)) {
        let options = Options {
            record: true,
            ..Options::default()
        };
        let run = run(&Script::from_seed(seed), options);
        let steps = run.log.steps.unwrap_or_default();
        for command in steps.iter().flat_map(|step| &step.commands) {
            if let Some(kind) = kind(command) {
                *counts.entry(kind).or_insert(0) += 1;
            }
        }
    }
    counts
}

/// A check whose subject never occurs is no check. `SIM_COUNTS=1 … -- occurs --nocapture` prints how often it does.
#[test]
fn whatever_is_judged_of_claims_occurs() {
    let counts = counts();
    if std::env::var_os("SIM_COUNTS").is_some() {
        for (kind, count) in &counts {
            println!("{count:>7} {kind}");
        }
    }
    let often = [
        "granted",
        "countered",
        "shrunk",
        "rejected: not-enrolled",
        "rejected: no-share",
        "left",
        "lock granted",
        "lock ended",
        "burst granted",
        "burst closed",
        "dialed for a burst",
        "closed: burst-over",
        "scores asked for",
    ];
    for kind in often {
        let count = counts.get(kind).copied().unwrap_or(0);
        assert!(count >= 10, "{kind}: {count} times");
    }
}

/// Honest peers with every service, those of protocols that enroll among them, behind two bootstraps.
fn honest(count: u16) -> NetworkSpec {
    let group = |n: u16| u8::try_from(n % 12).expect("few groups") + 1;
    let mut peers: Vec<PeerSpec> = (0..count)
        .map(|n| PeerSpec {
            claims: 0b111,
            ..PeerSpec::honest(0b111 | CHATS, group(n))
        })
        .collect();
    for n in 0..2 {
        peers.push(PeerSpec::bootstrap((0..count).collect(), 20 + n));
    }
    NetworkSpec { peers }
}

#[test]
fn what_protocols_hold_ends_although_the_shell_loses_every_callback_l4() {
    for seed in 0..20 {
        let waits = Wish {
            class: Class::Opportunistic,
            answer_ms: 60_000,
            ..Wish::GREEDY
        };
        let lock = |lock, whom| Claim::Lock {
            lock,
            of: SILENT,
            whom,
            ttl_ms: 120_000,
        };
        let burst = Claim::OpenBurst {
            burst: SILENT_HOLD,
            of: SILENT + 1,
            slots: 3,
            max_ms: u32::MAX,
        };
        let begin = 3 * MINUTE;
        let mut script = Script::new(seed, honest(10), begin + 30 * MINUTE);
        for (n, claim) in [
            Claim::Enroll(SILENT, Wish::MODEST),
            Claim::Enroll(SILENT + 1, Wish::MODEST),
            Claim::Enroll(SILENT + 2, waits),
            lock(SILENT_HOLD, Whom::Serving(0)),
            lock(SILENT_HOLD + 1, Whom::Serving(1)),
            burst,
        ]
        .into_iter()
        .enumerate()
        {
            script = script.at(begin + n as u64, Act::Claim(claim));
        }
        let mut world = World::new(&script, JUDGED);
        world.run_until(begin + 300);
        let held = |world: &World| {
            let manager = world.clients[0].brain.manager().expect("it is one");
            let protocols = manager.protocols();
            let offers = protocols.iter().filter(|it| it.offered.is_some()).count();
            (manager.stats().locks, offers)
        };
        let (locks, offers) = held(&world);
        let dials = &world.clients[0].log.dials;
        let bursts = dials
            .iter()
            .filter(|(_, _, why)| matches!(why, DialWhy::Burst(_)));
        assert!(
            locks > 0 && offers > 0,
            "L4, seed {seed}: {locks}, {offers}"
        );
        assert!(
            bursts.count() > 0,
            "L4, seed {seed}: nobody is dialed for the burst"
        );
        world.script.faults.lose = 1_000;
        world.run();
        assert_eq!(world.violation, None, "seed {seed}");
        assert_eq!(held(&world), (0, 0), "L4, seed {seed}");
    }
}

// --- A6 -----------------------------------------------------------------------------------------------------------

/// A world in which peers come and go, with or without a protocol that takes what it can get and never answers.
fn with_a_thief(seed: u64, thief: bool) -> Script {
    let mut rng = Rng::new(seed);
    let horizon = 15 * MINUTE;
    // Who serves the one serves nothing of the other, so that every connection is fought for.
    let mut network = honest(16);
    for (place, peer) in network.peers.iter_mut().enumerate().take(16) {
        peer.serves = if place < 6 { 0b111 } else { CHATS };
        peer.claims = if place < 6 { 0b111 } else { 0 };
    }
    let mut script = Script::new(seed, network, horizon).at(0, Act::Workload { every_ms: 1_000 });
    script.tuning.soft = 8;
    for n in 0..12 {
        let t = MINUTE + n * MINUTE + rng.below(20 * SECOND);
        let place = rng.place(10);
        script = script
            .at(t, Act::PeerDown(place))
            .at(t + 40 * SECOND, Act::PeerUp(place));
        if n % 4 == 3 {
            script = script.at(t + 20 * SECOND, Act::LoseAll);
        }
    }
    // All who serve the others are away for a while: their places are free to borrow.
    for place in 0..6 {
        script = script
            .at(8 * MINUTE, Act::PeerDown(place))
            .at(8 * MINUTE + 90 * SECOND, Act::PeerUp(place));
    }
    // It wants what everybody has, or what nobody has.
    let greedy = Wish {
        need: Some(Need {
            min: if seed.is_multiple_of(2) { 0 } else { 8 },
            target: 16,
            max: 16,
        }),
        service: if seed % 4 < 2 { 3 } else { 4 },
        ..Wish::GREEDY
    };
    let every = 3 * SECOND;
    for round in 0..if thief { horizon / every } else { 0 } {
        let t = 20 * SECOND + round * every;
        let mut claims = vec![Claim::Enroll(SILENT, greedy)];
        for place in 0..18_u8 {
            claims.push(Claim::Lock {
                lock: SILENT_HOLD + place,
                of: SILENT,
                whom: Whom::Place(u16::from(place)),
                ttl_ms: 300_000,
            });
            claims.push(Claim::Extend {
                lock: SILENT_HOLD + place,
                ttl_ms: 300_000,
            });
        }
        claims.push(Claim::OpenBurst {
            burst: SILENT_HOLD + u8::try_from(round % 40).expect("few"),
            of: SILENT,
            slots: u8::MAX,
            max_ms: u32::MAX,
        });
        for claim in claims {
            script = script.at(t, Act::Claim(claim));
        }
    }
    script
}

/// Seconds, from the third minute on, in which a built-in requirement was below its minimum, and what broke.
fn starved(script: &Script, options: Options, make: Maker) -> (u64, Option<String>) {
    let mut world = World::with(script, options, make);
    let mut seconds = 0;
    for t in (2 * MINUTE..script.horizon_ms).step_by(1_000) {
        world.run_until(t);
        let mut needs = world.truth(0).serving.into_iter().zip(&script.tuning.needs);
        let below = needs.any(|(serving, need)| serving < usize::from(need.min));
        seconds += u64::from(below);
    }
    world.run();
    let broken = world.violation.map(|violation| violation.to_string());
    (seconds, broken)
}

/// Runs each seed and its twin without the thief. Says whom it took something from: recovering takes as long as backoffs
/// happen to be drawn, so a single seed may differ from its twin, but all together may not.
fn theft(seeds: u64, options: Options, make: Maker) -> Result<(), String> {
    const MOST_IN_ONE_S: u64 = 75;
    let (mut with, mut without) = (0, 0);
    for seed in 0..seeds {
        let (robbed, broken) = starved(&with_a_thief(seed, true), options, make);
        if let Some(broken) = broken {
            return Err(format!("A6, seed {seed}: {broken}"));
        }
        let (twin, _) = starved(&with_a_thief(seed, false), Options::default(), make);
        if robbed > twin + MOST_IN_ONE_S {
            return Err(format!(
                "A6, seed {seed}: {robbed} s below a minimum, and {twin} s without the thief"
            ));
        }
        with += robbed;
        without += twin;
    }
    if with * 10 > without * 11 {
        return Err(format!(
            "A6: {with} s below a minimum, and {without} s without the thief"
        ));
    }
    Ok(())
}

#[test]
fn a_malicious_protocol_takes_nothing_from_the_others_a6() {
    assert_eq!(theft(24, JUDGED, brain::manager), Ok(()));
}

/// One that never closes anything for others lets a thief keep what it borrowed.
fn without_rounds(mut config: Config, seed: [u8; 32], now: Time) -> Box<dyn Brain> {
    config.triggers_off = u16::MAX;
    Box::new(Manager::new(config, seed, now))
}

#[test]
fn a_manager_without_rounds_fails_the_test_of_a6() {
    let said = theft(8, Options::default(), without_rounds).expect_err("it is robbed");
    assert!(said.contains("without the thief"), "{said}");
}
