//! A small world for the walk: some resolvers, some zones, and a clock that jumps from one event to the next.

use std::collections::{BTreeMap, BTreeSet};

use k256::ecdsa::SigningKey;

use crate::discovery::{
    enr::builder::EnrBuilder,
    enrtree::{
        EntryError,
        builder::{Zone, build_zone},
    },
    walk::{Answer, QueryId, ResolverFailure, Suspicion, TreeError, Walk, WalkConfig, WalkEvent},
};

/// How long every look-up takes.
pub(super) const ROUND_TRIP_MS: u64 = 30;
pub(super) const TTL_S: u32 = 60;

pub(super) type Records = BTreeMap<String, Vec<String>>;

/// How a resolver behaves.
pub(super) enum Resolver {
    Serves(Records),
    Fails(ResolverFailure),
}

pub(super) struct World {
    pub(super) walk: Walk,
    pub(super) now: u64,
    pub(super) resolvers: Vec<Resolver>,
    /// Time, resolver and name of each look-up.
    pub(super) asked: Vec<(u64, usize, String)>,
    pub(super) events: Vec<(u64, WalkEvent)>,
    pub(super) most_in_flight: usize,
    answers: BTreeMap<(u64, QueryId), Answer>,
}

impl World {
    pub(super) fn new(zones: &[&Zone], resolvers: Vec<Resolver>) -> Self {
        Self::with(zones, resolvers, WalkConfig::default(), 1)
    }

    pub(super) fn with(
        zones: &[&Zone],
        resolvers: Vec<Resolver>,
        config: WalkConfig,
        seed: u8,
    ) -> Self {
        let config = WalkConfig {
            resolvers: resolvers.len(),
            ..config
        };
        let urls = zones.iter().map(|zone| zone.url.clone()).collect();
        Self {
            walk: Walk::new(urls, config, [seed; 32]),
            now: 1_000_000,
            resolvers,
            asked: Vec::new(),
            events: Vec::new(),
            most_in_flight: 0,
            answers: BTreeMap::new(),
        }
    }

    /// Starts a run and lives until it is over.
    pub(super) fn run(&mut self) {
        self.walk.start(self.now);
        let before = self.events.len();
        while !self.finished_since(before) {
            let waits = self.step();
            assert!(
                waits || self.finished_since(before),
                "the run neither ends nor waits for anything",
            );
        }
    }

    /// Lives until the next thing happens; `false` when nothing ever will.
    pub(super) fn step(&mut self) -> bool {
        while let Some(query) = self.walk.poll_query(self.now) {
            let answer = match &self.resolvers[query.resolver] {
                Resolver::Serves(records) => match records.get(&query.name) {
                    Some(records) => Answer::Txt {
                        records: records.clone(),
                        ttl_s: TTL_S,
                    },
                    None => Answer::NoSuchName,
                },
                Resolver::Fails(failure) => Answer::Failed(*failure),
            };
            self.asked.push((self.now, query.resolver, query.name));
            self.answers
                .insert((self.now + ROUND_TRIP_MS, query.id), answer);
            self.most_in_flight = self.most_in_flight.max(self.answers.len());
        }
        let answer = self.answers.keys().next().map(|(time, _)| *time);
        let next = [answer, self.walk.next_deadline()]
            .into_iter()
            .flatten()
            .min();
        if let Some(next) = next {
            assert!(
                next > self.now || answer == Some(next),
                "a deadline that passed would make the shell spin",
            );
            self.now = self.now.max(next);
        }
        let due: Vec<_> = self
            .answers
            .range(..=(self.now, QueryId(u64::MAX)))
            .map(|(key, _)| *key)
            .collect();
        for key in due {
            let answer = self.answers.remove(&key).expect("listed above");
            self.walk.handle_answer(self.now, key.1, answer);
        }
        while let Some(event) = self.walk.poll_event() {
            self.events.push((self.now, event));
        }
        next.is_some()
    }

    fn finished_since(&self, place: usize) -> bool {
        self.events[place..]
            .iter()
            .any(|(_, event)| matches!(event, WalkEvent::Finished { .. }))
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.asked
            .iter()
            .map(|(_, _, name)| name.as_str())
            .collect()
    }

    /// The texts of all candidates, in the order in which they came.
    pub(super) fn candidates(&self) -> Vec<String> {
        self.events
            .iter()
            .filter_map(|(_, event)| match event {
                WalkEvent::Candidate { enr, .. } => Some(enr.to_text()),
                _ => None,
            })
            .collect()
    }

    pub(super) fn candidate_set(&self) -> BTreeSet<String> {
        self.candidates().into_iter().collect()
    }

    pub(super) fn tree_failures(&self) -> Vec<TreeError> {
        self.events
            .iter()
            .filter_map(|(_, event)| match event {
                WalkEvent::TreeFailed { reason, .. } => Some(*reason),
                _ => None,
            })
            .collect()
    }

    pub(super) fn dropped(&self) -> Vec<EntryError> {
        self.events
            .iter()
            .filter_map(|(_, event)| match event {
                WalkEvent::EntryDropped { reason, .. } => Some(*reason),
                _ => None,
            })
            .collect()
    }

    pub(super) fn suspects(&self) -> Vec<(usize, Suspicion)> {
        self.events
            .iter()
            .filter_map(|(_, event)| match event {
                WalkEvent::ResolverSuspect { resolver, reason } => Some((*resolver, *reason)),
                _ => None,
            })
            .collect()
    }

    /// How the last run ended: candidates found, and whether it failed.
    pub(super) fn last_end(&self) -> (u32, bool) {
        self.events
            .iter()
            .rev()
            .find_map(|(_, event)| match event {
                WalkEvent::Finished { found, failed, .. } => Some((*found, *failed)),
                _ => None,
            })
            .expect("no run has ended")
    }
}

pub(super) fn key(number: u16) -> SigningKey {
    let mut bytes = [1; 32];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_slice(&bytes).expect("a valid scalar")
}

/// The record of a node.
pub(super) fn enr(number: u16, seq: u64) -> String {
    EnrBuilder::new(seq)
        .ip4([192, 0, 2, 1].into())
        .tcp(number)
        .sign(&key(number))
        .expect("a small record")
        .to_text()
}

pub(super) fn enrs(numbers: std::ops::Range<u16>) -> Vec<String> {
    numbers.map(|number| enr(number, 1)).collect()
}

/// A tree of its own key for each domain.
pub(super) fn zone(domain: &str, seq: u64, enrs: &[String], links: &[String]) -> Zone {
    let number = 1_000 + u16::from(domain.as_bytes()[0]);
    build_zone(&key(number), domain, seq, enrs, links).expect("a valid domain")
}

pub(super) fn records(zones: &[&Zone]) -> Records {
    zones.iter().flat_map(|zone| zone.records.clone()).collect()
}

pub(super) fn serves(zones: &[&Zone]) -> Resolver {
    Resolver::Serves(records(zones))
}

/// The same names with other texts below the root: valid records, but not the ones that the hashes promise.
pub(super) fn forged(zone: &Zone) -> Resolver {
    let mut records = zone.records.clone();
    for (name, texts) in &mut records {
        if name != zone.url.domain() {
            *texts = vec![enr(9_999, 1)];
        }
    }
    Resolver::Serves(records)
}
