//! S12: a burst keeps to its slots, takes nobody's place, and leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet};

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    BurstAnswer, BurstId, Command, ConnId, DialWhy, Event, Reason, RequirementId,
};

use super::{Invariant, Scene, Verdict, ensure};
use crate::ledger::ConnRecord;
use crate::orders::parting;
use crate::view::{Input, View};

/// One connection, in the units of shares.
const WHOLE: u32 = 256;

/// See the module.
#[derive(Default)]
pub(crate) struct Passing {
    order: Order,
    /// Connections that bursts made and that were nobody else's after the last input.
    pure: BTreeSet<ConnId>,
    /// When what each burst that is over left is looked at next.
    looks: BTreeMap<BurstId, u64>,
    /// By when connections must be on their way out.
    due: BTreeMap<ConnId, u64>,
    /// Whether connections stay as they are: paused, or in an initial sync.
    still: bool,
    /// Bursts that were granted or denied with this input.
    answers: u32,
}

/// Providers of each requirement, with the input at which they began to serve it.
#[derive(Debug, Clone, Default)]
struct Order {
    inputs: u64,
    began: BTreeMap<RequirementId, BTreeMap<PeerId, u64>>,
}

impl Order {
    fn note(&mut self, view: &View) {
        self.inputs += 1;
        self.began.retain(|id, _| view.requirement(*id).is_some());
        for need in &view.requirements {
            let began = self.began.entry(need.id).or_default();
            began.retain(|peer, _| need.peers.contains(peer));
            for peer in &need.peers {
                began.entry(*peer).or_insert(self.inputs);
            }
        }
    }

    /// Whether a peer may be assigned to a protocol: one of the first `target` providers of its requirement. Of those
    /// who began together nobody can tell.
    fn assigned(&self, peer: &PeerId, view: &View) -> bool {
        view.requirements.iter().any(|need| {
            let Some(began) = self.began.get(&need.id) else {
                return false;
            };
            began.get(peer).is_some_and(|own| {
                let earlier = began.values().filter(|other| *other < own).count();
                earlier < usize::from(need.target)
            })
        })
    }
}

impl Passing {
    /// Whether somebody else than its burst has a use for a connection: a requirement, a lock, the user.
    fn used(&self, record: &ConnRecord, view: &View, scene: &Scene<'_>) -> bool {
        let user = scene.ledger.steering.keeps(&record.peer);
        let locked = scene.ledger.claims.is_locked(&record.peer);
        user || locked || self.order.assigned(&record.peer, view)
    }

    /// Connections that bursts made and that were nobody else's before the input, nor are after it.
    fn pure(&self, scene: &Scene<'_>) -> usize {
        let mut after = self.order.clone();
        after.note(scene.view);
        let made = scene.ledger.claims.made.keys();
        made.filter(|conn| {
            self.pure.contains(conn)
                && scene.ledger.conns.get(conn).is_some_and(|record| {
                    record.closing.is_none()
                        && !self.used(record, scene.before, scene)
                        && !after.assigned(&record.peer, scene.view)
                })
        })
        .count()
    }

    fn granted(&self, id: BurstId, slots: u8, scene: &Scene<'_>) -> Verdict {
        let Some(Input::Event(Event::OpenBurst {
            burst,
            enrollment,
            slots: asked,
            ..
        })) = scene.input
        else {
            return Err(format!("{id:?} is granted, and nobody asked for it"));
        };
        let open = scene.ledger.claims.bursts.values();
        let mut open = open.filter(|burst| burst.closed_at.is_none());
        let nested = open.any(|burst| burst.enrollment == *enrollment);
        ensure!(
            *burst == id && !nested,
            "{id:?} is granted to {enrollment:?}"
        );
        ensure!(
            slots > 0 && slots <= *asked,
            "{slots} slots are granted, {asked} were asked for"
        );
        let (before, after) = (&scene.before.stats, &scene.view.stats);
        let taken = scene.ledger.conns.len() + scene.ledger.dials.len();
        let room = usize::from(before.hard.max(after.hard)).saturating_sub(taken);
        ensure!(
            usize::from(slots) <= room,
            "{slots} slots are granted, and there is room for {room}"
        );
        let views = [&scene.before.protocols, &scene.view.protocols];
        let own = views.into_iter().flatten();
        let headroom = own
            .filter(|protocol| protocol.enrollment == Some(*enrollment))
            .map(|protocol| {
                let high = protocol.granted.map_or(0, |grant| u32::from(grant.high));
                high.saturating_sub(protocol.share.div_ceil(WHOLE))
            })
            .max();
        ensure!(
            u32::from(slots) <= headroom.unwrap_or(0),
            "{slots} slots are granted, and {headroom:?} are left of its share"
        );
        Ok(())
    }

    fn dials(id: BurstId, scene: &Scene<'_>) -> Verdict {
        let ledger = scene.ledger;
        let Some(burst) = ledger.claims.bursts.get(&id) else {
            return Err(format!("a dial for {id:?}, which is not there"));
        };
        ensure!(
            burst.closed_at.is_none(),
            "a dial for {id:?}, which is over"
        );
        let made = ledger.claims.made.values().filter(|of| **of == id).count();
        let why = DialWhy::Burst(id);
        let flying = ledger.dials.values().filter(|dial| dial.why == why).count();
        ensure!(
            made + flying < usize::from(burst.slots),
            "a dial for {id:?}, which has {made} connections and {flying} dials: {burst:?}"
        );
        Ok(())
    }

    /// A connection of another is closed to make room: not for a burst's.
    fn makes_room(&self, conn: ConnId, reason: Reason, scene: &Scene<'_>) -> Verdict {
        let for_room = matches!(reason, Reason::OverLimit | Reason::OverQuota | Reason::Idle);
        if !for_room || scene.ledger.claims.made.contains_key(&conn) {
            return Ok(());
        }
        let soft = scene.least_soft();
        let open = scene.ledger.open().count();
        let pure = self.pure(scene);
        ensure!(
            open - pure >= soft,
            "{conn:?} closed as {reason}: {open} are open, {pure} of them bursts', {soft} are wanted"
        );
        Ok(())
    }

    /// What only a burst that is over used goes: it is looked at when it has been idle, and again and again as long as
    /// the burst is known. That it is new, or the last of its netgroup, holds it no longer (4.10).
    fn leftovers(&mut self, scene: &Scene<'_>) -> Verdict {
        let (ledger, config, now) = (scene.ledger, scene.config, scene.now());
        let claims = &ledger.claims;
        let mut looked = BTreeSet::new();
        // After a stop an id may be used anew.
        self.looks.retain(|id, _| {
            let burst = claims.bursts.get(id);
            burst.is_some_and(|burst| burst.closed_at.is_some())
        });
        for (id, burst) in &claims.bursts {
            let Some(closed_at) = burst.closed_at else {
                continue;
            };
            let first = closed_at + config.burst_idle_ms;
            let look = self.looks.entry(*id).or_insert(first);
            if now >= *look {
                *look = now + config.burst_idle_ms;
                looked.insert(*id);
            }
        }
        let before = std::mem::take(&mut self.pure);
        let due = std::mem::take(&mut self.due);
        for (conn, burst) in &claims.made {
            let Some(record) = ledger.conns.get(conn).filter(|c| c.closing.is_none()) else {
                continue;
            };
            let used =
                self.used(record, scene.view, scene) || self.used(record, scene.before, scene);
            // Who did not answer is left alone until it was asked again (4.13): it answers, or it ends.
            let asked = record.unanswered > 1;
            if used || asked {
                continue;
            }
            self.pure.insert(*conn);
            if self.still || !ledger.running {
                continue;
            }
            let until = if looked.contains(burst) && before.contains(conn) {
                // Rounds keep their distance.
                Some(now + config.round_every_ms)
            } else {
                due.get(conn).copied()
            };
            let Some(until) = until else { continue };
            ensure!(
                now < until || scene.more_is_due(),
                "{conn:?} is left of {burst:?}: {record:?}"
            );
            self.due.insert(*conn, until);
        }
        Ok(())
    }
}

impl Invariant for Passing {
    fn id(&self) -> &'static str {
        "S12"
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        self.answers = 0;
        match scene.input {
            Some(Input::Event(Event::Pause | Event::StartSync { .. })) => self.still = true,
            Some(Input::Event(Event::Unpause | Event::StopSync | Event::Start | Event::Stop)) => {
                self.still = false;
            }
            _ => {}
        }
        Ok(())
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        if let Some((conn, reason, _)) = parting(command) {
            let made = scene.ledger.claims.made.get(&conn);
            let burst = made.and_then(|burst| scene.ledger.claims.bursts.get(burst));
            if reason == Reason::BurstOver {
                let over = burst
                    .and_then(|burst| burst.closed_at)
                    .is_some_and(|at| scene.now() >= at + scene.config.burst_idle_ms);
                ensure!(over, "{conn:?} closed as {reason}: {burst:?}");
            }
            self.makes_room(conn, reason, scene)?;
        }
        match command {
            Command::Dial {
                why: DialWhy::Burst(burst),
                ..
            } => Self::dials(*burst, scene),
            Command::Burst { burst, answer } => match answer {
                BurstAnswer::Granted { slots } => {
                    self.answers += 1;
                    self.granted(*burst, *slots, scene)
                }
                BurstAnswer::Denied(_) => {
                    self.answers += 1;
                    Ok(())
                }
                BurstAnswer::Closed => {
                    let record = scene.ledger.claims.bursts.get(burst);
                    let open = record.is_some_and(|burst| burst.closed_at.is_none());
                    ensure!(open, "{burst:?} ends and is not open: {record:?}");
                    Ok(())
                }
            },
            _ => Ok(()),
        }
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        let Some(Input::Event(event)) = scene.input else {
            return Ok(());
        };
        if let Event::OpenBurst { burst, .. } = event {
            // An id that is remembered means the old one.
            let known = scene.ledger.claims.bursts.contains_key(burst);
            let answered = self.answers == 1 || (known && self.answers == 0);
            ensure!(answered, "{} answers to {burst:?}", self.answers);
        }
        self.order.note(scene.view);
        self.leftovers(scene)
    }
}
