//! What can be read. Nothing here changes anything (D4).

use libp2p_identity::PeerId;
use litemap::LiteMap;

use crate::manager::book::peer::{Bar, Link, Peer, Role};
use crate::manager::boundary::command::Health;
use crate::manager::boundary::event::{ConnId, Direction, RequirementId, Transport};
use crate::manager::boundary::reason::{HealthReason, Reason};
use crate::manager::boundary::view::{PeerState, PeerView, RequirementView, Stats};
use crate::manager::dialing::admission;
use crate::manager::dialing::purpose::Purpose;
use crate::manager::tools::slot::Ix;
use crate::manager::tools::sort::sort_short_by_key;
use crate::manager::{Manager, Run};

impl Manager {
    /// Every known peer, in the order of their records: whoever comes takes the place of whoever was forgotten.
    pub fn peers(&self) -> Vec<PeerView> {
        self.table
            .iter()
            .map(|(ix, peer)| self.view(ix, peer))
            .collect()
    }

    /// One peer.
    pub fn peer(&self, peer: &PeerId) -> Option<PeerView> {
        let ix = self.table.find(peer)?;
        self.table.get(ix).map(|peer| self.view(ix, peer))
    }

    /// Every requirement, in the order of their ids.
    pub fn requirements(&self) -> Vec<RequirementView> {
        self.needs
            .ids()
            .filter_map(|id| {
                let need = self.needs.need(id)?;
                Some(RequirementView {
                    id,
                    have: self.needs.have(id),
                    min: need.min,
                    target: need.target,
                    health: self.needs.health_of(id),
                    peers: self.serving(id).into_iter().map(|(peer, _)| peer).collect(),
                    first_met_after_ms: self.gauges.first_met(id),
                })
            })
            .collect()
    }

    /// The summary, and why it is so.
    pub fn health(&self) -> (Health, HealthReason) {
        let health = self.needs.health();
        (health, self.health_reason(health))
    }

    fn health_reason(&self, health: Health) -> HealthReason {
        if self.run == Run::Stopped {
            return HealthReason::Stopped;
        }
        if health == Health::Met {
            return HealthReason::AllMet;
        }
        if self.outage.is_offline() {
            return HealthReason::Offline;
        }
        if self.outage.is_suspect() {
            return HealthReason::SuspectOffline;
        }
        if health == Health::Minimal {
            return HealthReason::BelowTarget;
        }
        if self.connections.open().any(|(_, conn)| conn.verifying()) {
            return HealthReason::Verifying;
        }
        if !self.dials.is_empty() {
            return HealthReason::Connecting;
        }
        if self.asking.looking_up() {
            return HealthReason::Discovering;
        }
        if self.connections.only_strangers() {
            return HealthReason::WrongNetwork;
        }
        if self.table.len() == 0 {
            return if !self.config.has_dns {
                HealthReason::NoBootstrap
            } else if self.asking.trees_failed() {
                HealthReason::DiscoveryFailed
            } else {
                HealthReason::NoCandidates
            };
        }
        if self.deadlines.anybody_barred() {
            HealthReason::BackingOff
        } else {
            HealthReason::NoCandidates
        }
    }

    /// Who serves a requirement now, best first: whom the user cares for, then who did well, then who serves longest.
    pub fn serving(&self, requirement: RequirementId) -> Vec<(PeerId, ConnId)> {
        let mut serving: Vec<_> = self
            .needs
            .providers(requirement)
            .iter()
            .map(|provider| {
                let peer = self
                    .connections
                    .get(provider.conn)
                    .and_then(|conn| self.table.get(conn.ix));
                let (priority, quality) = peer.map_or_else(Default::default, |peer| {
                    (peer.priority(), peer.quality(requirement, self.now.mono_ms))
                });
                (priority, quality, *provider)
            })
            .collect();
        // Stable: who began earlier stays before equals.
        sort_short_by_key(&mut serving, |(priority, quality, _)| {
            core::cmp::Reverse((*priority, *quality))
        });
        serving
            .into_iter()
            .map(|(_, _, provider)| (provider.peer, provider.conn))
            .collect()
    }

    /// The last round trip on a connection, in milliseconds, as far as one is known.
    pub fn rtt_ms(&self, conn: ConnId) -> Option<u32> {
        self.table.get(self.connections.get(conn)?.ix)?.rtt_ms()
    }

    /// Gauges and counters.
    pub fn stats(&self) -> Stats {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let mut inbound = 0;
        let mut by_transport: LiteMap<Transport, u32> = LiteMap::new();
        for (_, conn) in self.connections.iter() {
            inbound += u32::from(conn.direction == Direction::Inbound);
            let before = by_transport.get(&conn.transport).copied();
            by_transport.insert(conn.transport, before.unwrap_or(0) + 1);
        }
        Stats {
            known: count(self.table.len()),
            open: count(self.connections.len()),
            dialing: count(self.dials.len()),
            soft: u16::try_from(self.limits.soft()).unwrap_or(u16::MAX),
            hard: u16::try_from(self.limits.hard()).unwrap_or(u16::MAX),
            banned: count(self.bans.len()),
            locks: count(self.locks.len()),
            inbound,
            by_transport: by_transport.into_tuple_vec(),
            dial_tokens: self.pace.tokens(self.now.mono_ms),
            deadline_lag_ms: self.gauges.lag_ms,
            decisions: self.ring.pushed,
            ..self.out.stats.clone()
        }
    }

    fn view(&self, ix: Ix, peer: &Peer) -> PeerView {
        let conn = match peer.link() {
            Link::Connected(conn) => self.connections.get(conn).map(|open| (conn, open)),
            Link::Idle | Link::Dialing => None,
        };
        let next_try = match peer.bar() {
            _ if peer.banned().is_some() => self.bans.until(&peer.id()).map(|at| self.wall_at(at)),
            Bar::Until { at, .. } => Some(self.wall_at(at)),
            Bar::Open | Bar::HungUp => None,
        };
        PeerView {
            peer: peer.id(),
            route: match conn {
                Some((_, open)) => Some(open.route.clone()),
                None => peer.routes().best().map(|route| route.address.clone()),
            },
            direction: conn.map(|(_, open)| open.direction),
            state: self.state(ix, peer),
            services: peer.capabilities().iter().collect(),
            serving: conn.map_or_else(Vec::new, |(_, open)| open.serving.iter().collect()),
            shards: peer.shards().cloned(),
            agent: peer.agent().cloned(),
            source: peer.source(),
            priority: peer.priority(),
            score: peer.score(self.now.mono_ms),
            rtt_ms: peer.rtt_ms(),
            connected_at_wall_ms: conn.map(|(_, open)| open.opened_wall),
            last_reason: peer.last_reason(),
            next_try_at_wall_ms: next_try,
            conn: conn.map(|(id, _)| id),
            pinned: peer.pinned(),
        }
    }

    fn state(&self, _ix: Ix, peer: &Peer) -> PeerState {
        match peer.link() {
            Link::Connected(conn) if self.connections.get(conn).is_some_and(|c| c.is_open()) => {
                return PeerState::Connected;
            }
            Link::Connected(_) => return PeerState::Closing,
            Link::Dialing => return PeerState::Dialing,
            Link::Idle => {}
        }
        match admission::barred(peer, Purpose::Ladder) {
            Some(Reason::BannedByUser | Reason::BannedForFaults) => PeerState::Banned,
            Some(Reason::CoolingDown) if peer.role() == Role::Bootstrap => PeerState::Parked,
            Some(Reason::NoRoute) | None => match peer.role() {
                Role::Bootstrap => PeerState::Parked,
                Role::Ordinary | Role::Named => PeerState::Known,
            },
            Some(_) => PeerState::Cooling,
        }
    }
}
