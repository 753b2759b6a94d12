//! Who counts for which netgroup and introducer, and who is forgotten first (4.15).
//!
//! Owns the counts of the table's peers by these labels, and the lists of those that were never reached and may be
//! forgotten: by netgroup, by introducer, and by the cell of both, the largest cell first.

use std::collections::BTreeMap;

use crate::manager::tools::seed::Seed;
use crate::manager::tools::slot::{Ix, Set, change};

/// What peers are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::manager) enum Label {
    /// A netgroup.
    Group(u64),
    /// Who named them.
    Introducer(u64),
    /// Who named them, among those that were never reached.
    New(u64),
    /// Netgroup and teller, among those that may be forgotten.
    Cell(u64, u32),
}

/// A peer, as far as it is looked at here.
#[derive(Debug, Clone, Copy)]
pub(in crate::manager) struct Member {
    pub(in crate::manager) ix: Ix,
    pub(in crate::manager) group: u64,
    pub(in crate::manager) introducer: Option<u64>,
    /// Half of the mark of who named it, or else the kind of source; 32 bits.
    pub(in crate::manager) teller: u64,
    pub(in crate::manager) salt: u64,
}

/// See the module.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::manager) struct Crowds {
    counts: BTreeMap<Label, u32>,
    /// (netgroup, teller and salt, who).
    by_group: Set,
    /// (introducer, salt, who).
    by_introducer: Set,
    /// (how many, netgroup, teller).
    cells: Set,
    /// Labels of a kind that count somebody.
    groups: usize,
    introducers: usize,
}

impl Crowds {
    /// How many netgroups are known.
    pub(in crate::manager) fn groups(&self) -> usize {
        self.groups
    }

    /// How many peers named somebody who is known.
    pub(in crate::manager) fn introducers(&self) -> usize {
        self.introducers
    }

    /// How many have a label.
    pub(in crate::manager) fn of(&self, label: Label) -> usize {
        self.counts.get(&label).map_or(0, |count| *count as usize)
    }

    /// One more, or one less, has a label.
    pub(in crate::manager) fn count(&mut self, label: Label, comes: bool) {
        let count = self.counts.entry(label).or_insert(0);
        let before = *count;
        let after = if comes { before + 1 } else { before - 1 };
        *count = after;
        if after == 0 {
            self.counts.remove(&label);
        }
        if (before == 0) == (after == 0) {
            return;
        }
        let known = match label {
            Label::Group(_) => &mut self.groups,
            Label::Introducer(_) => &mut self.introducers,
            Label::New(_) | Label::Cell(..) => return,
        };
        if comes {
            *known += 1;
        } else {
            *known -= 1;
        }
    }

    /// Lists a peer among the new that may be forgotten, or takes it off.
    pub(in crate::manager) fn list(&mut self, member: Member, comes: bool) {
        let (group, teller, who) = (member.group, member.teller, member.ix.packed());
        let within = teller << 32 | member.salt >> 32;
        change(&mut self.by_group, [group, within, who], comes);
        if let Some(introducer) = member.introducer {
            change(
                &mut self.by_introducer,
                [introducer, member.salt, who],
                comes,
            );
        }
        let label = Label::Cell(group, teller as u32);
        self.cells.remove(&[self.of(label) as u64, group, teller]);
        self.count(label, comes);
        let left = self.of(label) as u64;
        if left > 0 {
            self.cells.insert([left, group, teller]);
        }
    }

    /// One of the largest cell, at random.
    pub(in crate::manager) fn any_of_largest(&self, seed: &mut Seed) -> Option<Ix> {
        let &[_, group, teller] = self.cells.last()?;
        let cell = teller << 32;
        let within = |key: &&[u64; 3]| key[0] == group && key[1] >> 32 == teller;
        let mut after = self.by_group.range([group, cell | seed.draw() >> 32, 0]..);
        let mut all = self.by_group.range([group, cell, 0]..);
        let key = after.next().filter(within).or_else(|| all.next())?;
        Some(Ix::unpacked(key[2]))
    }

    /// Another than `but` of a netgroup, at random.
    pub(in crate::manager) fn any_of_group(&self, group: u64, but: Ix, draw: u64) -> Option<Ix> {
        any(&self.by_group, group, but, draw)
    }

    /// Another than `but` that an introducer named, at random.
    pub(in crate::manager) fn any_of_introducer(
        &self,
        introducer: u64,
        but: Ix,
        draw: u64,
    ) -> Option<Ix> {
        any(&self.by_introducer, introducer, but, draw)
    }
}

/// Another than `but` of the keys that begin with `first`, the next after `draw`.
fn any(set: &Set, first: u64, but: Ix, draw: u64) -> Option<Ix> {
    let after = set.range([first, draw, 0]..=[first, u64::MAX, u64::MAX]);
    let before = set.range([first, 0, 0]..[first, draw, 0]);
    let mut all = after.chain(before).map(|key| Ix::unpacked(key[2]));
    all.find(|ix| *ix != but)
}
