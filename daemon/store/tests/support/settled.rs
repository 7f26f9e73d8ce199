//! What must hold once nothing is half done: one storage key opens the vault, and nothing is kept of
//! any other.

use std::{collections::BTreeSet, path::Path};

use vault_crypto::{KeyTable, StorageKey};
use vault_store::{KeyEntry, OpenError, Vault};

use super::{
    fixture::{Fixture, ROOT},
    keyring::Entries,
};

const BESIDE: [&str; 3] = [
    "rotation.json",
    "derivation.next.json",
    "storage-key.previous",
];

/// Looks at everything that a change of keys may leave behind. `history` is what the keyrings ever
/// held: no storage key in it but the one in force opens the vault.
pub(crate) fn nothing_half_done<'a>(
    fixture: &Fixture,
    vault: &Vault,
    history: impl Iterator<Item = &'a Entries>,
) -> Result<(), String> {
    let header = vault.header();
    if vault.rotation().is_some() || header.moving.is_some() {
        return Err(format!("half done: {:?}, {header:?}", vault.rotation()));
    }
    let image = fixture.simulated.image();
    for file in BESIDE {
        if image.file(&Path::new(ROOT).join(file)).is_some() {
            return Err(format!("{file} is left"));
        }
    }
    let backend = fixture.source().backend_name();
    let mut kept = fixture.keyring.entries();
    let place = (backend, vault.id(), KeyEntry::StorageKey);
    let key = kept.remove(&place).ok_or("the storage key is not kept")?;
    let salt = kept.remove(&(backend, vault.id(), KeyEntry::Salt));
    if !kept.is_empty() || salt.is_some() != header.derived {
        return Err(format!("kept besides: {:?}", kept.keys()));
    }
    let key = StorageKey::from_bytes(&key).expect("32 bytes");
    if key.fingerprint(vault.id()) != vault.fingerprint() {
        return Err("another key is kept than the one in force".to_owned());
    }
    let table = image.file(&Path::new(ROOT).join("keys.a"));
    let table = KeyTable::unwrap(&key, table.unwrap_or_default()).map_err(|e| e.to_string())?;
    if !table.retired().is_empty() {
        return Err("old data keys are kept".to_owned());
    }
    let is_older = |entry: KeyEntry, secret: &[u8]| {
        let is_key = matches!(entry, KeyEntry::StorageKey | KeyEntry::NextStorageKey);
        is_key && secret != key.expose()
    };
    let older: BTreeSet<&Vec<u8>> = history
        .flatten()
        .filter(|((_, _, entry), secret)| is_older(*entry, secret))
        .map(|(_, secret)| secret)
        .collect();
    for old in older {
        let entries = [(place, old.clone())];
        let fixture = fixture.after_with(image.clone(), entries.into());
        if !matches!(fixture.open(), Err(OpenError::WrongKey { .. })) {
            return Err("an old storage key is not refused".to_owned());
        }
    }
    Ok(())
}
