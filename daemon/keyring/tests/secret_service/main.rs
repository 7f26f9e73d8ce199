//! The `os` backend against a real GNOME Keyring, started headless.

#![cfg(target_os = "linux")]

mod entries;
mod locked;
mod lost;
mod session;

use std::{collections::HashMap, time::Duration};

use secret_service::{EncryptionType, blocking::SecretService};
use vault_crypto::VaultId;
use vault_keyring::{Account, EntryName, Interaction::Forbidden, Keyring, KeyringError, SERVICE};

/// Longer than any answer takes, so that a dialog or a hang shows as `TimedOut`.
const LONG: Duration = Duration::from_secs(15);
const KEY: [u8; 32] = [0xA5; 32];
const OTHER: [u8; 32] = [0x5A; 32];

fn account(vault: u8) -> Account {
    Account {
        vault: VaultId::from_bytes([vault; 16]),
        name: EntryName::StorageKey,
    }
}

fn get(keyring: &Keyring, vault: u8) -> Result<Vec<u8>, KeyringError> {
    let secret = keyring.get(&account(vault), Forbidden)?;
    Ok(secret.expose().to_vec())
}

/// Labels of all our entries.
fn labels() -> Vec<String> {
    let service = SecretService::connect(EncryptionType::Plain).expect("connected");
    let found = service.search_items(HashMap::from([("service", SERVICE)]));
    let found = found.expect("searched");
    let all = found.unlocked.iter().chain(&found.locked);
    all.map(|item| item.get_label().expect("a label")).collect()
}
