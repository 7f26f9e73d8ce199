//! A store's own small sealed files, beside its objects.

use std::{
    io,
    path::{Path, PathBuf},
};

use vault_crypto::{Address, Header, KeyId, ObjectName, envelope};
use zeroize::Zeroizing;

use crate::{
    durable,
    error::{StoreError, StoreResult},
    kind::{Part, StoreContext},
};

impl StoreContext {
    fn own_folder(&self) -> PathBuf {
        self.root.store(self.record.id)
    }

    /// Durably replaces the file `name` by `body`, sealed.
    pub(crate) fn write_own(&self, name: &str, body: &[u8]) -> StoreResult<()> {
        let object = self.own_name(name);
        let address = self.own_address(&object);
        let ring = self.keys.ring();
        let (key_id, key) = ring.current()?;
        let sealed = envelope::seal(key, key_id, &address, b"{}", body)
            .map_err(|error| StoreError::envelope(name, &error))?;
        durable::replace(self.root.fs(), &self.own_folder(), name, &[&sealed])
    }

    /// Reads and opens the file `name`; `None` where there is none.
    pub(crate) fn read_own(
        &self,
        name: &str,
        limit: u64,
    ) -> StoreResult<Option<Zeroizing<Vec<u8>>>> {
        let path = self.own_folder().join(name);
        let Some(bytes) = durable::read(self.root.fs(), &path, limit)? else {
            return Ok(None);
        };
        let object = self.own_name(name);
        let address = self.own_address(&object);
        let shown = || path.display().to_string();
        self.open_envelope(address, &bytes, Part::Body, &shown)
            .map(Some)
    }

    /// The key that the file `name` is sealed with; `None` where it is not there.
    pub(crate) fn key_of_own(&self, name: &str) -> StoreResult<Option<KeyId>> {
        self.key_of_file(&self.own_folder().join(name))
    }

    /// The key that a file is sealed with; `None` where it is not there or not sealed.
    pub(crate) fn key_of_file(&self, path: &Path) -> StoreResult<Option<KeyId>> {
        let mut beginning = [0; envelope::HEADER_LEN];
        let file = self.root.fs().open(path);
        match file.and_then(|file| file.read_exact_at(&mut beginning, 0)) {
            Ok(()) => Ok(Header::parse(&beginning).ok().map(|header| header.key_id())),
            // Gone, or too short to be sealed.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(StoreError::io("read", path, &error)),
        }
    }

    /// No object has an id that begins with a zero byte.
    fn own_name(&self, name: &str) -> ObjectName {
        let id = [b"\0", name.as_bytes()].concat();
        self.names.object_name(self.record.id.as_bytes(), &id)
    }

    fn own_address<'a>(&'a self, object: &'a ObjectName) -> Address<'a> {
        Address {
            vault: self.vault,
            store: self.record.id.as_bytes(),
            object: object.as_bytes(),
            revision: 0,
        }
    }
}
