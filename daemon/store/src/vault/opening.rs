//! Opening a vault, and the one rule under which a new storage key is made.
//!
//! A key is minted only when the data root holds no evidence of an earlier one (no header, no key
//! table, no sealed file), and it counts only once the keyring gave it back. Losing data to a
//! fresh key is the worst defect this product could have.

use std::collections::HashMap;

use vault_crypto::{
    DataKey, Fingerprint, KeyPurpose, KeyTable, KeyTableError, NameKey, StorageKey, VaultId,
    previous_key,
};

use super::{Evidence, Keys, SaltState, State, Tombstone, Vault, VaultOptions, derivation};
use crate::{
    catalogue::Catalogue,
    durable,
    error::StoreError,
    header::Header,
    key_source::{KeyEntry, KeySource, KeySourceError, load_key, save_and_verify},
    keys,
    root::DataRoot,
    rotation::{Depth, RotationRecord, RotationState, SaltChange},
    sidecar,
};

/// The outgoing storage key, sealed under one that was handed out.
pub(super) const PREVIOUS_FILE: &str = "storage-key.previous";
/// It has some 140 bytes.
const PREVIOUS_LIMIT: u64 = 4 << 10;

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
        if evidence.is_placing() {
            return Err(OpenError::Damaged(
                "a legacy root is half moved in: restart vaultd, which completes that".to_owned(),
            ));
        }
        let Some(id) = evidence.vault() else {
            return Err(OpenError::KeyMissing(
                "the data root holds sealed files but neither a readable header nor a key table: \
                 put back `vault.json`, `keys.a` or `keys.b` from a backup"
                    .to_owned(),
            ));
        };
        let candidates = Candidates::load(&root, id, &evidence, source)?;
        if candidates.keys.is_empty() {
            return Err(OpenError::KeyMissing(key_missing(id, &evidence)));
        }
        Self::open_with(root, id, &evidence, candidates, source, options)
    }

    fn open_with(
        root: DataRoot,
        id: VaultId,
        evidence: &Evidence,
        candidates: Candidates,
        source: &dyn KeySource,
        options: VaultOptions,
    ) -> Result<Self, OpenError> {
        let Candidates {
            keys: mut candidates,
            handed_in,
            damaged,
        } = candidates;
        let opened = evidence.copies.open(&candidates);
        let keys::Opened { table, key, whole } = opened.map_err(|error| match damaged {
            // Of an entry that is no key nobody knows whether it was the right one.
            Some(damaged) => OpenError::KeySource(damaged),
            None => refused(error, candidates[0].fingerprint(id), evidence),
        })?;
        if table.vault() != id {
            return Err(OpenError::Damaged(format!(
                "the header names vault {id}, the key table vault {}",
                table.vault()
            )));
        }
        let before = candidates[0].fingerprint(id);
        let storage = candidates.swap_remove(key);
        if !whole {
            tracing::warn!("one copy of the key table was missing, old or damaged; mended");
            keys::write(&root, &table, &storage)?;
        }
        durable::sweep(root.fs(), root.path());
        let keys = Keys { storage, table };
        let catalogue = Self::read_catalogue(&root, evidence, &keys)?;
        let fingerprint = keys.storage.fingerprint(id);
        let before = (key > 0).then_some(before);
        let rotation = read_rotation(&root, &keys, before, fingerprint, handed_in)?;

        let known = evidence.header();
        let mut header = Header {
            vault: id,
            backend: source.backend().to_owned(),
            fingerprint,
            ..known
                .cloned()
                .unwrap_or_else(|| Header::new(id, source.backend(), fingerprint))
        };
        let salt = match &rotation {
            Some(record) if record.salt != SaltChange::None => {
                SaltState::Unchecked("a rotation replaces it".to_owned())
            }
            _ => derivation::check(&root, source, &mut header)?,
        };
        if known != Some(&header) {
            if known.is_none() {
                tracing::warn!("the public header was missing or damaged; rebuilt");
            }
            header.write(&root)?;
        }
        if evidence.tombstone().is_some() {
            // The key came back, or was never gone.
            Tombstone::remove(&root)?;
        }
        Self::assemble(root, header, keys, catalogue, (rotation, salt), options)
            .inspect(Self::clear_unpublished)
    }

    fn read_catalogue(
        root: &DataRoot,
        evidence: &Evidence,
        keys: &Keys,
    ) -> Result<Catalogue, OpenError> {
        if keys.table.find(&KeyPurpose::catalogue()).is_none() {
            return Err(missing_key("the catalogue"));
        }
        let ring = keys.ring(&KeyPurpose::catalogue());
        let vault = keys.table.vault();
        match Catalogue::read(root, vault, &ring) {
            Ok(Some(catalogue)) => Ok(catalogue),
            // Creation writes the header last: without one, a crash may have come before the
            // catalogue. With one, or with stores, the catalogue was lost, and an empty one must
            // not take its place.
            Ok(None) if matches!(evidence.header, Ok(None)) && !evidence.sealed_files => {
                Ok(Catalogue::create(root, vault, &ring)?)
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
        if source.load(id, KeyEntry::StorageKey)?.is_some() {
            return Err(OpenError::KeySource(KeySourceError::Damaged(
                "it answers with a key for a vault that does not exist".to_owned(),
            )));
        }
        let key = StorageKey::generate().map_err(StoreError::from)?;
        save_and_verify(source, id, KeyEntry::StorageKey, key.expose())?;

        let mut table = KeyTable::new(id);
        table
            .add(KeyPurpose::catalogue())
            .map_err(StoreError::from)?;
        table.add(KeyPurpose::names()).map_err(StoreError::from)?;
        root.create_folders()?;
        keys::write(&root, &table, &key)?;
        let keys = Keys {
            storage: key,
            table,
        };
        let catalogue = Catalogue::create(&root, id, &keys.ring(&KeyPurpose::catalogue()))?;
        // Last: a header says that all the rest is there.
        let header = Header::new(id, source.backend(), keys.storage.fingerprint(id));
        header.write(&root)?;
        tracing::info!(vault = %id, backend = source.backend(), "vault created");
        let fresh = (None, SaltState::NotDerived);
        Self::assemble(root, header, keys, catalogue, fresh, options)
    }

    fn assemble(
        root: DataRoot,
        header: Header,
        keys: Keys,
        catalogue: Catalogue,
        (rotation, salt): (Option<RotationRecord>, SaltState),
        options: VaultOptions,
    ) -> Result<Self, OpenError> {
        let names = keys.table.find(&KeyPurpose::names());
        let names = names.map(|(_, key)| DataKey::duplicate(key));
        let names = NameKey::new(names.ok_or_else(|| missing_key("names"))?);
        let id = header.vault;
        let state = State {
            keys: Some(keys),
            header,
            rotation,
            salt,
            catalogue,
            orphans: Vec::new(),
            removing: Vec::new(),
            imports: Vec::new(),
            open: HashMap::new(),
            audit: None,
        };
        Ok(Self::over(root, id, options, names, state))
    }
}

/// The storage keys that may open the key table: the one in force, and where that does not open the
/// newest copy, those that a rotation left.
struct Candidates {
    keys: Vec<StorageKey>,
    /// The last of them was sealed under the first, which came from outside.
    handed_in: bool,
    /// The entry of the storage key is no key.
    damaged: Option<KeySourceError>,
}

impl Candidates {
    fn load(
        root: &DataRoot,
        id: VaultId,
        evidence: &Evidence,
        source: &dyn KeySource,
    ) -> Result<Self, OpenError> {
        let mut found = Self {
            keys: Vec::new(),
            handed_in: false,
            damaged: None,
        };
        match load_key(source, id, KeyEntry::StorageKey) {
            Ok(key) => found.keys.extend(key),
            // A rotation may have left a good one.
            Err(error @ KeySourceError::Damaged(_)) => found.damaged = Some(error),
            Err(error) => return Err(error.into()),
        }
        if evidence.copies.needs_more_than(&found.keys) {
            match load_key(source, id, KeyEntry::NextStorageKey) {
                // Nothing else may answer for "there is none".
                Ok(next) => found.keys.extend(next),
                Err(KeySourceError::Unsupported(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if evidence.copies.needs_more_than(&found.keys)
            && let Some(sealed) =
                durable::read(root.fs(), &root.file(PREVIOUS_FILE), PREVIOUS_LIMIT)?
        {
            let mut keys = found.keys.iter();
            let previous = keys.find_map(|key| previous_key::open_previous(key, id, &sealed).ok());
            found.handed_in = previous.is_some();
            found.keys.extend(previous);
        }
        match found.damaged {
            Some(error) if found.keys.is_empty() => Err(error.into()),
            damaged => Ok(Self { damaged, ..found }),
        }
    }
}

/// What it means that no key opens the key table.
fn refused(error: KeyTableError, found: Fingerprint, evidence: &Evidence) -> OpenError {
    let recorded = evidence.header().map(|header| header.fingerprint);
    match (error, recorded) {
        // The header knows this key: what the table says of another one is damage.
        (KeyTableError::WrongKey { .. }, Some(recorded)) if recorded == found => {
            OpenError::Damaged(KeyTableError::Damaged.to_string())
        }
        (KeyTableError::WrongKey { expected, .. }, _) => OpenError::WrongKey { expected, found },
        // Without a readable table the header still tells a wrong key from damage.
        (_, Some(expected)) if expected != found => OpenError::WrongKey { expected, found },
        (error, _) => OpenError::Damaged(error.to_string()),
    }
}

/// The rotation under way. One whose record was lost is known by the key that wraps the table; a
/// record that tells of other keys than that one is of no rotation of this table.
fn read_rotation(
    root: &DataRoot,
    keys: &Keys,
    before: Option<Fingerprint>,
    now: Fingerprint,
    handed_in: bool,
) -> Result<Option<RotationRecord>, StoreError> {
    let record = match RotationRecord::read(root) {
        Err(error @ StoreError::Damaged { .. }) => {
            tracing::warn!(%error, "the record of a rotation cannot be read");
            None
        }
        read => read?,
    };
    match record {
        Some(record) if record.from == now || record.to == now => return Ok(Some(record)),
        Some(_) => tracing::warn!("the record of a rotation is of other keys; not heeded"),
        None => {}
    }
    let Some(before) = before else {
        return Ok(None);
    };
    let reencrypts = !keys.table.retired().is_empty();
    let (depth, state) = match (handed_in, reencrypts) {
        (true, _) => (Depth::Rewrap, RotationState::Staged),
        (false, true) => (Depth::Reencrypt, RotationState::Rewriting),
        (false, false) => (Depth::Rewrap, RotationState::Verified),
    };
    // The table is still under the old key where the new one was handed in, else under the new.
    let (from, to) = if handed_in {
        (now, before)
    } else {
        (before, now)
    };
    let next_salt = derivation::read(root, sidecar::NEXT_FILE)?;
    let derived = next_salt.is_some_and(|sidecar| sidecar.fingerprint == to);
    Ok(Some(RotationRecord {
        depth,
        state,
        back: false,
        paused: false,
        from,
        to,
        salt: if derived {
            SaltChange::New
        } else {
            SaltChange::None
        },
        handed_out: handed_in,
    }))
}

fn key_missing(id: VaultId, evidence: &Evidence) -> String {
    let needed = match evidence.fingerprints().first() {
        Some(fingerprint) => format!(" (fingerprint {fingerprint})"),
        None => String::new(),
    };
    match evidence.tombstone() {
        Some(tombstone) if tombstone.vault == id => format!(
            "the storage key of vault {id} was destroyed on purpose (`key reset-for-wipe`): what \
             it sealed cannot be read, unless an export of the key is imported"
        ),
        _ => format!(
            "the keyring has no storage key{needed} for vault {id}, whose data is here: bring the key \
             back into the keyring, or restore a backup"
        ),
    }
}

fn missing_key(what: &str) -> OpenError {
    OpenError::Damaged(format!("the key table has no key for {what}"))
}
