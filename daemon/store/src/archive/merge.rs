//! Putting everything of one open vault into another: an export and a restore with nothing between
//! them, so that at no moment anything of it lies elsewhere.

use std::{
    collections::HashMap,
    io::{self, Read},
};

use vault_crypto::VaultId;

use super::{
    ArchiveError, Contents, Report, Tally,
    body::{Body, Piece},
    export::take,
    manifest::{BodyCheck, Manifest, Object, StorePart},
    restore::{GROUP, GROUP_BYTES, check, open_or_create},
};
use crate::{
    catalogue::Kind,
    error::{StoreError, StoreResult},
    kind::{Exported, Snapshot, Store, implementation},
    vault::Vault,
};

/// How many of the objects that both have are named.
const NAMED: usize = 5;

/// What becomes of an object that the receiving vault has under the same name with other content.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Conflicts {
    /// Nothing is merged.
    #[default]
    Refuse,
    /// The receiving vault's stays.
    Keep,
    /// The other vault's takes its place.
    Replace,
}

/// What a merge did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Merged {
    /// The vault it came from.
    pub vault: VaultId,
    /// Objects it has.
    pub objects: u64,
    /// Objects that were there already, equal.
    pub unchanged: u64,
    /// Objects that were left out, since there is other content under their name.
    pub kept: u64,
}

/// One store of the vault that is merged, and what of it is not taken.
struct Part {
    store: StorePart,
    snapshot: Box<dyn Snapshot>,
    kept: Vec<bool>,
}

/// Puts every object of `from`, values of secrets included, into `into`, as a restore that merges
/// does; then reads both again and compares them. Changes nothing in `from`.
///
/// Interrupted, it leaves a part of the objects, each whole; done again it does the rest.
pub fn merge(
    from: &Vault,
    into: &Vault,
    conflicts: Conflicts,
    report: &mut Report<'_>,
) -> Result<Merged, ArchiveError> {
    let everything = Contents {
        only: None,
        secrets: true,
    };
    let (stores, snapshots): (Vec<_>, Vec<_>) = take(from, &everything)?.into_iter().unzip();
    let manifest = Manifest::new(from.id(), from.now_ms(), stores);
    check(into, &manifest, true)?;
    let summary = manifest.summary(vault_crypto::ContentHash::of(b""))?;
    let mut parts = Vec::new();
    for (store, snapshot) in manifest.stores.into_iter().zip(snapshots) {
        let kept = differing(into, &store)?;
        parts.push(Part {
            store,
            snapshot,
            kept,
        });
    }
    let kept = parts.iter().flat_map(|part| &part.kept);
    let kept = kept.filter(|kept| **kept).count() as u64;
    match conflicts {
        Conflicts::Refuse if kept > 0 => return Err(refused(&parts, kept)),
        Conflicts::Refuse | Conflicts::Keep => {}
        Conflicts::Replace => {
            for part in &mut parts {
                part.kept.fill(false);
            }
        }
    }
    let mut tally = Tally::new(report, &summary);
    let mut unchanged = 0;
    for part in &parts {
        tally.add(&part.store.name, 0, 0)?;
        let store = open_or_create(into, &part.store)?;
        unchanged += if implementation(part.store.kind).streams() {
            part.put_streams(&*store, &mut tally)?
        } else {
            part.put_groups(&*store, &mut tally)?
        };
    }
    for part in &parts {
        part.compare(into)?;
    }
    Ok(Merged {
        vault: from.id(),
        objects: summary.objects,
        unchanged,
        kept: if conflicts == Conflicts::Keep {
            kept
        } else {
            0
        },
    })
}

fn refused(parts: &[Part], count: u64) -> ArchiveError {
    let names = parts.iter().flat_map(|part| {
        let objects = part.store.list.iter().zip(&part.kept);
        let differing = objects.filter(|(_, kept)| **kept);
        differing.map(|(object, _)| format!("`{}` in `{}`", object.id, part.store.name))
    });
    ArchiveError::Differing {
        count,
        named: names.take(NAMED).collect::<Vec<_>>().join(", "),
    }
}

/// What the receiving vault has of a store: the hash of each object, and of a document its labels and
/// times.
fn present(into: &Vault, part: &StorePart) -> StoreResult<HashMap<String, (String, Vec<u8>)>> {
    let mut present = HashMap::new();
    if !into.stores().iter().any(|record| record.name == part.name) {
        return Ok(present);
    }
    let snapshot = into.open_store(&part.name)?.snapshot_with_secrets()?;
    let mut index = 0;
    while let Some(entry) = snapshot.entry(index)? {
        present.insert(entry.id, (entry.sha256.to_string(), entry.metadata));
        index += 1;
    }
    Ok(present)
}

/// Which objects of a store the receiving vault has otherwise.
fn differing(into: &Vault, part: &StorePart) -> StoreResult<Vec<bool>> {
    let present = present(into, part)?;
    let differs = |object: &Object| {
        present.get(&object.id).is_some_and(|(sha256, metadata)| {
            // What else is said of other kinds, when a secret was last used, is nobody's work.
            let described = part.kind == Kind::Documents;
            *sha256 != object.sha256
                || described && metadata.as_slice() != object.metadata.get().as_bytes()
        })
    };
    Ok(part.list.iter().map(differs).collect())
}

impl Part {
    /// Returns how many objects were there already.
    fn put_groups(
        &self,
        store: &dyn Store,
        tally: &mut Tally<'_, '_>,
    ) -> Result<u64, ArchiveError> {
        let mut unchanged = 0;
        let mut group: Vec<Exported> = Vec::new();
        let (mut passed, mut bytes) = (0, 0);
        for (index, object) in self.store.list.iter().enumerate() {
            passed += 1;
            bytes += object.size;
            if !self.kept[index] {
                group.push(self.snapshot.read(index)?);
            }
            let last = index + 1 == self.store.list.len();
            if last || group.len() == GROUP || bytes >= GROUP_BYTES {
                unchanged += store.import(std::mem::take(&mut group))?;
                tally.add(&self.store.name, passed, bytes)?;
                (passed, bytes) = (0, 0);
            }
        }
        Ok(unchanged)
    }

    /// The same, of objects of any size.
    fn put_streams(
        &self,
        store: &dyn Store,
        tally: &mut Tally<'_, '_>,
    ) -> Result<u64, ArchiveError> {
        let mut unchanged = 0;
        let mut piece = Piece::new();
        for (index, object) in self.store.list.iter().enumerate() {
            if self.kept[index] {
                tally.add(&self.store.name, 1, object.size)?;
                continue;
            }
            let entry = object.entry(&self.store)?;
            let content = Checked {
                inner: self.snapshot.body(index)?,
                check: Some(object.check_body()),
                object: &object.id,
            };
            let mut body = Body::new(content, tally, &self.store.name);
            let imported = store.import_stream(entry, &mut body);
            if imported.is_ok() {
                piece.drain(&mut body)?;
            }
            unchanged += u64::from(imported.map_err(|error| body.failure(error))?);
            body.done()?;
        }
        Ok(unchanged)
    }

    /// Whether the receiving vault has all of it now.
    fn compare(&self, into: &Vault) -> Result<(), ArchiveError> {
        let present = present(into, &self.store)?;
        let objects = self.store.list.iter().zip(&self.kept);
        for (object, _) in objects.filter(|(_, kept)| !**kept) {
            let arrived = present
                .get(&object.id)
                .is_some_and(|(sha256, _)| *sha256 == object.sha256);
            // A secret without a value is listed and no more.
            if !arrived && (object.size > 0 || self.store.kind != Kind::Secrets) {
                return Err(StoreError::ChangedMeanwhile {
                    store: self.store.name.to_string(),
                    name: object.id.clone(),
                }
                .into());
            }
        }
        Ok(())
    }
}

/// The content of an object, whose end is reached only where it is what its store says of it.
struct Checked<'a, R> {
    inner: R,
    check: Option<BodyCheck<'a>>,
    object: &'a str,
}

impl<R: Read> Read for Checked<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let right = match &mut self.check {
            Some(check) if read > 0 => check.add(&buffer[..read]),
            _ if buffer.is_empty() => true,
            check => check.take().is_none_or(BodyCheck::finish),
        };
        if right {
            return Ok(read);
        }
        let damaged = StoreError::damaged(self.object, "its hash does not fit its content");
        Err(io::Error::new(io::ErrorKind::InvalidData, damaged))
    }
}
