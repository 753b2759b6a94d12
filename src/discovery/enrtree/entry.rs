//! What stands below a root: branches, records and links, each under the hash of its own text.

use data_encoding::BASE32_NOPAD;

use super::{EnrTreeUrl, ROOT_PREFIX, URL_PREFIX, UrlError};
use crate::discovery::{
    enr::{self, Enr, EnrError},
    keccak256,
};

/// What the text of every branch begins with.
pub(super) const BRANCH_PREFIX: &str = "enrtree-branch:";

/// The longest text of an entry in bytes: ours. Publishers stay below 512 so that an answer fits one packet.
pub const MAX_TEXT: usize = 2048;

/// How many bytes of a hash make a name.
const NAME_BYTES: usize = 16;

/// The name under which a text must stand: the first 16 bytes of its Keccak-256, in base32.
pub fn subdomain(text: &str) -> EntryHash {
    EntryHash(BASE32_NOPAD.encode(&keccak256(text.as_bytes())[..NAME_BYTES]))
}

/// The hash of an entry, which is also its name below the domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryHash(String);

impl EntryHash {
    /// Reads a label: 12 to 32 bytes in upper case base32 without padding. Publishers write 16.
    pub fn parse(label: &str) -> Option<Self> {
        let bytes = label.len() * 5 / 8;
        // Letters that complete no byte: no encoder leaves them.
        let whole = matches!(label.len() % 8, 0 | 2 | 4 | 5 | 7);
        let letters = label
            .bytes()
            .all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'));
        ((12..=32).contains(&bytes) && whole && letters).then(|| Self(label.to_owned()))
    }

    /// The label as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `text` is what this hash promises.
    pub fn matches(&self, text: &str) -> bool {
        let hash = keccak256(text.as_bytes());
        let length = self.0.len() * 5 / 8;
        // Left-over bits of the last letter carry nothing, as go-ethereum reads it, so the comparison is by bytes.
        self.bytes().eq(hash[..length].iter().copied())
    }

    fn bytes(&self) -> impl Iterator<Item = u8> {
        let mut letters = self.0.bytes();
        let (mut window, mut bits) = (0_u32, 0_u32);
        std::iter::from_fn(move || {
            while bits < 8 {
                let letter = letters.next()?;
                let value = match letter {
                    b'A'..=b'Z' => letter - b'A',
                    _ => letter - b'2' + 26,
                };
                window = window << 5 | u32::from(value);
                bits += 5;
            }
            bits -= 8;
            let [.., byte] = (window >> bits).to_be_bytes();
            Some(byte)
        })
    }
}

impl std::fmt::Display for EntryHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// An entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The hashes of the entries below; none in an empty tree.
    Branch(Vec<EntryHash>),
    /// A record, verified. A leaf of the `e` subtree.
    Enr(Enr),
    /// Another tree. A leaf of the `l` subtree.
    Link(EnrTreeUrl),
}

/// Why an entry gives nothing. The rest of its tree stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Neither a branch nor a record nor a link.
    #[error("unknown entry")]
    Unknown,
    /// A root at a name below the root.
    #[error("a root may not appear below a root")]
    NestedRoot,
    /// More bytes than [`MAX_TEXT`].
    #[error("longer than 2048 bytes")]
    TooLong,
    /// A branch with something else than hashes.
    #[error("not a hash of an entry")]
    Child,
    /// A link that is not the URL of a tree.
    #[error("link: {0}")]
    Link(#[from] UrlError),
    /// A record that is not one.
    #[error("record: {0}")]
    Enr(#[from] EnrError),
    /// The text is not what the name promises, so somebody changed it.
    #[error("the text does not have the hash of its name")]
    HashMismatch,
    /// A record below `l`, where only links may stand.
    #[error("a record in the subtree of links")]
    EnrInLinkTree,
    /// A link below `e`, where only records may stand. It is never followed.
    #[error("a link in the subtree of records")]
    LinkInEnrTree,
    /// Nothing is published at the name.
    #[error("no such entry")]
    Missing,
    /// Deeper than any real tree.
    #[error("too deep")]
    TooDeep,
    /// The tree has more entries than are kept.
    #[error("too many entries")]
    TooMany,
    /// An older record of a node of which a newer one is known.
    #[error("a newer record of the same node is known")]
    Superseded,
}

impl EntryError {
    /// The fixed name of this reason, for logs and tests.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unknown => "unknown entry",
            Self::NestedRoot => "a root may not appear below a root",
            Self::TooLong => "too-long",
            Self::Child => "child",
            Self::Link(_) => "link",
            Self::Enr(_) => "enr",
            Self::HashMismatch => "hash-mismatch",
            Self::EnrInLinkTree => "enr-in-link-tree",
            Self::LinkInEnrTree => "link-in-enr-tree",
            Self::Missing => "missing",
            Self::TooDeep => "too-deep",
            Self::TooMany => "too-many",
            Self::Superseded => "superseded",
        }
    }
}

impl Entry {
    /// Reads an entry. Whether it stands under its own hash is for [`EntryHash::matches`] to say.
    pub fn parse(text: &str) -> Result<Self, EntryError> {
        if text.len() > MAX_TEXT {
            return Err(EntryError::TooLong);
        }
        if let Some(children) = text.strip_prefix(BRANCH_PREFIX) {
            if children.is_empty() {
                return Ok(Self::Branch(Vec::new()));
            }
            return children
                .split(',')
                .map(|label| EntryHash::parse(label).ok_or(EntryError::Child))
                .collect::<Result<_, _>>()
                .map(Self::Branch);
        }
        if text.starts_with(enr::PREFIX) {
            return Ok(Self::Enr(Enr::from_text(text)?));
        }
        if text.starts_with(URL_PREFIX) {
            return Ok(Self::Link(text.parse::<EnrTreeUrl>()?));
        }
        if text.starts_with(ROOT_PREFIX) {
            return Err(EntryError::NestedRoot);
        }
        Err(EntryError::Unknown)
    }

    /// Whether a text among the TXT records of a name is meant as an entry, as opposed to whatever else the name bears.
    pub(in crate::discovery) fn looks_like(text: &str) -> bool {
        [BRANCH_PREFIX, enr::PREFIX, URL_PREFIX]
            .iter()
            .any(|prefix| text.starts_with(prefix))
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Branch(children) => {
                f.write_str(BRANCH_PREFIX)?;
                for (place, child) in children.iter().enumerate() {
                    let comma = if place == 0 { "" } else { "," };
                    write!(f, "{comma}{child}")?;
                }
                Ok(())
            }
            Self::Enr(enr) => enr.fmt(f),
            Self::Link(url) => url.fmt(f),
        }
    }
}
