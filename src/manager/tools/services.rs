//! Sets of requirements, and what a dial is expected to bring.

use crate::manager::boundary::event::RequirementId;

/// A set of requirements: one bit for each place in the configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::manager) struct Services(u64);

impl Services {
    /// Nothing.
    pub(in crate::manager) const NONE: Self = Self(0);
    /// The most requirements that fit.
    pub(in crate::manager) const CAPACITY: usize = 64;

    /// The first `count` requirements.
    pub(in crate::manager) fn all(count: usize) -> Self {
        if count >= Self::CAPACITY {
            Self(u64::MAX)
        } else {
            Self((1 << count) - 1)
        }
    }

    /// One requirement alone.
    pub(in crate::manager) fn one(id: RequirementId) -> Self {
        let mut set = Self::NONE;
        set.insert(id);
        set
    }

    pub(in crate::manager) fn contains(self, id: RequirementId) -> bool {
        usize::from(id.0) < Self::CAPACITY && self.0 & (1 << id.0) != 0
    }

    pub(in crate::manager) fn insert(&mut self, id: RequirementId) {
        if usize::from(id.0) < Self::CAPACITY {
            self.0 |= 1 << id.0;
        }
    }

    pub(in crate::manager) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(in crate::manager) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(in crate::manager) fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(in crate::manager) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(in crate::manager) fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    pub(in crate::manager) fn packed(self) -> u64 {
        self.0
    }

    pub(in crate::manager) fn unpacked(packed: u64) -> Self {
        Self(packed)
    }

    /// The requirements, in order.
    pub(in crate::manager) fn iter(self) -> impl Iterator<Item = RequirementId> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let place = rest.trailing_zeros() as u8;
            rest &= rest - 1;
            Some(RequirementId(place))
        })
    }
}

impl FromIterator<RequirementId> for Services {
    fn from_iter<I: IntoIterator<Item = RequirementId>>(ids: I) -> Self {
        let mut set = Self::NONE;
        for id in ids {
            set.insert(id);
        }
        set
    }
}

/// One whole provider, in the units of expectation.
pub(in crate::manager) const WHOLE: u32 = 256;
/// What a peer of whom nothing is known is worth, in 1/256.
pub(in crate::manager) const UNKNOWN: u32 = 32;

/// What a dial, or a connection that is not verified yet, is expected to serve.
///
/// A claim counts as a whole provider while it is being checked: anything less would dial twice as many peers as are
/// needed. Only peers that nothing is known of count as the small chance that they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::manager) struct Cover {
    /// Claimed or verified.
    pub(in crate::manager) whole: Services,
    /// Possible.
    pub(in crate::manager) guess: Services,
}

impl Cover {
    /// Nothing.
    pub(in crate::manager) const NONE: Self = Self {
        whole: Services::NONE,
        guess: Services::NONE,
    };

    /// Whether nothing but hope makes it worth something to these requirements.
    pub(in crate::manager) fn is_guess(self, wanted: Services) -> bool {
        self.whole.and(wanted).is_empty() && !self.guess.and(wanted).is_empty()
    }

    /// All but one requirement.
    pub(in crate::manager) fn without(self, id: RequirementId) -> Self {
        let gone = Services::one(id);
        Self {
            whole: self.whole.minus(gone),
            guess: self.guess.minus(gone),
        }
    }

    /// Each requirement with its units.
    pub(in crate::manager) fn units(self) -> impl Iterator<Item = (RequirementId, u32)> {
        let whole = self.whole.iter().map(|id| (id, WHOLE));
        let guess = self.guess.minus(self.whole).iter();
        whole.chain(guess.map(|id| (id, UNKNOWN)))
    }
}
