//! What goes into the walk and what comes out.

use crate::discovery::{
    enr::Enr,
    enrtree::{EnrTreeUrl, EntryError, RootError},
};

/// How the walk behaves. The defaults are those of the field, named beside each number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalkConfig {
    /// How many resolvers the shell has. A query names one by its place; the first is preferred.
    pub resolvers: usize,
    /// The most look-ups under way at once. HTTPS multiplexes them; a browser would queue many more.
    pub max_in_flight: usize,
    /// The most look-ups in any second. go-ethereum's 3 are for UDP.
    pub max_per_second: usize,
    /// The most look-ups of one run, repeated ones included. A page wants a few peers, not the whole tree.
    pub budget: u32,
    /// How long the shell waits for one answer, in milliseconds.
    pub lookup_timeout_ms: u32,
    /// The deepest level below a root. A tree of 13 children a branch has 28,561 leaves on its fourth.
    pub max_depth: u32,
    /// The most entries of a tree that are remembered; go-ethereum keeps 1000.
    pub max_entries: usize,
    /// The most trees, configured and linked together. Configured ones beyond it are left out.
    pub max_trees: usize,
    /// How many links away from a configured tree another one may be.
    pub max_link_depth: u32,
    /// How long a root holds at most, in milliseconds; its time to live may be shorter. go-ethereum reads it again after
    /// 30 minutes.
    pub root_lifetime_ms: u64,
    /// How long a root that failed is left alone the first time, in milliseconds; doubled each time.
    pub root_backoff_ms: u64,
    /// How long a resolver that failed or lied is passed over the first time, in milliseconds; doubled each time.
    pub resolver_backoff_ms: u64,
    /// Where both back-offs stop growing, in milliseconds.
    pub max_backoff_ms: u64,
    /// So many entries missing in a row mean that the tree was published anew: its root is read again.
    pub missing_before_reread: u32,
}

impl Default for WalkConfig {
    fn default() -> Self {
        Self {
            resolvers: 1,
            max_in_flight: 10,
            max_per_second: 20,
            budget: 50,
            lookup_timeout_ms: 5_000,
            max_depth: 16,
            max_entries: 1_000,
            max_trees: 16,
            max_link_depth: 8,
            root_lifetime_ms: 30 * 60 * 1_000,
            root_backoff_ms: 5_000,
            resolver_backoff_ms: 30_000,
            max_backoff_ms: 10 * 60 * 1_000,
            missing_before_reread: 5,
        }
    }
}

/// Tells look-ups apart. Never used twice by one walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub u64);

/// A look-up for the shell to make: the TXT records of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// To be given back with the answer.
    pub id: QueryId,
    /// Which resolver to ask.
    pub resolver: usize,
    /// The name, without a dot at its end.
    pub name: String,
    /// After so many milliseconds the answer is [`ResolverFailure::Timeout`]. The shell's clock decides.
    pub timeout_ms: u32,
}

/// How a look-up ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The name exists.
    Txt {
        /// The TXT records, the strings of each joined; empty when the name has none.
        records: Vec<String>,
        /// The shortest time to live of these records, in seconds.
        ttl_s: u32,
    },
    /// The resolver says that there is no such name.
    NoSuchName,
    /// The resolver gave no answer.
    Failed(ResolverFailure),
}

/// Why a resolver gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResolverFailure {
    /// The request failed, or its status was not 200.
    #[error("request failed")]
    Http,
    /// No answer in time.
    #[error("timed out")]
    Timeout,
    /// The answer says that the resolver could not find out, or would not.
    #[error("resolver error")]
    ServFail,
    /// The answer is no DNS message.
    #[error("malformed answer")]
    Malformed,
}

/// Why a resolver is passed over for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Suspicion {
    /// It gave no answer.
    #[error("no answer: {0}")]
    Failed(ResolverFailure),
    /// It gave a forged answer, or denied a name that exists: another resolver gave the true one.
    #[error("gave a false answer")]
    Lied,
}

/// Why a tree gave nothing new. From the least telling to the most: of two resolvers' faults the greater is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum TreeError {
    /// No resolver answered.
    #[error("no resolver answered")]
    Resolver,
    /// There is no root at the domain.
    #[error("no root at the domain")]
    NoRoot,
    /// The root is older than one that was seen before. A warning: what was known of the tree stays.
    #[error("the root is older than a known one")]
    SeqRollback,
    /// The root's text is not one.
    #[error("the root is malformed")]
    BadSyntax,
    /// The root is not signed by the key of the URL.
    #[error("the root is not signed by the key of the url")]
    BadSignature,
}

impl TreeError {
    /// The fixed name of this reason, for logs and tests.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Resolver => "resolver",
            Self::NoRoot => "no-root",
            Self::SeqRollback => "seq-rollback",
            Self::BadSyntax => "root-syntax",
            Self::BadSignature => "root-signature",
        }
    }
}

impl From<RootError> for TreeError {
    fn from(error: RootError) -> Self {
        match error {
            RootError::Signature => Self::BadSignature,
            _ => Self::BadSyntax,
        }
    }
}

/// What the walk found or noticed. `tree` is the place of a tree: configured ones first, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WalkEvent {
    /// A verified record. Each comes once, and only the newest known of a node.
    Candidate {
        /// The record.
        enr: Enr,
        /// The tree in which it stands.
        tree: usize,
    },
    /// A tree links to another one.
    Link {
        /// The tree in which the link stands.
        tree: usize,
        /// The tree to which it leads.
        url: EnrTreeUrl,
        /// Whether that one is read because of it: not when it is known already or a limit is reached.
        followed: bool,
    },
    /// An entry gave nothing; the rest of its tree stands.
    EntryDropped {
        /// The tree in which it stands.
        tree: usize,
        /// Its name.
        name: String,
        /// Why.
        reason: EntryError,
    },
    /// A tree gave nothing in this run; with [`TreeError::SeqRollback`], nothing new.
    TreeFailed {
        /// The tree.
        tree: usize,
        /// Its URL.
        url: EnrTreeUrl,
        /// It was found by a link, so nobody asked for it.
        linked: bool,
        /// Why.
        reason: TreeError,
    },
    /// A resolver is passed over for a while, as long as there is another one.
    ResolverSuspect {
        /// Which.
        resolver: usize,
        /// Why.
        reason: Suspicion,
    },
    /// The run is over. [`Walk::start`](super::Walk::start) begins the next, which continues where this one ended.
    Finished {
        /// How many candidates came.
        found: u32,
        /// Look-ups were made and not one answer was of use.
        failed: bool,
        /// An answer was of use. Neither: all that there was to do was known by heart, and nobody was asked.
        answered: bool,
    },
}
