//! The envelope: the sealed form of one object on disk.
//!
//! ```text
//!  0  4  magic 89 56 4C 54 ("\x89VLT")
//!  4  1  format version, 1
//!  5  1  suite, 1 = XChaCha20-Poly1305 with HKDF-SHA-256
//!  6  2  zero
//!  8  8  key id
//! 16  8  revision
//! 24 24  nonce
//! 48 32  key commitment
//! 80  4  length of the sealed metadata, with its tag
//! 84  8  length of the sealed body, with its tag
//! 92     sealed metadata, then sealed body
//! ```
//!
//! Integers are little-endian. HKDF-SHA-256 of the data key, salted with the nonce, gives a
//! metadata key, a body key and the commitment under distinct info strings. A fresh random nonce
//! is drawn for every seal, so no derived key ever seals twice. The commitment, compared in
//! constant time before anything is decrypted, makes the envelope open under one key only (without
//! it, Poly1305 lets an attacker craft a ciphertext that opens under two).
//!
//! The associated data of both parts is the whole header and the object's [`Address`], so that no
//! envelope can be moved to another vault, store, object or revision, and no part of it can be
//! taken for the other.

use zeroize::Zeroizing;

use crate::{
    id::{KeyId, VaultId},
    primitives::{self, NONCE_LEN, TAG_LEN},
    secret::DataKey,
};

/// First bytes of every envelope; the first is no ASCII, so no text file begins like this.
pub const MAGIC: [u8; 4] = *b"\x89VLT";
/// The format version this build writes.
pub const FORMAT: u8 = 1;
/// Suite 1: XChaCha20-Poly1305 with HKDF-SHA-256.
const SUITE_XCHACHA20_POLY1305: u8 = 1;
/// Length of the header, in bytes.
pub const HEADER_LEN: usize = 92;
/// Largest metadata plaintext, in bytes (64 KiB): a listing reads it whole.
pub const METADATA_LIMIT: usize = 64 << 10;
/// Largest body plaintext, in bytes (1 GiB): above it, objects are streams, not envelopes.
pub const BODY_LIMIT: u64 = 1 << 30;

const METADATA_INFO: &[u8] = b"vaultd envelope v1 metadata key";
const BODY_INFO: &[u8] = b"vaultd envelope v1 body key";
const COMMITMENT_INFO: &[u8] = b"vaultd envelope v1 key commitment";

/// Why an envelope was not sealed or not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The bytes do not begin as an envelope does: plaintext, or something else altogether.
    #[error("not a sealed object")]
    NotSealed,
    /// An envelope of a later version of vaultd.
    #[error("sealed in format {format}, suite {suite}, which this version does not know")]
    UnknownFormat {
        /// The format byte found.
        format: u8,
        /// The suite byte found.
        suite: u8,
    },
    /// Lengths that contradict each other or the bytes at hand.
    #[error("the sealed object is cut short or malformed")]
    Malformed,
    /// The header names another key than the one handed in.
    #[error("sealed under key {found}, not {expected}")]
    OtherKey {
        /// The key id in the header.
        found: KeyId,
        /// The key id handed in.
        expected: KeyId,
    },
    /// The key of that name does not open it, or a byte was changed, or it belongs elsewhere.
    #[error("the sealed object is damaged or is not the object expected here")]
    NotAuthentic,
    /// Metadata or body above what an envelope holds.
    #[error("too large for an envelope")]
    TooLarge,
    /// No nonce could be drawn.
    #[error("the operating system's random source failed")]
    Random,
}

/// Where an object belongs. Bound into the associated data, never stored with the object.
#[derive(Clone, Copy, Debug)]
pub struct Address<'a> {
    /// The vault.
    pub vault: VaultId,
    /// The store's identifier.
    pub store: &'a [u8],
    /// The object's identifier within the store.
    pub object: &'a [u8],
    /// The object's revision.
    pub revision: u64,
}

/// The fixed part at the beginning of an envelope, checked for form but not yet for authenticity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    bytes: [u8; HEADER_LEN],
}

impl Header {
    /// Parses the first [`HEADER_LEN`] bytes of `bytes`. Allocates nothing.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let magic = bytes.len().min(MAGIC.len());
        if bytes[..magic] != MAGIC[..magic] || magic == 0 {
            return Err(EnvelopeError::NotSealed);
        }
        let Some(bytes) = bytes.first_chunk::<HEADER_LEN>() else {
            return Err(EnvelopeError::Malformed);
        };
        let header = Self { bytes: *bytes };
        let (format, suite) = (bytes[4], bytes[5]);
        if format != FORMAT || suite != SUITE_XCHACHA20_POLY1305 {
            return Err(EnvelopeError::UnknownFormat { format, suite });
        }
        let tag = TAG_LEN as u64;
        let metadata = u64::from(header.sealed_metadata_len());
        let body = header.sealed_body_len();
        let fits = bytes[6..8] == [0, 0]
            && (tag..=METADATA_LIMIT as u64 + tag).contains(&metadata)
            && (tag..=BODY_LIMIT + tag).contains(&body);
        if fits {
            Ok(header)
        } else {
            Err(EnvelopeError::Malformed)
        }
    }

    fn new(
        key_id: KeyId,
        revision: u64,
        nonce: &[u8; NONCE_LEN],
        commitment: &[u8],
        metadata: usize,
        body: usize,
    ) -> Result<Self, EnvelopeError> {
        if metadata > METADATA_LIMIT || body as u64 > BODY_LIMIT {
            return Err(EnvelopeError::TooLarge);
        }
        let metadata = u32::try_from(metadata + TAG_LEN).map_err(|_| EnvelopeError::TooLarge)?;
        let body = (body + TAG_LEN) as u64;
        let mut bytes = [0; HEADER_LEN];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = FORMAT;
        bytes[5] = SUITE_XCHACHA20_POLY1305;
        bytes[8..16].copy_from_slice(key_id.as_bytes());
        bytes[16..24].copy_from_slice(&revision.to_le_bytes());
        bytes[24..48].copy_from_slice(nonce);
        bytes[48..80].copy_from_slice(commitment);
        bytes[80..84].copy_from_slice(&metadata.to_le_bytes());
        bytes[84..92].copy_from_slice(&body.to_le_bytes());
        Ok(Self { bytes })
    }

    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        *self.bytes[at..]
            .first_chunk()
            .expect("every field lies inside the header")
    }

    /// The key that opens the envelope.
    pub fn key_id(&self) -> KeyId {
        KeyId::from_bytes(self.field(8))
    }

    /// The revision it claims; true once a part was opened at an address of that revision.
    pub fn revision(&self) -> u64 {
        u64::from_le_bytes(self.field(16))
    }

    fn nonce(&self) -> [u8; NONCE_LEN] {
        self.field(24)
    }

    fn commitment(&self) -> [u8; 32] {
        self.field(48)
    }

    fn sealed_metadata_len(&self) -> u32 {
        u32::from_le_bytes(self.field(80))
    }

    fn sealed_body_len(&self) -> u64 {
        u64::from_le_bytes(self.field(84))
    }

    /// Length of the head (header and sealed metadata), in bytes: what a listing reads.
    pub fn head_len(&self) -> usize {
        HEADER_LEN + self.sealed_metadata_len() as usize
    }

    /// Length of the body in the clear, in bytes.
    pub fn body_len(&self) -> u64 {
        self.sealed_body_len() - TAG_LEN as u64
    }

    /// Length of the whole envelope, in bytes.
    pub fn envelope_len(&self) -> u64 {
        self.head_len() as u64 + self.sealed_body_len()
    }

    fn associated_data(&self, address: &Address<'_>, part: u8) -> Vec<u8> {
        let mut data =
            Vec::with_capacity(HEADER_LEN + 48 + address.store.len() + address.object.len());
        data.extend_from_slice(&self.bytes);
        data.extend_from_slice(address.vault.as_bytes());
        for variable in [address.store, address.object] {
            data.extend_from_slice(&(variable.len() as u64).to_le_bytes());
            data.extend_from_slice(variable);
        }
        data.extend_from_slice(&address.revision.to_le_bytes());
        data.push(part);
        data
    }
}

const PART_METADATA: u8 = 1;
const PART_BODY: u8 = 2;

/// Seals `metadata` and `body` under `key` for `address`, with a nonce drawn for this call.
pub fn seal(
    key: &DataKey,
    key_id: KeyId,
    address: &Address<'_>,
    metadata: &[u8],
    body: &[u8],
) -> Result<Vec<u8>, EnvelopeError> {
    let mut nonce = [0; NONCE_LEN];
    primitives::fill_random(&mut nonce).map_err(|_| EnvelopeError::Random)?;
    seal_with_nonce(key, key_id, address, &nonce, metadata, body)
}

/// [`seal`] with a given nonce. Private: only the fixture tests may choose one.
fn seal_with_nonce(
    key: &DataKey,
    key_id: KeyId,
    address: &Address<'_>,
    nonce: &[u8; NONCE_LEN],
    metadata: &[u8],
    body: &[u8],
) -> Result<Vec<u8>, EnvelopeError> {
    let [metadata_key, body_key, commitment] = primitives::hkdf_sha256(
        key.expose(),
        nonce,
        [METADATA_INFO, BODY_INFO, COMMITMENT_INFO],
    );
    let header = Header::new(
        key_id,
        address.revision,
        nonce,
        commitment.as_ref(),
        metadata.len(),
        body.len(),
    )?;

    // Plaintext stands in this buffer only until it is sealed in place.
    let mut envelope = Vec::with_capacity(HEADER_LEN + metadata.len() + body.len() + 2 * TAG_LEN);
    envelope.extend_from_slice(&header.bytes);
    for (part, key, plaintext) in [
        (PART_METADATA, &metadata_key, metadata),
        (PART_BODY, &body_key, body),
    ] {
        let start = envelope.len();
        envelope.extend_from_slice(plaintext);
        let associated_data = header.associated_data(address, part);
        let tag = primitives::seal_in_place(key, nonce, &associated_data, &mut envelope[start..])
            .ok_or(EnvelopeError::TooLarge)?;
        envelope.extend_from_slice(&tag);
    }
    Ok(envelope)
}

/// An envelope's bytes (all of it, or its head) under the key and at the address that open it.
///
/// Building one checks form, key id and revision; the two methods check the key commitment and then
/// the rest.
#[derive(Debug)]
pub struct Envelope<'a> {
    header: Header,
    bytes: &'a [u8],
    key: &'a DataKey,
    address: Address<'a>,
}

impl<'a> Envelope<'a> {
    /// Checks that `bytes` begins an envelope sealed under this key for this address.
    pub fn new(
        key: &'a DataKey,
        key_id: KeyId,
        address: Address<'a>,
        bytes: &'a [u8],
    ) -> Result<Self, EnvelopeError> {
        let header = Header::parse(bytes)?;
        if header.key_id() != key_id {
            return Err(EnvelopeError::OtherKey {
                found: header.key_id(),
                expected: key_id,
            });
        }
        if header.revision() != address.revision {
            return Err(EnvelopeError::NotAuthentic);
        }
        Ok(Self {
            header,
            bytes,
            key,
            address,
        })
    }

    /// The parsed header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Opens the metadata; needs the first [`Header::head_len`] bytes only.
    pub fn open_metadata(&self) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        let sealed = self.bytes.get(HEADER_LEN..self.header.head_len());
        self.open_part(
            PART_METADATA,
            METADATA_INFO,
            sealed.ok_or(EnvelopeError::Malformed)?,
        )
    }

    /// Opens the body; needs the whole envelope and not a byte more.
    pub fn open_body(&self) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        if self.bytes.len() as u64 != self.header.envelope_len() {
            return Err(EnvelopeError::Malformed);
        }
        self.open_part(PART_BODY, BODY_INFO, &self.bytes[self.header.head_len()..])
    }

    fn open_part(
        &self,
        part: u8,
        info: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        let nonce = self.header.nonce();
        let [key, commitment] =
            primitives::hkdf_sha256(self.key.expose(), &nonce, [info, COMMITMENT_INFO]);
        if !primitives::equal(commitment.as_ref(), &self.header.commitment()) {
            return Err(EnvelopeError::NotAuthentic);
        }
        let (sealed, tag) = sealed
            .split_last_chunk::<TAG_LEN>()
            .ok_or(EnvelopeError::Malformed)?;
        let mut plaintext = Zeroizing::new(sealed.to_vec());
        let associated_data = self.header.associated_data(&self.address, part);
        primitives::open_in_place(&key, &nonce, &associated_data, &mut plaintext, tag)
            .ok_or(EnvelopeError::NotAuthentic)?;
        Ok(plaintext)
    }
}

#[cfg(test)]
mod tests;
