//! What protocols ask for: enrollments, locks, bursts, scores.

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    Bound, BurstId, Class, ConnId, EnrollmentId, Event, LockId, Need, ProtocolSpec, Quota,
    RequirementId,
};

#[cfg(test)]
pub(crate) use crate::claims_generate::strategy;
pub(crate) use crate::claims_generate::{prepare, troubles};
use crate::network::{CHAT, PROTOCOLS};
use crate::world::World;

/// Enrollments of one script have ids below this: more than may be enrolled at once.
pub(crate) const ENROLLMENTS: u8 = 48;
/// Bit of [`PeerSpec::serves`](crate::network::PeerSpec::serves) for the service that only protocols which enroll use.
pub(crate) const CHATS: u8 = 1 << PROTOCOLS.len();

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claim {
    Enroll(u8, Wish),
    Accept(u8),
    /// A protocol leaves, whether or not it is there.
    Withdraw(u8),
    Lock {
        lock: u8,
        of: u8,
        whom: Whom,
        ttl_ms: u32,
    },
    Extend {
        lock: u8,
        ttl_ms: u32,
    },
    Unlock(u8),
    OpenBurst {
        burst: u8,
        of: u8,
        slots: u8,
        max_ms: u32,
    },
    CloseBurst(u8),
    /// Scores that nobody asked for, for everybody in the network.
    Scores {
        of: u8,
        score: i16,
    },
}

/// What a protocol is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) class: Class,
    pub(crate) weight: u8,
    pub(crate) min: Option<Bound>,
    pub(crate) max: Option<Bound>,
    pub(crate) need: Option<Need>,
    /// One of the three services, then the one for protocols that enroll, then one that nobody has.
    pub(crate) service: u8,
    pub(crate) scores: bool,
    pub(crate) answer_ms: u32,
    /// Instead of its own name that of a built-in protocol, or of another that enrolled.
    pub(crate) alias: Option<u8>,
}

impl Wish {
    /// A modest protocol that brings a need of its own.
    pub(crate) const MODEST: Self = Self {
        class: Class::Normal,
        weight: 1,
        min: Some(Bound::Count(2)),
        max: None,
        need: Some(Need {
            min: 0,
            target: 1,
            max: 2,
        }),
        service: 3,
        scores: true,
        answer_ms: 10_000,
        alias: None,
    };
    /// One that wants everything, and never says what it thinks of offers.
    pub(crate) const GREEDY: Self = Self {
        class: Class::Critical,
        weight: 16,
        min: Some(Bound::Count(5_000)),
        need: Some(Need {
            min: 0,
            target: 8,
            max: 16,
        }),
        ..Self::MODEST
    };

    pub(crate) fn spec(&self, n: u8) -> ProtocolSpec {
        let protocol = match PROTOCOLS.get(usize::from(self.service)) {
            Some(built_in) => built_in,
            None if usize::from(self.service) == PROTOCOLS.len() => CHAT,
            None => "/nobody/1",
        };
        let name = match self.alias {
            None => format!("guest-{n}"),
            Some(0) => "filter".to_owned(),
            Some(other) => format!("guest-{other}"),
        };
        ProtocolSpec {
            name,
            protocols: vec![protocol.to_owned()],
            class: self.class,
            weight: self.weight,
            quota: Quota {
                min: self.min,
                max: self.max,
            },
            need: self.need,
            scores: self.scores,
            answer_ms: u64::from(self.answer_ms),
        }
    }
}

/// Whose connection is to be locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whom {
    /// Connected or not.
    Place(u16),
    /// The best provider of a requirement at that moment, if there is one.
    Serving(u8),
}

impl World {
    pub(crate) fn claim(&mut self, c: usize, claim: &Claim) {
        let event = match claim {
            Claim::Enroll(n, wish) => Event::Enroll {
                enrollment: enrollment(*n),
                spec: wish.spec(*n),
            },
            Claim::Accept(n) => Event::AcceptOffer {
                enrollment: enrollment(*n),
            },
            Claim::Withdraw(n) => Event::Withdraw {
                enrollment: enrollment(*n),
            },
            Claim::Lock {
                lock,
                of,
                whom,
                ttl_ms,
            } => {
                let Some(peer) = self.meant(c, *whom) else {
                    return;
                };
                Event::Lock {
                    lock: LockId(u64::from(*lock)),
                    enrollment: enrollment(*of),
                    peer,
                    ttl_ms: u64::from(*ttl_ms),
                }
            }
            Claim::Extend { lock, ttl_ms } => Event::ExtendLock {
                lock: LockId(u64::from(*lock)),
                ttl_ms: u64::from(*ttl_ms),
            },
            Claim::Unlock(lock) => Event::Unlock {
                lock: LockId(u64::from(*lock)),
            },
            Claim::OpenBurst {
                burst,
                of,
                slots,
                max_ms,
            } => Event::OpenBurst {
                burst: BurstId(u64::from(*burst)),
                enrollment: enrollment(*of),
                slots: *slots,
                max_ms: u64::from(*max_ms),
            },
            Claim::CloseBurst(burst) => Event::CloseBurst {
                burst: BurstId(u64::from(*burst)),
            },
            Claim::Scores { of, score } => Event::Scores {
                round: 0,
                enrollment: enrollment(*of),
                scores: self
                    .network
                    .ids
                    .iter()
                    .map(|peer| (*peer, *score))
                    .collect(),
            },
        };
        self.user(c, event);
    }

    fn meant(&self, c: usize, whom: Whom) -> Option<PeerId> {
        match whom {
            Whom::Place(place) => self.place(place).map(|place| self.network.ids[place]),
            Whom::Serving(requirement) => {
                let serving = self.clients[c].brain.serving(RequirementId(requirement));
                serving.first().map(|(peer, _): &(PeerId, ConnId)| *peer)
            }
        }
    }

    /// Takes back what its acts broke: everybody leaves.
    pub(crate) fn heal_claims(&mut self, c: usize) {
        for n in 0..ENROLLMENTS {
            self.claim(c, &Claim::Withdraw(n));
        }
    }
}

fn enrollment(n: u8) -> EnrollmentId {
    EnrollmentId(u64::from(n))
}
