//! Whom to dial for what is missing (4.6): few connections for several requirements, and variety between equals.
//!
//! Owns who is being tried for variety's sake.

use crate::manager::Manager;
use crate::manager::boundary::command::Health;
use crate::manager::boundary::event::{Priority, RequirementId};
use crate::manager::dialing::candidates::Candidate;
use crate::manager::dialing::diversity::Census;
use crate::manager::dialing::purpose::Purpose;
use crate::manager::tools::seed::{Domain, Draw};
use crate::manager::tools::services::{Services, WHOLE};
use crate::manager::tools::slot::Ix;
use crate::manager::tools::sort::sort_short_by_key;

/// Somebody who could be dialed.
#[derive(Debug, Clone, Copy)]
pub(in crate::manager) struct Choice {
    pub(in crate::manager) requirement: RequirementId,
    /// Priority band and value: what must not be given up for variety.
    worth: (Priority, u32),
    /// Nobody of its netgroup is connected or being dialed (4.3, spread).
    elsewhere: bool,
    pub(in crate::manager) candidate: Candidate,
}

/// What may be chosen from, one after another: the next only where the one before admits nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// Nobody of a netgroup that has its share of the requirement.
    Spread,
    /// Whom the caps on variety admit.
    Within,
    /// Whom the wider caps admit.
    Relaxed,
}

impl Choice {
    /// What decides between choices. Of equals, one of a netgroup that is not connected yet comes first; then who did
    /// better; then who serves more of what nothing is missing of now, because it may spare a connection when that is
    /// wanted as well.
    fn key(&self) -> impl Ord + use<> {
        let Candidate {
            ix,
            value,
            quality,
            group,
        } = self.candidate;
        (self.worth, self.elsewhere, quality, value, group, ix)
    }
}

/// Groups from which one is tried for variety's sake.
const EXPLORED: usize = 16;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Selection {
    /// Who is tried although others are worth more: one at a time.
    explored: Option<Ix>,
}

impl Manager {
    /// What dials are wanted for, in units of a provider: what is missing, and as much more as dials fail of late (4.6).
    /// Half a dial too many is not made.
    pub(in crate::manager) fn wanted_dials(&self, id: RequirementId) -> u32 {
        let Some(need) = self.needs.need(id) else {
            return 0;
        };
        let missing = u32::from(need.target.saturating_sub(self.needs.have(id))) * WHOLE;
        if missing == 0 {
            return 0;
        }
        let dials = self.dials.iter().flat_map(|(_, dial)| dial.cover.units());
        let flying: u32 = dials
            .filter(|(of, _)| *of == id)
            .map(|(_, units)| units)
            .sum();
        let expected = self.needs.expected(id);
        let arriving = expected.saturating_sub(flying);
        let places = missing.saturating_sub(arriving).div_ceil(WHOLE);
        let chance = self.outage.chance();
        let tries = (places * 256 + chance / 2) / chance;
        let more = tries.saturating_sub(places) * WHOLE;
        (missing + more).saturating_sub(expected)
    }

    /// Who could serve a requirement although nothing is missing of it, of another netgroup than those that have their
    /// share. Whoever failed since it last worked is not asked: quiet is worth more (E1).
    pub(in crate::manager) fn somebody_else(&self, id: RequirementId) -> Option<Ix> {
        // Nobody may be dialed for it now: hundreds would be asked in vain (R2).
        if self.node_refuses(None, Purpose::Relief).is_some() {
            return None;
        }
        let census = self.census();
        let usable = |ix: Ix| {
            let peer = self.table.get(ix)?;
            let failed = peer.attempts().waits_by() > 0;
            let served_badly = peer.quality(id, self.now.mono_ms) < 0;
            let asked = !failed && !served_badly && peer.known_for(Services::one(id));
            asked.then(|| self.fits(ix, id, Level::Spread, &census))?
        };
        let mut top = self.candidates.top(id, 1, usable);
        top.next().map(|(candidate, _)| candidate.ix)
    }

    /// What is missing and may be dialed for. The last places are for those who are within their shares: whoever is
    /// above it would have to give them back at once.
    pub(in crate::manager) fn entitled(&self) -> Services {
        const LAST_PLACES: usize = 2;
        let lacking: Services = self
            .needs
            .ids()
            .filter(|id| self.wanted_dials(*id) > 0)
            .collect();
        if self.filled() + LAST_PLACES < self.limits.soft() {
            return lacking;
        }
        let within = lacking.minus(self.overdrawn());
        if within.iter().any(|id| self.candidates.any(id)) {
            within
        } else if self.filled() < self.limits.soft() {
            // Nobody else could use them: what is idle may be borrowed (4.4).
            lacking
        } else {
            within
        }
    }

    /// Requirements of protocols that use all of their share.
    fn overdrawn(&self) -> Services {
        let spent = self.protocols().into_iter().filter(|protocol| {
            let high = protocol.granted.map_or(0, |grant| u32::from(grant.high));
            protocol.share >= high * WHOLE
        });
        spent.filter_map(|protocol| protocol.requirement).collect()
    }

    /// The best candidates for these wants (in units of a provider): a few for each. A peer counts for nothing where its
    /// netgroup has its share, unless nobody else is known.
    fn compare(
        &self,
        census: &Census,
        wants: &dyn Fn(RequirementId) -> u32,
        level: Level,
    ) -> Vec<Choice> {
        let all = self.all();
        let wanted: Services = self.needs.ids().filter(|id| wants(*id) > 0).collect();
        // No more guesses than places that are left: one of them may fill several.
        let places: u32 = self.needs.ids().map(|id| wants(id).div_ceil(WHOLE)).sum();
        let guesses = self.guesses_under_way(wanted);
        let admit_unknown = guesses < self.config.unknown_in_flight && guesses < places as usize;
        let mut choices: Vec<Choice> = Vec::new();
        for requirement in wanted.iter() {
            let usable = |ix: Ix| {
                let known = || {
                    let peer = self.table.get(ix);
                    peer.is_some_and(|peer| peer.known_for(wanted))
                };
                (admit_unknown || known()).then(|| self.fits(ix, requirement, level, census))?
            };
            let top = self
                .candidates
                .top(requirement, self.config.groups_compared, usable);
            for (candidate, group) in top {
                let ix = candidate.ix;
                if choices.iter().any(|choice| choice.candidate.ix == ix) {
                    continue;
                }
                let Some(peer) = self.table.get(ix) else {
                    continue;
                };
                let spread = |id: RequirementId| match wants(id) {
                    0 => 0,
                    _ if level == Level::Spread && self.has_its_share(census, group, id) => 0,
                    units => units,
                };
                let value = peer.value(all, self.config.unverified_counted, &spread);
                choices.push(Choice {
                    requirement,
                    worth: (peer.priority(), value),
                    elsewhere: census.is_new(group),
                    candidate,
                });
            }
        }
        choices
    }

    /// Whether a peer may be dialed for a requirement within what this level allows: the netgroup of the address where it
    /// would be.
    fn fits(
        &self,
        ix: Ix,
        requirement: RequirementId,
        level: Level,
        census: &Census,
    ) -> Option<u64> {
        // In an initial sync nobody is chosen for anything else.
        let purpose = if self.mode.dials() {
            Purpose::Relief
        } else {
            Purpose::Sync
        };
        let admitted = self.admits(ix, purpose, census)?;
        let group = admitted.route.group;
        let fits = match level {
            Level::Spread => !admitted.relaxed && !self.has_its_share(census, group, requirement),
            Level::Within => !admitted.relaxed,
            Level::Relaxed => admitted.relaxed,
        };
        fits.then_some(group)
    }

    /// The best of the candidates for these wants. One time in a few, any other of the same worth: so nobody starves,
    /// and variety costs no connection.
    pub(in crate::manager) fn choose(
        &mut self,
        wants: &dyn Fn(RequirementId) -> u32,
    ) -> Option<Choice> {
        let census = self.census();
        let levels = [Level::Spread, Level::Within, Level::Relaxed];
        let mut levels = levels.into_iter();
        let choices = levels.find_map(|level| {
            let choices = self.compare(&census, wants, level);
            (!choices.is_empty()).then_some(choices)
        })?;
        let best = *choices.iter().max_by_key(|choice| choice.key())?;
        let compared = choices.len();
        let explores = self.draw(Domain::Explore);
        let choice = if explores.one_in(self.config.explore_one_in) {
            let other = self.try_another(best, &census);
            other.unwrap_or_else(|| self.equal(choices, best))
        } else {
            best
        };
        self.ring
            .chose(self.now, choice.candidate.ix, compared, choice.worth.1);
        Some(choice)
    }

    /// Anybody of the same priority, so that nobody starves whatever is said of others; but only while
    /// every minimum holds, and one at a time.
    fn try_another(&mut self, best: Choice, census: &Census) -> Option<Choice> {
        let tried = self.selection.explored;
        let urgent = self.needs.health() == Health::Unmet;
        if urgent || tried.is_some_and(|ix| self.dials.of(ix).is_some()) {
            return None;
        }
        let Draw(from) = self.draw(Domain::Around);
        let usable = |ix: Ix| {
            let peer = self.table.get(ix)?;
            let alike =
                peer.priority() == best.worth.0 && peer.known_for(Services::one(best.requirement));
            alike.then(|| self.fits(ix, best.requirement, Level::Spread, census))?
        };
        let around: Vec<(Candidate, u64)> = self
            .candidates
            .around(best.requirement, from, EXPLORED, usable)
            .collect();
        let last = u64::try_from(around.len()).ok()?.checked_sub(1)?;
        let place = usize::try_from(self.draw(Domain::Other).between(0, last)).ok()?;
        let (candidate, _) = *around.get(place)?;
        self.selection.explored = Some(candidate.ix);
        Some(Choice {
            worth: (best.worth.0, candidate.value),
            candidate,
            ..best
        })
    }

    /// Any other of the same worth.
    fn equal(&self, mut choices: Vec<Choice>, best: Choice) -> Choice {
        choices.retain(|choice| choice.worth == best.worth);
        sort_short_by_key(&mut choices, |choice| {
            let c = choice.candidate;
            (c.group, c.quality, c.ix)
        });
        choices.dedup_by_key(|choice| choice.candidate.group);
        let last = u64::try_from(choices.len()).unwrap_or(1).saturating_sub(1);
        let place = usize::try_from(self.draw(Domain::Other).between(0, last)).unwrap_or(0);
        choices.get(place).copied().unwrap_or(best)
    }

    /// A number for the choice of whom to dial next: the same until somebody is dialed.
    fn draw(&self, domain: Domain) -> Draw {
        self.seed.draw(domain, 0, self.dials.ordered())
    }

    /// Peers that are being tried on nothing but hope.
    fn guesses_under_way(&self, wanted: Services) -> usize {
        let dials = self.dials.iter().map(|(_, dial)| dial.cover);
        let open = self.connections.open().map(|(_, conn)| conn.cover);
        let covers = dials.chain(open);
        covers.filter(|cover| cover.is_guess(wanted)).count()
    }
}
