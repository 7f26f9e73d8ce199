//! A storage key derived from a master key that the user keeps elsewhere.
//!
//! HKDF-SHA-256 (RFC 5869) of the master key under a public salt: the same two values give the same
//! storage key on any machine, so that a vault whose keyring is gone opens from what was written
//! down. The master key is a uniform 32-byte key and never a passphrase, for which HKDF is far too
//! cheap.

use crate::{
    id::id_type,
    primitives,
    secret::{StorageKey, key_type},
};

/// The info string is part of the format: with another, no derived vault would open again.
const INFO: &[u8] = b"vaultd-storage-v1";

key_type!(
    /// A key from which storage keys are derived. It stays with its owner: vaultd derives from it
    /// and forgets it.
    MasterKey
);

id_type!(
    /// The public salt of a derivation, 32 bytes: tells the storage keys of one master key apart.
    Salt,
    32
);

impl StorageKey {
    /// The storage key of `master` under `salt`: HKDF-SHA-256 with the info string
    /// `vaultd-storage-v1`, 32 bytes of output.
    pub fn derive(master: &MasterKey, salt: &Salt) -> Self {
        let key = Self::filled(|key| {
            primitives::hkdf_sha256_into(master.expose(), salt.as_bytes(), INFO, key);
        });
        primitives::scrub_stack::<{ primitives::SCRUBBED }>();
        key
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    fn counting(first: u8) -> [u8; 32] {
        std::array::from_fn(|at| first + u8::try_from(at).expect("below 32"))
    }

    /// The expected value was computed by a second implementation, from HMAC-SHA-256 alone.
    #[test]
    fn derivation_is_fixed_for_ever() {
        let master = MasterKey::from_bytes(&counting(0)).expect("32 bytes");
        let key = StorageKey::derive(&master, &Salt::from_bytes(counting(0x80)));
        assert_eq!(
            HEXLOWER.encode(key.expose()),
            "723073f653781f96e19b033a529c1f986fc40b7f6adf00de24bb880228a95cda"
        );
    }

    #[test]
    fn every_salt_and_every_master_key_gives_its_own_storage_key() {
        let master = |byte| MasterKey::from_bytes(&[byte; 32]).expect("32 bytes");
        let salt = |byte| Salt::from_bytes([byte; 32]);
        let key = StorageKey::derive(&master(1), &salt(1));
        for other in [
            StorageKey::derive(&master(2), &salt(1)),
            StorageKey::derive(&master(1), &salt(2)),
        ] {
            assert_ne!(key.expose(), other.expose());
        }
    }

    #[test]
    fn a_master_key_does_not_print_itself_and_a_salt_does() {
        let master = MasterKey::from_bytes(&[0xAB; 32]).expect("32 bytes");
        assert_eq!(format!("{master:?}"), "MasterKey(redacted)");
        let salt = Salt::from_bytes([0xAB; 32]);
        assert_eq!(salt.to_string(), "ab".repeat(32));
        assert_eq!(salt.to_string().parse(), Ok(salt));
    }
}
