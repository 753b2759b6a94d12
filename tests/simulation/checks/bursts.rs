//! S12: a burst keeps to its slots, takes nobody's place, and leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet};

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    BurstAnswer, BurstId, Command, ConnId, DialWhy, Event, Reason, RequirementId,
};

use super::{Invariant, Scene, Verdict, ensure};
use crate::ledger::ConnRecord;
use crate::orders::{endpoint, parting};
use crate::view::{Input, View};

/// One connection, in the units of shares.
const WHOLE: u32 = 256;

/// See the module.
#[derive(Default)]
pub(crate) struct Passing {
    /// Providers of each requirement, in the order in which they began to serve it.
    order: BTreeMap<RequirementId, Vec<PeerId>>,
    /// Since when each connection that a burst made has been nobody else's.
    pure_since: BTreeMap<ConnId, u64>,
    /// Whether connections stay as they are: paused, or in an initial sync.
    still: bool,
    /// Bursts that were granted or denied with this input.
    answers: u32,
}

impl Passing {
    fn note_order(&mut self, view: &View) {
        let ids: BTreeSet<_> = view.requirements.iter().map(|need| need.id).collect();
        self.order.retain(|id, _| ids.contains(id));
        for need in &view.requirements {
            let order = self.order.entry(need.id).or_default();
            order.retain(|peer| need.peers.contains(peer));
            let new = need.peers.iter().filter(|peer| !order.contains(peer));
            let new: Vec<PeerId> = new.copied().collect();
            order.extend(new);
        }
    }

    /// Whether a protocol's requirement is assigned to a peer: it is one of the first `target` providers.
    fn assigned(&self, peer: &PeerId, view: &View) -> bool {
        view.requirements.iter().any(|need| {
            let order = self.order.get(&need.id);
            let mut first = order.into_iter().flatten().take(usize::from(need.target));
            first.any(|provider| provider == peer)
        })
    }

    /// Whether somebody else than its burst has a use for a connection: a requirement, a lock, the user.
    fn used(&self, record: &ConnRecord, view: &View, scene: &Scene<'_>) -> bool {
        let user = scene.ledger.peer(&record.peer).requested;
        let locked = scene.ledger.claims.is_locked(&record.peer);
        user || locked || self.assigned(&record.peer, view)
    }

    /// Connections that bursts made and that were nobody else's before the input, nor are after it.
    fn pure(&self, scene: &Scene<'_>) -> usize {
        let made = scene.ledger.claims.made.keys();
        made.filter(|conn| {
            self.pure_since.contains_key(conn)
                && scene.ledger.conns.get(conn).is_some_and(|record| {
                    record.closing.is_none() && !self.used(record, scene.view, scene)
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
        ensure!(*burst == id && !nested, "{id:?} is granted to {enrollment:?}");
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
        ensure!(burst.closed_at.is_none(), "a dial for {id:?}, which is over");
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
        let soft = usize::from(scene.view.stats.soft.min(scene.before.stats.soft));
        let open = scene.ledger.open().count();
        let pure = self.pure(scene);
        ensure!(
            open - pure >= soft,
            "{conn:?} closed as {reason}: {open} are open, {pure} of them bursts', {soft} are wanted"
        );
        Ok(())
    }

    /// What only a burst that is over used goes.
    fn leftovers(&mut self, scene: &Scene<'_>) -> Verdict {
        let (ledger, config) = (scene.ledger, scene.config);
        let claims = &ledger.claims;
        let mut since = BTreeMap::new();
        for (conn, burst) in &claims.made {
            let Some(record) = ledger.conns.get(conn).filter(|c| c.closing.is_none()) else {
                continue;
            };
            if self.used(record, scene.view, scene) || self.used(record, scene.before, scene) {
                continue;
            }
            let pure = self.pure_since.get(conn).copied().unwrap_or(scene.now());
            since.insert(*conn, pure);
            let Some(closed_at) = claims.bursts.get(burst).and_then(|burst| burst.closed_at)
            else {
                continue;
            };
            let spared = self.still || !ledger.running || guarded(record, scene);
            if spared {
                since.insert(*conn, scene.now());
                continue;
            }
            // New connections are left alone at first, and rounds keep their distance.
            let new_until = record.opened_at + config.grace_connect_ms;
            let from = pure.max(closed_at).max(new_until.saturating_sub(config.burst_idle_ms));
            let until = from + config.burst_idle_ms + config.round_every_ms;
            // What was somebody's until its burst was forgotten goes by the rules of all.
            let forgotten = until >= closed_at + config.burst_memory_ms;
            ensure!(
                forgotten || scene.now() < until || scene.more_is_due(),
                "{conn:?} is left of {burst:?}, over since {closed_at}: {record:?}"
            );
        }
        self.pure_since = since;
        Ok(())
    }
}

/// Whether without a connection some requirement that wants several has all its providers in one network, and with it
/// has not (4.13, guards).
fn guarded(record: &ConnRecord, scene: &Scene<'_>) -> bool {
    let network = |peer: &PeerId| {
        let peer = scene.ledger.peer(peer);
        let host = peer.routes.first().map(endpoint);
        host.map(|host| host.splitn(3, '.').take(2).collect::<Vec<_>>().join("."))
    };
    let own = network(&record.peer);
    scene.view.requirements.iter().any(|need| {
        let others = need.peers.iter().filter(|peer| **peer != record.peer);
        let others: BTreeSet<_> = others.map(network).collect();
        let serves = need.peers.contains(&record.peer);
        serves && need.target >= 2 && others.len() == 1 && !others.contains(&own)
    })
}

impl Invariant for Passing {
    fn id(&self) -> &'static str {
        "S12"
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        self.answers = 0;
        match scene.input {
            Some(Input::Event(Event::Pause | Event::StartSync { .. })) => self.still = true,
            Some(Input::Event(Event::Resume | Event::StopSync | Event::Start | Event::Stop)) => {
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
        self.note_order(scene.view);
        self.leftovers(scene)
    }
}
