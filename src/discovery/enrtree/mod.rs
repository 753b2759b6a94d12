//! Signed record trees (EIP-1459): a Merkle tree of node records, published as TXT records.
//!
//! The root is signed by the key of the tree's URL. Each name below it is the hash of its own text, so one signature
//! authenticates everything, whoever carries it.

pub mod builder;
mod entry;
mod root;
mod url;

pub use entry::{Entry, EntryError, EntryHash, MAX_TEXT, subdomain};
pub use root::{ROOT_PREFIX, Root, RootError};
pub use url::{EnrTreeUrl, URL_PREFIX, UrlError};
