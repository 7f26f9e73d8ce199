//! Secrets as a store kind: what rotation, export, doctor and upkeep use.

use std::{collections::BTreeSet, ops::ControlFlow, sync::Arc};

use vault_crypto::{KeyId, SecretName};

use super::{SecretStore, list::List, sealed, snapshot};
use crate::{
    catalogue::{Protection, StoreRecord},
    durable,
    error::{StoreError, StoreResult},
    id::Revision,
    kind::{
        Amount, Exported, Quiesced, Report, Snapshot, Store, StoreContext, StoreKind, StoreStats,
    },
    root::DataRoot,
    vault::lock,
};

/// Makes and opens stores of secrets.
#[derive(Debug, Clone, Copy)]
pub struct SecretKind;

impl StoreKind for SecretKind {
    fn create(&self, context: &StoreContext) -> StoreResult<()> {
        if context.record.protection == Protection::Plain {
            return Err(StoreError::InvalidArgument(
                "secrets are always sealed: leave out `--plain`".to_owned(),
            ));
        }
        let (fs, root) = (context.root.fs(), &context.root);
        let folder = root.store(context.record.id);
        durable::ensure_dir(fs, &folder)?;
        durable::ensure_dir(fs, &sealed::folder(context))?;
        durable::sync_dir(fs, &folder)?;
        durable::sync_dir(fs, &root.stores())?;
        List::create(context)
    }

    fn open(&self, context: StoreContext) -> StoreResult<Arc<dyn Store>> {
        Ok(Arc::new(SecretStore::open(context)?))
    }

    fn remove_files(&self, root: &DataRoot, record: &StoreRecord) {
        let (fs, folder) = (root.fs(), root.store(record.id));
        for folder in [folder.join("values"), folder] {
            for (name, _) in fs.read_dir(&folder).unwrap_or_default() {
                let _ = fs.remove_file(&folder.join(name));
            }
            let _ = fs.remove_dir(&folder);
        }
    }

    fn check_import(&self, _: Protection, id: &str, metadata: &[u8]) -> StoreResult<String> {
        snapshot::check(id, metadata)
    }
}

impl SecretStore {
    fn amount_of_records(&self) -> StoreResult<(u64, Revision)> {
        let guard = self.read_list();
        let list = guard.as_ref().ok_or(StoreError::Closed)?;
        Ok((list.records.len() as u64, list.revision()))
    }
}

impl Store for SecretStore {
    fn close(&self) {
        *self.write_list() = None;
    }

    fn quiesce(&self) -> Quiesced<'_> {
        Quiesced {
            _guard: Box::new(lock(&self.writing)),
        }
    }

    fn snapshot(&self) -> StoreResult<Box<dyn Snapshot>> {
        Ok(Box::new(self.take(false)?))
    }

    fn snapshot_with_secrets(&self) -> StoreResult<Box<dyn Snapshot>> {
        Ok(Box::new(self.take(true)?))
    }

    fn import_one(&self, object: Exported) -> StoreResult<()> {
        self.import(vec![object]).map(drop)
    }

    fn import(&self, objects: Vec<Exported>) -> StoreResult<u64> {
        self.put_back(objects)
    }

    fn outdated(&self) -> StoreResult<Amount> {
        Ok(Amount {
            objects: self.older()?.len() as u64,
            bytes: 0,
        })
    }

    fn reencrypt(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>> {
        self.reencrypt_all(report)
    }

    fn verify(&self, report: &mut Report<'_>) -> StoreResult<ControlFlow<()>> {
        self.verify_all(report)
    }

    fn older_keys_in_use(&self) -> StoreResult<BTreeSet<KeyId>> {
        self.older_keys()
    }

    fn verify_one(&self, id: &str) -> StoreResult<()> {
        let name = SecretName::parse(id)
            .map_err(|error| StoreError::InvalidArgument(error.to_string()))?;
        let record = self.record(&name)?;
        let record = record.ok_or_else(|| StoreError::NoSuchSecret(name.to_string()))?;
        self.value(&name, &record)?
            .map(drop)
            .ok_or_else(|| StoreError::SecretValueMissing(name.to_string()))
    }

    fn references(&self) -> StoreResult<Vec<String>> {
        Ok(Vec::new())
    }

    fn stats(&self) -> StoreResult<StoreStats> {
        let (objects, revision) = self.amount_of_records()?;
        Ok(StoreStats {
            objects,
            revision,
            ..StoreStats::default()
        })
    }
}
