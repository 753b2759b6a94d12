//! How dials end of late: what their pace and their number at once depend on (4.6, 4.14).
//!
//! Owns the ends of the last sixteen dials, and the chance of one. Plain numbers, so that what an outage did to them can
//! be put back.

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager::machine) struct Odds {
    /// One bit for each dial, the last lowest; set: it failed.
    failed: u16,
    known: u32,
    /// How often a peer that is dialed is reached, in units of [`CERTAIN`].
    chance: u32,
}

/// A certain success, as the chance of a dial is kept.
const CERTAIN: u32 = 256 << 8;

impl Default for Odds {
    fn default() -> Self {
        Self {
            failed: 0,
            known: 0,
            chance: CERTAIN,
        }
    }
}

impl Odds {
    /// The dials that are looked at.
    const WINDOW: u32 = u16::BITS;

    /// A dial of one address ended.
    pub(in crate::manager::machine) fn record(&mut self, succeeded: bool) {
        self.failed = self.failed << 1 | u16::from(!succeeded);
        self.known = (self.known + 1).min(Self::WINDOW);
    }

    /// A peer was reached, or none of its addresses did.
    pub(in crate::manager::machine) fn tried(&mut self, reached: bool) {
        self.chance -= self.chance / 8;
        if reached {
            self.chance += CERTAIN / 8;
        }
    }

    /// Of at least eight dials, less than a quarter succeeded.
    pub(in crate::manager::machine) fn mostly_fail(&self) -> bool {
        let succeeded = self.known - self.failed.count_ones();
        self.known >= 8 && succeeded * 4 < self.known
    }

    /// How often dials succeed of late, in 1/256; never less than a third, so that there is an end to dialing more than
    /// are needed (4.6).
    pub(in crate::manager::machine) fn chance(&self) -> u32 {
        (self.chance >> 8).clamp(86, 256)
    }
}
