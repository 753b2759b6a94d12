//! The fleet's keys: each follows from the seed and a name, so that a fleet can be started again as the same fleet.
//!
//! They are as secret as the seed, which is to say not at all: a fleet is for loopback.

use k256::ecdsa::SigningKey;
use libp2p::identity::{Keypair, secp256k1};
use sha2::{Digest, Sha256};

/// What a key is used for. Two purposes of one name never share a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A node's identity; signs its record too.
    Identity,
    /// The identity that a node shows while its fault is `wrong-id`.
    Impostor,
    /// Signs the record tree.
    Tree,
    /// Signs what a lying resolver says.
    Forger,
}

impl Purpose {
    fn tag(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Impostor => "impostor",
            Self::Tree => "tree",
            Self::Forger => "forger",
        }
    }
}

/// A secp256k1 key in the two forms that its users want.
#[derive(Clone)]
pub(crate) struct Key {
    /// For records and trees (EIP-778, EIP-1459).
    pub(crate) signing: SigningKey,
    /// For libp2p; has the same public key.
    pub(crate) libp2p: Keypair,
}

impl Key {
    /// The key of `name` for one purpose.
    pub(crate) fn derive(seed: u64, purpose: Purpose, name: &str) -> Self {
        for attempt in 0..=u8::MAX {
            let mut hash = Sha256::new();
            hash.update(b"lightkeeper fleet key\0");
            hash.update(seed.to_be_bytes());
            hash.update(purpose.tag().as_bytes());
            hash.update([0]);
            hash.update(name.as_bytes());
            hash.update([0, attempt]);
            let mut bytes: [u8; 32] = hash.finalize().into();
            // All but 2^-127 of the 256-bit numbers are keys.
            let Ok(signing) = SigningKey::from_slice(&bytes) else {
                continue;
            };
            let secret = secp256k1::SecretKey::try_from_bytes(&mut bytes)
                .expect("both libraries accept the same numbers as keys");
            return Self {
                signing,
                libp2p: secp256k1::Keypair::from(secret).into(),
            };
        }
        unreachable!("256 hashes in a row that are no key")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_depends_on_seed_purpose_and_name_alone() {
        let id = |seed, purpose, name| {
            Key::derive(seed, purpose, name)
                .libp2p
                .public()
                .to_peer_id()
        };
        let first = id(1, Purpose::Identity, "all-1");
        assert_eq!(first, id(1, Purpose::Identity, "all-1"));
        assert_ne!(first, id(2, Purpose::Identity, "all-1"));
        assert_ne!(first, id(1, Purpose::Impostor, "all-1"));
        assert_ne!(first, id(1, Purpose::Identity, "all-2"));
    }

    #[test]
    fn both_forms_have_one_public_key() {
        let key = Key::derive(1, Purpose::Identity, "all-1");
        let libp2p = key.libp2p.public().try_into_secp256k1().unwrap().to_bytes();
        assert_eq!(
            libp2p[..],
            key.signing.verifying_key().to_sec1_point(true).as_bytes()[..]
        );
    }
}
