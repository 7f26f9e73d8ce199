//! What is durably known of a rotation under way: `rotation.json`.
//!
//! Like the public header it holds nothing secret and is not trusted: what the key table and the
//! keyring say counts. Without it a rotation is found all the same, by the fingerprints in the key
//! table; it says what was asked for, and for people how far it has come.

use serde::{Deserialize, Serialize};
use vault_crypto::Fingerprint;

use crate::{
    error::{StoreError, StoreResult},
    id::StoreName,
    key_source::KeySourceError,
    kind::Amount,
    public_file,
    root::DataRoot,
};

/// File name in the data root.
pub const FILE: &str = "rotation.json";

/// What a rotation replaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Depth {
    /// The storage key.
    Rewrap,
    /// The data keys, too: every object is sealed anew.
    Reencrypt,
}

/// How far a rotation has come. There is no record of an idle one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RotationState {
    /// The next key is kept; nothing is sealed by it.
    Staged,
    /// The key table is wrapped by the next key; objects are being sealed anew.
    Rewriting,
    /// Everything was found to open under the new keys.
    Verified,
    /// The next key is the storage key; the old ones are to be destroyed.
    Promoted,
}

/// What becomes of the salt of a derived key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SaltChange {
    /// There is none, before and after.
    None,
    /// The next key is derived from a new one.
    New,
    /// The next key is random: the salt goes.
    Drop,
}

/// A rotation under way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RotationRecord {
    /// What it replaces.
    pub depth: Depth,
    /// How far it has come.
    pub state: RotationState,
    /// It is being rolled back.
    pub back: bool,
    /// Stopped on purpose.
    pub paused: bool,
    /// The storage key before.
    #[serde(with = "text")]
    pub from: Fingerprint,
    /// The storage key that takes its place.
    #[serde(with = "text")]
    pub to: Fingerprint,
    /// What becomes of the salt.
    pub salt: SaltChange,
    /// The next key was handed out, for a keyring that cannot be written.
    pub handed_out: bool,
}

impl RotationRecord {
    /// Reads the record; `None` where there is none.
    pub fn read(root: &DataRoot) -> StoreResult<Option<Self>> {
        public_file::read(root, FILE)
    }

    /// Durably writes the record.
    pub(crate) fn write(&self, root: &DataRoot) -> StoreResult<()> {
        public_file::write(root, FILE, self)
    }

    /// Durably removes the record.
    pub(crate) fn remove(root: &DataRoot) -> StoreResult<()> {
        public_file::remove(root, FILE)
    }
}

/// Values as the text they print and parse.
pub(crate) mod text {
    use std::{fmt::Display, str::FromStr};

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<T: Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// How far a rotation has come, for whoever waits for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RotationProgress {
    /// Its state.
    pub state: RotationState,
    /// The store being worked on.
    pub store: Option<StoreName>,
    /// Sealed anew so far.
    pub done: Amount,
    /// To be sealed anew in all.
    pub total: Amount,
}

/// How an attempt to bring a rotation to its end came out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RotationOutcome {
    /// Done: only the new key opens the vault.
    Done {
        /// Stores whose old data key was kept, since something in them cannot be read.
        kept: Vec<StoreName>,
    },
    /// Undone: the storage key is what it was.
    RolledBack {
        /// As above.
        kept: Vec<StoreName>,
    },
    /// Stopped between two objects, on request.
    Paused,
    /// Stopped because somebody rolls it back: that goes on by itself.
    TurnedRound,
    /// The next key is to be presented by whoever starts the daemon.
    AwaitsCredential,
}

/// Why a rotation did not begin, or did not go on. The vault works, and the rotation stays where it
/// is.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RotationError {
    /// A rotation is under way already.
    #[error("a rotation is under way already")]
    Running(Box<RotationRecord>),
    /// There is none.
    #[error("no rotation is under way")]
    None,
    /// The next key is the storage key already.
    #[error("the rotation is past the point where it could be rolled back")]
    TooLate,
    /// The storage key is being moved to another backend.
    #[error("the storage key is being moved to another keyring backend")]
    Moving,
    /// The storage key is derived, and how to get the next one was not said.
    #[error("the storage key of this vault is derived from a master key")]
    MasterNeeded,
    /// The keyring failed.
    #[error(transparent)]
    KeySource(#[from] KeySourceError),
    /// The disk failed, or the vault was locked.
    #[error(transparent)]
    Store(#[from] StoreError),
}
