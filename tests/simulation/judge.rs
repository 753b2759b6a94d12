//! Watches one manager: keeps the ledger, shows every input to every check, and stops at the first that fails.

use std::collections::BTreeMap;
use std::fmt;

use libp2p_identity::PeerId;
use lightkeeper::manager::{Command, Config, Event, GateQuery, Manager, Time};

use crate::brain::Brain;
use crate::checks::{self, Invariant, Scene};
use crate::environment::{MONO_ZERO, WALL_ZERO};
use crate::ledger::Ledger;
use crate::names::named;
use crate::truth::Truth;
use crate::view::{Explained, Input, Standing, View};
use crate::world::Options;

/// Indexes are recounted after so many inputs (R4).
const RECOUNT_EVERY: u64 = 64;

fn why(manager: &Manager, peer: PeerId) -> Option<(PeerId, Explained)> {
    Some((peer, Explained::of(manager, &peer)?))
}

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Its id in the contract.
    pub(crate) id: &'static str,
    /// World time.
    pub(crate) at: u64,
    pub(crate) what: String,
}

impl Violation {
    pub(crate) fn new(id: &'static str, at: u64, what: impl Into<String>) -> Self {
        Self {
            id,
            at,
            what: what.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = named(&self.what);
        write!(f, "{} broken at {} ms: {what}", self.id, self.at)
    }
}

/// See the module.
pub(crate) struct Judge {
    ledger: Ledger,
    checks: Vec<Box<dyn Invariant>>,
    view: View,
    /// How the peer stands that the next input is about.
    prior: Option<Standing>,
    /// What is said of those whom the next input may concern.
    explained: BTreeMap<PeerId, Explained>,
    inputs: u64,
    story: bool,
    judging: bool,
    /// A panic now is one of the manager's own recount.
    pub(crate) recounting: bool,
}

impl Judge {
    pub(crate) fn new(manager: &Manager, config: &Config, options: Options) -> Self {
        let zero = Time {
            mono_ms: MONO_ZERO,
            wall_ms: WALL_ZERO,
        };
        Self {
            ledger: Ledger::new(config, zero),
            checks: checks::all(),
            view: View::of(manager, None),
            prior: None,
            explained: BTreeMap::new(),
            inputs: 0,
            story: options.story,
            judging: options.judge,
            recounting: false,
        }
    }

    /// Takes an input with what it led to.
    pub(crate) fn observe(
        &mut self,
        brain: &dyn Brain,
        config: &Config,
        truth: &Truth,
        time: Time,
        input: &Input,
        commands: &[Command],
    ) -> Option<Violation> {
        let manager = brain.manager()?;
        self.inputs += 1;
        if self.inputs.is_multiple_of(RECOUNT_EVERY) {
            self.recount(brain);
        }
        let subject = match input {
            Input::Event(event) => self.ledger.subject(event),
            Input::Gate(GateQuery::Outbound { peer } | GateQuery::Inbound { peer }, _) => *peer,
        };
        let mut view = View::of(manager, subject);
        let taken = view.stats.decisions - self.view.stats.decisions;
        let decisions = manager.decisions(usize::try_from(taken).unwrap_or(usize::MAX));
        view.decisions = decisions.into_iter().map(|taken| taken.what).collect();
        view.prior = self.prior.take();
        view.explained = std::mem::take(&mut self.explained);
        if let (Input::Event(event), Some(peer)) = (input, &subject)
            && Standing::matters(event)
        {
            view.standing = Standing::of(manager, peer);
        }
        if self.story {
            self.tell(truth.t, input, commands, &view);
        }
        let violation = self.judge(config, truth, time, input, commands, &view);
        self.view = view;
        violation.filter(|_| self.judging)
    }

    /// Looks at what the next input may change.
    pub(crate) fn look(&mut self, manager: &Manager, event: &Event) {
        let peer = self
            .ledger
            .subject(event)
            .filter(|_| Standing::matters(event));
        self.prior = peer.and_then(|peer| Standing::of(manager, &peer));
        if Explained::matters(event) {
            let peers = self.ledger.open().map(|(_, conn)| conn.peer);
            self.explained = peers.filter_map(|peer| why(manager, peer)).collect();
        }
    }

    /// Looks at what the gate is asked about.
    pub(crate) fn look_at_gate(&mut self, manager: &Manager, query: &GateQuery) {
        if let GateQuery::Outbound { peer: Some(peer) } = query {
            self.explained = why(manager, *peer).into_iter().collect();
        }
    }

    fn recount(&mut self, brain: &dyn Brain) {
        self.recounting = true;
        brain.check();
        self.recounting = false;
    }

    /// The same on values alone.
    pub(crate) fn judge(
        &mut self,
        config: &Config,
        truth: &Truth,
        time: Time,
        input: &Input,
        commands: &[Command],
        view: &View,
    ) -> Option<Violation> {
        let Self {
            ledger,
            checks,
            view: before,
            ..
        } = self;
        macro_rules! scene {
            () => {
                Scene {
                    truth,
                    config,
                    input: Some(input),
                    commands,
                    before,
                    view,
                    ledger,
                }
            };
        }
        let verdict = |id, verdict: checks::Verdict| {
            verdict.err().map(|what| Violation::new(id, truth.t, what))
        };
        for check in checks.iter_mut() {
            if let Some(broken) = verdict(check.id(), check.before(&scene!())) {
                return Some(broken);
            }
        }
        ledger.told(time, input, before, view);
        for check in checks.iter_mut() {
            if let Some(broken) = verdict(check.id(), check.told(&scene!())) {
                return Some(broken);
            }
        }
        for command in commands {
            for check in checks.iter_mut() {
                if let Some(broken) = verdict(check.id(), check.ordered(command, &scene!())) {
                    return Some(broken);
                }
            }
            ledger.ordered(command);
        }
        for check in checks.iter_mut() {
            if let Some(broken) = verdict(check.id(), check.after(&scene!())) {
                return Some(broken);
            }
        }
        None
    }

    /// The script is over.
    pub(crate) fn end(
        &mut self,
        brain: &dyn Brain,
        config: &Config,
        truth: &Truth,
    ) -> Option<Violation> {
        let manager = brain.manager()?;
        self.recount(brain);
        let view = View::of(manager, None);
        self.finish(config, truth, &view).filter(|_| self.judging)
    }

    pub(crate) fn finish(
        &mut self,
        config: &Config,
        truth: &Truth,
        view: &View,
    ) -> Option<Violation> {
        for check in &mut self.checks {
            let scene = Scene {
                truth,
                config,
                input: None,
                commands: &[],
                before: &self.view,
                view,
                ledger: &self.ledger,
            };
            if let Err(what) = check.end(&scene) {
                return Some(Violation::new(check.id(), truth.t, what));
            }
        }
        None
    }

    /// For doctored traces: a judge that has seen nothing.
    #[cfg(test)]
    pub(crate) fn of_values(config: &Config, view: View) -> Self {
        let zero = Time {
            mono_ms: MONO_ZERO,
            wall_ms: WALL_ZERO,
        };
        Self {
            ledger: Ledger::new(config, zero),
            checks: checks::all(),
            view,
            prior: None,
            explained: BTreeMap::new(),
            inputs: 0,
            story: false,
            judging: true,
            recounting: false,
        }
    }

    #[cfg(test)]
    pub(crate) fn seen(&mut self, view: View) {
        self.view = view;
    }

    // --- the story ------------------------------------------------------------------------------------------------

    fn tell(&self, t: u64, input: &Input, commands: &[Command], view: &View) {
        if *input == Input::Event(Event::Tick) && commands.is_empty() {
            return;
        }
        let said = named(&format!("{input:?}"));
        println!("{:>9}.{:03} {said}", t / 1_000, t % 1_000);
        for command in commands {
            let said = named(&format!("{command:?}"));
            println!("{:>13} > {said}", "");
        }
        let counts = |view: &View| -> Vec<(u8, u8, u8)> {
            let all = view.requirements.iter();
            all.map(|need| (need.have, need.min, need.target)).collect()
        };
        if counts(view) != counts(&self.view) || view.health != self.view.health {
            println!("{:>13} = {:?} {:?}", "", counts(view), view.health);
        }
    }
}
