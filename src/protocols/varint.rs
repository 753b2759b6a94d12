//! Unsigned varints: 7 bits per byte, low group first, the high bit says that more follows.
//!
//! Lengths and numbers of multiformats must be minimal, which protobuf does not demand inside a message; this is the
//! strict kind, up to the ten bytes that 64 bits need.

/// Most bytes that a 64-bit value takes.
pub const MAX_LEN: usize = 10;

/// Why bytes are not a varint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VarintError {
    /// The bytes end before the number does.
    #[error("truncated")]
    Truncated,
    /// The same number has a shorter form.
    #[error("not minimal")]
    NotMinimal,
    /// The number does not fit.
    #[error("longer than 10 bytes / over 64 bits")]
    Overflow,
}

/// Appends `value` to `out`.
pub fn encode(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads one number from the front of `bytes`: the number, and how many bytes it took.
pub fn decode(bytes: &[u8]) -> Result<(u64, usize), VarintError> {
    let mut value = 0u64;
    for (index, &byte) in bytes.iter().take(MAX_LEN).enumerate() {
        // The tenth byte has room for bit 63 alone.
        if index == MAX_LEN - 1 && byte > 1 {
            return Err(VarintError::Overflow);
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            if byte == 0 && index > 0 {
                return Err(VarintError::NotMinimal);
            }
            return Ok((value, index + 1));
        }
    }
    Err(VarintError::Truncated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_over_64_are_refused_and_not_dropped() {
        let bytes = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert_eq!(decode(&bytes), Err(VarintError::Overflow));
    }

    #[test]
    fn what_follows_a_number_is_left_alone() {
        assert_eq!(decode(&[0xac, 0x02, 0xff]), Ok((300, 2)));
    }
}
