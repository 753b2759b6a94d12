//! One look-up, from the first resolver to the last, and what its answer means for a root.

use super::{
    tree::{Pending, Subtree},
    types::{Answer, TreeError},
};
use crate::discovery::enrtree::{EnrTreeUrl, MAX_TEXT, ROOT_PREFIX, Root};

/// A look-up under way or about to be repeated.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) tree: usize,
    pub(super) what: What,
    /// Resolvers asked, the current one last.
    pub(super) tried: Vec<usize>,
    /// The worst that earlier resolvers did about a root.
    pub(super) fault: Option<TreeError>,
    /// A resolver whose answer was false if the next one's is true.
    pub(super) suspect: Option<usize>,
}

/// What is looked up.
#[derive(Debug)]
pub(super) enum What {
    Root,
    Entry(Target),
}

/// An entry that is looked up.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) subtree: Subtree,
    pub(super) entry: Pending,
    /// The subtree's generation when it was taken.
    pub(super) generation: u32,
}

impl Job {
    pub(super) fn new(tree: usize, what: What) -> Self {
        Self {
            tree,
            what,
            tried: Vec::new(),
            fault: None,
            suspect: None,
        }
    }

    /// The resolver asked last.
    pub(super) fn resolver(&self) -> usize {
        *self
            .tried
            .last()
            .expect("an answer comes only from a resolver that was asked")
    }

    /// The answer of the resolver asked last is false, unless another one says the same.
    pub(super) fn suspect_answer(&mut self) {
        self.suspect = self.suspect.or(Some(self.resolver()));
    }
}

/// The root in an answer, verified and not older than `least`, with its time to live in seconds.
pub(super) fn read_root(
    url: &EnrTreeUrl,
    least: Option<u64>,
    answer: Answer,
) -> Result<(Root, u32), TreeError> {
    let (records, ttl_s) = match answer {
        Answer::Txt { records, ttl_s } => (records, ttl_s),
        Answer::NoSuchName => return Err(TreeError::NoRoot),
        Answer::Failed(_) => return Err(TreeError::Resolver),
    };
    // The name may bear other TXT records, in any order.
    let mut worst = TreeError::NoRoot;
    for text in records.iter().filter(|text| text.starts_with(ROOT_PREFIX)) {
        let root = if text.len() > MAX_TEXT {
            Err(TreeError::BadSyntax)
        } else {
            Root::parse(text)
                .and_then(|root| root.verify(url.verifying_key()).map(|()| root))
                .map_err(TreeError::from)
        };
        match root {
            Ok(root) if least.is_some_and(|least| root.seq() < least) => {
                worst = worst.max(TreeError::SeqRollback);
            }
            Ok(root) => return Ok((root, ttl_s)),
            Err(error) => worst = worst.max(error),
        }
    }
    Err(worst)
}
