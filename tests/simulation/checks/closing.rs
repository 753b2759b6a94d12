//! S5, E4, E2: what a close of ours may cost.

use std::collections::{BTreeMap, BTreeSet};

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    Command, DialWhy, Event, Notice, Outcome, ProtocolView, Reason, RequirementId, RequirementView,
};

use super::company::funded;
use super::{Invariant, Scene, Verdict, ensure};
use crate::oracles::guards::BUILT_IN;
use crate::orders::{let_go, parting};
use crate::view::Input;

/// Whether somebody else is there instead.
fn replaces(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::HandedOff | Reason::FailedService | Reason::LifetimeOver
    )
}

/// What a peer served before the input, and did not just fail at.
pub(super) fn served(scene: &Scene<'_>, peer: &PeerId) -> Vec<RequirementId> {
    let failed = |id| {
        matches!(
            scene.input,
            Some(Input::Event(Event::Report { peer: of, requirement, outcome, charged }))
                if of == peer
                    && *charged
                    && *requirement == id
                    && !matches!(outcome, Outcome::Success | Outcome::Ours)
        )
    };
    let all = scene.before.requirements.iter();
    all.filter(|view| view.peers.contains(peer) && !failed(view.id))
        .map(|view| view.id)
        .collect()
}

/// Whose connection an order closes, and why.
fn closed(command: &Command, scene: &Scene<'_>) -> Option<(PeerId, Reason)> {
    let (conn, reason, _) = parting(command)?;
    let conn = scene.ledger.conns.get(&conn)?;
    // A second connection serves nothing: the first does.
    let only = scene.ledger.conns_of(&conn.peer).len() == 1;
    only.then_some((conn.peer, reason))
}

/// The least of a minimum that holds: of a protocol that enrolled, as far as it was granted (4.13).
fn least_minimum(need: &RequirementView, scene: &Scene<'_>) -> u8 {
    let of_need = |protocol: &&ProtocolView| protocol.requirement == Some(need.id);
    let whose = scene.view.protocols.iter().find(of_need);
    let (least, _) = whose.map_or(BUILT_IN, |protocol| funded(protocol, scene));
    need.min.min(u8::try_from(least).unwrap_or(u8::MAX))
}

/// S5: no voluntary close takes a requirement below its minimum, nor below its target.
pub(crate) struct Minima;

impl Invariant for Minima {
    fn id(&self) -> &'static str {
        "S5"
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let Some((peer, reason)) = closed(command, scene) else {
            return Ok(());
        };
        if !let_go(reason) || replaces(reason) {
            return Ok(());
        }
        let counted = scene.ledger.conns.len() + scene.ledger.dials.len();
        let above = counted > usize::from(scene.view.stats.hard);
        for id in served(scene, &peer) {
            let Some(after) = scene.view.requirement(id) else {
                continue;
            };
            let floor = match reason {
                // Phase 7 may break minima, and 6 targets; the offender in 4 pays with its own.
                Reason::MemoryPressure => 0,
                Reason::OverLimit if above => least_minimum(after, scene),
                Reason::OverQuota => least_minimum(after, scene),
                _ => after.target,
            };
            // Whom phase 7 took in the same input was there a moment ago.
            let taken: BTreeSet<PeerId> = scene
                .commands
                .iter()
                .filter_map(parting)
                .filter(|(_, why, _)| *why == Reason::MemoryPressure && reason != *why)
                .filter_map(|(conn, ..)| Some(scene.ledger.conns.get(&conn)?.peer))
                .filter(|other| served(scene, other).contains(&id) && !after.peers.contains(other))
                .collect();
            let had = usize::from(after.have) + taken.len();
            ensure!(
                had >= usize::from(floor),
                "{peer} closed as {reason}: {id:?} has {had} of {floor}"
            );
        }
        Ok(())
    }
}

/// E4: a replacement never lowers what is covered, and comes when what failed is covered again.
#[derive(Default)]
pub(crate) struct MakeBeforeBreak {
    failed: BTreeMap<PeerId, BTreeSet<RequirementId>>,
}

impl Invariant for MakeBeforeBreak {
    fn id(&self) -> &'static str {
        "E4"
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        match scene.input {
            Some(Input::Event(Event::Report {
                peer,
                requirement,
                outcome,
                charged,
            })) => {
                let failed = self.failed.entry(*peer).or_default();
                match outcome {
                    Outcome::Success => failed.remove(requirement),
                    Outcome::Broken | Outcome::Fault if *charged => {
                        let all = scene.before.requirements.iter();
                        let mut serving = all.filter(|view| view.peers.contains(peer));
                        serving.any(|view| view.id == *requirement) && failed.insert(*requirement)
                    }
                    _ => false,
                };
            }
            Some(Input::Event(Event::Connected { peer, .. })) => {
                self.failed.remove(peer);
            }
            _ => {}
        }
        Ok(())
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let Some((peer, reason)) = closed(command, scene) else {
            return Ok(());
        };
        if !replaces(reason) {
            return Ok(());
        }
        let mut touched: BTreeSet<_> = served(scene, &peer).into_iter().collect();
        if reason == Reason::FailedService {
            touched.extend(self.failed.get(&peer).into_iter().flatten());
        }
        for id in touched {
            let Some(after) = scene.view.requirement(id) else {
                continue;
            };
            ensure!(
                after.have >= after.target,
                "{peer} closed as {reason}: {id:?} has {} of {}",
                after.have,
                after.target
            );
        }
        Ok(())
    }
}

/// E2: whom we let go we do not call back at once, unless a minimum is missed.
#[derive(Default)]
pub(crate) struct NoFlapping {
    let_go: BTreeMap<PeerId, (u64, Reason)>,
}

impl Invariant for NoFlapping {
    fn id(&self) -> &'static str {
        "E2"
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        match scene.input {
            // The user's word changes what is wanted.
            Some(Input::Event(Event::Start | Event::SetNeed { .. })) => self.let_go.clear(),
            // The user, or the peer itself, wants it otherwise. A hang-up or a ban ends with a pardon of everything.
            Some(Input::Event(
                Event::ConnectNow { peer, .. }
                | Event::HangUp { peer }
                | Event::SetPriority { peer, .. }
                | Event::Connected { peer, .. },
            )) => {
                self.let_go.remove(peer);
            }
            _ => {}
        }
        if !scene.before.minima_hold() || !scene.view.minima_hold() {
            self.let_go.clear();
        }
        Ok(())
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let now = scene.now();
        // Who was forgotten is a stranger.
        if let Command::Notify(Notice::Discovered { peer, .. }) = command {
            self.let_go.remove(peer);
        }
        if let Some((peer, reason)) = closed(command, scene)
            && (let_go(reason) || replaces(reason))
        {
            self.let_go.insert(peer, (now, reason));
        }
        if let Command::Dial { peer, why, .. } = command
            && let Some((at, reason)) = self.let_go.get(peer)
        {
            let wished = matches!(why, DialWhy::Requested | DialWhy::Probe);
            let early = now < at + scene.config.prune_wait_ms;
            ensure!(
                !early || wished,
                "{peer} was closed as {reason} at {at} and is dialed again"
            );
        }
        Ok(())
    }
}
