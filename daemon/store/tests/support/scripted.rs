//! A keyring that answers as told.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use vault_crypto::{SecretBytes, VaultId};
use vault_store::{KeyEntry, KeySource, KeySourceError};

/// What it says of an entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    Right,
    Wrong,
    Absent,
    Locked,
    Unreachable,
    Denied,
    TimedOut,
}

pub(crate) const ANSWERS: [Answer; 7] = [
    Answer::Right,
    Answer::Wrong,
    Answer::Absent,
    Answer::Locked,
    Answer::Unreachable,
    Answer::Denied,
    Answer::TimedOut,
];

/// What becomes of a key that is saved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Saving {
    Kept,
    Refused,
    Lost,
    Changed,
    LockedAfterwards,
}

/// A keyring that answers as told, and counts.
pub(crate) struct Scripted {
    answer: Answer,
    saving: Saving,
    right: Vec<u8>,
    saved: Mutex<Option<Vec<u8>>>,
    pub(crate) loads: AtomicUsize,
    pub(crate) saves: AtomicUsize,
}

impl Scripted {
    pub(crate) fn new(answer: Answer, saving: Saving, right: &[u8]) -> Self {
        Self {
            answer,
            saving,
            right: right.to_vec(),
            saved: Mutex::default(),
            loads: AtomicUsize::default(),
            saves: AtomicUsize::default(),
        }
    }
}

impl KeySource for Scripted {
    fn backend(&self) -> &'static str {
        "test"
    }

    fn load(&self, _: VaultId, entry: KeyEntry) -> Result<Option<SecretBytes>, KeySourceError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        let key = |bytes: &[u8]| Ok(Some(SecretBytes::new(bytes.to_vec())));
        if let Some(saved) = &*self.saved.lock().expect("no panic inside") {
            return match self.saving {
                Saving::Kept => key(saved),
                Saving::Changed => key(&[9; 32]),
                Saving::LockedAfterwards => Err(KeySourceError::Locked("now".to_owned())),
                Saving::Lost | Saving::Refused => Ok(None),
            };
        }
        let why = "told so".to_owned();
        match self.answer {
            Answer::Right | Answer::Wrong if entry != KeyEntry::StorageKey => Ok(None),
            Answer::Right => key(&self.right),
            Answer::Wrong => key(&[7; 32]),
            Answer::Absent => Ok(None),
            Answer::Locked => Err(KeySourceError::Locked(why)),
            Answer::Unreachable => Err(KeySourceError::Unreachable(why)),
            Answer::Denied => Err(KeySourceError::Denied(why)),
            Answer::TimedOut => Err(KeySourceError::TimedOut(why)),
        }
    }

    fn save(&self, _: VaultId, _: KeyEntry, key: &[u8]) -> Result<(), KeySourceError> {
        self.saves.fetch_add(1, Ordering::Relaxed);
        if self.saving == Saving::Refused {
            return Err(KeySourceError::Locked("on write".to_owned()));
        }
        *self.saved.lock().expect("no panic inside") = Some(key.to_vec());
        Ok(())
    }

    fn remove(&self, _: VaultId, _: KeyEntry) -> Result<(), KeySourceError> {
        Err(KeySourceError::Unsupported("removing".to_owned()))
    }
}
