//! How the world answers orders: dials, closes, pings, trees and peer exchange.

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    CloseCause, Command, ConnId, DialFailure, DialId, Direction, Event, Source,
};
use multiaddr::Multiaddr;

use super::{DIAL_MS, EXCHANGE, PROTOCOLS, Reachable, STEP_MS, World};

impl World {
    pub(super) fn obey(&mut self, command: Command) {
        match command {
            Command::Dial {
                dial,
                peer,
                route,
                timeout_ms,
                ..
            } => self.dial(dial, peer, route, timeout_ms),
            Command::CancelDial { dial } => self.queue.retain(|_, event| match event {
                Event::Connected { dial: of, .. } => *of != Some(dial),
                Event::DialFailed { dial: of, .. } => *of != dial,
                _ => true,
            }),
            Command::Close { conn, .. } | Command::Drain { conn, .. } => {
                if self.confirms_closes {
                    let cause = CloseCause::Ordered;
                    self.later(1, Event::Closed { conn, cause });
                }
            }
            Command::Ping {
                conn,
                ping,
                timeout_ms,
            } => {
                // Only the last ping is spoken of.
                self.queue.retain(|_, event| match event {
                    Event::Pong { conn: of, .. } | Event::PingFailed { conn: of, .. } => {
                        *of != conn
                    }
                    _ => true,
                });
                match self.conns.get(&conn) {
                    Some(place) if self.nodes[*place].answers_pings => {
                        self.later(
                            STEP_MS,
                            Event::Pong {
                                conn,
                                ping,
                                rtt_ms: 5,
                            },
                        );
                    }
                    Some(_) => self.later(u64::from(timeout_ms), Event::PingFailed { conn, ping }),
                    None => {}
                }
            }
            Command::Discover => {
                let wait = self.tree_ms;
                for place in self.tree.clone() {
                    let event = self.sighting(place, Source::Dns);
                    self.later(wait, event);
                }
                let found = u32::try_from(self.tree.len()).expect("few nodes");
                let failed = found == 0;
                let finished = Event::DnsFinished {
                    found,
                    failed,
                    answered: !failed,
                };
                self.later(wait, finished);
            }
            Command::QueryPeers { peer, .. } => {
                let node = self.find(&peer).expect("only nodes are asked");
                let node = self.nodes[node].clone();
                let Some(wait) = node.exchange_ms else { return };
                let entries = node
                    .knows
                    .iter()
                    .map(|place| self.said_of(*place))
                    .collect();
                self.later(wait, Event::Answered { peer, entries });
            }
            Command::Offer { .. }
            | Command::Lock { .. }
            | Command::Burst { .. }
            | Command::Wish { .. }
            | Command::RequestScores { .. }
            | Command::Notify(_) => {}
        }
    }

    fn dial(&mut self, dial: DialId, peer: PeerId, route: Multiaddr, timeout_ms: u32) {
        let place = self.find(&peer).expect("only nodes are dialed");
        let failed = |failure| Event::DialFailed {
            dial,
            failure,
            answered: None,
        };
        let node = &self.nodes[place];
        let mut doors = node.doors.iter();
        let door = doors.find(|(address, _)| *address == route);
        let wait = match door.map_or(node.reachable, |(_, reachable)| *reachable) {
            Reachable::Yes => DIAL_MS,
            Reachable::Slowly(ms) => ms,
            Reachable::No(failure) => return self.later(STEP_MS, failed(failure)),
            Reachable::Never => {
                return self.later(u64::from(timeout_ms), failed(DialFailure::Timeout));
            }
            Reachable::Lost => return,
        };
        self.named += 1;
        let conn = ConnId(self.named);
        self.conns.insert(conn, place);
        self.later(
            wait,
            Event::Connected {
                conn,
                peer,
                direction: Direction::Outbound,
                route,
                dial: Some(dial),
            },
        );
        let before = self.now;
        self.now += wait;
        self.greets(conn, place);
        self.now = before;
    }

    /// What a node says on a new connection.
    pub(super) fn greets(&mut self, conn: ConnId, place: usize) {
        let node = self.nodes[place].clone();
        if node.identifies {
            let mut protocols: Vec<String> = node
                .serves
                .iter()
                .map(|id| PROTOCOLS[usize::from(id.0)].to_owned())
                .collect();
            protocols.extend(node.speaks);
            if node.exchanges {
                protocols.push(EXCHANGE.to_owned());
            }
            let agent = "test".to_owned();
            self.later(
                STEP_MS,
                Event::Identified {
                    conn,
                    protocols,
                    agent,
                },
            );
        }
        let metadata = node.metadata;
        self.later(2 * STEP_MS, Event::Metadata { conn, metadata });
    }
}
