//! The few RLP shapes that a record has, read without copying and without recursion.
//!
//! `alloy-rlp` checks that headers are canonical and inside the buffer; a record is at most 300 bytes, so reading it
//! again for each field is cheaper than keeping an index.

use alloy_rlp::Header;

use super::EnrError;

/// One RLP item.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    /// A list, as opposed to a byte string.
    pub(super) list: bool,
    /// The content without its header.
    pub(super) payload: &'a [u8],
}

impl<'a> Item<'a> {
    /// The content of a byte string; `None` for a list.
    pub(super) fn string(self) -> Option<&'a [u8]> {
        (!self.list).then_some(self.payload)
    }

    /// An integer: big endian, at most 64 bits, no leading zero; the empty string is 0.
    pub(super) fn integer(self) -> Option<u64> {
        let bytes = self.string()?;
        if bytes.len() > 8 || bytes.first() == Some(&0) {
            return None;
        }
        Some(
            bytes
                .iter()
                .fold(0, |value, byte| value << 8 | u64::from(*byte)),
        )
    }
}

/// Takes the next item off the front of `buf`.
pub(super) fn take<'a>(buf: &mut &'a [u8]) -> Result<Item<'a>, EnrError> {
    let mut rest = *buf;
    let header = Header::decode(&mut rest).map_err(|_| EnrError::Rlp)?;
    let (payload, rest) = rest
        .split_at_checked(header.payload_length)
        .ok_or(EnrError::Rlp)?;
    *buf = rest;
    Ok(Item {
        list: header.list,
        payload,
    })
}

/// Appends a list header for a content of `payload_length` bytes.
pub(super) fn put_list_header(out: &mut Vec<u8>, payload_length: usize) {
    Header {
        list: true,
        payload_length,
    }
    .encode(out);
}

/// Appends a byte string.
pub(super) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    alloy_rlp::Encodable::encode(bytes, out);
}

/// Appends an integer.
pub(super) fn put_integer(out: &mut Vec<u8>, value: u64) {
    alloy_rlp::Encodable::encode(&value, out);
}
