//! The audit boundary of vaultd.
//!
//! The only crate that names an AEAD, a KDF or a MAC. It does no I/O beyond reading the operating
//! system's random source, runs nothing asynchronously and holds no unsafe code. Read it in this
//! order: [`secret`], `primitives`, [`envelope`], [`key_table`], [`passphrase`].

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod content;
pub mod envelope;
pub mod id;
pub mod key_table;
pub mod name;
pub mod passphrase;
mod primitives;
pub mod secret;

pub use content::ContentHash;
pub use envelope::{Address, Envelope, EnvelopeError, Header};
pub use id::{KeyId, VaultId};
pub use key_table::{KeyPurpose, KeyTable, KeyTableError};
pub use name::{NameKey, ObjectName};
pub use primitives::RandomError;
pub use secret::{DataKey, Fingerprint, SecretBytes, StorageKey};

/// Fills `N` bytes from the operating system's random source, for identifiers that are not keys.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    primitives::fill_random(&mut bytes)?;
    Ok(bytes)
}
