//! The invariants of the contract (5), each a check of its own that names its id.
//!
//! A check sees every input with the orders that followed and what can be read afterwards, and the ledger at the moment
//! of each. Those that need many runs (frequencies, percentiles, replays) are tests beside this.

mod adaptation;
mod answers;
mod bans;
mod bootstrap;
mod bounds;
mod bursts;
mod calm;
mod closing;
mod company;
mod denials;
mod dialing;
mod diversity;
#[cfg(test)]
mod doctored;
mod held;
mod lapses;
mod liars;
mod life;
mod lifetimes;
mod liveness;
mod locks;
mod offers;
mod pacing;
mod reasons;
mod rounds;
mod routes;
mod scorers;
mod scores;
mod stale;
mod stuck;
mod transports;
mod waits;

use lightkeeper::manager::{Command, Config};

use crate::ledger::Ledger;
use crate::truth::Truth;
use crate::view::{Input, View};

/// Well, or what is wrong.
pub(crate) type Verdict = Result<(), String>;

/// Fails a check unless something holds.
macro_rules! ensure {
    ($condition:expr, $($said:tt)+) => {
        if !$condition {
            return Err(format!($($said)+));
        }
    };
}
pub(crate) use ensure;
pub(crate) use liveness::RECOVERY_MS;

/// What a check sees.
pub(crate) struct Scene<'a> {
    pub(crate) truth: &'a Truth,
    pub(crate) config: &'a Config,
    /// `None` at the end of the script.
    pub(crate) input: Option<&'a Input>,
    /// All orders of this input.
    pub(crate) commands: &'a [Command],
    /// What could be read before the input.
    pub(crate) before: &'a View,
    /// What can be read after all of it.
    pub(crate) view: &'a View,
    /// As it is at this moment.
    pub(crate) ledger: &'a Ledger,
}

impl Scene<'_> {
    pub(crate) fn now(&self) -> u64 {
        self.ledger.now
    }

    /// The soft target as the least of it that held in this input: limits may change within one.
    pub(crate) fn least_soft(&self) -> usize {
        usize::from(self.view.stats.soft.min(self.before.stats.soft))
    }

    /// The most of it.
    pub(crate) fn most_soft(&self) -> usize {
        usize::from(self.view.stats.soft.max(self.before.stats.soft))
    }

    /// Whether deadlines passed that were too many for this input: they follow with the next.
    pub(crate) fn more_is_due(&self) -> bool {
        let now = self.now();
        self.view.next_deadline.is_some_and(|due| due <= now)
    }

    /// Whether a deadline may have fired with this input.
    pub(crate) fn deadline_passed(&self, now: u64) -> bool {
        self.before.next_deadline.is_some_and(|due| due <= now)
    }
}

/// One invariant.
pub(crate) trait Invariant {
    /// Its id in the contract.
    fn id(&self) -> &'static str;

    /// The ledger does not know the input yet.
    fn before(&mut self, _scene: &Scene<'_>) -> Verdict {
        Ok(())
    }

    /// The ledger knows the input and none of the orders.
    fn told(&mut self, _scene: &Scene<'_>) -> Verdict {
        Ok(())
    }

    /// The ledger knows the orders before this one.
    fn ordered(&mut self, _command: &Command, _scene: &Scene<'_>) -> Verdict {
        Ok(())
    }

    /// The ledger knows everything.
    fn after(&mut self, _scene: &Scene<'_>) -> Verdict {
        Ok(())
    }

    /// The script is over.
    fn end(&mut self, _scene: &Scene<'_>) -> Verdict {
        Ok(())
    }
}

/// Every check, new.
pub(crate) fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(bounds::Hard::default()),
        Box::new(dialing::Allowed),
        Box::new(waits::Waits::default()),
        Box::new(diversity::Varied),
        Box::new(diversity::Spread::default()),
        Box::new(bans::Final),
        Box::new(bootstrap::Few::default()),
        Box::new(closing::Minima),
        Box::new(closing::MakeBeforeBreak::default()),
        Box::new(closing::NoFlapping::default()),
        Box::new(bounds::OneForEachPeer),
        Box::new(pacing::Paced::default()),
        Box::new(routes::Kept::default()),
        Box::new(reasons::Plausible::default()),
        Box::new(denials::Plausible::default()),
        Box::new(bounds::Tables),
        Box::new(stale::Ignored::default()),
        Box::new(stale::IdleTicks::default()),
        Box::new(calm::Quiet::default()),
        Box::new(stuck::Slots::default()),
        Box::new(stuck::TriedAgain::default()),
        Box::new(liveness::Met::default()),
        Box::new(transports::Capped::default()),
        Box::new(held::Kept),
        Box::new(rounds::Phases::default()),
        Box::new(rounds::Settles::default()),
        Box::new(adaptation::Floor),
        Box::new(lifetimes::Rotates::default()),
        Box::new(lifetimes::Paused),
        Box::new(scores::Fair),
        Box::new(bans::Counted),
        Box::new(liars::FoundOut::default()),
        Box::new(locks::LeftAlone::default()),
        Box::new(lapses::InTime),
        Box::new(offers::Fair),
        Box::new(offers::Settled::default()),
        Box::new(bursts::Passing::default()),
        Box::new(answers::Plausible),
        Box::new(scorers::Bounded::default()),
        Box::new(life::Asked::default()),
        Box::new(life::Buried::default()),
    ]
}
