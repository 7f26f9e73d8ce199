//! A file being written, of any size, in flat memory.

use std::{io, sync::Arc};

use vault_crypto::envelope;

use super::{FileInfo, FileName, Inner};
use crate::{
    durable::{self, Staging},
    error::{StoreError, StoreResult},
    fs::FileSystem,
};

/// A file being written. Dropped before [`Upload::finish`], it leaves nothing.
pub struct Upload {
    store: Arc<Inner>,
    name: FileName,
    create: bool,
    file: Staging<Arc<dyn FileSystem>>,
    written: u64,
    announced: Option<u64>,
    /// The first bytes, as far as they tell a sealed object.
    beginning: Vec<u8>,
}

impl Upload {
    pub(super) fn begin(
        store: &Arc<Inner>,
        name: FileName,
        create: bool,
        announced: Option<u64>,
    ) -> StoreResult<Self> {
        let limit = store.context.body_limit;
        if let Some(size) = announced {
            check_size(size, limit)?;
            check_space(store, size)?;
        }
        store.may_write(&name, create)?;
        Ok(Self {
            file: durable::begin(store.context.root.shared_fs(), &store.own_folder())?,
            store: Arc::clone(store),
            name,
            create,
            written: 0,
            announced,
            beginning: Vec::new(),
        })
    }

    /// Adds what comes next, of any length.
    pub fn write(&mut self, piece: &[u8]) -> StoreResult<()> {
        self.store.check_open()?;
        let size = self.written.saturating_add(piece.len() as u64);
        check_size(size, self.store.context.body_limit)?;
        if self.announced.is_some_and(|announced| size > announced) {
            return Err(StoreError::InvalidArgument(
                "the content is more than the size announced".to_owned(),
            ));
        }
        let missing = envelope::MAGIC.len() - self.beginning.len();
        self.beginning.extend(piece.iter().take(missing));
        if self.beginning == envelope::MAGIC {
            // It would be taken for a sealed object, and be damaged, when it is read.
            return Err(StoreError::InvalidArgument(
                "the content begins as a sealed object of a vault does: `blobs` keep any content"
                    .to_owned(),
            ));
        }
        self.file.write(piece)?;
        self.written = size;
        Ok(())
    }

    /// Durably gives it its name.
    pub fn finish(self) -> StoreResult<FileInfo> {
        if self
            .announced
            .is_some_and(|announced| self.written != announced)
        {
            return Err(StoreError::InvalidArgument(
                "the content is less than the size announced".to_owned(),
            ));
        }
        let file = self.file.sync()?;
        let info = self.store.described(&self.name, self.written, file.path());
        self.store.commit(&self.name, file, self.create)?;
        Ok(info)
    }
}

fn check_size(size: u64, limit: u64) -> StoreResult<()> {
    if size > limit {
        return Err(StoreError::TooLarge { size, limit });
    }
    Ok(())
}

/// Refuses at once what the disk has no room for, as far as it says.
fn check_space(store: &Inner, size: u64) -> StoreResult<()> {
    let root = &store.context.root;
    match root.fs().free_space(root.path()) {
        Ok(free) if free < size => Err(StoreError::NoSpace {
            operation: "writing the file",
            needed: size,
            free,
        }),
        Err(error) if error.kind() != io::ErrorKind::Unsupported => {
            Err(StoreError::io("measure", root.path(), &error))
        }
        _ => Ok(()),
    }
}
