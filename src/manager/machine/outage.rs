//! Whether our own network is to blame (4.8).
//!
//! Owns what is known of this machine's network ([`Uplink`]), the failures in a row that make it suspect, the charges
//! that are taken back when it was, the recent losses that belong together, and the rotation of probes.

use std::collections::VecDeque;

use crate::manager::book::attempts::Flap;
use crate::manager::boundary::config::Config;
use crate::manager::boundary::event::RequirementId;
use crate::manager::machine::charges::{Charge, Charges};
use crate::manager::machine::odds::Odds;
use crate::manager::tools::seed::{Domain, Draw, Seed};
use crate::manager::tools::slot::Ix;

/// This machine's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Uplink {
    /// As far as we know it works.
    Up,
    /// Everything fails, or the browser says that there is none and nobody answered since.
    Suspect {
        /// Since when.
        since: u64,
        /// When the next probe is due.
        probe_at: u64,
    },
}

/// A loss: when, who was lost, and what was charged for it.
#[derive(Debug, Clone, Copy)]
struct Loss {
    at: u64,
    ix: Ix,
    flap: Option<Flap>,
}

/// See the module.
#[derive(Debug)]
pub(in crate::manager) struct Outage {
    uplink: Uplink,
    /// The browser says that there is no network. Some say so for ever.
    said_gone: bool,
    failures: u32,
    /// Netgroups of the failures in a row; no more are kept than are asked for.
    groups: Vec<u64>,
    /// What is taken back when our own network was to blame.
    charges: Charges,
    /// How dials end of late, and how they did before the first of the failures in a row.
    odds: Odds,
    odds_before: Option<Odds>,
    losses: VecDeque<Loss>,
    rotation: VecDeque<Ix>,
    /// A look-up of the trees ended a suspicion, and nobody has answered since: it ends no other.
    trees_answered: bool,
    /// When the last sleep or outage ended.
    disturbed_at: Option<u64>,
    /// Where the rotation goes on among peers that nothing recommends.
    cursor: Option<Ix>,
    /// How many waits for a probe were drawn.
    drawn: u64,
}

/// Losses that are remembered: more than the hard cap of connections is not needed.
const MAX_LOSSES: usize = 64;

/// Another wait for a probe.
fn draw(drawn: &mut u64, seed: &Seed) -> Draw {
    *drawn += 1;
    seed.draw(Domain::Probe, 0, *drawn)
}

impl Outage {
    pub(in crate::manager) fn new() -> Self {
        Self {
            uplink: Uplink::Up,
            said_gone: false,
            failures: 0,
            groups: Vec::new(),
            charges: Charges::default(),
            odds: Odds::default(),
            odds_before: None,
            losses: VecDeque::new(),
            rotation: VecDeque::new(),
            trees_answered: false,
            disturbed_at: None,
            cursor: None,
            drawn: 0,
        }
    }

    /// The browser says that there is no network, and nobody showed otherwise.
    pub(in crate::manager) fn is_offline(&self) -> bool {
        self.said_gone && self.is_suspect()
    }

    pub(in crate::manager) fn is_suspect(&self) -> bool {
        matches!(self.uplink, Uplink::Suspect { .. })
    }

    /// Whether failures say anything about the peers.
    pub(in crate::manager) fn charges_count(&self) -> bool {
        self.uplink == Uplink::Up
    }

    /// The browser says that there is no network: it is asked at once whether that is so. Returns whether that is news, and
    /// the charges to take back if a suspicion begins.
    pub(in crate::manager) fn said_gone(
        &mut self,
        now: u64,
        probe_at: u64,
    ) -> (bool, Option<Vec<Charge>>) {
        let news = !core::mem::replace(&mut self.said_gone, true);
        let begins = news && self.uplink == Uplink::Up;
        (news, begins.then(|| self.suspect(now, probe_at)))
    }

    /// The browser says that there is one. Returns whether it said otherwise before.
    pub(in crate::manager) fn said_back(&mut self) -> bool {
        core::mem::take(&mut self.said_gone)
    }

    /// A suspicion from before the node's start is as one that begins now.
    pub(in crate::manager) fn started(&mut self, now: u64) {
        if self.is_suspect() {
            self.uplink = Uplink::Suspect {
                since: now,
                probe_at: now,
            };
        }
    }

    fn suspect(&mut self, since: u64, probe_at: u64) -> Vec<Charge> {
        self.uplink = Uplink::Suspect { since, probe_at };
        self.take_charges()
    }

    /// As far as anybody knows there is a network.
    pub(in crate::manager) fn set_up(&mut self, now: u64) {
        if self.uplink != Uplink::Up {
            self.disturbed(now);
        }
        self.uplink = Uplink::Up;
        self.clear();
    }

    /// A sleep or an outage ends.
    pub(in crate::manager) fn disturbed(&mut self, now: u64) {
        self.disturbed_at = Some(now);
    }

    /// Whether there was one since then, or is one now.
    pub(in crate::manager) fn disturbed_since(&self, at: u64) -> bool {
        self.uplink != Uplink::Up || self.disturbed_at.is_some_and(|end| end >= at)
    }

    /// Somebody was reached or heard, which ends a suspicion: what failed without one was the fault of those who did. What
    /// the browser says stands. Returns whether there was one.
    pub(in crate::manager) fn reached(&mut self, now: u64) -> bool {
        self.trees_answered = false;
        self.ended(now)
    }

    /// A look-up of the trees came to its end well: our network works. When nobody answers even then, it is the others who
    /// are away, and the next look-up tells nothing new. Returns whether there was a suspicion that ends.
    pub(in crate::manager) fn looked_up(&mut self, now: u64) -> bool {
        !core::mem::replace(&mut self.trees_answered, true) && self.ended(now)
    }

    fn ended(&mut self, now: u64) -> bool {
        let suspect = self.is_suspect();
        if suspect {
            self.uplink = Uplink::Up;
            self.disturbed(now);
        }
        self.clear();
        suspect
    }

    /// A requirement is gone: its place may be another's soon.
    pub(in crate::manager) fn forget_requirement(&mut self, id: RequirementId) {
        self.charges.forget_requirement(id);
    }

    /// Whether so much fails, and everywhere, that our own network may be to blame.
    pub(in crate::manager) fn doubts(&self, config: &Config, known_groups: usize) -> bool {
        let wanted = config.suspect_failures as usize;
        self.failures >= config.suspect_failures
            && self.groups.len() >= wanted.min(known_groups.max(1))
    }

    fn clear(&mut self) {
        self.failures = 0;
        self.groups.clear();
        self.charges.clear();
        self.odds_before = None;
        self.rotation.clear();
    }

    /// A dial ended, or was reached: it counts for the pace of those that follow.
    pub(in crate::manager) fn dial_ended(&mut self, succeeded: bool) {
        if !succeeded {
            self.odds_before.get_or_insert(self.odds);
        }
        self.odds.record(succeeded);
    }

    /// A peer was reached, or could not be: it counts for how many are dialed at once.
    pub(in crate::manager) fn peer_tried(&mut self, reached: bool) {
        self.odds.tried(reached);
    }

    /// Whether hardly a dial succeeds.
    pub(in crate::manager) fn dials_mostly_fail(&self) -> bool {
        self.odds.mostly_fail()
    }

    /// The chance that a dial succeeds, in 1/256.
    pub(in crate::manager) fn chance(&self) -> u32 {
        self.odds.chance()
    }

    /// How dials ended on another network says nothing of this one.
    pub(in crate::manager) fn forget_odds(&mut self) {
        self.odds = Odds::default();
        self.odds_before = None;
    }

    /// What failed was our own network's fault: the records to put back, the oldest of each peer last. The odds are as
    /// they were.
    pub(in crate::manager) fn take_charges(&mut self) -> Vec<Charge> {
        if let Some(before) = self.odds_before.take() {
            self.odds = before;
        }
        self.charges.take()
    }

    /// A peer is charged with a failure; this is how its record was.
    pub(in crate::manager) fn remember(&mut self, config: &Config, charge: Charge) {
        self.charges.push(config, charge);
    }

    /// A dial failed; `known_groups` are all there are. With no connection open, enough failures in a row make our own
    /// network suspect: the charges to take back are returned, the oldest of each peer last.
    pub(in crate::manager) fn failed(
        &mut self,
        config: &Config,
        seed: &Seed,
        now: u64,
        group: u64,
        known_groups: usize,
        connected: bool,
    ) -> Option<Vec<Charge>> {
        self.failures = self.failures.saturating_add(1);
        let wanted = config.suspect_failures as usize;
        if self.groups.len() < wanted && !self.groups.contains(&group) {
            self.groups.push(group);
        }
        if self.uplink != Uplink::Up || connected || !self.doubts(config, known_groups) {
            return None;
        }
        let wait = draw(&mut self.drawn, seed);
        let soon = wait.between(config.probe_min_ms, config.probe_max_ms);
        Some(self.suspect(now, now.saturating_add(soon)))
    }

    /// When the next probe is due.
    pub(in crate::manager) fn probe_at(&self) -> Option<u64> {
        match self.uplink {
            Uplink::Suspect { probe_at, .. } => Some(probe_at),
            Uplink::Up => None,
        }
    }

    /// A probe was made, or nobody could be probed. `eager`: somebody sees the page, and a minimum is not met. `here`: it
    /// was of this machine, where it does not matter what the browser says of the network.
    pub(in crate::manager) fn probed(
        &mut self,
        config: &Config,
        seed: &Seed,
        now: u64,
        eager: bool,
        here: bool,
    ) {
        let slower = self.said_gone && !here;
        let Uplink::Suspect { since, probe_at } = &mut self.uplink else {
            return;
        };
        let wait = draw(&mut self.drawn, seed);
        let lasts = now.saturating_sub(*since);
        let (least, most) = if slower || !eager {
            // The browser will say when there is one: only if it is wrong for good, nothing else will tell.
            let most = if slower {
                let cap = config.probe_cap_ms.saturating_mul(2);
                lasts.max(config.probe_later_max_ms).min(cap)
            } else {
                config.probe_cap_ms
            };
            (most - most / 5, most)
        } else if lasts < config.probe_eager_ms {
            (config.probe_min_ms, config.probe_max_ms)
        } else {
            (config.probe_later_min_ms, config.probe_later_max_ms)
        };
        *probe_at = now.saturating_add(wait.between(least, most));
    }

    /// Somebody looks at the page again: the next probe does not wait for as long as it was put off.
    pub(in crate::manager) fn probe_soon(&mut self, config: &Config, seed: &Seed, now: u64) {
        if let Uplink::Suspect { probe_at, .. } = &mut self.uplink {
            let wait = draw(&mut self.drawn, seed);
            let soon = now.saturating_add(wait.between(0, config.probe_max_ms));
            *probe_at = soon.min(*probe_at);
        }
    }

    /// The next in the rotation.
    pub(in crate::manager) fn next_probe(&mut self) -> Option<Ix> {
        self.rotation.pop_front()
    }

    /// Who of those that nothing recommends had their turn last.
    pub(in crate::manager) fn cursor(&self) -> Option<Ix> {
        self.cursor
    }

    /// One of them has it now.
    pub(in crate::manager) fn turn_of(&mut self, ix: Ix) {
        self.cursor = Some(ix);
    }

    /// Begins a new round.
    pub(in crate::manager) fn rotate(&mut self, peers: impl IntoIterator<Item = Ix>) {
        self.rotation = peers.into_iter().collect();
    }

    /// A connection was lost without our doing; `left` remain open.
    pub(in crate::manager) fn lost(
        &mut self,
        config: &Config,
        now: u64,
        ix: Ix,
        left: usize,
    ) -> Loneliness {
        while let Some(first) = self.losses.front() {
            if now.saturating_sub(first.at) <= config.mass_loss_window_ms {
                break;
            }
            self.losses.pop_front();
        }
        // Whoever is dialed and lost again within that time is one and not many: it alone is no mass.
        self.losses.retain(|loss| loss.ix != ix);
        if self.losses.len() >= MAX_LOSSES {
            self.losses.pop_front();
        }
        self.losses.push_back(Loss {
            at: now,
            ix,
            flap: None,
        });
        let together = self.losses.len();
        if together == 1 {
            return Loneliness::Alone;
        }
        let before = together + left;
        if left == 0 || (before >= 3 && together * 2 >= before) {
            Loneliness::Mass
        } else {
            Loneliness::WithOthers
        }
    }

    /// The last loss was charged as a flap.
    pub(in crate::manager) fn flapped(&mut self, flap: Flap) {
        if let Some(loss) = self.losses.back_mut() {
            loss.flap = Some(flap);
        }
    }

    /// Who was lost lately, and what was charged for that, which is no charge any more.
    pub(in crate::manager) fn lost_lately(&mut self) -> Vec<(Ix, Option<Flap>)> {
        let losses = self.losses.iter_mut();
        losses.map(|loss| (loss.ix, loss.flap.take())).collect()
    }
}

/// What a loss has to do with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Loneliness {
    /// Nothing else was lost with it.
    Alone,
    /// Others were, but most connections hold.
    WithOthers,
    /// Half of all, or all: the network or a whole fleet.
    Mass,
}
