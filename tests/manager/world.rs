//! A small network under virtual time, for stories about the manager.
//!
//! The world answers the manager's orders as a shell and a network would: dials take 20 ms, identify and metadata 5 ms
//! each. Every order is kept with the time at which it was given, and the manager's indexes are recounted after every
//! input.

mod answers;
mod asking;

use std::collections::BTreeMap;
use std::sync::Mutex;

use libp2p_identity::{Keypair, PeerId};
use lightkeeper::manager::{
    Cause, CloseCause, Command, Config, ConnId, DialFailure, Direction, Event, Metadata, Need,
    Outcome, Priority, Reason, Recorded, RequirementId, RequirementSpec, Sighting, Source, Time,
};
use multiaddr::Multiaddr;

pub(crate) const LIGHT_PUSH: RequirementId = RequirementId(0);
pub(crate) const FILTER: RequirementId = RequirementId(1);
pub(crate) const STORE: RequirementId = RequirementId(2);
pub(crate) const ALL: [RequirementId; 3] = [LIGHT_PUSH, FILTER, STORE];
const PROTOCOLS: [&str; 3] = ["/lightpush/3", "/filter/2", "/store/3"];
const EXCHANGE: &str = "/peer-exchange/2";

const DIAL_MS: u64 = 20;
const STEP_MS: u64 = 5;
const WALL_ZERO: u64 = 1_700_000_000_000;

/// What a node does when it is dialed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reachable {
    Yes,
    /// The dial fails at once.
    No(DialFailure),
    /// The dial takes its whole time.
    Never,
    /// The shell loses the dial: no answer ever.
    Lost,
    /// It takes this long.
    Slowly(u64),
}

/// One node of the world.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) id: PeerId,
    pub(crate) address: Multiaddr,
    pub(crate) serves: Vec<RequirementId>,
    pub(crate) exchanges: bool,
    /// What identify lists besides.
    pub(crate) speaks: Vec<String>,
    pub(crate) reachable: Reachable,
    /// Other addresses of it, and what happens there.
    pub(crate) doors: Vec<(Multiaddr, Reachable)>,
    /// `None`: identify never comes.
    pub(crate) identifies: bool,
    pub(crate) metadata: Metadata,
    pub(crate) answers_pings: bool,
    /// What its peer exchange answers, as places in the world.
    pub(crate) knows: Vec<usize>,
    /// Claims that others make of it.
    pub(crate) claims: Vec<RequirementId>,
    /// Milliseconds until it answers a peer exchange request; `None`: never.
    pub(crate) exchange_ms: Option<u64>,
}

/// An order, and when it was given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    pub(crate) at: u64,
    pub(crate) command: Command,
}

pub(crate) struct World {
    pub(crate) manager: Recorded,
    pub(crate) nodes: Vec<Node>,
    pub(crate) orders: Vec<Order>,
    pub(crate) now: u64,
    /// Nodes that the trees name.
    pub(crate) tree: Vec<usize>,
    pub(crate) tree_ms: u64,
    /// Whether closes are confirmed.
    pub(crate) confirms_closes: bool,
    wall_zero: u64,
    queue: BTreeMap<(u64, u64), Event>,
    queued: u64,
    conns: BTreeMap<ConnId, usize>,
    named: u64,
}

/// Keys take long to make: each is made once for all stories.
static IDS: Mutex<BTreeMap<usize, PeerId>> = Mutex::new(BTreeMap::new());

/// The same ids in every run.
pub(crate) fn id(place: usize) -> PeerId {
    let mut ids = IDS.lock().expect("nobody panics with it");
    *ids.entry(place).or_insert_with(|| {
        let mut secret = [7; 32];
        secret[..8].copy_from_slice(&(place as u64 + 1).to_be_bytes());
        let key = Keypair::ed25519_from_bytes(secret).expect("any 32 bytes are a key");
        key.public().to_peer_id()
    })
}

pub(crate) fn need(min: u8, target: u8, max: u8) -> Need {
    Need { min, target, max }
}

pub(crate) fn config(has_dns: bool) -> Config {
    let needs = [need(1, 2, 4), need(1, 2, 4), need(0, 1, 2)];
    let names = ["lightPush", "filter", "store"];
    let requirements = (0..3)
        .map(|i| RequirementSpec {
            name: names[i].to_owned(),
            protocols: vec![PROTOCOLS[i].to_owned()],
            need: needs[i],
        })
        .collect();
    Config::light_node(id(9_999), requirements, EXCHANGE, has_dns)
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(config(true), 1)
    }

    pub(crate) fn with(config: Config, seed: u8) -> Self {
        let time = Time {
            mono_ms: 0,
            wall_ms: WALL_ZERO,
        };
        Self {
            manager: Recorded::new(config, [seed; 32], time),
            nodes: Vec::new(),
            orders: Vec::new(),
            now: 0,
            tree: Vec::new(),
            tree_ms: STEP_MS,
            confirms_closes: true,
            wall_zero: WALL_ZERO,
            queue: BTreeMap::new(),
            queued: 0,
            conns: BTreeMap::new(),
            named: 0,
        }
    }

    /// The same nodes and a new manager, at this time of the day.
    pub(crate) fn restarted(&self, config: Config, seed: u8, wall_ms: u64) -> Self {
        let mut world = Self::with(config.clone(), seed);
        let time = Time {
            mono_ms: 0,
            wall_ms,
        };
        world.manager = Recorded::new(config, [seed; 32], time);
        world.wall_zero = wall_ms;
        world.nodes = self.nodes.clone();
        world.tree = self.tree.clone();
        world
    }

    /// Without trees: nobody is known but whom the test names.
    pub(crate) fn offline_trees() -> Self {
        Self::with(config(false), 1)
    }

    /// A node that serves, and is said to serve, these.
    pub(crate) fn node(&mut self, serves: &[RequirementId]) -> usize {
        let place = self.nodes.len();
        self.nodes.push(Node {
            id: id(place),
            address: format!("/ip4/127.0.0.1/tcp/{}/ws", 9_000 + place)
                .parse()
                .expect("an address"),
            serves: serves.to_vec(),
            exchanges: false,
            speaks: Vec::new(),
            reachable: Reachable::Yes,
            doors: Vec::new(),
            identifies: true,
            metadata: Metadata::Matched { shards: vec![0] },
            answers_pings: true,
            knows: Vec::new(),
            claims: serves.to_vec(),
            exchange_ms: Some(STEP_MS),
        });
        place
    }

    /// A node in the trees that offers only peer exchange, of these.
    pub(crate) fn bootstrap(&mut self, knows: &[usize]) -> usize {
        let place = self.node(&[]);
        self.nodes[place].exchanges = true;
        self.nodes[place].knows = knows.to_vec();
        self.tree.push(place);
        place
    }

    /// Two bootstraps, and behind them three nodes with everything and one for each service: the usual fleet.
    pub(crate) fn fleet() -> (Self, Fleet) {
        Self::fleet_with(1)
    }

    pub(crate) fn fleet_with(seed: u8) -> (Self, Fleet) {
        let mut world = Self::with(config(true), seed);
        let all = [world.node(&ALL), world.node(&ALL), world.node(&ALL)];
        let light_push = world.node(&[LIGHT_PUSH]);
        let filter = world.node(&[FILTER]);
        let store = world.node(&[STORE]);
        let known: Vec<usize> = (0..world.nodes.len()).collect();
        let boot = [world.bootstrap(&known), world.bootstrap(&known)];
        let fleet = Fleet {
            all,
            light_push,
            filter,
            store,
            boot,
        };
        (world, fleet)
    }

    // --- telling ------------------------------------------------------------------------------------------------

    pub(crate) fn time(&self) -> Time {
        Time {
            mono_ms: self.now,
            wall_ms: self.wall_zero + self.now,
        }
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.manager.handle(self.time(), event);
        self.manager.check();
        self.drain();
    }

    pub(crate) fn start(&mut self) {
        self.tell(Event::Start);
    }

    pub(crate) fn discovered(&mut self, place: usize, source: Source) {
        let event = self.sighting(place, source);
        self.tell(event);
    }

    /// A node that the user names: nothing is known of what it serves.
    pub(crate) fn named(&mut self, place: usize) {
        let node = &self.nodes[place];
        let event = Event::Discovered {
            peer: node.id,
            routes: vec![node.address.clone()],
            claims: Vec::new(),
            source: Source::Static,
            introducer: None,
        };
        self.tell(event);
    }

    fn sighting(&self, place: usize, source: Source) -> Event {
        let node = &self.nodes[place];
        let doors = node.doors.iter().map(|(address, _)| address.clone());
        Event::Discovered {
            peer: node.id,
            routes: [node.address.clone()].into_iter().chain(doors).collect(),
            claims: node.claims.clone(),
            source,
            introducer: None,
        }
    }

    /// What peer exchange says of a node.
    pub(crate) fn said_of(&self, place: usize) -> Sighting {
        let node = &self.nodes[place];
        Sighting {
            peer: node.id,
            routes: vec![node.address.clone()],
            claims: node.claims.clone(),
        }
    }

    pub(crate) fn report(&mut self, place: usize, requirement: RequirementId, outcome: Outcome) {
        let peer = self.nodes[place].id;
        self.tell(Event::Report {
            peer,
            requirement,
            outcome,
            charged: true,
        });
    }

    /// The same, and the peer did not do it, or had no time for better.
    pub(crate) fn excused(&mut self, place: usize, requirement: RequirementId, outcome: Outcome) {
        let peer = self.nodes[place].id;
        self.tell(Event::Report {
            peer,
            requirement,
            outcome,
            charged: false,
        });
    }

    pub(crate) fn hang_up(&mut self, place: usize) {
        let peer = self.nodes[place].id;
        self.tell(Event::HangUp { peer });
    }

    pub(crate) fn connect_now(&mut self, place: usize) {
        let node = &self.nodes[place];
        let event = Event::ConnectNow {
            peer: node.id,
            routes: vec![node.address.clone()],
            permanent: false,
        };
        self.tell(event);
    }

    pub(crate) fn set_priority(&mut self, place: usize, priority: Priority) {
        let peer = self.nodes[place].id;
        self.tell(Event::SetPriority { peer, priority });
    }

    pub(crate) fn set_need(&mut self, requirement: RequirementId, need: Need) {
        self.tell(Event::SetNeed { requirement, need });
    }

    /// The node goes away: its connections break, and dials find nobody.
    pub(crate) fn stop_node(&mut self, place: usize) {
        self.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
        self.lose(place, CloseCause::Broken);
    }

    pub(crate) fn start_node(&mut self, place: usize) {
        self.nodes[place].reachable = Reachable::Yes;
    }

    /// Its connections end.
    pub(crate) fn lose(&mut self, place: usize, cause: CloseCause) {
        for conn in self.conns_of(place) {
            self.conns.remove(&conn);
            self.tell(Event::Closed { conn, cause });
        }
    }

    /// A connection that nobody ordered.
    pub(crate) fn connects_by_itself(&mut self, place: usize) -> ConnId {
        self.opens(place, Direction::Outbound)
    }

    /// The same, from either side.
    pub(crate) fn opens(&mut self, place: usize, direction: Direction) -> ConnId {
        self.named += 1;
        let conn = ConnId(self.named);
        self.conns.insert(conn, place);
        let node = &self.nodes[place];
        let event = Event::Connected {
            conn,
            peer: node.id,
            direction,
            route: node.address.clone(),
            dial: None,
        };
        self.greets(conn, place);
        self.tell(event);
        conn
    }

    // --- running ------------------------------------------------------------------------------------------------

    /// Runs everything that is due within this time.
    pub(crate) fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        loop {
            let event_at = self.queue.keys().next().map(|key| key.0);
            let deadline = self.manager.next_deadline();
            let next = match (event_at, deadline) {
                (Some(event), Some(deadline)) if deadline < event => deadline,
                (Some(event), _) => event,
                (None, Some(deadline)) => deadline,
                (None, None) => break,
            };
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if event_at.is_some_and(|at| at <= self.now) {
                let ((_, _), event) = self.queue.pop_first().expect("it is not empty");
                if self.still_true(&event) {
                    self.tell(event);
                }
            } else {
                self.tell(Event::Tick);
            }
        }
        self.now = end;
    }

    /// What is said on a connection that is gone is never heard.
    fn still_true(&mut self, event: &Event) -> bool {
        match event {
            Event::Identified { conn, .. }
            | Event::Metadata { conn, .. }
            | Event::Pong { conn, .. }
            | Event::PingFailed { conn, .. } => self.conns.contains_key(conn),
            Event::Closed { conn, .. } => self.conns.remove(conn).is_some(),
            _ => true,
        }
    }

    pub(crate) fn later(&mut self, ms: u64, event: Event) {
        self.queued += 1;
        self.queue.insert((self.now + ms, self.queued), event);
    }

    fn drain(&mut self) {
        while let Some(command) = self.manager.poll() {
            self.orders.push(Order {
                at: self.now,
                command: command.clone(),
            });
            self.obey(command);
        }
    }
}

/// What a disconnect notice said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) cause: Cause,
    pub(crate) reason: Reason,
    pub(crate) deliberate: bool,
    pub(crate) will_reconnect: bool,
}

/// The places of the usual fleet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fleet {
    pub(crate) all: [usize; 3],
    pub(crate) light_push: usize,
    pub(crate) filter: usize,
    pub(crate) store: usize,
    pub(crate) boot: [usize; 2],
}

impl Fleet {
    pub(crate) fn everybody(&self) -> Vec<usize> {
        let mut all = self.all.to_vec();
        all.extend([self.light_push, self.filter, self.store]);
        all.extend(self.boot);
        all
    }
}
