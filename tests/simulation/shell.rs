//! Carries the manager's orders out as a browser and a network would, and loses, delays, repeats or swaps what comes
//! back when the script says so.

use lightkeeper::manager::{
    CloseCause, Command, ConnId, DialFailure, DialId, Direction, Event, Metadata, Sighting, Source,
};

use crate::browser::Ended;
use crate::client::{Dialing, Link, What, failed};
use crate::network::{Answer, Behaviour, Life, requirements};
use crate::orders::endpoint;
use crate::truth::lives;
use crate::world::World;

/// From the order to close to its confirmation.
const CLOSE_MS: u64 = 1;
/// How soon a browser without a network refuses.
const REFUSAL_MS: u64 = 5;
/// How long a walk of the tree takes, and how long one that fails.
const TREE_MS: (u64, u64) = (50, 1_500);
const TREE_FAILS_MS: u64 = 5_000;
/// How long the shell waits for an answer of peer exchange.
const EXCHANGE_PATIENCE_MS: u64 = 10_000;

impl World {
    pub(crate) fn obey(&mut self, c: usize, command: Command) {
        match command {
            Command::Dial {
                dial,
                peer,
                route,
                timeout_ms,
                ..
            } => {
                let endpoint = endpoint(&route);
                let t = self.t;
                let client = &mut self.clients[c];
                let held = client.browser.wants(dial, &endpoint, t, &mut client.rng);
                let dialing = Dialing {
                    peer,
                    route,
                    endpoint,
                    asked_at: t,
                    left_at: None,
                    waits: held.is_none(),
                };
                client.dials.insert(dial, dialing);
                if let Some(ms) = held {
                    self.after(c, ms, What::Leaves(dial));
                }
                self.after(c, u64::from(timeout_ms), What::GivesUp(dial));
            }
            Command::CancelDial { dial } => self.end_dial(c, dial, Ended::GivenUp),
            Command::Close { conn, .. } => self.closes(c, conn),
            Command::Drain {
                conn, deadline_ms, ..
            } => {
                let client = &mut self.clients[c];
                let wait = client.rng.between(0, u64::from(deadline_ms));
                self.after(c, wait, What::Drained(conn));
            }
            Command::Ping {
                conn,
                ping,
                timeout_ms,
            } => self.pings(c, conn, ping, timeout_ms),
            Command::Discover => self.walks_tree(c),
            Command::QueryPeers { conn, peer, count } => {
                let place = self.network.place(&peer);
                self.asks_peer(c, conn, place, count);
            }
            Command::Offer { .. }
            | Command::Lock { .. }
            | Command::Burst { .. }
            | Command::RequestScores { .. } => self.answer_claim(c, command),
            // News and answers are for the application.
            Command::Wish { .. } | Command::Notify(_) => {}
        }
    }

    // --- callbacks ------------------------------------------------------------------------------------------------

    /// A callback of the shell's is on its way to the manager.
    pub(crate) fn call_back(&mut self, c: usize, ms: u64, event: Event) {
        let faults = self.faults();
        let client = &mut self.clients[c];
        if client.rng.per_mille(faults.lose) {
            return;
        }
        let delay = client.rng.below(u64::from(faults.delay_ms) + 1);
        let mut at = self.t + ms + delay;
        if !faults.overtakes
            && let Some(key) = subject(&event)
        {
            let last = client.heard.entry(key).or_insert(0);
            at = at.max(*last);
            *last = at;
        }
        if client.rng.per_mille(faults.duplicate) {
            let again = at + client.rng.below(30_000);
            self.at(c, again, What::Tell(event.clone()));
        }
        self.at(c, at, What::Tell(event));
    }

    // --- dials ----------------------------------------------------------------------------------------------------

    pub(crate) fn leaves(&mut self, c: usize, dial: DialId) {
        let t = self.t;
        let client = &mut self.clients[c];
        let Some(dialing) = client.dials.get_mut(&dial) else {
            return;
        };
        dialing.left_at = Some(t);
        if !client.environment.network {
            if !client.environment.online {
                let answer = Answer::Fails {
                    after_ms: REFUSAL_MS,
                    how: DialFailure::Unreachable,
                };
                self.after(c, REFUSAL_MS, What::Lands(dial, answer));
            }
            // Else nothing comes back: the shell gives up.
            return;
        }
        let (peer, route) = (dialing.peer, dialing.route.clone());
        let answer = self.network.answer(&peer, &route, t);
        match answer {
            Answer::Silence => {}
            Answer::Fails { after_ms, .. } | Answer::Accepts { after_ms, .. } => {
                self.after(c, after_ms, What::Lands(dial, answer));
            }
        }
    }

    pub(crate) fn lands(&mut self, c: usize, dial: DialId, answer: Answer) {
        let client = &self.clients[c];
        let Some(dialing) = client.dials.get(&dial).cloned() else {
            return;
        };
        match answer {
            Answer::Silence => {}
            Answer::Fails { how, .. } => {
                self.end_dial(c, dial, Ended::Failed);
                self.call_back(c, 0, failed(dial, how));
            }
            // The network went away in between: nothing comes back.
            Answer::Accepts { .. } if !client.environment.network => {}
            Answer::Accepts { place, life, .. } => {
                if !self.network.is_up(place, self.t) {
                    self.end_dial(c, dial, Ended::Failed);
                    self.call_back(c, 0, failed(dial, DialFailure::Handshake));
                    return;
                }
                self.end_dial(c, dial, Ended::Opened);
                let log = &mut self.clients[c].log;
                let left_at = dialing.left_at.unwrap_or(dialing.asked_at);
                log.throttled.push(left_at - dialing.asked_at);
                let conn = self.link(c, place);
                let event = Event::Connected {
                    conn,
                    peer: dialing.peer,
                    direction: Direction::Outbound,
                    route: dialing.route,
                    dial: Some(dial),
                };
                self.call_back(c, 0, event);
                self.greets(c, conn, place, life);
            }
        }
    }

    pub(crate) fn gives_up(&mut self, c: usize, dial: DialId) {
        if self.clients[c].dials.contains_key(&dial) {
            self.end_dial(c, dial, Ended::GivenUp);
            self.call_back(c, 0, failed(dial, DialFailure::Timeout));
        }
    }

    /// A socket is through, one way or the other; the next at its endpoint may go.
    fn end_dial(&mut self, c: usize, dial: DialId, how: Ended) {
        let t = self.t;
        let client = &mut self.clients[c];
        let Some(dialing) = client.dials.remove(&dial) else {
            return;
        };
        if dialing.waits {
            client.browser.forgets(dial, &dialing.endpoint);
            return;
        }
        let next = client
            .browser
            .ended(&dialing.endpoint, how, t, &mut client.rng);
        if let Some((next, ms)) = next {
            if let Some(dialing) = client.dials.get_mut(&next) {
                dialing.waits = false;
            }
            self.after(c, ms, What::Leaves(next));
        }
    }

    // --- connections ----------------------------------------------------------------------------------------------

    /// A connection opens.
    pub(crate) fn link(&mut self, c: usize, place: usize) -> ConnId {
        self.network.opened(place);
        let client = &mut self.clients[c];
        client.named += 1;
        let conn = ConnId(client.named);
        client.links.insert(conn, Link { place, cut: false });
        conn
    }

    /// It is gone; whether it was there.
    pub(crate) fn unlink(&mut self, c: usize, conn: ConnId) -> bool {
        let Some(link) = self.clients[c].links.remove(&conn) else {
            return false;
        };
        self.clients[c].untold.insert(conn);
        self.network.closed(link.place);
        true
    }

    /// What a peer says on a new connection, and how that goes on.
    pub(crate) fn greets(&mut self, c: usize, conn: ConnId, place: usize, life: Life) {
        let spec = &self.network.spec.peers[place];
        let hop = u64::from(spec.hop_ms);
        let behaviour = spec.behaviour.clone();
        match life {
            Life::Lasts => {}
            Life::ClosedEarly { ms } => {
                self.after(c, ms, What::Breaks(conn, CloseCause::RemoteClean));
                return;
            }
            Life::Breaks { ms } => self.after(c, ms, What::Breaks(conn, CloseCause::Broken)),
        }
        if behaviour == Behaviour::Mute {
            return;
        }
        let protocols = self.network.protocols(place);
        let agent = "simulated".to_owned();
        let identified = Event::Identified {
            conn,
            protocols,
            agent,
        };
        self.after(c, 2 * hop, What::Says(conn, identified));
        let metadata = if behaviour == Behaviour::OtherCluster {
            Metadata::OtherNetwork
        } else {
            Metadata::Matched { shards: vec![0] }
        };
        self.after(
            c,
            3 * hop,
            What::Says(conn, Event::Metadata { conn, metadata }),
        );
    }

    /// Something is said on a connection, if it is one and the network carries it.
    pub(crate) fn says(&mut self, c: usize, conn: ConnId, event: Event) {
        let client = &self.clients[c];
        let Some(link) = client.links.get(&conn) else {
            return;
        };
        if client.environment.network && !link.cut {
            self.call_back(c, 0, event);
        } else {
            // TCP says it again.
            self.after(c, 1_000, What::Says(conn, event));
        }
    }

    /// We close it, and say so.
    pub(crate) fn closes(&mut self, c: usize, conn: ConnId) {
        let there = self.unlink(c, conn);
        self.clients[c].untold.remove(&conn);
        if there {
            let cause = CloseCause::Ordered;
            self.call_back(c, CLOSE_MS, Event::Closed { conn, cause });
        }
    }

    /// A connection ends without our doing.
    pub(crate) fn breaks(&mut self, c: usize, conn: ConnId, cause: CloseCause) {
        if self.unlink(c, conn) {
            self.call_back(c, 0, Event::Closed { conn, cause });
        }
    }

    fn pings(&mut self, c: usize, conn: ConnId, ping: u32, timeout_ms: u32) {
        let client = &mut self.clients[c];
        client.pings.insert(conn, ping);
        let place = client.links.get(&conn).map(|link| link.place);
        let lives = lives(client, &self.network, conn, self.t);
        match place.filter(|_| lives) {
            Some(place) => {
                let rtt_ms = 2 * u32::from(self.network.spec.peers[place].hop_ms);
                let pong = Event::Pong { conn, ping, rtt_ms };
                self.after(c, u64::from(rtt_ms), What::Pinged(conn, ping, pong));
            }
            None => {
                let failed = Event::PingFailed { conn, ping };
                self.after(c, u64::from(timeout_ms), What::Pinged(conn, ping, failed));
            }
        }
    }

    /// Only the last ping of a connection is spoken of.
    pub(crate) fn pinged(&mut self, c: usize, conn: ConnId, ping: u32, event: Event) {
        if self.clients[c].pings.get(&conn) == Some(&ping) {
            self.call_back(c, 0, event);
        }
    }

    // --- asking for peers -----------------------------------------------------------------------------------------

    fn walks_tree(&mut self, c: usize) {
        if !self.network.tree_up || !self.clients[c].environment.network {
            let finished = Event::DnsFinished {
                found: 0,
                failed: true,
                answered: false,
            };
            self.call_back(c, TREE_FAILS_MS, finished);
            return;
        }
        let rng = &mut self.clients[c].rng;
        let wait = rng.between(TREE_MS.0, TREE_MS.1);
        let mut tree: Vec<usize> = (0..self.network.ids.len())
            .filter(|place| self.network.spec.peers[*place].in_tree)
            .collect();
        rng.shuffle(&mut tree);
        for (n, place) in tree.iter().enumerate() {
            let event = self.sighting(*place, Source::Dns, None);
            self.call_back(c, wait + 2 * n as u64, event);
        }
        let found = u32::try_from(tree.len()).expect("few peers");
        let failed = tree.is_empty();
        let last = wait + 2 * tree.len() as u64;
        let finished = Event::DnsFinished {
            found,
            failed,
            answered: !failed,
        };
        self.call_back(c, last, finished);
    }

    fn asks_peer(&mut self, c: usize, conn: ConnId, place: Option<usize>, count: u32) {
        let Some(place) = place else { return };
        let peer = self.network.ids[place];
        let lives = lives(&self.clients[c], &self.network, conn, self.t);
        let client = &mut self.clients[c];
        let names = if lives {
            self.network.names(place, count, &mut client.rng)
        } else {
            None
        };
        let Some(names) = names else {
            let entries = Vec::new();
            self.call_back(c, EXCHANGE_PATIENCE_MS, Event::Answered { peer, entries });
            return;
        };
        let wait = 3 * u64::from(self.network.spec.peers[place].hop_ms);
        let entries = names.iter().map(|other| {
            let event = match self.network.boasts.get(&place) {
                Some(wrong) => {
                    let of = u16::try_from(*other).expect("few peers");
                    self.claims_everything(of, *wrong, Some(peer))
                }
                None => self.sighting(*other, Source::PeerExchange, Some(peer)),
            };
            let Event::Discovered {
                peer,
                routes,
                claims,
                ..
            } = event
            else {
                unreachable!("both are sightings");
            };
            Sighting {
                peer,
                routes,
                claims,
            }
        });
        let entries = entries.collect();
        self.call_back(c, wait, Event::Answered { peer, entries });
    }

    /// What somebody says of a peer.
    pub(crate) fn sighting(
        &self,
        place: usize,
        source: Source,
        introducer: Option<libp2p_identity::PeerId>,
    ) -> Event {
        Event::Discovered {
            peer: self.network.ids[place],
            routes: self.network.routes[place].clone(),
            claims: match source {
                Source::Static => Vec::new(),
                _ => requirements(self.network.spec.peers[place].claims),
            },
            source,
            introducer,
        }
    }
}

/// What an event is about, for the order of callbacks: a dial, a connection, a peer's answer, the tree.
fn subject(event: &Event) -> Option<(u8, u64)> {
    match event {
        Event::DialFailed { dial, .. } => Some((0, dial.0)),
        Event::Connected { conn, .. }
        | Event::Identified { conn, .. }
        | Event::Metadata { conn, .. }
        | Event::Closed { conn, .. }
        | Event::Pong { conn, .. }
        | Event::Heard { conn, .. }
        | Event::Doubt { conn }
        | Event::PingFailed { conn, .. } => Some((1, conn.0)),
        Event::Discovered {
            introducer: Some(peer),
            ..
        }
        | Event::Answered { peer, .. } => Some((2, mark(peer))),
        Event::Discovered {
            source: Source::Dns,
            ..
        }
        | Event::DnsFinished { .. } => Some((3, 0)),
        _ => None,
    }
}

fn mark(peer: &libp2p_identity::PeerId) -> u64 {
    let bytes = peer.to_bytes();
    let last = bytes.last_chunk::<8>().expect("an id has 34 bytes");
    u64::from_be_bytes(*last)
}
