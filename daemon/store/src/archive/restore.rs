//! Putting an archive back into a vault.

use std::{io::Read, sync::Arc};

use vault_crypto::Identities;

use super::{
    ArchiveError, Report, Summary, Tally,
    body::{Body, Piece},
    manifest::{Manifest, StorePart},
    reading::{self, Reading},
};
use crate::{
    catalogue::StoreRecord,
    error::StoreError,
    files,
    kind::{Exported, Store, implementation},
    vault::{NewStore, Vault},
};

/// How much is written at once.
pub(super) const GROUP: usize = 128;
pub(super) const GROUP_BYTES: u64 = 4 << 20;

/// What a restore may do.
#[derive(Clone, Copy, Debug)]
pub struct RestoreOptions {
    /// Whether the vault may have stores. Objects of the archive then replace those of the same
    /// store and id; all others stay.
    pub merge: bool,
    /// SHA-256 of the manifest, as verifying the archive found it. Any other is refused before the
    /// first byte is written, so that nothing is restored that was not verified.
    pub manifest: [u8; 32],
}

/// What a restore did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restored {
    /// What the archive holds.
    pub summary: Summary,
    /// Objects that were there already, equal.
    pub unchanged: u64,
}

/// Puts every object of an archive back, as it was: content, type, labels, times, and where the
/// store has not come that far its revision, too.
///
/// Interrupted, it leaves a vault with a part of the objects, each whole; done again, with `merge`,
/// it does the rest.
pub fn restore<R: Read>(
    vault: &Vault,
    input: R,
    identities: Option<&Identities<'_>>,
    options: &RestoreOptions,
    report: &mut Report<'_>,
) -> Result<Restored, ArchiveError> {
    let (manifest, summary, mut reading) = reading::open(input, identities)?;
    if summary.manifest != options.manifest {
        return Err(ArchiveError::OtherManifest);
    }
    check(vault, &manifest, options.merge)?;
    let mut tally = Tally::new(report, &summary);
    let mut unchanged = 0;
    for (number, part) in manifest.stores.iter().enumerate() {
        tally.add(&part.name, 0, 0)?;
        let store = open_or_create(vault, part)?;
        let restore = if implementation(part.kind).streams() {
            restore_streams
        } else {
            restore_groups
        };
        unchanged += restore(&*store, (number, part), &mut reading, &mut tally)?;
    }
    reading.finish()?;
    Ok(Restored { summary, unchanged })
}

/// Whether all of it can be put into this vault. Writes nothing.
pub(super) fn check(vault: &Vault, manifest: &Manifest, merge: bool) -> Result<(), ArchiveError> {
    let stores = vault.stores();
    if !merge && !stores.is_empty() {
        return Err(ArchiveError::NotEmpty);
    }
    for part in &manifest.stores {
        let conflict = |detail: String| ArchiveError::Conflict {
            store: part.name.to_string(),
            detail,
        };
        let there = stores.iter().find(|record| record.name == part.name);
        if there.is_some_and(|record| !same_nature(record, part)) {
            return Err(conflict(
                "the vault's store of this name is of another kind or protection".to_owned(),
            ));
        }
        if there.is_none() {
            let place = (&part.name, part.kind, part.protection);
            files::check_place(place, &stores).map_err(|error| conflict(error.to_string()))?;
        }
        if implementation(part.kind).streams() {
            continue;
        }
        let class = there.map_or(part.size_class, |record| record.size_class);
        let limit = vault.limit(class);
        if let Some(object) = part.list.iter().find(|object| object.size > limit) {
            return Err(conflict(format!(
                "`{}` has {} bytes, over the limit of {limit}",
                object.id, object.size
            )));
        }
    }
    Ok(())
}

fn same_nature(record: &StoreRecord, part: &StorePart) -> bool {
    record.kind == part.kind && record.protection == part.protection
}

pub(super) fn open_or_create(
    vault: &Vault,
    part: &StorePart,
) -> Result<Arc<dyn Store>, ArchiveError> {
    if !vault.stores().iter().any(|record| record.name == part.name) {
        vault.create_store(NewStore {
            name: part.name.clone(),
            kind: part.kind,
            protection: part.protection,
            size_class: part.size_class,
            database: part.database.clone(),
            attachments: part.attachments.clone(),
        })?;
    }
    Ok(vault.open_store(&part.name)?)
}

/// Returns how many objects were there already.
fn restore_groups(
    store: &dyn Store,
    (number, part): (usize, &StorePart),
    reading: &mut Reading<'_>,
    tally: &mut Tally<'_, '_>,
) -> Result<u64, ArchiveError> {
    let mut unchanged = 0;
    let mut objects = part.list.iter().enumerate().peekable();
    while objects.peek().is_some() {
        let mut group = Vec::new();
        let mut bytes = 0;
        while group.len() < GROUP && bytes < GROUP_BYTES {
            let Some((index, object)) = objects.next() else {
                break;
            };
            bytes += object.size;
            group.push(Exported {
                id: object.id.clone(),
                revision: object.revision,
                metadata: object.metadata.get().as_bytes().to_vec(),
                body: reading.whole(object, (number, index))?,
            });
        }
        let count = group.len() as u64;
        unchanged += store.import(group)?;
        tally.add(&part.name, count, bytes)?;
    }
    Ok(unchanged)
}

/// The same, of objects of any size.
fn restore_streams(
    store: &dyn Store,
    (number, part): (usize, &StorePart),
    reading: &mut Reading<'_>,
    tally: &mut Tally<'_, '_>,
) -> Result<u64, ArchiveError> {
    let mut unchanged = 0;
    let mut piece = Piece::new();
    for (index, object) in part.list.iter().enumerate() {
        let entry = object.entry(part)?;
        let content = reading.body(object, (number, index))?;
        let mut body = Body::new(content, tally, &part.name);
        let imported = store.import_stream(entry, &mut body);
        let unfit = matches!(imported, Err(StoreError::InvalidArgument(_)));
        if imported.is_ok() || unfit {
            // What the store had no need of is checked all the same. Damage may be why it is unfit.
            piece.drain(&mut body)?;
        }
        unchanged += u64::from(imported.map_err(|error| body.failure(error))?);
        body.done()?;
    }
    Ok(unchanged)
}
