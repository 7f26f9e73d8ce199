//! The values that are sealed in the vault: a file each, named by a keyed hash and the revision of
//! the list that first named it. A value that is set anew has a file of its own, so that the list
//! alone decides which one counts.

use std::{collections::BTreeSet, path::PathBuf};

use vault_crypto::{Address, Header, KeyId, SecretBytes, SecretName, envelope};

use super::list::Records;
use crate::{
    durable,
    error::{StoreError, StoreResult},
    id::Revision,
    kind::{Part, StoreContext},
};

/// Of a sealed value of 64 KiB, with room for a longer header.
const LIMIT: u64 = super::VALUE_LIMIT + (4 << 10);

pub(super) fn folder(context: &StoreContext) -> PathBuf {
    context.root.store(context.record.id).join("values")
}

fn file_name(context: &StoreContext, name: &SecretName, revision: Revision) -> String {
    let store = context.record.id;
    let hash = context
        .names
        .object_name(store.as_bytes(), name.as_str().as_bytes());
    format!("{hash}.{:x}", revision.0)
}

fn address<'a>(context: &'a StoreContext, name: &'a SecretName, revision: Revision) -> Address<'a> {
    Address {
        vault: context.vault,
        store: context.record.id.as_bytes(),
        object: name.as_str().as_bytes(),
        revision: revision.0,
    }
}

fn describe(name: &SecretName) -> String {
    format!("the value of secret `{name}`")
}

fn file(
    context: &StoreContext,
    name: &SecretName,
    revision: Revision,
) -> StoreResult<Option<Vec<u8>>> {
    let path = folder(context).join(file_name(context, name, revision));
    durable::read(context.root.fs(), &path, LIMIT)
}

/// A sealed value; `None` where its file is gone.
pub(super) fn load(
    context: &StoreContext,
    name: &SecretName,
    revision: Revision,
) -> StoreResult<Option<SecretBytes>> {
    let Some(bytes) = file(context, name, revision)? else {
        return Ok(None);
    };
    let address = address(context, name, revision);
    let mut value = context.open_envelope(address, &bytes, Part::Body, &|| describe(name))?;
    Ok(Some(SecretBytes::new(std::mem::take(&mut *value))))
}

/// Durably seals a value for the list of this revision, and reads it back.
pub(super) fn save(
    context: &StoreContext,
    name: &SecretName,
    revision: Revision,
    value: &[u8],
) -> StoreResult<()> {
    let ring = context.keys.ring();
    let (key_id, key) = ring.current()?;
    let address = address(context, name, revision);
    let sealed = envelope::seal(key, key_id, &address, b"{}", value)
        .map_err(|error| StoreError::envelope(describe(name), &error))?;
    let file = file_name(context, name, revision);
    durable::replace(context.root.fs(), &folder(context), &file, &[&sealed])?;
    let back = load(context, name, revision)?;
    if back.is_some_and(|back| back.expose() == value) {
        Ok(())
    } else {
        let detail = "it does not hold what was just written";
        Err(StoreError::damaged(describe(name), detail))
    }
}

/// Whether a value has its file.
pub(super) fn is_there(
    context: &StoreContext,
    name: &SecretName,
    revision: Revision,
) -> StoreResult<bool> {
    Ok(file(context, name, revision)?.is_some())
}

/// The key that a value is sealed under; `None` where its file is gone.
pub(super) fn key(
    context: &StoreContext,
    name: &SecretName,
    revision: Revision,
) -> StoreResult<Option<KeyId>> {
    let Some(bytes) = file(context, name, revision)? else {
        return Ok(None);
    };
    let header =
        Header::parse(&bytes).map_err(|error| StoreError::envelope(describe(name), &error))?;
    Ok(Some(header.key_id()))
}

/// Removes every file that no record names: what a crash, or a value set anew, left. Best effort:
/// they are never read.
pub(super) fn sweep(context: &StoreContext, records: &Records) {
    let fs = context.root.fs();
    let named: BTreeSet<String> = records
        .iter()
        .filter_map(|(name, record)| Some(file_name(context, name, record.sealed?)))
        .collect();
    let folder = folder(context);
    for (file, _) in fs.read_dir(&folder).unwrap_or_default() {
        if !named.contains(&file) {
            let _ = fs.remove_file(&folder.join(file));
        }
    }
    let _ = fs.sync_dir(&folder);
}

/// Removes one value that no record names any more. Best effort, like [`sweep`].
pub(super) fn remove(context: &StoreContext, name: &SecretName, revision: Revision) {
    let (fs, folder) = (context.root.fs(), folder(context));
    let path = folder.join(file_name(context, name, revision));
    if let Err(error) = fs.remove_file(&path).and_then(|()| fs.sync_dir(&folder)) {
        tracing::warn!(%error, "a sealed value that is not in use any more was not removed");
    }
}
