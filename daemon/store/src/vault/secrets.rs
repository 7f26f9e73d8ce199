//! The vault's secrets as a whole: where their values go, and how they leave the keyring.

use std::collections::BTreeSet;

use vault_crypto::SecretName;

use super::Core;
use crate::{
    error::{StoreError, StoreResult},
    key_source::KeySourceError,
    kind::Store as _,
    secrets::{Inspection, SecretEntries, SecretPlace},
};

impl Core {
    /// Where the values of secrets go that are set now.
    pub fn secret_place(&self) -> SecretPlace {
        self.options.secrets.place()
    }

    /// Brings the values of all secrets to `place`, through `entries`, which is the keyring as the
    /// caller may use it. May be called again after a failure, and goes on then.
    pub fn move_secrets(&self, place: SecretPlace, entries: &dyn SecretEntries) -> StoreResult<()> {
        self.options.secrets.go_to(place);
        match self.secrets()? {
            Some(store) => store.move_to(place, entries),
            None => Ok(()),
        }
    }

    /// How many secrets are listed.
    pub fn secret_count(&self) -> StoreResult<u64> {
        match self.secrets()? {
            Some(store) => Ok(store.stats()?.objects),
            None => Ok(0),
        }
    }

    /// What does not fit together between the list of secrets and their values.
    pub fn inspect_secrets(&self) -> StoreResult<Inspection> {
        if let Some(store) = self.secrets()? {
            return store.inspect();
        }
        let mut found = Inspection::default();
        if self.secret_place() == SecretPlace::Keyring {
            match self.options.secrets.entries().list(self.id) {
                Ok(held) => found.unlisted = held,
                Err(KeySourceError::Unsupported(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found)
    }

    /// Mends what an inspection found, where nothing is lost by that.
    pub fn mend_secrets(&self, found: &Inspection) -> StoreResult<()> {
        self.secrets_or_create()?.mend(found)
    }

    /// The secrets that may have an entry in the keyring: those that the list says have one, and
    /// those that the keyring names, where it can and values go there.
    ///
    /// A list that cannot be read does not stand in the way of getting rid of it.
    pub fn secret_entries(&self, entries: &dyn SecretEntries) -> StoreResult<BTreeSet<SecretName>> {
        let listed = match self.secrets() {
            Ok(Some(store)) => store.in_keyring()?,
            Ok(None) | Err(StoreError::Damaged { .. } | StoreError::PlaintextRefused { .. }) => {
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        let mut names: BTreeSet<SecretName> = listed.into_iter().collect();
        if self.secret_place() == SecretPlace::Keyring {
            match entries.list(self.id) {
                Ok(held) => names.extend(held),
                Err(KeySourceError::Unsupported(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(names)
    }

    /// Removes the value of every secret from the keyring, before the list of them goes. Refused as
    /// a whole where the keyring does not answer.
    pub(super) fn remove_secret_entries(&self) -> StoreResult<()> {
        let entries = self.options.secrets.entries();
        for name in self.secret_entries(entries)? {
            entries.remove(self.id, &name)?;
        }
        Ok(())
    }
}
