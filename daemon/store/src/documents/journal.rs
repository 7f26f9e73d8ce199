//! Journals: one durable file that commits many records at once.
//!
//! ```text
//!  0  4  magic 89 56 4A 4C ("\x89VJL")
//!  4  4  format version, 1
//!  8     records: name (32), length (8), bytes
//! ```
//!
//! A group of writes is acknowledged when its journal is durable: a journal is there whole or not
//! at all, so a batch is, too. Its records move into files of their own afterwards, and then it is
//! removed. The records authenticate themselves, name included.

use std::path::{Path, PathBuf};

use vault_crypto::ObjectName;

use crate::{
    durable,
    error::{StoreError, StoreResult},
    fs::FileSystem,
};

const MAGIC: [u8; 8] = *b"\x89VJL\x01\0\0\0";
const RECORD_HEADER: usize = ObjectName::LEN + 8;

/// A record of a journal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) name: ObjectName,
    /// Where its bytes begin.
    pub(crate) offset: u64,
    /// How many they are.
    pub(crate) len: u64,
}

pub(crate) fn path(folder: &Path, journal: u64) -> PathBuf {
    folder.join(file_name(journal))
}

fn file_name(journal: u64) -> String {
    format!("{journal:016x}")
}

/// The number of a journal from its file name.
pub(crate) fn parse_name(name: &str) -> Option<u64> {
    if name.len() == 16 {
        u64::from_str_radix(name, 16).ok()
    } else {
        None
    }
}

/// Durably writes a journal; returns where each record came to lie.
pub(crate) fn write(
    fs: &dyn FileSystem,
    folder: &Path,
    journal: u64,
    records: &[(ObjectName, &[u8])],
) -> StoreResult<Vec<Entry>> {
    let lengths: Vec<[u8; 8]> = records
        .iter()
        .map(|(_, bytes)| (bytes.len() as u64).to_le_bytes())
        .collect();
    let mut parts: Vec<&[u8]> = vec![&MAGIC];
    let mut entries = Vec::with_capacity(records.len());
    let mut offset = MAGIC.len() as u64;
    for ((name, bytes), len) in records.iter().zip(&lengths) {
        parts.extend([name.as_bytes(), len.as_slice(), bytes]);
        offset += RECORD_HEADER as u64;
        entries.push(Entry {
            name: *name,
            offset,
            len: bytes.len() as u64,
        });
        offset += bytes.len() as u64;
    }
    // One buffer, one write: the parts are small and many.
    let bytes = parts.concat();
    durable::replace(fs, folder, &file_name(journal), &[&bytes])?;
    Ok(entries)
}

/// The records of a journal, without their bytes.
pub(crate) fn read(fs: &dyn FileSystem, path: &Path) -> StoreResult<Vec<Entry>> {
    let failed = |error| StoreError::io("read", path, &error);
    let damaged = || StoreError::damaged(path.display(), "the journal is malformed");
    let file = fs.open(path).map_err(failed)?;
    let file_len = file.len().map_err(failed)?;
    let mut magic = [0; MAGIC.len()];
    if file_len < magic.len() as u64 {
        return Err(damaged());
    }
    file.read_exact_at(&mut magic, 0).map_err(failed)?;
    if magic != MAGIC {
        return Err(damaged());
    }
    let mut entries = Vec::new();
    let mut offset = MAGIC.len() as u64;
    while offset < file_len {
        let mut header = [0; RECORD_HEADER];
        if file_len - offset < RECORD_HEADER as u64 {
            return Err(damaged());
        }
        file.read_exact_at(&mut header, offset).map_err(failed)?;
        offset += RECORD_HEADER as u64;
        let (name, len) = header.split_at(ObjectName::LEN);
        let name = ObjectName::from_bytes(name.try_into().expect("split at a name's length"));
        let len = u64::from_le_bytes(len.try_into().expect("the rest is 8 bytes"));
        if len > file_len - offset {
            return Err(damaged());
        }
        entries.push(Entry { name, offset, len });
        offset += len;
    }
    Ok(entries)
}

/// The bytes of one record.
pub(crate) fn read_record(
    fs: &dyn FileSystem,
    path: &Path,
    offset: u64,
    len: u64,
) -> std::io::Result<Vec<u8>> {
    let file = fs.open(path)?;
    if offset
        .checked_add(len)
        .is_none_or(|end| file.len().is_ok_and(|file_len| end > file_len))
    {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let len = usize::try_from(len).map_err(|_| std::io::ErrorKind::OutOfMemory)?;
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}
