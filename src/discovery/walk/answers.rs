//! What an answer means: what to believe, what to ask again, what to give out.

use super::{
    Walk,
    job::{Job, Target, read_root},
    tree::{Limit, Subtree, Tree},
    types::{Answer, Suspicion, TreeError, WalkEvent},
};
use crate::discovery::{
    enr::Enr,
    enrtree::{EnrTreeUrl, Entry, EntryError, EntryHash},
};

/// How many resolvers are asked about one name.
const MAX_TRIES: usize = 2;

/// For so many nodes the newest sequence number is remembered.
const MAX_NODES: usize = 4096;

impl Walk {
    /// Repeats a look-up with another resolver, or gives it back when none is left or the budget is used up.
    fn retry(&mut self, job: Job) -> Option<Job> {
        let left = job.tried.len() < self.resolvers.count().min(MAX_TRIES);
        match &mut self.run {
            Some(run) if left && run.budget > 0 => {
                run.budget -= 1;
                self.retries.push_back(job);
                None
            }
            _ => Some(job),
        }
    }

    /// An answer of use: from the resolver asked last, so one asked before it was wrong.
    fn answered_well(&mut self, now: u64, job: &Job) {
        self.resolvers.answered(now, job.resolver());
        if let Some(liar) = job.suspect {
            self.suspend(now, liar, Suspicion::Lied);
        }
        if let Some(run) = &mut self.run {
            run.good += 1;
        }
    }

    pub(super) fn suspend(&mut self, now: u64, resolver: usize, reason: Suspicion) {
        if self.resolvers.suspend(now, resolver) {
            self.events
                .push_back(WalkEvent::ResolverSuspect { resolver, reason });
        }
    }

    pub(super) fn root_answered(&mut self, now: u64, mut job: Job, answer: Answer) {
        let place = job.tree;
        let url = &self.trees[place].url;
        let least = self.sequences.get(&url.to_string()).copied();
        match read_root(url, least, answer) {
            Ok((root, ttl_s)) => {
                self.answered_well(now, &job);
                self.sequences
                    .insert(self.trees[place].url.to_string(), root.seq());
                let lifetime = (u64::from(ttl_s) * 1_000).min(self.config.root_lifetime_ms);
                self.trees[place].adopt(root, now + lifetime, &self.config);
            }
            Err(fault) => {
                let fault = job.fault.map_or(fault, |earlier| earlier.max(fault));
                job.fault = Some(fault);
                // An older root is no lie: it may still stand in a cache.
                if !matches!(fault, TreeError::Resolver | TreeError::SeqRollback) {
                    job.suspect_answer();
                }
                if self.retry(job).is_none() {
                    return;
                }
                let tree = &mut self.trees[place];
                tree.fail(now, &self.config);
                self.events.push_back(WalkEvent::TreeFailed {
                    tree: place,
                    url: tree.url.clone(),
                    linked: place >= self.configured,
                    reason: fault,
                });
            }
        }
    }

    pub(super) fn entry_answered(
        &mut self,
        now: u64,
        mut job: Job,
        target: Target,
        answer: Answer,
    ) {
        let place = job.tree;
        if target.generation != self.trees[place].work(target.subtree).generation {
            return;
        }
        let records = match answer {
            Answer::Txt { records, .. } => records,
            Answer::NoSuchName => Vec::new(),
            Answer::Failed(_) => {
                if self.retry(job).is_some() {
                    self.trees[place].defer(target.subtree, target.entry);
                }
                return;
            }
        };
        let hash = &target.entry.hash;
        if let Some(text) = records.iter().find(|text| hash.matches(text)) {
            self.answered_well(now, &job);
            self.entry_read(place, target, text);
        } else if records.iter().any(|text| Entry::looks_like(text)) {
            job.suspect_answer();
            if self.retry(job).is_some() {
                self.drop_entry(place, hash, EntryError::HashMismatch);
                self.trees[place].defer(target.subtree, target.entry);
            }
        } else {
            self.drop_entry(place, hash, EntryError::Missing);
            self.trees[place].defer(target.subtree, target.entry);
            self.trees[place].missing(&self.config);
        }
    }

    /// An entry whose text has the right hash.
    fn entry_read(&mut self, place: usize, target: Target, text: &str) {
        let Target { subtree, entry, .. } = target;
        let hash = entry.hash.clone();
        let result = match (Entry::parse(text), subtree) {
            (Ok(Entry::Branch(children)), _) => {
                let limit = self.trees[place].read_branch(subtree, entry, children, &self.config);
                match limit {
                    Some(Limit::Depth) => self.drop_entry(place, &hash, EntryError::TooDeep),
                    Some(Limit::Entries) => self.drop_entry(place, &hash, EntryError::TooMany),
                    None => {}
                }
                return;
            }
            (Ok(Entry::Enr(enr)), Subtree::Records) => self.found(place, enr),
            (Ok(Entry::Link(url)), Subtree::Links) => {
                self.follow(place, url);
                Ok(())
            }
            (Ok(Entry::Enr(_)), Subtree::Links) => Err(EntryError::EnrInLinkTree),
            (Ok(Entry::Link(_)), Subtree::Records) => Err(EntryError::LinkInEnrTree),
            (Err(error), _) => Err(error),
        };
        self.trees[place].read_leaf(subtree, entry);
        if let Err(reason) = result {
            self.drop_entry(place, &hash, reason);
        }
    }

    fn found(&mut self, tree: usize, enr: Enr) -> Result<(), EntryError> {
        let known = self.nodes.get(&enr.peer_id()).copied();
        match known {
            Some(seq) if seq > enr.seq() => return Err(EntryError::Superseded),
            // The same record in another tree, or a second one under the same number: the first stands.
            Some(seq) if seq == enr.seq() => return Ok(()),
            _ => {}
        }
        if known.is_some() || self.nodes.len() < MAX_NODES {
            self.nodes.insert(enr.peer_id(), enr.seq());
        }
        if let Some(run) = &mut self.run {
            run.found += 1;
        }
        self.events.push_back(WalkEvent::Candidate { enr, tree });
        Ok(())
    }

    fn follow(&mut self, from: usize, url: EnrTreeUrl) {
        let link_depth = self.trees[from].link_depth + 1;
        let followed = self.trees.len() < self.config.max_trees
            && link_depth <= self.config.max_link_depth
            && self
                .domains
                .insert(url.domain().to_ascii_lowercase(), ())
                .is_none();
        if followed {
            self.trees.push(Tree::new(url.clone(), link_depth));
        }
        self.events.push_back(WalkEvent::Link {
            tree: from,
            url,
            followed,
        });
    }

    fn drop_entry(&mut self, tree: usize, hash: &EntryHash, reason: EntryError) {
        let name = format!("{hash}.{}", self.trees[tree].url.domain());
        self.events
            .push_back(WalkEvent::EntryDropped { tree, name, reason });
    }
}
