//! A manager and a network that answers each of its orders at once.

use std::hint::black_box;

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    CloseCause, Command, Config, ConnId, DialFailure, Direction, Event, Manager, Metadata, Need,
    RequirementId, RequirementSpec, Source, Time,
};
use multiaddr::Multiaddr;

use crate::clock::nanos;

/// A node of many protocols.
pub(crate) const REQUIREMENTS: u8 = 16;
/// Of these, each peer serves some.
const SERVED: u8 = 4;
const NEED: Need = Need {
    min: 1,
    target: 2,
    max: 4,
};
const EXCHANGE: &str = "/peer-exchange";
/// Peers of one netgroup.
const PER_GROUP: usize = 8;
/// Peers that one other named.
const PER_INTRODUCER: usize = 60;

/// An open connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Open {
    pub(crate) conn: ConnId,
    pub(crate) peer: PeerId,
}

pub(crate) struct World {
    pub(crate) manager: Manager,
    pub(crate) open: Vec<Open>,
    pub(crate) handled: u64,
    pub(crate) now: u64,
    /// What each kind of input took, in nanoseconds, when it is measured.
    pub(crate) took: Option<Vec<(&'static str, u64)>>,
    /// One dial in so many fails; 0: none.
    pub(crate) fails_one_in: u64,
    ids: Vec<PeerId>,
    peers: usize,
    named: u64,
    dialed: u64,
    answers: Vec<Event>,
}

impl World {
    /// As many peers known, some connected.
    pub(crate) fn of(peers: usize) -> Self {
        let mut world = Self::empty(peers);
        for place in 0..peers {
            let event = world.sighting(place);
            world.tell(event);
        }
        world.tell(Event::Start);
        for _ in 0..100 {
            world.pass(100);
        }
        assert_eq!(world.manager.stats().known as usize, peers);
        assert!(world.open.len() >= 4, "hardly anybody is connected");
        world
    }

    /// Room for as many peers, and nobody known.
    pub(crate) fn empty(peers: usize) -> Self {
        let requirements = (0..REQUIREMENTS).map(|id| RequirementSpec {
            name: format!("service-{id}"),
            protocols: vec![protocol(RequirementId(id))],
            need: NEED,
        });
        let local = id(u64::MAX);
        let mut config = Config::light_node(local, requirements.collect(), EXCHANGE, false);
        config.max_peers = peers;
        let now = 1_000;
        // Twice as many as are kept, so that there are strangers.
        let mut ids: Vec<PeerId> = (0..2 * peers as u64).map(id).collect();
        ids.sort();
        Self {
            manager: Manager::new(config, [1; 32], time(now)),
            open: Vec::new(),
            handled: 0,
            now,
            took: None,
            fails_one_in: 0,
            ids,
            peers,
            named: 0,
            dialed: 0,
            answers: Vec::new(),
        }
    }

    /// What peer exchange says of a peer.
    pub(crate) fn sighting(&self, place: usize) -> Event {
        Event::Discovered {
            peer: self.ids[place],
            routes: vec![address(place)],
            claims: services(place),
            source: Source::PeerExchange,
            introducer: self.ids.get(place / PER_INTRODUCER).copied(),
        }
    }

    /// A peer that nobody has heard of.
    pub(crate) fn stranger(&self, number: usize) -> Event {
        self.sighting(self.peers + number % self.peers)
    }

    /// One input, and whatever follows from it.
    pub(crate) fn tell(&mut self, event: Event) {
        self.handle(event);
        while let Some(answer) = self.answers.pop() {
            self.handle(answer);
        }
    }

    fn handle(&mut self, event: Event) {
        self.handled += 1;
        let kind = kind(&event);
        let began = nanos();
        self.manager.handle(time(self.now), event);
        let mut orders = Vec::new();
        while let Some(command) = self.manager.poll() {
            orders.push(black_box(command));
        }
        if let Some(took) = &mut self.took {
            took.push((kind, nanos() - began));
        }
        for command in orders {
            self.obey(command);
        }
    }

    /// Answers come in the order in which they are pushed last.
    fn obey(&mut self, command: Command) {
        match command {
            Command::Dial {
                dial, peer, route, ..
            } => {
                self.dialed += 1;
                if self.fails_one_in != 0 && self.dialed.is_multiple_of(self.fails_one_in) {
                    let failure = DialFailure::Unreachable;
                    self.answers.push(Event::DialFailed {
                        dial,
                        failure,
                        answered: None,
                    });
                    return;
                }
                self.named += 1;
                let conn = ConnId(self.named);
                self.open.push(Open { conn, peer });
                self.answers.push(Event::Metadata {
                    conn,
                    metadata: Metadata::Matched { shards: vec![0] },
                });
                self.answers.push(self.identify(conn, &peer));
                self.answers.push(Event::Connected {
                    conn,
                    peer,
                    direction: Direction::Outbound,
                    route,
                    dial: Some(dial),
                });
            }
            Command::Close { conn, .. } | Command::Drain { conn, .. } => {
                self.open.retain(|each| each.conn != conn);
                self.answers.push(Event::Closed {
                    conn,
                    cause: CloseCause::Ordered,
                });
            }
            Command::Ping { conn, ping, .. } => self.answers.push(Event::Pong {
                conn,
                ping,
                rtt_ms: 5,
            }),
            Command::QueryPeers { peer, .. } => self.answers.push(Event::Answered {
                peer,
                entries: Vec::new(),
            }),
            Command::Discover => self.answers.push(Event::DnsFinished {
                found: 0,
                failed: false,
                answered: true,
            }),
            _ => {}
        }
    }

    /// What identify says on a connection.
    pub(crate) fn identify(&self, conn: ConnId, peer: &PeerId) -> Event {
        let place = self
            .ids
            .binary_search(peer)
            .expect("only known peers are dialed");
        Event::Identified {
            conn,
            protocols: services(place).into_iter().map(protocol).collect(),
            agent: "bench".to_owned(),
        }
    }

    /// Lets time go by, with a tick at each deadline.
    pub(crate) fn pass(&mut self, ms: u64) {
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

    /// A connection breaks, and is replaced.
    pub(crate) fn lose(&mut self, place: usize) {
        if place < self.open.len() {
            let conn = self.open.remove(place).conn;
            let cause = CloseCause::Broken;
            self.tell(Event::Closed { conn, cause });
        }
    }
}

fn kind(event: &Event) -> &'static str {
    match event {
        Event::Tick => "tick",
        Event::Discovered { .. } => "discovered",
        Event::Connected { .. } => "connected",
        Event::Identified { .. } => "identified",
        Event::Metadata { .. } => "metadata",
        Event::Closed { .. } => "closed",
        Event::DialFailed { .. } => "dial failed",
        Event::Pong { .. } => "pong",
        Event::Heard { .. } => "heard",
        Event::Report { .. } => "report",
        _ => "other",
    }
}

fn time(mono_ms: u64) -> Time {
    Time {
        mono_ms,
        wall_ms: 1_700_000_000_000 + mono_ms,
    }
}

fn protocol(id: RequirementId) -> String {
    format!("/service-{}/1.0.0", id.0)
}

fn services(place: usize) -> Vec<RequirementId> {
    let first = u8::try_from(place * 7 % usize::from(REQUIREMENTS)).expect("a remainder");
    (0..SERVED)
        .map(|step| RequirementId((first + step * 3) % REQUIREMENTS))
        .collect()
}

/// An address of its own: clones of one would share their bytes.
fn address(place: usize) -> Multiaddr {
    let group = place / PER_GROUP;
    let (a, b) = (11 + group / 256, group % 256);
    let (c, d) = (place % PER_GROUP, 1 + place / PER_GROUP % 200);
    format!("/ip4/{a}.{b}.{c}.{d}/tcp/8000/wss")
        .parse()
        .expect("an address")
}

fn id(number: u64) -> PeerId {
    // Making keys is slow; any multihash of the right form is an id.
    let mut bytes = vec![0x12, 0x20];
    let mut state = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    for _ in 0..4 {
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^= state >> 31;
        bytes.extend(state.to_be_bytes());
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    }
    PeerId::from_bytes(&bytes).expect("a SHA-256 multihash")
}
