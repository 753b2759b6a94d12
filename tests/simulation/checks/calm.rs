//! E1: where nothing happens, nothing is done.
//!
//! What the manager's own orders lead to is no news: a loop of dials and closes does not excuse itself, whatever its
//! period. So nobody is let go again and again in a time without news, not even for a swap.

use std::collections::BTreeMap;

use libp2p_identity::PeerId;
use lightkeeper::manager::{CloseCause, Command, DialWhy, Event, Outcome, Reason, RequirementId};
use multiaddr::Multiaddr;

use super::{Invariant, Scene, Verdict, ensure};
use crate::orders::{let_go, parting};
use crate::view::Input;

/// After this long without news everything that follows from the last has been done: hand-offs, rests, their watches.
const SETTLED_MS: u64 = 15 * 60_000;

/// See the module.
#[derive(Default)]
pub(crate) struct Quiet {
    quiet_since: Option<u64>,
    /// The last dial of somebody for whom another may go.
    last_relief: BTreeMap<PeerId, u64>,
    /// How often each peer was let go since there was news.
    let_go: BTreeMap<PeerId, u32>,
    /// When somebody came for whom others may go.
    relieved_at: Option<u64>,
    /// Until then somebody may rest, and serve again without anybody saying so.
    resting_until: u64,
    /// Whether the input is no news.
    routine: bool,
}

/// Who was let go this often without any news in between goes round in circles.
const CIRCLES: u32 = 3;
/// Whoever may go for another has gone by then: a wait of two minutes, give or take a fifth, and a drain.
const RELIEVED_MS: u64 = 5 * 60_000;

/// Whether all of this was said of a peer before.
fn is_known(
    peer: &PeerId,
    routes: &[Multiaddr],
    claims: &[RequirementId],
    scene: &Scene<'_>,
) -> bool {
    scene.ledger.peers.get(peer).is_some_and(|known| {
        routes.iter().all(|route| known.routes.contains(route))
            && claims.iter().all(|claim| known.claims.contains(claim))
    })
}

/// Whether an event is no news: the regular business, and whatever answers the manager's own orders.
fn is_routine(event: &Event, scene: &Scene<'_>) -> bool {
    match event {
        Event::Tick
        | Event::Pong { .. }
        | Event::DnsFinished { .. }
        | Event::Scores { .. }
        | Event::DialFailed { .. }
        | Event::Identified { .. }
        | Event::Metadata { .. }
        | Event::Closed {
            cause: CloseCause::Ordered,
            ..
        }
        | Event::Connected { dial: Some(_), .. }
        | Event::Report {
            outcome: Outcome::Success | Outcome::Ours,
            ..
        } => true,
        Event::Discovered {
            peer,
            routes,
            claims,
            ..
        } => is_known(peer, routes, claims, scene),
        Event::Answered { entries, .. } => entries
            .iter()
            .all(|said| is_known(&said.peer, &said.routes, &said.claims, scene)),
        _ => false,
    }
}

impl Invariant for Quiet {
    fn id(&self) -> &'static str {
        "E1"
    }

    fn before(&mut self, scene: &Scene<'_>) -> Verdict {
        if let Some(Input::Event(event)) = scene.input {
            self.routine = is_routine(event, scene);
        }
        Ok(())
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        let Some(Input::Event(event)) = scene.input else {
            return Ok(());
        };
        let settled = scene.before.targets_hold() && scene.view.targets_hold();
        // After a sleep every connection has to prove that it lives.
        let late = scene.ledger.resumed();
        if let Event::Report {
            outcome:
                Outcome::Busy | Outcome::Unable | Outcome::Broken | Outcome::Fault | Outcome::Absent,
            ..
        } = event
        {
            self.resting_until = scene.now() + scene.config.busy_cap_ms;
        }
        let resting = scene.now() < self.resting_until;
        // Where something is missing peers are tried again and again.
        if !self.routine || late || !settled {
            self.let_go.clear();
        }
        if let Event::Connected { dial: Some(_), .. } = event {
            self.relieved_at = Some(scene.now());
        }
        if !settled || resting || !self.routine || late {
            self.quiet_since = None;
        } else {
            self.quiet_since.get_or_insert(scene.now());
        }
        Ok(())
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let now = scene.now();
        if let Some((conn, reason, _)) = parting(command)
            && let Some(conn) = scene.ledger.conns.get(&conn)
            && let_go(reason)
            && reason != Reason::LifetimeOver
        {
            let times = self.let_go.entry(conn.peer).or_insert(0);
            *times += 1;
            ensure!(
                *times < CIRCLES,
                "{} is let go as {reason} for the {times}th time, and nothing happened in between",
                conn.peer
            );
        }
        let done = match command {
            Command::Dial { peer, why, .. } => {
                let enrolled = scene.view.requirements.iter();
                let mut enrolled = enrolled.chain(&scene.before.requirements);
                let wanted = scene.ledger.needs.iter().any(|need| need.target > 0)
                    || enrolled.any(|view| view.target > 0);
                let wished = matches!(
                    why,
                    DialWhy::Requested | DialWhy::Probe | DialWhy::Sync | DialWhy::Burst(_)
                );
                ensure!(
                    wanted || wished,
                    "a dial ({why:?}) though nothing is wanted"
                );
                // Swaps, hand-offs and alternatives have waits of their own, and may run beside one another (4.6). Each tries a
                // peer ever more seldom, at its addresses one after another; what comes of it is judged where it is let go.
                let relief = matches!(why, DialWhy::Swap | DialWhy::HandOff | DialWhy::Variety);
                if relief {
                    let at = self.last_relief.insert(*peer, now);
                    let goes_on = at.is_some_and(|at| now <= at + scene.config.dial_job_ms);
                    let every = scene.config.swap_every_ms;
                    if goes_on || at.is_none_or(|at| now >= at + every) {
                        return Ok(());
                    }
                }
                !wished
            }
            // Silence is news too.
            Command::Close { reason, .. } | Command::Drain { reason, .. } => {
                // Somebody may have come for whom it goes.
                let relieved = self.relieved_at.is_some_and(|at| now <= at + RELIEVED_MS);
                !relieved && !matches!(reason, Reason::HandedOff | Reason::PingTimeout)
            }
            _ => false,
        };
        let quiet = self
            .quiet_since
            .is_some_and(|since| now - since >= SETTLED_MS);
        ensure!(
            !done || !quiet,
            "{command:?} though nothing has happened since {:?}",
            self.quiet_since
        );
        Ok(())
    }
}
