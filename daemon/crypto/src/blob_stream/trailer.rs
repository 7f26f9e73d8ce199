//! What is known of a blob besides its content.

use std::fmt;

use crate::{ContentHash, EnvelopeError};

use super::OVERHEAD;

/// Longest content type, in bytes: RFC 6838 allows 127 for either half.
pub const CONTENT_TYPE_LIMIT: usize = 255;

/// Length of a trailer in the clear.
const PLAIN_LEN: usize = 32 + 8 + 8 + 1 + CONTENT_TYPE_LIMIT;

/// Length of a trailer as it is stored, in bytes.
pub const TRAILER_LEN: usize = PLAIN_LEN + OVERHEAD;

/// What stands in the trailer of a blob file.
#[derive(Clone, PartialEq, Eq)]
pub struct Trailer {
    /// SHA-256 of the content.
    pub hash: ContentHash,
    /// Bytes of content.
    pub size: u64,
    /// When it was first stored, in milliseconds since 1970.
    pub created_ms: i64,
    /// MIME type, at most [`CONTENT_TYPE_LIMIT`] bytes.
    pub content_type: String,
}

impl Trailer {
    pub(super) fn encode(&self) -> Result<[u8; PLAIN_LEN], EnvelopeError> {
        let kind = self.content_type.as_bytes();
        let len = u8::try_from(kind.len()).map_err(|_| EnvelopeError::TooLarge)?;
        let mut bytes = [0; PLAIN_LEN];
        bytes[..32].copy_from_slice(self.hash.as_bytes());
        bytes[32..40].copy_from_slice(&self.size.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.created_ms.to_le_bytes());
        bytes[48] = len;
        bytes[49..49 + kind.len()].copy_from_slice(kind);
        Ok(bytes)
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let parse = || {
            let (hash, rest) = bytes.split_first_chunk::<32>()?;
            let (size, rest) = rest.split_first_chunk::<8>()?;
            let (created, rest) = rest.split_first_chunk::<8>()?;
            let (len, rest) = rest.split_first()?;
            let (kind, filling) = rest.split_at_checked(usize::from(*len))?;
            let filled = filling.iter().all(|byte| *byte == 0);
            Some(Self {
                hash: ContentHash::from_bytes(*hash),
                size: u64::from_le_bytes(*size),
                created_ms: i64::from_le_bytes(*created),
                content_type: String::from_utf8(kind.to_vec()).ok().filter(|_| filled)?,
            })
        };
        parse().ok_or(EnvelopeError::Malformed)
    }
}

impl fmt::Debug for Trailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trailer(redacted)")
    }
}
