//! How many connections there may be (4.4, 4.7, 4.14).
//!
//! Owns the limits that the user set and those that hold now: the soft target G, the hard cap H, the caps by transport
//! and the lifetime of connections. Everything that compares with G or H asks here.
//!
//! Bounds: G is at most 256, H at most 320: every table of connections is one of a few hundred.

use litemap::LiteMap;

use crate::manager::book::transport;
use crate::manager::boundary::config::Config;
use crate::manager::boundary::event::Transport;
use crate::manager::tools::changed::Changed;

/// More connections than this are no target for a page, nor for any node that serves nobody.
const MAX_SOFT: u16 = 256;
/// What the hard cap of the largest target is.
const MAX_HARD: u16 = 320;

/// See the module.
#[derive(Debug)]
pub(in crate::manager) struct Limits {
    /// What the user wants; the environment never goes above it.
    wanted_soft: u16,
    /// The hard cap that the user named; without one it follows the soft target.
    named_hard: Option<u16>,
    /// What holds now.
    soft: u16,
    hard: u16,
    by_transport: LiteMap<Transport, Option<u16>>,
    /// The largest soft target there was: peers that are held already stay so when it falls.
    most_wanted: u16,
    /// How old connections become; `None`: as old as they like (4.17).
    lifetime_ms: Option<u64>,
    changed: Changed,
}

impl Limits {
    pub(in crate::manager) fn new(config: &Config) -> Self {
        let soft = config.soft_connections;
        let hard = config.hard_connections;
        Self {
            wanted_soft: soft,
            named_hard: (hard != room_above(soft)).then_some(hard),
            soft,
            hard,
            by_transport: LiteMap::new(),
            most_wanted: soft,
            lifetime_ms: None,
            changed: Changed::default(),
        }
    }

    /// How often other limits came to hold.
    pub(in crate::manager) fn revision(&self) -> u64 {
        self.changed.count()
    }

    /// The soft target (G): aimed at, exceeded only to replace before breaking.
    pub(in crate::manager) fn soft(&self) -> usize {
        usize::from(self.soft)
    }

    /// The hard cap (H) of connections and dials together.
    pub(in crate::manager) fn hard(&self) -> usize {
        usize::from(self.hard)
    }

    /// The soft target that the user wants.
    pub(in crate::manager) fn wanted_soft(&self) -> u16 {
        self.wanted_soft
    }

    /// The hard cap that goes with what the user wants.
    pub(in crate::manager) fn wanted_hard(&self) -> u16 {
        self.named_hard
            .unwrap_or_else(|| room_above(self.wanted_soft))
            .max(self.wanted_soft)
    }

    /// Peers that may be pinned or protected: half of the soft target that the user set, so that needs keep the rest
    /// (4.8).
    pub(in crate::manager) fn pins(&self) -> usize {
        usize::from(self.wanted_soft).div_ceil(2)
    }

    /// Peers that can be pinned or protected already, from times of a larger target.
    pub(in crate::manager) fn pins_ever(&self) -> usize {
        usize::from(self.most_wanted).div_ceil(2)
    }

    /// The user's wish; what is absent stays. A node without any connection is a stopped one: the target is at least 1.
    pub(in crate::manager) fn want(&mut self, soft: Option<u16>, hard: Option<u16>) {
        if let Some(soft) = soft {
            self.wanted_soft = soft.clamp(1, MAX_SOFT);
        }
        if let Some(hard) = hard {
            self.named_hard = Some(hard.min(MAX_HARD));
        }
        self.most_wanted = self.most_wanted.max(self.wanted_soft);
    }

    /// What holds from now on; whether it is new.
    pub(in crate::manager) fn set(&mut self, soft: u16, hard: u16) -> bool {
        let changed = (soft, hard) != (self.soft, self.hard);
        (self.soft, self.hard) = (soft, hard);
        if changed {
            self.changed.mark();
        }
        changed
    }

    /// How many connections and dials of a transport there may be; `None`: as many as the hard cap allows.
    pub(in crate::manager) fn transport(&self, transport: Transport) -> Option<usize> {
        match self.by_transport.get(&transport) {
            Some(max) => *max,
            None => transport::default_max(transport),
        }
        .map(usize::from)
    }

    /// Every cap that the user set.
    pub(in crate::manager) fn transports(&self) -> Vec<(Transport, usize)> {
        self.by_transport
            .iter()
            .filter_map(|(transport, max)| Some((*transport, usize::from((*max)?))))
            .collect()
    }

    pub(in crate::manager) fn set_transport(&mut self, transport: Transport, max: Option<u16>) {
        self.by_transport.insert(transport, max);
        self.changed.mark();
    }

    /// How old connections become.
    pub(in crate::manager) fn lifetime_ms(&self) -> Option<u64> {
        self.lifetime_ms
    }

    pub(in crate::manager) fn set_lifetime(&mut self, ms: Option<u64>) {
        self.lifetime_ms = ms;
        self.changed.mark();
    }
}

/// The hard cap of a soft target (4.4): room to make before breaking, for bursts, and to judge those who come.
pub(in crate::manager) fn room_above(soft: u16) -> u16 {
    soft.saturating_add(soft.div_ceil(4).max(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hard_cap_leaves_a_quarter_and_at_least_two() {
        for (soft, hard) in [(1, 3), (6, 8), (10, 13), (16, 20), (64, 80), (256, 320)] {
            assert_eq!(room_above(soft), hard);
        }
    }
}
