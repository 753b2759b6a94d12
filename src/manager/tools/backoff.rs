//! How long to wait before trying again (4.8).
//!
//! Pure functions of a peer's record: they own nothing.

use crate::manager::boundary::config::Config;
use crate::manager::tools::seed::Draw;

/// What the wait depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Standing {
    /// The user holds it.
    Pinned,
    /// It served before.
    Good,
    /// It never did.
    Unknown,
}

/// Doubling stops here: beyond it every cap is reached.
const MAX_DOUBLINGS: u8 = 10;

/// `min(cap, base · 2^(level − 1))`, then uniformly between half of it and all of it ("equal jitter"), so that clients
/// which failed together do not come back together.
pub(in crate::manager) fn delay(config: &Config, draw: Draw, standing: Standing, level: u8) -> u64 {
    let (base, cap) = bounds(config, standing);
    jittered(draw, doubled(base, level, cap))
}

/// The longest wait that there is, with its jitter.
pub(in crate::manager) fn longest(config: &Config, draw: Draw, standing: Standing) -> u64 {
    jittered(draw, bounds(config, standing).1)
}

/// The first wait, and the longest.
fn bounds(config: &Config, standing: Standing) -> (u64, u64) {
    match standing {
        Standing::Pinned => (config.backoff_pinned_ms, config.backoff_pinned_cap_ms),
        Standing::Good => (config.backoff_good_ms, config.backoff_good_cap_ms),
        Standing::Unknown => (config.backoff_unknown_ms, config.backoff_unknown_cap_ms),
    }
}

/// `min(cap, base · 2^(round − 1))`; round 0 counts as 1.
pub(in crate::manager) fn doubled(base: u64, round: u8, cap: u64) -> u64 {
    let doublings = round.saturating_sub(1).min(MAX_DOUBLINGS);
    base.saturating_mul(1 << doublings).min(cap)
}

/// The level whose wait is not longer than this.
pub(in crate::manager) fn level_of(base: u64, wait: u64) -> u8 {
    (1..=MAX_DOUBLINGS)
        .rev()
        .find(|level| doubled(base, *level, u64::MAX) <= wait)
        .unwrap_or(1)
}

/// Uniformly between half and all of a wait.
pub(in crate::manager) fn jittered(draw: Draw, wait: u64) -> u64 {
    draw.between(wait.div_ceil(2), wait)
}
