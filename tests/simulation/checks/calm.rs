//! E1: where nothing happens, nothing is done.

use lightkeeper::manager::{Command, DialWhy, Event, Outcome, Reason};

use super::{Invariant, Scene, Verdict, ensure};
use crate::view::Input;

/// After this long without news everything that follows from the last has been done: hand-offs, rests, their watches.
const SETTLED_MS: u64 = 15 * 60_000;

/// See the module.
#[derive(Default)]
pub(crate) struct Quiet {
    quiet_since: Option<u64>,
    last_hand_off: Option<u64>,
    last_swap: Option<u64>,
    /// Until then somebody may rest, and serve again without anybody saying so.
    resting_until: u64,
}

/// Whether an event is no news.
fn is_routine(event: &Event) -> bool {
    let names_nobody = |event: &Event| match event {
        Event::Answered { entries, .. } => entries.is_empty(),
        _ => false,
    };
    names_nobody(event)
        || matches!(
            event,
            Event::Tick
                | Event::Pong { .. }
                | Event::DnsFinished { .. }
                | Event::Scores { .. }
                | Event::Report {
                    outcome: Outcome::Success | Outcome::Ours,
                    ..
                }
        )
}

impl Invariant for Quiet {
    fn id(&self) -> &'static str {
        "E1"
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        let Some(Input::Event(event)) = scene.input else {
            return Ok(());
        };
        let settled = scene.before.targets_hold() && scene.view.targets_hold();
        // After a sleep every connection has to prove that it lives.
        let late = scene
            .before
            .next_deadline
            .is_some_and(|due| scene.now() >= due.saturating_add(scene.config.resume_late_ms));
        if let Event::Report {
            outcome:
                Outcome::Busy | Outcome::Unable | Outcome::Broken | Outcome::Fault | Outcome::Absent,
            ..
        } = event
        {
            self.resting_until = scene.now() + scene.config.busy_cap_ms;
        }
        let resting = scene.now() < self.resting_until;
        if !settled || resting || !is_routine(event) || late {
            self.quiet_since = None;
        } else {
            self.quiet_since.get_or_insert(scene.now());
        }
        Ok(())
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let now = scene.now();
        let done = match command {
            Command::Dial { why, .. } => {
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
                // Tried ever more seldom, down to once an hour.
                if *why == DialWhy::Swap {
                    let last = self.last_swap.replace(now);
                    let every = scene.config.swap_every_ms;
                    if last.is_none_or(|at| now >= at + every) {
                        return Ok(());
                    }
                }
                if *why == DialWhy::HandOff {
                    let last = self.last_hand_off.replace(now);
                    let every = scene.config.hand_off_retry_ms;
                    let often = last.is_some_and(|at| now < at + every);
                    // One for each bootstrap peer that is held.
                    let held = scene.ledger.open();
                    let held = held.filter(|(_, c)| scene.ledger.peer(&c.peer).is_bootstrap());
                    if !often || held.count() > 1 {
                        return Ok(());
                    }
                }
                !wished
            }
            // Silence is news too.
            Command::Close { reason, .. } | Command::Drain { reason, .. } => {
                !matches!(reason, Reason::HandedOff | Reason::PingTimeout)
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
