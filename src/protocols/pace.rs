//! How fast one server may be asked by one protocol: a first burst, then a spacing, and slower once it says "too many".
//!
//! What servers allow is told by nobody. nwaku's filter takes 30 requests a minute, go-waku one a second with a burst of one
//! (filter.md, section 4). So a [`Pacer`] begins with what most servers take, and learns from a 429: for a while there are no
//! more bursts there. Time is milliseconds of any clock.

use std::collections::VecDeque;

/// What a server is taken to allow until it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Requests that may follow one another without a wait. At least 1.
    pub burst: u16,
    /// How soon a place in the burst comes back, in milliseconds.
    pub interval_ms: u32,
    /// Most requests in any minute; 0 for no such bound.
    pub per_minute: u16,
    /// How far requests are apart at a server that answered 429 lately, at the least, in milliseconds.
    pub limited_interval_ms: u32,
    /// The first wait after a 429, in milliseconds; doubled each time, up to [`MAX_BACKOFF_MS`].
    pub backoff_ms: u32,
}

impl Pace {
    /// Filter: 28 of nwaku's 30 a minute, so that a clock that runs a little slower than ours does no harm. A burst of 20
    /// leaves room for the pings of that minute. The first wait after a 429 is go-waku's second, so that subscriptions made
    /// in quick succession are all made within two.
    pub const FILTER: Self = Self {
        burst: 20,
        interval_ms: 2_100,
        per_minute: 28,
        limited_interval_ms: 2_100,
        backoff_ms: 1_100,
    };

    /// Protocols whose servers set no limit as shipped by nwaku, and one request a second by go-waku: as fast as it comes
    /// until a 429, then at go-waku's pace with a tenth to spare.
    pub const UNTOLD: Self = Self {
        burst: u16::MAX,
        interval_ms: 0,
        per_minute: 0,
        limited_interval_ms: 1_100,
        backoff_ms: 1_000,
    };
}

/// The longest wait after a 429 (lightpush.md, section 7; store.md, section 6).
pub const MAX_BACKOFF_MS: u64 = 60_000;
/// A server that answered 429 gets no bursts for so long after the last one.
const REMEMBER_MS: u64 = 10 * 60 * 1_000;
/// So many 429s in a row, over so long, are a refusal and not a pace.
const REFUSALS: u16 = 5;
const REFUSED_AFTER_MS: u64 = 30_000;
const MINUTE_MS: u64 = 60_000;

/// The pace at one server. Small, and of no more use once [`is_idle`](Self::is_idle).
#[derive(Debug, Clone)]
pub struct Pacer {
    pace: Pace,
    /// When the burst will be whole again.
    whole_at: u64,
    /// The times of the requests of the last minute, at most [`Pace::per_minute`].
    recent: VecDeque<u64>,
    limit: Option<Limit>,
}

/// What a 429 has taught.
#[derive(Debug, Clone, Copy)]
struct Limit {
    /// When the last one came.
    at: u64,
    /// How long to wait after it; halved by each success.
    backoff: u64,
    /// No request before this time.
    until: u64,
    /// How many came without a success between, and since when.
    in_a_row: u16,
    since: u64,
    /// Whether anything was asked since: several requests under way that are all answered 429 are one piece of news.
    asked_since: bool,
}

impl Pacer {
    /// A pacer for a server that was not asked yet.
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            whole_at: 0,
            recent: VecDeque::new(),
            limit: None,
        }
    }

    /// Takes the place of one request, or says in how many milliseconds there is one.
    pub fn try_take(&mut self, now: u64) -> Result<(), u64> {
        match self.wait(now) {
            0 => {
                let interval = self.interval(now);
                self.whole_at = self.whole_at.max(now) + interval;
                if let Some(limit) = &mut self.limit {
                    limit.asked_since = true;
                }
                if self.pace.per_minute > 0 {
                    if self.recent.len() >= usize::from(self.pace.per_minute) {
                        self.recent.pop_front();
                    }
                    self.recent.push_back(now);
                }
                Ok(())
            }
            wait => Err(wait),
        }
    }

    /// In how many milliseconds a request may go out; 0 for at once.
    pub fn wait(&self, now: u64) -> u64 {
        let room = u64::from(self.burst(now) - 1) * self.interval(now);
        let spaced = self.whole_at.saturating_sub(now.saturating_add(room));
        // A clock that was set back must not make a wait that nobody can outlive.
        let spaced = spaced.min(MAX_BACKOFF_MS);
        let minute = match self.recent.front() {
            Some(first)
                if self.recent.len() >= usize::from(self.pace.per_minute) && *first <= now =>
            {
                // One more, since a minute has both its ends.
                (first + MINUTE_MS + 1).saturating_sub(now)
            }
            _ => 0,
        };
        let held = self
            .limit
            .map_or(0, |limit| limit.until.saturating_sub(now))
            .min(MAX_BACKOFF_MS);
        spaced.max(minute).max(held)
    }

    /// How many requests may go out now, one after the other.
    pub fn room(&self, now: u64) -> u16 {
        if self.wait(now) > 0 {
            return 0;
        }
        let burst = self.burst(now);
        let used = match self.interval(now) {
            0 => 0,
            interval => self.whole_at.saturating_sub(now).div_ceil(interval),
        };
        let left = u64::from(burst).saturating_sub(used);
        let minute = match self.pace.per_minute {
            0 => u64::MAX,
            most => {
                let recent = self.recent.iter();
                let recent = recent.filter(|at| **at + MINUTE_MS >= now).count();
                u64::from(most).saturating_sub(recent as u64)
            }
        };
        u16::try_from(left.min(minute)).unwrap_or(u16::MAX)
    }

    /// The server answered 429.
    pub fn limited(&mut self, now: u64) {
        let first = u64::from(self.pace.backoff_ms);
        let limit = match self.limit {
            Some(limit) if !limit.asked_since => Limit { at: now, ..limit },
            Some(limit) if now.saturating_sub(limit.at) < REMEMBER_MS => Limit {
                at: now,
                backoff: (limit.backoff * 2).clamp(first, MAX_BACKOFF_MS),
                until: 0,
                in_a_row: limit.in_a_row.saturating_add(1),
                since: if limit.in_a_row == 0 {
                    now
                } else {
                    limit.since
                },
                asked_since: false,
            },
            _ => Limit {
                at: now,
                backoff: first,
                until: 0,
                in_a_row: 1,
                since: now,
                asked_since: false,
            },
        };
        // What is left of the burst is void: from here on, one at a time.
        self.whole_at = self.whole_at.min(now);
        self.limit = Some(Limit {
            until: now + limit.backoff,
            ..limit
        });
    }

    /// The server answered otherwise.
    pub fn ok(&mut self, now: u64) {
        if let Some(limit) = &mut self.limit {
            limit.in_a_row = 0;
            limit.backoff /= 2;
            if now.saturating_sub(limit.at) >= REMEMBER_MS {
                self.limit = None;
            }
        }
    }

    /// Whether it answers 429 to everything: too often in a row, for too long, to mean only "slower".
    pub fn refuses(&self) -> bool {
        self.limit.is_some_and(|limit| {
            limit.in_a_row >= REFUSALS && limit.at.saturating_sub(limit.since) >= REFUSED_AFTER_MS
        })
    }

    /// Whether forgetting it changes nothing.
    pub fn is_idle(&self, now: u64) -> bool {
        self.whole_at <= now
            && !self.is_limited(now)
            && self
                .recent
                .back()
                .is_none_or(|last| now.saturating_sub(*last) > MINUTE_MS)
    }

    /// Whether a 429 is remembered.
    pub fn is_limited(&self, now: u64) -> bool {
        self.limit
            .is_some_and(|limit| now.saturating_sub(limit.at) < REMEMBER_MS)
    }

    fn burst(&self, now: u64) -> u16 {
        if self.is_limited(now) {
            1
        } else {
            self.pace.burst.max(1)
        }
    }

    fn interval(&self, now: u64) -> u64 {
        let plain = u64::from(self.pace.interval_ms);
        match self.limit {
            Some(limit) if self.is_limited(now) => plain
                .max(u64::from(self.pace.limited_interval_ms))
                .max(limit.backoff / 2),
            _ => plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks for a place each 10 ms from `from` to `to`; the times at which there was one.
    fn greedy(pacer: &mut Pacer, from: u64, to: u64) -> Vec<u64> {
        (from..to)
            .step_by(10)
            .filter(|now| pacer.try_take(*now).is_ok())
            .collect()
    }

    fn most_in_a_minute(times: &[u64]) -> usize {
        let in_minute = |from: &u64| {
            let until = from + MINUTE_MS;
            times
                .iter()
                .filter(|at| (*from..=until).contains(*at))
                .count()
        };
        times.iter().map(in_minute).max().unwrap_or(0)
    }

    #[test]
    fn a_burst_goes_out_at_once_and_no_minute_has_more_than_servers_allow() {
        let mut pacer = Pacer::new(Pace::FILTER);
        assert_eq!(pacer.room(0), 20);
        let times = greedy(&mut pacer, 1_000, 1_000 + 20 * MINUTE_MS);
        assert_eq!(times.iter().filter(|at| **at < 1_500).count(), 20);
        assert_eq!(most_in_a_minute(&times), 28);
        let later: Vec<_> = times.iter().filter(|at| **at > 10 * MINUTE_MS).collect();
        assert!(later.len() > 250, "the pace is used: {}", later.len());
    }

    #[test]
    fn the_wait_that_is_told_is_enough_and_not_more() {
        let mut pacer = Pacer::new(Pace::FILTER);
        let mut now = 0;
        for _ in 0..200 {
            if let Err(wait) = pacer.try_take(now) {
                assert!(pacer.clone().try_take(now + wait - 1).is_err());
                now += wait;
                assert_eq!(pacer.try_take(now), Ok(()));
            }
        }
    }

    #[test]
    fn the_room_that_is_told_can_be_taken() {
        let mut pacer = Pacer::new(Pace::FILTER);
        for now in (0..200_000).step_by(700) {
            let mut copy = pacer.clone();
            for _ in 0..pacer.room(now) {
                assert_eq!(copy.try_take(now), Ok(()));
            }
            assert!(copy.try_take(now).is_err());
            let _ = pacer.try_take(now);
        }
    }

    #[test]
    fn a_429_ends_bursts_and_makes_waits_that_double_and_halve() {
        let mut pacer = Pacer::new(Pace::FILTER);
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..7 {
            assert_eq!(pacer.try_take(now), Ok(()));
            pacer.limited(now);
            waits.push(pacer.wait(now));
            now += pacer.wait(now);
        }
        assert_eq!(waits, [1_100, 2_200, 4_400, 8_800, 17_600, 35_200, 60_000]);
        let mut waits = Vec::new();
        for _ in 0..7 {
            assert_eq!(pacer.try_take(now), Ok(()));
            pacer.ok(now);
            waits.push(pacer.wait(now));
            now += pacer.wait(now);
        }
        assert_eq!(waits[0], 30_000);
        assert_eq!(waits[6], 2_100);
    }

    #[test]
    fn bursts_come_back_ten_minutes_after_the_last_429() {
        let mut pacer = Pacer::new(Pace::FILTER);
        pacer.try_take(0).unwrap();
        pacer.limited(0);
        assert_eq!(pacer.room(REMEMBER_MS - 1), 1);
        assert_eq!(pacer.room(REMEMBER_MS), 20);
    }

    #[test]
    fn many_429s_to_what_was_under_way_are_one() {
        let mut pacer = Pacer::new(Pace::UNTOLD);
        for _ in 0..10 {
            assert_eq!(pacer.try_take(5), Ok(()));
        }
        for _ in 0..10 {
            pacer.limited(6);
        }
        assert_eq!(pacer.wait(6), 1_000);
        assert!(!pacer.refuses());
    }

    #[test]
    fn five_429s_in_a_row_over_half_a_minute_are_a_refusal() {
        let mut pacer = Pacer::new(Pace::FILTER);
        let mut now = 0;
        while now < REFUSED_AFTER_MS {
            assert!(!pacer.refuses(), "after {now} ms");
            pacer.try_take(now).unwrap();
            pacer.limited(now);
            now += pacer.wait(now);
        }
        pacer.try_take(now).unwrap();
        pacer.limited(now);
        assert!(pacer.refuses());
        pacer.ok(now);
        assert!(!pacer.refuses());
    }

    #[test]
    fn a_server_of_one_a_second_is_learnt_and_then_never_overrun() {
        let mut pacer = Pacer::new(Pace::UNTOLD);
        let (mut last_taken, mut refused) = (None::<u64>, 0);
        for now in (0..60_000).step_by(10) {
            if pacer.try_take(now).is_ok() {
                let early = last_taken.is_some_and(|last| now - last < 1_000);
                last_taken = Some(now);
                if early {
                    refused += 1;
                    pacer.limited(now);
                } else {
                    pacer.ok(now);
                }
            }
        }
        assert_eq!(refused, 1);
    }

    #[test]
    fn a_clock_set_back_holds_nothing_up_for_more_than_a_minute() {
        let mut pacer = Pacer::new(Pace::FILTER);
        greedy(&mut pacer, 1_000_000, 1_100_000);
        pacer.limited(1_100_000);
        assert!(pacer.wait(0) <= MAX_BACKOFF_MS);
        assert!(pacer.wait(u64::MAX / 2) == 0 && pacer.is_idle(u64::MAX / 2));
    }
}
