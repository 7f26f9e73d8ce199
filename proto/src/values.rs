//! Values of SQL, written and read where they stand in a message: `Value` of `databases.proto`.

use prost::{
    DecodeError, Message as _,
    bytes::Buf as _,
    encoding::{
        DecodeContext, WireType, decode_key, decode_varint, double, encode_key, encode_varint,
        encoded_len_varint, message, sint64, skip_field,
    },
};

use crate::v1::LongValue;

const INTEGER: u32 = 1;
const REAL: u32 = 2;
const TEXT: u32 = 3;
const BLOB: u32 = 4;
const LONG: u32 = 5;
const INVALID_TEXT: u32 = 6;

/// What stands on the wire is no message of the contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

impl From<DecodeError> for Malformed {
    fn from(_: DecodeError) -> Self {
        Self
    }
}

/// One value that borrows its bytes. Without `Debug`: values are private.
#[derive(Clone, Copy, PartialEq, Default)]
pub enum ValueRef<'a> {
    /// Nothing.
    #[default]
    Null,
    /// A whole number.
    Integer(i64),
    /// A floating point number.
    Real(f64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
    /// Bytes that follow in chunks.
    Long(LongValue),
    /// TEXT that is not UTF-8.
    InvalidText(&'a [u8]),
}

impl<'a> ValueRef<'a> {
    /// TEXT, which may be no UTF-8.
    pub fn text(bytes: &'a [u8]) -> Self {
        std::str::from_utf8(bytes).map_or(Self::InvalidText(bytes), Self::Text)
    }

    /// Bytes of the message.
    pub(crate) fn encoded_len(&self) -> usize {
        let held = |bytes: &[u8]| 1 + encoded_len_varint(bytes.len() as u64) + bytes.len();
        match self {
            Self::Null => 0,
            Self::Integer(integer) => sint64::encoded_len(INTEGER, integer),
            Self::Real(real) => double::encoded_len(REAL, real),
            Self::Text(text) => held(text.as_bytes()),
            Self::Blob(bytes) | Self::InvalidText(bytes) => held(bytes),
            Self::Long(long) => message::encoded_len(LONG, long),
        }
    }

    /// Adds the message to `buffer`.
    pub(crate) fn encode(&self, buffer: &mut Vec<u8>) {
        let mut hold = |tag, bytes: &[u8]| {
            encode_key(tag, WireType::LengthDelimited, buffer);
            encode_varint(bytes.len() as u64, buffer);
            buffer.extend_from_slice(bytes);
        };
        match self {
            Self::Null => {}
            Self::Integer(integer) => sint64::encode(INTEGER, integer, buffer),
            Self::Real(real) => double::encode(REAL, real, buffer),
            Self::Text(text) => hold(TEXT, text.as_bytes()),
            Self::Blob(bytes) => hold(BLOB, bytes),
            Self::InvalidText(bytes) => hold(INVALID_TEXT, bytes),
            Self::Long(long) => message::encode(LONG, long, buffer),
        }
    }

    /// Reads a message. Where it names several kinds, the last one counts.
    pub(crate) fn decode(mut message: &'a [u8]) -> Result<Self, Malformed> {
        let mut value = Self::Null;
        while !message.is_empty() {
            let (tag, wire_type, content) = field(&mut message)?;
            value = match (tag, wire_type) {
                (INTEGER, WireType::Varint) => {
                    let mut content = content;
                    let zigzag = decode_varint(&mut content)?;
                    Self::Integer((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
                }
                (REAL, WireType::SixtyFourBit) => Self::Real((&mut &*content).get_f64_le()),
                (TEXT, WireType::LengthDelimited) => {
                    Self::Text(std::str::from_utf8(content).map_err(|_| Malformed)?)
                }
                (BLOB, WireType::LengthDelimited) => Self::Blob(content),
                (INVALID_TEXT, WireType::LengthDelimited) => Self::InvalidText(content),
                (LONG, WireType::LengthDelimited) => Self::Long(LongValue::decode(content)?),
                (INTEGER..=INVALID_TEXT, _) => return Err(Malformed),
                // Of a later version.
                _ => value,
            };
        }
        Ok(value)
    }
}

/// Takes the next field of a message: its tag, its type and its content, without a length.
pub(crate) fn field<'a>(rest: &mut &'a [u8]) -> Result<(u32, WireType, &'a [u8]), Malformed> {
    let (tag, wire_type) = decode_key(rest)?;
    let content = if wire_type == WireType::LengthDelimited {
        let length = usize::try_from(decode_varint(rest)?).map_err(|_| Malformed)?;
        let (content, after) = rest.split_at_checked(length).ok_or(Malformed)?;
        *rest = after;
        content
    } else {
        let all = *rest;
        skip_field(wire_type, tag, rest, DecodeContext::default())?;
        &all[..all.len() - rest.len()]
    };
    Ok((tag, wire_type, content))
}
