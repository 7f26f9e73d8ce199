//! Whether the files of an open vault still say what the vault knows: damage that nobody reads is
//! else found only when the vault is to be opened again, and then too late.

use vault_crypto::KeyPurpose;

use super::{Core, SaltState, Vault, derivation, stores::find};
use crate::{
    catalogue::Catalogue,
    error::StoreResult,
    header::Header,
    id::StoreName,
    key_source::{KeyEntry, KeySource, KeySourceError, load_key, save_and_verify},
    keys,
    kind::{StoreContext, StoreStats, implementation},
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
    /// A copy of the salt of a derived key, in words.
    Salt(&'static str),
}

/// What an inspection came to.
#[derive(Debug)]
pub struct Inspected {
    /// What is wanting.
    pub unsound: Vec<Unsound>,
    /// Why the keyring did not answer; nothing is known of what it holds then.
    pub silent: Option<KeySourceError>,
}

impl Vault {
    /// Compares what lies on disk and in the keyring with what this vault works with. Changes neither.
    ///
    /// A keyring that cannot be asked says nothing: that is an error of its own, not of the vault.
    pub fn inspect(&self, source: &dyn KeySource) -> StoreResult<Inspected> {
        let mut unsound = Vec::new();
        let (header, rotating) = {
            let mut state = self.state()?;
            let header = state.header.clone();
            if !Header::read(&self.root).is_ok_and(|read| read.as_ref() == Some(&header)) {
                unsound.push(Unsound::Header);
            }
            let keys = state.keys()?;
            for file in keys::damaged(&self.root, &keys.table, &keys.storage)? {
                unsound.push(Unsound::KeyTable(file));
            }
            let ring = keys.ring(&KeyPurpose::catalogue());
            let read = Catalogue::read(&self.root, self.id, &ring);
            if !read.is_ok_and(|read| read.is_some_and(|read| read.is_same(&state.catalogue))) {
                unsound.push(Unsound::Catalogue);
            }
            (header, state.rotation.is_some())
        };
        let expected = Some(header.fingerprint);
        let mut silent = None;
        match load_key(source, self.id, KeyEntry::StorageKey) {
            // Amid a rotation or a move the keyring holds another key, on purpose.
            Ok(_) | Err(KeySourceError::Damaged(_)) if rotating => {}
            Ok(key) if key.as_ref().map(|key| key.fingerprint(self.id)) != expected => {
                unsound.push(Unsound::Keyring);
            }
            Ok(_) => {
                let salt = derivation::look(&self.root, source, &header)?;
                if let SaltState::OneCopy(missing) = salt {
                    unsound.push(Unsound::Salt(missing));
                }
                self.state()?.salt = salt;
            }
            Err(KeySourceError::Damaged(_)) => unsound.push(Unsound::Keyring),
            Err(error) => silent = Some(error),
        }
        Ok(Inspected { unsound, silent })
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
        let salt = derivation::check(&self.root, source, &mut self.header())?;
        self.state()?.salt = salt;
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

impl Core {
    /// The figures of a store, for whoever only looks: one that nobody has opened yet is read as it
    /// lies there, and what opening it would complete or clear away is left.
    pub fn examine_store(&self, name: &StoreName) -> StoreResult<StoreStats> {
        let mut state = self.state()?;
        let record = find(&state, name)?;
        let open = state.open.get(&record.id).and_then(|open| open.ready());
        if let Some(store) = open {
            drop(state);
            return store.stats();
        }
        let context = StoreContext {
            root: self.root.unchanging(),
            background: false,
            ..self.context(&mut state, &record)?
        };
        drop(state);
        implementation(record.kind).examine(context)
    }
}
