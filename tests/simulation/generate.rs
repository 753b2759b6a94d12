//! Scripts from one number.

use lightkeeper::manager::{Need, Outcome, Priority};

use crate::book;
use crate::browser::Brand;
use crate::checks::RECOVERY_MS;
use crate::claims;
use crate::environment::Weather;
use crate::network::{Behaviour, NetworkSpec, PeerSpec};
use crate::rng::Rng;
use crate::script::{Act, Script, ShellFaults, Tuning};
use crate::steering;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// What kind of run a seed gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Many acts in minutes, a bad shell, few peers.
    Adversarial,
    /// Fewer acts in hours, an honest shell, more peers.
    Long,
    /// More peers than the table holds.
    Crowd,
    /// Nothing happens but the network's own life.
    Calm,
}

impl Script {
    /// The script of a seed. It ends with everything being well again, and time enough to recover.
    pub(crate) fn from_seed(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x5c21_97d3);
        let kind = match seed % 8 {
            0 => Kind::Long,
            1 => Kind::Calm,
            2 => Kind::Crowd,
            _ => Kind::Adversarial,
        };
        let peers = match kind {
            Kind::Adversarial => rng.between(4, 20),
            Kind::Long | Kind::Calm => rng.between(10, 60),
            Kind::Crowd => rng.between(60, 120),
        };
        let network = network(&mut rng, usize::try_from(peers).expect("few peers"));
        let mut script = Self::new(seed, network, 0);
        script.brand = *rng.pick(&[Brand::Chromium, Brand::Firefox, Brand::Native]);
        script.tuning = tuning(&mut rng, kind);
        script.faults = faults(&mut rng, kind);
        let busy_ms = match kind {
            Kind::Adversarial => rng.between(MINUTE, 20 * MINUTE),
            Kind::Long => rng.between(HOUR, 4 * HOUR),
            Kind::Crowd => rng.between(5 * MINUTE, 30 * MINUTE),
            Kind::Calm => HOUR,
        };
        let acts = match kind {
            Kind::Adversarial => rng.between(3, 60),
            Kind::Long => rng.between(5, 40),
            Kind::Crowd => rng.between(0, 20),
            Kind::Calm => 0,
        };
        let every_ms = *rng.pick(&[0, 1_000, 5_000, 20_000]);
        script.acts.push((0, Act::Workload { every_ms }));
        for _ in 0..acts {
            let t = rng.below(busy_ms);
            troubles(&mut rng, &script.network, t, busy_ms, &mut script.acts);
        }
        more_troubles(seed, &mut rng, busy_ms, acts, &mut script);
        if seed % 3 == 1 {
            spread(&mut Rng::new(seed ^ 0x0005_9ead), &mut script.network);
        }
        script.acts.push((busy_ms, Act::Heal));
        script.horizon_ms = busy_ms + RECOVERY_MS + 5 * MINUTE;
        script
    }
}

/// Some seeds bring troubles of one more kind, some of all kinds; the others stay what they are without them.
fn more_troubles(seed: u64, rng: &mut Rng, busy_ms: u64, acts: u64, script: &mut Script) {
    type Troubles = fn(&mut Rng, &NetworkSpec, u64, u64, &mut Vec<(u64, Act)>);
    let kinds: &[Troubles] = match seed % 8 {
        4 => &[claims::troubles],
        5 => &[steering::troubles],
        6 => &[book::troubles],
        7 => &[claims::troubles, steering::troubles, book::troubles],
        _ => return,
    };
    if matches!(seed % 8, 5 | 7) {
        steering::mix(rng, &mut script.network);
    }
    if matches!(seed % 8, 6 | 7) {
        book::tune(seed, &mut script.tuning);
    }
    if matches!(seed % 8, 4 | 7) {
        claims::prepare(rng, script);
    }
    for n in 0..acts {
        let t = rng.below(busy_ms);
        let kind = kinds[usize::try_from(n).expect("few") % kinds.len()];
        kind(rng, &script.network, t, busy_ms, &mut script.acts);
    }
}

/// Some peers have addresses in several groups. At some they answer, and at some nobody does.
fn spread(rng: &mut Rng, network: &mut NetworkSpec) {
    for peer in &mut network.peers {
        if !rng.per_mille(400) || matches!(peer.behaviour, Behaviour::WrongId { .. }) {
            continue;
        }
        for _ in 0..rng.between(1, 2) {
            // One of the groups in which others live, or one of its own.
            let group = u8::try_from(rng.between(1, 40)).expect("few groups");
            if group != peer.group && peer.elsewhere.iter().all(|(other, _)| *other != group) {
                peer.elsewhere.push((group, rng.per_mille(500)));
            }
        }
    }
}

/// A network in which most things are wrong somewhere, and enough is right.
pub(crate) fn network(rng: &mut Rng, size: usize) -> NetworkSpec {
    let groups = rng.between(1, 12);
    let mut peers: Vec<PeerSpec> = Vec::new();
    for place in 0..size {
        let group = u8::try_from(rng.below(groups)).expect("few groups") + 1;
        // The first few are good, so that there is something to find.
        let mut peer = if place < 3 {
            PeerSpec::honest(0b111, group)
        } else {
            PeerSpec {
                behaviour: behaviour(rng, size),
                serves: u8::try_from(rng.between(0, 7)).expect("three bits"),
                ..PeerSpec::honest(0, group)
            }
        };
        peer.hop_ms = u16::try_from(rng.between(2, 150)).expect("short");
        peer.claims = match rng.below(6) {
            0 => 0,
            1 => 0b111,
            _ => peer.serves,
        };
        if rng.per_mille(150) {
            peer.stale_routes = u8::try_from(rng.between(1, 3)).expect("few");
        }
        match peer.behaviour {
            Behaviour::Liar => {
                peer.serves = 0b111;
                peer.claims = 0b111;
            }
            Behaviour::Colluder => {
                // All of them in one /16.
                peer.serves = 0b111;
                peer.claims = 0b111;
                peer.group = 200;
                peer.knows = Some(Vec::new());
            }
            _ => {}
        }
        peers.push(peer);
    }
    let bootstraps = rng.between(1, 5);
    for n in 0..bootstraps {
        let group = u8::try_from(rng.below(groups)).expect("few groups") + 1;
        let mut peer = PeerSpec::bootstrap(Vec::new(), group);
        // The first is good; some of the others are not, and some serve.
        if n > 0 {
            peer.behaviour = behaviour(rng, size);
            if rng.per_mille(400) {
                peer.serves = 0b111;
                peer.claims = 0b111;
            }
            if rng.per_mille(300) {
                peer.accepts_per_s = Some(u16::try_from(rng.between(1, 5)).expect("few"));
            }
        }
        peers.push(peer);
    }
    let exchangers: Vec<usize> = (0..peers.len())
        .filter(|place| peers[*place].knows.is_some() || rng.per_mille(100))
        .collect();
    for place in exchangers {
        let mut view: Vec<u16> = (0..peers.len())
            .filter(|other| *other != place)
            .map(|other| u16::try_from(other).expect("few peers"))
            .filter(|_| rng.per_mille(600))
            .collect();
        rng.shuffle(&mut view);
        if peers[place].in_tree && peers[place].behaviour == Behaviour::Honest {
            // Partial views, but never blind to those that work.
            view.extend([0, 1, 2]);
        }
        peers[place].knows = Some(view);
    }
    NetworkSpec { peers }
}

fn behaviour(rng: &mut Rng, size: usize) -> Behaviour {
    match rng.below(20) {
        0..7 => Behaviour::Honest,
        7..10 => Behaviour::Dead {
            refuses: rng.per_mille(500),
        },
        10 => Behaviour::Slow {
            ms: u32::try_from(rng.between(200, 8_000)).expect("seconds"),
        },
        11 | 12 => Behaviour::Flapping {
            up_ms: u32::try_from(rng.between(500, 300_000)).expect("minutes"),
            down_ms: u32::try_from(rng.between(500, 120_000)).expect("minutes"),
        },
        13 | 14 => Behaviour::Full {
            capacity: u32::try_from(rng.below(2)).expect("few"),
            refuses: rng.per_mille(500),
        },
        15 => Behaviour::Liar,
        16 | 17 => Behaviour::Colluder,
        18 => Behaviour::WrongId {
            at: rng.place(size),
        },
        _ => {
            if rng.per_mille(500) {
                Behaviour::OtherCluster
            } else {
                Behaviour::Mute
            }
        }
    }
}

fn tuning(rng: &mut Rng, kind: Kind) -> Tuning {
    let mut tuning = Tuning::default();
    let need = |min, target, max| Need { min, target, max };
    if rng.per_mille(250) {
        tuning.needs = *rng.pick(&[
            [need(1, 1, 1), need(1, 1, 1), need(1, 1, 1)],
            [need(2, 3, 3), need(1, 2, 4), need(0, 0, 0)],
            [need(0, 0, 0), need(0, 0, 0), need(0, 0, 0)],
            [need(3, 3, 6), need(3, 3, 6), need(2, 3, 4)],
        ]);
    }
    if kind == Kind::Crowd {
        tuning.max_peers = u16::try_from(rng.between(12, 40)).expect("few");
    }
    if kind == Kind::Adversarial && rng.per_mille(200) {
        tuning.soft = u16::try_from(rng.between(2, 6)).expect("few");
    }
    tuning
}

fn faults(rng: &mut Rng, kind: Kind) -> ShellFaults {
    if kind != Kind::Adversarial || rng.per_mille(400) {
        return ShellFaults::default();
    }
    ShellFaults {
        delay_ms: *rng.pick(&[0, 10, 500, 3_000]),
        overtakes: rng.per_mille(400),
        duplicate: *rng.pick(&[0, 20, 200]),
        lose: *rng.pick(&[0, 0, 20, 150]),
    }
}

/// Something goes wrong, and mostly right again.
pub(crate) fn troubles(
    rng: &mut Rng,
    network: &NetworkSpec,
    t: u64,
    end: u64,
    acts: &mut Vec<(u64, Act)>,
) {
    let place = rng.place(network.peers.len());
    let requirement = u8::try_from(rng.below(3)).expect("three");
    let later = (t + *rng.pick(&[500, 5_000, 40_000, 400_000, 4_000_000])).min(end - 1);
    let weather = |weather| Act::Weather(weather);
    let priority = *rng.pick(&[
        Priority::Banned,
        Priority::Low,
        Priority::Medium,
        Priority::High,
    ]);
    match rng.below(25) {
        0..4 => {
            acts.push((t, Act::PeerDown(place)));
            acts.push((later, Act::PeerUp(place)));
        }
        4 | 5 => acts.push((t, Act::Lose(place))),
        6 => acts.push((t, Act::LoseAll)),
        7 | 8 => {
            let noticed = rng.per_mille(500);
            acts.push((t, weather(Weather::NetworkGone { noticed })));
            acts.push((later, weather(Weather::NetworkBack)));
        }
        9 => {
            let mono = rng.per_mille(500);
            acts.push((t, weather(Weather::Sleep { mono })));
            acts.push((later, weather(Weather::Wake)));
        }
        10 => {
            acts.push((t, weather(Weather::Hide)));
            acts.push((later, weather(Weather::Show)));
        }
        11 => {
            let constrained = place.is_multiple_of(2);
            acts.push((t, weather(Weather::NetworkChanged { constrained })));
        }
        12 => {
            let percent = u8::try_from(rng.between(50, 99)).expect("percent");
            acts.push((t, weather(Weather::Memory { percent })));
        }
        13 => {
            acts.push((t, Act::TreeDown));
            acts.push((later, Act::TreeUp));
        }
        14 | 15 => acts.push((t, Act::SetPriority(place, priority))),
        16 => acts.push((t, Act::ConnectNow(place))),
        17 => {
            acts.push((t, Act::ConnectNow(place)));
            acts.push((later, Act::HangUp(place)));
        }
        18 => {
            let target = u8::try_from(rng.below(4)).expect("few");
            let need = Need {
                min: target.min(1),
                target,
                max: target + 2,
            };
            acts.push((t, Act::SetNeed(requirement, need)));
        }
        19 => acts.push((t, Act::Name(place))),
        20 => {
            acts.push((t, Act::Inbound(place)));
            acts.push((t, Act::Foreign(rng.place(network.peers.len()))));
        }
        21 | 22 => {
            let outcome = *rng.pick(Outcome::ALL);
            for n in 0..rng.between(1, 4) {
                acts.push((t + n * 200, Act::Report(place, requirement, outcome)));
            }
        }
        23 => {
            acts.push((t, Act::Stop));
            acts.push((later, Act::Start));
        }
        _ => {
            let kind = u8::try_from(rng.below(6)).expect("six");
            acts.push((t, Act::Stray(kind)));
            acts.push((later, Act::Tick));
        }
    }
}
