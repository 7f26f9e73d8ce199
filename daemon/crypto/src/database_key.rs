//! The key of one database file.
//!
//! SQLCipher seals every page of a database with AES-256-CBC and HMAC-SHA-512 of its own. What it is
//! given is derived here and never stored: HKDF-SHA-256 (RFC 5869) of the store's data key under a
//! random salt that stands in the database's sealed head, so that no two files, and no two
//! generations of one file, ever share a key.

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use crate::{
    id::id_type,
    primitives,
    secret::{DataKey, key_type},
};

/// The info string is part of the format: with another, no database would open again.
const INFO: &[u8] = b"vaultd database v1";

/// `x'`, two digits a byte, `'`.
const RAW_FORM_LEN: usize = 2 * DatabaseKey::LEN + 3;

key_type!(
    /// The key of one database file, as SQLCipher takes it.
    DatabaseKey
);

id_type!(
    /// The salt under which a database's key is derived, 32 bytes. Not secret.
    DatabaseSalt,
    32
);

impl DatabaseKey {
    /// The key as a blob literal of SQL (`x'…'` with 64 hex digits), the raw form that SQLCipher
    /// takes as it is, without PBKDF2: the key is uniform already.
    pub fn raw_form(&self) -> Zeroizing<String> {
        let mut digits = Zeroizing::new([0; 2 * Self::LEN]);
        HEXLOWER.encode_mut(self.expose(), digits.as_mut());
        // As long as it will be, so that growing leaves no copy behind.
        let mut text = Zeroizing::new(String::with_capacity(RAW_FORM_LEN));
        text.push_str("x'");
        text.extend(digits.iter().map(|digit| char::from(*digit)));
        text.push('\'');
        text
    }
}

impl DataKey {
    /// The key of the database file whose head holds `salt`: HKDF-SHA-256 with the info string
    /// `vaultd database v1`, 32 bytes of output.
    pub fn database_key(&self, salt: &DatabaseSalt) -> DatabaseKey {
        let mut key = DatabaseKey(Box::new([0; DatabaseKey::LEN]));
        primitives::hkdf_sha256_into(self.expose(), salt.as_bytes(), INFO, &mut key.0);
        primitives::scrub_stack::<{ primitives::SCRUBBED }>();
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: &str = "x'5250a63aaaf9d76aced5e322648294c8b0141cec50945f4a24826496003bbe62'";

    fn data_key(byte: u8) -> DataKey {
        DataKey::from_bytes(&[byte; 32]).expect("32 bytes")
    }

    /// The expected value was computed by a second implementation, from HMAC-SHA-256 alone.
    #[test]
    fn derivation_is_fixed_for_ever() {
        let key = data_key(7).database_key(&DatabaseSalt::from_bytes([9; 32]));
        assert_eq!(*key.raw_form(), EXPECTED);
    }

    #[test]
    fn every_data_key_and_every_salt_gives_its_own_key() {
        let salt = |byte| DatabaseSalt::from_bytes([byte; 32]);
        let key = data_key(1).database_key(&salt(1));
        for other in [
            data_key(2).database_key(&salt(1)),
            data_key(1).database_key(&salt(2)),
        ] {
            assert_ne!(key.expose(), other.expose());
        }
        assert_eq!(format!("{key:?}"), "DatabaseKey(redacted)");
    }
}
