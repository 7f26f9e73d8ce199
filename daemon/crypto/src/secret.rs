//! Secrets as types: zeroed when dropped, neither `Copy` nor `Clone`, never printed.

use std::fmt;

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use crate::{id::VaultId, primitives};

/// Declares a 32-byte key type.
///
/// On the heap, so that moving the value does not leave copies behind on the stack.
macro_rules! key_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name(Box<[u8; $crate::primitives::KEY_LEN]>);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $crate::primitives::KEY_LEN;

            /// A new key from the operating system's random source.
            pub fn generate() -> Result<Self, $crate::RandomError> {
                let mut key = Self(Box::new([0; Self::LEN]));
                $crate::primitives::fill_random(key.0.as_mut())?;
                Ok(key)
            }

            /// Takes a key from bytes; `None` where they are not 32.
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                let mut key = Self(Box::new([0; Self::LEN]));
                if bytes.len() != Self::LEN {
                    return None;
                }
                key.0.copy_from_slice(bytes);
                Some(key)
            }

            /// The bytes themselves: for a keyring to store or a primitive to use.
            pub fn expose(&self) -> &[u8; Self::LEN] {
                &self.0
            }
        }

        impl ::std::ops::Drop for $name {
            fn drop(&mut self) {
                ::zeroize::Zeroize::zeroize(self.0.as_mut());
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    };
}
pub(crate) use key_type;

key_type!(
    /// The root key of a vault. Lives in the keyring, never on disk in the clear.
    StorageKey
);
key_type!(
    /// The key of one store or one vault-wide purpose, wrapped by the storage key in the key table.
    DataKey
);

impl DataKey {
    /// A second copy of the key, for where two owners need it at once, as a table and the store it
    /// opened do. Not `Clone`, so that every copy of a key is asked for by name and none is made
    /// by a derive or a collection.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self::from_bytes(self.expose()).expect("a key is 32 bytes")
    }
}

impl StorageKey {
    /// A key that `fill` writes in its place on the heap.
    pub(crate) fn filled(fill: impl FnOnce(&mut [u8; Self::LEN])) -> Self {
        let mut key = Self(Box::new([0; Self::LEN]));
        fill(&mut key.0);
        key
    }

    /// The check value that tells a wrong key from a damaged file: HKDF-SHA-256 of the key under
    /// its own info string, salted with the vault id. Reveals nothing about the key.
    pub fn fingerprint(&self, vault: VaultId) -> Fingerprint {
        let [output] = primitives::hkdf_sha256(
            self.expose(),
            vault.as_bytes(),
            [b"vaultd storage key fingerprint v1"],
        );
        let mut short = [0; Fingerprint::LEN];
        short.copy_from_slice(&output[..Fingerprint::LEN]);
        Fingerprint(short)
    }
}

/// A public check value of a storage key within one vault: 8 bytes, shown as 16 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Fingerprint([u8; Self::LEN]);

impl Fingerprint {
    /// Length in bytes.
    pub const LEN: usize = 8;

    /// A fingerprint read from a header.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a header.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl std::str::FromStr for Fingerprint {
    type Err = crate::id::ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::id::parse_hex(text).map(Self)
    }
}

/// Secret bytes of any length: passphrases, plaintext on its way through. Zeroed when dropped.
#[derive(Default)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes over `bytes`.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compiles only while `T` is neither `Copy` nor `Clone`: with either, both implementations
    /// apply and the call is ambiguous.
    macro_rules! assert_not_copyable {
        ($type:ty) => {{
            trait Ambiguous<Marker> {
                fn check() {}
            }
            impl<T: ?Sized> Ambiguous<()> for T {}
            impl<T: Clone> Ambiguous<u8> for T {}
            <$type as Ambiguous<_>>::check();
        }};
    }

    #[test]
    fn secrets_are_neither_copy_nor_clone() {
        assert_not_copyable!(StorageKey);
        assert_not_copyable!(DataKey);
        assert_not_copyable!(crate::MasterKey);
        assert_not_copyable!(SecretBytes);
    }

    #[test]
    fn secrets_do_not_print_themselves() {
        let key = StorageKey::from_bytes(&[0xAB; 32]).expect("32 bytes");
        for shown in [
            format!("{key:?}"),
            format!("{:#?}", DataKey::from_bytes(&[0xAB; 32])),
            format!("{:?}", SecretBytes::new(b"hunter2".to_vec())),
        ] {
            assert!(shown.contains("redacted"), "{shown}");
            assert!(
                !shown.contains("171") && !shown.to_lowercase().contains("abab"),
                "{shown}"
            );
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn keys_take_exactly_32_bytes() {
        assert!(StorageKey::from_bytes(&[0; 31]).is_none());
        assert!(StorageKey::from_bytes(&[0; 33]).is_none());
        assert!(DataKey::from_bytes(&[]).is_none());
    }

    #[test]
    fn a_fingerprint_belongs_to_one_key_and_one_vault() {
        let (one, two) = (VaultId::from_bytes([1; 16]), VaultId::from_bytes([2; 16]));
        let key = StorageKey::from_bytes(&[7; 32]).expect("32 bytes");
        let other = StorageKey::from_bytes(&[8; 32]).expect("32 bytes");
        assert_eq!(key.fingerprint(one), key.fingerprint(one));
        assert_ne!(key.fingerprint(one), key.fingerprint(two));
        assert_ne!(key.fingerprint(one), other.fingerprint(one));
        let shown = key.fingerprint(one).to_string();
        assert_eq!(shown.parse(), Ok(key.fingerprint(one)));
    }

    #[test]
    fn a_duplicate_outlives_its_original() {
        let key = DataKey::from_bytes(&[7; 32]).expect("32 bytes");
        let copy = key.duplicate();
        drop(key);
        assert_eq!(copy.expose(), &[7; 32]);
    }

    #[test]
    fn generated_keys_differ() {
        let one = DataKey::generate().expect("random source");
        let two = DataKey::generate().expect("random source");
        assert_ne!(one.expose(), two.expose());
    }
}
