//! Files that are not where, what or how they were left.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    sync::Arc,
};

use vault_crypto::blob_stream::{HEADER_LEN, SEALED_CHUNK, TRAILER_LEN};
use vault_store::{
    StoreError,
    blobs::{BlobRef, BlobStore},
    catalogue::Kind,
    kind::Store as _,
    vault::NewStore,
};

use super::{CHUNK, STORE, content, read};
use crate::support::{
    disk::{OnDisk, files},
    fixture::name,
};

/// A vault on disk with a store of blobs; where its files lie.
fn on_disk() -> (OnDisk, Arc<BlobStore>, PathBuf) {
    let disk = OnDisk::new();
    let record = disk
        .vault
        .create_store(NewStore::new(name(STORE), Kind::Blobs))
        .expect("a new store");
    let store = disk.vault.blobs(&name(STORE)).expect("open");
    let objects = disk.root().join(format!("stores/{}/objects", record.id));
    (disk, store, objects)
}

/// Puts content; returns its ref and its file.
fn put(store: &BlobStore, objects: &Path, content: &[u8]) -> (BlobRef, PathBuf) {
    let before = files(objects);
    let stored = store.put("image/png", content).expect("put");
    let mut new = files(objects);
    new.retain(|path| !before.contains(path));
    assert_eq!(new.len(), 1);
    (stored.info.reference, new.remove(0))
}

fn is_refused(store: &BlobStore, reference: &BlobRef, what: &str) {
    let refused = |error: Option<StoreError>| match error {
        Some(StoreError::Damaged { object, .. } | StoreError::PlaintextRefused { object, .. }) => {
            assert!(object.contains(&reference.to_string()), "{what}: {object}");
        }
        other => panic!("{what}: {other:?}"),
    };
    refused(read(store, reference, None).err());
    refused(store.verify_one(&reference.to_string()).err());
    let mut damaged = 0;
    let verified = store.verify_each(&mut |verified| {
        damaged += usize::from(verified.damaged.is_some());
        std::ops::ControlFlow::Continue(())
    });
    assert!(verified.is_ok() && damaged == 1, "{what}: {damaged}");
}

/// Changes the bytes of a file.
fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("read");
    change(&mut bytes);
    fs::write(path, bytes).expect("write");
}

#[test]
fn every_kind_of_damage_is_refused_and_made_good_by_the_next_put() {
    type Damage = fn(&mut Vec<u8>);
    let chunk = |index: usize| HEADER_LEN + index * SEALED_CHUNK;
    assert_eq!(chunk(1), 80 + 65_564);
    let damages: [(&str, Damage); 14] = [
        ("magic", |file| file[0] ^= 1),
        ("suite", |file| file[5] = 9),
        ("key id", |file| file[8] ^= 1),
        ("salt", |file| file[16] ^= 1),
        ("commitment", |file| file[48] ^= 1),
        ("nonce", |file| file[80] ^= 1),
        ("content", |file| file[5000] ^= 1),
        ("last chunk", |file| {
            let at = file.len() - TRAILER_LEN - 20;
            file[at] ^= 1;
        }),
        ("trailer", |file| {
            let at = file.len() - 100;
            file[at] ^= 1;
        }),
        ("a chunk dropped", |file| drop(file.drain(80..80 + 65_564))),
        ("a chunk doubled", |file| {
            let one = file[80..80 + 65_564].to_vec();
            file.splice(80..80, one);
        }),
        ("two chunks swapped", |file| {
            let one: Vec<u8> = file.drain(80..80 + 65_564).collect();
            file.splice(80 + 65_564..80 + 65_564, one);
        }),
        ("cut short", |file| file.truncate(70_000)),
        ("grown", |file| file.push(0)),
    ];
    let (_disk, store, objects) = on_disk();
    let content = content(3 * CHUNK + 40);
    let (reference, path) = put(&store, &objects, &content);
    for (what, damage) in damages {
        change(&path, damage);
        is_refused(&store, &reference, what);
        let stored = store.put("image/png", &content).expect("put");
        assert!(!stored.existed, "{what}: damage is no content");
        assert_eq!(
            read(&store, &reference, None).expect("whole"),
            content,
            "{what}"
        );
    }
}

#[test]
fn files_cannot_be_swapped_or_brought_from_elsewhere() {
    let (_disk, store, objects) = on_disk();
    let (one, first) = put(&store, &objects, &content(100));
    let (_, second) = put(&store, &objects, &content(101));
    let kept = fs::read(&first).expect("read");
    fs::copy(&second, &first).expect("copied");
    is_refused(&store, &one, "another blob");
    let (_other, theirs, elsewhere) = on_disk();
    let (_, foreign) = put(&theirs, &elsewhere, &content(100));
    fs::copy(foreign, &first).expect("copied");
    is_refused(&store, &one, "of another vault");
    fs::write(&first, content(100)).expect("written");
    is_refused(&store, &one, "plaintext");
    fs::write(&first, kept).expect("written");
    assert_eq!(read(&store, &one, None).expect("whole"), content(100));
}

#[cfg(unix)]
#[test]
fn a_link_is_not_followed_and_is_replaced() {
    let (disk, store, objects) = on_disk();
    let (reference, path) = put(&store, &objects, b"content");
    let elsewhere = disk.root().join("elsewhere");
    fs::rename(&path, &elsewhere).expect("renamed");
    std::os::unix::fs::symlink(&elsewhere, &path).expect("a link");
    is_refused(&store, &reference, "a link");
    assert_eq!(store.stats().expect("open").damaged, 1);
    assert!(
        store.snapshot().is_err(),
        "a snapshot without it would pass for the whole"
    );
    assert!(!store.put("", b"content").expect("put").existed);
    assert!(fs::symlink_metadata(&path).expect("there").is_file());
    assert!(elsewhere.exists());
}

#[test]
fn a_planted_upload_is_not_gone_on_with() {
    let (_disk, store, objects) = on_disk();
    let uploads = objects.with_file_name("uploads");
    let new = || vault_store::blobs::NewBlob {
        resume_key: Some(b"key".to_vec()),
        ..Default::default()
    };
    let content = content(5 * CHUNK);
    let mut upload = store.begin(new()).expect("begin");
    upload.write(&content).expect("written");
    drop(upload);
    let path = files(&uploads).remove(0);
    // From the third chunk on, it is not what was written.
    change(&path, |file| file[80 + 2 * SEALED_CHUNK + 7] ^= 1);
    let upload = store.begin(new()).expect("begin");
    assert_eq!(upload.kept().0, 2 * CHUNK as u64);
    drop(upload);
    let len = fs::metadata(&path).expect("there").len();
    assert_eq!(
        len,
        (HEADER_LEN + 2 * SEALED_CHUNK) as u64,
        "the rest is cut off"
    );
    fs::write(&path, b"planted").expect("written");
    let mut upload = store.begin(new()).expect("begin");
    assert_eq!(upload.kept().0, 0);
    upload.write(&content).expect("written");
    let stored = upload.finish(None).expect("stored");
    assert_eq!(
        read(&store, &stored.info.reference, None).expect("whole"),
        content
    );
}

#[test]
fn a_lost_folder_is_not_an_empty_store() {
    for folder in ["objects/7", "objects", "uploads", "removed"] {
        let (mut disk, store, objects) = on_disk();
        drop(store);
        let lost = objects.with_file_name("objects").with_file_name(folder);
        fs::remove_dir_all(lost).expect("removed");
        disk.reopen();
        let opened = disk.vault.blobs(&name(STORE));
        assert!(
            matches!(opened, Err(StoreError::Damaged { .. })),
            "{folder}"
        );
    }
}

#[test]
fn what_is_no_blob_is_named() {
    let (_disk, store, objects) = on_disk();
    put(&store, &objects, b"content");
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(objects.join("0/stranger"))
        .expect("made");
    let mut listed = (0, Vec::new());
    let seen = store.list(&mut |one| {
        match one {
            Ok(_) => listed.0 += 1,
            Err((file, _)) => listed.1.push(file),
        }
        std::ops::ControlFlow::Continue(())
    });
    seen.expect("listed");
    assert_eq!(listed, (1, vec!["stranger".to_owned()]));
    let stats = store.stats().expect("open");
    assert_eq!((stats.objects, stats.damaged), (1, 1));
}

#[test]
fn names_do_not_confirm_known_content() {
    let (_disk, store, objects) = on_disk();
    let (reference, path) = put(&store, &objects, b"a known file");
    let file = path
        .file_name()
        .expect("named")
        .to_string_lossy()
        .into_owned();
    assert_ne!(file, reference.to_string());
    let (_other, theirs, elsewhere) = on_disk();
    let (same, other) = put(&theirs, &elsewhere, b"a known file");
    assert_eq!(same, reference);
    assert_ne!(
        other.file_name(),
        path.file_name(),
        "each store has names of its own"
    );
}
