//! Ethereum node records (EIP-778) with the keys that Waku adds to them (31/WAKU2-ENR).
//!
//! A record is an RLP list of a signature, a sequence number and sorted pairs, at most 300 bytes long. An [`Enr`] exists
//! only if its signature verified, so whoever holds one knows that the owner of its key wrote it. That is all it proves:
//! addresses in it are still chosen by a stranger (see [`dialable`](super::dialable)).

mod addresses;
pub mod builder;
mod error;
mod rlp;
mod waku;

use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::BASE64URL_NOPAD;
use k256::ecdsa::{Signature, VerifyingKey, signature::hazmat::PrehashVerifier};
use libp2p_identity::{PeerId, PublicKey, secp256k1};

pub use addresses::{MultiaddrsError, decode_multiaddrs, encode_multiaddrs};
pub use error::EnrError;
pub use waku::{Capabilities, RelayShards, RelayShardsError};

use super::keccak256;

/// The largest record in bytes (EIP-778).
pub const MAX_SIZE: usize = 300;

/// The longest text: `enr:` and the base64url letters of [`MAX_SIZE`] bytes.
pub const MAX_TEXT: usize = PREFIX.len() + MAX_SIZE / 3 * 4;

/// What every text form begins with.
pub const PREFIX: &str = "enr:";

/// A node record whose signature has been verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Enr {
    /// The record as it was signed, already known to parse.
    rlp: Vec<u8>,
    seq: u64,
    public_key: [u8; 33],
    peer_id: PeerId,
}

impl Enr {
    /// Reads the text form, `enr:` and unpadded base64url.
    pub fn from_text(text: &str) -> Result<Self, EnrError> {
        let letters = text.strip_prefix(PREFIX).ok_or(EnrError::Prefix)?;
        if text.len() > MAX_TEXT {
            return Err(EnrError::TooBig);
        }
        let bytes = BASE64URL_NOPAD
            .decode(letters.as_bytes())
            .map_err(|_| EnrError::Base64)?;
        Self::from_rlp(&bytes)
    }

    /// Reads the binary form, as peer exchange carries it.
    pub fn from_rlp(bytes: &[u8]) -> Result<Self, EnrError> {
        if bytes.len() > MAX_SIZE {
            return Err(EnrError::TooBig);
        }
        let mut rest = bytes;
        let list = rlp::take(&mut rest)?;
        if !list.list || !rest.is_empty() {
            return Err(EnrError::Rlp);
        }
        let mut items = list.payload;
        if items.is_empty() {
            return Err(EnrError::Structure);
        }
        let signature = rlp::take(&mut items)?.string().ok_or(EnrError::Structure)?;
        // Everything after the signature is what was signed, under a list header of its own.
        let content = items;
        if items.is_empty() {
            return Err(EnrError::Structure);
        }
        let seq = rlp::take(&mut items)?.integer().ok_or(EnrError::Rlp)?;

        let (mut scheme, mut key, mut last) = (None, None, None);
        while !items.is_empty() {
            let name = rlp::take(&mut items)?.string().ok_or(EnrError::Structure)?;
            if items.is_empty() {
                return Err(EnrError::Structure);
            }
            let value = rlp::take(&mut items)?;
            if last.is_some_and(|last| last >= name) {
                return Err(EnrError::KeyOrder);
            }
            match name {
                b"id" => scheme = value.string(),
                b"secp256k1" => key = value.string(),
                _ => {}
            }
            last = Some(name);
        }
        if scheme != Some(b"v4") {
            return Err(EnrError::IdentityScheme);
        }
        let public_key: [u8; 33] = key
            .and_then(|key| key.try_into().ok())
            .ok_or(EnrError::PublicKey)?;
        let verifying_key =
            VerifyingKey::from_sec1_bytes(&public_key).map_err(|_| EnrError::PublicKey)?;
        // The verifier refuses a high `s`: else anyone could make a second valid text of the same record.
        let signature = Signature::from_slice(signature).map_err(|_| EnrError::Signature)?;
        verifying_key
            .verify_prehash(&content_digest(content), &signature)
            .map_err(|_| EnrError::Signature)?;
        let peer_id = secp256k1::PublicKey::try_from_bytes(&public_key)
            .map(|key| PublicKey::from(key).to_peer_id())
            .map_err(|_| EnrError::PublicKey)?;
        Ok(Self {
            rlp: bytes.to_vec(),
            seq,
            public_key,
            peer_id,
        })
    }

    /// The text form.
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(MAX_TEXT);
        text.push_str(PREFIX);
        BASE64URL_NOPAD.encode_append(&self.rlp, &mut text);
        text
    }

    /// The binary form: what peer exchange carries and what the signature covers.
    pub fn as_rlp(&self) -> &[u8] {
        &self.rlp
    }

    /// The sequence number. It grows with every change of the record; 0 is legal.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The owner's key: a compressed secp256k1 point.
    pub fn public_key(&self) -> [u8; 33] {
        self.public_key
    }

    /// The owner's libp2p identity.
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// The identity that discv5 uses, Keccak-256 of the uncompressed point. The network otherwise knows the node by its
    /// [`peer_id`](Self::peer_id).
    pub fn node_id(&self) -> [u8; 32] {
        let key = VerifyingKey::from_sec1_bytes(&self.public_key)
            .expect("the key was on the curve when the record was read");
        // The first byte only says that the point is uncompressed.
        keccak256(&key.to_sec1_point(false).as_bytes()[1..])
    }

    /// The signature, `r` and `s`, 64 bytes.
    pub fn signature(&self) -> &[u8] {
        let (signature, _) = self.split();
        signature
    }

    /// The RLP list that was hashed and signed: the record without its signature.
    pub fn content(&self) -> Vec<u8> {
        let (_, content) = self.split();
        content_list(content)
    }

    /// The names of all keys, in their order.
    pub fn keys(&self) -> Vec<&[u8]> {
        self.pairs().map(|(key, _)| key).collect()
    }

    /// `ip`.
    pub fn ip4(&self) -> Option<Ipv4Addr> {
        let bytes: [u8; 4] = self.string(b"ip")?.try_into().ok()?;
        Some(bytes.into())
    }

    /// `ip6`.
    pub fn ip6(&self) -> Option<Ipv6Addr> {
        let bytes: [u8; 16] = self.string(b"ip6")?.try_into().ok()?;
        Some(bytes.into())
    }

    /// `tcp`: the port of raw libp2p over TCP, never of a WebSocket.
    pub fn tcp(&self) -> Option<u16> {
        self.port(b"tcp")
    }

    /// `tcp6`, for [`ip6`](Self::ip6) alone; without it [`tcp`](Self::tcp) holds for both.
    pub fn tcp6(&self) -> Option<u16> {
        self.port(b"tcp6")
    }

    /// `udp`: the port of discv5.
    pub fn udp(&self) -> Option<u16> {
        self.port(b"udp")
    }

    /// `udp6`, for [`ip6`](Self::ip6) alone.
    pub fn udp6(&self) -> Option<u16> {
        self.port(b"udp6")
    }

    fn port(&self, key: &[u8]) -> Option<u16> {
        self.value(key)?.integer()?.try_into().ok()
    }

    fn string(&self, key: &[u8]) -> Option<&[u8]> {
        self.value(key)?.string()
    }

    fn value(&self, key: &[u8]) -> Option<rlp::Item<'_>> {
        self.pairs()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    fn pairs(&self) -> impl Iterator<Item = (&[u8], rlp::Item<'_>)> {
        let (_, mut items) = self.split();
        // The sequence number comes first.
        let _ = rlp::take(&mut items);
        std::iter::from_fn(move || {
            let key = rlp::take(&mut items).ok()?;
            let value = rlp::take(&mut items).ok()?;
            Some((key.payload, value))
        })
    }

    /// The signature and everything after it.
    fn split(&self) -> (&[u8], &[u8]) {
        const PARSED: &str = "the record was parsed when it was made";
        let mut rest = self.rlp.as_slice();
        let mut items = rlp::take(&mut rest).expect(PARSED).payload;
        let signature = rlp::take(&mut items).expect(PARSED).payload;
        (signature, items)
    }
}

impl std::fmt::Debug for Enr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enr")
            .field("peer_id", &self.peer_id)
            .field("seq", &self.seq)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Display for Enr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_text())
    }
}

impl std::str::FromStr for Enr {
    type Err = EnrError;

    fn from_str(text: &str) -> Result<Self, EnrError> {
        Self::from_text(text)
    }
}

/// The signed items as a list of their own.
fn content_list(items: &[u8]) -> Vec<u8> {
    let mut list = Vec::with_capacity(items.len() + 3);
    rlp::put_list_header(&mut list, items.len());
    list.extend_from_slice(items);
    list
}

/// What the signature of scheme `v4` covers.
fn content_digest(items: &[u8]) -> [u8; 32] {
    keccak256(&content_list(items))
}
