//! S19, refusals of what protocols ask for: every one has a reason that the facts bear out.

use lightkeeper::manager::{
    BurstAnswer, Command, Event, LockAnswer, LockDenial, LockId, Offer, ProtocolSpec, ProtocolView,
    Reason,
};

use super::locks::{MOST, MOST_OF_ONE, budget, takes_part, wanted};
use super::{Invariant, Scene, Verdict, ensure};
use crate::ledger_claims::Hold;
use crate::view::Input;

/// Protocols that may be enrolled beside the built-in ones (4.2).
const GUESTS: usize = 32;
/// Requirements at once.
const REQUIREMENTS: usize = 64;
/// Bursts at once, and those that are remembered.
const BURSTS: (usize, usize) = (8, 16);
/// One connection, in the units of shares.
const WHOLE: u32 = 256;

/// See the module.
pub(crate) struct Plausible;

impl Plausible {
    fn lock(id: LockId, denial: LockDenial, scene: &Scene<'_>) -> bool {
        let claims = &scene.ledger.claims;
        let lock = claims.locks.get(&id);
        let Some((_, ttl_ms, renewal)) = wanted(scene) else {
            return false;
        };
        let too_long = ttl_ms > scene.config.lock_max_ms;
        if renewal {
            return match denial {
                LockDenial::NotEnrolled => lock.is_none(),
                LockDenial::Draining => lock.is_some_and(|lock| !lock.held()),
                LockDenial::TtlTooLong => too_long,
                LockDenial::RenewedTooOften => lock.is_some_and(|lock| lock.renewals >= 3),
                _ => false,
            };
        }
        let Some(Input::Event(Event::Lock {
            enrollment, peer, ..
        })) = scene.input
        else {
            return false;
        };
        let own = claims.locks.values();
        let own = own.filter(|lock| lock.enrollment == *enrollment).count();
        let conns = scene.ledger.conns_of(peer);
        let open = conns.iter().any(|(_, conn)| conn.closing.is_none());
        let granted = |views: &[ProtocolView]| {
            let mut own = views.iter();
            own.find(|protocol| protocol.enrollment == Some(*enrollment))
                .and_then(|protocol| protocol.granted)
        };
        match denial {
            LockDenial::NotEnrolled => {
                let (before, after) = (&scene.before.protocols, &scene.view.protocols);
                granted(before).is_none() || granted(after).is_none()
            }
            LockDenial::TtlTooLong => too_long,
            LockDenial::NotConnected => !open,
            LockDenial::Draining => {
                let revoked = |hold| matches!(hold, Hold::Revoked { .. });
                let mut locks = claims.locks.values();
                // Of two connections to a peer, the one that serves is asked.
                let leaving = conns.iter().any(|(_, conn)| conn.closing.is_some());
                leaving || !open || locks.any(|lock| lock.peer == *peer && revoked(lock.hold))
            }
            LockDenial::LockBudget => {
                let full = claims.locked(None).len() >= budget(scene);
                full || own >= MOST_OF_ONE || claims.locks.len() >= MOST
            }
            LockDenial::QuotaExceeded => {
                let high = granted(&scene.view.protocols).map_or(0, |grant| grant.high);
                claims.locked(Some(*enrollment)).len() >= usize::from(high)
            }
            LockDenial::RenewedTooOften => false,
        }
    }

    fn burst(reason: Reason, scene: &Scene<'_>) -> bool {
        let Some(Input::Event(Event::OpenBurst {
            enrollment, slots, ..
        })) = scene.input
        else {
            return false;
        };
        let ledger = scene.ledger;
        let claims = &ledger.claims;
        let open: Vec<_> = claims
            .bursts
            .iter()
            .filter(|(_, burst)| burst.closed_at.is_none())
            .collect();
        let stats = &scene.view.stats;
        match reason {
            Reason::NotEnrolled => !takes_part(scene, *enrollment),
            Reason::Stopped => !ledger.running,
            Reason::Offline => ledger.hint.says_offline,
            // Told by the user; who steers is another's to know.
            Reason::Paused | Reason::InitialSync => true,
            Reason::NoRoute => claims
                .enrolled
                .get(enrollment)
                .is_some_and(|own| own.spec.need.is_none()),
            Reason::OverBudget => {
                let nested = open
                    .iter()
                    .any(|(_, burst)| burst.enrollment == *enrollment);
                nested || open.len() >= BURSTS.0 || claims.bursts.len() >= BURSTS.1
            }
            Reason::LimitReached => {
                let promised: u32 = open.iter().map(|(_, burst)| u32::from(burst.slots)).sum();
                stats.open + stats.dialing + promised >= u32::from(stats.hard)
                    || ledger.conns.len() + ledger.dials.len() >= usize::from(stats.hard)
            }
            Reason::OverQuota => {
                let both = [&scene.before.protocols, &scene.view.protocols];
                both.into_iter().flatten().any(|protocol| {
                    let grant = protocol.granted.map_or(0, |grant| u32::from(grant.high));
                    protocol.enrollment == Some(*enrollment)
                        && protocol.share.div_ceil(WHOLE) >= grant
                })
            }
            Reason::NotNeeded => *slots == 0,
            _ => false,
        }
    }

    fn rejected(spec: &ProtocolSpec, reason: Reason, scene: &Scene<'_>) -> bool {
        let protocols = &scene.before.protocols;
        match reason {
            Reason::NotEnrolled => {
                let taken = protocols.iter().any(|other| other.name == spec.name);
                let guests = protocols.iter().filter(|p| p.enrollment.is_some()).count();
                let long = spec.protocols.iter().map(String::len).sum::<usize>() > 4_000;
                let places = scene.before.requirements.len() + guests >= REQUIREMENTS;
                taken || guests >= GUESTS || long || (spec.need.is_some() && places)
            }
            // Everything is promised: the minima of others, the place that stays free, and one to each.
            Reason::NoShare => {
                let soft = usize::from(scene.view.stats.soft);
                let lows = protocols.iter().map(|protocol| {
                    let grant = protocol.granted.or(protocol.offered);
                    grant.map_or(0, |grant| usize::from(grant.low))
                });
                lows.sum::<usize>() + 1 + protocols.len() + 1 > soft
            }
            _ => false,
        }
    }
}

impl Invariant for Plausible {
    fn id(&self) -> &'static str {
        "S19"
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let right = match command {
            Command::Lock {
                lock,
                answer: LockAnswer::Denied(denial),
            } => Self::lock(*lock, *denial, scene),
            Command::Burst {
                burst: _,
                answer: BurstAnswer::Denied(reason),
            } => Self::burst(*reason, scene),
            Command::Offer {
                enrollment: _,
                offer: Offer::Rejected(reason),
            } => match scene.input {
                Some(Input::Event(Event::Enroll { spec, .. })) => {
                    Self::rejected(spec, *reason, scene)
                }
                _ => false,
            },
            _ => true,
        };
        ensure!(right, "{command:?} to {:?}", scene.input);
        Ok(())
    }
}
