//! A copy that takes the place of a data root in which there is no vault.

use std::{io, path::Path};

use super::{Marker, Moved, STAGING, clear};
use crate::{
    durable,
    error::{StoreError, StoreResult},
    fs::{EntryKind, FileSystem},
    public_file,
    root::DataRoot,
};

/// File name, in the data root, of the record that the copy is whole and is to take its place.
pub const RECORD: &str = "moving-in.json";

/// Whether a copy is on its way to its place. Until it is there, the data root holds no vault to open,
/// and none may be made in it.
pub fn is_placing(root: &DataRoot) -> StoreResult<bool> {
    root.exists(RECORD)
}

/// Durably decides that the copy takes its place, and lets it.
///
/// The caller has seen to that the data root holds no vault, and that nobody makes one meanwhile. Files
/// that are in it all the same, such as a configuration, are never gone over: one that the copy has,
/// too, is [`StoreError::ObjectExists`], and nothing was done.
pub fn place(root: &DataRoot, moved: &Moved) -> StoreResult<()> {
    refuse_taken(root.fs(), &root.path().join(STAGING), root.path())?;
    public_file::write(root, RECORD, moved)?;
    complete(root).map(drop)
}

/// Completes what was decided, if something was; returns whether. Does nothing to any other root.
pub fn complete(root: &DataRoot) -> StoreResult<bool> {
    let Some(moved) = public_file::read::<Moved>(root, RECORD)? else {
        return Ok(false);
    };
    if root.exists(STAGING)? {
        move_up(root, &root.path().join(STAGING), root.path())?;
    }
    tracing::info!(source = moved.source, vault = %moved.vault, "legacy root moved in");
    Marker::add(root, moved)?;
    clear(root)?;
    // Last: until here, whoever starts goes on.
    public_file::remove(root, RECORD)?;
    Ok(true)
}

/// Looks whether anything of the copy would take the place of something else.
fn refuse_taken(fs: &dyn FileSystem, from: &Path, to: &Path) -> StoreResult<()> {
    let taken = match fs.read_dir(to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        taken => taken.map_err(|error| StoreError::io("list", to, &error))?,
    };
    for (name, kind) in durable::list(fs, from)? {
        let path = to.join(&name);
        match (kind, taken.iter().find(|(taken, _)| *taken == name)) {
            (_, None) => {}
            (EntryKind::Directory, Some((_, EntryKind::Directory))) => {
                refuse_taken(fs, &from.join(&name), &path)?;
            }
            (_, Some(_)) => return Err(StoreError::ObjectExists(path.display().to_string())),
        }
    }
    Ok(())
}

/// Gives what lies in a folder of the copy its name in the data root. Files that have theirs already,
/// from before a crash, are not in the copy any more.
fn move_up(root: &DataRoot, from: &Path, to: &Path) -> StoreResult<()> {
    let fs = root.fs();
    let entries = fs
        .read_dir(from)
        .map_err(|error| StoreError::io("list", from, &error))?;
    let of_kind = |wanted: EntryKind| {
        let of_kind = entries.iter().filter(move |(_, kind)| *kind == wanted);
        of_kind.map(|(name, _)| (from.join(name), to.join(name)))
    };
    for (_, to) in of_kind(EntryKind::Directory) {
        durable::ensure_dir(fs, &to)?;
    }
    // Before anything is given a name in them: a folder that a crash loses takes all along.
    durable::sync_dir(fs, to)?;
    for (from, to) in of_kind(EntryKind::Directory) {
        move_up(root, &from, &to)?;
    }
    for (from, to) in of_kind(EntryKind::File) {
        fs.rename(&from, &to)
            .map_err(|error| StoreError::io("rename", &to, &error))?;
    }
    durable::sync_dir(fs, to)
}
