//! What a browser does to dials and timers (contract.md, "Browser facts").

use std::collections::{BTreeMap, VecDeque};

use lightkeeper::manager::DialId;

use crate::rng::Rng;

/// Whose rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Brand {
    /// Sockets are delayed by what is pending and by how many failed lately.
    Chromium,
    /// Sockets are delayed for each host that failed lately.
    Firefox,
    /// None: a native node.
    Native,
}

/// Chromium counts in periods of this length, the current and the one before.
const PERIOD_MS: u64 = 120_000;
/// Firefox' first delay, its growth in percent, its cap and the least time that it is remembered.
const FAIL_FIRST_MS: u64 = 200;
const FAIL_SPREAD_MS: u64 = 200;
const FAIL_GROWTH: u64 = 150;
const FAIL_CAP_MS: u64 = 60_000;
const FAIL_LIFE_MS: u64 = 60_000;
/// Timers of a hidden page are aligned to this, and after a while to a minute.
const HIDDEN_ALIGN_MS: u64 = 1_000;
const HIDDEN_LONG_MS: u64 = 300_000;
const HIDDEN_LONG_ALIGN_MS: u64 = 60_000;

/// How a connecting socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Opened,
    Failed,
    /// The page closed it before it was through. Chromium counts that as a failure, Firefox does not.
    GivenUp,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    failures: u32,
    successes: u32,
}

#[derive(Debug, Clone, Copy)]
struct FailDelay {
    at: u64,
    delay: u64,
}

/// One page's sockets.
#[derive(Debug)]
pub(crate) struct Browser {
    brand: Brand,
    pending: u32,
    period: u64,
    tallies: [Tally; 2],
    failed: BTreeMap<String, FailDelay>,
    /// RFC 6455 section 4.1: one connecting socket for each endpoint; the others wait here.
    connecting: BTreeMap<String, VecDeque<DialId>>,
}

impl Browser {
    pub(crate) fn new(brand: Brand) -> Self {
        Self {
            brand,
            pending: 0,
            period: 0,
            tallies: [Tally::default(); 2],
            failed: BTreeMap::new(),
            connecting: BTreeMap::new(),
        }
    }

    /// A socket is wanted. Returns how long the browser holds it back; `None`: until another one is through.
    pub(crate) fn wants(
        &mut self,
        dial: DialId,
        endpoint: &str,
        t: u64,
        rng: &mut Rng,
    ) -> Option<u64> {
        if let Some(waiting) = self.connecting.get_mut(endpoint) {
            waiting.push_back(dial);
            return None;
        }
        self.connecting.insert(endpoint.to_owned(), VecDeque::new());
        Some(self.begins(endpoint, t, rng))
    }

    fn begins(&mut self, endpoint: &str, t: u64, rng: &mut Rng) -> u64 {
        self.turn(t);
        self.pending += 1;
        match self.brand {
            Brand::Native => 0,
            Brand::Chromium => {
                let failures: u32 = self.tallies.iter().map(|tally| tally.failures).sum();
                let successes: u32 = self.tallies.iter().map(|tally| tally.successes).sum();
                let exponent = (self.pending - 1 + failures / (successes + 1)).min(16);
                (rng.between(1_000, 5_000) << exponent) / 65_536
            }
            Brand::Firefox => match self.failed.get(endpoint) {
                Some(last) if t < last.at + last.delay => last.at + last.delay - t,
                _ => 0,
            },
        }
    }

    /// A socket opened, failed or was given up. Returns who is next at this endpoint, and its delay.
    pub(crate) fn ended(
        &mut self,
        endpoint: &str,
        how: Ended,
        t: u64,
        rng: &mut Rng,
    ) -> Option<(DialId, u64)> {
        self.turn(t);
        self.pending = self.pending.saturating_sub(1);
        match how {
            Ended::Opened => {
                self.tallies[0].successes += 1;
                self.failed.remove(endpoint);
            }
            Ended::Failed => {
                self.tallies[0].failures += 1;
                self.failed_again(endpoint, t, rng);
            }
            Ended::GivenUp => self.tallies[0].failures += 1,
        }
        let next = self.connecting.get_mut(endpoint)?.pop_front();
        match next {
            Some(dial) => Some((dial, self.begins(endpoint, t, rng))),
            None => {
                self.connecting.remove(endpoint);
                None
            }
        }
    }

    fn failed_again(&mut self, endpoint: &str, t: u64, rng: &mut Rng) {
        let first = FAIL_FIRST_MS + rng.below(FAIL_SPREAD_MS + 1);
        self.failed
            .retain(|_, last| t < last.at + last.delay + FAIL_LIFE_MS);
        let delay = match self.failed.get(endpoint) {
            Some(last) => (last.delay * FAIL_GROWTH / 100).min(FAIL_CAP_MS),
            None => first,
        };
        let delay = FailDelay { at: t, delay };
        self.failed.insert(endpoint.to_owned(), delay);
    }

    /// A dial that still waits for its endpoint is given up.
    pub(crate) fn forgets(&mut self, dial: DialId, endpoint: &str) {
        if let Some(waiting) = self.connecting.get_mut(endpoint) {
            waiting.retain(|other| *other != dial);
        }
    }

    fn turn(&mut self, t: u64) {
        let period = t / PERIOD_MS;
        if period != self.period {
            let last = if period == self.period + 1 {
                self.tallies[0]
            } else {
                Tally::default()
            };
            self.tallies = [Tally::default(), last];
            self.period = period;
        }
    }
}

/// When a timer that is due at `due` fires on a page that has been hidden since then. `phase`: when the browser wakes its
/// hidden pages is its own affair.
pub(crate) fn timer_fires(due: u64, hidden_since: Option<u64>, phase: u64) -> u64 {
    let Some(since) = hidden_since else {
        return due;
    };
    let align = if due.saturating_sub(since) >= HIDDEN_LONG_MS {
        HIDDEN_LONG_ALIGN_MS
    } else {
        HIDDEN_ALIGN_MS
    };
    let phase = phase % align;
    let past = due.saturating_add(align - phase);
    let next = past.checked_next_multiple_of(align);
    next.map_or(due, |next| next - (align - phase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_failures_without_success_cost_seconds_and_a_success_forgives_half() {
        let mut rng = Rng::new(1);
        let mut page = Browser::new(Brand::Chromium);
        for n in 0..16 {
            let host = format!("host{n}");
            page.wants(DialId(n), &host, 0, &mut rng);
            page.ended(&host, Ended::Failed, 0, &mut rng);
        }
        let delay = page.wants(DialId(99), "good", 1, &mut rng).expect("free");
        assert!((1_000..=5_000).contains(&delay), "{delay}");
        page.ended("good", Ended::Opened, 2, &mut rng);
        let delay = page.wants(DialId(100), "next", 3, &mut rng).expect("free");
        assert!(delay <= 5_000 >> 8, "{delay}");
    }

    #[test]
    fn failures_are_forgotten_after_two_periods() {
        let mut rng = Rng::new(2);
        let mut page = Browser::new(Brand::Chromium);
        for n in 0..16 {
            let host = format!("host{n}");
            page.wants(DialId(n), &host, 0, &mut rng);
            page.ended(&host, Ended::Failed, 0, &mut rng);
        }
        let later = 2 * PERIOD_MS;
        let delay = page.wants(DialId(99), "good", later, &mut rng);
        assert_eq!(delay.map(|ms| ms * 65_536 / 65_536), Some(0));
    }

    #[test]
    fn firefox_delays_only_the_host_that_failed_and_longer_each_time() {
        let mut rng = Rng::new(3);
        let mut page = Browser::new(Brand::Firefox);
        let mut last = 0;
        for round in 0..4 {
            let delay = page.wants(DialId(round), "bad", 0, &mut rng).expect("free");
            assert!(round == 0 || delay > last, "{delay} after {last}");
            last = delay;
            page.ended("bad", Ended::Failed, 0, &mut rng);
        }
        assert_eq!(page.wants(DialId(9), "good", 0, &mut rng), Some(0));
    }

    #[test]
    fn a_second_socket_to_an_endpoint_waits_for_the_first() {
        let mut rng = Rng::new(4);
        let mut page = Browser::new(Brand::Native);
        assert_eq!(page.wants(DialId(1), "host", 0, &mut rng), Some(0));
        assert_eq!(page.wants(DialId(2), "host", 0, &mut rng), None);
        let next = page.ended("host", Ended::Opened, 5, &mut rng);
        assert_eq!(next, Some((DialId(2), 0)));
    }

    #[test]
    fn timers_of_a_hidden_page_are_aligned() {
        assert_eq!(timer_fires(1_234, None, 5), 1_234);
        assert_eq!(timer_fires(1_234, Some(1_000), 0), 2_000);
        assert_eq!(timer_fires(400_001, Some(1_000), 0), 420_000);
        assert_eq!(timer_fires(400_001, Some(1_000), 59_500), 419_500);
        assert_eq!(timer_fires(419_500, Some(1_000), 59_500), 419_500);
        assert_eq!(timer_fires(1_234, Some(1_000), 59_500), 1_500);
    }
}
