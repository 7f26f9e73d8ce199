//! Whether the files of an open vault still say what the vault knows: damage that nobody reads is
//! else found only when the vault is to be opened again, and then too late.

use vault_crypto::KeyPurpose;

use super::{SaltState, Vault, derivation};
use crate::{
    catalogue::Catalogue,
    error::StoreResult,
    header::Header,
    key_source::{KeyEntry, KeySource, KeySourceError, load_key, save_and_verify},
    keys,
};

/// What is not as it should be, and can be written anew from memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unsound {
    /// A copy of the key table, by file name.
    KeyTable(&'static str),
    /// The public header.
    Header,
    /// The catalogue of stores.
    Catalogue,
    /// The keyring does not hold the key: locked, the vault could not be opened again.
    Keyring,
}

impl Vault {
    /// Compares what lies on disk and in the keyring with what this vault works with.
    ///
    /// A keyring that cannot be asked says nothing: that is an error of its own, not of the vault.
    pub fn inspect(&self, source: &dyn KeySource) -> StoreResult<Vec<Unsound>> {
        let mut found = Vec::new();
        let (before, rotating) = {
            let mut state = self.state()?;
            let header = state.header.clone();
            if !Header::read(&self.root).is_ok_and(|read| read.as_ref() == Some(&header)) {
                found.push(Unsound::Header);
            }
            let keys = state.keys()?;
            for file in keys::damaged(&self.root, &keys.table, &keys.storage)? {
                found.push(Unsound::KeyTable(file));
            }
            let ring = keys.ring(&KeyPurpose::catalogue());
            let read = Catalogue::read(&self.root, self.id, &ring);
            if !read.is_ok_and(|read| read.is_some_and(|read| read.is_same(&state.catalogue))) {
                found.push(Unsound::Catalogue);
            }
            (header.fingerprint, state.rotation.is_some())
        };
        // Amid a rotation or a move the keyring holds another key, on purpose.
        if !rotating {
            match load_key(source, self.id, KeyEntry::StorageKey) {
                Ok(key) if key.as_ref().map(|key| key.fingerprint(self.id)) != Some(before) => {
                    found.push(Unsound::Keyring);
                }
                Ok(_) => self.look_at_salt(source)?,
                Err(KeySourceError::Damaged(_)) => found.push(Unsound::Keyring),
                Err(_) => {}
            }
        }
        Ok(found)
    }

    /// Each copy of the salt repairs the other.
    fn look_at_salt(&self, source: &dyn KeySource) -> StoreResult<()> {
        let salt = derivation::check(&self.root, source, &mut self.header())?;
        self.state()?.salt = salt;
        Ok(())
    }

    /// Writes anew, from memory, whatever [`Vault::inspect`] may have found wanting.
    pub fn mend(&self, source: &dyn KeySource) -> StoreResult<Result<(), KeySourceError>> {
        let mut state = self.state()?;
        self.settle(&mut state)?;
        state.keys()?.table.touch();
        state.keys()?.write(&self.root)?;
        state.with_catalogue(|catalogue, ring| catalogue.reseal(&self.root, self.id, ring))?;
        let header = state.header.clone();
        self.write_header(&mut state, header)?;
        // Who rotates or moves the key keeps it, too.
        let turn = self.rotating.try_lock();
        if turn.is_err() || state.rotation.is_some() || !source.is_writable() {
            return Ok(Ok(()));
        }
        let key = super::staging::copy(&state.keys()?.storage);
        drop(state);
        let known = load_key(source, self.id, KeyEntry::StorageKey);
        if known.is_ok_and(|known| known.is_some_and(|known| known.expose() == key.expose())) {
            return Ok(Ok(()));
        }
        let kept = save_and_verify(source, self.id, KeyEntry::StorageKey, key.expose());
        Ok(kept)
    }

    /// Closes the vault and waits for whoever rotates or moves its key to notice: afterwards nobody
    /// writes to its keyring.
    pub fn close_and_wait(&self) {
        self.close();
        drop(super::lock(&self.rotating));
    }

    /// What is known of the salt of a derived key.
    pub fn salt(&self) -> SaltState {
        super::lock(&self.state).salt.clone()
    }
}
