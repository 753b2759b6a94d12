//! S6: what is locked is left alone, within budgets, and each lock ends exactly once.

use std::collections::BTreeMap;

use lightkeeper::manager::{
    Command, ConnId, EnrollmentId, Event, LockAnswer, LockId, Reason, Revocation,
};

use super::{Invariant, Scene, Verdict, ensure};
use crate::ledger_claims::{Hold, LockRecord};
use crate::orders::{let_go, parting};
use crate::view::Input;

/// Renewals of one lock (4.9).
const RENEWALS: u32 = 3;
/// Locks at once, and of one protocol: nobody can take them all (R1, A6).
pub(super) const MOST: usize = 256;
pub(super) const MOST_OF_ONE: usize = 64;

/// See the module.
#[derive(Default)]
pub(crate) struct LeftAlone {
    /// Locks as they were before the orders of an input.
    before: BTreeMap<LockId, LockRecord>,
    /// Those that were revoked with this input, and the grace that they got.
    revoked: BTreeMap<LockId, (LockRecord, Revocation, u64)>,
    /// Answers to a lock that is asked for with this input.
    answers: u32,
}

/// Whether we end a connection that did nothing wrong and that nobody but the manager wants gone.
fn spares_locks(reason: Reason) -> bool {
    let_go(reason) || matches!(reason, Reason::FailedService | Reason::InitialSync)
}

/// Whether a lock may end without a grace for this.
fn at_once(why: Revocation) -> bool {
    matches!(
        why,
        Revocation::Ban | Revocation::ConnectionLost | Revocation::Stop | Revocation::Withdrawn
    )
}

/// Connections that are ordered closed with this input, and why.
fn closed_now(scene: &Scene<'_>) -> BTreeMap<ConnId, Reason> {
    let orders = scene.commands.iter().filter_map(parting);
    orders.map(|(conn, reason, _)| (conn, reason)).collect()
}

/// The lock that an input asks for or wants renewed, for how long, and whether it is renewed.
pub(super) fn wanted(scene: &Scene<'_>) -> Option<(LockId, u64, bool)> {
    match scene.input {
        Some(Input::Event(Event::Lock { lock, ttl_ms, .. })) => Some((*lock, *ttl_ms, false)),
        Some(Input::Event(Event::ExtendLock { lock, ttl_ms })) => Some((*lock, *ttl_ms, true)),
        _ => None,
    }
}

/// Whether a protocol took part before or after the input.
pub(super) fn takes_part(scene: &Scene<'_>, id: EnrollmentId) -> bool {
    let all = scene.before.protocols.iter().chain(&scene.view.protocols);
    all.into_iter()
        .any(|protocol| protocol.enrollment == Some(id) && protocol.granted.is_some())
}

impl LeftAlone {
    fn granted(&mut self, id: LockId, ttl_ms: u64, scene: &Scene<'_>) -> Verdict {
        self.answers += 1;
        let Some((asked, asked_ms, renewal)) = wanted(scene).filter(|(asked, ..)| *asked == id)
        else {
            return Err(format!("{id:?} is granted, and nobody asked for it"));
        };
        let lock = scene.ledger.claims.locks.get(&asked);
        let longest = scene.config.lock_max_ms;
        ensure!(
            ttl_ms == asked_ms && ttl_ms <= longest,
            "{id:?} lasts {ttl_ms} ms, asked for {asked_ms}, at most {longest}"
        );
        if renewal {
            let renewed = lock.filter(|lock| lock.held() && lock.renewals < RENEWALS);
            ensure!(renewed.is_some(), "{id:?} is renewed: {lock:?}");
            return Ok(());
        }
        ensure!(lock.is_none(), "{id:?} is granted twice: {lock:?}");
        if let Some(Input::Event(Event::Lock {
            enrollment, peer, ..
        })) = scene.input
        {
            ensure!(takes_part(scene, *enrollment), "{id:?} of nobody");
            let mut open = scene.ledger.open();
            let connected = open.any(|(_, conn)| conn.peer == *peer);
            ensure!(connected, "{id:?} on {peer}, which is not connected");
        }
        Ok(())
    }

    fn revoked(
        &mut self,
        id: LockId,
        why: Revocation,
        grace_ms: u64,
        scene: &Scene<'_>,
    ) -> Verdict {
        let lock = scene.ledger.claims.locks.get(&id);
        let Some(LockRecord {
            hold: Hold::Held { until },
            enrollment,
            ..
        }) = lock
        else {
            return Err(format!("{id:?} is revoked and does not hold: {lock:?}"));
        };
        let left = until.saturating_sub(scene.now());
        let least = scene.config.lock_grace_ms.min(left);
        ensure!(
            at_once(why) || grace_ms >= least,
            "{id:?} is revoked ({why}) with {grace_ms} ms, at least {least}"
        );
        let stats = &scene.before.stats;
        let own = scene.ledger.claims.locked(Some(*enrollment)).len();
        let right = match why {
            Revocation::Stop => !scene.ledger.running,
            Revocation::Withdrawn => {
                let leaves = Event::Withdraw {
                    enrollment: *enrollment,
                };
                scene.input == Some(&Input::Event(leaves))
            }
            Revocation::HardLimit => {
                let hard = scene.view.stats.hard.min(stats.hard);
                scene.ledger.open().count() > usize::from(hard)
            }
            Revocation::QuotaBreach => {
                let view = scene.view.protocols.iter();
                let high = view
                    .filter(|protocol| protocol.enrollment == Some(*enrollment))
                    .find_map(|protocol| protocol.granted.or(protocol.offered))
                    .map_or(0, |grant| usize::from(grant.high));
                let all = scene.ledger.claims.locked(None).len();
                own > high || all > budget(scene)
            }
            // Seen at the end of the input, or told by others.
            Revocation::Ban
            | Revocation::ConnectionLost
            | Revocation::Memory
            | Revocation::ModeChange => true,
        };
        ensure!(right, "{id:?} is revoked for {why}");
        self.revoked
            .insert(id, (*lock.expect("it holds"), why, grace_ms));
        Ok(())
    }

    /// Connections that we close with this input, against the locks that were on them before it.
    fn closes(&self, scene: &Scene<'_>) -> Verdict {
        let now = scene.now();
        let closed = closed_now(scene);
        for (id, lock) in &self.before {
            let Some(reason) = lock.conn.and_then(|conn| closed.get(&conn)) else {
                continue;
            };
            if !spares_locks(*reason) {
                continue;
            }
            let free = match lock.hold {
                Hold::Revoked { until, .. } => now >= until,
                // Given back, over, or revoked with no time left.
                Hold::Held { .. } => match self.revoked.get(id) {
                    Some((_, why, grace_ms)) => {
                        *grace_ms == 0 && *why != Revocation::ConnectionLost
                    }
                    None => !scene.ledger.claims.locks.contains_key(id),
                },
            };
            ensure!(free, "closed as {reason}, and {id:?} is on it: {lock:?}");
        }
        Ok(())
    }

    /// What a lock ended with, against what became of its connection.
    fn ends(&self, scene: &Scene<'_>) -> Verdict {
        let ledger = scene.ledger;
        for (id, (lock, why, _)) in &self.revoked {
            let Some(conn) = lock.conn else { continue };
            let open = ledger
                .conns
                .get(&conn)
                .is_some_and(|record| record.closing.is_none());
            let right = match why {
                Revocation::ConnectionLost => !open,
                Revocation::Ban => {
                    let reason = closed_now(scene).get(&conn).copied();
                    ledger.peer(&lock.peer).banned(ledger.now)
                        || reason == Some(Reason::BadBehaviour)
                        || reason == Some(Reason::BannedForFaults)
                }
                _ => true,
            };
            ensure!(right, "{id:?} is revoked for {why}: {lock:?}");
        }
        for (id, lock) in &ledger.claims.locks {
            let Some(conn) = lock.conn.filter(|_| lock.held()) else {
                continue;
            };
            let record = ledger.conns.get(&conn);
            let open = record.is_some_and(|record| record.closing.is_none());
            ensure!(open, "{id:?} outlives its connection: {lock:?}");
        }
        Ok(())
    }
}

/// How many connections may be locked: three quarters of the soft target.
pub(super) fn budget(scene: &Scene<'_>) -> usize {
    usize::from(scene.view.stats.soft) * 3 / 4
}

fn budgets(scene: &Scene<'_>) -> Verdict {
    let claims = &scene.ledger.claims;
    let (locked, most) = (claims.locked(None).len(), budget(scene));
    ensure!(locked <= most, "{locked} are locked, at most {most}");
    for protocol in &scene.view.protocols {
        let Some((id, grant)) = protocol.enrollment.zip(protocol.granted) else {
            continue;
        };
        let own = claims.locked(Some(id)).len();
        let high = usize::from(grant.high);
        ensure!(own <= high, "{id:?} has locked {own}, at most {high}");
        let count = claims.locks.values().filter(|lock| lock.enrollment == id);
        ensure!(count.count() <= MOST_OF_ONE, "{id:?} has too many locks");
    }
    let held = claims.locks.values().filter(|lock| lock.held()).count();
    let counted = scene.view.stats.locks as usize;
    ensure!(counted == held, "{counted} locks are counted, {held} hold");
    ensure!(claims.locks.len() <= MOST, "too many locks");
    Ok(())
}

impl Invariant for LeftAlone {
    fn id(&self) -> &'static str {
        "S6"
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        self.before.clone_from(&scene.ledger.claims.locks);
        self.revoked.clear();
        self.answers = 0;
        Ok(())
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let Command::Lock { lock: id, answer } = command else {
            return Ok(());
        };
        let lock = scene.ledger.claims.locks.get(id);
        match answer {
            LockAnswer::Granted { ttl_ms } => self.granted(*id, *ttl_ms, scene),
            LockAnswer::Denied(_) => {
                self.answers += 1;
                let asked = wanted(scene).is_some_and(|(asked, ..)| asked == *id);
                ensure!(asked, "{id:?} is denied, and nobody asked for it");
                Ok(())
            }
            LockAnswer::Revoked { reason, grace_ms } => {
                self.revoked(*id, *reason, *grace_ms, scene)
            }
            LockAnswer::Ended => {
                let Some(LockRecord {
                    hold: Hold::Held { until },
                    ..
                }) = lock
                else {
                    return Err(format!("{id:?} ends and does not hold: {lock:?}"));
                };
                let back = Event::Unlock { lock: *id };
                let given_back = scene.input == Some(&Input::Event(back));
                ensure!(
                    given_back || scene.now() >= *until,
                    "{id:?} ends before its time: {lock:?}"
                );
                Ok(())
            }
        }
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        if !matches!(scene.input, Some(Input::Event(_))) {
            return Ok(());
        }
        if let Some((id, ..)) = wanted(scene) {
            let most = 1;
            let fresh = !self.before.contains_key(&id);
            ensure!(
                self.answers == most || (!fresh && self.answers == 0),
                "{} answers about {id:?}",
                self.answers
            );
        }
        self.closes(scene)?;
        self.ends(scene)?;
        budgets(scene)
    }
}
