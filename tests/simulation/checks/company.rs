//! Everybody who is connected, as the reference of guards and phases wants to see them, from what was told and ordered.

use std::collections::{BTreeMap, BTreeSet};

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    BurstAnswer, BurstId, Command, ConnId, DialId, DialWhy, EnrollmentId, Event, LockAnswer,
    LockId, ProtocolView, RequirementId,
};
use multiaddr::{Multiaddr, Protocol as Part};

use super::Scene;
use super::closing::served;
use crate::ledger::ConnRecord;
use crate::ledger_steering::Mode;
use crate::oracles::guards::{BUILT_IN, Company, Member, Need, Protocol};
use crate::orders::parting;
use crate::view::{Input, View};

/// A lock that was granted.
#[derive(Debug, Clone, Copy)]
struct Lock {
    of: EnrollmentId,
    conn: ConnId,
    /// Since it was revoked: the end of its grace.
    grace_ends: Option<u64>,
}

impl Lock {
    /// Whether it holds a connection: one that was revoked is over with its grace.
    fn holds(&self, conn: ConnId, now: u64) -> bool {
        self.conn == conn && self.grace_ends.is_none_or(|until| now < until)
    }
}

/// A burst that was granted.
#[derive(Debug, Clone, Copy)]
struct Burst {
    of: EnrollmentId,
    closed_at: Option<u64>,
}

/// What only a sequence of inputs tells.
#[derive(Debug, Default)]
pub(super) struct Watch {
    identified: BTreeMap<ConnId, u64>,
    locks: BTreeMap<LockId, Lock>,
    bursts: BTreeMap<BurstId, Burst>,
    burst_dials: BTreeMap<DialId, BurstId>,
    made: BTreeMap<ConnId, BurstId>,
    /// Who serves, in the order in which they began.
    order: BTreeMap<RequirementId, Vec<PeerId>>,
    /// Where that order can't be seen: several began at once.
    unclear: BTreeSet<RequirementId>,
    /// Their locks were revoked, perhaps to close them, and until when that may be to come.
    evicted: BTreeMap<ConnId, u64>,
}

impl Watch {
    pub(super) fn told(&mut self, scene: &Scene<'_>) {
        let ledger = scene.ledger;
        let Some(Input::Event(event)) = scene.input else {
            return;
        };
        match event {
            Event::Identified { conn, .. } => {
                self.identified.entry(*conn).or_insert(ledger.now);
            }
            Event::Connected {
                conn,
                dial: Some(dial),
                ..
            } => {
                if let Some(burst) = self.burst_dials.remove(dial) {
                    self.made.insert(*conn, burst);
                }
            }
            Event::Unlock { lock } => {
                self.locks.remove(lock);
            }
            _ => {}
        }
        let there = |conn: &ConnId| ledger.conns.contains_key(conn);
        self.locks.retain(|_, lock| there(&lock.conn));
        self.made.retain(|conn, _| there(conn));
        self.identified.retain(|conn, _| there(conn));
        self.evicted.retain(|conn, _| there(conn));
    }

    pub(super) fn ordered(&mut self, command: &Command, scene: &Scene<'_>) {
        let now = scene.now();
        match command {
            Command::Lock { lock, answer } => self.answered(*lock, *answer, scene),
            Command::Dial {
                dial,
                why: DialWhy::Burst(burst),
                ..
            } => {
                self.burst_dials.insert(*dial, *burst);
            }
            Command::Burst {
                burst,
                answer: BurstAnswer::Granted { .. },
            } => {
                if let Some(Input::Event(Event::OpenBurst { enrollment, .. })) = scene.input {
                    let (of, closed_at) = (*enrollment, None);
                    self.bursts.insert(*burst, Burst { of, closed_at });
                }
            }
            Command::Burst {
                burst,
                answer: BurstAnswer::Closed,
            } => {
                if let Some(burst) = self.bursts.get_mut(burst) {
                    burst.closed_at = Some(now);
                }
            }
            _ => {}
        }
    }

    fn answered(&mut self, lock: LockId, answer: LockAnswer, scene: &Scene<'_>) {
        match answer {
            LockAnswer::Granted { .. } => {
                if let Some(Input::Event(Event::Lock {
                    enrollment, peer, ..
                })) = scene.input
                    && let Some((conn, _)) = scene.ledger.conns_of(peer).first()
                {
                    let granted = Lock {
                        of: *enrollment,
                        conn: *conn,
                        grace_ends: None,
                    };
                    self.locks.entry(lock).or_insert(granted);
                }
            }
            LockAnswer::Denied(_) => {}
            LockAnswer::Ended => {
                self.locks.remove(&lock);
            }
            LockAnswer::Revoked { grace_ms, .. } => {
                if let Some(lock) = self.locks.get_mut(&lock) {
                    let ends = scene.now() + grace_ms;
                    lock.grace_ends = Some(ends);
                    let evicted = self.evicted.entry(lock.conn).or_insert(ends);
                    *evicted = ends.max(*evicted);
                }
            }
        }
    }

    /// After everything of an input.
    pub(super) fn after(&mut self, scene: &Scene<'_>) {
        if !matches!(scene.input, Some(Input::Event(_))) {
            return;
        }
        self.evicted.retain(|_, until| *until > scene.now());
        for view in &scene.view.requirements {
            let order = self.order.entry(view.id).or_default();
            let before = order.len();
            order.retain(|peer| view.peers.contains(peer));
            // Nobody can see whether somebody left and came back.
            let left = order.len() < before;
            let mut new = view.peers.iter().filter(|peer| !order.contains(peer));
            let new: Vec<PeerId> = new.by_ref().copied().collect();
            if order.is_empty() && new.len() < 2 {
                self.unclear.remove(&view.id);
            } else if new.len() > 1 || (left && !new.is_empty()) {
                self.unclear.insert(view.id);
            }
            order.extend(new);
        }
    }

    /// Whether a lock holds it, or the grace after one.
    pub(super) fn locked(&self, conn: ConnId, now: u64) -> bool {
        let mut locks = self.locks.values();
        locks.any(|lock| lock.holds(conn, now))
    }

    /// Whether a closed burst left it, and it has been idle since.
    fn left_by(&self, conn: ConnId, scene: &Scene<'_>) -> bool {
        let burst = self.made.get(&conn).and_then(|id| self.bursts.get(id));
        let config = scene.config;
        burst.and_then(|burst| burst.closed_at).is_some_and(|at| {
            let age = scene.now().saturating_sub(at);
            (config.burst_idle_ms..config.burst_memory_ms).contains(&age)
        })
    }

    /// Whether its locks were revoked for it to go.
    pub(super) fn evicts(&self, conn: ConnId) -> bool {
        self.evicted.contains_key(&conn)
    }

    /// Whether it goes by itself: its locks were revoked for that, or a burst made it.
    pub(super) fn passes(&self, conn: ConnId) -> bool {
        self.evicts(conn) || self.made.contains_key(&conn)
    }

    /// Everybody who is open at this moment of an input: before the orders that are still to come.
    pub(super) fn company(&self, scene: &Scene<'_>) -> Company {
        let (ledger, view) = (scene.ledger, scene.view);
        let open: Vec<(ConnId, &ConnRecord)> = ledger.open().collect();
        let goes = |conn: ConnId| {
            let mut orders = scene.commands.iter().filter_map(parting);
            orders.any(|(of, ..)| of == conn)
        };
        let serves = |conn: ConnId, peer: &PeerId| -> Vec<usize> {
            // A second connection serves nothing: the first does.
            if ledger.conns_of(peer).first().map(|(first, _)| *first) != Some(conn) {
                return Vec::new();
            }
            let then = if goes(conn) {
                served(scene, peer)
            } else {
                Vec::new()
            };
            let all = view.requirements.iter();
            all.filter(|view| view.peers.contains(peer) || then.contains(&view.id))
                .map(|view| usize::from(view.id.0))
                .collect()
        };
        let serving: Vec<Vec<usize>> = open
            .iter()
            .map(|(conn, record)| serves(*conn, &record.peer))
            .collect();
        let places = view.requirements.iter().map(|view| usize::from(view.id.0));
        let count = places.max().map_or(0, |last| last + 1);
        let mut needs = vec![
            Need {
                have: 0,
                min: 0,
                target: 0,
            };
            count
        ];
        for view in &view.requirements {
            let place = usize::from(view.id.0);
            needs[place] = Need {
                have: serving.iter().filter(|s| s.contains(&place)).count(),
                min: usize::from(view.min),
                target: usize::from(view.target),
            };
        }
        let protocols = self.protocols(scene);
        let members = open
            .iter()
            .zip(&serving)
            .map(|((conn, record), serves)| {
                let single = ledger.conns_of(&record.peer).len() == 1;
                let identified = self.identified.get(conn);
                let by_age = record.opened_at + scene.config.grace_connect_ms;
                let new_until =
                    identified.map_or(by_age, |at| by_age.min(at + scene.config.grace_identify_ms));
                Member {
                    serves: serves.clone(),
                    kept: ledger.steering.keeps(&record.peer),
                    locked: self.locked(*conn, ledger.now),
                    group: self.group(record, scene),
                    age_order: (record.opened_at, conn.0),
                    new_until,
                    users: self.users(*conn, record, serves, &needs, scene),
                    leftover: self.left_by(*conn, scene) && serves.is_empty(),
                    // Whoever owes a sign of life is left alone until it was asked again, which cannot be seen.
                    plain: single
                        && record.unanswered == 0
                        && ledger.steering.mode == Mode::Normal
                        && !self.evicts(*conn),
                }
            })
            .collect();
        Company {
            now: ledger.now,
            soft: scene.least_soft(),
            needs,
            protocols,
            members,
        }
    }

    fn protocols(&self, scene: &Scene<'_>) -> Vec<Protocol> {
        let after = scene.view.protocols.iter();
        after
            .map(|now| {
                let before = scene.before.protocols.iter();
                let mut before = before.filter(|then| then.name == now.name);
                // Whoever was granted more a moment ago had not too much then.
                let grants = [now.granted, before.next().and_then(|then| then.granted)];
                let highs = grants.map(|grant| match grant {
                    Some(grant) => usize::from(grant.high),
                    None => usize::from(u16::MAX),
                });
                let most = highs[0].max(highs[1]);
                Protocol {
                    high: most,
                    requirement: now.requirement.map(|id| usize::from(id.0)),
                    funded: funded(now, scene),
                }
            })
            .collect()
    }

    /// Protocols that use a connection (4.4): the first `target` who serve a requirement are assigned to it.
    fn users(
        &self,
        conn: ConnId,
        record: &ConnRecord,
        serves: &[usize],
        needs: &[Need],
        scene: &Scene<'_>,
    ) -> Option<Vec<usize>> {
        // Whoever opens in this input may use it, and need not.
        let then: Vec<_> = scene.before.requirements.iter().map(|v| v.id).collect();
        if scene
            .view
            .requirements
            .iter()
            .any(|view| !then.contains(&view.id))
        {
            return None;
        }
        let mut users = Vec::new();
        for (place, protocol) in scene.view.protocols.iter().enumerate() {
            let locks = self.locks.values();
            let locks = locks.filter(|lock| lock.holds(conn, scene.now()));
            let mut holders = locks.map(|lock| lock.of);
            let burst = self.made.get(&conn).and_then(|id| self.bursts.get(id));
            let makes = burst.filter(|burst| burst.closed_at.is_none());
            let is_guest = protocol.enrollment.is_some_and(|id| {
                holders.any(|of| of == id) || makes.is_some_and(|burst| burst.of == id)
            });
            let mut assigned = false;
            if let Some(id) = protocol.requirement
                && serves.contains(&usize::from(id.0))
            {
                let need = needs[usize::from(id.0)];
                if need.have > need.target && need.target > 0 && self.unclear.contains(&id) {
                    return None;
                }
                let order = self.order.get(&id);
                let rank = order.and_then(|order| order.iter().position(|p| *p == record.peer));
                // Who is not in it began in this very input: the last of all.
                assigned = rank.unwrap_or(need.have.saturating_sub(1)) < need.target;
            }
            if is_guest || assigned {
                users.push(place);
            }
        }
        Some(users)
    }

    /// The network of a connection's peer, if all of its addresses are in one.
    fn group(&self, record: &ConnRecord, scene: &Scene<'_>) -> Option<u16> {
        let group = group(&record.route)?;
        let peer = scene.ledger.peer(&record.peer);
        let mut others = peer.routes.iter().map(self::group);
        others.all(|other| other == Some(group)).then_some(group)
    }
}

/// How much of its minimum a protocol that enrolled can hold, at least and at most: its grant, less the connections that it
/// locks without being served on them (4.13). Grants may change in an input, as may who serves, and which locks hold.
pub(super) fn funded(protocol: &ProtocolView, scene: &Scene<'_>) -> (usize, usize) {
    let Some(enrollment) = protocol.enrollment else {
        return BUILT_IN;
    };
    let views = [scene.before, scene.view];
    let of_it = |view: &&ProtocolView| view.enrollment == Some(enrollment);
    let grants = views.map(|view| view.protocols.iter().find(of_it)?.granted);
    let highs = grants.iter().flatten().map(|grant| usize::from(grant.high));
    let requirement = protocol.requirement;
    let serves = |view: &View, peer: &PeerId| {
        let requirement = requirement.and_then(|id| view.requirement(id));
        requirement.is_some_and(|it| it.peers.contains(peer))
    };
    let (mut surely, mut perhaps) = (BTreeSet::new(), BTreeSet::new());
    let locks = scene.ledger.claims.locks.values();
    for lock in locks.filter(|lock| lock.enrollment == enrollment) {
        let [before, after] = views.map(|view| serves(view, &lock.peer));
        if lock.held() && !before && !after {
            surely.insert(lock.peer);
        }
        if !(before && after) {
            perhaps.insert(lock.peer);
        }
    }
    let least = highs.clone().min().unwrap_or(0);
    let most = highs.max().unwrap_or(0);
    (
        least.saturating_sub(perhaps.len()),
        most.saturating_sub(surely.len()),
    )
}

/// /16 of an address.
fn group(route: &Multiaddr) -> Option<u16> {
    route.iter().find_map(|part| match part {
        Part::Ip4(ip) => {
            let [high, low, ..] = ip.octets();
            Some(u16::from_be_bytes([high, low]))
        }
        _ => None,
    })
}
