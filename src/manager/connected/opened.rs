//! Connections: how they open, are verified, and what they count for.

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use crate::manager::book::peer::{Bar, Link};
use crate::manager::book::route::Route;
use crate::manager::boundary::command::{Command, DialWhy};
use crate::manager::boundary::event::{ConnId, DialId, Direction, Metadata, RequirementId, Source};
use crate::manager::boundary::reason::{Outcome, Reason};
use crate::manager::connected::connections::{Conn, Network, Phase, Pinging};
use crate::manager::demand::needs::Provider;
use crate::manager::demand::requirements;
use crate::manager::dialing::purpose::Purpose;
use crate::manager::tools::deadlines::Timer;
use crate::manager::tools::services::{Cover, Services};
use crate::manager::tools::slot::Ix;
use crate::manager::{Manager, Notice, Run, What};

impl Manager {
    pub(in crate::manager) fn on_connected(
        &mut self,
        conn: ConnId,
        peer: PeerId,
        direction: Direction,
        route: Multiaddr,
        dial: Option<DialId>,
    ) {
        if self.connections.get(conn).is_some() {
            return;
        }
        if peer == self.config.local {
            let reason = Reason::OurOwnId;
            self.ring.push(self.now, What::Closed { peer, reason });
            self.out.order(Command::Close { conn, reason });
            return;
        }
        let Some(ix) = self.known(peer, Source::Foreign) else {
            let reason = Reason::NotAdmitted;
            self.ring.push(self.now, What::Closed { peer, reason });
            self.out.order(Command::Close { conn, reason });
            return;
        };
        self.out.stats.connects += 1;
        self.somebody_answers();
        let dialed = self.dial_succeeded(ix, conn, dial);
        let ordered = dialed.is_some();
        let at = dialed
            .filter(|dialed| dialed.address == route)
            .unwrap_or_else(|| Route::new(route.clone(), &self.seed));
        let refusal = self.refuses(ix, ordered, &at);
        self.table.reached(ix);
        self.pins.stop_waiting(ix);
        let Some(record) = self.table.get_mut(ix) else {
            return;
        };
        if direction == Direction::Outbound {
            let limit = self.config.max_routes;
            record.routes_mut().verified(&route, limit, &self.seed);
        }
        if ordered {
            record.attempts_mut().reached();
            self.outage.peer_tried(true);
        }
        let first = !matches!(record.link(), Link::Connected(_));
        let lost = if first {
            record.set_link(Link::Connected(conn), self.now.mono_ms);
            record.take_loss()
        } else {
            None
        };
        let barred = matches!(
            record.bar(),
            Bar::Until {
                why: Reason::BackingOff | Reason::FailedService | Reason::CoolingDown,
                ..
            }
        );
        self.table.regroup(ix);
        if barred {
            self.set_bar(ix, Bar::Open);
        } else {
            self.refresh(ix);
        }
        let now = self.now.mono_ms;
        self.connections.insert(
            conn,
            Conn {
                ix,
                peer,
                direction,
                route: route.clone(),
                transport: at.transport,
                group: at.group,
                subnet: at.subnet,
                opened_at: now,
                opened_wall: self.now.wall_ms,
                phase: Phase::Open,
                forgotten: false,
                offers: None,
                protocols: Vec::new(),
                identified_at: None,
                exchanges: false,
                network: Network::Unknown,
                overdue: false,
                cover: Cover::NONE,
                serving: Services::NONE,
                heard_at: now,
                pinging: Pinging::Idle,
                ping: 0,
                pinged_at: now,
                ping_failures: 0,
                on_trial: false,
                pongs: 0,
                successes: 0,
            },
        );
        let config = &self.config;
        for (timer, wait) in [
            (Timer::Identify(conn), config.identify_ms),
            (Timer::Verify(conn), config.verify_ms),
            (Timer::Ping(conn), config.ping_unused_ms),
        ] {
            self.deadlines.set(timer, now.saturating_add(wait));
        }
        if first {
            self.out.tell(Notice::Connected {
                peer,
                route,
                direction,
            });
            if let Some(lost) = lost {
                self.out.tell(Notice::Reconnected {
                    peer,
                    down_ms: now.saturating_sub(lost.at),
                    attempts: lost.attempts,
                });
            }
        } else {
            let at = now.saturating_add(self.config.duplicate_grace_ms);
            self.deadlines.set(Timer::Duplicate(conn), at);
        }
        match refusal {
            Some(reason) => self.close(conn, reason),
            None => self.reassess(conn),
        }
    }

    /// Ends the dial job of a peer that is connected now, and is to be placed then. Returns where it was dialed if this
    /// connection is what was ordered.
    fn dial_succeeded(&mut self, ix: Ix, conn: ConnId, dial: Option<DialId>) -> Option<Route> {
        let ordered = dial.is_some_and(|dial| self.dials.whose(dial) == Some(ix));
        let ended = self.stop_dialing(ix);
        if !ordered {
            if let Some(ended) = ended {
                self.out.order(Command::CancelDial { dial: ended.id });
            }
            if let Some(peer) = self.table.get(ix) {
                self.dials.came(peer.id());
            }
            return None;
        }
        let ended = ended?;
        if let DialWhy::Burst(burst) = ended.why {
            self.bursts.join(conn, burst);
        }
        self.dial_ended(true);
        Some(ended.route)
    }

    /// Why a connection is closed again at once. What we ordered was admitted when it was dialed.
    fn refuses(&self, ix: Ix, ordered: bool, at: &Route) -> Option<Reason> {
        let peer = self.table.get(ix)?;
        if let Some(reason) = peer.banned() {
            return Some(reason);
        }
        if self.run == Run::Stopped {
            return Some(Reason::Stopped);
        }
        match peer.bar() {
            Bar::HungUp => return Some(Reason::HungUp),
            Bar::Until {
                why: why @ (Reason::OtherNetwork | Reason::BadBehaviour),
                ..
            } if !ordered => return Some(why),
            Bar::Open | Bar::Until { .. } => {}
        }
        if ordered {
            return None;
        }
        if let Some(reason) = self.mode.refuses(Some(peer.id())) {
            return Some(reason);
        }
        if self.occupied() >= self.limits.hard() {
            return Some(Reason::NotAdmitted);
        }
        let purpose = Purpose::Inbound;
        self.address_admits(peer, at, purpose, &self.census()).err()
    }

    pub(in crate::manager) fn on_identified(
        &mut self,
        conn: ConnId,
        protocols: Vec<String>,
        agent: String,
    ) {
        let now = self.now.mono_ms;
        let all = self.all();
        let offers = self.needs.served_by(&protocols);
        let exchange = &self.config.peer_exchange_protocol;
        let exchanges = !exchange.is_empty() && protocols.contains(exchange);
        let Some(open) = self.connections.get_mut(conn).filter(|c| c.is_open()) else {
            return;
        };
        let elsewhere = open.network == Network::OtherShards;
        open.offers = Some(if elsewhere { Services::NONE } else { offers });
        open.identified_at.get_or_insert(now);
        open.exchanges = exchanges;
        open.protocols = requirements::kept(&protocols);
        open.heard_at = now;
        let (ix, peer) = (open.ix, open.peer);
        let (route, direction) = (open.route.clone(), open.direction);
        self.deadlines.clear(Timer::Identify(conn));
        if let Some(record) = self.table.get_mut(ix) {
            record.identified(offers, all, agent.clone());
        }
        if elsewhere {
            self.of_other_shards(ix);
        }
        self.rest_the_poor(ix);
        self.out.tell(Notice::Identified {
            peer,
            route,
            direction,
            protocols,
            agent,
        });
        self.reassess(conn);
    }

    pub(in crate::manager) fn on_metadata(&mut self, conn: ConnId, metadata: Metadata) {
        let now = self.now.mono_ms;
        let Some(open) = self.connections.get_mut(conn).filter(|c| c.is_open()) else {
            return;
        };
        open.heard_at = now;
        let ix = open.ix;
        match metadata {
            Metadata::Matched { shards } => {
                open.network = Network::Admitted;
                if let Some(record) = self.table.get_mut(ix) {
                    record.set_shards((!shards.is_empty()).then_some(shards));
                }
                self.connections.is_of_ours(true);
            }
            Metadata::Unsupported => open.network = Network::Admitted,
            Metadata::OtherShards { shards } => {
                open.network = Network::OtherShards;
                open.offers = open.offers.map(|_| Services::NONE);
                if let Some(record) = self.table.get_mut(ix) {
                    record.set_shards(Some(shards));
                }
                self.connections.is_of_ours(true);
                self.of_other_shards(ix);
            }
            Metadata::Faulty => self.close(conn, Reason::MetadataFailed),
            Metadata::OtherNetwork => {
                self.connections.is_of_ours(false);
                self.close(conn, Reason::OtherNetwork);
            }
            Metadata::NotYet => return,
        }
        self.reassess(conn);
    }

    /// Looks for a new requirement among what identify listed.
    pub(in crate::manager) fn look_again(
        &mut self,
        conn: ConnId,
        id: RequirementId,
        protocols: &[String],
    ) {
        let Some(open) = self.connections.get(conn) else {
            return;
        };
        if open.offers.is_some() {
            let listed = protocols.iter().any(|id| open.protocols.contains(id));
            let elsewhere = open.network == Network::OtherShards;
            let ix = open.ix;
            if listed && !elsewhere {
                self.connections.offers_also(conn, id);
            }
            if let Some(peer) = self.table.get_mut(ix) {
                peer.look_again(id, listed);
            }
            if elsewhere {
                self.of_other_shards(ix);
            }
        }
        self.reassess(conn);
    }

    /// A peer serves other shards than ours: it is not dialed again for what it could serve otherwise, for as long as for
    /// a protocol that turned out to be absent. Shards move more often than clusters.
    pub(in crate::manager) fn of_other_shards(&mut self, ix: Ix) {
        let until = self.now.mono_ms.saturating_add(self.config.absent_ms);
        let Some(peer) = self.table.get(ix) else {
            return;
        };
        for id in peer.possible(self.all()).iter() {
            self.rest(ix, id, until, Outcome::Absent);
        }
    }

    /// Orders a connection closed: from now on it serves nothing.
    pub(in crate::manager) fn close(&mut self, conn: ConnId, reason: Reason) {
        self.part(conn, reason, None);
    }

    /// Ends a connection, at once or after this much time for its requests.
    pub(in crate::manager) fn part(&mut self, conn: ConnId, reason: Reason, drain_ms: Option<u32>) {
        let Some(open) = self.connections.get_mut(conn).filter(|c| c.is_open()) else {
            return;
        };
        open.phase = Phase::Closing(reason);
        let peer = open.peer;
        self.end_locks(conn, Some(reason));
        self.ring.push(self.now, What::Closed { peer, reason });
        self.withdraw(conn);
        self.deadlines.forget_connection(conn);
        let longest = self.config.close_ms + u64::from(drain_ms.unwrap_or(0));
        let at = self.now.mono_ms.saturating_add(longest);
        self.deadlines.set(Timer::Closing(conn), at);
        self.out.order(match drain_ms {
            None => Command::Close { conn, reason },
            Some(deadline_ms) => Command::Drain {
                conn,
                reason,
                deadline_ms,
            },
        });
    }

    /// Counts a connection for nothing any more.
    pub(in crate::manager) fn withdraw(&mut self, conn: ConnId) {
        self.count(conn, Services::NONE, Cover::NONE);
    }

    /// Counts a connection for what it serves, or for what it is expected to serve.
    pub(in crate::manager) fn reassess(&mut self, conn: ConnId) {
        let Some(open) = self.connections.get(conn) else {
            return;
        };
        let Some(peer) = self.table.get(open.ix) else {
            return;
        };
        let primary = peer.link() == Link::Connected(conn);
        let resting = peer.resting();
        let mut serving = Services::NONE;
        let mut cover = Cover::NONE;
        if !open.is_open() || !primary || open.ping_failures > 0 {
            // It counts for nothing.
        } else if open.verified() {
            serving = open.offers.unwrap_or_default().minus(resting);
        } else if !open.overdue {
            cover = match open.offers {
                Some(offers) => Cover {
                    whole: offers.minus(resting),
                    guess: Services::NONE,
                },
                None => peer.cover(self.all(), self.config.unverified_counted),
            };
        }
        self.count(conn, serving, cover);
    }

    fn count(&mut self, conn: ConnId, serving: Services, cover: Cover) {
        let Some(counted) = self.connections.get_mut(conn) else {
            return;
        };
        let old_cover = core::mem::replace(&mut counted.cover, cover);
        let old_serving = core::mem::replace(&mut counted.serving, serving);
        let who = Provider {
            conn,
            peer: counted.peer,
            group: counted.group,
        };
        let ix = counted.ix;
        self.connections.mark();
        self.needs.unexpect(old_cover);
        self.needs.expect(cover);
        let now = self.now.mono_ms;
        let ended: Vec<RequirementId> = old_serving.minus(serving).iter().collect();
        let running = self.run == Run::Running;
        for id in ended {
            self.needs.end(now, id, conn, running);
        }
        for id in serving.minus(old_serving).iter() {
            self.needs.begin(now, id, who);
        }
        if !serving.is_empty()
            && let Some(peer) = self.table.get_mut(ix)
        {
            peer.has_served(self.now.wall_ms);
        }
    }
}
