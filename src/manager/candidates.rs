//! Who could be dialed for what.
//!
//! Owns, for each requirement, the peers that may be dialed for it *now*, in two levels: netgroups by their best
//! member, and members of a group. A thousand addresses of one network therefore weigh as much as one. A peer that is
//! connected, dialed, barred, parked or banned simply is not here.

use std::collections::{BTreeMap, BTreeSet};

use super::event::RequirementId;
use super::peer::Rank;
use super::services::Services;
use super::table::Ix;

/// Members of a group that are looked at before it is given up.
const MEMBERS_TRIED: usize = 4;

/// How a candidate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) rank: Rank,
    pub(super) group: u64,
    pub(super) salt: u64,
    /// What it may be dialed for.
    pub(super) services: Services,
}

#[derive(Debug, Default)]
struct Posting {
    members: BTreeMap<u64, BTreeSet<(Rank, u64, Ix)>>,
    /// The best rank of each group. The group's own number, made from the seed, decides between equals.
    groups: BTreeSet<(Rank, u64)>,
}

impl Posting {
    fn insert(&mut self, ix: Ix, entry: &Entry) {
        let members = self.members.entry(entry.group).or_default();
        let before = members.last().map(|best| best.0);
        members.insert((entry.rank, entry.salt, ix));
        let after = members.last().map(|best| best.0);
        self.move_group(entry.group, before, after);
    }

    fn remove(&mut self, ix: Ix, entry: &Entry) {
        let Some(members) = self.members.get_mut(&entry.group) else {
            return;
        };
        let before = members.last().map(|best| best.0);
        members.remove(&(entry.rank, entry.salt, ix));
        let after = members.last().map(|best| best.0);
        if members.is_empty() {
            self.members.remove(&entry.group);
        }
        self.move_group(entry.group, before, after);
    }

    fn move_group(&mut self, group: u64, before: Option<Rank>, after: Option<Rank>) {
        if before == after {
            return;
        }
        if let Some(rank) = before {
            self.groups.remove(&(rank, group));
        }
        if let Some(rank) = after {
            self.groups.insert((rank, group));
        }
    }
}

/// The candidates of all requirements.
#[derive(Debug)]
pub(super) struct Candidates {
    postings: Vec<Posting>,
    placed: BTreeMap<Ix, Entry>,
}

impl Candidates {
    pub(super) fn new(requirements: usize) -> Self {
        Self {
            postings: (0..requirements).map(|_| Posting::default()).collect(),
            placed: BTreeMap::new(),
        }
    }

    /// Makes room for a requirement.
    pub(super) fn open(&mut self, requirement: RequirementId) {
        while self.postings.len() <= usize::from(requirement.0) {
            self.postings.push(Posting::default());
        }
    }

    /// Nobody is a candidate for a requirement any more. The ranks of those that remain for others stay as they are: a
    /// stale one costs optimality alone, and is made anew with the peer's next change.
    pub(super) fn retire(&mut self, requirement: RequirementId) {
        let Some(posting) = self.postings.get_mut(usize::from(requirement.0)) else {
            return;
        };
        *posting = Posting::default();
        let gone = Services::one(requirement);
        self.placed.retain(|_, entry| {
            entry.services = entry.services.minus(gone);
            !entry.services.is_empty()
        });
    }

    /// Places, moves or removes a peer.
    pub(super) fn put(&mut self, ix: Ix, entry: Option<Entry>) {
        let old = self.placed.get(&ix).copied();
        if old == entry {
            return;
        }
        if let Some(old) = old {
            for id in old.services.iter() {
                self.postings[usize::from(id.0)].remove(ix, &old);
            }
            self.placed.remove(&ix);
        }
        if let Some(entry) = entry {
            for id in entry.services.iter() {
                self.postings[usize::from(id.0)].insert(ix, &entry);
            }
            self.placed.insert(ix, entry);
        }
    }

    /// The place of a peer.
    pub(super) fn entry(&self, ix: Ix) -> Option<&Entry> {
        self.placed.get(&ix)
    }

    /// Whether anybody could be dialed for a requirement.
    pub(super) fn any(&self, requirement: RequirementId) -> bool {
        self.postings
            .get(usize::from(requirement.0))
            .is_some_and(|posting| !posting.members.is_empty())
    }

    /// The best member that `usable` admits of each of the best groups. A group is given up after a few members.
    pub(super) fn top<'a>(
        &'a self,
        requirement: RequirementId,
        groups: usize,
        usable: impl Fn(Ix) -> bool + 'a,
    ) -> impl Iterator<Item = (Ix, &'a Entry)> + 'a {
        // More groups than one introducer can fill, so that none can hide the others behind peers that are not usable.
        const GROUPS_TRIED: usize = 96;
        let posting = self.postings.get(usize::from(requirement.0));
        posting
            .into_iter()
            .flat_map(|posting| posting.groups.iter().rev().map(move |key| (posting, key.1)))
            .take(GROUPS_TRIED)
            .filter_map(move |(posting, group)| {
                let members = posting.members.get(&group)?;
                let mut best = members.iter().rev().take(MEMBERS_TRIED);
                let (_, _, ix) = best.find(|(_, _, ix)| usable(*ix))?;
                self.placed.get(ix).map(|entry| (*ix, entry))
            })
            .take(groups)
    }

    /// The best member that `usable` admits of each of a few groups, from a point in the order of their numbers on and
    /// around its end.
    pub(super) fn around<'a>(
        &'a self,
        requirement: RequirementId,
        from: u64,
        groups: usize,
        usable: impl Fn(Ix) -> bool + 'a,
    ) -> impl Iterator<Item = (Ix, &'a Entry)> + 'a {
        let posting = self.postings.get(usize::from(requirement.0));
        posting
            .into_iter()
            .flat_map(move |posting| {
                let later = posting.members.range(from..);
                later.chain(posting.members.range(..from))
            })
            .take(groups)
            .filter_map(move |(_, members)| {
                let mut best = members.iter().rev().take(MEMBERS_TRIED);
                let (_, _, ix) = best.find(|(_, _, ix)| usable(*ix))?;
                self.placed.get(ix).map(|entry| (*ix, entry))
            })
    }

    /// Whether the postings hold exactly what was placed (R4).
    pub(super) fn check(&self) {
        let mut expected = vec![0_usize; self.postings.len()];
        for (ix, entry) in &self.placed {
            for id in entry.services.iter() {
                let posting = &self.postings[usize::from(id.0)];
                assert!(posting.members[&entry.group].contains(&(entry.rank, entry.salt, *ix)));
                expected[usize::from(id.0)] += 1;
            }
        }
        for (posting, expected) in self.postings.iter().zip(expected) {
            let members: usize = posting.members.values().map(BTreeSet::len).sum();
            assert_eq!(members, expected);
            assert_eq!(posting.groups.len(), posting.members.len());
            for (group, members) in &posting.members {
                let best = members.last().expect("empty groups are removed").0;
                assert!(posting.groups.contains(&(best, *group)));
            }
        }
    }
}
