//! Opening a vault, and the one rule under which a new storage key is made.
//!
//! A key is minted only when the data root holds no evidence of an earlier one (no header, no key
//! table, no sealed file), and it counts only once the keyring gave it back. Losing data to a
//! fresh key is the worst defect this product could have.

use std::{collections::HashMap, sync::Arc, sync::Mutex};

use vault_crypto::{
    DataKey, Fingerprint, KeyId, KeyPurpose, KeyTable, KeyTableError, NameKey, StorageKey, VaultId,
};

use super::{State, Vault, VaultOptions};
use crate::{
    catalogue::Catalogue,
    durable,
    error::StoreError,
    header::Header,
    key_source::{KeySource, KeySourceError},
    keys::{self, Copies},
    root::DataRoot,
};

/// Why a vault is not open.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    /// The data root is empty: there is no vault yet.
    #[error("there is no vault in this data root yet")]
    Uninitialized,
    /// The data root is not empty, so no new vault is set up in it.
    #[error("there is a vault, or what is left of one, in this data root already")]
    AlreadyInitialized,
    /// The keyring gave no answer.
    #[error(transparent)]
    KeySource(#[from] KeySourceError),
    /// Sealed data is there and its key is not.
    #[error("{0}")]
    KeyMissing(String),
    /// The keyring's key is not the one this vault was sealed with.
    #[error("the keyring holds a key with fingerprint {found}, this vault needs {expected}")]
    WrongKey {
        /// Fingerprint the key table records.
        expected: Fingerprint,
        /// Fingerprint of the key found.
        found: Fingerprint,
    },
    /// The key table or the catalogue cannot be read.
    #[error("the vault's own files are damaged: {0}")]
    Damaged(String),
    /// The disk failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a data root holds of an earlier key.
#[derive(Debug)]
pub struct Evidence {
    header: Result<Option<Header>, String>,
    copies: Copies,
    sealed_files: bool,
}

impl Evidence {
    /// Looks at `root` without changing it.
    pub fn gather(root: &DataRoot) -> Result<Self, StoreError> {
        let header = match Header::read(root) {
            Ok(header) => Ok(header),
            Err(error @ StoreError::Damaged { .. }) => Err(error.to_string()),
            Err(error) => return Err(error),
        };
        Ok(Self {
            header,
            copies: Copies::read(root)?,
            sealed_files: root.holds_sealed_files()?,
        })
    }

    /// Whether there is no trace of an earlier key.
    pub fn is_none(&self) -> bool {
        matches!(self.header, Ok(None)) && !self.copies.any() && !self.sealed_files
    }

    /// The public header, where it can be read.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref().ok()?.as_ref()
    }

    /// The vault, as the key table names it, or else the header.
    ///
    /// Where the copies of the table disagree, the header has the casting vote.
    pub fn vault(&self) -> Option<VaultId> {
        let named: Vec<VaultId> = self.copies.infos().map(|info| info.vault).collect();
        match named.as_slice() {
            [first, second] if first == second => Some(*first),
            _ => {
                let header = self.header().map(|header| header.vault);
                header.or(named.first().copied())
            }
        }
    }
}

impl Vault {
    /// Opens the vault of `root` with the key that `source` holds. Mints nothing.
    pub fn open(
        root: DataRoot,
        source: &dyn KeySource,
        options: VaultOptions,
    ) -> Result<Self, OpenError> {
        let evidence = Evidence::gather(&root)?;
        if evidence.is_none() {
            return Err(OpenError::Uninitialized);
        }
        let Some(id) = evidence.vault() else {
            return Err(OpenError::KeyMissing(
                "the data root holds sealed files but neither a readable header nor a key table: \
                 put back `vault.json`, `keys.a` or `keys.b` from a backup"
                    .to_owned(),
            ));
        };
        let key = source.load(id)?.ok_or_else(|| {
            OpenError::KeyMissing(format!(
                "the keyring has no storage key for vault {id}, whose data is here: \
                 bring the key back into the keyring, or restore a backup"
            ))
        })?;
        Self::open_with(root, id, &evidence, key, source.backend(), options)
    }

    fn open_with(
        root: DataRoot,
        id: VaultId,
        evidence: &Evidence,
        key: StorageKey,
        backend: &str,
        options: VaultOptions,
    ) -> Result<Self, OpenError> {
        let (table, copies_agree) = match evidence.copies.open(&key) {
            Ok(opened) => opened,
            Err(error) => {
                let found = key.fingerprint(id);
                let recorded = evidence.header().map(|header| header.fingerprint);
                return Err(match (error, recorded) {
                    // The header knows this key: what the table says of another one is damage.
                    (KeyTableError::WrongKey { .. }, Some(recorded)) if recorded == found => {
                        OpenError::Damaged(KeyTableError::Damaged.to_string())
                    }
                    (KeyTableError::WrongKey { expected, found }, _) => {
                        OpenError::WrongKey { expected, found }
                    }
                    // Without a readable table the header still tells a wrong key from damage.
                    (_, Some(expected)) if expected != found => {
                        OpenError::WrongKey { expected, found }
                    }
                    (error, _) => OpenError::Damaged(error.to_string()),
                });
            }
        };
        if table.vault() != id {
            return Err(OpenError::Damaged(format!(
                "the header names vault {id}, the key table vault {}",
                table.vault()
            )));
        }
        if !copies_agree {
            tracing::warn!("one copy of the key table was missing, old or damaged; mended");
            keys::write(&root, &table, &key)?;
        }
        let header = Header {
            vault: id,
            backend: backend.to_owned(),
            fingerprint: key.fingerprint(id),
        };
        durable::sweep(root.fs(), root.path());
        let catalogue = Self::read_catalogue(&root, evidence, &table)?;
        if evidence.header() != Some(&header) {
            tracing::warn!("the public header was missing, old or damaged; rebuilt");
            header.write(&root)?;
        }
        Self::assemble(root, header, table, catalogue, key, options)
    }

    fn read_catalogue(
        root: &DataRoot,
        evidence: &Evidence,
        table: &KeyTable,
    ) -> Result<Catalogue, OpenError> {
        let (key_id, key) = catalogue_key(table)?;
        let vault = table.vault();
        match Catalogue::read(root, vault, key_id, key) {
            Ok(Some(catalogue)) => Ok(catalogue),
            // Creation writes the header last: without one, a crash may have come before the
            // catalogue. With one, or with stores, the catalogue was lost, and an empty one must
            // not take its place.
            Ok(None) if matches!(evidence.header, Ok(None)) && !evidence.sealed_files => {
                Ok(Catalogue::create(root, vault, key_id, key)?)
            }
            Ok(None) => Err(OpenError::Damaged(
                "the catalogue of stores is gone: put back `catalogue` from a backup".to_owned(),
            )),
            Err(error @ (StoreError::Damaged { .. } | StoreError::PlaintextRefused { .. })) => {
                Err(OpenError::Damaged(error.to_string()))
            }
            Err(error) => Err(OpenError::Store(error)),
        }
    }

    /// Sets up a vault in an empty data root.
    ///
    /// The key goes into the keyring and is read back before anything is written to disk, so that
    /// at no instant data exists whose only key is in memory.
    pub fn create(
        root: DataRoot,
        source: &dyn KeySource,
        options: VaultOptions,
    ) -> Result<Self, OpenError> {
        if !Evidence::gather(&root)?.is_none() {
            return Err(OpenError::AlreadyInitialized);
        }
        let id = VaultId::generate().map_err(StoreError::from)?;
        // An entry under a vault id drawn just now cannot be there; a keyring that says otherwise,
        // or gives no answer, is not one to mint with.
        if source.load(id)?.is_some() {
            return Err(OpenError::KeySource(KeySourceError::Damaged(
                "it answers with a key for a vault that does not exist".to_owned(),
            )));
        }
        let key = StorageKey::generate().map_err(StoreError::from)?;
        source.save(id, &key)?;
        let back = source.load(id)?;
        if back.as_ref().map(StorageKey::expose) != Some(key.expose()) {
            return Err(OpenError::KeySource(KeySourceError::Damaged(
                "it did not give back the key just written".to_owned(),
            )));
        }

        let mut table = KeyTable::new(id);
        table
            .add(KeyPurpose::catalogue())
            .map_err(StoreError::from)?;
        table.add(KeyPurpose::names()).map_err(StoreError::from)?;
        root.create_folders()?;
        keys::write(&root, &table, &key)?;
        let (key_id, catalogue_key) = catalogue_key(&table)?;
        let catalogue = Catalogue::create(&root, id, key_id, catalogue_key)?;
        // Last: a header says that all the rest is there.
        let header = Header {
            vault: id,
            backend: source.backend().to_owned(),
            fingerprint: key.fingerprint(id),
        };
        header.write(&root)?;
        tracing::info!(vault = %id, backend = source.backend(), "vault created");
        Self::assemble(root, header, table, catalogue, key, options)
    }

    fn assemble(
        root: DataRoot,
        header: Header,
        table: KeyTable,
        catalogue: Catalogue,
        storage_key: StorageKey,
        options: VaultOptions,
    ) -> Result<Self, OpenError> {
        let (_, names) = table
            .find(&KeyPurpose::names())
            .ok_or_else(|| missing_key("names"))?;
        let names =
            DataKey::from_bytes(names.expose()).expect("a data key has a data key's length");
        Ok(Self {
            id: header.vault,
            fingerprint: header.fingerprint,
            backend: header.backend,
            root,
            storage_key,
            options,
            names: Arc::new(NameKey::new(names)),
            state: Mutex::new(State {
                table,
                catalogue,
                orphans: Vec::new(),
                open: HashMap::new(),
                closed: false,
            }),
        })
    }
}

fn catalogue_key(table: &KeyTable) -> Result<(KeyId, &DataKey), OpenError> {
    let found = table.find(&KeyPurpose::catalogue());
    found.ok_or_else(|| missing_key("the catalogue"))
}

fn missing_key(what: &str) -> OpenError {
    OpenError::Damaged(format!("the key table has no key for {what}"))
}
