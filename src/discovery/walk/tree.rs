//! What is known of one tree.

use litemap::LiteMap;

use super::types::WalkConfig;
use crate::discovery::enrtree::{EnrTreeUrl, EntryHash, Root};

/// One of the two subtrees of a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subtree {
    /// `e`: records.
    Records,
    /// `l`: links.
    Links,
}

/// Where a tree stands with its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RootState {
    /// To be read, not before this time in milliseconds.
    Wanted(u64),
    /// Being read.
    Asked,
    /// Read and verified; holds until this time.
    Fresh(u64),
    /// Could not be read in this run; not to be read again before this time.
    Failed(u64),
}

/// An entry to be read: its hash and how far below the root it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) hash: EntryHash,
    pub(super) depth: u32,
}

/// The entries of a subtree that are not read yet.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// To be read in this run.
    pub(super) open: Vec<Pending>,
    /// Failed in this run; to be read again in the next.
    deferred: Vec<Pending>,
    /// Every hash of the two lists, and those being read.
    known: LiteMap<EntryHash, ()>,
    /// Grows with each root that names another top of the subtree: answers about the old one then mean nothing.
    pub(super) generation: u32,
}

impl Work {
    /// The root names another top: nothing of the old subtree is left to do.
    fn restart(&mut self) {
        *self = Self {
            generation: self.generation + 1,
            ..Self::default()
        };
    }
}

/// An entry that was read. Content under its own hash never changes, so it is never read twice.
#[derive(Debug)]
enum Read {
    Branch(Vec<EntryHash>),
    Leaf,
}

/// Why children were left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Depth,
    Entries,
}

/// A tree: its URL, its root, what was read and what is left. Bounded by `max_entries`.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) url: EnrTreeUrl,
    /// How many links away from a configured tree; 0 for those.
    pub(super) link_depth: u32,
    pub(super) state: RootState,
    /// The newest verified root.
    pub(super) root: Option<Root>,
    records: Work,
    links: Work,
    read: LiteMap<EntryHash, Read>,
    failures: u32,
    missing_in_row: u32,
}

impl Tree {
    pub(super) fn new(url: EnrTreeUrl, link_depth: u32) -> Self {
        Self {
            url,
            link_depth,
            state: RootState::Wanted(0),
            root: None,
            records: Work::default(),
            links: Work::default(),
            read: LiteMap::new(),
            failures: 0,
            missing_in_row: 0,
        }
    }

    pub(super) fn work(&self, subtree: Subtree) -> &Work {
        match subtree {
            Subtree::Records => &self.records,
            Subtree::Links => &self.links,
        }
    }

    fn work_mut(&mut self, subtree: Subtree) -> &mut Work {
        match subtree {
            Subtree::Records => &mut self.records,
            Subtree::Links => &mut self.links,
        }
    }

    /// A new run: what failed in the last one is open again, and a root that is too old is wanted.
    pub(super) fn begin_run(&mut self, now: u64) {
        for work in [&mut self.records, &mut self.links] {
            work.open.append(&mut work.deferred);
        }
        match self.state {
            RootState::Fresh(until) if now >= until => self.state = RootState::Wanted(0),
            RootState::Failed(until) => self.state = RootState::Wanted(until),
            _ => {}
        }
    }

    /// Whether the root is to be read now.
    pub(super) fn wants_root(&self, now: u64) -> bool {
        matches!(self.state, RootState::Wanted(from) if from <= now)
    }

    /// How many entries of a subtree can be read now: none while a newer root may make them void.
    pub(super) fn open(&self, subtree: Subtree, now: u64) -> usize {
        if self.state == RootState::Asked || self.wants_root(now) {
            0
        } else {
            self.work(subtree).open.len()
        }
    }

    /// Takes the entry at `place` to read it.
    pub(super) fn take(&mut self, subtree: Subtree, place: usize) -> Pending {
        self.work_mut(subtree).open.swap_remove(place)
    }

    /// An entry that was taken was not asked for after all.
    pub(super) fn put_back(&mut self, subtree: Subtree, entry: Pending) {
        self.work_mut(subtree).open.push(entry);
    }

    /// An entry could not be read. It may well be readable in the next run.
    pub(super) fn defer(&mut self, subtree: Subtree, entry: Pending) {
        self.work_mut(subtree).deferred.push(entry);
    }

    /// A verified root that is not older than the last.
    pub(super) fn adopt(&mut self, root: Root, until: u64, config: &WalkConfig) {
        let old = self.root.replace(root);
        let new = self.root.as_ref().expect("set in the line above");
        let (e, l) = (new.e().clone(), new.l().clone());
        self.state = RootState::Fresh(until);
        self.failures = 0;
        self.missing_in_row = 0;
        if old.as_ref().map(Root::e) != Some(&e) {
            self.records.restart();
            // Entries of trees that were published over the months must not fill the memory for ever.
            if self.read.len() > config.max_entries / 2 {
                self.read.clear();
            }
            self.add(Subtree::Records, vec![e], 1, config);
        }
        if old.as_ref().map(Root::l) != Some(&l) {
            self.links.restart();
            self.add(Subtree::Links, vec![l], 1, config);
        }
    }

    /// The root could not be read, or is of no use.
    pub(super) fn fail(&mut self, now: u64, config: &WalkConfig) {
        let doublings = self.failures.min(16);
        self.failures += 1;
        let wait = (config.root_backoff_ms << doublings).min(config.max_backoff_ms);
        self.state = RootState::Failed(now + wait);
    }

    pub(super) fn forgive(&mut self) {
        self.failures = 0;
        match self.state {
            RootState::Wanted(_) => self.state = RootState::Wanted(0),
            RootState::Failed(_) => self.state = RootState::Failed(0),
            RootState::Asked | RootState::Fresh(_) => {}
        }
    }

    /// A branch was read: its children are to be read, unless they were.
    pub(super) fn read_branch(
        &mut self,
        subtree: Subtree,
        branch: Pending,
        children: Vec<EntryHash>,
        config: &WalkConfig,
    ) -> Option<Limit> {
        self.missing_in_row = 0;
        self.work_mut(subtree).known.remove(&branch.hash);
        self.read
            .insert(branch.hash, Read::Branch(children.clone()));
        self.add(subtree, children, branch.depth + 1, config)
    }

    /// A leaf was read, or is of no use for good.
    pub(super) fn read_leaf(&mut self, subtree: Subtree, leaf: Pending) {
        self.missing_in_row = 0;
        self.work_mut(subtree).known.remove(&leaf.hash);
        self.read.insert(leaf.hash, Read::Leaf);
    }

    /// An entry does not exist. Many in a row mean that the tree was published anew.
    pub(super) fn missing(&mut self, config: &WalkConfig) {
        self.missing_in_row += 1;
        if self.missing_in_row >= config.missing_before_reread
            && matches!(self.state, RootState::Fresh(_))
        {
            self.missing_in_row = 0;
            self.state = RootState::Wanted(0);
        }
    }

    /// Adds entries to be read; below branches that were read before, their children.
    fn add(
        &mut self,
        subtree: Subtree,
        hashes: Vec<EntryHash>,
        depth: u32,
        config: &WalkConfig,
    ) -> Option<Limit> {
        let mut limit = None;
        let mut levels = vec![(hashes, depth)];
        // Each branch is expanded once, so this ends even if branches that were read share children.
        let mut expanded = LiteMap::new_vec();
        while let Some((hashes, depth)) = levels.pop() {
            if depth > config.max_depth {
                limit = limit.or(Some(Limit::Depth));
                continue;
            }
            for hash in hashes {
                match self.read.get(&hash) {
                    Some(Read::Leaf) => continue,
                    Some(Read::Branch(children)) => {
                        if expanded.insert(hash, ()).is_none() {
                            levels.push((children.clone(), depth + 1));
                        }
                        continue;
                    }
                    None => {}
                }
                let remembered =
                    self.read.len() + self.records.known.len() + self.links.known.len();
                if self.work(subtree).known.contains_key(&hash) {
                    continue;
                }
                if remembered >= config.max_entries {
                    limit = Some(Limit::Entries);
                    continue;
                }
                let work = self.work_mut(subtree);
                work.known.insert(hash.clone(), ());
                work.open.push(Pending { hash, depth });
            }
        }
        limit
    }
}
