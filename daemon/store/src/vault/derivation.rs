//! The salt of a derived storage key: one copy in the keyring, one beside the data.

use vault_crypto::{MasterKey, Salt, StorageKey};

use super::Vault;
use crate::{
    error::{StoreError, StoreResult},
    header::Header,
    key_source::{KeyEntry, KeySource, KeySourceError},
    root::DataRoot,
    sidecar::{self, Sidecar},
};

impl Vault {
    /// Whether `master` and the salt beside the data make the storage key in force. `None` where the
    /// key is not derived, or its salt is not known.
    pub fn is_derived_from(&self, master: &MasterKey) -> Option<bool> {
        let header = self.header();
        let sidecar = read(&self.root, sidecar::FILE).ok().flatten()?;
        if !header.derived || sidecar.fingerprint != header.fingerprint {
            return None;
        }
        let key = StorageKey::derive(master, &sidecar.salt);
        Some(key.fingerprint(self.id) == header.fingerprint)
    }
}

/// What is known of the salt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SaltState {
    /// The storage key is random.
    NotDerived,
    /// Both copies agree, or the one that this backend can have is there.
    Fine,
    /// One copy is gone, this one, and can be written anew from the other.
    OneCopy(&'static str),
    /// Nobody could look, for this reason.
    Unchecked(String),
    /// The vault works, but could not be reproduced elsewhere, for this reason.
    Problem(String),
}

/// Compares the copies; one that is missing is written anew from the other.
pub(super) fn check(
    root: &DataRoot,
    source: &dyn KeySource,
    header: &mut Header,
) -> StoreResult<SaltState> {
    header.derived |= read(root, sidecar::FILE)?.is_some();
    let missing = match compare(root, source, header)? {
        Compared::Missing(missing) => missing,
        Compared::Told(state) => return Ok(state),
    };
    match missing {
        Missing::InKeyring(sidecar) => {
            tracing::warn!("the salt was missing in the keyring; put back");
            match source.save(header.vault, KeyEntry::Salt, sidecar.salt.as_bytes()) {
                Ok(()) => Ok(SaltState::Fine),
                Err(error) => Ok(SaltState::Unchecked(error.to_string())),
            }
        }
        Missing::Beside(salt) => {
            tracing::warn!("`derivation.json` was missing or damaged; put back");
            Sidecar::new(salt, header.fingerprint).write(root, sidecar::FILE)?;
            Ok(SaltState::Fine)
        }
    }
}

/// The same, and writes nothing.
pub(super) fn look(
    root: &DataRoot,
    source: &dyn KeySource,
    header: &Header,
) -> StoreResult<SaltState> {
    Ok(match compare(root, source, header)? {
        Compared::Missing(Missing::InKeyring(_)) => {
            SaltState::OneCopy("the keyring has no salt any more")
        }
        Compared::Missing(Missing::Beside(_)) => {
            SaltState::OneCopy("`derivation.json` is missing or damaged")
        }
        Compared::Told(state) => state,
    })
}

/// A copy that is missing, with what makes it.
enum Missing {
    InKeyring(Sidecar),
    Beside(Salt),
}

enum Compared {
    Missing(Missing),
    Told(SaltState),
}

fn compare(root: &DataRoot, source: &dyn KeySource, header: &Header) -> StoreResult<Compared> {
    let beside = read(root, sidecar::FILE)?;
    if beside.is_none() && !header.derived {
        return Ok(Compared::Told(SaltState::NotDerived));
    }
    let kept = match source.load(header.vault, KeyEntry::Salt) {
        Ok(secret) => secret.and_then(|secret| {
            let bytes = secret.expose().try_into().ok()?;
            Some(Salt::from_bytes(bytes))
        }),
        Err(KeySourceError::Unsupported(_)) => beside.as_ref().map(|sidecar| sidecar.salt),
        Err(error) => return Ok(Compared::Told(SaltState::Unchecked(error.to_string()))),
    };
    let problem = match (beside, kept) {
        (Some(sidecar), _) if sidecar.fingerprint != header.fingerprint => {
            "`derivation.json` belongs to another storage key than the one in force"
        }
        (Some(sidecar), Some(salt)) if sidecar.salt == salt => {
            return Ok(Compared::Told(SaltState::Fine));
        }
        (Some(_), Some(_)) => "the salt in the keyring is not the one in `derivation.json`",
        (Some(sidecar), None) => return Ok(Compared::Missing(Missing::InKeyring(sidecar))),
        (None, Some(salt)) => return Ok(Compared::Missing(Missing::Beside(salt))),
        (None, None) => "both copies of the salt are gone: the key cannot be derived anew",
    };
    Ok(Compared::Told(SaltState::Problem(problem.to_owned())))
}

/// A sidecar; a damaged one counts as missing, since the other copy repairs it.
pub(super) fn read(root: &DataRoot, file: &str) -> StoreResult<Option<Sidecar>> {
    match Sidecar::read(root, file) {
        Err(StoreError::Damaged { .. }) => Ok(None),
        other => other,
    }
}
