//! Writing an archive.

use std::io::Write;

use vault_crypto::ContentHash;

use super::{
    ArchiveError, Form, Report, Summary, Tally, layout,
    manifest::{Manifest, Object, StorePart},
    sink::Sink,
};
use crate::{
    error::{StoreError, StoreResult},
    kind::Snapshot,
    vault::Vault,
};

/// Writes every object of every store, each store as of one moment, whatever is written meanwhile.
/// Changes nothing. The file is whole once this has returned `Ok`; cut short, it reads as such.
///
/// A store with an object that cannot be read is not exported: the error names the object.
pub fn export<W: Write>(
    vault: &Vault,
    out: W,
    form: &Form<'_>,
    report: &mut Report<'_>,
) -> Result<Summary, ArchiveError> {
    let (stores, snapshots): (Vec<_>, Vec<_>) = take(vault)?.into_iter().unzip();
    let manifest = Manifest::new(vault.id(), vault.now_ms(), stores);
    let encoded = manifest.encode()?;
    let sha256 = ContentHash::of(&encoded);
    let summary = manifest.summary(sha256)?;
    let time = manifest.time();

    let mut out = Sink::new(out, form)?;
    let head = layout::manifest_head(encoded.len() as u64, &sha256.to_string(), time);
    write(&mut out, &head, &encoded)?;
    drop(encoded);
    let mut tally = Tally::new(report, &summary);
    for ((number, store), snapshot) in manifest.stores.iter().enumerate().zip(snapshots) {
        tally.add(&store.name, 0, 0)?;
        for (index, object) in store.list.iter().enumerate() {
            let body = snapshot.read(index)?.body;
            if !object.matches(&body) {
                let object = format!("`{}` in store `{}`", object.id, store.name);
                let detail = "its hash does not fit its content";
                return Err(StoreError::damaged(object, detail).into());
            }
            let head = layout::entry_head(&object.path, (number, index), object.size, time);
            write(&mut out, &head, &body)?;
            tally.add(&store.name, 1, object.size)?;
        }
        // What was kept aside for this store is of no more use.
        drop(snapshot);
    }
    let end = out.write_all(&layout::END);
    end.map_err(|error| ArchiveError::io(&error))?;
    out.finish()?;
    Ok(summary)
}

type Taken = (StorePart, Box<dyn Snapshot>);

/// Every store as of one moment each, and what the manifest says of it.
fn take(vault: &Vault) -> Result<Vec<Taken>, ArchiveError> {
    let mut stores = Vec::new();
    for record in vault.stores() {
        let taken: StoreResult<_> = vault
            .open_store(&record.name)
            .and_then(|store| store.snapshot());
        let snapshot = match taken {
            Ok(snapshot) => snapshot,
            // Removed since the stores were listed.
            Err(StoreError::NoSuchStore(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        let amount = snapshot.amount();
        let mut list = Vec::new();
        while let Some(entry) = snapshot.entry(list.len())? {
            list.push(Object::of(&record.name, entry)?);
        }
        let part = StorePart {
            name: record.name,
            kind: record.kind,
            protection: record.protection,
            size_class: record.size_class,
            revision: snapshot.revision(),
            objects: amount.objects,
            bytes: amount.bytes,
            list,
        };
        stores.push((part, snapshot));
    }
    Ok(stores)
}

fn write(out: &mut impl Write, head: &[u8], content: &[u8]) -> Result<(), ArchiveError> {
    let padding = layout::padding(content.len() as u64);
    out.write_all(head)
        .and_then(|()| out.write_all(content))
        .and_then(|()| out.write_all(&layout::END[..padding]))
        .map_err(|error| ArchiveError::io(&error))
}
