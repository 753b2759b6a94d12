//! What is really the case, whatever a client believes.
//!
//! A peer serves a requirement when a connection with it lives, the network carries it, and it does what it says. Who
//! lies is only found out by asking, and then again and again: the invariants of one run count liars as what they say
//! they are, and distributions only where nobody works.

use std::collections::BTreeSet;

use libp2p_identity::PeerId;
use lightkeeper::manager::{ConnId, Need};
use multiaddr::Multiaddr;

use crate::client::Client;
use crate::network::{Behaviour, Network, SERVICES};
use crate::script::ShellFaults;
use crate::world::World;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Truth {
    pub(crate) t: u64,
    pub(crate) network: bool,
    pub(crate) awake: bool,
    pub(crate) hidden: bool,
    /// A client that is left alone must get what it wants.
    pub(crate) viable: bool,
    pub(crate) healed_at: Option<u64>,
    /// What the shell does to callbacks now.
    pub(crate) faults: ShellFaults,
    /// Connections that the manager was told of and that are dead, without its having been told or having closed them.
    pub(crate) dead: BTreeSet<ConnId>,
    /// How many really serve each requirement of the configuration, or are there and say so.
    pub(crate) serving: [usize; SERVICES as usize],
    pub(crate) minima: bool,
    /// At the end: those who do what they say, and live in one network only.
    pub(crate) good: Vec<Good>,
}

/// Somebody who does what it says.
#[derive(Debug, Clone)]
pub(crate) struct Good {
    pub(crate) peer: PeerId,
    pub(crate) serves: u8,
    /// Where it answers.
    pub(crate) route: Multiaddr,
}

/// Who really serves what, and what of that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) serving: [usize; SERVICES as usize],
    pub(crate) minima: bool,
    pub(crate) targets: bool,
}

/// Whether something that is said on a connection gets through.
pub(crate) fn lives(client: &Client, network: &Network, conn: ConnId, t: u64) -> bool {
    let link = client.links.get(&conn);
    client.environment.network && link.is_some_and(|link| !link.cut && network.is_up(link.place, t))
}

impl Service {
    /// `doubts`: whether liars are known to be.
    pub(crate) fn of(client: &Client, network: &Network, t: u64, doubts: bool) -> Self {
        let conns = client.links.iter();
        let living = conns.filter(|(conn, _)| lives(client, network, **conn, t));
        let mut places: Vec<usize> = living.map(|(_, link)| link.place).collect();
        places.sort_unstable();
        places.dedup();
        let serving: [usize; SERVICES as usize] = std::array::from_fn(|service| {
            let service = u8::try_from(service).expect("few");
            let can = |place: &&usize| {
                let peer = &network.spec.peers[**place];
                let honest = match peer.behaviour {
                    Behaviour::Liar | Behaviour::Colluder => !doubts,
                    Behaviour::OtherCluster | Behaviour::Mute => false,
                    _ => true,
                };
                honest && peer.serves(service)
            };
            places.iter().filter(can).count()
        });
        let holds = |least: fn(&Need) -> u8| {
            let mut needs = client.needs.iter().zip(serving);
            needs.all(|(need, have)| have >= usize::from(least(need)))
        };
        Self {
            serving,
            minima: holds(|need| need.min) && guests_have_theirs(client, network, t),
            targets: holds(|need| need.target),
        }
    }
}

/// Whether the minima of protocols that enrolled hold: of those whom the manager counts, only who lives does.
fn guests_have_theirs(client: &Client, network: &Network, t: u64) -> bool {
    let Some(manager) = client.brain.manager().filter(|_| client.guests) else {
        return true;
    };
    let guests = manager.requirements().into_iter();
    let mut guests = guests.filter(|view| view.id.0 >= SERVICES);
    guests.all(|view| {
        let reached = |conn: &ConnId| lives(client, network, *conn, t);
        let serving = manager.serving(view.id).into_iter();
        let living = serving.filter(|(_, conn)| reached(conn)).count();
        living >= usize::from(view.min)
    })
}

impl World {
    /// What is really the case for a client.
    pub(crate) fn truth(&self, c: usize) -> Truth {
        let client = &self.clients[c];
        let service = Service::of(client, &self.network, self.t, false);
        let gone = client.links.keys().copied();
        let gone = gone.filter(|conn| !lives(client, &self.network, *conn, self.t));
        Truth {
            t: self.t,
            network: client.environment.network,
            awake: client.environment.awake(),
            hidden: client.environment.hidden_since.is_some(),
            viable: self.viable,
            healed_at: self.healed_at,
            faults: self.faults(),
            dead: gone.chain(client.untold.iter().copied()).collect(),
            serving: service.serving,
            minima: service.minima,
            good: Vec::new(),
        }
    }

    /// A shell that goes on losing things cannot be held to anything: once all is well it does its work.
    pub(crate) fn faults(&self) -> ShellFaults {
        match self.healed_at {
            None => self.script.faults,
            Some(_) => ShellFaults::default(),
        }
    }
}

/// Whether every minimum of the first client is met.
pub(crate) fn minima_hold(world: &World) -> bool {
    world.truth(0).minima
}
