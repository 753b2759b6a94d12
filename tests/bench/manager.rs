//! What one `handle` of the manager costs with 5,000 known peers, natively.
//!
//! `cargo bench --no-default-features --bench manager`; a number is the mean over one call of `handle` and the draining
//! of what it ordered.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use libp2p_identity::{Keypair, PeerId};
use lightkeeper::manager::{
    CloseCause, Command, Config, ConnId, Direction, Event, Manager, Metadata, Need, Outcome,
    RequirementId, RequirementSpec, Source, Time,
};
use multiaddr::Multiaddr;

/// The most peers that are kept.
const PEERS: usize = 5_000;
const NAMES: [&str; 3] = ["lightPush", "filter", "store"];
const NEEDS: [Need; 3] = [
    Need {
        min: 1,
        target: 2,
        max: 4,
    },
    Need {
        min: 1,
        target: 2,
        max: 4,
    },
    Need {
        min: 0,
        target: 1,
        max: 2,
    },
];
const EXCHANGE: &str = "/peer-exchange";
/// One loss in this time: fast enough to be work, slow enough for the pacing of dials to allow each replacement.
const BETWEEN_LOSSES_MS: u64 = 1_000;
/// After so many losses the world is made anew, so that most peers have not failed yet.
const LOSSES_PER_WORLD: u64 = 300;

/// The manager and a network that answers each of its orders at once.
struct World {
    manager: Manager,
    peers: Vec<(PeerId, Multiaddr)>,
    now: u64,
    named: u64,
    open: Vec<(ConnId, PeerId)>,
    answers: Vec<Event>,
    handled: u64,
}

impl World {
    /// Everybody known, three connected.
    fn new(peers: &[(PeerId, Multiaddr)]) -> Self {
        let requirements = NAMES.iter().zip(NEEDS).map(|(name, need)| RequirementSpec {
            name: (*name).to_owned(),
            protocols: vec![format!("/{name}")],
            need,
        });
        let local = id(u64::MAX);
        let config = Config::light_node(local, requirements.collect(), EXCHANGE, false);
        let now = 1_000;
        let mut world = Self {
            manager: Manager::new(config, [1; 32], time(now)),
            peers: peers.to_vec(),
            now,
            named: 0,
            open: Vec::new(),
            answers: Vec::new(),
            handled: 0,
        };
        for place in 0..world.peers.len() {
            let event = world.sighting(place);
            world.tell(event);
        }
        world.tell(Event::Start);
        for _ in 0..20 {
            world.pass(100);
        }
        assert_eq!(world.manager.stats().known as usize, world.peers.len());
        assert!(world.open.len() >= 2, "nobody is connected");
        world
    }

    /// What peer exchange says of a peer; every fourth serves one thing alone.
    fn sighting(&self, place: usize) -> Event {
        let (peer, route) = &self.peers[place];
        Event::Discovered {
            peer: *peer,
            routes: vec![route.clone()],
            claims: services(place),
            source: Source::PeerExchange,
            introducer: None,
        }
    }

    /// One input, and whatever follows from it.
    fn tell(&mut self, event: Event) {
        self.handle(event);
        while let Some(answer) = self.answers.pop() {
            self.handle(answer);
        }
    }

    fn handle(&mut self, event: Event) {
        self.handled += 1;
        self.manager.handle(time(self.now), event);
        while let Some(command) = self.manager.poll() {
            self.obey(black_box(command));
        }
    }

    /// Answers come in the order in which they are pushed last.
    fn obey(&mut self, command: Command) {
        match command {
            Command::Dial {
                dial, peer, route, ..
            } => {
                self.named += 1;
                let conn = ConnId(self.named);
                self.open.push((conn, peer));
                let place = self.place(&peer);
                let protocols = services(place)
                    .iter()
                    .map(|id| format!("/{}", NAMES[usize::from(id.0)]))
                    .collect();
                self.answers.push(Event::Metadata {
                    conn,
                    metadata: Metadata::Matched { shards: vec![0] },
                });
                self.answers.push(Event::Identified {
                    conn,
                    protocols,
                    agent: "bench".to_owned(),
                });
                self.answers.push(Event::Connected {
                    conn,
                    peer,
                    direction: Direction::Outbound,
                    route,
                    dial: Some(dial),
                });
            }
            Command::Close { conn, .. } => {
                self.open.retain(|(each, _)| *each != conn);
                self.answers.push(Event::Closed {
                    conn,
                    cause: CloseCause::Ordered,
                });
            }
            Command::Ping { conn, .. } => self.answers.push(Event::Pong { conn, rtt_ms: 5 }),
            Command::QueryPeers { peer, .. } => self.answers.push(Event::PeerExchangeDone {
                peer,
                found: Some(0),
            }),
            Command::Discover => self.answers.push(Event::DnsFinished {
                found: 0,
                failed: false,
            }),
            Command::CancelDial { .. } | Command::Notify(_) => {}
        }
    }

    /// The route says which peer it is.
    fn place(&self, peer: &PeerId) -> usize {
        self.peers
            .binary_search_by_key(peer, |(id, _)| *id)
            .expect("only known peers are dialed")
    }

    /// Lets time go by, with a tick at each deadline.
    fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(deadline) = self
            .manager
            .next_deadline()
            .filter(|deadline| *deadline <= end)
        {
            self.now = self.now.max(deadline);
            self.tell(Event::Tick);
        }
        self.now = end;
    }

    /// The oldest connection breaks, and is replaced.
    fn lose(&mut self) {
        if !self.open.is_empty() {
            let (conn, _) = self.open.remove(0);
            self.tell(Event::Closed {
                conn,
                cause: CloseCause::Broken,
            });
        }
    }
}

fn time(mono_ms: u64) -> Time {
    Time {
        mono_ms,
        wall_ms: 1_700_000_000_000 + mono_ms,
    }
}

fn services(place: usize) -> Vec<RequirementId> {
    match place % 4 {
        0 => vec![RequirementId((place / 4 % 3) as u8)],
        _ => (0..3).map(RequirementId).collect(),
    }
}

fn id(number: u64) -> PeerId {
    let mut secret = [9; 32];
    secret[..8].copy_from_slice(&number.to_be_bytes());
    Keypair::ed25519_from_bytes(secret)
        .expect("any 32 bytes are a key")
        .public()
        .to_peer_id()
}

fn peers() -> Vec<(PeerId, Multiaddr)> {
    let mut ids: Vec<PeerId> = (0..PEERS as u64).map(id).collect();
    ids.sort();
    let address = |place: usize| {
        format!("/ip4/10.{}.{}.1/tcp/8000/ws", place / 256, place % 256)
            .parse()
            .expect("an address")
    };
    ids.into_iter()
        .enumerate()
        .map(|(place, id)| (id, address(place)))
        .collect()
}

/// Measures calls of `handle` while `work` makes some, in worlds that are made anew now and then.
fn measure(
    peers: &[(PeerId, Multiaddr)],
    calls: u64,
    rounds_per_world: u64,
    mut work: impl FnMut(&mut World, u64),
) -> Duration {
    let (mut handled, mut took) = (0, Duration::ZERO);
    while handled < calls {
        let mut world = World::new(peers);
        let before = world.handled;
        let began = Instant::now();
        for round in 0..rounds_per_world {
            work(&mut world, round);
            if handled + world.handled - before >= calls {
                break;
            }
        }
        took += began.elapsed();
        handled += world.handled - before;
    }
    took.mul_f64(calls as f64 / handled as f64)
}

fn handle(criterion: &mut Criterion) {
    let peers = peers();
    let mut group = criterion.benchmark_group("handle");
    group.sample_size(20);

    // Losses, replacements, ticks and pings, as they follow from one another.
    group.bench_function(BenchmarkId::new("losses", PEERS), |bencher| {
        bencher.iter_custom(|calls| {
            measure(&peers, calls, LOSSES_PER_WORLD, |world, _| {
                world.pass(BETWEEN_LOSSES_MS);
                world.lose();
            })
        });
    });

    // Peers that are known already are heard of again.
    group.bench_function(BenchmarkId::new("discovered", PEERS), |bencher| {
        bencher.iter_custom(|calls| {
            measure(&peers, calls, u64::MAX, |world, round| {
                let event = world.sighting((round as usize * 997) % PEERS);
                world.tell(event);
            })
        });
    });

    // A request went well.
    group.bench_function(BenchmarkId::new("report", PEERS), |bencher| {
        bencher.iter_custom(|calls| {
            measure(&peers, calls, u64::MAX, |world, _| {
                let (_, peer) = world.open[0];
                let outcome = Outcome::Success;
                world.tell(Event::Report {
                    peer,
                    requirement: RequirementId(0),
                    outcome,
                });
            })
        });
    });
    group.finish();
}

criterion_group!(benches, handle);
criterion_main!(benches);
