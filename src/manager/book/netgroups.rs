//! How many of the known peers share a netgroup, or whoever named them (4.15).
//!
//! Owns the counts: by them one decides who is forgotten first, and who has more than its part of the table.

use std::collections::BTreeMap;

/// What peers are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::manager) enum Label {
    /// A netgroup.
    Group(u64),
    /// The peer that named them.
    Introducer(u64),
    /// Who told of them, among those that were never reached: the mark of the peer that named them, or else the kind of
    /// source.
    New(u64),
}

/// See the module.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::manager) struct Counts {
    counts: BTreeMap<Label, u32>,
    /// Labels of a kind that count somebody.
    groups: usize,
    introducers: usize,
}

impl Counts {
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
    pub(in crate::manager::book) fn count(&mut self, label: Label, comes: bool) {
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
            Label::New(_) => return,
        };
        if comes {
            *known += 1;
        } else {
            *known -= 1;
        }
    }
}
