//! E5, the way back: clients that lost the only server of something come back to it apart from one another.

use std::collections::{BTreeMap, VecDeque};

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    Command, ConnId, DialId, DialWhy, Event, GateQuery, Manager, Reason, RequirementId, Time,
};

use crate::brain::{Brain, Maker, manager};
use crate::network::{NetworkSpec, PeerSpec, address, peer_id};
use crate::script::{Act, Script};
use crate::world::{Options, World};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const CLIENTS: u32 = 400;
const SERVERS: u16 = 12;
const LOST_MS: u64 = 4 * MINUTE;
const BACK_MS: u64 = LOST_MS + MINUTE;
const WATCHED_S: usize = 240;
const WINDOW_S: usize = 10;
/// Dials in a window that are enough to speak of a mean.
const ENOUGH: u64 = 100;
/// The busiest second over the mean of its ten.
const MOST: u64 = 3;

/// Equal servers behind two bootstraps, of which the first alone has the third service.
fn servers() -> NetworkSpec {
    let serves = |n: u16| if n > 0 { 0b011 } else { 0b111 };
    let group = |n: u16| u8::try_from(n).expect("few servers") + 1;
    let mut peers: Vec<PeerSpec> = (0..SERVERS)
        .map(|n| PeerSpec::honest(serves(n), group(n)))
        .collect();
    for n in 0..2 {
        peers.push(PeerSpec::bootstrap((0..SERVERS).collect(), 100 + n));
    }
    NetworkSpec { peers }
}

fn lose_the_first(make: Maker) -> World {
    let end = BACK_MS + WATCHED_S as u64 * SECOND;
    let mut script = Script::new(7, servers(), end)
        .at(LOST_MS, Act::PeerDown(0))
        .at(BACK_MS, Act::PeerUp(0));
    script.clients = CLIENTS;
    let mut world = World::with(&script, Options::default(), make);
    world.run();
    assert_eq!(world.violation, None, "the world ran to its end");
    world
}

/// The busiest ten seconds: the busiest second of them, and all of their dials. A window that begins when nearly all are
/// back already holds a second and its end, and says nothing of a herd.
fn peak(arrivals: &[u64]) -> Option<(u64, u64)> {
    let mut seconds = vec![0_u64; WATCHED_S];
    for t in arrivals.iter().filter(|t| **t >= BACK_MS) {
        let second = usize::try_from((t - BACK_MS) / SECOND).expect("minutes");
        if let Some(count) = seconds.get_mut(second) {
            *count += 1;
        }
    }
    let windows = seconds.windows(WINDOW_S).map(|window| {
        let most = window.iter().max().copied().unwrap_or(0);
        (most, window.iter().sum::<u64>())
    });
    windows
        .filter(|(_, sum)| *sum >= ENOUGH)
        .max_by_key(|(_, sum)| *sum)
}

fn spread(world: &World) -> Result<(), String> {
    let (most, sum) = peak(world.network.arrivals(0)).ok_or("E5: nobody came back")?;
    if most * WINDOW_S as u64 <= MOST * sum {
        return Ok(());
    }
    Err(format!("E5: {most} in one second of ten with {sum}"))
}

/// When each client first dialed the lost server again.
fn first_redials(world: &World) -> Vec<u64> {
    let lost = peer_id(0);
    let first = |dials: &[(u64, PeerId, DialWhy)]| {
        let mut again = dials
            .iter()
            .filter(|(t, peer, _)| *peer == lost && *t > LOST_MS);
        again.next().map(|(t, ..)| t - LOST_MS)
    };
    let clients = world.clients.iter();
    clients
        .filter_map(|client| first(&client.log.dials))
        .collect()
}

/// Pearson's coefficient of neighbours; those who all do the same at the same time are as one.
fn correlation(times: &[u64]) -> f64 {
    let pairs: Vec<(f64, f64)> = times
        .chunks_exact(2)
        .map(|pair| (pair[0] as f64, pair[1] as f64))
        .collect();
    let count = pairs.len() as f64;
    let (x, y) = pairs.iter().fold((0.0, 0.0), |(x, y), pair| {
        (x + pair.0 / count, y + pair.1 / count)
    });
    let sum = |each: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(each).sum::<f64>();
    let both = sum(&|pair| (pair.0 - x) * (pair.1 - y));
    let spread = sum(&|pair| (pair.0 - x).powi(2)) * sum(&|pair| (pair.1 - y).powi(2));
    if spread == 0.0 {
        1.0
    } else {
        both / spread.sqrt()
    }
}

/// Three times what chance gives pairs that have nothing to do with one another.
fn independent(times: &[u64]) -> Result<(), String> {
    let most = 3.0 / ((times.len() / 2) as f64).sqrt();
    let found = correlation(times);
    if found.abs() <= most {
        return Ok(());
    }
    Err(format!("E5: a correlation of {found}, at most {most}"))
}

#[test]
fn a_herd_comes_back_to_the_only_server_apart_e5() {
    let world = lose_the_first(manager);
    let times = first_redials(&world);
    assert!(times.len() > 300, "{} were there before", times.len());
    assert_eq!(spread(&world), Ok(()));
    assert_eq!(independent(&times), Ok(()));
}

/// A manager for everything but the lost server, which is dialed every five seconds until it answers.
struct Stubborn {
    manager: Manager,
    conns: BTreeMap<ConnId, PeerId>,
    again_at: Option<u64>,
    now: u64,
    orders: VecDeque<Command>,
    named: u64,
}

const EVERY_MS: u64 = 5 * SECOND;
/// Dials of its own are named from here on.
const OWN: u64 = 1 << 50;

impl Stubborn {
    fn dials(&mut self) {
        if self.again_at.is_none_or(|at| self.now < at) {
            return;
        }
        self.again_at = Some(self.now + EVERY_MS);
        self.named += 1;
        self.orders.push_back(Command::Dial {
            dial: DialId(OWN + self.named),
            peer: peer_id(0),
            route: address(1, 0, 443),
            timeout_ms: 4_000,
            why: DialWhy::Redial,
        });
    }
}

impl Brain for Stubborn {
    fn handle(&mut self, time: Time, event: Event) {
        self.now = time.mono_ms;
        let lost = peer_id(0);
        match &event {
            Event::Connected { conn, peer, .. } => {
                self.conns.insert(*conn, *peer);
                if *peer == lost {
                    self.again_at = None;
                }
            }
            Event::Closed { conn, .. } if self.conns.remove(conn) == Some(lost) => {
                self.again_at = Some(self.now + EVERY_MS);
            }
            _ => {}
        }
        self.manager.handle(time, event);
        while let Some(command) = self.manager.poll() {
            let theirs = matches!(&command, Command::Dial { peer, .. } if *peer == lost);
            if self.again_at.is_none() || !theirs {
                self.orders.push_back(command);
            }
        }
        self.dials();
    }

    fn poll(&mut self) -> Option<Command> {
        self.orders.pop_front()
    }

    fn next_deadline(&self) -> Option<u64> {
        let both = [self.manager.next_deadline(), self.again_at];
        both.into_iter().flatten().min()
    }

    fn gate(&mut self, time: Time, query: GateQuery) -> Result<(), Reason> {
        self.manager.gate(time, query)
    }

    fn serving(&self, requirement: RequirementId) -> Vec<(PeerId, ConnId)> {
        self.manager.serving(requirement)
    }

    fn knows(&self, peer: &PeerId) -> bool {
        Brain::knows(&self.manager, peer)
    }

    fn manager(&self) -> Option<&Manager> {
        None
    }
}

#[test]
fn clients_that_try_again_every_five_seconds_fail_the_test_of_e5() {
    let stubborn: Maker = |config, seed, now| -> Box<dyn Brain> {
        Box::new(Stubborn {
            manager: Manager::new(config, seed, now),
            conns: BTreeMap::new(),
            again_at: None,
            now: now.mono_ms,
            orders: VecDeque::new(),
            named: 0,
        })
    };
    let world = lose_the_first(stubborn);
    let said = spread(&world).expect_err("they come all at once");
    assert!(said.contains("in one second"), "{said}");
    assert!(independent(&first_redials(&world)).is_err());
}
