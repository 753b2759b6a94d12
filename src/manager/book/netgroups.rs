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

/// Where a label is counted. Stays the same while anybody has the label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager::book) struct Tally(u32);

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Counts {
    places: BTreeMap<Label, Tally>,
    tallies: Vec<u32>,
    free: Vec<Tally>,
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
        self.find(label).map_or(0, |tally| self.at(tally))
    }

    /// Where a label is counted, if anybody has it.
    pub(in crate::manager::book) fn find(&self, label: Label) -> Option<Tally> {
        self.places.get(&label).copied()
    }

    /// What is counted there.
    pub(in crate::manager::book) fn at(&self, tally: Tally) -> usize {
        let count = self.tallies.get(tally.0 as usize);
        count.copied().unwrap_or(0) as usize
    }

    /// One more has a label. Returns where it is counted.
    pub(in crate::manager::book) fn join(&mut self, label: Label) -> Tally {
        if let Some(tally) = self.find(label) {
            self.tallies[tally.0 as usize] += 1;
            return tally;
        }
        let tally = self.free.pop().unwrap_or_else(|| {
            let next = u32::try_from(self.tallies.len()).expect("peers are bounded");
            self.tallies.push(0);
            Tally(next)
        });
        self.tallies[tally.0 as usize] = 1;
        self.places.insert(label, tally);
        if let Some(known) = self.known(label) {
            *known += 1;
        }
        tally
    }

    /// One less has it.
    pub(in crate::manager::book) fn leave(&mut self, label: Label) {
        let Some(tally) = self.find(label) else {
            return;
        };
        let count = &mut self.tallies[tally.0 as usize];
        *count -= 1;
        if *count > 0 {
            return;
        }
        self.places.remove(&label);
        self.free.push(tally);
        if let Some(known) = self.known(label) {
            *known -= 1;
        }
    }

    fn known(&mut self, label: Label) -> Option<&mut usize> {
        match label {
            Label::Group(_) => Some(&mut self.groups),
            Label::Introducer(_) => Some(&mut self.introducers),
            Label::New(_) => None,
        }
    }

    /// Whether both count the same, wherever they do (R4).
    pub(in crate::manager::book) fn agrees(&self, other: &Self) -> bool {
        let all = |counts: &Self| -> Vec<(Label, usize)> {
            let places = counts.places.iter();
            places
                .map(|(label, tally)| (*label, counts.at(*tally)))
                .collect()
        };
        all(self) == all(other)
            && (self.groups, self.introducers) == (other.groups, other.introducers)
    }
}
