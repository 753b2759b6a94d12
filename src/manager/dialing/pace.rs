//! How fast dials may follow one another (4.7, 4.14).
//!
//! Owns the token bucket. When most dials fail although our network works, it fills half as fast.

use crate::manager::Manager;
use crate::manager::boundary::config::Config;

/// A token bucket in exact integers: a millionth of a token is the unit, so that the time of the calls does not show.
#[derive(Debug)]
struct Bucket {
    level: i64,
    filled_at: u64,
    capacity: i64,
    /// Units that come back each millisecond.
    rate: u64,
    overdraft: i64,
}

/// One token.
const TOKEN: i64 = 1_000_000;

/// What the configuration asks for: tokens for each second are thousands of units for each millisecond.
pub(in crate::manager) fn rate(config: &Config) -> u64 {
    u64::from(config.dial_tokens_per_s) * 1_000
}

impl Bucket {
    fn level(&self, now: u64) -> i64 {
        let gained = now.saturating_sub(self.filled_at).saturating_mul(self.rate);
        let gained = i64::try_from(gained).unwrap_or(i64::MAX);
        self.level.saturating_add(gained).min(self.capacity)
    }

    /// What must be there for one dial.
    fn floor(&self, overdraw: bool) -> i64 {
        if overdraw {
            TOKEN - self.overdraft
        } else {
            TOKEN
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(in crate::manager) struct Pace {
    bucket: Bucket,
}

impl Pace {
    pub(in crate::manager) fn new(config: &Config, now: u64) -> Self {
        let capacity = i64::from(config.dial_tokens) * TOKEN;
        Self {
            bucket: Bucket {
                level: capacity,
                filled_at: now,
                capacity,
                rate: rate(config),
                overdraft: i64::from(config.dial_overdraft) * TOKEN,
            },
        }
    }

    /// Another rate from now on, in millionths of a token for each millisecond.
    fn set_rate(&mut self, now: u64, rate: u64) {
        let bucket = &mut self.bucket;
        if rate != bucket.rate {
            bucket.level = bucket.level(now);
            bucket.filled_at = bucket.filled_at.max(now);
            bucket.rate = rate;
        }
    }

    /// Whole tokens; negative when overdrawn.
    pub(in crate::manager) fn tokens(&self, now: u64) -> i32 {
        i32::try_from(self.bucket.level(now).div_euclid(TOKEN)).unwrap_or(i32::MAX)
    }

    /// Whether there is a token. `overdraw`: whether there is one if the overdraft may be used.
    pub(in crate::manager) fn has(&self, now: u64, overdraw: bool) -> bool {
        self.bucket.level(now) >= self.bucket.floor(overdraw)
    }

    /// Takes a token. The bucket is overdrawn if there is none: [`Self::has`] is asked first.
    pub(in crate::manager) fn take(&mut self, now: u64) {
        let bucket = &mut self.bucket;
        bucket.level = bucket.level(now) - TOKEN;
        bucket.filled_at = bucket.filled_at.max(now);
    }

    /// When one may be taken again; `None` when none ever comes.
    pub(in crate::manager) fn next(&self, now: u64, overdraw: bool) -> Option<u64> {
        let bucket = &self.bucket;
        let missing = bucket.floor(overdraw) - bucket.level(now);
        let missing = u64::try_from(missing).unwrap_or(0);
        (bucket.rate > 0).then(|| now.saturating_add(missing.div_ceil(bucket.rate)))
    }
}

impl Manager {
    /// A dial ended: when most fail although our network works, the next ones come half as fast.
    pub(in crate::manager) fn dial_ended(&mut self, succeeded: bool) {
        self.outage.dial_ended(succeeded);
        self.set_pace();
    }

    /// The pace that the environment allows.
    pub(in crate::manager) fn set_pace(&mut self) {
        let mut rate = self.environment.dial_rate(&self.config);
        let mut open = self.connections.open();
        if self.outage.dials_mostly_fail() && open.any(|(_, conn)| conn.verified()) {
            rate /= 2;
        }
        self.pace.set_rate(self.now.mono_ms, rate);
    }
}
