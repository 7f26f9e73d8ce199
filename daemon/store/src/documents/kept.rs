//! The content that a document had, kept aside for as long as a snapshot needs it.

use std::path::{Path, PathBuf};

use vault_crypto::{Address, DataKey, Envelope, KeyId, envelope};
use zeroize::Zeroizing;

use super::doubt::RECORD_LIMIT;
use crate::{
    durable,
    error::{StoreError, StoreResult},
    root::DataRoot,
};

/// A sealed copy in a file that goes with it. Its key is here and nowhere else.
pub(super) struct Kept {
    root: DataRoot,
    path: PathBuf,
    key: DataKey,
    key_id: KeyId,
}

impl Kept {
    /// Copies `body` into a new file in `folder`, which is made where there is none.
    pub(super) fn new(
        root: &DataRoot,
        folder: &Path,
        address: &Address<'_>,
        body: &[u8],
    ) -> StoreResult<Self> {
        let (key, key_id) = (DataKey::generate()?, KeyId::generate()?);
        let sealed = envelope::seal(&key, key_id, address, b"{}", body)
            .map_err(|error| StoreError::envelope("a snapshot's copy", &error))?;
        durable::ensure_dir(root.fs(), folder)?;
        Ok(Self {
            path: durable::scratch(root.fs(), folder, &sealed)?,
            root: root.clone(),
            key,
            key_id,
        })
    }

    /// Reads the body back.
    pub(super) fn read(
        &self,
        address: &Address<'_>,
        object: impl Fn() -> String,
    ) -> StoreResult<Zeroizing<Vec<u8>>> {
        let sealed = durable::read(self.root.fs(), &self.path, RECORD_LIMIT)?
            .ok_or_else(|| StoreError::damaged(object(), "the snapshot's copy of it is gone"))?;
        let open = || Envelope::new(&self.key, self.key_id, *address, &sealed)?.open_body();
        open().map_err(|error| StoreError::envelope(object(), &error))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // Best effort: what stays is swept at the next open, and its key is gone.
        let _ = self.root.fs().remove_file(&self.path);
    }
}
