//! S11 and L6: rounds of regulation close little at a time, in the order of their phases, and come to an end.

use lightkeeper::manager::{Command, Event, Reason, Trigger, What};

use super::company::Watch;
use super::{Invariant, Scene, Verdict, ensure};
use crate::ledger_steering::Mode;
use crate::orders::parting;
use crate::view::Input;

/// Memory use above which targets may break, and minima, in percent.
const HARD_PERCENT: u64 = 85;
const CRITICAL_PERCENT: u64 = 95;
/// Time between two rounds that nothing urgent begins.
const APART_MS: u64 = 1_000;

/// Whether only a round, or what one began, closes for this.
fn is_regulated(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Idle | Reason::OverLimit | Reason::OverQuota | Reason::MemoryPressure
    )
}

/// What began the rounds of this input.
fn rounds<'a>(scene: &'a Scene<'_>) -> impl Iterator<Item = Trigger> + 'a {
    scene.view.decisions.iter().filter_map(|what| match what {
        What::Regulated { trigger, .. } => Some(*trigger),
        _ => None,
    })
}

/// Closures of phases 3 to 5 that one round may make.
fn quarter(scene: &Scene<'_>) -> usize {
    scene.most_soft().div_ceil(4).max(1)
}

/// The same as one may see it that ran before the limits were raised, or after they were lowered.
fn least_quarter(scene: &Scene<'_>) -> usize {
    scene.least_soft().div_ceil(4).max(1)
}

/// S11.
#[derive(Default)]
pub(crate) struct Phases {
    watch: Watch,
    last_round: Option<u64>,
    /// Connections before the orders of this input.
    open: usize,
    /// What rounds closed in this input.
    closed: usize,
}

impl Phases {
    /// Whether there are more than may be: then targets break, and nothing waits.
    fn presses(&self, scene: &Scene<'_>) -> bool {
        let hard = scene.view.stats.hard.min(scene.before.stats.hard);
        self.open > usize::from(hard) || scene.ledger.steering.memory > HARD_PERCENT
    }

    fn in_order(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let Some((conn, reason, _)) = parting(command) else {
            return Ok(());
        };
        let known = scene.ledger.conns.get(&conn);
        let Some(record) = known.filter(|record| record.closing.is_none()) else {
            return Ok(());
        };
        // The end of an eviction that an earlier round began.
        if self.watch.evicts(conn) {
            return Ok(());
        }
        // Of somebody with two connections nobody can see which one serves.
        let mut open = scene.ledger.open();
        if open.any(|(_, conn)| scene.ledger.conns_of(&conn.peer).len() > 1) {
            return Ok(());
        }
        let memory = scene.ledger.steering.memory;
        let company = self.watch.company(scene);
        let place = scene.ledger.open().position(|(id, _)| id == conn);
        let victim = &company.members[place.expect("it is open")];
        let its_own = |requirement: Option<usize>| {
            requirement.is_some_and(|place| victim.serves.contains(&place))
        };
        // In phase 4 the offender pays with what it requires, or with what it uses otherwise.
        let mut payers = company.protocols.iter().enumerate();
        let could_pay = payers.any(|(place, protocol)| {
            let users = victim.users.as_ref();
            let uses = users.is_some_and(|users| users.contains(&place));
            let its = protocol.requirement;
            (uses || its_own(its)) && !company.is_bound(victim, its)
        });
        let phase = match reason {
            Reason::BurstOver => 2,
            Reason::Idle => 3,
            Reason::OverQuota => 4,
            _ if memory > HARD_PERCENT && company.pays(victim) => 4,
            _ if company.is_bound(victim, None) => 6,
            // It may be, if nobody can see who uses it.
            _ if victim.users.as_ref().is_none_or(Vec::is_empty) => 3,
            _ => 5,
        };
        let lasting = victim.kept || victim.locked || company.at_minimum(victim);
        let bound = match phase {
            4 => !could_pay && victim.users.is_some(),
            6 => false,
            _ => company.is_bound(victim, None),
        };
        ensure!(
            !bound,
            "{} was closed as {reason}, which a guard of phase {phase} forbids: {victim:?}",
            record.peer
        );
        if phase == 6 {
            ensure!(
                self.presses(scene),
                "{} was closed as {reason} at {memory} % of memory and {} open: {victim:?}",
                record.peer,
                self.open
            );
            ensure!(
                !lasting || victim.locked || memory > CRITICAL_PERCENT,
                "{} was closed as {reason}, below a minimum or though it is kept: {victim:?}",
                record.peer
            );
        }
        // Unused shares may be borrowed: nobody pays while there is room.
        let full = company.members.len() > company.soft;
        for earlier in (2..phase).filter(|phase| *phase != 4 || full) {
            if let Some(spared) = company.candidate(earlier) {
                return Err(format!(
                    "{} was closed as {reason} in phase {phase}, and one of phase {earlier} was \
                     spared: {victim:?}, {spared:?}",
                    record.peer
                ));
            }
        }
        Ok(())
    }
}

impl Invariant for Phases {
    fn id(&self) -> &'static str {
        "S11"
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        self.watch.told(scene);
        self.open = scene.ledger.open().count();
        self.closed = 0;
        Ok(())
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        if let Some((conn, reason, _)) = parting(command)
            && (is_regulated(reason) || reason == Reason::BurstOver)
        {
            self.in_order(command, scene)?;
            let evicted = self.watch.evicts(conn);
            self.closed += usize::from(!evicted && reason != Reason::BurstOver);
        }
        self.watch.ordered(command, scene);
        Ok(())
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        self.watch.after(scene);
        if !matches!(scene.input, Some(Input::Event(_))) {
            return Ok(());
        }
        let count = rounds(scene).count();
        let presses = self.presses(scene);
        let most = count * quarter(scene);
        ensure!(
            presses || self.closed <= most,
            "{count} rounds closed {}, at most {most}",
            self.closed
        );
        if count == 0 {
            return Ok(());
        }
        let now = scene.now();
        let early = self.last_round.is_some_and(|at| now < at + APART_MS);
        ensure!(
            presses || (!early && count == 1),
            "{count} rounds, the last at {:?}",
            self.last_round
        );
        self.last_round = Some(now);
        Ok(())
    }
}

/// L6: what is too much is closed soon, or it is told why not.
#[derive(Default)]
pub(crate) struct Settles {
    watch: Watch,
    closed: usize,
    /// Time that the manager could have used while there was too much and somebody could go.
    idle_ms: u64,
    /// Whether there was after the last input.
    waits: bool,
    /// The most that there was too much of, since then.
    excess: usize,
    last: Option<u64>,
}

/// Beside the rounds that it takes.
const SOON_MS: u64 = 5_000;

impl Settles {
    /// Connections above the soft target; those of bursts do not count towards it (4.10).
    fn excess(&self, scene: &Scene<'_>) -> usize {
        let all = scene.ledger.open();
        let counted = all.filter(|(id, _)| !self.watch.passes(*id)).count();
        counted.saturating_sub(scene.most_soft())
    }
}

impl Invariant for Settles {
    fn id(&self) -> &'static str {
        "L6"
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        self.watch.told(scene);
        self.closed = 0;
        let now = scene.now();
        if !matches!(scene.input, Some(Input::Event(_))) {
            return Ok(());
        }
        let passed = self.last.replace(now).map_or(0, |last| now - last);
        // While it slept, or timers were late, it could do nothing.
        let due = scene.before.next_deadline;
        let late = due.map_or(0, |due| now.saturating_sub(due));
        if self.waits {
            self.idle_ms += passed.saturating_sub(late);
        }
        Ok(())
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        if let Some((_, reason, _)) = parting(command)
            && is_regulated(reason)
        {
            self.closed += 1;
        }
        self.watch.ordered(command, scene);
        Ok(())
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        self.watch.after(scene);
        let Some(Input::Event(event)) = scene.input else {
            return Ok(());
        };
        let (ledger, view) = (scene.ledger, scene.view);
        let excess = self.excess(scene);
        self.waits = false;
        let rules = ledger.running && ledger.steering.mode == Mode::Normal;
        // Nobody looks: deadlines are drawn together to whole minutes (4.14).
        let lazy = ledger.steering.hidden_since.is_some() || scene.truth.hidden;
        if excess == 0 || !rules || lazy || matches!(event, Event::SetLimits { .. }) {
            (self.idle_ms, self.excess) = (0, 0);
        }
        if excess == 0 || !rules {
            return Ok(());
        }
        let told = |what: &What| matches!(what, What::Overcommitted { .. });
        let told = view.decisions.iter().any(told);
        let rounds = rounds(scene).count();
        ensure!(
            rounds == 0 || told || self.closed >= least_quarter(scene),
            "a round closed {} and left {excess} too many without a word",
            self.closed
        );
        if self.watch.company(scene).candidate(5).is_none() {
            self.idle_ms = 0;
            return Ok(());
        }
        self.waits = true;
        self.excess = self.excess.max(excess);
        let rounds = self.excess.div_ceil(quarter(scene)) as u64;
        let most = scene.config.over_soft_ms + rounds * APART_MS + SOON_MS;
        ensure!(
            self.idle_ms <= most,
            "{excess} connections too many for {} ms, though one could go",
            self.idle_ms
        );
        Ok(())
    }
}
