//! How many connections the manager settles on, against the fewest that could do it.
//!
//! Everybody is honest, reachable and known; what each serves was verified on an earlier connection. The manager gets an
//! hour of virtual time; then its connections are compared with the exact cover.

use std::collections::BTreeMap;

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    CloseCause, Command, Config, ConnId, DialWhy, Direction, Event, Manager, Metadata, Need,
    RequirementId, RequirementSpec, Source, Time,
};
use multiaddr::Multiaddr;

use crate::oracles::cover::fewest;
use crate::report::say;

/// What is wanted of each requirement.
const DEMAND: [u8; 6] = [2, 2, 1, 1, 2, 3];
const CANDIDATES: usize = 200;
/// Few enough instances swap for ever that 150 show hardly any.
pub(crate) const INSTANCES: u64 = 400;
const HOUR_MS: u64 = 3_600_000;
const WALL: u64 = 1_700_000_000_000;

/// A peer and what it serves.
struct Candidate {
    id: PeerId,
    route: Multiaddr,
    mask: u64,
}

/// splitmix64: the same instances on every machine.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

fn candidates(numbers: &mut Numbers) -> Vec<Candidate> {
    // Between 15 % and 40 % of the requirements, in thousandths.
    let density = 150 + numbers.next() % 251;
    (0..CANDIDATES)
        .map(|place| {
            let mut bytes = [0_u8; 34];
            bytes[..2].copy_from_slice(&[0x12, 0x20]);
            for chunk in bytes[2..].chunks_mut(8) {
                chunk.copy_from_slice(&numbers.next().to_le_bytes());
            }
            let mask = (0..DEMAND.len())
                .filter(|_| numbers.next() % 1_000 < density)
                .fold(0, |mask, requirement| mask | 1 << requirement);
            Candidate {
                id: PeerId::from_bytes(&bytes).expect("a multihash is an id"),
                route: format!("/ip4/{}.{}.0.1/tcp/443/wss", 20 + place / 100, place % 100)
                    .parse()
                    .expect("an address"),
                mask,
            }
        })
        .collect()
}

fn protocol(requirement: usize) -> String {
    format!("/service/{requirement}")
}

fn need(target: u8) -> Need {
    Need {
        min: target.min(1),
        target,
        max: target * 2,
    }
}

/// The manager and a network that does what it says.
struct World {
    manager: Manager,
    candidates: Vec<Candidate>,
    now: u64,
    named: u64,
    open: BTreeMap<ConnId, usize>,
    answers: Vec<Event>,
    /// Dials of one that can do the work of two, or of the first of two who can do that of three.
    swaps: usize,
}

impl World {
    fn time(&self) -> Time {
        Time {
            mono_ms: self.now,
            wall_ms: WALL + self.now,
        }
    }

    fn tell(&mut self, event: Event) {
        self.manager.handle(self.time(), event);
        loop {
            while let Some(command) = self.manager.poll() {
                self.carry_out(command);
            }
            if self.answers.is_empty() {
                return;
            }
            for answer in std::mem::take(&mut self.answers) {
                self.manager.handle(self.time(), answer);
            }
        }
    }

    fn verify(&mut self, conn: ConnId, place: usize) {
        let mask = self.candidates[place].mask;
        let served = (0..DEMAND.len()).filter(|requirement| mask & (1 << requirement) != 0);
        self.answers.push(Event::Identified {
            conn,
            protocols: served.map(protocol).collect(),
            agent: String::new(),
        });
        let metadata = Metadata::Matched { shards: vec![0] };
        self.answers.push(Event::Metadata { conn, metadata });
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Dial {
                dial,
                peer,
                route,
                why,
                ..
            } => {
                self.swaps += usize::from(why == DialWhy::Swap);
                let place = self.candidates.iter().position(|c| c.id == peer);
                let place = place.expect("only candidates are dialed");
                self.named += 1;
                let conn = ConnId(self.named);
                self.open.insert(conn, place);
                self.answers.push(Event::Connected {
                    conn,
                    peer,
                    direction: Direction::Outbound,
                    route,
                    dial: Some(dial),
                });
                self.verify(conn, place);
            }
            Command::Close { conn, .. } | Command::Drain { conn, .. } => {
                self.open.remove(&conn);
                let cause = CloseCause::Ordered;
                self.answers.push(Event::Closed { conn, cause });
            }
            // It is answered at once: a longer round trip would be an earlier ping's.
            Command::Ping { conn, ping, .. } => self.answers.push(Event::Pong {
                conn,
                ping,
                rtt_ms: 0,
            }),
            _ => {}
        }
    }

    fn run(&mut self, until: u64) {
        while let Some(due) = self.manager.next_deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.tell(Event::Tick);
        }
        self.now = until;
        self.tell(Event::Tick);
    }
}

/// What one instance came to.
pub(crate) struct Settled {
    /// Connections of the manager.
    pub(crate) open: usize,
    /// The fewest that could do it.
    pub(crate) optimum: usize,
    /// Whether every target holds.
    pub(crate) met: bool,
    /// Dials of those who can do the work of more, in the hour.
    pub(crate) swaps: usize,
    /// Of these, in its second half: who goes on swapping does so for ever.
    pub(crate) late_swaps: usize,
}

/// One instance; `None` when not even all candidates together could meet the demand.
pub(crate) fn settle(instance: u64) -> Option<Settled> {
    let mut numbers = Numbers(instance);
    let candidates = candidates(&mut numbers);
    let masks: Vec<u64> = candidates.iter().map(|c| c.mask).collect();
    let optimum = fewest(&masks, &DEMAND)?;
    let requirements = (0..DEMAND.len())
        .map(|requirement| RequirementSpec {
            name: format!("service {requirement}"),
            protocols: vec![protocol(requirement)],
            need: need(0),
        })
        .collect();
    let local = PeerId::from_bytes(&[[0x12, 0x20].as_slice(), &[9; 32]].concat()).expect("an id");
    let mut config = Config::light_node(local, requirements, "", false);
    // A warm spare would be one more, on purpose.
    config.spare_connections = 0;
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&instance.to_le_bytes());
    let time = Time {
        mono_ms: 0,
        wall_ms: WALL,
    };
    let mut world = World {
        manager: Manager::new(config, seed, time),
        candidates,
        now: 0,
        named: 0,
        open: BTreeMap::new(),
        answers: Vec::new(),
        swaps: 0,
    };
    world.tell(Event::Start);
    for place in 0..world.candidates.len() {
        let (peer, route) = {
            let candidate = &world.candidates[place];
            (candidate.id, candidate.route.clone())
        };
        let source = Source::PeerExchange;
        world.tell(Event::Discovered {
            peer,
            routes: vec![route.clone()],
            claims: Vec::new(),
            source,
            introducer: None,
        });
        world.named += 1;
        let conn = ConnId(world.named);
        world.open.insert(conn, place);
        world.verify(conn, place);
        world.tell(Event::Connected {
            conn,
            peer,
            direction: Direction::Inbound,
            route,
            dial: None,
        });
        if world.open.remove(&conn).is_some() {
            let cause = CloseCause::RemoteClean;
            world.tell(Event::Closed { conn, cause });
        }
        world.now += 1_000;
    }
    world.run(world.now + HOUR_MS);
    for (requirement, target) in DEMAND.into_iter().enumerate() {
        world.tell(Event::SetNeed {
            requirement: RequirementId(u8::try_from(requirement).expect("six")),
            need: need(target),
        });
    }
    world.run(world.now + HOUR_MS / 2);
    let early_swaps = world.swaps;
    world.run(world.now + HOUR_MS / 2);
    let met = world
        .manager
        .requirements()
        .iter()
        .all(|view| view.have >= view.target);
    Some(Settled {
        open: world.open.len(),
        optimum,
        met,
        swaps: world.swaps,
        late_swaps: world.swaps - early_swaps,
    })
}

/// Settles every instance and prints how far from the optimum that is.
pub(crate) fn print() {
    let settled: Vec<Settled> = (0..INSTANCES).filter_map(settle).collect();
    let excess = |each: &Settled| each.open as f64 - each.optimum as f64;
    let count = settled.len() as f64;
    let mean = settled.iter().map(excess).sum::<f64>() / count;
    let worst = settled.iter().map(excess).fold(f64::NEG_INFINITY, f64::max);
    let unmet = settled.iter().filter(|each| !each.met).count();
    let over = settled.iter().filter(|each| each.open > each.optimum);
    let over = over.count();
    println!(
        "{count} instances, {unmet} with a target that does not hold, {over} above the optimum"
    );
    let swaps = settled.iter().map(|each| each.swaps);
    let most = swaps.clone().max().unwrap_or(0);
    let many = settled.iter().filter(|each| each.swaps > 2).count();
    let restless = settled.iter().filter(|each| each.late_swaps > 0).count();
    say("economy_excess_mean", mean, "connections");
    say("economy_excess_worst", worst, "connections");
    say(
        "economy_swaps_mean",
        swaps.sum::<usize>() as f64 / count,
        "swaps",
    );
    say("economy_swaps_worst", most as f64, "swaps");
    say("economy_more_than_two_swaps", many as f64, "instances");
    say("economy_still_swapping", restless as f64, "instances");
}
