//! No more than so many look-ups in any second.

use std::collections::VecDeque;

const SECOND_MS: u64 = 1_000;

/// The times of the last look-ups, as many as one second may have.
#[derive(Debug)]
pub(super) struct Pace {
    recent: VecDeque<u64>,
    per_second: usize,
}

impl Pace {
    pub(super) fn new(per_second: usize) -> Self {
        Self {
            recent: VecDeque::new(),
            per_second: per_second.max(1),
        }
    }

    /// When the next look-up may be made; 0 for at once.
    pub(super) fn next(&self) -> u64 {
        match self.recent.front() {
            Some(first) if self.recent.len() >= self.per_second => first + SECOND_MS,
            _ => 0,
        }
    }

    pub(super) fn record(&mut self, now: u64) {
        if self.recent.len() >= self.per_second {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
    }
}
