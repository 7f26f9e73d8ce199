//! The audit boundary of vaultd.
//!
//! The only crate that names an AEAD, a KDF or a MAC. It does no I/O of its own beyond reading the
//! operating system's random source (age plug-ins, where a caller names one, are processes: see
//! [`recipients`]), runs nothing asynchronously and holds no unsafe code. Read it in this order:
//! [`secret`], `primitives`, [`envelope`], [`key_table`], [`previous_key`], [`derivation`], [`database_key`],
//! [`blob_stream`], [`credential`], [`chain`];
//! [`recipients`], `age_file`, [`passphrase`], [`key_export`], [`sealed_stream`].

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod age_file;
pub mod blob_stream;
pub mod chain;
pub mod content;
pub mod credential;
pub mod database_key;
pub mod derivation;
pub mod envelope;
pub mod id;
pub mod key_export;
pub mod key_table;
pub mod name;
pub mod passphrase;
pub mod previous_key;
mod primitives;
pub mod recipients;
pub mod sealed_stream;
pub mod secret;
pub mod secret_name;

pub use blob_stream::{BlobAddress, BlobHeader, Position, StreamKeys, Suite, Trailer};
pub use chain::ChainHash;
pub use content::{ContentHash, ContentHasher};
pub use credential::SigningKey;
pub use database_key::{DatabaseKey, DatabaseSalt};
pub use derivation::{MasterKey, Salt};
pub use envelope::{Address, Envelope, EnvelopeError, Header};
pub use id::{KeyId, VaultId};
pub use key_table::{KeyPurpose, KeyTable, KeyTableError, SeveralRetired};
pub use name::{NameKey, ObjectName};
pub use passphrase::PassphraseError;
pub use primitives::{RandomError, scrub_stack};
pub use recipients::{Identities, Recipients};
pub use secret::{DataKey, Fingerprint, SecretBytes, StorageKey};
pub use secret_name::{ParseSecretNameError, SecretName};

/// Fills `N` bytes from the operating system's random source, for identifiers that are not keys.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    primitives::fill_random(&mut bytes)?;
    Ok(bytes)
}
