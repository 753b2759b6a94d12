//! What protocols asked for and were told: a part of the ledger.

use std::collections::{BTreeMap, BTreeSet};

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    BurstAnswer, BurstId, Command, Config, ConnId, DialId, DialWhy, EnrollmentId, Event,
    LockAnswer, LockId, Offer, ProtocolSpec, Revocation,
};

use crate::ledger::{ConnRecord, DialRecord};
use crate::orders::parting;

/// A protocol that was not turned away, and has not left.
#[derive(Debug, Clone)]
pub(crate) struct Enrolled {
    pub(crate) spec: ProtocolSpec,
    pub(crate) since: u64,
}

/// Where a lock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    Held { until: u64 },
    Revoked { until: u64, why: Revocation },
}

/// A lock that was granted, until its end or the end of the grace after its revocation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LockRecord {
    pub(crate) enrollment: EnrollmentId,
    pub(crate) peer: PeerId,
    /// `None`: the peer had two connections at that moment.
    pub(crate) conn: Option<ConnId>,
    pub(crate) renewals: u32,
    pub(crate) hold: Hold,
}

impl LockRecord {
    pub(crate) fn held(&self) -> bool {
        matches!(self.hold, Hold::Held { .. })
    }
}

/// A burst that was granted, as long as what it made is known to be its.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BurstRecord {
    pub(crate) enrollment: EnrollmentId,
    pub(crate) slots: u8,
    /// When it ends at the latest.
    pub(crate) until: u64,
    pub(crate) closed_at: Option<u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    pub(crate) enrolled: BTreeMap<EnrollmentId, Enrolled>,
    pub(crate) locks: BTreeMap<LockId, LockRecord>,
    pub(crate) bursts: BTreeMap<BurstId, BurstRecord>,
    /// Connections that were made for a burst.
    pub(crate) made: BTreeMap<ConnId, BurstId>,
    /// The last input, if it is a protocol's word.
    word: Option<Event>,
    /// Open connections of whom a lock is asked for.
    candidates: Vec<ConnId>,
    now: u64,
    burst_max_ms: u64,
    burst_memory_ms: u64,
}

impl Claims {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            burst_max_ms: config.burst_max_ms,
            burst_memory_ms: config.burst_memory_ms,
            ..Self::default()
        }
    }

    /// Peers on whose connections locks hold, of one protocol or of all.
    pub(crate) fn locked(&self, of: Option<EnrollmentId>) -> BTreeSet<PeerId> {
        let held = self.locks.values().filter(|lock| lock.held());
        held.filter(|lock| of.is_none_or(|of| of == lock.enrollment))
            .map(|lock| lock.peer)
            .collect()
    }

    /// Whether a lock, or the grace after one, is on a peer's connection.
    pub(crate) fn is_locked(&self, peer: &PeerId) -> bool {
        self.locks.values().any(|lock| lock.peer == *peer)
    }

    /// Takes an input, before the rest of the ledger does.
    pub(crate) fn told(
        &mut self,
        now: u64,
        event: &Event,
        dials: &BTreeMap<DialId, DialRecord>,
        conns: &BTreeMap<ConnId, ConnRecord>,
    ) {
        self.now = now;
        self.word = None;
        self.locks
            .retain(|_, lock| !matches!(lock.hold, Hold::Revoked { until, .. } if until <= now));
        let memory_ms = self.burst_memory_ms;
        self.bursts
            .retain(|_, burst| burst.closed_at.is_none_or(|at| now < at + memory_ms));
        let bursts = &self.bursts;
        self.made
            .retain(|conn, burst| conns.contains_key(conn) && bursts.contains_key(burst));
        match event {
            Event::Enroll { .. } | Event::ExtendLock { .. } | Event::OpenBurst { .. } => {
                self.word = Some(event.clone());
            }
            Event::Lock { peer, .. } => {
                self.word = Some(event.clone());
                let open = conns.iter();
                self.candidates = open
                    .filter(|(_, conn)| conn.peer == *peer && conn.closing.is_none())
                    .map(|(id, _)| *id)
                    .collect();
            }
            Event::Connected {
                conn,
                dial: Some(dial),
                ..
            } => {
                // A burst whose time is over ends before anything else happens.
                if let Some(DialWhy::Burst(burst)) = dials.get(dial).map(|dial| dial.why)
                    && bursts
                        .get(&burst)
                        .is_some_and(|burst| burst.closed_at.is_none() && now < burst.until)
                {
                    self.made.insert(*conn, burst);
                }
            }
            Event::Closed { conn, .. } => {
                self.made.remove(conn);
                self.lets_go(*conn);
            }
            // A grace is given back too, and ends when its protocol leaves.
            Event::Unlock { lock } => {
                self.locks.retain(|id, record| id != lock || record.held());
            }
            Event::Withdraw { enrollment } => {
                self.locks
                    .retain(|_, lock| lock.held() || lock.enrollment != *enrollment);
            }
            _ => {}
        }
    }

    /// A connection ends, and the grace after a revocation with it.
    fn lets_go(&mut self, conn: ConnId) {
        self.locks
            .retain(|_, lock| lock.held() || lock.conn != Some(conn));
    }

    /// Takes an order.
    pub(crate) fn ordered(&mut self, command: &Command) {
        if let Some((conn, ..)) = parting(command) {
            self.lets_go(conn);
        }
        match command {
            Command::Offer { enrollment, offer } => self.offered(*enrollment, *offer),
            Command::Lock { lock, answer } => self.of_lock(*lock, *answer),
            Command::Burst { burst, answer } => self.of_burst(*burst, *answer),
            _ => {}
        }
    }

    fn offered(&mut self, id: EnrollmentId, offer: Offer) {
        match offer {
            Offer::Granted(_) | Offer::Counter { .. } => {
                if let Some(Event::Enroll { enrollment, spec }) = &self.word
                    && *enrollment == id
                {
                    let since = self.now;
                    let spec = spec.clone();
                    let new = Enrolled { spec, since };
                    self.enrolled.entry(id).or_insert(new);
                }
            }
            Offer::Rejected(_) => {}
            Offer::Ended => {
                self.enrolled.remove(&id);
            }
        }
    }

    fn of_lock(&mut self, id: LockId, answer: LockAnswer) {
        let now = self.now;
        match answer {
            LockAnswer::Granted { ttl_ms } => {
                let hold = Hold::Held {
                    until: now.saturating_add(ttl_ms),
                };
                if let Some(lock) = self.locks.get_mut(&id) {
                    lock.hold = hold;
                    lock.renewals += 1;
                } else if let Some(Event::Lock {
                    enrollment, peer, ..
                }) = &self.word
                {
                    let conn = match self.candidates[..] {
                        [only] => Some(only),
                        _ => None,
                    };
                    let record = LockRecord {
                        enrollment: *enrollment,
                        peer: *peer,
                        conn,
                        renewals: 0,
                        hold,
                    };
                    self.locks.insert(id, record);
                }
            }
            LockAnswer::Denied(_) => {}
            LockAnswer::Revoked { reason, grace_ms } => {
                let until = now + grace_ms;
                if grace_ms == 0 {
                    self.locks.remove(&id);
                } else if let Some(lock) = self.locks.get_mut(&id) {
                    lock.hold = Hold::Revoked { until, why: reason };
                }
            }
            LockAnswer::Ended => {
                self.locks.remove(&id);
            }
        }
    }

    fn of_burst(&mut self, id: BurstId, answer: BurstAnswer) {
        let now = self.now;
        match answer {
            BurstAnswer::Granted { slots } => {
                if let Some(Event::OpenBurst {
                    enrollment, max_ms, ..
                }) = &self.word
                {
                    let record = BurstRecord {
                        enrollment: *enrollment,
                        slots,
                        until: now + self.burst_max_ms.min(*max_ms),
                        closed_at: None,
                    };
                    self.bursts.insert(id, record);
                }
            }
            BurstAnswer::Denied(_) => {}
            BurstAnswer::Closed => {
                if let Some(burst) = self.bursts.get_mut(&id) {
                    burst.closed_at = Some(now);
                }
            }
        }
    }
}
