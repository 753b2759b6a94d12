//! How often protocols ask for what: claims from a number, and from proptest.

use lightkeeper::manager::{Bound, Class, Need, Outcome, Priority};

use crate::claims::{CHATS, Claim, ENROLLMENTS, Whom, Wish};
use crate::network::NetworkSpec;
use crate::rng::Rng;
use crate::script::{Act, Script};

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

    use crate::claims::{Claim, Whom, Wish};
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
