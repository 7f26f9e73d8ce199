//! Writing an archive.

use std::io::{Read, Write};

use vault_crypto::ContentHash;

use super::{
    ArchiveError, Contents, Form, Report, Summary, Tally,
    body::{Body, Piece},
    layout,
    manifest::{Manifest, Object, StorePart},
    sink::Sink,
};
use crate::{
    catalogue::Kind,
    error::{StoreError, StoreResult},
    id::StoreName,
    kind::Snapshot,
    vault::Vault,
};

/// Writes what is wanted of the vault, each store as of one moment, whatever is written meanwhile. Changes nothing. The file is whole once this has returned `Ok`; cut short, it reads as such.
///
/// A store with an object that cannot be read is not exported: the error names the object.
pub fn export<W: Write>(
    vault: &Vault,
    out: W,
    form: &Form<'_>,
    contents: &Contents,
    report: &mut Report<'_>,
) -> Result<Summary, ArchiveError> {
    let (stores, snapshots): (Vec<_>, Vec<_>) = take(vault, contents)?.into_iter().unzip();
    let manifest = Manifest::new(vault.id(), vault.now_ms(), stores);
    let encoded = manifest.encode()?;
    let sha256 = ContentHash::of(&encoded);
    let summary = manifest.summary(sha256)?;
    let time = manifest.time();

    let mut out = Sink::new(out, form)?;
    let head = layout::manifest_head(encoded.len() as u64, &sha256.to_string(), time);
    write(&mut out, &[&head, &encoded, padding(encoded.len() as u64)])?;
    drop(encoded);
    let mut piece = Piece::new();
    let mut tally = Tally::new(report, &summary);
    for ((number, store), snapshot) in manifest.stores.iter().enumerate().zip(snapshots) {
        tally.add(&store.name, 0, 0)?;
        for (index, object) in store.list.iter().enumerate() {
            let head = layout::entry_head(&object.path, (number, index), object.size, time);
            write(&mut out, &[&head])?;
            let mut body = Body::new(snapshot.body(index)?, &mut tally, &store.name);
            if !copy(&mut body, object, &mut piece, &mut out)? {
                let object = format!("`{}` in store `{}`", object.id, store.name);
                let detail = "its hash does not fit its content";
                return Err(StoreError::damaged(object, detail).into());
            }
            body.done()?;
        }
        // What was kept aside for this store is of no more use.
        drop(snapshot);
    }
    write(&mut out, &[&layout::END])?;
    out.finish()?;
    Ok(summary)
}

pub(super) type Taken = (StorePart, Box<dyn Snapshot>);

/// Every store as of one moment each, and what the manifest says of it. Who may use the vault stays
/// out: put back, it would bring back what was revoked since.
pub(super) fn take(vault: &Vault, contents: &Contents) -> Result<Vec<Taken>, ArchiveError> {
    let mut records = vault.stores();
    let only = contents.only.as_ref();
    if let Some(only) = only {
        records.retain(|record| only.contains(&record.name));
        let there = |name: &&StoreName| records.iter().any(|record| record.name == **name);
        if let Some(missing) = only.iter().find(|name| !there(name)) {
            return Err(StoreError::NoSuchStore(missing.to_string()).into());
        }
    }
    // What documents and databases name is there when they are seen: blobs are looked at last.
    records.sort_by_key(|record| record.kind == Kind::Blobs);
    let mut stores = Vec::new();
    for record in records {
        let taken: StoreResult<_> = vault.open_store(&record.name).and_then(|store| {
            if contents.secrets {
                store.snapshot_with_secrets()
            } else {
                store.snapshot()
            }
        });
        let snapshot = match taken {
            Ok(snapshot) => snapshot,
            // Removed since the stores were listed.
            Err(StoreError::NoSuchStore(_)) if only.is_none() => continue,
            Err(error) => return Err(error.into()),
        };
        let amount = snapshot.amount();
        let mut list = Vec::new();
        while let Some(entry) = snapshot.entry(list.len())? {
            list.push(Object::of((record.kind, &record.name), entry)?);
        }
        let part = StorePart {
            name: record.name,
            kind: record.kind,
            protection: record.protection,
            size_class: record.size_class,
            database: record.database,
            attachments: record.attachments,
            revision: snapshot.revision(),
            objects: amount.objects,
            bytes: amount.bytes,
            list,
        };
        stores.push((part, snapshot));
    }
    stores.sort_by(|(one, _), (other, _)| one.place().cmp(&other.place()));
    Ok(stores)
}

/// Writes a body, with what follows it. Returns whether it is the one that the manifest says;
/// otherwise the archive is cut short in it.
fn copy(
    body: &mut Body<'_, '_, '_, impl Read>,
    object: &Object,
    piece: &mut Piece,
    out: &mut impl Write,
) -> Result<bool, ArchiveError> {
    let mut check = object.check_body();
    while let Some(piece) = piece.next(body)? {
        if !check.add(piece) {
            return Ok(false);
        }
        write(out, &[piece])?;
    }
    if !check.finish() {
        return Ok(false);
    }
    write(out, &[padding(object.size)])?;
    Ok(true)
}

/// The zeros that follow a content of `size` bytes.
fn padding(size: u64) -> &'static [u8] {
    &layout::END[..layout::padding(size)]
}

fn write(out: &mut impl Write, parts: &[&[u8]]) -> Result<(), ArchiveError> {
    let mut parts = parts.iter();
    let written = parts.try_for_each(|part| out.write_all(part));
    written.map_err(|error| ArchiveError::io(&error))
}
