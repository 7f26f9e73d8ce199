//! Destroying the storage key on purpose, after telling what that loses.

use std::sync::Arc;

use tonic::Status;
use vault_crypto::{SecretName, VaultId};
use vault_keyring::{BackendKind, Interaction, Keyring};
use vault_proto::v1::Reason;
use vault_store::{
    Clock as _, KeySourceError, SystemClock,
    secrets::SecretEntries as _,
    vault::{Evidence, RecoveryError, reset},
};

use super::{Keeper, State};
use crate::{
    error::{refusal, store_error},
    key_error,
    key_source::KeyringSource,
    key_state::Closed,
};

/// What a reset destroys, or has destroyed.
pub struct Loss {
    /// The vault.
    pub vault: VaultId,
    /// Names of its stores, where it is open.
    pub stores: Vec<String>,
    /// How many stores there are.
    pub store_count: u64,
    /// Files in the data root.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What was removed.
    pub removed: Vec<String>,
}

impl Keeper {
    /// Destroys the storage key, if `confirmed` names the vault; without it, tells what would be
    /// lost.
    pub fn reset_key(&self, confirmed: Option<&str>) -> Result<Loss, Box<Status>> {
        let mut slot = self.lock_attempt();
        let stores = match &*self.read() {
            State::Open(vault) => vault.stores(),
            State::Closed(_) => Vec::new(),
        };
        let evidence =
            Evidence::gather(&self.root).map_err(|error| Box::new(store_error(&error)))?;
        let Some(id) = evidence.vault() else {
            let text = "there is no vault in this data root";
            return Err(Box::new(refusal(Reason::NotFound, text, &[])));
        };
        let (files, bytes) = measure(self.root.path());
        let folders = std::fs::read_dir(self.root.path().join("stores"));
        let mut loss = Loss {
            vault: id,
            stores: stores.iter().map(|store| store.name.to_string()).collect(),
            store_count: folders.map_or(0, |folders| folders.count() as u64),
            files,
            bytes,
            removed: Vec::new(),
        };
        let Some(confirmed) = confirmed else {
            return Ok(loss);
        };
        if confirmed != id.to_string() {
            let text = format!("`{confirmed:.64}` is not the id of this vault: nothing was done");
            return Err(Box::new(refusal(Reason::InvalidArgument, text, &[])));
        }
        let keyring = match &*slot {
            Some(keyring) => Arc::clone(keyring),
            None => self
                .keyring(&mut slot)
                .map_err(|closed| Box::new(closed.refuse()))?,
        };
        let secrets = self.secrets_in_keyring(&keyring, id)?;
        self.audit.close("its key is destroyed on purpose");
        // First: a rotation under way must not keep a key anew.
        let before = match &*self.read() {
            State::Closed(closed) => closed.clone(),
            State::Open(_) => Closed::starting(),
        };
        self.close_vault(before);
        self.audit.closed();
        // Before the key: with it, a call that fails here can be made again.
        let entries = self.secret_entries(&keyring, Interaction::Allowed);
        for name in secrets {
            let removed = entries.remove(id, &name);
            removed.map_err(|error| Box::new(key_error::key_source(&error)))?;
            loss.removed.push(format!("secret `{name}` in the keyring"));
        }
        let source = KeyringSource::new(&keyring, Interaction::Allowed);
        let refuse = |error: RecoveryError| Box::new(key_error::recovery(&error));
        let removed = reset(&self.root, &source, id, SystemClock.now_ms()).map_err(refuse)?;
        loss.removed.extend(removed);
        for kind in Self::other_backends(keyring.kind(), &evidence) {
            // Copies that a move left, or key files of an earlier backend, open the vault as well.
            let other = self.new_keyring(kind);
            let other = KeyringSource::new(&other, Interaction::Allowed);
            let removed = reset(&self.root, &other, id, SystemClock.now_ms()).map_err(refuse)?;
            loss.removed.extend(removed);
        }
        if let Err(error) = keyring.lock() {
            tracing::warn!(%error, "the keyring could not be told to forget");
        }
        // Finds no key, and says why.
        self.close_vault(Closed::starting());
        let opened = self.open(&mut slot, Interaction::Forbidden);
        let opened = self.settle(opened);
        self.go_on(&opened, slot.as_ref());
        Ok(loss)
    }

    /// The secrets of the vault that have an entry in the keyring. Of a vault that is not open, those
    /// that the keyring names.
    fn secrets_in_keyring(
        &self,
        keyring: &Arc<Keyring>,
        vault: VaultId,
    ) -> Result<Vec<SecretName>, Box<Status>> {
        let entries = self.secret_entries(keyring, Interaction::Allowed);
        if let State::Open(vault) = &*self.read() {
            let names = vault.secret_entries(&entries);
            let names = names.map_err(|error| Box::new(self.refusal_of(&error)))?;
            return Ok(names.into_iter().collect());
        }
        if !keyring.kind().holds_secrets() {
            return Ok(Vec::new());
        }
        match entries.list(vault) {
            Err(KeySourceError::Unsupported(_)) => Ok(Vec::new()),
            listed => listed.map_err(|error| Box::new(key_error::key_source(&error))),
        }
    }

    /// The other backends that may hold a copy of the key.
    fn other_backends(own: BackendKind, evidence: &Evidence) -> Vec<BackendKind> {
        let moving = evidence.header().and_then(|header| header.moving.clone());
        let moving = moving.map(|moving| [moving.from, moving.to]);
        let mut others: Vec<BackendKind> = moving
            .iter()
            .flatten()
            .filter_map(|name| name.parse().ok())
            .chain([BackendKind::Passphrase])
            .filter(|kind| *kind != own && *kind != BackendKind::SystemdCreds)
            .collect();
        others.dedup();
        others
    }
}

/// Files below a folder, and their bytes.
fn measure(folder: &std::path::Path) -> (u64, u64) {
    let (mut files, mut bytes) = (0, 0);
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => {
                    files += 1;
                    bytes += entry.metadata().map_or(0, |metadata| metadata.len());
                }
                _ => {}
            }
        }
    }
    (files, bytes)
}
