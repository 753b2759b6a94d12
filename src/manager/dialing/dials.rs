//! Dials under way, and how many more may be made (4.7).
//!
//! Owns the token bucket, how the last dials ended, the jobs (one for each peer being dialed: its addresses are tried one after another, each a
//! dial of its own) and the endpoints to which a connection is being made.

use std::collections::VecDeque;

use litemap::LiteMap;
use multiaddr::Multiaddr;

use crate::manager::boundary::command::DialWhy;
use crate::manager::boundary::config::Config;
use crate::manager::boundary::event::{DialId, RequirementId, Transport};
use crate::manager::tools::services::Cover;
use crate::manager::tools::slot::Ix;

/// A token bucket in exact integers: a millionth of a token is the unit, so that the time of the calls does not show.
#[derive(Debug)]
pub(in crate::manager) struct Bucket {
    level: i64,
    filled_at: u64,
    capacity: i64,
    /// Units that come back each millisecond.
    rate: u64,
    overdraft: i64,
}

/// One token.
const TOKEN: i64 = 1_000_000;

impl Bucket {
    pub(in crate::manager) fn new(config: &Config, now: u64) -> Self {
        let capacity = i64::from(config.dial_tokens) * TOKEN;
        Self {
            level: capacity,
            filled_at: now,
            capacity,
            rate: Self::rate(config),
            overdraft: i64::from(config.dial_overdraft) * TOKEN,
        }
    }

    /// What the configuration asks for: tokens for each second are thousands of units for each millisecond.
    pub(in crate::manager) fn rate(config: &Config) -> u64 {
        u64::from(config.dial_tokens_per_s) * 1_000
    }

    /// Another rate from now on.
    pub(in crate::manager) fn set_rate(&mut self, now: u64, rate: u64) {
        if rate != self.rate {
            self.level = self.level(now);
            self.filled_at = self.filled_at.max(now);
            self.rate = rate;
        }
    }

    fn level(&self, now: u64) -> i64 {
        let gained = now.saturating_sub(self.filled_at).saturating_mul(self.rate);
        let gained = i64::try_from(gained).unwrap_or(i64::MAX);
        self.level.saturating_add(gained).min(self.capacity)
    }

    /// Whole tokens; negative when overdrawn.
    pub(in crate::manager) fn tokens(&self, now: u64) -> i32 {
        i32::try_from(self.level(now).div_euclid(TOKEN)).unwrap_or(i32::MAX)
    }

    /// Takes a token if there is one, or if the overdraft may be used.
    pub(in crate::manager) fn take(&mut self, now: u64, overdraw: bool) -> bool {
        if !self.has(now, overdraw) {
            return false;
        }
        self.level = self.level(now) - TOKEN;
        self.filled_at = self.filled_at.max(now);
        true
    }

    /// Whether `take` would succeed.
    pub(in crate::manager) fn has(&self, now: u64, overdraw: bool) -> bool {
        self.level(now) >= self.floor(overdraw)
    }

    /// What must be there for one dial.
    fn floor(&self, overdraw: bool) -> i64 {
        if overdraw {
            TOKEN - self.overdraft
        } else {
            TOKEN
        }
    }

    /// When one may be taken again.
    pub(in crate::manager) fn next(&self, now: u64, overdraw: bool) -> Option<u64> {
        let missing = self.floor(overdraw) - self.level(now);
        let missing = u64::try_from(missing).unwrap_or(0);
        (self.rate > 0).then(|| now.saturating_add(missing.div_ceil(self.rate)))
    }
}

/// How the last dials ended.
#[derive(Debug, Default)]
pub(in crate::manager) struct Results {
    /// One bit for each, the last lowest; set: it failed.
    failed: u16,
    known: u32,
}

impl Results {
    /// The dials that are looked at.
    const WINDOW: u32 = u16::BITS;

    pub(in crate::manager) fn record(&mut self, succeeded: bool) {
        self.failed = self.failed << 1 | u16::from(!succeeded);
        self.known = (self.known + 1).min(Self::WINDOW);
    }

    /// They say nothing of what comes.
    pub(in crate::manager) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Of at least eight, less than a quarter succeeded.
    pub(in crate::manager) fn mostly_fail(&self) -> bool {
        let succeeded = self.known - self.failed.count_ones();
        self.known >= 8 && succeeded * 4 < self.known
    }
}

/// One address being tried.
#[derive(Debug, Clone)]
pub(in crate::manager) struct Flight {
    pub(in crate::manager) dial: DialId,
    pub(in crate::manager) route: Multiaddr,
    pub(in crate::manager) endpoint: u64,
    pub(in crate::manager) group: u64,
    pub(in crate::manager) subnet: u64,
    pub(in crate::manager) transport: Transport,
}

/// An address to try.
#[derive(Debug, Clone)]
pub(in crate::manager) struct Leg {
    pub(in crate::manager) route: Multiaddr,
    pub(in crate::manager) endpoint: u64,
    pub(in crate::manager) group: u64,
    pub(in crate::manager) subnet: u64,
    pub(in crate::manager) transport: Transport,
}

/// One peer being dialed.
#[derive(Debug, Clone)]
pub(in crate::manager) struct Job {
    pub(in crate::manager) why: DialWhy,
    /// What it is expected to bring.
    pub(in crate::manager) cover: Cover,
    /// A bootstrap peer that the ladder released.
    pub(in crate::manager) bootstrap: bool,
    /// The user waits for it: it may overdraw the bucket.
    pub(in crate::manager) urgent: bool,
    pub(in crate::manager) started_at: u64,
    /// What comes after the current address.
    pub(in crate::manager) rest: VecDeque<Leg>,
    /// `None` while the next address waits for a token or for its endpoint.
    pub(in crate::manager) flight: Option<Flight>,
}

impl Job {
    /// The netgroup and subnet where it leads, or will lead next.
    pub(in crate::manager) fn place(&self) -> Option<(u64, u64)> {
        match &self.flight {
            Some(flight) => Some((flight.group, flight.subnet)),
            None => self.rest.front().map(|leg| (leg.group, leg.subnet)),
        }
    }
}

/// All dials.
#[derive(Debug)]
pub(in crate::manager) struct Dials {
    jobs: LiteMap<Ix, Job>,
    by_id: LiteMap<DialId, Ix>,
    connecting: LiteMap<u64, ()>,
    pub(in crate::manager) bucket: Bucket,
    pub(in crate::manager) results: Results,
    named: u64,
}

impl Dials {
    pub(in crate::manager) fn new(config: &Config, now: u64) -> Self {
        Self {
            jobs: LiteMap::new(),
            by_id: LiteMap::new(),
            connecting: LiteMap::new(),
            bucket: Bucket::new(config, now),
            results: Results::default(),
            named: 0,
        }
    }

    /// Jobs under way, waiting ones included.
    pub(in crate::manager) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(in crate::manager) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    pub(in crate::manager) fn iter(&self) -> impl Iterator<Item = (Ix, &Job)> {
        self.jobs.iter().map(|(ix, job)| (*ix, job))
    }

    pub(in crate::manager) fn job(&self, ix: Ix) -> Option<&Job> {
        self.jobs.get(&ix)
    }

    /// Whom a dial is for.
    pub(in crate::manager) fn whose(&self, dial: DialId) -> Option<Ix> {
        self.by_id.get(&dial).copied()
    }

    /// Whether somebody is connecting to this host and port.
    pub(in crate::manager) fn busy(&self, endpoint: u64) -> bool {
        self.connecting.contains_key(&endpoint)
    }

    /// A requirement is gone: nothing is expected for it any more.
    pub(in crate::manager) fn forget_requirement(&mut self, id: RequirementId) {
        for (_, job) in self.jobs.iter_mut() {
            job.cover = job.cover.without(id);
        }
    }

    /// Whose current address is of this transport, in the order in which they began.
    pub(in crate::manager) fn of_transport(
        &self,
        transport: Transport,
    ) -> impl Iterator<Item = Ix> + '_ {
        self.by_id.values().copied().filter(move |ix| {
            let flight = self.jobs.get(ix).and_then(|job| job.flight.as_ref());
            flight.is_some_and(|flight| flight.transport == transport)
        })
    }

    pub(in crate::manager) fn begin(&mut self, ix: Ix, job: Job) {
        let replaced = self.jobs.insert(ix, job);
        debug_assert!(replaced.is_none(), "one job for each peer");
    }

    /// Jobs whose next address waits.
    pub(in crate::manager) fn waiting(&self) -> Vec<Ix> {
        self.jobs
            .iter()
            .filter(|(_, job)| job.flight.is_none())
            .map(|(ix, _)| *ix)
            .collect()
    }

    /// Changes what comes after the current address.
    pub(in crate::manager) fn set_rest(&mut self, ix: Ix, rest: VecDeque<Leg>) {
        if let Some(job) = self.jobs.get_mut(&ix) {
            job.rest = rest;
        }
    }

    /// Takes off with the first address whose endpoint is free. `None`: all must wait.
    pub(in crate::manager) fn take_off(&mut self, ix: Ix) -> Option<Flight> {
        let job = self.jobs.get_mut(&ix)?;
        if job.flight.is_some() {
            return None;
        }
        let place = job
            .rest
            .iter()
            .position(|leg| !self.connecting.contains_key(&leg.endpoint))?;
        let leg = job.rest.remove(place)?;
        self.named += 1;
        let flight = Flight {
            dial: DialId(self.named),
            route: leg.route,
            endpoint: leg.endpoint,
            group: leg.group,
            subnet: leg.subnet,
            transport: leg.transport,
        };
        self.by_id.insert(flight.dial, ix);
        self.connecting.insert(flight.endpoint, ());
        job.flight = Some(flight.clone());
        Some(flight)
    }

    /// The current address is done with; the job remains.
    pub(in crate::manager) fn land(&mut self, ix: Ix) -> Option<Flight> {
        let flight = self.jobs.get_mut(&ix)?.flight.take()?;
        self.by_id.remove(&flight.dial);
        self.connecting.remove(&flight.endpoint);
        Some(flight)
    }

    /// The job is done with.
    pub(in crate::manager) fn end(&mut self, ix: Ix) -> Option<Job> {
        let flight = self.land(ix);
        let mut job = self.jobs.remove(&ix)?;
        job.flight = flight;
        Some(job)
    }

    /// Whether the views agree (R4).
    pub(in crate::manager) fn check(&self, config: &Config) {
        let flying: Vec<&Flight> = self
            .jobs
            .values()
            .filter_map(|job| job.flight.as_ref())
            .collect();
        assert!(
            flying.len() <= config.dials_in_flight,
            "in flight <= cap (S10)"
        );
        assert_eq!(flying.len(), self.by_id.len());
        assert_eq!(
            flying.len(),
            self.connecting.len(),
            "one for each endpoint (S10)"
        );
        for (dial, ix) in &self.by_id {
            let flight = self.jobs[ix].flight.as_ref();
            assert!(flight.is_some_and(|flight| flight.dial == *dial));
        }
    }
}
