//! Vaults worth exporting, and archives taken apart.

use std::{collections::BTreeMap, io::Read, ops::ControlFlow};

use vault_crypto::{Identities, Recipients, SecretBytes};
use vault_store::{
    Vault,
    archive::{
        ArchiveError, Contents, Form, RestoreOptions, Restored, Summary, export, restore, verify,
    },
    catalogue::Protection,
    documents::{AdoptedFile, Content, Precondition},
};

use crate::support::{
    fixture::{Fixture, body, content, id, name, new_store, put, write_put},
    world::{World, observe},
};

/// The three forms, by number.
pub(crate) const FORMS: [usize; 3] = [0, 1, 2];
pub(crate) const TAR: usize = 0;
pub(crate) const ZSTD: usize = 1;
pub(crate) const SEALED: usize = 2;

pub(crate) fn passphrase() -> SecretBytes {
    SecretBytes::new(b"a passphrase for a test".to_vec())
}

/// Of every kind something: ids, types, labels, sizes, protections.
pub(crate) fn rich(fixture: &Fixture) -> Vault {
    let vault = fixture.create().expect("a new vault");
    let create = |store: &str, protection| {
        vault
            .create_store(new_store(store, protection))
            .expect("a new store");
        vault.documents(&name(store)).expect("open")
    };
    let chat = create("chat", Protection::Protected);
    put(&chat, "conversations", "named like the store below");
    put(&chat, "gone", "deleted");
    let below = create("chat/conversations", Protection::Protected);
    let (long, longer) = ("é".repeat(100), "x".repeat(200));
    let ids = [
        "a/b",
        "..",
        ".hidden",
        "ünï/日本",
        "50%",
        "a~",
        &long,
        &longer,
    ];
    for document in ids {
        put(&below, document, document);
    }
    below
        .write(vec![
            write_put("batched", "1"),
            write_put("batched too", "2"),
        ])
        .expect("in a journal");
    let other = |content_type: &str, body: &[u8]| Content {
        content_type: content_type.to_owned(),
        labels: [("kind".to_owned(), "öther".to_owned())].into(),
        body: body.to_vec(),
    };
    let pictures = create("media/pictures", Protection::Protected);
    let png: Vec<u8> = (0_u32..9000)
        .map(|n| (n * n).to_le_bytes()[n as usize % 3])
        .collect();
    for (document, content) in [
        ("a", other("image/png", &png)),
        ("a.json", other("text/plain", b"no JSON")),
        ("empty", other("application/octet-stream", b"")),
        ("block", other("application/octet-stream", &[7; 512])),
        (&long, other("image/png", b"short")),
    ] {
        pictures
            .put(id(document), content, Precondition::None)
            .expect("put");
    }
    chat.delete(&id("gone"), Precondition::None)
        .expect("delete");
    let plain = create("plain/notes", Protection::Plain);
    for document in ["a/b", "..", "ünï"] {
        put(&plain, document, document);
    }
    create("plain", Protection::Plain);
    let adopted = create("adopted", Protection::Protected);
    let mut adoption = adopted.adopt().expect("an empty store");
    for path in ["sub/x.json", "y.json"] {
        adoption
            .add(&AdoptedFile {
                path: path.to_owned(),
                body: body(path),
            })
            .expect("add");
    }
    adoption.finish().expect("finish");
    put(&adopted, "sealed", "since");
    create("empty", Protection::Protected);
    vault
}

/// What a restored vault shows: no tombstones, and nothing that awaits migration.
pub(crate) fn restorable(world: &World) -> World {
    let mut world = world.clone();
    for store in world.values_mut() {
        store.tombstones = BTreeMap::new();
        for document in store.documents.values_mut() {
            document.awaits_migration = false;
        }
    }
    world
}

pub(crate) fn seen(vault: &Vault) -> World {
    observe(vault).expect("a whole vault")
}

pub(crate) fn exported(vault: &Vault, form: usize) -> (Vec<u8>, Summary) {
    let passphrase = passphrase();
    let form = match form {
        TAR => Form::Tar,
        ZSTD => Form::TarZstd,
        _ => Form::Sealed(Recipients::Passphrase {
            passphrase: &passphrase,
            work_factor: Some(1),
        }),
    };
    let mut out = Vec::new();
    let summary = export(vault, &mut out, &form, &Contents::default(), &mut |_| {
        ControlFlow::Continue(())
    });
    (out, summary.expect("exported"))
}

pub(crate) fn verified(archive: &[u8]) -> Result<Summary, ArchiveError> {
    let passphrase = passphrase();
    let identities = Identities::Passphrase(&passphrase);
    verify(archive, Some(&identities), &mut |_| {
        ControlFlow::Continue(())
    })
}

pub(crate) fn restored(
    vault: &Vault,
    archive: impl Read,
    manifest: [u8; 32],
    merge: bool,
) -> Result<Restored, ArchiveError> {
    let passphrase = passphrase();
    let identities = Identities::Passphrase(&passphrase);
    let options = RestoreOptions { merge, manifest };
    restore(vault, archive, Some(&identities), &options, &mut |_| {
        ControlFlow::Continue(())
    })
}

/// The blocks of each entry of a tar file, extended header included, and the end.
pub(crate) fn entries(archive: &[u8]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut entries = Vec::new();
    let mut entry = Vec::new();
    let mut rest = archive;
    while rest[0] != 0 {
        let header = tar::Header::from_byte_slice(&rest[..512]);
        let size = usize::try_from(header.size().expect("a size")).expect("small");
        let len = 512 + size.next_multiple_of(512);
        entry.extend_from_slice(&rest[..len]);
        if header.entry_type().is_file() {
            entries.push(std::mem::take(&mut entry));
        }
        rest = &rest[len..];
    }
    (entries, rest.to_vec())
}

pub(crate) fn joined(entries: &[Vec<u8>], end: &[u8]) -> Vec<u8> {
    [entries.concat(), end.to_vec()].concat()
}

/// Documents that are in the way of nothing.
pub(crate) fn put_labelled(vault: &Vault, store: &str, document: &str, text: &str) {
    let store = vault.documents(&name(store)).expect("open");
    store
        .put(id(document), content(text), Precondition::None)
        .expect("put");
}

/// Whether all that is there is as the archive says.
pub(crate) fn check_part(found: &World, whole: &World) -> Result<(), String> {
    for (store, world) in found {
        for (document, seen) in &world.documents {
            if whole[store].documents.get(document) != Some(seen) {
                return Err(format!("`{document}` in {store} is {seen:?}"));
            }
        }
    }
    Ok(())
}
