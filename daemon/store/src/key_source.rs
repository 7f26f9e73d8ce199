//! Where the storage key comes from, as this crate sees it: the keyring behind a trait.

use vault_crypto::{StorageKey, VaultId};

/// Why no answer came. Every one of them is told apart, because only "no such entry" (which is no
/// error) may ever lead to a new key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySourceError {
    /// It waits to be unlocked.
    #[error("the keyring is locked: {0}")]
    Locked(String),
    /// Nobody answers.
    #[error("the keyring is not reachable: {0}")]
    Unreachable(String),
    /// It refused this program.
    #[error("the keyring refused access: {0}")]
    Denied(String),
    /// No answer within the deadline.
    #[error("the keyring did not answer: {0}")]
    TimedOut(String),
    /// The passphrase handed in is not the right one.
    #[error("the passphrase does not open the key file")]
    WrongPassphrase,
    /// What it holds is not a key.
    #[error("the keyring entry is damaged: {0}")]
    Damaged(String),
}

/// A keyring, seen from the vault.
pub trait KeySource {
    /// The backend's name, as it stands in the public header.
    fn backend(&self) -> &str;

    /// The storage key of `vault`; `None` only where the keyring said that there is no such entry.
    fn load(&self, vault: VaultId) -> Result<Option<StorageKey>, KeySourceError>;

    /// Durably keeps the storage key of `vault`.
    fn save(&self, vault: VaultId, key: &StorageKey) -> Result<(), KeySourceError>;
}
