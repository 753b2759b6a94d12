//! Rate limits as servers have them: so many requests of a peer in a period, then 429.

use std::time::Duration;

use tokio::time::Instant;

/// Requests that a peer may make: a bucket that is full again once a period has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Requests in a period; one more is answered with 429.
    pub requests: u32,
    /// The period, which begins with its first request.
    pub period: Duration,
}

/// What is left of a limit.
#[derive(Debug)]
pub(crate) struct Bucket {
    since: Instant,
    used: u32,
}

impl Bucket {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            since: now,
            used: 0,
        }
    }

    /// Whether one more is in the limit.
    pub(crate) fn take(&mut self, limit: Limit, now: Instant) -> bool {
        if now.duration_since(self.since) >= limit.period {
            *self = Self::new(now);
        }
        let within = self.used < limit.requests;
        self.used += u32::from(within);
        within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_full_again_after_its_period() {
        let limit = Limit {
            requests: 2,
            period: Duration::from_secs(1),
        };
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        let mut take = |ms| bucket.take(limit, start + Duration::from_millis(ms));
        assert!(take(0) && take(500));
        assert!(!take(999));
        assert!(take(1000));
    }
}
