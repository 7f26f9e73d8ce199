//! The wrapped key table on disk: two copies, each authenticated, the newer one in force.

use vault_crypto::{KeyTable, KeyTableError, StorageKey, key_table::TableInfo};

use crate::{
    durable,
    error::{StoreError, StoreResult},
    root::DataRoot,
};

/// The two copies, in the order they are written.
pub(crate) const FILES: [&str; 2] = ["keys.a", "keys.b"];

/// Far above what 100,000 stores need.
const LIMIT: u64 = 64 << 20;

/// The copies as found on disk.
#[derive(Debug, Default)]
pub(crate) struct Copies([Option<Vec<u8>>; 2]);

/// A key table that was opened.
pub(crate) struct Opened {
    pub(crate) table: KeyTable,
    /// Which of the keys handed in wraps it.
    pub(crate) key: usize,
    /// Whether both copies hold it.
    pub(crate) whole: bool,
}

impl Copies {
    /// Reads both.
    pub(crate) fn read(root: &DataRoot) -> StoreResult<Self> {
        let read = |name| durable::read(root.fs(), &root.file(name), LIMIT);
        Ok(Self([read(FILES[0])?, read(FILES[1])?]))
    }

    /// Whether there is any.
    pub(crate) fn any(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }

    /// What the copies say of themselves, those that can be understood.
    pub(crate) fn infos(&self) -> impl Iterator<Item = TableInfo> {
        self.0
            .iter()
            .flatten()
            .filter_map(|bytes| TableInfo::parse(bytes).ok())
    }

    /// Which copies are missing or cannot be understood, by file name.
    pub(crate) fn unreadable(&self) -> impl Iterator<Item = &'static str> {
        let readable = |bytes: &Option<Vec<u8>>| {
            bytes
                .as_ref()
                .is_some_and(|bytes| TableInfo::parse(bytes).is_ok())
        };
        let files = FILES.into_iter().zip(&self.0);
        files.filter_map(move |(name, bytes)| (!readable(bytes)).then_some(name))
    }

    /// Whether another key than these may wrap a newer table than they do.
    pub(crate) fn needs_more_than(&self, keys: &[StorageKey]) -> bool {
        let known = |info: &TableInfo| {
            let mut fingerprints = keys.iter().map(|key| key.fingerprint(info.vault));
            fingerprints.any(|fingerprint| fingerprint == info.fingerprint)
        };
        let newest = |wanted: bool| {
            let infos = self.infos().filter(|info| known(info) == wanted);
            infos.map(|info| info.generation).max()
        };
        newest(false) > newest(true)
    }

    /// Opens the newest copy that one of `keys` opens.
    ///
    /// Keys that open neither are wrong if any copy says so, since damage cannot make a copy name
    /// another key's fingerprint consistently; otherwise the table is damaged.
    pub(crate) fn open(&self, keys: &[StorageKey]) -> Result<Opened, KeyTableError> {
        let mut newest: Option<Opened> = None;
        let mut failure = None;
        // Both are written from the same bytes.
        let whole = self.0[0].is_some() && self.0[0] == self.0[1];
        for bytes in self.0.iter().flatten() {
            for (key, storage_key) in keys.iter().enumerate() {
                match KeyTable::unwrap(storage_key, bytes) {
                    Ok(table) => {
                        let best = newest.as_ref().map(|best| best.table.generation());
                        if best.is_none_or(|best| best < table.generation()) {
                            newest = Some(Opened { table, key, whole });
                        }
                        break;
                    }
                    Err(error @ KeyTableError::WrongKey { .. }) => {
                        // Of several keys, the first is the one that people know of.
                        let first = matches!(failure, Some(KeyTableError::WrongKey { .. }));
                        failure = if first { failure } else { Some(error) };
                    }
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
        }
        newest.ok_or_else(|| failure.unwrap_or(KeyTableError::Damaged))
    }
}

/// Durably writes both copies. Each is renamed into place whole, so one sync of the folder does
/// for both.
pub(crate) fn write(root: &DataRoot, table: &KeyTable, key: &StorageKey) -> StoreResult<()> {
    let wrapped = table.wrap(key)?;
    for name in FILES {
        durable::stage(root.fs(), root.path(), &[&wrapped])?.rename(&root.file(name))?;
    }
    durable::sync_dir(root.fs(), root.path())
}

/// Reads both copies and tells which do not hold `table` under `key`, by file name.
pub(crate) fn damaged(
    root: &DataRoot,
    table: &KeyTable,
    key: &StorageKey,
) -> StoreResult<Vec<&'static str>> {
    let Copies(copies) = Copies::read(root)?;
    let holds = |bytes: &[u8]| {
        KeyTable::unwrap(key, bytes).is_ok_and(|back| {
            back.generation() == table.generation() && back.purposes() == table.purposes()
        })
    };
    let files = FILES.into_iter().zip(copies);
    let damaged = files.filter(|(_, bytes)| !bytes.as_ref().is_some_and(|bytes| holds(bytes)));
    Ok(damaged.map(|(name, _)| name).collect())
}

/// Reads both copies back and makes sure that they hold `table` under `key`.
pub(crate) fn verify(root: &DataRoot, table: &KeyTable, key: &StorageKey) -> StoreResult<()> {
    match damaged(root, table, key)?.first() {
        None => Ok(()),
        Some(file) => Err(StoreError::damaged(
            file,
            "it does not hold what was just written",
        )),
    }
}
