//! The wrapped key table on disk: two copies, each authenticated, the newer one in force.

use vault_crypto::{KeyTable, KeyTableError, StorageKey, key_table::TableInfo};

use crate::{durable, error::StoreResult, root::DataRoot};

/// The two copies, in the order they are written.
pub(crate) const FILES: [&str; 2] = ["keys.a", "keys.b"];

/// Far above what 100,000 stores need.
const LIMIT: u64 = 64 << 20;

/// The copies as found on disk.
#[derive(Debug, Default)]
pub(crate) struct Copies([Option<Vec<u8>>; 2]);

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

    /// Opens the newest copy that `key` opens, and tells whether both copies hold it.
    ///
    /// A key that opens neither is wrong if any copy says so, since damage cannot make a copy name
    /// another key's fingerprint consistently; otherwise the table is damaged.
    pub(crate) fn open(&self, key: &StorageKey) -> Result<(KeyTable, bool), KeyTableError> {
        let mut newest: Option<KeyTable> = None;
        let mut failure = None;
        let mut opened = Vec::new();
        for bytes in self.0.iter().flatten() {
            match KeyTable::unwrap(key, bytes) {
                Ok(table) => {
                    opened.push(table.generation());
                    if newest
                        .as_ref()
                        .is_none_or(|best| best.generation() < table.generation())
                    {
                        newest = Some(table);
                    }
                }
                Err(error @ KeyTableError::WrongKey { .. }) => failure = Some(error),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        match newest {
            Some(table) => {
                let whole = opened == [table.generation(); 2];
                Ok((table, whole))
            }
            None => Err(failure.unwrap_or(KeyTableError::Damaged)),
        }
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
