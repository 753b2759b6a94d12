//! How attempts to reach a peer, and to keep it, went of late (4.5, 4.8).
//!
//! Owns what backoffs and the chance of a dial are worked out from. A failure that was our own network's is taken back
//! whole: the record is put back as it was.

/// Successes among tries of reaching a peer, over a window of 16.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::manager) struct Reach {
    ok: u8,
    tries: u8,
}

impl Reach {
    pub(in crate::manager) fn record(&mut self, success: bool) {
        if self.tries >= 16 {
            self.tries /= 2;
            self.ok /= 2;
        }
        self.tries += 1;
        self.ok += u8::from(success);
    }

    /// So many successes among so many tries.
    pub(in crate::manager) fn of(ok: u8, tries: u8) -> Self {
        let tries = tries.min(16);
        let ok = ok.min(tries);
        Self { ok, tries }
    }

    /// Successes and tries.
    pub(in crate::manager) fn parts(self) -> (u8, u8) {
        (self.ok, self.tries)
    }

    /// Laplace's estimate in 1/256.
    pub(in crate::manager) fn estimate(self) -> u32 {
        (u32::from(self.ok) + 1) * 256 / (u32::from(self.tries) + 2)
    }
}

/// A short connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) struct Flap {
    /// The remote did not want us: that counts like a failed attempt, too.
    pub(in crate::manager) rejected: bool,
}

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::manager) struct Attempts {
    reach: Reach,
    /// Failed attempts in a row, and short connections that the remote rejected.
    level: u8,
    /// Short connections in a row.
    flaps: u8,
}

impl Attempts {
    /// As they were when the peer was saved.
    pub(in crate::manager) fn saved(reach: Reach) -> Self {
        Self {
            reach,
            ..Self::default()
        }
    }

    /// It was reached.
    pub(in crate::manager) fn reached(&mut self) {
        self.reach.record(true);
    }

    /// It could not be.
    pub(in crate::manager) fn failed(&mut self) {
        self.reach.record(false);
        self.level = self.level.saturating_add(1);
    }

    /// It was lost before its connection was healthy.
    pub(in crate::manager) fn flapped(&mut self, flap: Flap) {
        self.flaps = self.flaps.saturating_add(1);
        self.level = self.level.saturating_add(u8::from(flap.rejected));
    }

    /// The last loss was the first of many, and no flap.
    pub(in crate::manager) fn unflapped(&mut self, flap: Flap) {
        self.flaps = self.flaps.saturating_sub(1);
        self.level = self.level.saturating_sub(u8::from(flap.rejected));
    }

    /// A connection lasted and worked.
    pub(in crate::manager) fn healed(&mut self) {
        (self.level, self.flaps) = (0, 0);
    }

    /// What failed elsewhere says nothing here. Only a connection that lasts clears the flaps (F8).
    pub(in crate::manager) fn excuse(&mut self) {
        self.level = 0;
    }

    /// So many tries in so short a time say no more than this.
    pub(in crate::manager) fn say_at_most(&mut self, level: u8) {
        self.level = self.level.min(level);
    }

    /// How well it can be reached.
    pub(in crate::manager) fn reach(self) -> Reach {
        self.reach
    }

    /// What the order of bootstrap peers goes by.
    pub(in crate::manager) fn level(self) -> u8 {
        self.level
    }

    /// Short connections in a row.
    pub(in crate::manager) fn flaps(self) -> u8 {
        self.flaps
    }

    /// What its wait goes by.
    pub(in crate::manager) fn waits_by(self) -> u8 {
        self.level.max(self.flaps)
    }
}
