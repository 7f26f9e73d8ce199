//! Moving the storage key from one keyring backend to another.
//!
//! The order is: note the move, keep the key in the new backend and read it back, record the new
//! backend in the public header, and only then remove the key from the old one.

use vault_crypto::StorageKey;

use super::{
    State, Vault, derivation, lock,
    staging::{copy, unless_unsupported},
};
use crate::{
    error::StoreError,
    header::{Header, Moving},
    key_source::{
        KeyEntry, KeySource, KeySourceError, load_key, remove_and_verify, save_and_verify,
    },
    sidecar,
};

/// Why a storage key was not moved. It is where it was, and the vault works.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MoveError {
    /// A rotation is under way.
    #[error("a rotation is under way")]
    Rotating,
    /// Another move is under way.
    #[error("the storage key is being moved to `{0}` already")]
    Moving(String),
    /// It is there already.
    #[error("the storage key is in backend `{0}` already")]
    Same(String),
    /// A keyring failed.
    #[error(transparent)]
    KeySource(#[from] KeySourceError),
    /// The disk failed, or the vault was locked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const ENTRIES: [KeyEntry; 6] = [
    KeyEntry::StorageKey,
    KeyEntry::NextStorageKey,
    KeyEntry::Salt,
    KeyEntry::NextSalt,
    KeyEntry::Anchor,
    KeyEntry::AuditAnchor,
];

impl Vault {
    /// Moves the storage key into `to`. The key itself is returned where `to` cannot be written:
    /// it is to be presented by whoever starts the daemon next, and until then stays where it is.
    ///
    /// The old backend's copy is removed by [`Vault::finish_move`].
    pub fn begin_move(&self, to: &dyn KeySource) -> Result<Option<StorageKey>, MoveError> {
        let turn = self.rotating.try_lock();
        let _turn = turn.map_err(|_| MoveError::Rotating)?;
        let mut state = self.state()?;
        if state.rotation.is_some() {
            return Err(MoveError::Rotating);
        }
        match &state.header.moving {
            Some(moving) if moving.to != to.backend() => {
                return Err(MoveError::Moving(moving.to.clone()));
            }
            _ if state.header.backend == to.backend() => {
                return Err(MoveError::Same(to.backend().to_owned()));
            }
            _ => {}
        }
        let moving = Moving {
            from: state.header.backend.clone(),
            to: to.backend().to_owned(),
        };
        tracing::info!(from = moving.from, to = moving.to, "the storage key moves");
        // First: a copy in the new backend is never forgotten there.
        let header = Header {
            moving: Some(moving),
            ..state.header.clone()
        };
        let noted = self.write_header(&mut state, header.clone());
        // Should this have failed, the disk may show a move all the same, and so does the vault.
        state.header = header;
        noted?;
        let key = copy(&state.keys()?.storage);
        // A keyring may take its time: nobody else waits for it.
        drop(state);
        if !to.is_writable() {
            return Ok(Some(key));
        }
        if let Err(error) = to.save(self.id, KeyEntry::StorageKey, key.expose()) {
            // After these answers nothing is kept there: there is no move.
            if !matches!(
                error,
                KeySourceError::TimedOut(_) | KeySourceError::Damaged(_)
            ) {
                self.cancel_move()?;
            }
            return Err(error.into());
        }
        save_and_verify(to, self.id, KeyEntry::StorageKey, key.expose())?;
        self.arrive(&mut *self.state()?, to)?;
        Ok(None)
    }

    /// Keeps the key in `to`, which is the backend that has it already: under another passphrase.
    pub fn keep_anew(&self, to: &dyn KeySource) -> Result<(), MoveError> {
        let turn = self.rotating.try_lock();
        let _turn = turn.map_err(|_| MoveError::Rotating)?;
        let key = {
            let mut state = self.state()?;
            if state.rotation.is_some() {
                return Err(MoveError::Rotating);
            }
            copy(&state.keys()?.storage)
        };
        save_and_verify(to, self.id, KeyEntry::StorageKey, key.expose())?;
        Ok(())
    }

    /// Takes back a move whose key was handed out and not presented yet: it stays where it is.
    pub fn cancel_move(&self) -> Result<(), MoveError> {
        let mut state = self.state()?;
        let arrived = |moving: &Moving| state.header.backend == moving.to;
        if state.header.moving.as_ref().is_none_or(arrived) {
            return Ok(());
        }
        let header = Header {
            moving: None,
            ..state.header.clone()
        };
        Ok(self.write_header(&mut state, header)?)
    }

    /// The key is in the new backend: from now on that is where it is read.
    fn arrive(&self, state: &mut State, to: &dyn KeySource) -> Result<(), MoveError> {
        if state.header.derived
            && let Some(sidecar) = derivation::read(&self.root, sidecar::FILE)?
        {
            let saved = to.save(self.id, KeyEntry::Salt, sidecar.salt.as_bytes());
            unless_unsupported(saved)?;
        }
        let header = Header {
            backend: to.backend().to_owned(),
            ..state.header.clone()
        };
        self.write_header(state, header)?;
        Ok(())
    }

    /// Completes a move that was found half done: forward where the new backend holds the key,
    /// else back.
    pub fn resume_move(&self, to: &dyn KeySource) -> Result<(), MoveError> {
        let _turn = lock(&self.rotating);
        let mut state = self.state()?;
        if state.header.moving.is_none() || state.header.backend == to.backend() {
            return Ok(());
        }
        let kept = load_key(to, self.id, KeyEntry::StorageKey);
        let arrived = kept.is_ok_and(|key| {
            key.is_some_and(|key| key.fingerprint(self.id) == state.header.fingerprint)
        });
        if arrived {
            return self.arrive(&mut state, to);
        }
        if to.is_writable() {
            remove_and_verify(to, self.id, KeyEntry::StorageKey)?;
            let header = Header {
                moving: None,
                ..state.header.clone()
            };
            self.write_header(&mut state, header)?;
        }
        Ok(())
    }

    /// Removes what the old backend still holds of a key that has arrived in the new one.
    pub fn finish_move(&self, from: &dyn KeySource) -> Result<(), MoveError> {
        let _turn = lock(&self.rotating);
        let mut state = self.state()?;
        let Some(moving) = &state.header.moving else {
            return Ok(());
        };
        if moving.from != from.backend() || state.header.backend != moving.to {
            return Ok(());
        }
        for entry in ENTRIES {
            remove_and_verify(from, self.id, entry)?;
        }
        let header = Header {
            moving: None,
            ..state.header.clone()
        };
        self.write_header(&mut state, header)?;
        tracing::info!("the storage key has moved");
        Ok(())
    }
}
