//! A snapshot shows one moment, whatever is written meanwhile.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
};

use vault_store::{
    Revision, StoreError,
    catalogue::Protection,
    documents::{AdoptedFile, DocumentStore, Precondition},
    kind::{Snapshot, Store as _},
};

use crate::support::{
    disk::{OnDisk, files},
    fixture::{MARKER, body, id, name, put, write_delete, write_put},
    rotating::reencrypt,
};

const BOTH: [Protection; 2] = [Protection::Protected, Protection::Plain];

/// All that a snapshot holds: id, revision, body.
fn all(snapshot: &dyn Snapshot) -> Vec<(String, u64, Vec<u8>)> {
    let mut found = Vec::new();
    while let Some(entry) = snapshot.entry(found.len()).expect("open") {
        let read = snapshot.read(found.len()).expect("readable");
        assert_eq!((&read.id, read.revision), (&entry.id, entry.revision));
        assert_eq!(read.metadata, entry.metadata);
        assert_eq!(read.body.len() as u64, entry.size);
        found.push((read.id, read.revision.0, read.body.to_vec()));
    }
    let amount = snapshot.amount();
    assert_eq!(amount.objects, found.len() as u64);
    let bytes: usize = found.iter().map(|(_, _, body)| body.len()).sum();
    assert_eq!(amount.bytes, bytes as u64);
    found
}

fn expected(documents: &[(&str, u64, &str)]) -> Vec<(String, u64, Vec<u8>)> {
    let documents = documents.iter();
    documents
        .map(|(id, revision, text)| ((*id).to_owned(), *revision, body(text)))
        .collect()
}

fn take(store: &DocumentStore) -> Box<dyn Snapshot> {
    store.snapshot().expect("a snapshot")
}

/// What is kept aside for snapshots.
fn kept(disk: &OnDisk, store: &DocumentStore) -> usize {
    files(&disk.folder(store).join("snapshot")).len()
}

#[test]
fn what_is_written_later_is_not_in_it() {
    for protection in BOTH {
        let disk = OnDisk::new();
        let store = disk.store("notes", protection);
        put(&store, "a", "1");
        store
            .write(vec![write_put("b", "2"), write_put("c", "3")])
            .expect("in a journal");
        let first = take(&store);
        let as_first = expected(&[("a", 1, "1"), ("b", 2, "2"), ("c", 3, "3")]);
        assert_eq!(
            (first.revision(), all(&*first)),
            (Revision(3), as_first.clone())
        );
        assert_eq!(kept(&disk, &store), 0, "nothing was replaced yet");

        put(&store, "a", "4");
        put(&store, "d", "5");
        store.delete(&id("b"), Precondition::None).expect("delete");
        let second = take(&store);
        let as_second = expected(&[("c", 3, "3"), ("a", 4, "4"), ("d", 5, "5")]);
        // Both need `c`; only the second needs `a` as it is now.
        store
            .write(vec![
                write_put("a", "7"),
                write_delete("c"),
                write_put("b", "9"),
            ])
            .expect("batch");
        put(&store, "a", "10");
        store.checkpoint().expect("checkpoint");

        assert_eq!(all(&*first), as_first, "{protection:?}");
        assert_eq!(all(&*second), as_second, "{protection:?}");
        assert_eq!(second.revision(), Revision(6));
        assert_eq!(kept(&disk, &store), 4, "a twice, b, and c once for both");
        drop(first);
        assert_eq!(kept(&disk, &store), 2, "a and c of the second");
        assert_eq!(all(&*second), as_second);
        drop(second);
        assert_eq!(kept(&disk, &store), 0);
        put(&store, "a", "11");
        assert_eq!(kept(&disk, &store), 0, "nobody needs it");
    }
}

#[test]
fn adopted_files_are_in_it_as_they_were() {
    let disk = OnDisk::new();
    let store = disk.store("notes", Protection::Protected);
    let mut adoption = store.adopt().expect("an empty store");
    for document in ["x", "sub/y", "z"] {
        adoption
            .add(&AdoptedFile {
                path: format!("{document}.json"),
                body: body(document),
            })
            .expect("add");
    }
    adoption.finish().expect("finish");
    let snapshot = take(&store);
    let before = all(&*snapshot);
    assert_eq!(
        before,
        expected(&[("x", 1, "x"), ("sub/y", 2, "sub/y"), ("z", 3, "z")])
    );
    put(&store, "x", "written");
    store.migrate(|_| ()).expect("migrate");
    assert_eq!(all(&*snapshot), before);
    for file in files(disk.root()) {
        let bytes = fs::read(&file).expect("readable");
        let plain = bytes
            .windows(MARKER.len())
            .any(|run| run == MARKER.as_bytes());
        assert!(!plain, "{} holds plaintext", file.display());
    }
}

#[test]
fn it_outlives_a_rotation() {
    let disk = OnDisk::new();
    let store = disk.store("notes", Protection::Protected);
    for document in ["a", "b", "c"] {
        put(&store, document, "before");
    }
    let snapshot = take(&store);
    let before = all(&*snapshot);
    put(&store, "a", "after");
    reencrypt(&disk.vault, &disk.keyring);
    put(&store, "b", "after");
    reencrypt(&disk.vault, &disk.keyring);
    assert_eq!(all(&*snapshot), before);
}

#[test]
fn it_ends_with_the_store() {
    let mut disk = OnDisk::new();
    let store = disk.store("notes", Protection::Protected);
    put(&store, "a", "x");
    let snapshot = take(&store);
    put(&store, "a", "y");
    assert_eq!(kept(&disk, &store), 1);
    let folder = disk.folder(&store).join("snapshot");
    disk.vault.close();
    assert!(matches!(snapshot.read(0).err(), Some(StoreError::Closed)));
    assert!(files(&folder).is_empty(), "copies go with their keys");
    // What a crash leaves is of no use to anybody.
    fs::write(folder.join(".tmp-0123456789abcdef"), b"left").expect("written");
    disk.reopen();
    let again = disk.documents("notes");
    assert_eq!(kept(&disk, &again), 0, "swept");
    assert!(
        snapshot.read(0).is_err(),
        "of the store as it was open then"
    );
}

#[test]
fn a_removed_store_leaves_nothing() {
    let disk = OnDisk::new();
    let store = disk.store("notes", Protection::Protected);
    put(&store, "a", "x");
    let snapshot = take(&store);
    put(&store, "a", "y");
    let folder = disk.folder(&store);
    disk.vault.remove_store(&name("notes")).expect("removed");
    assert!(!folder.exists());
    assert!(snapshot.read(0).is_err());
}

/// A snapshot without an object that nobody can read would pass for the whole store.
#[test]
fn a_damaged_object_is_named() {
    let mut disk = OnDisk::new();
    let store = disk.store("notes", Protection::Protected);
    put(&store, "other", "x");
    let path = disk.object_of(&store, || put(&store, "a", "x"));
    let snapshot = take(&store);
    let sealed = fs::read(&path).expect("read");
    fs::write(&path, &sealed[..sealed.len() - 1]).expect("cut short");
    let error = snapshot.read(1).err();
    let named =
        matches!(&error, Some(StoreError::Damaged { object, .. }) if object.contains("`a`"));
    assert!(named, "{error:?}");
    assert!(store.snapshot().is_err(), "the damage is known now");
    disk.reopen();
    assert!(disk.documents("notes").snapshot().is_err());
    let store = disk.documents("notes");
    store.delete(&id("a"), Precondition::None).expect("aside");
    assert_eq!(all(&*take(&store)), expected(&[("other", 1, "x")]));
}

/// A copy that cannot be made is the snapshot's trouble, not the writer's.
#[test]
fn no_write_fails_for_want_of_a_copy() {
    for protection in BOTH {
        let disk = OnDisk::new();
        let store = disk.store("notes", protection);
        put(&store, "a", "x");
        put(&store, "b", "x");
        fs::write(disk.folder(&store).join("snapshot"), b"in the way").expect("written");
        let snapshot = take(&store);
        put(&store, "a", "y");
        assert!(snapshot.read(0).is_err(), "{protection:?}");
        assert_eq!(**snapshot.read(1).expect("there").body, body("x"));
        assert_eq!(**store.get(&id("a")).expect("there").body, body("y"));
    }
}

/// Of edits past the daemon, those made before a snapshot are in it, and those made after are
/// noticed.
#[test]
fn edits_of_plain_files_are_seen_or_noticed() {
    let disk = OnDisk::new();
    let store = disk.store("notes", Protection::Plain);
    for document in ["a", "b", "c"] {
        put(&store, document, "1");
    }
    let file = |document: &str| disk.root().join(format!("plain/notes/{document}.json"));
    fs::write(file("a"), body("2")).expect("of the same length");
    fs::write(file("d"), body("new")).expect("written");
    let snapshot = take(&store);
    let mut found = all(&*snapshot);
    found.sort();
    let bodies: Vec<_> = found.into_iter().map(|(id, _, body)| (id, body)).collect();
    let wanted = [("a", "2"), ("b", "1"), ("c", "1"), ("d", "new")];
    assert_eq!(bodies, wanted.map(|(id, text)| (id.to_owned(), body(text))));
    fs::write(file("b"), body("3")).expect("written");
    assert!(snapshot.read(0).is_err(), "b is gone as it was");
    put(&store, "b", "4");
    assert!(snapshot.read(0).is_err());
    assert_eq!(**snapshot.read(1).expect("c is as it was").body, body("1"));
}

/// Batches are in it whole or not at all, and it does not change while everybody writes.
#[test]
fn it_is_one_moment_amid_writers() {
    const WRITERS: usize = 3;
    const DOCUMENTS: usize = 4;
    for protection in BOTH {
        let disk = OnDisk::new();
        let store = disk.store("notes", protection);
        let done = AtomicBool::new(false);
        let document = |writer: usize, number: usize| format!("{writer}-{number}");
        let batch = |writer: usize, round: usize| {
            let write = |number| write_put(&document(writer, number), &format!("{round:04}"));
            (0..DOCUMENTS).map(write).collect::<Vec<_>>()
        };
        for writer in 0..WRITERS {
            store.write(batch(writer, 0)).expect("the first round");
        }
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (store, done, batch) = (&store, &done, &batch);
                scope.spawn(move || {
                    for round in (1..).take_while(|_| !done.load(Ordering::Acquire)) {
                        store.write(batch(writer, round)).expect("written");
                    }
                });
            }
            let checkpoints = scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    store.checkpoint().expect("checkpoint");
                }
            });
            let stop = Stop(&done);
            for _ in 0..20 {
                let snapshot = take(&store);
                let first = all(&*snapshot);
                assert_eq!(first.len(), WRITERS * DOCUMENTS);
                for writer in 0..WRITERS {
                    let own: Vec<_> = first
                        .iter()
                        .filter(|(id, ..)| id.starts_with(&format!("{writer}-")))
                        .collect();
                    let revisions: Vec<_> = own.iter().map(|(_, revision, _)| *revision).collect();
                    assert!(revisions.windows(2).all(|pair| pair[0] + 1 == pair[1]));
                    assert!(own.iter().all(|(.., body)| *body == own[0].2), "one round");
                }
                let last = first.last().expect("something").1;
                assert_eq!(snapshot.revision(), Revision(last));
                assert_eq!(all(&*snapshot), first);
            }
            drop(stop);
            checkpoints.join().expect("no panic");
        });
        assert_eq!(kept(&disk, &store), 0);
    }
}

/// Lets the writers end, whatever becomes of the test.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
