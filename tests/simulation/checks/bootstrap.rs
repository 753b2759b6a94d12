//! S4: few bootstrap peers, and only those that the ladder released.

use std::collections::BTreeSet;

use libp2p_identity::PeerId;
use lightkeeper::manager::{Command, DialWhy, Event};

use super::{Invariant, Scene, Verdict, ensure};
use crate::view::Input;

/// See the module.
#[derive(Default)]
pub(crate) struct Few {
    /// Since when several have been held although one would do.
    spare_since: Option<u64>,
    /// Whose addresses are being tried.
    jobs: BTreeSet<PeerId>,
}

/// How long a bootstrap peer whose work others do may stay: it is watched, leaves at a time of its own, and the
/// watch may begin anew while peers come and go.
fn patience(scene: &Scene<'_>) -> u64 {
    scene.config.hand_off_after_ms + scene.config.hand_off_max_ms + 60_000
}

impl Invariant for Few {
    fn id(&self) -> &'static str {
        "S4"
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        if let Some(Input::Event(Event::Connected { peer, .. })) = scene.input {
            self.jobs.remove(peer);
        }
        Ok(())
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let Command::Dial { peer, why, .. } = command else {
            return Ok(());
        };
        let ledger = scene.ledger;
        // The next address of somebody who was chosen before is no new choice.
        if !self.jobs.insert(*peer) || !ledger.peer(peer).is_bootstrap() {
            return Ok(());
        }
        let ours = |peer| ledger.peer(peer).is_bootstrap();
        let dials = ledger.dials.values();
        let dialing = dials
            .filter(|dial| ours(&dial.peer) && matches!(dial.why, DialWhy::Bootstrap(_)))
            .count();
        let connected = ledger.open().filter(|(_, conn)| ours(&conn.peer)).count();
        let short = scene
            .view
            .requirements
            .iter()
            .any(|view| view.have < view.target);
        match why {
            DialWhy::Bootstrap(rung @ (2 | 3)) => {
                ensure!(connected == 0, "rung {rung} with {connected} connected");
                ensure!(dialing <= 1, "rung {rung} with {dialing} being dialed");
            }
            DialWhy::Bootstrap(4) => {
                ensure!(short, "rung 4 although nothing is missing");
                ensure!(dialing == 0, "rung 4 with {dialing} being dialed");
            }
            DialWhy::Bootstrap(5) => {
                ensure!(ledger.open().count() == 0, "rung 5 with a connection");
                let lonely = ledger.now - ledger.lonely_since;
                let early = lonely < scene.config.cold_start_ms;
                ensure!(!early, "rung 5 after {lonely} ms without a connection");
                ensure!(dialing <= 2, "rung 5 with {dialing} being dialed");
            }
            // One connection is all that a sync wants, and nobody else may be known (4.18).
            DialWhy::Sync => {
                ensure!(dialing == 0, "a sync with {dialing} being dialed");
            }
            DialWhy::Bootstrap(rung) => return Err(format!("there is no rung {rung}")),
            // The user's wish, a probe under suspicion, and the only one who could serve.
            DialWhy::Requested | DialWhy::Probe | DialWhy::Redial => {}
            DialWhy::Need(_) | DialWhy::HandOff => {
                return Err(format!("{peer} is parked and was dialed for {why:?}"));
            }
            #[allow(unreachable_patterns, reason = "the list of reasons grows")]
            _ => return Err(format!("{peer} is parked and was dialed for {why:?}")),
        }
        Ok(())
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        if !matches!(scene.input, Some(Input::Event(_))) {
            return Ok(());
        }
        let ledger = scene.ledger;
        // When no job waits between two addresses, those without a dial are over.
        if scene.view.stats.dialing as usize == ledger.dials.len() {
            let dialed: BTreeSet<_> = ledger.dials.values().map(|dial| dial.peer).collect();
            self.jobs.retain(|peer| dialed.contains(peer));
        }
        let held: Vec<_> = ledger
            .open()
            .filter(|(_, conn)| {
                let record = ledger.peer(&conn.peer);
                // A lock holds whoever it is on, as the user does.
                let locked = ledger.claims.is_locked(&conn.peer);
                record.is_bootstrap() && !record.requested && !locked
            })
            .map(|(_, conn)| conn.peer)
            .collect();
        // One is kept in any case; more only when somebody's work is nobody else's.
        let done_by_others = scene.view.requirements.iter().all(|view| {
            let others = view.peers.iter().filter(|peer| !held.contains(peer));
            others.count() >= usize::from(view.target)
        });
        let spare =
            held.len() > 1 && done_by_others && !ledger.hint.believed && scene.truth.network;
        if !spare {
            self.spare_since = None;
            return Ok(());
        }
        let since = *self.spare_since.get_or_insert(ledger.now);
        let slept = scene.truth.hidden || ledger.now - since > 4 * patience(scene);
        ensure!(
            slept || ledger.now - since <= patience(scene),
            "{} bootstrap peers are held since {since} though others do their work",
            held.len()
        );
        Ok(())
    }
}
