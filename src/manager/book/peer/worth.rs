//! What a peer is said to serve, what it turned out to serve, and what that is worth (4.3, 4.6).

use super::{Link, Peer};
use crate::manager::book::score::{self, BEST, WORST};
use crate::manager::book::service::Failure;
use crate::manager::boundary::config::Config;
use crate::manager::boundary::event::{Priority, RequirementId, Source};
use crate::manager::boundary::reason::{Outcome, Reason};
use crate::manager::tools::seed::Seed;
use crate::manager::tools::services::{Cover, Services, UNKNOWN, WHOLE};
use crate::manager::tools::sort::sort_short_by_key;

/// The place of a peer among others, without the salt between equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::manager) struct Rank {
    /// Priority band: decides first.
    pub(in crate::manager) band: Priority,
    /// Expected cover, times the chance to reach it.
    pub(in crate::manager) value: u32,
    /// Its score when it was last placed: a stale one costs no more than a better choice.
    pub(in crate::manager) quality: i16,
}

impl Peer {
    /// What rests.
    pub(in crate::manager) fn resting(&self) -> Services {
        self.services()
            .iter()
            .filter(|service| service.rest().is_some())
            .map(|service| service.requirement())
            .collect()
    }

    /// Requirements that it turned out not to speak.
    fn absent(&self) -> Services {
        self.services()
            .iter()
            .filter(|service| {
                service
                    .rest()
                    .is_some_and(|rest| rest.after == Outcome::Absent)
            })
            .map(|service| service.requirement())
            .collect()
    }

    /// What it is said, or was verified, to serve; for the user.
    pub(in crate::manager) fn capabilities(&self) -> Services {
        self.known().minus(self.absent())
    }

    /// What others say that it serves.
    pub(in crate::manager) fn claims(&self) -> Services {
        self.claims
    }

    /// Every requirement of which anything was said or answered.
    pub(in crate::manager) fn mentions(&self) -> Services {
        self.claims.union(self.asked)
    }

    /// It served this in another session, so well: a claim until it does again.
    pub(in crate::manager::book) fn recall(&mut self, id: RequirementId, quality: i16, now: u64) {
        self.claims.insert(id);
        self.service(id).set_quality(quality, now);
    }

    /// Others say that it serves these. `nameable`: what they could have said, so that silence means no.
    pub(in crate::manager) fn claim(&mut self, claims: Services, nameable: Services) {
        self.claims = self.claims.union(claims);
        if !self.claims.is_empty() {
            self.asked = self.asked.union(nameable);
        }
    }

    /// What it is known to serve: as identify said, or else as others claim.
    fn known(&self) -> Services {
        match self.verified() {
            Some(verified) => verified.union(self.claims.minus(self.asked)),
            None => self.claims,
        }
    }

    /// Of what nothing is known.
    fn unknown(&self, all: Services) -> Services {
        all.minus(self.asked).minus(self.claims)
    }

    /// Whether there is more than hope that it serves one of these.
    pub(in crate::manager) fn known_for(&self, wanted: Services) -> bool {
        !self.known().and(wanted).is_empty()
    }

    /// A requirement is gone: the next one in its place is another.
    pub(in crate::manager) fn forget_requirement(&mut self, id: RequirementId) {
        let gone = Services::one(id);
        self.claims = self.claims.minus(gone);
        self.asked = self.asked.minus(gone);
        if let Some(history) = &mut self.history {
            history.verified = history.verified.map(|verified| verified.minus(gone));
            history
                .services
                .retain(|service| service.requirement() != id);
        }
    }

    /// What a dial could bring. `all`: every requirement, for peers that nothing is known of.
    pub(in crate::manager) fn cover(&self, all: Services, unverified_counted: usize) -> Cover {
        let resting = self.resting();
        let known = self.known().minus(resting);
        let verified = self.verified().unwrap_or_default().and(known);
        let claimed = known.minus(verified).iter().take(unverified_counted);
        Cover {
            whole: verified.union(claimed.collect()),
            guess: self.unknown(all).minus(resting),
        }
    }

    /// The chance that it serves what it is said to serve, in 1/256.
    fn chance(&self) -> u32 {
        match self.source {
            // Named by the user or by a signed tree.
            Source::Static | Source::Dns => 200,
            Source::PeerExchange | Source::Foreign => 128,
            Source::Saved => 220,
        }
    }

    /// What it may be dialed for: what it is known to serve, and that of which nothing is known.
    pub(in crate::manager) fn possible(&self, all: Services) -> Services {
        self.conceivable(all).minus(self.resting())
    }

    /// Whether it is known to serve none of these.
    pub(in crate::manager) fn serves_none_of(&self, all: Services) -> bool {
        self.conceivable(all).is_empty()
    }

    fn conceivable(&self, all: Services) -> Services {
        self.known().union(self.unknown(all))
    }

    /// Worth to needs that each want `units(requirement)`, in 1/256: at most one provider for each, and few of them
    /// unverified.
    pub(in crate::manager) fn value(
        &self,
        all: Services,
        unverified_counted: usize,
        units: &dyn Fn(RequirementId) -> u32,
    ) -> u32 {
        let verified = self.verified().unwrap_or_default();
        let chance = self.chance();
        let known = self.known();
        let mut verified_worth = 0;
        let mut unverified = [0; Services::CAPACITY];
        let mut count = 0;
        for id in self.possible(all).iter() {
            let want = units(id).min(WHOLE);
            if verified.contains(id) {
                verified_worth += want;
            } else if want > 0 {
                let chance = if known.contains(id) { chance } else { UNKNOWN };
                unverified[count] = want * chance / WHOLE;
                count += 1;
            }
        }
        let unverified = &mut unverified[..count];
        sort_short_by_key(unverified, |worth| core::cmp::Reverse(*worth));
        let guessed: u32 = unverified.iter().take(unverified_counted).sum();
        (verified_worth + guessed) * self.attempts.reach().estimate() / 256
    }

    /// Its place among candidates before anything is known of the needs of the moment.
    pub(in crate::manager) fn rank(
        &self,
        all: Services,
        unverified_counted: usize,
        now: u64,
    ) -> Rank {
        Rank {
            band: self.priority,
            value: self.value(all, unverified_counted, &|_| WHOLE),
            quality: self.score(now),
        }
    }

    /// All that speaks for or against it: the mean quality over the requirements that were tried, its behaviour and the
    /// user's hints.
    pub(in crate::manager) fn score(&self, now: u64) -> i16 {
        let half_life = self.half_life();
        let sum: i32 = self
            .services()
            .iter()
            .map(|service| i32::from(service.quality(now, half_life)))
            .sum();
        let count = i32::try_from(self.services().len()).unwrap_or(i32::MAX);
        let mean = if count == 0 { 0 } else { sum / count };
        let all = mean + i32::from(self.behaviour(now)) + i32::from(self.hinted(now));
        let all = all.clamp(i32::from(WORST), i32::from(BEST));
        i16::try_from(all).expect("clamped to the range of scores")
    }
    /// How it does at one requirement.
    pub(in crate::manager) fn quality(&self, requirement: RequirementId, now: u64) -> i16 {
        self.services()
            .iter()
            .find(|service| service.requirement() == requirement)
            .map_or(0, |service| service.quality(now, self.half_life()))
    }

    /// How it behaved.
    pub(in crate::manager) fn behaviour(&self, now: u64) -> i16 {
        self.history()
            .behaviour
            .at(now, score::BEHAVIOUR_HALF_LIFE_MS)
    }

    /// It served. Returns whether a rest from that ends.
    pub(in crate::manager) fn succeeds(&mut self, requirement: RequirementId, now: u64) -> bool {
        let half_life = self.half_life();
        self.service(requirement).succeeds(now, half_life)
    }

    /// It failed at a requirement; `displaced`: it makes room for having withheld something. Returns for how long it
    /// rests from that, and what is said of it, if that is more than a slip.
    pub(in crate::manager) fn fails(
        &mut self,
        requirement: RequirementId,
        (outcome, displaced): (Outcome, bool),
        (config, seed): (&Config, &Seed),
        now: u64,
    ) -> Option<(u64, Option<Reason>)> {
        let half_life = self.half_life();
        let busy_ms = if outcome == Outcome::Busy {
            let (least, most) = (config.busy_min_ms, config.busy_max_ms);
            self.draw(seed).between(least, most)
        } else {
            0
        };
        let failure = Failure {
            outcome,
            connected: matches!(self.link, Link::Connected(_)),
            displaced,
            busy_ms,
        };
        let service = self.service(requirement);
        service.fails(failure, config, now, half_life)
    }
}
