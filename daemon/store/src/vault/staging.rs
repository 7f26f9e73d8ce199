//! Staging a rotation: the next storage key is kept where the next start finds it, before anything is
//! sealed by it.

use vault_crypto::{Salt, StorageKey, previous_key};

use super::{Vault, opening::PREVIOUS_FILE};
use crate::{
    durable,
    error::StoreError,
    key_source::{KeyEntry, KeySource, KeySourceError, save_and_verify},
    rotation::{Depth, RotationError, RotationRecord, RotationState, SaltChange},
    sidecar::{self, Sidecar},
};

type Rotated<T> = Result<T, RotationError>;

/// Where the next storage key comes from.
pub enum NextKey {
    /// The operating system's random source.
    Random {
        /// Whether a derived vault may lose its derivation by that.
        drop_salt: bool,
    },
    /// A master key and this salt.
    Derived {
        /// The key.
        key: StorageKey,
        /// The salt.
        salt: Salt,
    },
}

pub(super) fn copy(key: &StorageKey) -> StorageKey {
    StorageKey::from_bytes(key.expose()).expect("a key has a key's length")
}

/// What a backend that cannot hold an entry says does not stop a rotation.
pub(super) fn unless_unsupported(result: Result<(), KeySourceError>) -> Result<(), KeySourceError> {
    match result {
        Err(KeySourceError::Unsupported(_)) => Ok(()),
        other => other,
    }
}

impl Vault {
    /// Stages a rotation. The next key itself is returned where the keyring cannot be written: it
    /// is to be presented by whoever starts the daemon next.
    pub fn begin_rotation(
        &self,
        source: &dyn KeySource,
        depth: Depth,
        next: NextKey,
    ) -> Rotated<Option<StorageKey>> {
        let turn = self.rotating.try_lock();
        let mut state = self.state()?;
        if let Some(record) = &state.rotation {
            return Err(RotationError::Running(Box::new(record.clone())));
        }
        // Whoever has the turn without a rotation moves the key.
        let _turn = turn.map_err(|_| RotationError::Moving)?;
        self.unpause_rotation();
        if state.header.moving.is_some() {
            return Err(RotationError::Moving);
        }
        let (key, salt) = match next {
            NextKey::Random { drop_salt: false } if state.header.derived => {
                return Err(RotationError::MasterNeeded);
            }
            NextKey::Random { .. } => (StorageKey::generate().map_err(StoreError::from)?, None),
            NextKey::Derived { key, salt } => (key, Some(salt)),
        };
        let record = RotationRecord {
            depth,
            state: RotationState::Staged,
            back: false,
            paused: false,
            from: state.keys()?.storage.fingerprint(self.id),
            to: key.fingerprint(self.id),
            salt: match (&salt, state.header.derived) {
                (Some(_), _) => SaltChange::New,
                (None, true) => SaltChange::Drop,
                (None, false) => SaltChange::None,
            },
            handed_out: !source.is_writable(),
        };
        tracing::info!(?depth, from = %record.from, to = %record.to, "rotation staged");
        // First: what is staged in the keyring is never forgotten there. Should this fail, the disk
        // may show a rotation all the same, and so does the vault.
        let noted = self.note(&mut state, record.clone());
        state.rotation = Some(record.clone());
        noted?;
        let storage = copy(&state.keys()?.storage);
        // A keyring may take its time: nobody else waits for it.
        drop(state);
        let staged = self.stage(source, &storage, &key, salt);
        if staged.is_err() && (record.salt == SaltChange::New || record.handed_out) {
            // The key cannot be made again without its master, or was handed to nobody: nothing is
            // left to go on with.
            self.forget_rotation(source)?;
        }
        staged?;
        Ok(record.handed_out.then_some(key))
    }

    /// Keeps the next key, and its salt, where the next start finds them.
    fn stage(
        &self,
        source: &dyn KeySource,
        storage: &StorageKey,
        key: &StorageKey,
        salt: Option<Salt>,
    ) -> Rotated<()> {
        if let Some(salt) = salt {
            let sidecar = Sidecar::new(salt, key.fingerprint(self.id));
            sidecar.write(&self.root, sidecar::NEXT_FILE)?;
            let saved = source.save(self.id, KeyEntry::NextSalt, salt.as_bytes());
            unless_unsupported(saved)?;
        }
        if source.is_writable() {
            save_and_verify(source, self.id, KeyEntry::NextStorageKey, key.expose())?;
        } else {
            let sealed = previous_key::seal_previous(key, self.id, storage);
            let sealed = sealed.map_err(StoreError::from)?;
            durable::replace(self.root.fs(), self.root.path(), PREVIOUS_FILE, &[&sealed])?;
        }
        Ok(())
    }

    /// Nothing is sealed by a key that was never staged: another one takes its place.
    pub(super) fn stage_anew(
        &self,
        source: &dyn KeySource,
        record: &RotationRecord,
    ) -> Rotated<StorageKey> {
        // What the keyring holds in the next one's place must not be what the disk needs.
        self.write_anew()?;
        let mut state = self.state()?;
        let key = StorageKey::generate().map_err(StoreError::from)?;
        let to = key.fingerprint(self.id);
        self.note(
            &mut state,
            RotationRecord {
                to,
                ..record.clone()
            },
        )?;
        let storage = copy(&state.keys()?.storage);
        drop(state);
        self.stage(source, &storage, &key, None)?;
        Ok(key)
    }
}
