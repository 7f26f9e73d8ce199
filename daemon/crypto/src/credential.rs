//! What stands for a credential in a table, and what signs a cookie.
//!
//! A credential holds 256 random bits, so a plain SHA-256 of it may be kept: nobody can try them all.
//! Nothing here is fit for passwords.

use crate::{primitives, secret::key_type};

key_type!(
    /// Signs the cookies of sessions. One for each vault, kept in it; a new one makes every cookie
    /// invalid.
    SigningKey
);

/// Length of a hash and of a signature, in bytes.
pub const HASH_LEN: usize = 32;

/// Length of a checksum, in bytes.
pub const CHECKSUM_LEN: usize = 4;

impl SigningKey {
    /// HMAC-SHA-256 of `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; HASH_LEN] {
        primitives::hmac_sha256(self.expose(), message)
    }

    /// Whether `signature` is that of `message`; compared in constant time.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        equal(&self.sign(message), signature)
    }
}

/// SHA-256 of a credential: what is kept of it.
pub fn hash(credential: &[u8]) -> [u8; HASH_LEN] {
    primitives::sha256(credential)
}

/// Compares in constant time; lengths are no secret.
pub fn equal(left: &[u8], right: &[u8]) -> bool {
    primitives::equal(left, right)
}

/// Tells a mistyped credential from an unknown one: the first bytes of SHA-256 under a prefix of its
/// own, so that they are no part of [`hash`].
pub fn checksum(credential: &[u8]) -> [u8; CHECKSUM_LEN] {
    let mut hasher = primitives::Sha256Stream::default();
    hasher.update(b"vaultd credential checksum v1");
    hasher.update(credential);
    let [first, second, third, fourth, ..] = hasher.finish();
    [first, second, third, fourth]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_one_key_and_one_message() {
        let key = |byte| SigningKey::from_bytes(&[byte; 32]).expect("32 bytes");
        let signature = key(1).sign(b"message");
        assert!(key(1).verifies(b"message", &signature));
        assert!(!key(2).verifies(b"message", &signature));
        assert!(!key(1).verifies(b"messagf", &signature));
        assert!(!key(1).verifies(b"message", &signature[..31]));
        assert!(!key(1).verifies(b"message", &[]));
        for at in 0..signature.len() {
            let mut forged = signature;
            forged[at] ^= 1;
            assert!(!key(1).verifies(b"message", &forged), "byte {at}");
        }
    }

    #[test]
    fn a_checksum_is_fixed_for_ever_and_no_part_of_the_hash() {
        // By `printf 'vaultd credential checksum v1abc' | sha256sum`.
        assert_eq!(checksum(b"abc"), [0x8A, 0xA2, 0x7E, 0x9B]);
        assert_ne!(checksum(b"abc"), hash(b"abc")[..CHECKSUM_LEN]);
        assert_ne!(checksum(b"abc"), checksum(b"abd"));
    }

    #[test]
    fn a_key_does_not_print_itself() {
        let key = SigningKey::from_bytes(&[0xAB; 32]).expect("32 bytes");
        assert_eq!(format!("{key:?}"), "SigningKey(redacted)");
    }
}
