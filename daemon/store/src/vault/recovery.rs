//! Bringing a storage key back to a data root that has lost it, and destroying one on purpose.

use serde::{Deserialize, Serialize};
use vault_crypto::{Fingerprint, KeyTableError, MasterKey, Salt, StorageKey, VaultId};

use super::{Evidence, derivation, opening::PREVIOUS_FILE};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    key_source::{
        KeyEntry, KeySource, KeySourceError, load_key, remove_and_verify, save_and_verify,
    },
    keys, public_file,
    root::DataRoot,
    rotation::{self, text},
    sidecar,
};

/// Why a key was not brought back. The keyring holds what it held.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RecoveryError {
    /// There is nothing in this data root that a key could open.
    #[error("there is no vault in this data root: copy its files here first")]
    NoVault,
    /// The key is another vault's.
    #[error("the key belongs to vault {found}, this data root holds vault {expected}")]
    OtherVault {
        /// The vault of this data root.
        expected: VaultId,
        /// The vault the key belongs to.
        found: VaultId,
    },
    /// The key does not open this data root.
    #[error("the key has fingerprint {found}, this vault needs {expected}")]
    WrongKey {
        /// Fingerprint the key table records.
        expected: Fingerprint,
        /// Fingerprint of the key at hand.
        found: Fingerprint,
    },
    /// The key table cannot be read: whether the key fits is not to be found out.
    #[error("the key table is damaged: put `keys.a` or `keys.b` back from a backup")]
    Damaged,
    /// No copy of the salt is there.
    #[error("there is no salt: neither `derivation.json` nor the keyring has it")]
    NoSalt,
    /// The keyring failed.
    #[error(transparent)]
    KeySource(#[from] KeySourceError),
    /// The disk failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Puts `key` into the keyring, if it opens the vault in `root`; returns that vault's id.
pub fn recover(
    root: &DataRoot,
    source: &dyn KeySource,
    vault: Option<VaultId>,
    key: &StorageKey,
) -> Result<VaultId, RecoveryError> {
    let evidence = Evidence::gather(root)?;
    let id = evidence.vault().ok_or(RecoveryError::NoVault)?;
    if let Some(found) = vault.filter(|vault| *vault != id) {
        let expected = id;
        return Err(RecoveryError::OtherVault { expected, found });
    }
    let keys = [super::staging::copy(key)];
    match evidence.copies.open(&keys) {
        Ok(keys::Opened { .. }) => {}
        Err(KeyTableError::WrongKey { expected, found }) => {
            return Err(RecoveryError::WrongKey { expected, found });
        }
        Err(_) => return Err(RecoveryError::Damaged),
    }
    let known = load_key(source, id, KeyEntry::StorageKey);
    // Replaced, where another is there: it does not open this vault, or it would be open.
    if !known.is_ok_and(|known| known.is_some_and(|known| known.expose() == key.expose())) {
        save_and_verify(source, id, KeyEntry::StorageKey, key.expose())?;
    }
    Tombstone::remove(root)?;
    tracing::info!(vault = %id, "a storage key was brought back");
    Ok(id)
}

/// The storage key that `master` makes with the salt of this data root, if it is the one that the
/// vault was sealed with.
pub fn rederive(
    root: &DataRoot,
    source: &dyn KeySource,
    master: &MasterKey,
) -> Result<StorageKey, RecoveryError> {
    let evidence = Evidence::gather(root)?;
    let id = evidence.vault().ok_or(RecoveryError::NoVault)?;
    let mut salts: Vec<Salt> = Vec::new();
    for file in [sidecar::FILE, sidecar::NEXT_FILE] {
        salts.extend(derivation::read(root, file)?.map(|sidecar| sidecar.salt));
    }
    for entry in [KeyEntry::Salt, KeyEntry::NextSalt] {
        // A keyring that does not answer is no obstacle while the sidecar is there.
        if let Ok(Some(secret)) = source.load(id, entry)
            && let Ok(bytes) = secret.expose().try_into()
        {
            salts.push(Salt::from_bytes(bytes));
        }
    }
    let mut found = None;
    for salt in &salts {
        let key = StorageKey::derive(master, salt);
        let fingerprint = key.fingerprint(id);
        if evidence.fingerprints().contains(&fingerprint) {
            return Ok(key);
        }
        found = found.or(Some(fingerprint));
    }
    let found = found.ok_or(RecoveryError::NoSalt)?;
    let expected = evidence.fingerprints().first().copied();
    let expected = expected.ok_or(RecoveryError::Damaged)?;
    Err(RecoveryError::WrongKey { expected, found })
}

/// Destroys the storage key of the vault in `root`, with its salt: what it sealed is lost, unless
/// an export of the key exists. Leaves a tombstone. Returns what was removed, for people.
pub fn reset(
    root: &DataRoot,
    source: &dyn KeySource,
    vault: VaultId,
    now_ms: i64,
) -> Result<Vec<String>, RecoveryError> {
    // First, so that a crash amid the rest is explained; with a key at hand it means nothing.
    let at = now_ms;
    Tombstone { vault, at }.write(root)?;
    let mut removed = Vec::new();
    for (entry, what) in [
        (KeyEntry::StorageKey, "the storage key"),
        (KeyEntry::NextStorageKey, "the next storage key"),
        (KeyEntry::Salt, "the salt"),
        (KeyEntry::NextSalt, "the next salt"),
        (KeyEntry::Anchor, "the anchor"),
        (KeyEntry::AuditAnchor, "the anchor of the audit log"),
    ] {
        match source.load(vault, entry) {
            Ok(None) | Err(KeySourceError::Unsupported(_)) => continue,
            // A locked backend of ours may still be able to remove what it cannot read.
            Ok(Some(_)) if !source.is_writable() => {
                let _ = Tombstone::remove(root);
                return Err(RecoveryError::KeySource(KeySourceError::Unsupported(
                    "the key is in a credential: delete its file, and start without it".to_owned(),
                )));
            }
            Ok(Some(_)) | Err(_) => {}
        }
        remove_and_verify(source, vault, entry).inspect_err(|_| {
            if removed.is_empty() {
                // Nothing was destroyed, and nothing is to say so.
                let _ = Tombstone::remove(root);
            }
        })?;
        removed.push(format!("{what} in keyring backend `{}`", source.backend()));
    }
    for file in [
        sidecar::FILE,
        sidecar::NEXT_FILE,
        PREVIOUS_FILE,
        rotation::FILE,
    ] {
        if root.exists(file)? {
            durable::remove_if_there(root.fs(), &root.file(file))?;
            removed.push(format!("`{file}`"));
        }
    }
    durable::sync_dir(root.fs(), root.path())?;
    tracing::warn!(%vault, "the storage key was destroyed on purpose");
    Ok(removed)
}

/// Says that a storage key was destroyed on purpose: `reset.json`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tombstone {
    /// The vault.
    #[serde(with = "text")]
    pub vault: VaultId,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

impl Tombstone {
    const FILE: &'static str = "reset.json";

    /// Reads it; one that cannot be understood explains nothing.
    pub(super) fn read(root: &DataRoot) -> StoreResult<Option<Self>> {
        match public_file::read(root, Self::FILE) {
            Err(StoreError::Damaged { .. }) => Ok(None),
            read => read,
        }
    }

    fn write(&self, root: &DataRoot) -> StoreResult<()> {
        public_file::write(root, Self::FILE, self)
    }

    pub(super) fn remove(root: &DataRoot) -> StoreResult<()> {
        if !root.exists(Self::FILE)? {
            return Ok(());
        }
        public_file::remove(root, Self::FILE)
    }
}
