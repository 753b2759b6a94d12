//! The walk over record trees, without input or output of its own (EIP-1459).
//!
//! The shell calls [`Walk::start`] for a run and then, until [`WalkEvent::Finished`] comes: takes look-ups from
//! [`Walk::poll_query`] until there is none, makes them, and gives each answer to [`Walk::handle_answer`]; takes what was
//! found from [`Walk::poll_event`]; and calls [`Walk::poll_query`] again at [`Walk::next_deadline`]. A call too many does
//! no harm. Time is milliseconds of any clock that does not go back.
//!
//! A run reads the roots, then the entries below them in an order that the seed decides, several at once, and gives out
//! each record as soon as it is verified: with a root, one branch and its leaves, after three look-ups in sequence. Links
//! to other trees are read beside that and never before. A run ends when nothing is left, when its budget is used up, or
//! by [`Walk::stop`]; the next continues where it ended.
//!
//! Resolvers are not trusted. Every entry is held against the hash that led to it and every root against the key of its
//! URL; what does not hold is asked once of another resolver. What an answer can cause is bounded by [`WalkConfig`].

mod answers;
mod job;
mod pace;
mod resolvers;
#[cfg(test)]
mod tests;
mod tree;
mod types;

use std::collections::VecDeque;

use libp2p_identity::PeerId;
use litemap::LiteMap;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use job::{Job, Target, What};
use pace::Pace;
use resolvers::Resolvers;
use tree::{RootState, Subtree, Tree};
pub use types::{
    Answer, Query, QueryId, ResolverFailure, Suspicion, TreeError, WalkConfig, WalkEvent,
};

use super::enrtree::EnrTreeUrl;

/// The walk over some trees and those that they link to.
#[derive(Debug)]
pub struct Walk {
    config: WalkConfig,
    /// Configured trees, then linked ones. Only ever grows, so a place stays valid.
    trees: Vec<Tree>,
    configured: usize,
    /// Domains of all trees, in lower case: a tree is read once, whoever links to it.
    domains: LiteMap<String, ()>,
    /// The highest sequence number of each tree, by URL.
    sequences: LiteMap<String, u64>,
    /// The highest sequence number of each node's record.
    nodes: LiteMap<PeerId, u64>,
    resolvers: Resolvers,
    pace: Pace,
    rng: ChaCha8Rng,
    run: Option<Run>,
    in_flight: LiteMap<QueryId, Job>,
    /// Look-ups to be made again, of another resolver. Already charged to the budget.
    retries: VecDeque<Job>,
    events: VecDeque<WalkEvent>,
    next_id: u64,
}

/// One run.
#[derive(Debug)]
struct Run {
    budget: u32,
    /// What is left for links and linked trees, so that they cannot use up the whole budget.
    link_budget: u32,
    lookups: u32,
    /// Answers of use.
    good: u32,
    found: u32,
}

impl Walk {
    /// A walk over the trees of `urls`; of trees of the same domain only the first counts. Nothing happens before
    /// [`start`](Self::start).
    pub fn new(urls: Vec<EnrTreeUrl>, config: WalkConfig, seed: [u8; 32]) -> Self {
        let mut domains = LiteMap::new_vec();
        let trees: Vec<_> = urls
            .into_iter()
            .filter(|url| {
                domains
                    .insert(url.domain().to_ascii_lowercase(), ())
                    .is_none()
            })
            .take(config.max_trees)
            .map(|url| Tree::new(url, 0))
            .collect();
        Self {
            configured: trees.len(),
            trees,
            domains,
            sequences: LiteMap::new(),
            nodes: LiteMap::new(),
            resolvers: Resolvers::new(
                config.resolvers,
                config.resolver_backoff_ms,
                config.max_backoff_ms,
            ),
            pace: Pace::new(config.max_per_second),
            rng: ChaCha8Rng::from_seed(seed),
            run: None,
            in_flight: LiteMap::new(),
            retries: VecDeque::new(),
            events: VecDeque::new(),
            next_id: 0,
            config,
        }
    }

    /// Begins a run, which continues where the last one ended. Nothing happens when one is under way.
    ///
    /// If every root is still backing off, the run waits; [`next_deadline`](Self::next_deadline) says how long.
    pub fn start(&mut self, now_ms: u64) {
        if self.run.is_some() {
            return;
        }
        for tree in &mut self.trees {
            tree.begin_run(now_ms);
        }
        self.run = Some(Run {
            budget: self.config.budget,
            link_budget: self.config.budget / 2,
            lookups: 0,
            good: 0,
            found: 0,
        });
        self.finish_if_done(now_ms);
    }

    /// Ends the run without an event. Look-ups under way are forgotten, and made again by the next run.
    pub fn stop(&mut self) {
        self.run = None;
        let jobs = std::mem::take(&mut self.in_flight).into_tuple_vec();
        let jobs = jobs.into_iter().map(|(_, job)| job);
        for job in jobs.chain(std::mem::take(&mut self.retries)) {
            let tree = &mut self.trees[job.tree];
            match job.what {
                What::Root => tree.state = RootState::Wanted(0),
                What::Entry(target)
                    if target.generation == tree.work(target.subtree).generation =>
                {
                    tree.put_back(target.subtree, target.entry);
                }
                What::Entry(_) => {}
            }
        }
    }

    /// The next look-up to make now, if any.
    pub fn poll_query(&mut self, now_ms: u64) -> Option<Query> {
        if self.run.is_none()
            || self.in_flight.len() >= self.config.max_in_flight
            || self.pace.next() > now_ms
        {
            return None;
        }
        let mut job = self.next_job(now_ms)?;
        let resolver = self
            .resolvers
            .pick(now_ms, &job.tried)
            .expect("a look-up is repeated only while a resolver is left");
        job.tried.push(resolver);
        let domain = self.trees[job.tree].url.domain();
        let name = match &job.what {
            What::Root => domain.to_owned(),
            What::Entry(target) => format!("{}.{domain}", target.entry.hash),
        };
        if let Some(run) = &mut self.run {
            run.lookups += 1;
        }
        self.pace.record(now_ms);
        let id = QueryId(self.next_id);
        self.next_id += 1;
        self.in_flight.insert(id, job);
        Some(Query {
            id,
            resolver,
            name,
            timeout_ms: self.config.lookup_timeout_ms,
        })
    }

    /// The answer to a look-up. One to an unknown or forgotten look-up does nothing.
    pub fn handle_answer(&mut self, now_ms: u64, id: QueryId, answer: Answer) {
        let Some(job) = self.in_flight.remove(&id) else {
            return;
        };
        if let Answer::Failed(failure) = answer {
            let resolver = job.resolver();
            self.suspend(now_ms, resolver, Suspicion::Failed(failure));
        }
        match &job.what {
            What::Root => self.root_answered(now_ms, job, answer),
            What::Entry(target) => {
                let target = target.clone();
                self.entry_answered(now_ms, job, target, answer);
            }
        }
        self.finish_if_done(now_ms);
    }

    /// What was found or noticed, in order.
    pub fn poll_event(&mut self) -> Option<WalkEvent> {
        self.events.pop_front()
    }

    /// When to call [`poll_query`](Self::poll_query) again if no answer comes before; `None` when only an answer or
    /// [`start`](Self::start) can bring anything.
    pub fn next_deadline(&self) -> Option<u64> {
        let run = self.run.as_ref()?;
        if self.in_flight.len() >= self.config.max_in_flight {
            return None;
        }
        let work = if self.retries.is_empty() {
            if run.budget == 0 {
                return None;
            }
            let root = self.trees.iter().enumerate().filter_map(|(place, tree)| {
                let allowed = place < self.configured || run.link_budget > 0;
                match tree.state {
                    RootState::Wanted(from) if allowed => Some(from),
                    _ => None,
                }
            });
            let entries = self.trees.iter().filter_map(|tree| {
                let links = run.link_budget > 0 && !tree.work(Subtree::Links).open.is_empty();
                let open = links || !tree.work(Subtree::Records).open.is_empty();
                (open && tree.state != RootState::Asked).then_some(0)
            });
            root.chain(entries).min()?
        } else {
            0
        };
        Some(work.max(self.pace.next()))
    }

    /// Whether a next run could read something that no run has tried yet. What failed is tried again in any case.
    pub fn has_more(&self) -> bool {
        self.trees.iter().any(|tree| {
            tree.root.is_none() && matches!(tree.state, RootState::Wanted(_) | RootState::Asked)
                || !tree.work(Subtree::Records).open.is_empty()
                || !tree.work(Subtree::Links).open.is_empty()
        }) || !self.in_flight.is_empty()
    }

    /// The network changed: nothing that failed before says anything any more.
    pub fn reset_backoff(&mut self) {
        self.resolvers.forgive();
        for tree in &mut self.trees {
            tree.forgive();
        }
    }

    /// The URL of the tree at a place.
    pub fn tree_url(&self, tree: usize) -> Option<&EnrTreeUrl> {
        self.trees.get(tree).map(|tree| &tree.url)
    }

    /// The trees whose root was read, with its sequence number: to be kept, and given to
    /// [`restore_sequence`](Self::restore_sequence) by the next session.
    pub fn sequences(&self) -> impl Iterator<Item = (&EnrTreeUrl, u64)> {
        self.trees
            .iter()
            .filter_map(|tree| Some((&tree.url, tree.root.as_ref()?.seq())))
    }

    /// A root of this tree with this number was seen in an earlier session: older ones are refused.
    pub fn restore_sequence(&mut self, url: &EnrTreeUrl, seq: u64) {
        let known = self.sequences.entry(url.to_string()).or_insert(seq);
        *known = seq.max(*known);
    }

    /// What to look up next. Roots first; then records before links until the first candidate, so that links never
    /// delay it, and links before records after it, since they are few.
    fn next_job(&mut self, now: u64) -> Option<Job> {
        if let Some(job) = self.retries.pop_front() {
            return Some(job);
        }
        let run = self.run.as_mut()?;
        run.budget = run.budget.checked_sub(1)?;
        let nothing_yet = run.found == 0;
        let links = run.link_budget > 0;
        let job = self
            .take_root(now, 0..self.configured)
            .or_else(|| nothing_yet.then(|| self.take_record(now)).flatten())
            .or_else(|| links.then(|| self.take_link(now)).flatten())
            .or_else(|| self.take_record(now));
        if job.is_none()
            && let Some(run) = &mut self.run
        {
            run.budget += 1;
        }
        job
    }

    fn take_root(&mut self, now: u64, places: std::ops::Range<usize>) -> Option<Job> {
        let place = places
            .into_iter()
            .find(|&place| self.trees[place].wants_root(now))?;
        self.trees[place].state = RootState::Asked;
        Some(Job::new(place, What::Root))
    }

    /// A random entry of a random tree: each tree has the same share, however large it is.
    fn take_record(&mut self, now: u64) -> Option<Job> {
        let open = |tree: &Tree| tree.open(Subtree::Records, now);
        let trees: Vec<_> = (0..self.trees.len())
            .filter(|&place| open(&self.trees[place]) > 0)
            .collect();
        if trees.is_empty() {
            return None;
        }
        let tree = trees[self.random(trees.len())];
        let entry = self.random(open(&self.trees[tree]));
        Some(self.take_entry(tree, Subtree::Records, entry))
    }

    fn take_link(&mut self, now: u64) -> Option<Job> {
        let entry = self
            .trees
            .iter()
            .position(|tree| tree.open(Subtree::Links, now) > 0);
        let job = match entry {
            Some(tree) => self.take_entry(tree, Subtree::Links, 0),
            None => self.take_root(now, self.configured..self.trees.len())?,
        };
        if let Some(run) = &mut self.run {
            run.link_budget -= 1;
        }
        Some(job)
    }

    fn take_entry(&mut self, place: usize, subtree: Subtree, entry: usize) -> Job {
        let tree = &mut self.trees[place];
        let entry = tree.take(subtree, entry);
        let generation = tree.work(subtree).generation;
        Job::new(
            place,
            What::Entry(Target {
                subtree,
                entry,
                generation,
            }),
        )
    }

    /// A number below `bound`, which is not 0.
    fn random(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("a usize has at most 64 bits");
        let scaled = (u64::from(self.rng.next_u32()) * bound) >> 32;
        usize::try_from(scaled).expect("below the bound, which is a usize")
    }

    fn finish_if_done(&mut self, now: u64) {
        let Some(run) = &self.run else {
            return;
        };
        if !self.in_flight.is_empty() || !self.retries.is_empty() {
            return;
        }
        let links = run.link_budget > 0;
        let work = run.budget > 0
            && self.trees.iter().enumerate().any(|(place, tree)| {
                tree.wants_root(now) && (links || place < self.configured)
                    || tree.open(Subtree::Records, now) > 0
                    || links && tree.open(Subtree::Links, now) > 0
            });
        // A run that has done nothing yet waits for a root's back-off; a later one does not let one tree hold it up.
        let waiting = run.lookups == 0
            && self.trees[..self.configured]
                .iter()
                .any(|tree| matches!(tree.state, RootState::Wanted(_)));
        if work || waiting {
            return;
        }
        self.events.push_back(WalkEvent::Finished {
            found: run.found,
            failed: run.lookups > 0 && run.good == 0,
            answered: run.good > 0,
        });
        self.run = None;
    }
}
