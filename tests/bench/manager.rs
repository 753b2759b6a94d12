//! What one `handle` of the manager costs, with the peers of a small and of a full table.
//!
//! The inputs are what a node sees all day: peers heard of again, answers, pings, and now and then a loss with the dials
//! that follow. Half of the candidates are dead. Only `handle` and `poll` are on the clock.

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use libp2p_identity::{Keypair, PeerId};
use lightkeeper::manager::{
    CloseCause, Command, Config, ConnId, DialFailure, Direction, Event, Manager, Metadata, Need,
    Outcome, RequirementId, RequirementSpec, Source, Time,
};
use multiaddr::Multiaddr;

const PROTOCOLS: [&str; 3] = ["/lightpush/3", "/filter/2", "/store/3"];

fn id(place: u64) -> PeerId {
    let mut secret = [7; 32];
    secret[..8].copy_from_slice(&place.to_be_bytes());
    let key = Keypair::ed25519_from_bytes(secret).expect("any 32 bytes are a key");
    key.public().to_peer_id()
}

/// A node's day.
struct Day {
    manager: Manager,
    peers: Vec<(PeerId, Multiaddr, Vec<RequirementId>)>,
    open: Vec<(ConnId, PeerId)>,
    coming: VecDeque<Event>,
    now: u64,
    step: usize,
    conns: u64,
}

impl Day {
    fn new(known: u64) -> Self {
        let need = |min, target| Need {
            min,
            target,
            max: 2 * target,
        };
        let needs = [need(1, 2), need(1, 2), need(0, 1)];
        let requirements = (0..3)
            .map(|i| RequirementSpec {
                name: PROTOCOLS[i].to_owned(),
                protocols: vec![PROTOCOLS[i].to_owned()],
                need: needs[i],
            })
            .collect();
        let config = Config::light_node(id(0), requirements, "/peer-exchange/2", true);
        let start = Time {
            mono_ms: 0,
            wall_ms: 0,
        };
        let mut day = Self {
            manager: Manager::new(config, [7; 32], start),
            peers: Vec::new(),
            open: Vec::new(),
            coming: VecDeque::new(),
            now: 0,
            step: 0,
            conns: 0,
        };
        for place in 1..=known {
            let (a, b) = (place / 250, place % 250);
            let address = format!("/ip4/{}.{}.{b}.1/tcp/443/wss", 11 + a % 100, a);
            let claims = (0..3_u8)
                .filter(|i| place % 7 >= u64::from(*i))
                .map(RequirementId)
                .collect();
            let address = address.parse().expect("an address");
            day.peers.push((id(place), address, claims));
        }
        for place in 0..day.peers.len() {
            let event = day.sighting(place);
            day.handle(event);
        }
        day.handle(Event::Start);
        for _ in 0..2_000 {
            day.once();
        }
        day
    }

    fn sighting(&self, place: usize) -> Event {
        let (peer, address, claims) = &self.peers[place];
        Event::Discovered {
            peer: *peer,
            routes: vec![address.clone()],
            claims: claims.clone(),
            source: Source::PeerExchange,
            introducer: None,
        }
    }

    /// The next thing that happens.
    fn next(&mut self) -> Event {
        if let Some(event) = self.coming.pop_front() {
            return event;
        }
        self.step += 1;
        let any = self.step.wrapping_mul(2_654_435_761);
        let conn = self.open.get(any % self.open.len().max(1)).copied();
        match (self.step % 16, conn) {
            (0, Some((conn, _))) => {
                self.open.retain(|(open, _)| *open != conn);
                let cause = CloseCause::Broken;
                Event::Closed { conn, cause }
            }
            (1..=4, Some((_, peer))) => Event::Report {
                peer,
                requirement: RequirementId((any % 3) as u8),
                outcome: Outcome::Success,
            },
            (5..=8, Some((conn, _))) => Event::Pong { conn, rtt_ms: 30 },
            _ => self.sighting(any % self.peers.len()),
        }
    }

    fn handle(&mut self, event: Event) -> Duration {
        let time = Time {
            mono_ms: self.now,
            wall_ms: self.now,
        };
        let mut orders = Vec::new();
        let from = Instant::now();
        self.manager.handle(time, black_box(event));
        while let Some(order) = self.manager.poll() {
            orders.push(order);
        }
        let took = from.elapsed();
        for order in orders {
            self.obey(order);
        }
        took
    }

    fn obey(&mut self, order: Command) {
        match order {
            Command::Dial {
                dial, peer, route, ..
            } => {
                if self.conns.is_multiple_of(2) {
                    let failure = DialFailure::Unreachable;
                    self.coming.push_back(Event::DialFailed { dial, failure });
                    self.conns += 1;
                    return;
                }
                self.conns += 1;
                let conn = ConnId(self.conns);
                self.open.push((conn, peer));
                self.coming.push_back(Event::Connected {
                    conn,
                    peer,
                    direction: Direction::Outbound,
                    route,
                    dial: Some(dial),
                });
                self.coming.push_back(Event::Identified {
                    conn,
                    protocols: PROTOCOLS.map(str::to_owned).to_vec(),
                    agent: "bench".to_owned(),
                });
                self.coming.push_back(Event::Metadata {
                    conn,
                    metadata: Metadata::Matched { shards: vec![0] },
                });
            }
            Command::Close { conn, .. } => {
                self.open.retain(|(open, _)| *open != conn);
                let cause = CloseCause::Ordered;
                self.coming.push_back(Event::Closed { conn, cause });
            }
            Command::Ping { conn, .. } => {
                self.coming.push_back(Event::Pong { conn, rtt_ms: 30 });
            }
            _ => {}
        }
    }

    fn once(&mut self) -> Duration {
        self.now += 250;
        let event = self.next();
        self.handle(event)
    }
}

fn handle(criterion: &mut Criterion) {
    for known in [500, 5_000] {
        let mut day = Day::new(known);
        criterion.bench_function(&format!("manager_handle/{known}"), |bencher| {
            bencher.iter_custom(|iterations| (0..iterations).map(|_| day.once()).sum());
        });
        let stats = day.manager.stats();
        let eventful = stats.events / 100;
        assert!(stats.connects > eventful && stats.dial_failures > eventful);
    }
}

criterion_group!(benches, handle);
criterion_main!(benches);
