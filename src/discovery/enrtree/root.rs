//! The signed root: the TXT record of the domain itself.

use data_encoding::BASE64URL_NOPAD;
use k256::ecdsa::{Signature, VerifyingKey, signature::hazmat::PrehashVerifier};

use super::EntryHash;
use crate::discovery::keccak256;

/// What the text of every root begins with.
pub const ROOT_PREFIX: &str = "enrtree-root:v1";

/// `enrtree-root:v1 e=… l=… seq=… sig=…`, read but not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    e: EntryHash,
    l: EntryHash,
    seq: u64,
    /// `r`, `s` and a recovery id, which nothing needs.
    signature: [u8; 65],
    signed: String,
}

/// Why a text is not a root of its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// Not the four parts in their order, one space between them.
    #[error("not a root record")]
    Syntax,
    /// The hash of a subtree is not one.
    #[error("not a hash of an entry")]
    Child,
    /// The signature is not base64url without padding.
    #[error("signature is not unpadded base64url")]
    Base64,
    /// The signature is not 65 bytes.
    #[error("signature is not 65 bytes")]
    SignatureLength,
    /// Not signed by the key of the tree's URL.
    #[error("signature does not verify")]
    Signature,
}

impl RootError {
    /// The fixed name of this reason, for logs and tests.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::Child => "child",
            Self::Base64 => "base64",
            Self::SignatureLength => "signature-length",
            Self::Signature => "signature",
        }
    }
}

impl Root {
    /// Reads a root. Whether the right key signed it is for [`verify`](Self::verify) to say.
    pub fn parse(text: &str) -> Result<Self, RootError> {
        let mut parts = text.split(' ');
        let mut part = |prefix| {
            parts
                .next()
                .and_then(|part| part.strip_prefix(prefix))
                .ok_or(RootError::Syntax)
        };
        if !part(ROOT_PREFIX)?.is_empty() {
            return Err(RootError::Syntax);
        }
        let (e, l, seq, sig) = (part("e=")?, part("l=")?, part("seq=")?, part("sig=")?);
        if parts.next().is_some() {
            return Err(RootError::Syntax);
        }
        let e = EntryHash::parse(e).ok_or(RootError::Child)?;
        let l = EntryHash::parse(l).ok_or(RootError::Child)?;
        // The parser of integers would also take a plus sign.
        let seq = Some(seq)
            .filter(|seq| seq.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|seq| seq.parse().ok())
            .ok_or(RootError::Syntax)?;
        let signature = BASE64URL_NOPAD
            .decode(sig.as_bytes())
            .map_err(|_| RootError::Base64)?
            .try_into()
            .map_err(|_| RootError::SignatureLength)?;
        let signed = &text[..text.len() - " sig=".len() - sig.len()];
        Ok(Self {
            e,
            l,
            seq,
            signature,
            signed: signed.to_owned(),
        })
    }

    /// Whether `key` signed this root. A high `s` is refused.
    pub fn verify(&self, key: &VerifyingKey) -> Result<(), RootError> {
        let signature =
            Signature::from_slice(&self.signature[..64]).map_err(|_| RootError::Signature)?;
        key.verify_prehash(&keccak256(self.signed.as_bytes()), &signature)
            .map_err(|_| RootError::Signature)
    }

    /// The top of the subtree of records.
    pub fn e(&self) -> &EntryHash {
        &self.e
    }

    /// The top of the subtree of links.
    pub fn l(&self) -> &EntryHash {
        &self.l
    }

    /// The sequence number: grows with every publication.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// `r`, `s` and the recovery id, as published.
    pub fn signature(&self) -> &[u8; 65] {
        &self.signature
    }

    /// The text that the signature covers.
    pub fn signed_text(&self) -> &str {
        &self.signed
    }
}
