//! The small JSON files that lie in the data root for people and programs to read: nothing in them is
//! secret, and nothing in them is trusted.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    durable,
    error::{StoreError, StoreResult},
    root::DataRoot,
};

/// The format of these files that this build reads and writes.
const FORMAT: u32 = 1;

/// The field that says so.
pub(crate) const FORMAT_FIELD: &str = "format";

/// Most have a few hundred bytes.
const LIMIT: u64 = 64 << 10;

/// Looked at before the rest, whose fields a later format may name otherwise.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

#[derive(Serialize)]
struct File<'a, T> {
    format: u32,
    #[serde(flatten)]
    content: &'a T,
}

/// Reads a file; `None` where there is none, damage where it cannot be understood.
pub(crate) fn read<T: DeserializeOwned>(root: &DataRoot, file: &str) -> StoreResult<Option<T>> {
    read_within(root, file, LIMIT)
}

/// The same for a file of at most `limit` bytes.
pub(crate) fn read_within<T: DeserializeOwned>(
    root: &DataRoot,
    file: &str,
    limit: u64,
) -> StoreResult<Option<T>> {
    let Some(bytes) = durable::read(root.fs(), &root.file(file), limit)? else {
        return Ok(None);
    };
    let damaged = |error| StoreError::damaged(file, error);
    let Format { format } = serde_json::from_slice(&bytes).map_err(damaged)?;
    if format != FORMAT {
        let detail = format!("format {format} is not known to this version");
        return Err(StoreError::damaged(file, detail));
    }
    serde_json::from_slice(&bytes).map(Some).map_err(damaged)
}

/// Durably writes a file.
pub(crate) fn write<T: Serialize>(root: &DataRoot, file: &str, content: &T) -> StoreResult<()> {
    let content = File {
        format: FORMAT,
        content,
    };
    let mut bytes =
        serde_json::to_vec_pretty(&content).map_err(|error| StoreError::damaged(file, error))?;
    bytes.push(b'\n');
    durable::replace(root.fs(), root.path(), file, &[&bytes])
}

/// Durably removes a file; one that is not there is fine.
pub(crate) fn remove(root: &DataRoot, file: &str) -> StoreResult<()> {
    durable::remove_if_there(root.fs(), &root.file(file))?;
    durable::sync_dir(root.fs(), root.path())
}
