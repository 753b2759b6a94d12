//! Signed envelopes (libp2p RFC 0002): a payload that its author signed for one purpose.
//!
//! What is signed names its purpose, the *domain*, so that bytes signed for one thing can't be passed off as another.
//! The domain itself is not sent: both sides know it.

use libp2p_identity::{Keypair, PublicKey, SigningError};

use super::codec::{Kind, wire};
use super::varint;

/// What an envelope is for: only what was signed for the same is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purpose {
    /// Part of the signed bytes, and not sent.
    pub domain: &'static str,
    /// What the payload is; sent, and signed.
    pub payload_type: &'static [u8],
}

/// The wire form.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Envelope {
    /// The author's key, as libp2p writes keys.
    #[prost(bytes = "vec", tag = "1")]
    pub public_key: Vec<u8>,
    /// What the payload is.
    #[prost(bytes = "vec", tag = "2")]
    pub payload_type: Vec<u8>,
    /// What is said.
    #[prost(bytes = "vec", tag = "3")]
    pub payload: Vec<u8>,
    /// The author's signature over domain, type and payload.
    #[prost(bytes = "vec", tag = "5")]
    pub signature: Vec<u8>,
}

wire!(
    Envelope,
    &[
        (1, Kind::Bytes),
        (2, Kind::Bytes),
        (3, Kind::Bytes),
        (5, Kind::Bytes),
    ]
);

/// Why an envelope is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// It is not the protobuf message that it should be.
    #[error("malformed envelope")]
    Malformed,
    /// Its payload is of another type.
    #[error("envelope of another type")]
    OtherType,
    /// Its key can't be read here: malformed, or of a kind that is not built in (RSA, ECDSA).
    #[error("key of the envelope can't be read")]
    Key,
    /// Its author did not sign this for this purpose.
    #[error("signature of the envelope does not verify")]
    Signature,
}

impl Envelope {
    /// Signs a payload for a purpose.
    ///
    /// # Errors
    ///
    /// When the key can't sign.
    pub fn seal(
        keypair: &Keypair,
        purpose: Purpose,
        payload: Vec<u8>,
    ) -> Result<Self, SigningError> {
        let signature = keypair.sign(&signed(purpose.domain, purpose.payload_type, &payload))?;
        Ok(Self {
            public_key: keypair.public().encode_protobuf(),
            payload_type: purpose.payload_type.to_vec(),
            payload,
            signature,
        })
    }

    /// Who signed this for that purpose. The payload is theirs then.
    ///
    /// # Errors
    ///
    /// When it is of another type, or nobody can be shown to have signed it.
    pub fn signer(&self, purpose: Purpose) -> Result<PublicKey, EnvelopeError> {
        if self.payload_type != purpose.payload_type {
            return Err(EnvelopeError::OtherType);
        }
        self.signer_for(purpose.domain)
    }

    /// Who signed this for that domain, whatever its payload is.
    ///
    /// # Errors
    ///
    /// When nobody can be shown to have signed it.
    pub fn signer_for(&self, domain: &str) -> Result<PublicKey, EnvelopeError> {
        let key =
            PublicKey::try_decode_protobuf(&self.public_key).map_err(|_| EnvelopeError::Key)?;
        let bytes = signed(domain, &self.payload_type, &self.payload);
        if key.verify(&bytes, &self.signature) {
            Ok(key)
        } else {
            Err(EnvelopeError::Signature)
        }
    }
}

/// What is signed: each of the three with its length before it.
pub fn signed(domain: &str, payload_type: &[u8], payload: &[u8]) -> Vec<u8> {
    let parts = [domain.as_bytes(), payload_type, payload];
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + 3).sum());
    for part in parts {
        varint::encode(part.len() as u64, &mut bytes);
        bytes.extend_from_slice(part);
    }
    bytes
}

/// A key for tests, always the same for a number.
#[cfg(test)]
pub(crate) fn key(number: u8) -> Keypair {
    Keypair::ed25519_from_bytes([number; 32]).expect("any 32 bytes are a key")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PURPOSE: Purpose = Purpose {
        domain: "somewhere",
        payload_type: &[7],
    };

    #[test]
    fn what_is_sealed_for_one_purpose_is_read_for_no_other() {
        let keypair = key(1);
        let sealed = Envelope::seal(&keypair, PURPOSE, b"it".to_vec()).unwrap();
        let read = Envelope::decode(&sealed.encode()).unwrap();
        assert_eq!(read.signer(PURPOSE), Ok(keypair.public()));
        let elsewhere = Purpose {
            domain: "elsewhere",
            ..PURPOSE
        };
        assert_eq!(read.signer(elsewhere), Err(EnvelopeError::Signature));
        let other = Purpose {
            payload_type: &[8],
            ..PURPOSE
        };
        assert_eq!(read.signer(other), Err(EnvelopeError::OtherType));
    }

    #[test]
    fn what_was_changed_on_its_way_is_not_believed() {
        let keypair = key(2);
        let sealed = Envelope::seal(&keypair, PURPOSE, b"it".to_vec()).unwrap();
        let payload = Envelope {
            payload: b"at".to_vec(),
            ..sealed.clone()
        };
        assert_eq!(payload.signer(PURPOSE), Err(EnvelopeError::Signature));
        let author = Envelope {
            public_key: key(3).public().encode_protobuf(),
            ..sealed.clone()
        };
        assert_eq!(author.signer(PURPOSE), Err(EnvelopeError::Signature));
        let no_key = Envelope {
            public_key: vec![1, 2, 3],
            ..sealed
        };
        assert_eq!(no_key.signer(PURPOSE), Err(EnvelopeError::Key));
    }
}
