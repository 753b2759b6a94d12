//! Whom to dial for what is missing (4.6): few connections for several requirements, and variety between equals.

use super::Manager;
use super::diversity::Admission;
use super::event::{Priority, RequirementId};
use super::services::{Services, WHOLE};
use super::sort::sort_short_by_key;
use super::table::Ix;

/// Somebody who could be dialed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    pub(super) ix: Ix,
    pub(super) requirement: RequirementId,
    /// Priority band and value: what must not be given up for variety.
    worth: (Priority, u32),
    quality: i16,
    group: u64,
    salt: u64,
}

impl Manager {
    /// What is missing and may be dialed for. The last places are for those who are within their shares: whoever is
    /// above it would have to give them back at once.
    pub(super) fn entitled(&self) -> Services {
        const LAST_PLACES: usize = 2;
        let lacking: Services = self.needs.deficits().collect();
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

    /// The best candidates for these wants (in units of a provider): a few for each, of those that the caps on variety
    /// admit so.
    fn compare(&self, wants: &dyn Fn(RequirementId) -> u32, so: Admission) -> Vec<Choice> {
        let all = self.all();
        let wanted: Services = self.needs.ids().filter(|id| wants(*id) > 0).collect();
        // No more guesses than places that are left: one of them may fill several.
        let places: u32 = self.needs.ids().map(|id| wants(id).div_ceil(WHOLE)).sum();
        let guesses = self.guesses_under_way(wanted);
        let admit_unknown = guesses < self.config.unknown_in_flight && guesses < places as usize;
        let census = self.census();
        let usable = |ix: Ix| {
            self.table.get(ix).is_some_and(|peer| {
                let known = peer.known_for(wanted);
                let legs = peer
                    .routes
                    .iter()
                    .take(usize::from(self.config.routes_per_dial));
                (known || admit_unknown)
                    && self.admission(&census, peer) == so
                    && legs.into_iter().any(|route| self.may_try(route))
            })
        };
        let mut choices: Vec<Choice> = Vec::new();
        for requirement in wanted.iter() {
            let top = self
                .candidates
                .top(requirement, self.config.groups_compared, usable);
            for candidate in top {
                let ix = candidate.ix;
                if choices.iter().any(|choice| choice.ix == ix) {
                    continue;
                }
                let Some(peer) = self.table.get(ix) else {
                    continue;
                };
                let value = peer.value(all, self.config.unverified_counted, wants);
                choices.push(Choice {
                    ix,
                    requirement,
                    worth: (peer.priority, value),
                    quality: candidate.quality,
                    group: candidate.group,
                    salt: candidate.salt,
                });
            }
        }
        choices
    }

    /// The best of the candidates for these wants. One time in a few, any other of the same worth: so nobody starves,
    /// and variety costs no connection.
    pub(super) fn choose(&mut self, wants: &dyn Fn(RequirementId) -> u32) -> Option<Choice> {
        let mut choices = self.compare(wants, Admission::Within);
        if choices.is_empty() {
            choices = self.compare(wants, Admission::Relaxed);
        }
        let best = *choices
            .iter()
            .max_by_key(|c| (c.worth, c.quality, c.group, c.salt, c.ix))?;
        let compared = choices.len();
        let choice = self.explore(choices, best);
        self.ring
            .chose(self.now, choice.ix, compared, choice.worth.1);
        Some(choice)
    }

    /// One time in a few, any other of the same worth.
    fn explore(&mut self, mut choices: Vec<Choice>, best: Choice) -> Choice {
        if !self.seed.one_in(self.config.explore_one_in) {
            return best;
        }
        choices.retain(|choice| choice.worth == best.worth);
        sort_short_by_key(&mut choices, |c| (c.group, c.quality, c.salt, c.ix));
        choices.dedup_by_key(|choice| choice.group);
        let last = u64::try_from(choices.len()).unwrap_or(1).saturating_sub(1);
        let place = usize::try_from(self.seed.between(0, last)).unwrap_or(0);
        choices.get(place).copied().unwrap_or(best)
    }

    /// Peers that are being tried on nothing but hope.
    fn guesses_under_way(&self, wanted: Services) -> usize {
        let dials = self.dials.iter().map(|(_, job)| job.cover);
        let open = self.connections.open().map(|(_, conn)| conn.cover);
        let covers = dials.chain(open);
        covers.filter(|cover| cover.is_guess(wanted)).count()
    }
}
