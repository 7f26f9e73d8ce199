//! Where the storage key comes from, as this crate sees it: the keyring behind a trait.

use vault_crypto::{SecretBytes, StorageKey, VaultId};

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
    /// It cannot do this at all.
    #[error("this keyring backend cannot do that: {0}")]
    Unsupported(String),
}

/// What a keyring holds for a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyEntry {
    /// The storage key in force.
    StorageKey,
    /// The one that a rotation has staged.
    NextStorageKey,
    /// The salt from which a derived storage key was made.
    Salt,
    /// The salt of a staged derived key.
    NextSalt,
    /// What shows that the list of who may use the vault is an older copy.
    Anchor,
    /// What shows that the audit log is an older copy, or was cut.
    AuditAnchor,
}

/// A keyring, seen from the vault.
pub trait KeySource {
    /// The backend's name, as it stands in the public header.
    fn backend(&self) -> &str;

    /// Whether entries can be written. One that cannot is given its key from outside.
    fn is_writable(&self) -> bool {
        true
    }

    /// An entry of `vault`; `None` only where the keyring said that there is no such entry.
    fn load(&self, vault: VaultId, entry: KeyEntry) -> Result<Option<SecretBytes>, KeySourceError>;

    /// Durably keeps an entry of `vault`, in place of an earlier one.
    fn save(&self, vault: VaultId, entry: KeyEntry, secret: &[u8]) -> Result<(), KeySourceError>;

    /// Durably removes an entry of `vault`; one that is not there is fine.
    fn remove(&self, vault: VaultId, entry: KeyEntry) -> Result<(), KeySourceError>;
}

/// A storage key from a keyring.
pub(crate) fn load_key(
    source: &dyn KeySource,
    vault: VaultId,
    entry: KeyEntry,
) -> Result<Option<StorageKey>, KeySourceError> {
    let Some(secret) = source.load(vault, entry)? else {
        return Ok(None);
    };
    let key = StorageKey::from_bytes(secret.expose());
    key.map(Some)
        .ok_or_else(|| KeySourceError::Damaged("the entry does not hold a 32-byte key".to_owned()))
}

/// Removes an entry and makes sure that it is gone: a key that was to be destroyed must not stay.
/// A backend that cannot hold such an entry has none.
pub(crate) fn remove_and_verify(
    source: &dyn KeySource,
    vault: VaultId,
    entry: KeyEntry,
) -> Result<(), KeySourceError> {
    let removed = source
        .remove(vault, entry)
        .and_then(|()| source.load(vault, entry));
    match removed {
        Ok(None) | Err(KeySourceError::Unsupported(_)) => Ok(()),
        Ok(Some(_)) => Err(KeySourceError::Damaged(
            "it still holds what was just removed".to_owned(),
        )),
        Err(error) => Err(error),
    }
}

/// Keeps an entry and makes sure that the keyring gives it back: only then does it count.
pub(crate) fn save_and_verify(
    source: &dyn KeySource,
    vault: VaultId,
    entry: KeyEntry,
    secret: &[u8],
) -> Result<(), KeySourceError> {
    source.save(vault, entry, secret)?;
    let back = source.load(vault, entry)?;
    if back.is_some_and(|back| back.expose() == secret) {
        Ok(())
    } else {
        Err(KeySourceError::Damaged(
            "it did not give back what was just written".to_owned(),
        ))
    }
}
