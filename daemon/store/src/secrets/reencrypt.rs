//! Sealing the list anew, and the values that are sealed beside it. Values in the keyring are sealed
//! under no key of the vault.

use std::{collections::BTreeSet, ops::ControlFlow};

use vault_crypto::{KeyId, SecretName};

use super::{SecretStore, list::Record, sealed};
use crate::{
    error::{StoreError, StoreResult},
    id::Revision,
    kind::{Amount, Report},
};

/// A sealed value, or the list where there is no name.
pub(super) struct Sealed {
    pub(super) name: Option<SecretName>,
    pub(super) key: KeyId,
}

const ONE: Amount = Amount {
    objects: 1,
    bytes: 0,
};

impl SecretStore {
    /// All that is sealed and can be read, with the key it is sealed under; whether anything cannot.
    pub(super) fn sealed(&self) -> StoreResult<(Vec<Sealed>, bool)> {
        let guard = self.read_list();
        let list = guard.as_ref().ok_or(StoreError::Closed)?;
        let mut found = vec![Sealed {
            name: None,
            key: list.key,
        }];
        let mut damaged = false;
        for (name, record) in &list.records {
            let Some(revision) = record.sealed else {
                continue;
            };
            match sealed::key(&self.context, name, revision) {
                Ok(Some(key)) => found.push(Sealed {
                    name: Some(name.clone()),
                    key,
                }),
                Ok(None) => {}
                Err(StoreError::Damaged { .. } | StoreError::PlaintextRefused { .. }) => {
                    damaged = true;
                }
                Err(error) => return Err(error),
            }
        }
        Ok((found, damaged))
    }

    /// What is not sealed under the current key: of the values, their names.
    pub(super) fn older(&self) -> StoreResult<Vec<Sealed>> {
        let ring = self.context.keys.ring();
        let (current, _) = ring.current()?;
        let (mut found, _) = self.sealed()?;
        found.retain(|sealed| sealed.key != current);
        Ok(found)
    }

    /// The keys besides the current one that something on disk may need.
    pub(super) fn older_keys(&self) -> StoreResult<BTreeSet<KeyId>> {
        let _turn = self.turn()?;
        let ring = self.context.keys.ring();
        let (current, _) = ring.current()?;
        let (found, damaged) = self.sealed()?;
        let mut keys: BTreeSet<KeyId> = if damaged {
            ring.ids().collect()
        } else {
            found.into_iter().map(|sealed| sealed.key).collect()
        };
        keys.remove(&current);
        Ok(keys)
    }

    /// Seals everything under the current key: each value in a file of its own, which the list then
    /// names. With every value the list is sealed anew too.
    pub(super) fn reencrypt_all(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>> {
        for outdated in self.older()? {
            let turn = self.turn()?;
            match &outdated.name {
                Some(name) => self.reencrypt_value(name)?,
                None => self.change(|_| ())?,
            }
            drop(turn);
            if report(ONE).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn reencrypt_value(&self, name: &SecretName) -> StoreResult<()> {
        let Some(record) = self.record(name)? else {
            return Ok(());
        };
        let Some(before) = record.sealed else {
            return Ok(());
        };
        let value = match sealed::load(&self.context, name, before) {
            Ok(Some(value)) => value,
            Ok(None) => return Ok(()),
            // Left as it is, under the key that it has.
            Err(StoreError::Damaged { object, detail }) => {
                tracing::error!(object, detail, "not sealed anew");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let revision: Revision = self.next_revision()?;
        sealed::save(&self.context, name, revision, value.expose())?;
        let renewed = Record {
            sealed: Some(revision),
            ..record
        };
        self.put(name, renewed)?;
        sealed::remove(&self.context, name, before);
        Ok(())
    }

    /// Opens everything that is sealed, and reports it.
    pub(super) fn verify_all(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>> {
        let (found, _) = self.sealed()?;
        for sealed in found {
            let opened = match &sealed.name {
                Some(name) => self.verify_value(name),
                None => super::list::List::read(&self.context).map(drop),
            };
            match opened {
                Ok(()) => {}
                Err(StoreError::Damaged { object, detail }) => {
                    tracing::error!(object, detail, "damaged");
                    continue;
                }
                Err(error) => return Err(error),
            }
            if report(ONE).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn verify_value(&self, name: &SecretName) -> StoreResult<()> {
        let sealed = self.record(name)?.and_then(|record| record.sealed);
        match sealed {
            Some(revision) => sealed::load(&self.context, name, revision).map(drop),
            None => Ok(()),
        }
    }
}
