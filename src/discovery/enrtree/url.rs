//! `enrtree://KEY@DOMAIN`: which tree, and whose signature it must bear.

use data_encoding::BASE32_NOPAD;
use k256::ecdsa::VerifyingKey;

/// What every tree URL begins with.
pub const URL_PREFIX: &str = "enrtree://";

/// The longest domain in letters: with the longest hash (52) and a dot before it, the name stays below the 253 of
/// RFC 1035.
const MAX_DOMAIN: usize = 200;

/// The longest label in letters (RFC 1035).
const MAX_LABEL: usize = 63;

/// The address of a tree: the key that signs its root and the domain that publishes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrTreeUrl {
    key: VerifyingKey,
    domain: String,
}

/// Why a text is not the URL of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It does not begin with `enrtree://`.
    #[error("the text does not begin with enrtree://")]
    Scheme,
    /// There is no key before an `@`.
    #[error("no public key before an @")]
    NoPublicKey,
    /// The key is not 53 upper case base32 letters of a compressed secp256k1 point.
    #[error("the public key is not 53 base32 letters of a secp256k1 point")]
    BadPublicKey,
    /// Letters that neither a key nor a domain has, or more than one `@`.
    #[error("not of the form enrtree://key@domain")]
    Syntax,
    /// What follows the `@` is not a domain name of at most 200 letters.
    #[error("not a domain name")]
    BadDomain,
}

impl UrlError {
    /// The fixed name of this reason, for logs and tests.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Scheme => "scheme",
            Self::NoPublicKey => "no-public-key",
            Self::BadPublicKey => "bad-public-key",
            Self::Syntax => "syntax",
            Self::BadDomain => "bad-domain",
        }
    }
}

impl EnrTreeUrl {
    /// A tree signed by `key` and published under `domain`.
    pub fn new(key: VerifyingKey, domain: &str) -> Result<Self, UrlError> {
        let domain = domain.strip_suffix('.').unwrap_or(domain);
        let valid = domain.len() <= MAX_DOMAIN
            && domain.split('.').all(|label| {
                (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(is_domain_letter)
            });
        if !valid {
            return Err(UrlError::BadDomain);
        }
        Ok(Self {
            key,
            domain: domain.to_owned(),
        })
    }

    /// The key that signs the root.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The key that signs the root, as a compressed point.
    pub fn public_key(&self) -> [u8; 33] {
        self.key
            .to_sec1_point(true)
            .as_bytes()
            .try_into()
            .expect("a compressed point has 33 bytes")
    }

    /// The domain as it was written, without a dot at its end.
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

fn is_domain_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

impl std::str::FromStr for EnrTreeUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let rest = text.strip_prefix(URL_PREFIX).ok_or(UrlError::Scheme)?;
        let Some((key, domain)) = rest.split_once('@') else {
            let plain = rest
                .bytes()
                .all(|byte| is_domain_letter(byte) || byte == b'.');
            return Err(if plain {
                UrlError::NoPublicKey
            } else {
                UrlError::Syntax
            });
        };
        if key.is_empty() {
            return Err(UrlError::NoPublicKey);
        }
        if domain.contains('@') {
            return Err(UrlError::Syntax);
        }
        let key = BASE32_NOPAD
            .decode(key.as_bytes())
            .ok()
            .filter(|key| key.len() == 33)
            .and_then(|key| VerifyingKey::from_sec1_bytes(&key).ok())
            .ok_or(UrlError::BadPublicKey)?;
        Self::new(key, domain)
    }
}

impl std::fmt::Display for EnrTreeUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = BASE32_NOPAD.encode(&self.public_key());
        write!(f, "{URL_PREFIX}{key}@{}", self.domain)
    }
}
