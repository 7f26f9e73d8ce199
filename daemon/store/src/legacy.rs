//! The data root of an earlier version, and how it is moved in, once.
//!
//! The legacy root is read, and nothing else: nothing in it is created, changed or removed, and it may
//! lie on a disk that cannot be written to. It is [copied](copy()) into a folder of the data root, each
//! file synced, read back and compared. What happens then depends on what the data root holds:
//!
//! - No vault: the copy [takes its place](place()), file by file, under a record that says so. From the
//!   moment this record is durable a start [completes](complete()) what a crash interrupted.
//! - A vault: the copy is opened as a vault of its own and [merged](crate::archive::merge()) into the
//!   present one.
//!
//! Last comes the [`Marker`], which says that all of it arrived. Before it, whatever was interrupted
//! is done again from the beginning: the copy alone is nothing, and the objects of a merge are left alone
//! where they are there already.

mod copy;
mod marker;
mod placing;

use std::{
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use vault_crypto::VaultId;

pub use copy::{Copied, copy};
pub use marker::{MARKER, Marker, Moved};
pub use placing::{RECORD, complete, is_placing, place};

use crate::{
    error::{StoreError, StoreResult},
    fs::EntryKind,
    root::DataRoot,
    vault::Evidence,
};

/// The folder of the data root that holds the copy while a legacy root is moved in.
pub const STAGING: &str = "moving-in";

/// Told of bytes copied, out of how many; answers whether to go on.
pub type Report<'a> = dyn FnMut(u64, u64) -> ControlFlow<()> + 'a;

/// Why a legacy root was not moved in.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LegacyError {
    /// Somebody writes to it.
    #[error("{0} was changed while it was copied: end the program that uses it, then try again")]
    Changed(PathBuf),
    /// The copy is not what was copied.
    #[error("the copy of {0} reads otherwise than what was copied: the disk is not to be trusted")]
    NotTheSame(PathBuf),
    /// Whoever was told of progress asked for it.
    #[error("stopped on request")]
    Stopped,
    /// A disk failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What lies where a legacy root may be.
#[derive(Debug)]
pub struct LegacyRoot {
    /// Its folder.
    pub root: DataRoot,
    /// There is such a folder.
    pub exists: bool,
    /// What it shows of the vault in it; why it shows nothing.
    pub evidence: Result<Evidence, String>,
}

impl LegacyRoot {
    /// Looks there without changing anything.
    pub fn look(active: &DataRoot, path: PathBuf) -> Self {
        let root = DataRoot::new(active.shared_fs(), path);
        let exists = match root.fs().read_dir(root.path()) {
            Ok(_) => true,
            Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
        };
        let evidence = Evidence::gather(&root).map_err(|error| error.to_string());
        Self {
            root,
            exists,
            evidence,
        }
    }

    /// The vault in it, if there is one that can be named.
    pub fn vault(&self) -> Option<VaultId> {
        self.evidence.as_ref().ok().and_then(Evidence::vault)
    }

    /// Whether it holds a vault, or what is left of one.
    pub fn holds_a_vault(&self) -> bool {
        self.evidence
            .as_ref()
            .map_or(self.exists, |evidence| !evidence.is_none())
    }
}

/// The data root that the copy is, while it is merged.
pub fn staged(active: &DataRoot) -> DataRoot {
    DataRoot::new(active.shared_fs(), active.path().join(STAGING))
}

/// Whether a copy is there that nothing came of.
pub fn is_left_over(active: &DataRoot) -> StoreResult<bool> {
    Ok(active.exists(STAGING)? && !is_placing(active)?)
}

/// Removes the copy. What it was made of is as it was.
pub fn clear(active: &DataRoot) -> StoreResult<()> {
    if active.exists(STAGING)? {
        remove_tree(active, &active.path().join(STAGING))?;
        crate::durable::sync_dir(active.fs(), active.path())?;
    }
    Ok(())
}

fn remove_tree(root: &DataRoot, folder: &Path) -> StoreResult<()> {
    let fs = root.fs();
    let entries = fs
        .read_dir(folder)
        .map_err(|error| StoreError::io("list", folder, &error))?;
    for (name, kind) in entries {
        let path = folder.join(name);
        match kind {
            EntryKind::Directory => remove_tree(root, &path)?,
            EntryKind::File | EntryKind::Other => crate::durable::remove_if_there(fs, &path)?,
        }
    }
    fs.remove_dir(folder)
        .map_err(|error| StoreError::io("remove folder", folder, &error))
}
