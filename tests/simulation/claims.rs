//! What protocols ask for: enrollments, locks, bursts, scores; and what the application does with the answers.

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    Bound, BurstAnswer, BurstId, Class, Command, ConnId, EnrollmentId, Event, LockAnswer, LockId,
    Need, Offer, Outcome, Priority, ProtocolSpec, Quota, RequirementId,
};

use crate::network::{CHAT, Network, NetworkSpec, PROTOCOLS};
use crate::rng::Rng;
use crate::script::{Act, Script};
use crate::world::World;

/// Enrollments of one script have ids below this: more than may be enrolled at once.
const ENROLLMENTS: u8 = 48;
/// Enrollments, locks and bursts from here on belong to a protocol that never says a word about what it is told.
pub(crate) const SILENT: u8 = 40;
pub(crate) const SILENT_HOLD: u8 = 200;
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
                let Some(peer) = self.whom(c, *whom) else {
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

    fn whom(&self, c: usize, whom: Whom) -> Option<PeerId> {
        match whom {
            Whom::Place(place) => self.place(place).map(|place| self.network.ids[place]),
            Whom::Serving(requirement) => {
                let serving = self.clients[c].brain.serving(RequirementId(requirement));
                serving.first().map(|(peer, _): &(PeerId, ConnId)| *peer)
            }
        }
    }

    /// What the manager says to a protocol, which answers as it likes: at once, late, twice, wrongly or never. What it
    /// answers is on its way like every callback, and may be lost.
    pub(crate) fn answer_claim(&mut self, c: usize, command: Command) {
        if self.healed_at.is_some() {
            // Everybody has left.
            return;
        }
        if is_silent(&command) {
            return;
        }
        let rng = &mut self.clients[c].rng;
        let mut answers: Vec<(u64, Event)> = Vec::new();
        match command {
            Command::Offer {
                enrollment,
                offer: Offer::Counter { answer_ms, .. },
            } if answer_ms > 0 => {
                let within = rng.between(0, answer_ms.min(60_000));
                match rng.below(4) {
                    0 => answers.push((within, Event::AcceptOffer { enrollment })),
                    1 => answers.push((within, Event::Withdraw { enrollment })),
                    2 => answers.push((answer_ms + 1, Event::AcceptOffer { enrollment })),
                    _ => {}
                }
            }
            Command::Lock { lock, answer } => match answer {
                LockAnswer::Granted { ttl_ms } => {
                    let within = rng.between(0, ttl_ms);
                    match rng.below(5) {
                        0 | 1 => answers.push((within, Event::ExtendLock { lock, ttl_ms })),
                        2 => answers.push((within, Event::Unlock { lock })),
                        _ => {}
                    }
                }
                LockAnswer::Revoked { grace_ms, .. } => {
                    let within = rng.between(0, grace_ms);
                    match rng.below(3) {
                        0 => answers.push((within, Event::Unlock { lock })),
                        1 => answers.push((within, Event::ExtendLock { lock, ttl_ms: 1 })),
                        _ => {}
                    }
                }
                LockAnswer::Denied(_) | LockAnswer::Ended => {}
            },
            Command::Burst {
                burst,
                answer: BurstAnswer::Granted { .. },
            } if rng.per_mille(300) => {
                let within = rng.between(0, 70_000);
                answers.push((within, Event::CloseBurst { burst }));
            }
            Command::RequestScores {
                round,
                enrollment,
                peers,
                deadline_ms,
            } => answers = scores(rng, &self.network, round, enrollment, &peers, deadline_ms),
            _ => {}
        }
        for (ms, event) in answers {
            self.call_back(c, ms, event);
        }
    }

    /// Takes back what its acts broke: everybody leaves.
    pub(crate) fn heal_claims(&mut self, c: usize) {
        for n in 0..ENROLLMENTS {
            self.claim(c, &Claim::Withdraw(n));
        }
    }
}

fn is_silent(command: &Command) -> bool {
    let (id, from) = match command {
        Command::Offer { enrollment, .. } | Command::RequestScores { enrollment, .. } => {
            (enrollment.0, SILENT)
        }
        Command::Lock { lock, .. } => (lock.0, SILENT_HOLD),
        Command::Burst { burst, .. } => (burst.0, SILENT_HOLD),
        _ => return false,
    };
    id >= u64::from(from)
}

fn enrollment(n: u8) -> EnrollmentId {
    EnrollmentId(u64::from(n))
}

/// What a scorer answers, and when: rightly, late, twice, for others than it was asked about, absurdly, too much, or
/// not at all.
fn scores(
    rng: &mut Rng,
    network: &Network,
    round: u64,
    enrollment: EnrollmentId,
    peers: &[PeerId],
    deadline_ms: u32,
) -> Vec<(u64, Event)> {
    let mut draw = |peers: &[PeerId], from: &[i16]| -> Vec<(PeerId, i16)> {
        let scores = peers.iter().map(|peer| (*peer, *rng.pick(from)));
        scores.collect()
    };
    let usual = draw(peers, &[-300, 0, 10, 200, 700, 1_000]);
    let absurd = draw(peers, &[i16::MIN, -1_001, 1_001, i16::MAX]);
    let others = draw(&network.ids, &[-1_000, 1_000]);
    let event = |scores: Vec<(PeerId, i16)>| Event::Scores {
        round,
        enrollment,
        scores,
    };
    let deadline = u64::from(deadline_ms);
    let soon = rng.between(0, deadline);
    match rng.below(8) {
        0 | 1 => vec![(soon, event(usual))],
        2 => vec![(deadline + rng.between(1, 20_000), event(usual))],
        3 => vec![(soon, event(usual)), (soon + 1, event(absurd))],
        4 => vec![(soon, event(others))],
        5 => vec![(soon, event(absurd))],
        6 => vec![(soon, event([usual, others, absurd].concat()))],
        _ => Vec::new(),
    }
}

/// Some peers also serve those who enroll, and connections are fewer in some scripts, so that shares matter.
pub(crate) fn prepare(rng: &mut Rng, script: &mut Script) {
    for (place, peer) in script.network.peers.iter_mut().enumerate() {
        if peer.serves != 0 && (place < 2 || rng.per_mille(500)) {
            peer.serves |= CHATS;
        }
    }
    if rng.per_mille(300) {
        script.tuning.soft = u16::try_from(rng.between(4, 10)).expect("few");
    }
}

/// Something of this kind happens, and is mostly taken back.
pub(crate) fn troubles(
    rng: &mut Rng,
    network: &NetworkSpec,
    t: u64,
    end: u64,
    acts: &mut Vec<(u64, Act)>,
) {
    let later = |t: u64, ms: u64| (t + ms).min(end - 1);
    let of = small(rng, 5);
    let place = rng.place(network.peers.len());
    let whom = if rng.per_mille(800) {
        Whom::Serving(small(rng, 5))
    } else {
        Whom::Place(place)
    };
    let lock = small(rng, 8);
    let mut plan = |t: u64, claim: Claim| acts.push((t, Act::Claim(claim)));
    // Without a protocol nothing can be asked for.
    plan(t, Claim::Enroll(of, wish(rng)));
    let start = later(t, rng.between(0, 20_000));
    match rng.below(20) {
        0 | 1 => {
            if rng.per_mille(500) {
                plan(start, Claim::Accept(of));
            }
            let stay = *rng.pick(&[100, 8_000, 90_000, 1_200_000]);
            plan(later(t, stay), Claim::Withdraw(of));
        }
        2..5 => {
            let ttl_ms = ttl(rng);
            plan(start, claim_lock(lock, of, whom, ttl_ms));
            for _ in 0..rng.below(6) {
                let at = later(start, rng.between(0, 5 * u64::from(ttl_ms)));
                plan(at, Claim::Extend { lock, ttl_ms });
            }
            if rng.per_mille(400) {
                let at = later(start, rng.between(0, 2 * u64::from(ttl_ms)));
                plan(at, Claim::Unlock(lock));
            }
        }
        5 => {
            // Everything is locked, by as many as there are, or by one that wants it all.
            let greedy = rng.per_mille(500);
            if greedy {
                plan(t, Claim::Withdraw(of));
                plan(t, Claim::Enroll(of, Wish::GREEDY));
            }
            for n in 0..u8::try_from(network.peers.len().min(100)).expect("few") {
                let holder = if greedy { of } else { small(rng, 5) };
                let whom = Whom::Place(u16::from(n));
                plan(start, claim_lock(n, holder, whom, ttl(rng)));
            }
        }
        6 => {
            // One connection, locked again and again.
            for n in 0..70 {
                plan(start, claim_lock(100 + n, of, whom, 30_000));
            }
        }
        7..10 | 16..20 => {
            let burst = small(rng, 6);
            let slots = *rng.pick(&[0, 1, 2, 4, 8, 255]);
            let max_ms = *rng.pick(&[0, 3_000, 20_000, 60_000, u32::MAX]);
            plan(start, Claim::Enroll(of, Wish::MODEST));
            plan(
                start,
                Claim::OpenBurst {
                    burst,
                    of,
                    slots,
                    max_ms,
                },
            );
            if rng.per_mille(600) {
                let at = later(start, rng.between(0, 50_000));
                plan(at, Claim::CloseBurst(burst));
            }
        }
        10 => {
            let score = *rng.pick(&[i16::MIN, -1_000, 5, i16::MAX]);
            plan(start, Claim::Scores { of, score });
            plan(later(t, 60_000), Claim::Withdraw(of));
        }
        11 => {
            // More than there is place for.
            let count = *rng.pick(&[8, 16, ENROLLMENTS]);
            for n in 0..count {
                let wish = Wish {
                    answer_ms: 1_000,
                    min: Some(Bound::Count(0)),
                    ..wish(rng)
                };
                plan(start, Claim::Enroll(n, wish));
            }
            for n in 0..count {
                let at = later(start, rng.between(0, 60_000));
                plan(at, Claim::Withdraw(n));
            }
        }
        12 => {
            // Whoever is locked goes, one way or the other.
            plan(start, claim_lock(lock, of, Whom::Place(place), ttl(rng)));
            let soon = later(start, rng.between(0, 5_000));
            let back = later(soon, 60_000);
            let medium = Priority::Medium;
            let (act, undo) = match rng.below(5) {
                0 => (Act::SetPriority(place, Priority::Banned), medium),
                1 => (Act::HangUp(place), medium),
                2 => (Act::Lose(place), medium),
                3 => (Act::Report(place, 1, Outcome::Fault), medium),
                _ => (Act::Claim(Claim::Withdraw(of)), medium),
            };
            acts.push((start, Act::ConnectNow(place)));
            acts.push((soon, act));
            acts.push((back, Act::SetPriority(place, undo)));
        }
        13 | 14 => {
            // Shares shrink under what is locked.
            plan(start, claim_lock(lock, of, whom, 120_000));
            plan(start, claim_lock(lock + 1, of, Whom::Place(place), 120_000));
            let soon = later(start, rng.between(0, 5_000));
            plan(soon, Claim::Enroll(5, Wish::GREEDY));
            plan(later(soon, 30_000), Claim::Withdraw(5));
        }
        _ => {
            // Ids that mean nothing, and words out of order.
            let n = small(rng, ENROLLMENTS);
            let ttl_ms = ttl(rng);
            plan(t, Claim::Accept(n));
            plan(t, Claim::Unlock(n));
            plan(t, Claim::CloseBurst(n));
            plan(t, Claim::Extend { lock: n, ttl_ms });
            plan(t, claim_lock(lock, n, whom, ttl_ms));
            plan(t, Claim::Withdraw(n));
            let outcome = *rng.pick(Outcome::ALL);
            acts.push((start, Act::Report(place, 3 + small(rng, 4), outcome)));
        }
    }
}

fn claim_lock(lock: u8, of: u8, whom: Whom, ttl_ms: u32) -> Claim {
    Claim::Lock {
        lock,
        of,
        whom,
        ttl_ms,
    }
}

fn small(rng: &mut Rng, below: u8) -> u8 {
    u8::try_from(rng.below(u64::from(below))).expect("below a byte")
}

/// How long a lock is to last: mostly no longer than it may.
fn ttl(rng: &mut Rng) -> u32 {
    *rng.pick(&[0, 500, 5_000, 30_000, 120_000, 300_000, 300_001])
}

fn wish(rng: &mut Rng) -> Wish {
    if rng.per_mille(500) {
        return Wish::MODEST;
    }
    let min = *rng.pick(&[
        None,
        None,
        Some(Bound::Count(0)),
        Some(Bound::Count(2)),
        Some(Bound::Count(6)),
        Some(Bound::Count(5_000)),
        Some(Bound::Permille(150)),
        Some(Bound::Permille(601)),
        Some(Bound::Permille(2_000)),
    ]);
    let max = *rng.pick(&[
        None,
        None,
        Some(Bound::Count(0)),
        Some(Bound::Count(3)),
        Some(Bound::Permille(333)),
        Some(Bound::Permille(1_000)),
    ]);
    let need = |min, target, max| Some(Need { min, target, max });
    let need = *rng.pick(&[
        None,
        need(0, 1, 1),
        need(0, 1, 2),
        need(1, 2, 3),
        need(0, 3, 6),
        need(2, 2, 2),
        need(0, 0, 0),
    ]);
    Wish {
        class: *rng.pick(&[
            Class::Critical,
            Class::Normal,
            Class::Normal,
            Class::Opportunistic,
        ]),
        weight: *rng.pick(&[0, 1, 1, 4, 16, 255]),
        min,
        max,
        need,
        service: *rng.pick(&[0, 1, 2, 3, 3, 3, 3, 4]),
        scores: rng.per_mille(500),
        answer_ms: *rng.pick(&[0, 1_000, 10_000, 60_000]),
        alias: rng.per_mille(50).then(|| small(rng, 3)),
    }
}

#[cfg(test)]
pub(crate) use generated::strategy;

#[cfg(test)]
mod generated {
    use proptest::prelude::*;

    use super::{Claim, Whom, Wish};
    use lightkeeper::manager::{Bound, Class, Need};

    fn bound() -> impl Strategy<Value = Option<Bound>> {
        prop_oneof![
            2 => Just(None),
            2 => (0..8_u16).prop_map(|count| Some(Bound::Count(count))),
            1 => any::<u16>().prop_map(|count| Some(Bound::Count(count))),
            1 => (0..1_200_u16).prop_map(|share| Some(Bound::Permille(share))),
        ]
    }

    fn need() -> impl Strategy<Value = Option<Need>> {
        prop::option::of(
            (0..3_u8, 0..3_u8, 0..3_u8).prop_map(|(min, more, spare)| Need {
                min,
                target: min + more,
                max: min + more + spare,
            }),
        )
    }

    fn wish() -> impl Strategy<Value = Wish> {
        let classes = vec![Class::Normal, Class::Critical, Class::Opportunistic];
        (
            (prop::sample::select(classes), 0..20_u8),
            (bound(), bound()),
            need(),
            (0..5_u8, any::<bool>()),
            prop::sample::select(vec![10_000, 0, 60_000]),
            prop::option::weighted(0.1, 0..3_u8),
        )
            .prop_map(
                |((class, weight), (min, max), need, (service, scores), answer_ms, alias)| Wish {
                    class,
                    weight,
                    min,
                    max,
                    need,
                    service,
                    scores,
                    answer_ms,
                    alias,
                },
            )
    }

    fn whom() -> impl Strategy<Value = Whom> {
        prop_oneof![
            (0..4_u8).prop_map(Whom::Serving),
            (0..12_u16).prop_map(Whom::Place),
        ]
    }

    pub(crate) fn strategy() -> impl Strategy<Value = Claim> {
        let ids = || 0..4_u8;
        let ttl = || 0..310_000_u32;
        prop_oneof![
            4 => (ids(), wish()).prop_map(|(n, wish)| Claim::Enroll(n, wish)),
            1 => ids().prop_map(Claim::Accept),
            1 => ids().prop_map(Claim::Withdraw),
            4 => (ids(), ids(), whom(), ttl()).prop_map(|(lock, of, whom, ttl_ms)| Claim::Lock {
                lock,
                of,
                whom,
                ttl_ms,
            }),
            1 => (ids(), ttl()).prop_map(|(lock, ttl_ms)| Claim::Extend { lock, ttl_ms }),
            1 => ids().prop_map(Claim::Unlock),
            3 => (ids(), ids(), any::<u8>(), 0..70_000_u32).prop_map(
                |(burst, of, slots, max_ms)| Claim::OpenBurst {
                    burst,
                    of,
                    slots,
                    max_ms,
                }
            ),
            1 => ids().prop_map(Claim::CloseBurst),
            1 => (ids(), any::<i16>()).prop_map(|(of, score)| Claim::Scores { of, score }),
        ]
    }
}
