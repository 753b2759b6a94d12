//! The encoding of everything that leaves as bytes: recorded inputs, the orders that they led to, and snapshots.
//!
//! A plain binary form, written by hand for size: the fields of a value follow one another in the order in which they
//! are listed, a variant begins with its number. Numbers are LEB128, signed ones zigzagged first, lists and texts begin
//! with their length, an absent value is 0 and a present one follows a 1.
//!
//! Every value is taken apart without `..`, so a new field or variant does not compile before it has an encoding. Logs
//! carry a mark of the lists of names ([`Encode::SHAPE`]), snapshots a version: a build with other lists refuses them
//! instead of misreading them. What is read must be well-formed to the last byte, and reading never panics (R5, R6).

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

/// Bytes that are no log, or not one of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It does not begin as logs do.
    #[error("not a log of inputs")]
    NotALog,
    /// Written by a build whose inputs or settings are others.
    #[error("written by a build with other inputs or settings")]
    OtherBuild,
    /// It ends in the middle of a value.
    #[error("cut off")]
    CutOff,
    /// A value that does not exist.
    #[error("malformed before byte {0}")]
    Malformed(usize),
}

/// What can be written.
pub(in crate::manager) trait Encode {
    /// A mark of the names of its fields or variants.
    const SHAPE: u32 = 0;
    /// Appends it.
    fn encode(&self, out: &mut Vec<u8>);
}

/// What can be read back.
pub(in crate::manager) trait Decode: Sized {
    /// Takes it from the front.
    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError>;
}

/// What remains to be read.
#[derive(Debug)]
pub(in crate::manager) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(in crate::manager) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(in crate::manager) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(in crate::manager) fn malformed(&self) -> WireError {
        WireError::Malformed(self.at)
    }

    pub(in crate::manager) fn byte(&mut self) -> Result<u8, WireError> {
        Ok(self.take(1)?[0])
    }

    pub(in crate::manager) fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..count).ok_or(WireError::CutOff)?;
        self.at += count;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(self.malformed());
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.malformed())
    }

    /// The bytes of something whose length comes first.
    fn prefixed(&mut self) -> Result<&'a [u8], WireError> {
        let length = usize::decode(self)?;
        self.take(length)
    }
}

/// FNV-1a over names.
pub(in crate::manager) const fn shape(names: &str) -> u32 {
    let bytes = names.as_bytes();
    let mut hash = 0x811c_9dc5_u32;
    let mut at = 0;
    while at < bytes.len() {
        // How the compiler spaces the names is of no account.
        if !bytes[at].is_ascii_whitespace() {
            hash = (hash ^ bytes[at] as u32).wrapping_mul(0x0100_0193);
        }
        at += 1;
    }
    hash
}

// --- numbers, texts and lists -----------------------------------------------------------------------------------------

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn prefixed(bytes: &[u8], out: &mut Vec<u8>) {
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

macro_rules! number {
    ($($name:ident)+) => { $(
        impl Encode for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                varint(*self as u64, out);
            }
        }
        impl Decode for $name {
            fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
                let value = input.varint()?;
                value.try_into().map_err(|_| input.malformed())
            }
        }
    )+ };
}
number! { u16 u32 u64 usize }

impl Encode for u8 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }
}
impl Decode for u8 {
    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        input.byte()
    }
}

impl Encode for i64 {
    fn encode(&self, out: &mut Vec<u8>) {
        varint(((*self << 1) ^ (*self >> 63)) as u64, out);
    }
}
impl Decode for i64 {
    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let value = input.varint()?;
        Ok((value >> 1) as Self ^ -((value & 1) as Self))
    }
}

impl Encode for i16 {
    fn encode(&self, out: &mut Vec<u8>) {
        i64::from(*self).encode(out);
    }
}
impl Decode for i16 {
    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let value = i64::decode(input)?;
        value.try_into().map_err(|_| input.malformed())
    }
}

impl Encode for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}
impl Decode for bool {
    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        match input.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(input.malformed()),
        }
    }
}

impl Encode for [u8; 32] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}
impl Decode for [u8; 32] {
    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(input.take(32)?);
        Ok(bytes)
    }
}

impl Encode for String {
    fn encode(&self, out: &mut Vec<u8>) {
        prefixed(self.as_bytes(), out);
    }
}
impl Decode for String {
    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let bytes = input.prefixed()?;
        Self::from_utf8(bytes.to_vec()).map_err(|_| input.malformed())
    }
}

impl Encode for PeerId {
    fn encode(&self, out: &mut Vec<u8>) {
        prefixed(&self.to_bytes(), out);
    }
}
impl Decode for PeerId {
    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let bytes = input.prefixed()?;
        Self::from_bytes(bytes).map_err(|_| input.malformed())
    }
}

impl Encode for Multiaddr {
    fn encode(&self, out: &mut Vec<u8>) {
        prefixed(self.as_ref(), out);
    }
}
impl Decode for Multiaddr {
    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let bytes = input.prefixed()?;
        Self::try_from(bytes.to_vec()).map_err(|_| input.malformed())
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.is_some()));
        if let Some(value) = self {
            value.encode(out);
        }
    }
}
impl<T: Decode> Decode for Option<T> {
    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        bool::decode(input)?.then(|| T::decode(input)).transpose()
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        varint(self.len() as u64, out);
        for value in self {
            value.encode(out);
        }
    }
}
impl<T: Decode> Decode for Vec<T> {
    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        // The length is a claim: room is made for what comes, and every value takes at least a byte.
        let count = usize::decode(input)?;
        let mut values = Self::new();
        for _ in 0..count {
            values.push(T::decode(input)?);
        }
        Ok(values)
    }
}

impl<A: Encode, B: Encode> Encode for (A, B) {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
    }
}
impl<A: Decode, B: Decode> Decode for (A, B) {
    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok((A::decode(input)?, B::decode(input)?))
    }
}

// --- the lists of names -----------------------------------------------------------------------------------------------

/// A structure: its fields in the order in which they are listed.
macro_rules! wire_struct {
    ($name:ident { $($field:tt),+ $(,)? }) => {
        encode_struct! { $name { $($field),+ } }
        impl Decode for $name {
            fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
                Ok(Self { $($field: Decode::decode(input)?),+ })
            }
        }
    };
}

macro_rules! encode_struct {
    ($name:ident { $($field:tt),+ $(,)? }) => {
        impl Encode for $name {
            const SHAPE: u32 = shape(stringify!($($field)+));
            fn encode(&self, out: &mut Vec<u8>) {
                // A compile error here: a field has no place in the encoding.
                encode_struct!(@fields self out { $($field),+ });
            }
        }
    };
    (@fields $value:ident $out:ident { 0 }) => { $value.0.encode($out) };
    (@fields $value:ident $out:ident { $($field:ident),+ }) => {
        let Self { $($field),+ } = $value;
        $($field.encode($out);)+
    };
}

/// An enumeration: the number of the variant, then its fields in the order in which they are listed.
macro_rules! wire_enum {
    ($name:ident { $($tag:literal => $variant:ident $({ $($field:ident),+ })? $(($item:ident))?),+ $(,)? }) => {
        encode_enum! { $name { $($tag => $variant $({ $($field),+ })? $(($item))?),+ } }
        impl Decode for $name {
            fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
                Ok(match input.byte()? {
                    $($tag => Self::$variant
                        $({ $($field: Decode::decode(input)?),+ })?
                        $(({ let $item = Decode::decode(input)?; $item }))?,)+
                    _ => return Err(input.malformed()),
                })
            }
        }
    };
}

macro_rules! encode_enum {
    ($name:ident { $($tag:literal => $variant:ident $({ $($field:ident),+ })? $(($item:ident))?),+ $(,)? }) => {
        impl Encode for $name {
            const SHAPE: u32 = shape(stringify!($($tag $variant $({ $($field)+ })? $(($item))?)+));
            fn encode(&self, out: &mut Vec<u8>) {
                // A compile error here: a variant or a field has no place in the encoding.
                match self {
                    $(Self::$variant $({ $($field),+ })? $(($item))? => {
                        out.push($tag);
                        $($($field.encode(out);)+)?
                        $($item.encode(out);)?
                    })+
                }
            }
        }
    };
}

/// A closed list of reasons: the place in it.
macro_rules! wire_closed {
    ($($name:ident),+ $(,)?) => { $(
        encode_closed! { $name }
        impl Decode for $name {
            fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
                let place = usize::from(input.byte()?);
                Self::ALL.get(place).copied().ok_or_else(|| input.malformed())
            }
        }
    )+ };
}

macro_rules! encode_closed {
    ($($name:ident),+ $(,)?) => { $(
        impl Encode for $name {
            const SHAPE: u32 = Self::ALL.len() as u32;
            fn encode(&self, out: &mut Vec<u8>) {
                out.push(*self as u8);
            }
        }
    )+ };
}

pub(in crate::manager) use {
    encode_closed, encode_enum, encode_struct, wire_closed, wire_enum, wire_struct,
};
