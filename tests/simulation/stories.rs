//! Short scripts that proptest once shrank a failure to. `SIM_STORY=1 … -- stories --nocapture` tells them.

use lightkeeper::manager::{Need, Outcome};

use crate::book::Note;
use crate::claims::{Claim, Wish};
use crate::environment::Weather;
use crate::network::{Behaviour, NetworkSpec, PeerSpec};
use crate::runner::run;
use crate::script::{Act, Script, ShellFaults};
use crate::steering::Steer;
use crate::truth::minima_hold;
use crate::world::{Options, World};

fn holds(script: &Script) {
    let options = Options {
        judge: true,
        record: false,
        story: std::env::var_os("SIM_STORY").is_some(),
    };
    let violation = run(script, options).violation;
    assert_eq!(violation.map(|violation| violation.to_string()), None);
}

/// Firefox holds back what fails again and again; giving up on it must not make it wait for ever.
#[test]
fn the_only_peer_of_the_tree_goes_down_and_the_network_with_it() {
    let lone = PeerSpec {
        in_tree: true,
        ..PeerSpec::honest(0b010, 1)
    };
    let unwanted = Need {
        min: 0,
        target: 0,
        max: 1,
    };
    let gone = Weather::NetworkGone { noticed: false };
    let mut script = Script::new(
        0,
        NetworkSpec {
            peers: vec![PeerSpec::honest(0, 1), lone],
        },
        4_842_396,
    )
    .at(835, Act::ProviderDown(1))
    .at(41_472, Act::Weather(gone))
    .at(42_396, Act::SetNeed(0, unwanted))
    .at(42_397, Act::Heal);
    script.brand = crate::browser::Brand::Firefox;
    holds(&script);
}

/// R3: the redial of the only one who served filled the places of the head start, and whoever had to wait for them was
/// noticed only with the next input.
#[test]
fn the_last_who_served_is_lost_while_two_others_are_dialed() {
    let peer = |serves, claims, group| PeerSpec {
        claims,
        ..PeerSpec::honest(serves, group)
    };
    let full = |capacity, peer| PeerSpec {
        behaviour: Behaviour::Full {
            capacity,
            refuses: false,
        },
        stale_routes: 1,
        ..peer
    };
    let peers = vec![
        PeerSpec {
            knows: Some(vec![4]),
            ..peer(0, 0b110, 1)
        },
        PeerSpec {
            behaviour: Behaviour::WrongId { at: 0 },
            ..peer(0b010, 0b010, 1)
        },
        peer(0, 0, 1),
        full(0, peer(0, 0, 1)),
        full(1, peer(0b100, 0b100, 3)),
        PeerSpec {
            knows: Some(vec![0, 1]),
            in_tree: true,
            ..peer(0b111, 0b111, 3)
        },
    ];
    let mut script = Script::new(784_470_353_442_268_333, NetworkSpec { peers }, 6_754_446)
        .at(54_166, Act::Stop)
        .at(83_858, Act::Start)
        .at(84_723, Act::ConnectNow(3))
        .at(128_818, Act::PeerDown(3))
        .at(1_442_046, Act::Report(0, 0, Outcome::Busy))
        .at(1_858_455, Act::TreeDown)
        .at(1_953_304, Act::ProviderDown(0))
        .at(1_954_447, Act::Heal);
    script.faults = ShellFaults {
        delay_ms: 1_217,
        overtakes: true,
        duplicate: 126,
        lose: 1,
    };
    script.brand = crate::browser::Brand::Firefox;
    holds(&script);
}

/// What protocols that enroll need is tried for like everything else (L5), and found when it comes (L1).
#[test]
fn the_only_provider_of_a_guest_is_away_for_hours() {
    let guest = Wish {
        min: None,
        need: Some(Need {
            min: 1,
            target: 1,
            max: 1,
        }),
        ..Wish::MODEST
    };
    let hour = 3_600_000;
    let provider = PeerSpec {
        serves: 0b1111,
        claims: 0,
        ..PeerSpec::honest(0b1111, 4)
    };
    let mut peers = vec![PeerSpec::honest(0b111, 1), PeerSpec::honest(0b111, 2)];
    peers.push(provider);
    peers.push(PeerSpec::bootstrap(vec![0, 1, 2], 3));
    let script = Script::new(3, NetworkSpec { peers }, 8 * hour)
        .at(0, Act::PeerDown(2))
        .at(1_000, Act::Claim(Claim::Enroll(1, guest)))
        .at(6 * hour, Act::PeerUp(2));
    holds(&script);
    let mut world = World::new(&script, Options::default());
    world.run_until(6 * hour - 1);
    assert!(!minima_hold(&world));
    world.run();
    assert!(minima_hold(&world));
    let met = world.clients[0].log.minima_after(6 * hour);
    let cap = 3_600_000 + 60_000;
    assert!(met.is_some_and(|ms| ms > 0 && ms <= cap), "{met:?}");
}

/// S4: whom the user protects after having forgotten it is the user's, and no parked bootstrap peer.
#[test]
fn the_only_peer_of_the_tree_is_forgotten_and_then_protected() {
    let lone = PeerSpec {
        in_tree: true,
        ..PeerSpec::honest(0, 1)
    };
    let network = NetworkSpec { peers: vec![lone] };
    let mut script = Script::new(4_559_442_991_266_427, network, 4_801_227)
        .at(1_227, Act::Note(Note::Forget(0)))
        .at(1_227, Act::Steer(Steer::Pause))
        .at(1_227, Act::Steer(Steer::Protect(0, 0)))
        .at(1_228, Act::Heal);
    script.faults.duplicate = 1;
    script.faults.lose = 60;
    script.brand = crate::browser::Brand::Firefox;
    holds(&script);
}

/// S2: somebody who takes nobody in, and whom nobody can stand in for, is lost again and again while another of the user's
/// never answers.
#[test]
fn the_last_who_is_known_takes_nobody_in() {
    let nobody = || PeerSpec::honest(0, 1);
    let mut peers: Vec<PeerSpec> = (0..8).map(|_| nobody()).collect();
    peers[3].in_tree = true;
    peers[4].behaviour = Behaviour::Mute;
    peers[7].behaviour = Behaviour::Full {
        capacity: 0,
        refuses: false,
    };
    let changed = Weather::NetworkChanged { constrained: false };
    let mut script = Script::new(2_082_179_831_816_344_965, NetworkSpec { peers }, 4_802_631)
        .at(0, Act::Start)
        .at(0, Act::Name(4))
        .at(2_591, Act::Weather(changed))
        .at(2_631, Act::Name(7))
        .at(2_632, Act::Heal);
    (script.tuning.max_bans, script.tuning.max_user_bans) = (70, 32);
    holds(&script);
}

/// S2: the only one there is comes and goes; what is taken back after a suspicion counts no more than it did before.
#[test]
fn the_only_one_comes_and_goes() {
    let only = PeerSpec {
        behaviour: Behaviour::Flapping {
            up_ms: 13_556,
            down_ms: 22_587,
        },
        in_tree: true,
        ..PeerSpec::honest(0b001, 1)
    };
    let mut script = Script::new(
        10_127_310_041_901_242_151,
        NetworkSpec { peers: vec![only] },
        4_800_000,
    )
    .at(0, Act::Start)
    .at(1, Act::Heal);
    script.brand = crate::browser::Brand::Chromium;
    holds(&script);
}

/// S7: a dial is given up as it succeeds. Whom nobody waits for any more is not held, and goes like anybody.
#[test]
fn whom_the_user_gave_up_is_let_go_like_anybody() {
    let mut peers: Vec<PeerSpec> = (0..10).map(|_| PeerSpec::honest(0, 1)).collect();
    peers[1].behaviour = Behaviour::Dead { refuses: false };
    peers[3] = PeerSpec {
        behaviour: Behaviour::Liar,
        ..PeerSpec::honest(6, 3)
    };
    peers[4] = PeerSpec {
        stale_routes: 1,
        in_tree: true,
        ..PeerSpec::honest(6, 2)
    };
    peers[6].behaviour = Behaviour::Mute;
    peers[9] = PeerSpec::honest(2, 1);
    let mut script = Script::new(2_693_453_924_953_256_165, NetworkSpec { peers }, 4_950_919)
        .at(0, Act::Start)
        .at(47_410, Act::ConnectNow(3))
        .at(47_491, Act::GaveUp(3))
        .at(106_149, Act::Workload { every_ms: 1_000 })
        .at(106_149, Act::Steer(Steer::Pause))
        .at(106_149, Act::TreeDown)
        .at(106_149, Act::LoseAll)
        .at(107_414, Act::Steer(Steer::Pause))
        .at(108_516, Act::Name(0))
        .at(109_674, Act::ConnectNow(9))
        .at(110_167, Act::PeerUp(0))
        .at(112_418, Act::Start)
        .at(114_946, Act::LoseAll)
        .at(143_562, Act::HangUp(1))
        .at(150_919, Act::Start)
        .at(150_920, Act::Heal);
    script.faults = ShellFaults {
        delay_ms: 2_105,
        overtakes: false,
        duplicate: 41,
        lose: 60,
    };
    (script.tuning.max_bans, script.tuning.max_user_bans) = (54, 39);
    script.brand = crate::browser::Brand::Native;
    holds(&script);
}
