//! What every strategy keeps: whom it knows, what it dials, what is open, and pings on a fixed clock.

use std::collections::{BTreeMap, VecDeque};

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    Command, Config, ConnId, DialId, DialWhy, Event, Reason, RequirementId, Sighting, Source,
};
use multiaddr::Multiaddr;

/// Patience with one address and with a ping: js-libp2p's.
const TIMEOUT_MS: u32 = 10_000;
/// A tree that could not be read is asked for again.
const TREE_AGAIN_MS: u64 = 30_000;
/// Peers that a peer exchange is asked for.
const EXCHANGE_COUNT: u32 = 60;

/// A peer that is known.
pub(super) struct Known {
    routes: Vec<Multiaddr>,
    /// Named by the record tree.
    pub(super) bootstrap: bool,
    pub(super) failed_at: Option<u64>,
    pub(super) opened_at: Option<u64>,
}

/// One address after the other, until one answers.
struct Attempt {
    peer: PeerId,
    left: VecDeque<Multiaddr>,
}

/// A connection.
pub(super) struct Conn {
    pub(super) peer: PeerId,
    pub(super) opened_at: u64,
    protocols: Vec<String>,
    closing: bool,
}

/// See the module.
pub(super) struct Book {
    pub(super) now: u64,
    pub(super) orders: VecDeque<Command>,
    config: Config,
    running: bool,
    online: bool,
    known: BTreeMap<PeerId, Known>,
    /// In the order in which they were heard of.
    heard: Vec<PeerId>,
    attempts: BTreeMap<DialId, Attempt>,
    conns: BTreeMap<ConnId, Conn>,
    named: u64,
    ping_ms: u64,
    ping_at: u64,
    tree_at: Option<u64>,
}

impl Book {
    pub(super) fn new(config: Config, now: u64, ping_ms: u64) -> Self {
        Self {
            now,
            orders: VecDeque::new(),
            config,
            running: false,
            online: true,
            known: BTreeMap::new(),
            heard: Vec::new(),
            attempts: BTreeMap::new(),
            conns: BTreeMap::new(),
            named: 0,
            ping_ms,
            ping_at: now + ping_ms,
            tree_at: None,
        }
    }

    /// Returns whom it heard of for the first time.
    pub(super) fn handle(&mut self, now: u64, event: Event) -> Vec<PeerId> {
        self.now = self.now.max(now);
        match event {
            Event::Start if !self.running => {
                self.running = true;
                self.tree_at = Some(self.now);
            }
            Event::Online => self.online = true,
            Event::Offline => self.online = false,
            Event::Discovered {
                peer,
                routes,
                source,
                ..
            } => return self.hears_of(peer, routes, source).into_iter().collect(),
            Event::Answered { entries, .. } => {
                let hears =
                    |said: Sighting| self.hears_of(said.peer, said.routes, Source::PeerExchange);
                return entries.into_iter().filter_map(hears).collect();
            }
            Event::DnsFinished { failed: true, .. } => {
                self.tree_at = Some(self.now + TREE_AGAIN_MS);
            }
            Event::DialFailed { dial, .. } => self.dial_failed(dial),
            Event::Connected {
                conn, peer, dial, ..
            } => {
                if let Some(dial) = dial {
                    self.attempts.remove(&dial);
                }
                if let Some(known) = self.known.get_mut(&peer) {
                    known.opened_at = Some(self.now);
                    known.failed_at = None;
                }
                let conn_of = Conn {
                    peer,
                    opened_at: self.now,
                    protocols: Vec::new(),
                    closing: false,
                };
                self.conns.insert(conn, conn_of);
            }
            Event::Identified {
                conn, protocols, ..
            } => self.identified(conn, protocols),
            Event::Closed { conn, .. } => {
                self.conns.remove(&conn);
            }
            Event::PingFailed { conn, .. } => self.close(conn),
            _ => {}
        }
        if let Some(at) = self.tree_at
            && self.now >= at
            && self.may_dial()
        {
            self.tree_at = None;
            self.orders.push_back(Command::Discover);
        }
        Vec::new()
    }

    fn hears_of(&mut self, peer: PeerId, routes: Vec<Multiaddr>, source: Source) -> Option<PeerId> {
        if let Some(known) = self.known.get_mut(&peer) {
            known.bootstrap |= source == Source::Dns;
            return None;
        }
        let known = Known {
            routes,
            bootstrap: source == Source::Dns,
            failed_at: None,
            opened_at: None,
        };
        self.known.insert(peer, known);
        self.heard.push(peer);
        Some(peer)
    }

    fn dial_failed(&mut self, dial: DialId) {
        let Some(attempt) = self.attempts.remove(&dial) else {
            return;
        };
        if attempt.left.is_empty() {
            let known = self.known.get_mut(&attempt.peer);
            known.expect("only known peers are dialed").failed_at = Some(self.now);
        } else {
            self.attempt(attempt);
        }
    }

    fn identified(&mut self, conn: ConnId, protocols: Vec<String>) {
        let Some(known) = self.conns.get_mut(&conn) else {
            return;
        };
        known.protocols = protocols;
        let exchange = &self.config.peer_exchange_protocol;
        if known.protocols.contains(exchange) {
            self.orders.push_back(Command::QueryPeers {
                conn,
                peer: known.peer,
                count: EXCHANGE_COUNT,
            });
        }
    }

    /// Whether it is of use to dial.
    pub(super) fn may_dial(&self) -> bool {
        self.running && self.online
    }

    pub(super) fn dial(&mut self, peer: PeerId) {
        let known = self.known.get(&peer).expect("only known peers are dialed");
        let left = known.routes.iter().cloned().collect();
        self.attempt(Attempt { peer, left });
    }

    fn attempt(&mut self, mut attempt: Attempt) {
        let Some(route) = attempt.left.pop_front() else {
            return;
        };
        self.named += 1;
        let dial = DialId(self.named);
        self.orders.push_back(Command::Dial {
            dial,
            peer: attempt.peer,
            route,
            timeout_ms: TIMEOUT_MS,
            why: DialWhy::Requested,
        });
        self.attempts.insert(dial, attempt);
    }

    pub(super) fn close(&mut self, conn: ConnId) {
        if let Some(open) = self.conns.get_mut(&conn)
            && !std::mem::replace(&mut open.closing, true)
        {
            let reason = Reason::OverLimit;
            self.orders.push_back(Command::Close { conn, reason });
        }
    }

    /// What is open, oldest first.
    pub(super) fn open(&self) -> impl Iterator<Item = (ConnId, &Conn)> {
        let conns = self.conns.iter().filter(|(_, open)| !open.closing);
        conns.map(|(conn, open)| (*conn, open))
    }

    pub(super) fn dialing(&self) -> usize {
        self.attempts.len()
    }

    pub(super) fn is_bootstrap(&self, peer: &PeerId) -> bool {
        self.known.get(peer).is_some_and(|known| known.bootstrap)
    }

    pub(super) fn known(&self, peer: &PeerId) -> &Known {
        self.known.get(peer).expect("asked for known peers only")
    }

    /// Who is neither connected nor being dialed, bootstrap peers first.
    pub(super) fn absent(&self) -> Vec<PeerId> {
        let busy = |peer: &PeerId| {
            self.conns.values().any(|open| open.peer == *peer)
                || self.attempts.values().any(|attempt| attempt.peer == *peer)
        };
        let mut absent: Vec<PeerId> = self.heard.iter().copied().filter(|p| !busy(p)).collect();
        absent.sort_by_key(|peer| !self.is_bootstrap(peer));
        absent
    }

    pub(super) fn is_absent(&self, peer: &PeerId) -> bool {
        self.absent().contains(peer)
    }

    pub(super) fn ping_all(&mut self) {
        if self.now < self.ping_at {
            return;
        }
        self.ping_at = self.now + self.ping_ms;
        let conns: Vec<ConnId> = self.open().map(|(conn, _)| conn).collect();
        for conn in conns {
            let timeout_ms = TIMEOUT_MS;
            self.orders.push_back(Command::Ping {
                conn,
                ping: 1,
                timeout_ms,
            });
        }
    }

    pub(super) fn due(&self) -> Option<u64> {
        let tree = self.tree_at.filter(|_| self.may_dial());
        let pings = self.running.then_some(self.ping_at);
        [tree, pings].into_iter().flatten().min()
    }

    pub(super) fn serving(&self, requirement: RequirementId) -> Vec<(PeerId, ConnId)> {
        let wanted = &self.config.requirements[usize::from(requirement.0)].protocols;
        self.open()
            .filter(|(_, open)| open.protocols.iter().any(|said| wanted.contains(said)))
            .map(|(conn, open)| (open.peer, conn))
            .collect()
    }

    pub(super) fn knows(&self, peer: &PeerId) -> bool {
        self.known.contains_key(peer)
    }
}
