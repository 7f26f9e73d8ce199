//! The outgoing storage key sealed under the incoming one.
//!
//! Some keyrings are only read by the daemon. There a rotation is completed by whoever installs the
//! new key, and the daemon meets it at its next start: it then needs the old key once more, to
//! unwrap what the old key wrapped.
//!
//! ```text
//!  0  4  magic 89 56 50 4B ("\x89VPK")
//!  4  1  format version, 1
//!  5  1  suite, 1
//!  6  2  zero
//!  8 16  vault id
//! 24  8  fingerprint of the new storage key
//! 32 24  nonce
//! 56 48  the old storage key, sealed, with its tag
//! ```
//!
//! The sealing key is HKDF-SHA-256 of the new storage key salted with the nonce, so the storage key
//! itself never keys a cipher; the header is the associated data.

use zeroize::Zeroizing;

use crate::{
    id::VaultId,
    primitives::{self, NONCE_LEN, RandomError, TAG_LEN},
    secret::{Fingerprint, StorageKey},
};

const MAGIC: [u8; 4] = *b"\x89VPK";
const FORMAT: u8 = 1;
const SUITE: u8 = 1;
const HEADER_LEN: usize = 56;
const INFO: &[u8] = b"vaultd previous key v1 sealing key";

/// Length of the sealed form, in bytes.
pub const SEALED_LEN: usize = HEADER_LEN + StorageKey::LEN + TAG_LEN;

/// Why a previous key was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreviousKeyError {
    /// The storage key is another than the one that it was sealed under.
    #[error("sealed under the storage key with fingerprint {expected}, not {found}")]
    WrongKey {
        /// Fingerprint the header records.
        expected: Fingerprint,
        /// Fingerprint of the key handed in.
        found: Fingerprint,
    },
    /// Bytes missing, changed, of an unknown form or of another vault.
    #[error("the previous storage key is damaged or belongs to another vault")]
    Damaged,
    /// Sealed by a later version of vaultd.
    #[error("the previous storage key has format {0}, which this version does not know")]
    UnknownFormat(u8),
}

/// Seals `old` under `new`, both storage keys of `vault`. The result is [`SEALED_LEN`] bytes.
pub fn seal_previous(
    new: &StorageKey,
    vault: VaultId,
    old: &StorageKey,
) -> Result<Vec<u8>, RandomError> {
    let mut nonce = [0; NONCE_LEN];
    primitives::fill_random(&mut nonce)?;

    let mut header = [0; HEADER_LEN];
    header[..4].copy_from_slice(&MAGIC);
    header[4] = FORMAT;
    header[5] = SUITE;
    header[8..24].copy_from_slice(vault.as_bytes());
    header[24..32].copy_from_slice(new.fingerprint(vault).as_bytes());
    header[32..56].copy_from_slice(&nonce);

    let mut sealed = Zeroizing::new(*old.expose());
    let [key] = primitives::hkdf_sha256(new.expose(), &nonce, [INFO]);
    let tag = primitives::seal_in_place(&key, &nonce, &header, sealed.as_mut())
        .expect("a key is far below the cipher's limit of 256 GiB");
    Ok([&header[..], sealed.as_ref(), &tag].concat())
}

/// Opens what [`seal_previous`] sealed for `vault` under `new`; the old storage key.
pub fn open_previous(
    new: &StorageKey,
    vault: VaultId,
    bytes: &[u8],
) -> Result<StorageKey, PreviousKeyError> {
    if !bytes.starts_with(&MAGIC) {
        return Err(PreviousKeyError::Damaged);
    }
    // Before the length and the reserved bytes, which a later format may change.
    if let Some(&[format, suite]) = bytes.get(4..6).and_then(<[u8]>::first_chunk)
        && (format != FORMAT || suite != SUITE)
    {
        return Err(PreviousKeyError::UnknownFormat(format));
    }
    let bytes: &[u8; SEALED_LEN] = bytes.try_into().map_err(|_| PreviousKeyError::Damaged)?;
    let (header, sealed) = bytes.split_at(HEADER_LEN);
    if header[6..8] != [0, 0] || header[8..24] != *vault.as_bytes() {
        return Err(PreviousKeyError::Damaged);
    }
    let field = header[24..]
        .first_chunk()
        .expect("the fingerprint lies inside the header");
    let (expected, found) = (Fingerprint::from_bytes(*field), new.fingerprint(vault));
    if !primitives::equal(expected.as_bytes(), found.as_bytes()) {
        return Err(PreviousKeyError::WrongKey { expected, found });
    }
    let nonce = header[32..]
        .first_chunk()
        .expect("the header ends with a 24-byte nonce");
    let (sealed, tag) = sealed
        .split_last_chunk::<TAG_LEN>()
        .ok_or(PreviousKeyError::Damaged)?;
    let [key] = primitives::hkdf_sha256(new.expose(), nonce, [INFO]);
    let mut old = Zeroizing::new(sealed.to_vec());
    primitives::open_in_place(&key, nonce, header, &mut old, tag)
        .ok_or(PreviousKeyError::Damaged)?;
    StorageKey::from_bytes(&old).ok_or(PreviousKeyError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VAULT: VaultId = VaultId::from_bytes([9; 16]);

    fn storage_key(byte: u8) -> StorageKey {
        StorageKey::from_bytes(&[byte; 32]).expect("32 bytes")
    }

    fn sealed() -> Vec<u8> {
        seal_previous(&storage_key(2), VAULT, &storage_key(1)).expect("random source")
    }

    #[test]
    fn the_old_key_comes_back_under_the_new_one() {
        let sealed = sealed();
        assert_eq!(sealed.len(), SEALED_LEN);
        assert!(!sealed.windows(8).any(|run| run == [1; 8] || run == [2; 8]));
        let old = open_previous(&storage_key(2), VAULT, &sealed).expect("the right key");
        assert_eq!(old.expose(), storage_key(1).expose());
    }

    #[test]
    fn a_wrong_key_is_not_called_damage() {
        let error = open_previous(&storage_key(1), VAULT, &sealed()).expect_err("the old key");
        let fingerprint = |byte| storage_key(byte).fingerprint(VAULT);
        assert_eq!(
            error,
            PreviousKeyError::WrongKey {
                expected: fingerprint(2),
                found: fingerprint(1),
            }
        );
    }

    #[test]
    fn every_changed_byte_every_truncation_and_every_appended_byte_is_refused() {
        let sealed = sealed();
        let open = |bytes: &[u8]| open_previous(&storage_key(2), VAULT, bytes);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            let error = open(&changed).expect_err("changed");
            let expected = match at {
                4..6 => matches!(error, PreviousKeyError::UnknownFormat(_)),
                24..32 => matches!(error, PreviousKeyError::WrongKey { .. }),
                _ => error == PreviousKeyError::Damaged,
            };
            assert!(expected, "byte {at}: {error}");
            let error = open(&sealed[..at]).expect_err("cut short");
            assert_eq!(error, PreviousKeyError::Damaged, "cut at {at}");
        }
        let longer = [&sealed[..], &[0]].concat();
        assert_eq!(open(&longer).err(), Some(PreviousKeyError::Damaged));
    }

    #[test]
    fn another_vault_is_refused() {
        let other = VaultId::from_bytes([8; 16]);
        let error = open_previous(&storage_key(2), other, &sealed()).expect_err("refused");
        assert_eq!(error, PreviousKeyError::Damaged);
    }

    #[test]
    fn a_later_format_is_called_unknown_whatever_its_length() {
        let mut later = sealed();
        later[4] = 2;
        later[6] = 1;
        later.push(0);
        let error = open_previous(&storage_key(2), VAULT, &later).expect_err("a later format");
        assert_eq!(error, PreviousKeyError::UnknownFormat(2));
    }
}
