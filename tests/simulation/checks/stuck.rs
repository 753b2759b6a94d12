//! L4 and L5: nothing stays as it is for ever.

use std::collections::{BTreeMap, BTreeSet};

use libp2p_identity::PeerId;
use lightkeeper::manager::{Command, Event, Outcome, RequirementId};

use super::{Invariant, Scene, Verdict, ensure};
use crate::ledger::{PeerRecord, Wait};
use crate::ledger_steering::Mode;
use crate::network::PROTOCOLS;
use crate::view::Input;

/// L4: dials and closes leave their slots within their deadlines, whatever the shell loses.
#[derive(Default)]
pub(crate) struct Slots {
    /// Since when dials are counted though none is under way.
    idle_since: Option<u64>,
    /// Ticks in a row that led to nothing, and when the first came.
    in_vain: (u64, u32),
}

/// A manager that wants to be woken so often in a second, for nothing, polls.
const POLLS: u32 = 100;

impl Slots {
    fn polls(&mut self, scene: &Scene<'_>) -> Verdict {
        let now = scene.now();
        let vain = scene.input == Some(&Input::Event(Event::Tick)) && scene.commands.is_empty();
        let (since, count) = self.in_vain;
        self.in_vain = if vain && now < since + 1_000 {
            (since, count + 1)
        } else {
            (now, 0)
        };
        ensure!(
            count < POLLS,
            "{count} ticks within a second led to nothing"
        );
        Ok(())
    }
}

impl Invariant for Slots {
    fn id(&self) -> &'static str {
        "L4"
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        self.polls(scene)?;
        let (now, ledger, config) = (scene.now(), scene.ledger, scene.config);
        // What was too much for one input follows with the next.
        let more = scene.view.next_deadline.is_some_and(|due| due <= now);
        if !matches!(scene.input, Some(Input::Event(_))) || more {
            return Ok(());
        }
        for (id, dial) in &ledger.dials {
            let until = dial.at + u64::from(dial.timeout_ms) + config.watchdog_ms;
            ensure!(now < until, "{id:?} has been under way since {}", dial.at);
        }
        let stats = &scene.view.stats;
        ensure!(
            stats.open as usize <= ledger.conns.len(),
            "{} connections are counted, there are {}",
            stats.open,
            ledger.conns.len()
        );
        if stats.dialing == 0 || !ledger.dials.is_empty() {
            self.idle_since = None;
            return Ok(());
        }
        let since = *self.idle_since.get_or_insert(now);
        // A job may wait for its endpoint, at most as long as it lasts; only inputs end it.
        let most = config.dial_job_ms + u64::from(config.dial_timeout_ms) + config.watchdog_ms;
        let timers = !scene.truth.hidden && now - since < 4 * most;
        ensure!(
            now - since <= most || !timers,
            "{} dials are counted since {since}, none is under way",
            stats.dialing
        );
        Ok(())
    }
}

/// L5: what is missing is tried for again and again, as long as there is a candidate.
#[derive(Default)]
pub(crate) struct TriedAgain {
    /// Time that the manager could have used since it last tried or had what it wants.
    idle_ms: BTreeMap<RequirementId, u64>,
    last: Option<u64>,
    /// What peers fail at.
    failing: BTreeSet<(PeerId, RequirementId)>,
    /// What peers speak, as identify said last.
    spoken: BTreeMap<PeerId, Vec<String>>,
}

/// Memory use above which minima may break.
const CRITICAL_PERCENT: u64 = 95;

/// The longest backoff, and room for a job and a late timer.
fn patience(scene: &Scene<'_>) -> u64 {
    scene.config.backoff_unknown_cap_ms + 5 * 60_000
}

/// What a provider of a requirement must speak: as the configuration says, or whoever enrolled for it.
fn protocols(requirement: RequirementId, scene: &Scene<'_>) -> Vec<String> {
    let mut owners = scene.view.protocols.iter();
    let owner = owners.find(|protocol| protocol.requirement == Some(requirement));
    let guest = owner
        .and_then(|protocol| protocol.enrollment)
        .and_then(|id| scene.ledger.claims.enrolled.get(&id));
    match (
        guest,
        scene.config.requirements.get(usize::from(requirement.0)),
    ) {
        (Some(guest), _) => guest.spec.protocols.clone(),
        (None, Some(spec)) => spec.protocols.clone(),
        (None, None) => Vec::new(),
    }
}

impl TriedAgain {
    /// Whether it may serve a requirement, as far as is known of it.
    fn may_serve(
        &self,
        peer: &PeerId,
        record: &PeerRecord,
        requirement: RequirementId,
        scene: &Scene<'_>,
    ) -> bool {
        // Claims can only name what is built in: of the rest nothing is known.
        let named = usize::from(requirement.0) < PROTOCOLS.len();
        let claimed = !named || record.claims.is_empty() || record.claims.contains(&requirement);
        let lacks = self.spoken.get(peer).is_some_and(|spoken| {
            let wanted = protocols(requirement, scene);
            !wanted.iter().any(|protocol| spoken.contains(protocol))
        });
        claimed && !lacks && !self.failing.contains(&(*peer, requirement))
    }

    fn is_candidate(
        &self,
        peer: &PeerId,
        record: &PeerRecord,
        requirement: RequirementId,
        scene: &Scene<'_>,
    ) -> bool {
        let now = scene.ledger.now;
        let stranger = matches!(record.wait, Some((_, Wait::Network)));
        self.may_serve(peer, record, requirement, scene)
            && !record.routes.is_empty()
            && !record.banned(now)
            && !record.hung_up
            && !stranger
    }

    fn learn(&mut self, event: &Event, scene: &Scene<'_>) {
        match event {
            Event::Report {
                peer,
                requirement,
                outcome,
                charged,
            } if *charged || *outcome == Outcome::Success => {
                let which = (*peer, *requirement);
                if *outcome == Outcome::Success {
                    self.failing.remove(&which);
                } else {
                    self.failing.insert(which);
                }
            }
            Event::Identified {
                conn, protocols, ..
            } => {
                if let Some(conn) = scene.ledger.conns.get(conn) {
                    self.spoken.insert(conn.peer, protocols.clone());
                }
            }
            _ => {}
        }
    }
}

impl Invariant for TriedAgain {
    fn id(&self) -> &'static str {
        "L5"
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        let Some(Input::Event(event)) = scene.input else {
            return Ok(());
        };
        self.learn(event, scene);
        let now = scene.now();
        let passed = self.last.replace(now).map_or(0, |last| now - last);
        // While it slept it could not try; when it wanted no wake-up it had all the time.
        let due = scene.before.next_deadline;
        let usable = match due {
            Some(due) => passed.saturating_sub(now.saturating_sub(due)),
            None => passed,
        };
        for idle in self.idle_ms.values_mut() {
            *idle += usable;
        }
        Ok(())
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        // Only what may bring what is missing is a try for it: one requirement does not starve beside another.
        if let Command::Dial { peer, .. } = command {
            let record = scene.ledger.peer(peer);
            let claims = |id: RequirementId| self.may_serve(peer, &record, id, scene);
            let tried: Vec<_> = self
                .idle_ms
                .keys()
                .copied()
                .filter(|id| claims(*id))
                .collect();
            self.idle_ms.retain(|id, _| !tried.contains(id));
        }
        Ok(())
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        let ledger = scene.ledger;
        // Whoever takes a place that was another's begins anew.
        self.idle_ms
            .retain(|id, _| scene.view.requirement(*id).is_some());
        self.failing
            .retain(|(_, id)| scene.view.requirement(*id).is_some());
        for view in &scene.view.requirements {
            let full = ledger.open().count() >= usize::from(scene.view.stats.soft);
            // Without memory for it nobody is dialed (4.14), nor in the modes of 4.18.
            let steering = &ledger.steering;
            let may = steering.mode == Mode::Normal && steering.memory <= CRITICAL_PERCENT;
            // The caps on variety are parts of the soft target: a small one may leave places empty, but no minimum.
            let roomy = scene.view.stats.soft >= scene.config.soft_connections;
            let floor = if roomy { view.target } else { view.min };
            // What the manager believes in and is not there is missing too.
            let place = usize::from(view.id.0);
            let really = scene
                .truth
                .serving
                .get(place)
                .copied()
                .unwrap_or(usize::MAX);
            let missing = really.min(usize::from(view.have)) < usize::from(floor);
            let wants = may && ledger.running && !ledger.hint.believed && !full && missing;
            if !wants {
                self.idle_ms.remove(&view.id);
                continue;
            }
            let ledger_peers = ledger.peers.iter();
            let mut candidates = ledger_peers
                .filter(|(peer, record)| self.is_candidate(peer, record, view.id, scene))
                .filter(|(peer, _)| ledger.conns_of(peer).is_empty());
            // Nobody is tried while there is nobody: the time begins with the first.
            let Some((peer, _)) = candidates.next() else {
                self.idle_ms.remove(&view.id);
                continue;
            };
            let peer = *peer;
            let idle = *self.idle_ms.entry(view.id).or_insert(0);
            ensure!(
                idle <= patience(scene),
                "{:?} has {} and really {really} of {floor}, nobody was dialed for it for {idle} ms, and {peer} could be",
                view.id,
                view.have
            );
        }
        Ok(())
    }

    fn end(&mut self, scene: &Scene<'_>) -> Verdict {
        // A manager that wants no wake-up is never told anything: its time counts too.
        let now = crate::environment::MONO_ZERO + scene.truth.t;
        if scene.view.next_deadline.is_none() && scene.truth.awake {
            let passed = self.last.map_or(0, |last| now.saturating_sub(last));
            for idle in self.idle_ms.values_mut() {
                *idle += passed;
            }
            return self.after(scene);
        }
        Ok(())
    }
}
