//! Who could be dialed for what.
//!
//! Owns, for each requirement, the peers that may be dialed for it *now*, in two levels: netgroups by their best
//! member, and members of a group. A thousand addresses of one network therefore weigh as much as one. A peer that is
//! connected, dialed, barred, parked or banned simply is not here.
//!
//! Most of the memory of a large table is here: where a peer stands is packed into one number.

use crate::manager::book::peer::Rank;
use crate::manager::book::table::Table;
use crate::manager::boundary::event::RequirementId;
use crate::manager::tools::services::Services;
use crate::manager::tools::slot::{Ix, Set, change};
use crate::manager::tools::steps;

/// Members of a group that are looked at before it is given up.
const MEMBERS_TRIED: usize = 4;
/// Peers that are placed anew in one input (4.2).
const PLACED_AT_ONCE: usize = 256;

/// How a candidate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) struct Entry {
    pub(in crate::manager) rank: Rank,
    pub(in crate::manager) group: u64,
    pub(in crate::manager) salt: u64,
    /// What it may be dialed for.
    pub(in crate::manager) services: Services,
    /// What of this was verified once.
    pub(in crate::manager) proven: Services,
}

/// A rank and the salt between equals, in the order of both: band (2 bits), value (20), quality (11), salt (31).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Key(u64);

impl Key {
    const SALT_BITS: u32 = 31;
    const QUALITY_BITS: u32 = 11;
    const VALUE_BITS: u32 = 20;
    /// The worst quality is zero here.
    const QUALITY_ZERO: i16 = 1_000;

    fn new(rank: Rank, salt: u64) -> Self {
        let value = u64::from(rank.value).min((1 << Self::VALUE_BITS) - 1);
        let quality = rank.quality.saturating_add(Self::QUALITY_ZERO).max(0);
        let quality = u64::from(quality.unsigned_abs()).min((1 << Self::QUALITY_BITS) - 1);
        let packed = (rank.band as u64) << Self::VALUE_BITS | value;
        let packed = packed << Self::QUALITY_BITS | quality;
        Self(packed << Self::SALT_BITS | salt >> (64 - Self::SALT_BITS))
    }

    /// Without the salt.
    fn rank(self) -> u64 {
        self.0 >> Self::SALT_BITS
    }
}

fn value_of(rank: u64) -> u32 {
    let value = rank >> Key::QUALITY_BITS & ((1 << Key::VALUE_BITS) - 1);
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn quality_of(rank: u64) -> i16 {
    let quality = rank & ((1 << Key::QUALITY_BITS) - 1);
    i16::try_from(quality).unwrap_or(0) - Key::QUALITY_ZERO
}

#[derive(Debug, Default)]
struct Posting {
    /// (netgroup, standing, who).
    members: Set,
    /// (rank of its best member, netgroup, that member). The group's own number, made from the seed, decides between
    /// equals.
    groups: Set,
}

impl Posting {
    /// The members of a group, the best first.
    fn of(&self, group: u64) -> impl Iterator<Item = (Key, Ix)> + '_ {
        self.members
            .range([group, 0, 0]..=[group, u64::MAX, u64::MAX])
            .rev()
            .map(|key| (Key(key[1]), Ix::unpacked(key[2])))
    }

    /// The groups between two numbers, both included, in their order.
    fn groups_in(&self, first: u64, last: u64) -> impl Iterator<Item = u64> + '_ {
        let mut next = Some(first);
        core::iter::from_fn(move || {
            let from = next.filter(|from| *from <= last)?;
            let group = self
                .members
                .range([from, 0, 0]..=[last, u64::MAX, u64::MAX])
                .next()?[0];
            next = group.checked_add(1);
            Some(group)
        })
    }

    /// The best member of a group that `usable` admits, among the first few, and what that says of it. The group is as
    /// `groups` has it: mostly its best member will do, and nobody else is looked for.
    fn best_of<T>(
        &self,
        [rank, group, best]: [u64; 3],
        usable: &impl Fn(Ix) -> Option<T>,
    ) -> Option<(Candidate, T)> {
        let usable = |rank: u64, ix: Ix| {
            steps::step();
            let candidate = Candidate {
                ix,
                value: value_of(rank),
                quality: quality_of(rank),
                group,
            };
            usable(ix).map(|said| (candidate, said))
        };
        usable(rank, Ix::unpacked(best)).or_else(|| {
            let mut others = self.of(group).take(MEMBERS_TRIED).skip(1);
            others.find_map(|(standing, ix)| usable(standing.rank(), ix))
        })
    }

    /// The best member of a group.
    fn best(&self, group: u64) -> Option<[u64; 3]> {
        let mut before = self.members.range(..=[group, u64::MAX, u64::MAX]);
        before.next_back().filter(|key| key[0] == group).copied()
    }

    fn change(&mut self, ix: Ix, placed: &Placed, comes: bool) {
        let group = placed.group;
        let own = [group, placed.standing.0, ix.packed()];
        let best = comes.then(|| self.best(group)).flatten();
        change(&mut self.members, own, comes);
        let next = if comes {
            if best > Some(own) {
                return;
            }
            best.map(|best| self.groups.remove(&by_rank(best)));
            Some(own)
        } else if self.groups.remove(&by_rank(own)) {
            self.best(group)
        } else {
            None
        };
        if let Some(next) = next {
            self.groups.insert(by_rank(next));
        }
    }
}

/// A member as `groups` has it when it is the best of its group.
fn by_rank([group, standing, ix]: [u64; 3]) -> [u64; 3] {
    [Key(standing).rank(), group, ix]
}

/// Where a record is placed; for nothing: nowhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Placed {
    standing: Key,
    group: u64,
    services: Services,
    proven: Services,
}

/// Somebody who could be dialed.
#[derive(Debug, Clone, Copy)]
pub(in crate::manager) struct Candidate {
    pub(in crate::manager) ix: Ix,
    /// What it is worth for everything that it may be dialed for.
    pub(in crate::manager) value: u32,
    pub(in crate::manager) quality: i16,
    pub(in crate::manager) group: u64,
}

/// The candidates of all requirements.
#[derive(Debug)]
pub(in crate::manager) struct Candidates {
    postings: Vec<Posting>,
    /// By the place of the record.
    placed: Vec<Placed>,
    /// (standing, who, what) of those of whom anything is proven. Few of a large table ever are.
    proven: Set,
    /// There is a candidate who was none, or one for more.
    grown: bool,
    /// The same, and something is proven of it: it may do the work of two (4.6).
    proven_grown: bool,
    /// The last that was placed anew since a requirement was opened, and how many are left.
    last_placed: Option<Ix>,
    to_place: usize,
}

impl Candidates {
    pub(in crate::manager) fn new(requirements: usize) -> Self {
        Self {
            postings: (0..requirements).map(|_| Posting::default()).collect(),
            placed: Vec::new(),
            proven: Set::new(),
            grown: false,
            proven_grown: false,
            last_placed: None,
            to_place: 0,
        }
    }

    /// Everybody who is known is to be placed anew.
    pub(in crate::manager::dialing) fn place_anew(&mut self, known: usize) {
        self.to_place = known;
    }

    /// The next few of them, and whether there are more.
    pub(in crate::manager::dialing) fn next_to_place(&mut self, table: &Table) -> (Vec<Ix>, bool) {
        let batch = table.after(self.last_placed, self.to_place.min(PLACED_AT_ONCE));
        self.last_placed = batch.last().copied();
        self.to_place -= batch.len();
        let more = !batch.is_empty() && self.to_place > 0;
        (batch, more)
    }

    /// Makes room for a requirement.
    pub(in crate::manager) fn open(&mut self, requirement: RequirementId) {
        while self.postings.len() <= usize::from(requirement.0) {
            self.postings.push(Posting::default());
        }
    }

    /// Nobody is a candidate for a requirement any more. The ranks of those that remain for others stay as they are: a
    /// stale one costs optimality alone, and is made anew with the peer's next change.
    pub(in crate::manager) fn retire(&mut self, requirement: RequirementId) {
        let Some(posting) = self.postings.get_mut(usize::from(requirement.0)) else {
            return;
        };
        *posting = Posting::default();
        let gone = Services::one(requirement);
        for placed in &mut self.placed {
            steps::step();
            placed.services = placed.services.minus(gone);
            placed.proven = placed.proven.minus(gone);
            if placed.services.is_empty() {
                *placed = Placed::default();
            }
        }
        let concerned = |key: &&[u64; 3]| Services::unpacked(key[2]).contains(requirement);
        let stale: Vec<[u64; 3]> = self.proven.iter().filter(concerned).copied().collect();
        for key in stale {
            self.proven.remove(&key);
            let left = Services::unpacked(key[2]).minus(gone);
            if !left.is_empty() {
                self.proven.insert([key[0], key[1], left.packed()]);
            }
        }
    }

    /// Places, moves or removes a peer. Whoever is forgotten is removed before its record is used again.
    pub(in crate::manager) fn put(&mut self, ix: Ix, entry: Option<Entry>) {
        let new = entry.map_or_else(Placed::default, |entry| Placed {
            standing: Key::new(entry.rank, entry.salt),
            group: entry.group,
            services: entry.services,
            proven: entry.proven,
        });
        let old = self.placed.get(ix.place()).copied().unwrap_or_default();
        if old == new {
            return;
        }
        steps::moved();
        if !new.services.minus(old.services).is_empty() {
            self.grown = true;
        }
        if !new.proven.minus(old.proven).is_empty() {
            self.proven_grown = true;
        }
        self.post(ix, &old, false);
        self.post(ix, &new, true);
        if self.placed.len() <= ix.place() {
            /// As the table grows.
            const STEP: usize = 256;
            let missing = ix.place() + 1 - self.placed.len();
            self.placed.reserve_exact(missing.next_multiple_of(STEP));
            self.placed.resize(ix.place() + 1, Placed::default());
        }
        self.placed[ix.place()] = new;
    }

    fn post(&mut self, ix: Ix, placed: &Placed, comes: bool) {
        for id in placed.services.iter() {
            self.postings[usize::from(id.0)].change(ix, placed, comes);
        }
        if !placed.proven.is_empty() {
            let key = [placed.standing.0, ix.packed(), placed.proven.packed()];
            change(&mut self.proven, key, comes);
        }
    }

    /// What a peer could be dialed for.
    pub(in crate::manager) fn services(&self, ix: Ix) -> Services {
        let placed = self.placed.get(ix.place());
        placed.map_or(Services::NONE, |placed| placed.services)
    }

    /// Whether somebody can be dialed since [`Self::seen`] who could not.
    pub(in crate::manager) fn has_grown(&self) -> bool {
        self.grown
    }

    /// The same of those of whom something is proven.
    pub(in crate::manager) fn has_proven_grown(&self) -> bool {
        self.proven_grown
    }

    /// Whoever can be dialed now was looked at.
    pub(in crate::manager) fn seen(&mut self) {
        self.grown = false;
        self.proven_grown = false;
    }

    /// Who was verified once, the best first, and for what.
    pub(in crate::manager) fn proven(&self) -> impl Iterator<Item = (Ix, Services)> + '_ {
        self.proven.iter().rev().map(|key| {
            steps::step();
            (Ix::unpacked(key[1]), Services::unpacked(key[2]))
        })
    }

    /// Whether anybody could be dialed for a requirement.
    pub(in crate::manager) fn any(&self, requirement: RequirementId) -> bool {
        self.postings
            .get(usize::from(requirement.0))
            .is_some_and(|posting| !posting.members.is_empty())
    }

    /// The best member that `usable` admits of each of the best groups, and what that says of it. A group is given up after
    /// a few members.
    pub(in crate::manager) fn top<'a, T: 'a>(
        &'a self,
        requirement: RequirementId,
        groups: usize,
        usable: impl Fn(Ix) -> Option<T> + 'a,
    ) -> impl Iterator<Item = (Candidate, T)> + 'a {
        // More groups than one introducer can fill, so that none can hide the others behind peers that are not usable.
        const GROUPS_TRIED: usize = 96;
        let posting = self.postings.get(usize::from(requirement.0));
        posting
            .into_iter()
            .flat_map(|posting| {
                let best_first = posting.groups.iter().rev();
                best_first.map(move |key| (posting, *key))
            })
            .take(GROUPS_TRIED)
            .filter_map(move |(posting, group)| posting.best_of(group, &usable))
            .take(groups)
    }

    /// The best member that `usable` admits of each of a few groups, from a point in the order of their numbers on and
    /// around its end.
    pub(in crate::manager) fn around<'a, T: 'a>(
        &'a self,
        requirement: RequirementId,
        from: u64,
        groups: usize,
        usable: impl Fn(Ix) -> Option<T> + 'a,
    ) -> impl Iterator<Item = (Candidate, T)> + 'a {
        let posting = self.postings.get(usize::from(requirement.0));
        posting.into_iter().flat_map(move |posting| {
            let later = posting.groups_in(from, u64::MAX);
            let earlier = from.checked_sub(1).map(|last| posting.groups_in(0, last));
            let around = later.chain(earlier.into_iter().flatten()).take(groups);
            let best: Vec<(Candidate, T)> = around
                .filter_map(|group| posting.best_of(by_rank(posting.best(group)?), &usable))
                .collect();
            best
        })
    }

    /// Whether the postings hold exactly what was placed (R4).
    pub(in crate::manager) fn check(&self) {
        let proven = self
            .placed
            .iter()
            .filter(|placed| !placed.proven.is_empty());
        assert_eq!(self.proven.len(), proven.count());
        for key in &self.proven {
            let placed = &self.placed[Ix::unpacked(key[1]).place()];
            assert_eq!(placed.standing.0, key[0]);
            assert_eq!(placed.proven.packed(), key[2]);
            assert!(!placed.proven.is_empty());
        }
        let mut expected = vec![0_usize; self.postings.len()];
        for (place, placed) in self.placed.iter().enumerate() {
            for id in placed.services.iter() {
                let posting = &self.postings[usize::from(id.0)];
                assert!(
                    posting
                        .of(placed.group)
                        .any(|(standing, ix)| ix.place() == place && standing == placed.standing)
                );
                expected[usize::from(id.0)] += 1;
            }
        }
        for (posting, expected) in self.postings.iter().zip(expected) {
            assert_eq!(posting.members.len(), expected);
            let mut groups: Vec<u64> = posting.members.iter().map(|key| key[0]).collect();
            groups.dedup();
            assert_eq!(posting.groups.len(), groups.len());
            for group in groups {
                let best = posting.best(group).expect("it has members");
                assert!(posting.groups.contains(&by_rank(best)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::Priority;

    #[test]
    fn the_packed_order_is_that_of_band_then_value_then_quality_then_salt() {
        let mut all = Vec::new();
        for band in [Priority::Low, Priority::Medium, Priority::High] {
            for value in [0, 1, 768, 16_384] {
                for quality in [-1_000, -1, 0, 1, 1_000] {
                    for salt in [0, 1 << 40, u64::MAX] {
                        let rank = Rank {
                            band,
                            value,
                            quality,
                        };
                        all.push(Key::new(rank, salt));
                        let packed = all[all.len() - 1];
                        let rank = packed.rank();
                        assert_eq!((value_of(rank), quality_of(rank)), (value, quality));
                    }
                }
            }
        }
        assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
