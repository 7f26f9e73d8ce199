//! A store's own small sealed files, beside its objects.

use vault_crypto::{Address, ObjectName, envelope};
use zeroize::Zeroizing;

use super::Inner;
use crate::{
    durable,
    error::{StoreError, StoreResult},
    kind::Part,
};

impl Inner {
    /// Durably replaces the file `name` by `body`, sealed.
    pub(super) fn write_own(&self, name: &str, body: &[u8]) -> StoreResult<()> {
        let context = &self.context;
        let object = self.own_name(name);
        let address = self.own_address(&object);
        let ring = context.keys.ring();
        let (key_id, key) = ring.current()?;
        let sealed = envelope::seal(key, key_id, &address, b"{}", body)
            .map_err(|error| StoreError::envelope(name, &error))?;
        durable::replace(context.root.fs(), &self.folders.base, name, &[&sealed])
    }

    /// Reads and opens the file `name`; `None` where there is none.
    pub(super) fn read_own(
        &self,
        name: &str,
        limit: u64,
    ) -> StoreResult<Option<Zeroizing<Vec<u8>>>> {
        let context = &self.context;
        let path = self.folders.base.join(name);
        let Some(bytes) = durable::read(context.root.fs(), &path, limit)? else {
            return Ok(None);
        };
        let object = self.own_name(name);
        let address = self.own_address(&object);
        let shown = || path.display().to_string();
        context
            .open_envelope(address, &bytes, Part::Body, &shown)
            .map(Some)
    }

    /// No document has an id that begins with a zero byte.
    fn own_name(&self, name: &str) -> ObjectName {
        let id = [b"\0", name.as_bytes()].concat();
        self.context
            .names
            .object_name(self.context.record.id.as_bytes(), &id)
    }

    fn own_address<'a>(&'a self, object: &'a ObjectName) -> Address<'a> {
        Address {
            vault: self.context.vault,
            store: self.context.record.id.as_bytes(),
            object: object.as_bytes(),
            revision: 0,
        }
    }
}
