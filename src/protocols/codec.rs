//! What all messages share: encoding, and decoding as tolerant as the servers are.
//!
//! Unknown fields are skipped, the last of a repeated scalar wins, and a known field of the wrong wire type is treated
//! as unknown, as nwaku and Go's protobuf do. The derived decoder refuses the last; so only a message that it refuses
//! is read a second time, without such fields.

use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, encode_key, skip_field};

/// Why bytes are not the message that they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not protobuf, or text that is not UTF-8.
    #[error("malformed protobuf")]
    Malformed,
    /// nwaku demands these on the wire, even when they are empty.
    #[error("field {0} is missing")]
    Missing(&'static str),
    /// A message with more metadata than Waku allows.
    #[error("meta longer than 64 bytes")]
    MetaTooLong,
}

/// What a field may look like on the wire.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// One number.
    Varint,
    /// Numbers, each on its own or many in one packed field.
    Varints,
    /// Bytes or text.
    Bytes,
    /// A message with these fields.
    Message(&'static [Field]),
}

/// A field's number and kind.
pub(crate) type Field = (u32, Kind);

/// A message of ours.
pub(crate) trait Wire: Message + Default {
    /// Every field of the message.
    const FIELDS: &'static [Field];

    /// Rules that a message must hold beyond its syntax.
    fn check(&self) -> Result<(), DecodeError> {
        Ok(())
    }
}

/// Gives a message its `encode` and `decode`.
macro_rules! wire {
    ($type:ty, $fields:expr) => {
        wire!($type, $fields, |_message| Ok(()));
    };
    ($type:ty, $fields:expr, $check:expr) => {
        impl $crate::protocols::codec::Wire for $type {
            const FIELDS: &'static [$crate::protocols::codec::Field] = $fields;
            fn check(&self) -> Result<(), $crate::protocols::DecodeError> {
                let check: fn(&Self) -> Result<(), $crate::protocols::DecodeError> = $check;
                check(self)
            }
        }
        impl $type {
            /// The message as protobuf, without a length prefix.
            pub fn encode(&self) -> Vec<u8> {
                prost::Message::encode_to_vec(self)
            }

            /// Reads a message from protobuf without a length prefix, by the tolerant rules of
            /// [`codec`](crate::protocols::codec).
            pub fn decode(bytes: &[u8]) -> Result<Self, $crate::protocols::DecodeError> {
                $crate::protocols::codec::decode(bytes)
            }
        }
    };
}
pub(crate) use wire;

pub(crate) fn decode<M: Wire>(bytes: &[u8]) -> Result<M, DecodeError> {
    let message = match M::decode(bytes) {
        Ok(message) => message,
        Err(_) => {
            let cleaned = without_mistyped(bytes, M::FIELDS).ok_or(DecodeError::Malformed)?;
            M::decode(&cleaned[..]).map_err(|_| DecodeError::Malformed)?
        }
    };
    message.check()?;
    Ok(message)
}

/// A copy of the message without known fields of a wrong wire type; `None` when it is not protobuf at all. The nesting
/// is that of `fields`, so hostile bytes can't deepen it.
fn without_mistyped(bytes: &[u8], fields: &[Field]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let start = rest;
        let (number, wire_type) = decode_key(&mut rest).ok()?;
        let kind = fields
            .iter()
            .find(|(known, _)| *known == number)
            .map(|(_, kind)| *kind);
        let fits = match kind {
            None => true,
            Some(Kind::Varint) => wire_type == WireType::Varint,
            Some(Kind::Varints) => {
                matches!(wire_type, WireType::Varint | WireType::LengthDelimited)
            }
            Some(Kind::Bytes) => wire_type == WireType::LengthDelimited,
            Some(Kind::Message(inner)) => {
                if wire_type == WireType::LengthDelimited {
                    let len = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
                    let (body, after) = rest.split_at_checked(len)?;
                    rest = after;
                    let body = without_mistyped(body, inner)?;
                    encode_key(number, wire_type, &mut out);
                    prost::encoding::encode_varint(body.len() as u64, &mut out);
                    out.extend_from_slice(&body);
                    continue;
                }
                false
            }
        };
        skip_field(wire_type, number, &mut rest, DecodeContext::default()).ok()?;
        if fits {
            out.extend_from_slice(&start[..start.len() - rest.len()]);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use crate::protocols::lightpush::v3::Request;
    use crate::protocols::message::WakuMessage;
    use crate::protocols::metadata::Metadata;

    use super::*;

    /// Payload "x", topic "t".
    const MESSAGE: [u8; 6] = [0x0a, 1, b'x', 0x12, 1, b't'];

    #[test]
    fn a_known_field_of_a_wrong_wire_type_is_skipped() {
        // version (3) as bytes, timestamp (10) as 8 fixed bytes.
        let mut bytes = vec![0x1a, 2, 9, 9, 0x51, 1, 2, 3, 4, 5, 6, 7, 8];
        bytes.extend(MESSAGE);
        let message = WakuMessage::decode(&bytes).unwrap();
        assert_eq!(message.payload(), b"x");
        assert_eq!(message.version, None);
        assert_eq!(message.timestamp, None);
    }

    #[test]
    fn a_required_field_of_a_wrong_wire_type_is_missing() {
        assert_eq!(
            WakuMessage::decode(&[0x08, 1, 0x12, 1, b't']),
            Err(DecodeError::Missing("payload"))
        );
    }

    #[test]
    fn the_rule_holds_inside_nested_messages() {
        let mut inner = vec![0x1a, 2, 9, 9];
        inner.extend(MESSAGE);
        let mut bytes = vec![0x0a, 1, b'i', 0xaa, 0x01, inner.len() as u8];
        bytes.extend(inner);
        let request = Request::decode(&bytes).unwrap();
        assert_eq!(request.request_id, "i");
        assert_eq!(request.message.unwrap().payload(), b"x");
    }

    #[test]
    fn the_last_of_a_repeated_scalar_wins() {
        let mut bytes = MESSAGE.to_vec();
        bytes.extend([0x18, 1, 0x18, 2]);
        assert_eq!(WakuMessage::decode(&bytes).unwrap().version, Some(2));
    }

    #[test]
    fn bytes_that_are_not_protobuf_are_malformed() {
        for bytes in [&[0x0a, 5, 1][..], &[0x08], &[0x0b], &[0x07], &[0x00, 0]] {
            assert_eq!(Metadata::decode(bytes), Err(DecodeError::Malformed));
        }
        let text = [0x0a, 1, b'x', 0x12, 1, 0xff];
        assert_eq!(WakuMessage::decode(&text), Err(DecodeError::Malformed));
    }
}
