//! Signed peer records (libp2p RFC 0003): where somebody says that they can be reached.
//!
//! Two forms are about, with the same payload: the standard one, and the one that rust-libp2p still writes. Both are
//! read; the standard one is written, unless a server takes only the other.

use libp2p_identity::{Keypair, PeerId, SigningError};
use multiaddr::Multiaddr;

use prost::Message as _;

use super::codec::{self, Field, Kind, Wire};
use super::envelope::{Envelope, EnvelopeError, Purpose};

/// Most bytes of a record that is read.
pub const MAX_RECORD: usize = 8 * 1024;
/// Most addresses that are taken of a record; the rest is left out.
pub const MAX_ADDRESSES: usize = 16;

/// The two forms of the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// go-libp2p, js-libp2p, nim-libp2p.
    Standard,
    /// rust-libp2p.
    Legacy,
}

impl Form {
    fn purpose(self) -> Purpose {
        match self {
            Self::Standard => Purpose {
                domain: "libp2p-peer-record",
                payload_type: &[0x03, 0x01],
            },
            Self::Legacy => Purpose {
                domain: "libp2p-routing-state",
                payload_type: b"/libp2p/routing-state-record",
            },
        }
    }
}

/// What somebody says of themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRecord {
    /// Who.
    pub peer: PeerId,
    /// Of two records of one peer the one with the larger number holds.
    pub seq: u64,
    /// Where, as it was said. Those that can't be read are left out.
    pub addresses: Vec<Multiaddr>,
}

/// Why a record is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It is over [`MAX_RECORD`].
    #[error("record too large")]
    TooLarge,
    /// Its envelope is not believed.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// What was signed is no record.
    #[error("malformed record")]
    Malformed,
    /// It speaks for somebody else than who signed it.
    #[error("record of another peer than its signer")]
    OtherPeer,
}

/// The wire form of the payload.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Raw {
    #[prost(bytes = "vec", tag = "1")]
    peer_id: Vec<u8>,
    #[prost(uint64, tag = "2")]
    seq: u64,
    #[prost(message, repeated, tag = "3")]
    addresses: Vec<RawAddress>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct RawAddress {
    #[prost(bytes = "vec", tag = "1")]
    multiaddr: Vec<u8>,
}

const ADDRESS: &[Field] = &[(1, Kind::Bytes)];
impl Wire for Raw {
    const FIELDS: &'static [Field] = &[
        (1, Kind::Bytes),
        (2, Kind::Varint),
        (3, Kind::Message(ADDRESS)),
    ];
}

impl PeerRecord {
    /// Reads a record in either form, and believes it only if the peer signed it.
    ///
    /// # Errors
    ///
    /// When it is not the peer's own word, in a form that can be read.
    pub fn read(bytes: &[u8]) -> Result<(Self, Form), RecordError> {
        if bytes.len() > MAX_RECORD {
            return Err(RecordError::TooLarge);
        }
        let envelope = Envelope::decode(bytes).map_err(|_| EnvelopeError::Malformed)?;
        let form = [Form::Standard, Form::Legacy]
            .into_iter()
            .find(|form| envelope.payload_type == form.purpose().payload_type)
            .ok_or(EnvelopeError::OtherType)?;
        let signer = envelope.signer(form.purpose())?;
        let record = Self::decode(&envelope.payload)?;
        if record.peer != signer.to_peer_id() {
            return Err(RecordError::OtherPeer);
        }
        Ok((record, form))
    }

    /// The payload alone, which nobody vouches for.
    ///
    /// # Errors
    ///
    /// When it is no record.
    pub fn decode(payload: &[u8]) -> Result<Self, RecordError> {
        let raw = codec::decode::<Raw>(payload).map_err(|_| RecordError::Malformed)?;
        let peer = PeerId::from_bytes(&raw.peer_id).map_err(|_| RecordError::Malformed)?;
        let addresses = raw.addresses.into_iter();
        Ok(Self {
            peer,
            seq: raw.seq,
            addresses: addresses
                .filter_map(|address| Multiaddr::try_from(address.multiaddr).ok())
                .take(MAX_ADDRESSES)
                .collect(),
        })
    }

    /// Signs what is said, by the key of who says it.
    ///
    /// # Errors
    ///
    /// When the key can't sign.
    pub fn seal(
        keypair: &Keypair,
        seq: u64,
        addresses: &[Multiaddr],
        form: Form,
    ) -> Result<Vec<u8>, SigningError> {
        let raw = Raw {
            peer_id: keypair.public().to_peer_id().to_bytes(),
            seq,
            addresses: addresses
                .iter()
                .map(|address| RawAddress {
                    multiaddr: address.to_vec(),
                })
                .collect(),
        };
        let envelope = Envelope::seal(keypair, form.purpose(), raw.encode_to_vec())?;
        Ok(envelope.encode())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocols::envelope::key;
    use libp2p_identity::secp256k1;

    fn secp256k1() -> Keypair {
        let secret = secp256k1::SecretKey::try_from_bytes([7; 32]).unwrap();
        secp256k1::Keypair::from(secret).into()
    }

    #[test]
    fn both_forms_are_read_as_they_were_written() {
        let keypair = secp256k1();
        let addresses: Vec<Multiaddr> = vec![
            "/dns4/r.example.org/tcp/443/wss/p2p-circuit"
                .parse()
                .unwrap(),
        ];
        for form in [Form::Standard, Form::Legacy] {
            let bytes = PeerRecord::seal(&keypair, 7, &addresses, form).unwrap();
            let record = PeerRecord {
                peer: keypair.public().to_peer_id(),
                seq: 7,
                addresses: addresses.clone(),
            };
            assert_eq!(PeerRecord::read(&bytes), Ok((record, form)));
        }
    }

    #[test]
    fn an_address_that_cannot_be_read_costs_no_other() {
        let keypair = key(1);
        let good: Multiaddr = "/ip4/192.0.2.1/tcp/1/ws".parse().unwrap();
        let raw = Raw {
            peer_id: keypair.public().to_peer_id().to_bytes(),
            seq: 1,
            addresses: [vec![0xff, 0xff], good.to_vec()]
                .into_iter()
                .map(|multiaddr| RawAddress { multiaddr })
                .collect(),
        };
        let record = PeerRecord::decode(&raw.encode_to_vec()).unwrap();
        assert_eq!(record.addresses, [good]);
    }

    #[test]
    fn no_more_is_taken_than_there_is_room_for() {
        let keypair = key(2);
        let many: Vec<Multiaddr> = (0..200)
            .map(|n| format!("/ip4/192.0.2.1/tcp/{n}/ws").parse().unwrap())
            .collect();
        let bytes = PeerRecord::seal(&keypair, 1, &many, Form::Standard).unwrap();
        let (record, _) = PeerRecord::read(&bytes).unwrap();
        assert_eq!(record.addresses, many[..MAX_ADDRESSES]);
        let large = vec![0; MAX_RECORD + 1];
        assert_eq!(PeerRecord::read(&large), Err(RecordError::TooLarge));
    }
}
