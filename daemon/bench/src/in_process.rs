//! What a floor needs to do the daemon's work without the daemon: the keys of one store.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use vault_crypto::{
    Address, DataKey, Envelope, Header, KeyId, KeyPurpose, KeyTable, ObjectName, SecretBytes,
    StorageKey, VaultId, envelope,
};
use vault_keyring::{Account, EntryName, Interaction, Keyring, PassphraseBackend};
use vault_store::{DiskFileSystem, StoreId, durable};

use crate::{Result, daemon::PASSPHRASE};

/// What opens the objects of the one store of a vault.
pub(crate) struct InProcess {
    vault: VaultId,
    store: StoreId,
    key_id: KeyId,
    key: DataKey,
    pub(crate) objects: PathBuf,
}

impl InProcess {
    /// Gets the store's key as the daemon does: passphrase, storage key, key table.
    pub(crate) fn unlock(root: &Path) -> Result<Self> {
        let wrapped = fs::read(root.join("keys.a"))?;
        let vault = vault_crypto::key_table::TableInfo::parse(&wrapped)?.vault;
        let backend = PassphraseBackend::new(root.to_owned(), None);
        let keyring = Keyring::new(Box::new(backend), Duration::from_secs(30));
        keyring.unlock(Some(&SecretBytes::new(PASSPHRASE.to_vec())))?;
        let account = Account {
            vault,
            name: EntryName::StorageKey,
        };
        let secret = keyring.get(&account, Interaction::Forbidden)?;
        let storage_key = StorageKey::from_bytes(secret.expose()).ok_or("no storage key")?;
        let table = KeyTable::unwrap(&storage_key, &wrapped)?;
        let store = fs::read_dir(root.join("stores"))?
            .next()
            .ok_or("no store")??;
        let name = store
            .file_name()
            .into_string()
            .map_err(|_| "a foreign folder")?;
        let (key_id, key) = table.find(&KeyPurpose::store(&name)).ok_or("no data key")?;
        Ok(Self {
            vault,
            store: name.parse()?,
            key_id,
            key: key.duplicate(),
            objects: store.path().join("objects"),
        })
    }

    fn address<'a>(&'a self, name: &'a ObjectName, bytes: &[u8]) -> Result<Address<'a>> {
        Ok(Address {
            vault: self.vault,
            store: self.store.as_bytes(),
            object: name.as_bytes(),
            revision: Header::parse(bytes)?.revision(),
        })
    }

    /// Opens, reads and decrypts every head; returns how many.
    pub(crate) fn list(&self) -> Result<usize> {
        let mut count = 0;
        let mut beginning = [0; 2048];
        for entry in fs::read_dir(&self.objects)? {
            let entry = entry?;
            let name: ObjectName = entry
                .file_name()
                .to_str()
                .ok_or("a foreign name")?
                .parse()?;
            let len = fs::File::open(entry.path())?.read(&mut beginning)?;
            let address = self.address(&name, &beginning[..len])?;
            Envelope::new(&self.key, self.key_id, address, &beginning[..len])?.open_metadata()?;
            count += 1;
        }
        Ok(count)
    }

    /// Reads and opens every object, seals it under `key` and durably writes it into `folder` by the
    /// durable file protocol; returns how many.
    pub(crate) fn reseal(&self, folder: &Path, key: &DataKey) -> Result<usize> {
        let key_id = KeyId::generate()?;
        let mut count = 0;
        for entry in fs::read_dir(&self.objects)? {
            let file = entry?.file_name();
            let file = file.to_str().ok_or("a foreign name")?;
            let name: ObjectName = file.parse()?;
            let bytes = fs::read(self.objects.join(file))?;
            let address = self.address(&name, &bytes)?;
            let envelope = Envelope::new(&self.key, self.key_id, address, &bytes)?;
            let (metadata, body) = (envelope.open_metadata()?, envelope.open_body()?);
            let sealed = envelope::seal(key, key_id, &address, &metadata, &body)?;
            durable::replace(&DiskFileSystem, folder, file, &[&sealed])?;
            count += 1;
        }
        Ok(count)
    }
}
