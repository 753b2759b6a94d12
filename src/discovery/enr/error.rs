//! Why a record, or one of its fields, is not usable.

/// Why a text or byte string is not a node record.
///
/// Everything here makes the whole record unusable. A known key with a bad value does not: that field then reads as
/// absent and the rest of the record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum EnrError {
    /// The text does not begin with `enr:`.
    #[error("the text does not begin with enr:")]
    Prefix,
    /// Longer than 300 bytes, or than 404 letters as text (EIP-778).
    #[error("larger than 300 bytes")]
    TooBig,
    /// Not base64url without padding.
    #[error("not unpadded base64url")]
    Base64,
    /// Not one canonical RLP list, or an integer that is not canonical or wider than 64 bits.
    #[error("not canonical rlp")]
    Rlp,
    /// The list is not a signature, a number and pairs.
    #[error("not a signature, a sequence number and pairs")]
    Structure,
    /// The keys are not unique and in ascending order.
    #[error("keys are not unique and ascending")]
    KeyOrder,
    /// The identity scheme is absent or is not `v4`.
    #[error("identity scheme is not v4")]
    IdentityScheme,
    /// `secp256k1` is absent or is not a compressed point on the curve.
    #[error("no valid secp256k1 public key")]
    PublicKey,
    /// Not signed by the record's own key, or in the malleable form with a high `s`.
    #[error("signature does not verify")]
    Signature,
}

impl EnrError {
    /// The fixed name of this reason, for logs and tests.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Prefix => "prefix",
            Self::TooBig => "too-big",
            Self::Base64 => "base64",
            Self::Rlp => "rlp",
            Self::Structure => "structure",
            Self::KeyOrder => "key-order",
            Self::IdentityScheme => "identity-scheme",
            Self::PublicKey => "public-key",
            Self::Signature => "signature",
        }
    }
}
