//! The blob stream: the sealed form of content of any size, read and written in flat memory.
//!
//! ```text
//!  0  4  magic 89 56 4C 42 ("\x89VLB")
//!  4  1  format version, 1
//!  5  1  suite, 1 = XChaCha20-Poly1305, 2 = AES-256-GCM; both with HKDF-SHA-256
//!  6  2  zero
//!  8  8  key id
//! 16 32  salt
//! 48 32  key commitment
//! 80     chunks, then the trailer
//! ```
//!
//! A chunk is a nonce of 12 bytes, the sealed content and a tag of 16 bytes. Every chunk but the
//! last one holds 65,536 bytes of content; the last one holds fewer, perhaps none. The trailer is a
//! nonce, 304 sealed bytes and a tag:
//!
//! ```text
//!  0 32  SHA-256 of the content
//! 32  8  bytes of content
//! 40  8  time of creation, in milliseconds since 1970
//! 48  1  length of the content type
//! 49     content type, filled up with zeros
//! ```
//!
//! Integers are little-endian. Since the last chunk is always short and the trailer has one length,
//! the size of the content follows from the length of the file: nothing need be opened to know it,
//! and no two sizes have files of one length.
//!
//! HKDF-SHA-256 of the data key, salted with the random salt, gives a chunk key, a trailer key and
//! the commitment. Each info string is a label of its own, the first 16 bytes of the header, the
//! vault's id and the store's id, so that a file opens only where it was made, and only with the
//! header it was made with: the commitment, compared in constant time, vouches for both.
//!
//! What STREAM (Hoang, Reyhanitabar, Rogaway and Vizár, CRYPTO 2015) gets by a nonce that is made
//! of a counter and a mark of the last chunk, is got here by associated data: the chunk's number
//! and whether it is the last one. A chunk dropped, doubled, moved, added or cut off is refused. The
//! nonce is drawn at random and stored, because an upload that is taken up again may have sealed
//! that very chunk before, with other content, shortly before a crash: made of the counter, its
//! nonce would be used twice. Chunk numbers end at 2^32, so that among the 96-bit nonces of one key
//! two alike are not to be expected (2^-33 at the very most; 2^-49 for 1 TiB).
//!
//! Two files of one store are told apart by the trailer: whoever asks for some content compares the
//! hash in it. A chunk of one file is of no use in another, since their salts differ.

mod keys;
mod trailer;

pub use keys::StreamKeys;
pub use trailer::{CONTENT_TYPE_LIMIT, TRAILER_LEN, Trailer};

use crate::{
    EnvelopeError, KeyId,
    primitives::{self, STORED_NONCE_LEN, TAG_LEN},
};

/// First bytes of every blob file.
pub const MAGIC: [u8; 4] = *b"\x89VLB";
/// The format version this build writes.
pub const FORMAT: u8 = 1;
/// Length of the header, in bytes.
pub const HEADER_LEN: usize = 80;
/// Bytes of content in every chunk but the last one.
pub const CHUNK: usize = 64 << 10;
/// Length of the nonce that a chunk begins with, in bytes.
pub const NONCE_LEN: usize = STORED_NONCE_LEN;
/// What sealing adds to a chunk, in bytes.
pub const OVERHEAD: usize = STORED_NONCE_LEN + TAG_LEN;
/// Length of every chunk but the last one as it is stored, in bytes.
pub const SEALED_CHUNK: usize = CHUNK + OVERHEAD;
/// One more than the largest number of a chunk.
const CHUNKS: u64 = 1 << 32;

const SALT_LEN: usize = 32;

/// How chunks and trailer are sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Suite {
    /// XChaCha20-Poly1305: fast, and constant in time, on every CPU.
    XChaCha20Poly1305,
    /// AES-256-GCM: several times as fast where the CPU has instructions for it, slow elsewhere.
    Aes256Gcm,
}

impl Suite {
    /// Every suite.
    pub const ALL: [Self; 2] = [Self::XChaCha20Poly1305, Self::Aes256Gcm];

    /// The better one on this CPU.
    pub fn best() -> Self {
        if primitives::has_fast_aes() {
            Self::Aes256Gcm
        } else {
            Self::XChaCha20Poly1305
        }
    }

    const fn byte(self) -> u8 {
        match self {
            Self::XChaCha20Poly1305 => 1,
            Self::Aes256Gcm => 2,
        }
    }
}

/// Where a blob belongs. Bound into its keys, never stored with it.
#[derive(Clone, Copy, Debug)]
pub struct BlobAddress<'a> {
    /// The vault.
    pub vault: crate::VaultId,
    /// The store's identifier.
    pub store: &'a [u8],
}

/// Which chunk of a blob.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    /// Its number, from 0.
    pub index: u64,
    /// Whether it is the last one.
    pub last: bool,
}

/// The beginning of a blob file, checked for form but not yet for authenticity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlobHeader {
    bytes: [u8; HEADER_LEN],
    suite: Suite,
}

impl BlobHeader {
    /// Parses the first [`HEADER_LEN`] bytes of `bytes`.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let magic = bytes.len().min(MAGIC.len());
        if bytes[..magic] != MAGIC[..magic] || magic == 0 {
            return Err(EnvelopeError::NotSealed);
        }
        let Some(bytes) = bytes.first_chunk::<HEADER_LEN>() else {
            return Err(EnvelopeError::Malformed);
        };
        let suite = Suite::ALL
            .into_iter()
            .find(|suite| suite.byte() == bytes[5]);
        let (FORMAT, Some(suite)) = (bytes[4], suite) else {
            return Err(EnvelopeError::UnknownFormat {
                format: bytes[4],
                suite: bytes[5],
            });
        };
        let bytes = *bytes;
        if bytes[6..8] == [0, 0] {
            Ok(Self { bytes, suite })
        } else {
            Err(EnvelopeError::Malformed)
        }
    }

    /// As it is stored.
    pub const fn bytes(&self) -> &[u8; HEADER_LEN] {
        &self.bytes
    }

    /// The key that opens the file.
    pub fn key_id(&self) -> KeyId {
        KeyId::from_bytes(self.field(8))
    }

    /// How the file is sealed.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    fn salt(&self) -> [u8; SALT_LEN] {
        self.field(16)
    }

    fn commitment(&self) -> [u8; 32] {
        self.field(48)
    }

    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        *self.bytes[at..]
            .first_chunk()
            .expect("every field lies inside the header")
    }
}

/// Bytes of content in a file of `len` bytes; none where no blob file has that length.
pub const fn content_len(len: u64) -> Option<u64> {
    let frame = (HEADER_LEN + TRAILER_LEN + OVERHEAD) as u64;
    let Some(chunks) = len.checked_sub(frame) else {
        return None;
    };
    let (whole, rest) = (chunks / SEALED_CHUNK as u64, chunks % SEALED_CHUNK as u64);
    if rest < CHUNK as u64 && whole < CHUNKS {
        Some(whole * CHUNK as u64 + rest)
    } else {
        None
    }
}

/// Length of the file of a blob with `size` bytes of content.
pub const fn file_len(size: u64) -> u64 {
    let frame = (HEADER_LEN + TRAILER_LEN) as u64;
    frame + size + (size / CHUNK as u64 + 1) * OVERHEAD as u64
}

/// Where chunk `index` begins in the file.
pub const fn chunk_offset(index: u64) -> u64 {
    HEADER_LEN as u64 + index * SEALED_CHUNK as u64
}

#[cfg(test)]
mod tests;
