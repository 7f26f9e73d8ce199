//! The keys of one blob file, and what they seal and open.

use super::{
    BlobAddress, BlobHeader, CHUNK, CHUNKS, FORMAT, HEADER_LEN, MAGIC, NONCE_LEN, Position,
    SALT_LEN, Suite, TRAILER_LEN, Trailer,
};
use crate::{
    DataKey, EnvelopeError, KeyId,
    primitives::{self, Derived, STORED_NONCE_LEN, TAG_LEN},
};

const CHUNK_INFO: &[u8] = b"vaultd blob v1 chunk key";
const TRAILER_INFO: &[u8] = b"vaultd blob v1 trailer key";
const COMMITMENT_INFO: &[u8] = b"vaultd blob v1 key commitment";

/// What of the header is no outcome of the derivation: magic, format, suite, key id.
const PREFIX_LEN: usize = 16;

/// What the associated data of a trailer is: no chunk has it, whose key is another one anyway.
const TRAILER_DATA: &[u8] = b"trailer";

/// The keys of one blob file. Any number of threads may seal and open chunks with them at once.
pub struct StreamKeys {
    header: BlobHeader,
    chunk: Derived,
    trailer: Derived,
}

impl StreamKeys {
    /// Keys of a new file, under a salt drawn for it.
    pub fn create(
        key: &DataKey,
        key_id: KeyId,
        address: &BlobAddress<'_>,
        suite: Suite,
    ) -> Result<Self, EnvelopeError> {
        let mut salt = [0; SALT_LEN];
        primitives::fill_random(&mut salt).map_err(|_| EnvelopeError::Random)?;
        Ok(Self::with_salt(key, key_id, address, suite, &salt))
    }

    /// [`StreamKeys::create`] with a given salt. Private: only tests may choose one.
    pub(super) fn with_salt(
        key: &DataKey,
        key_id: KeyId,
        address: &BlobAddress<'_>,
        suite: Suite,
        salt: &[u8; SALT_LEN],
    ) -> Self {
        let mut bytes = [0; HEADER_LEN];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4] = FORMAT;
        bytes[5] = suite.byte();
        bytes[8..16].copy_from_slice(key_id.as_bytes());
        bytes[16..48].copy_from_slice(salt);
        let (chunk, trailer, commitment) = derive(key, &bytes, salt, address);
        bytes[48..80].copy_from_slice(commitment.as_ref());
        Self {
            header: BlobHeader { bytes, suite },
            chunk,
            trailer,
        }
    }

    /// The keys of the file that begins with `header`, if it was made with this key at this place.
    pub fn open(
        key: &DataKey,
        key_id: KeyId,
        address: &BlobAddress<'_>,
        header: BlobHeader,
    ) -> Result<Self, EnvelopeError> {
        if header.key_id() != key_id {
            return Err(EnvelopeError::OtherKey {
                found: header.key_id(),
                expected: key_id,
            });
        }
        let (chunk, trailer, commitment) = derive(key, &header.bytes, &header.salt(), address);
        if !primitives::equal(commitment.as_ref(), &header.commitment()) {
            return Err(EnvelopeError::NotAuthentic);
        }
        Ok(Self {
            header,
            chunk,
            trailer,
        })
    }

    /// The header of the file.
    pub const fn header(&self) -> &BlobHeader {
        &self.header
    }

    /// Seals a chunk and adds it to `out`. The last one holds less than [`CHUNK`] bytes of content,
    /// every other one as many.
    pub fn seal_chunk(
        &self,
        position: Position,
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EnvelopeError> {
        check_len(position, content.len()).ok_or(EnvelopeError::TooLarge)?;
        self.seal(&self.chunk, &position.encode(), content, out)
    }

    /// Opens a chunk and adds its content to `out`, which is as it was where that fails.
    pub fn open_chunk(
        &self,
        position: Position,
        sealed: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EnvelopeError> {
        let (nonce, sealed) = sealed.split_first_chunk().ok_or(EnvelopeError::Malformed)?;
        let start = out.len();
        out.extend_from_slice(sealed);
        match self.open_chunk_in_place(position, nonce, &mut out[start..]) {
            Ok(len) => out.truncate(start + len),
            Err(error) => {
                out.truncate(start);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Opens a chunk where it stands: `sealed` is what follows its nonce. Says how many bytes of
    /// content stand there then; where it fails, nothing in `sealed` is of use.
    pub fn open_chunk_in_place(
        &self,
        position: Position,
        nonce: &[u8; NONCE_LEN],
        sealed: &mut [u8],
    ) -> Result<usize, EnvelopeError> {
        let len = sealed.len().checked_sub(TAG_LEN);
        len.and_then(|len| check_len(position, len))
            .ok_or(EnvelopeError::Malformed)?;
        self.open_part(&self.chunk, &position.encode(), nonce, sealed)
    }

    /// Seals the trailer.
    pub fn seal_trailer(&self, trailer: &Trailer) -> Result<Vec<u8>, EnvelopeError> {
        let mut out = Vec::with_capacity(TRAILER_LEN);
        self.seal(&self.trailer, TRAILER_DATA, &trailer.encode()?, &mut out)?;
        Ok(out)
    }

    /// Opens the trailer.
    pub fn open_trailer(&self, sealed: &[u8; TRAILER_LEN]) -> Result<Trailer, EnvelopeError> {
        let mut sealed = *sealed;
        let (nonce, sealed) = sealed
            .split_first_chunk_mut()
            .ok_or(EnvelopeError::Malformed)?;
        let len = self.open_part(&self.trailer, TRAILER_DATA, nonce, sealed)?;
        Trailer::parse(&sealed[..len])
    }

    fn seal(
        &self,
        key: &Derived,
        associated_data: &[u8],
        content: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), EnvelopeError> {
        let mut nonce = [0; STORED_NONCE_LEN];
        primitives::fill_random(&mut nonce).map_err(|_| EnvelopeError::Random)?;
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(content);
        let seal = match self.header.suite {
            Suite::XChaCha20Poly1305 => primitives::seal_short_nonce,
            Suite::Aes256Gcm => primitives::seal_aes_gcm,
        };
        let tag = seal(key, &nonce, associated_data, &mut out[start..]);
        out.extend_from_slice(&tag.ok_or(EnvelopeError::TooLarge)?);
        Ok(())
    }

    fn open_part(
        &self,
        key: &Derived,
        associated_data: &[u8],
        nonce: &[u8; NONCE_LEN],
        sealed: &mut [u8],
    ) -> Result<usize, EnvelopeError> {
        let (content, tag) = sealed
            .split_last_chunk_mut::<TAG_LEN>()
            .ok_or(EnvelopeError::Malformed)?;
        let open = match self.header.suite {
            Suite::XChaCha20Poly1305 => primitives::open_short_nonce,
            Suite::Aes256Gcm => primitives::open_aes_gcm,
        };
        let opened = open(key, nonce, associated_data, content, tag);
        opened.ok_or(EnvelopeError::NotAuthentic)?;
        Ok(content.len())
    }
}

impl std::fmt::Debug for StreamKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StreamKeys(redacted)")
    }
}

impl Position {
    fn encode(self) -> [u8; 9] {
        let mut bytes = [0; 9];
        bytes[..8].copy_from_slice(&self.index.to_le_bytes());
        bytes[8] = u8::from(self.last);
        bytes
    }
}

/// Whether a chunk there may have that much content.
fn check_len(position: Position, len: usize) -> Option<()> {
    let fits = if position.last {
        len < CHUNK
    } else {
        len == CHUNK
    };
    (fits && position.index < CHUNKS).then_some(())
}

/// Chunk key, trailer key and commitment.
fn derive(
    key: &DataKey,
    header: &[u8; HEADER_LEN],
    salt: &[u8; SALT_LEN],
    address: &BlobAddress<'_>,
) -> (Derived, Derived, Derived) {
    let info = |label: &[u8]| {
        let parts = [
            label,
            &header[..PREFIX_LEN],
            address.vault.as_bytes(),
            address.store,
        ];
        parts.concat()
    };
    // No label begins another one, and what follows has a fixed length but for its end.
    let infos = [CHUNK_INFO, TRAILER_INFO, COMMITMENT_INFO].map(info);
    let [chunk, trailer, commitment] =
        primitives::hkdf_sha256(key.expose(), salt, infos.each_ref().map(Vec::as_slice));
    (chunk, trailer, commitment)
}
