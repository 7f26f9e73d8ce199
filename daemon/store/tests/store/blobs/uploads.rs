//! What uploads and readers promise while other things happen.

use std::{
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
        mpsc,
    },
    thread,
};

use vault_store::{
    Clock, SizeClass, StoreError, Vault,
    blobs::{BlobRef, NewBlob},
    catalogue::{Kind, Protection},
    kind::Store as _,
    rotation::Depth,
    vault::{NewStore, NextKey, VaultOptions},
};

use super::{CHUNK, STORE, content, read, store_of};
use crate::support::{
    fixture::{Fixture, ROOT, name},
    gate::{Gate, PATIENCE},
    rotating::{advance, reencrypt},
};

fn with_key(key: &[u8], content_type: &str) -> NewBlob {
    NewBlob {
        content_type: content_type.to_owned(),
        size: None,
        resume_key: Some(key.to_vec()),
    }
}

/// Files in a folder of the only store.
fn count(fixture: &Fixture, folder: &str) -> usize {
    let image = fixture.simulated.image();
    let inside = image.tree.iter().filter(|(path, _)| path.ends_with(folder));
    inside.map(|(_, entries)| entries.len()).sum()
}

#[test]
fn an_upload_that_is_dropped_leaves_nothing() {
    let fixture = Fixture::new();
    let (_vault, store) = store_of(&fixture);
    let mut upload = store.begin(NewBlob::default()).expect("begin");
    upload.write(&content(30 * CHUNK)).expect("written");
    assert_eq!(count(&fixture, "uploads"), 1);
    drop(upload);
    assert_eq!(count(&fixture, "uploads"), 0);
}

#[test]
fn another_type_or_key_begins_anew() {
    let (_vault, store) = store_of(&Fixture::new());
    let mut upload = store.begin(with_key(b"a", "image/png")).expect("begin");
    upload.write(&content(3 * CHUNK)).expect("written");
    drop(upload);
    for (key, content_type) in [
        (&b"a"[..], "image/gif"),
        (b"b", "image/png"),
        (b"ai", "mage/png"),
    ] {
        let upload = store.begin(with_key(key, content_type)).expect("begin");
        assert_eq!(upload.kept().0, 0);
    }
    let mut upload = store.begin(with_key(b"a", "image/png")).expect("begin");
    assert_eq!(upload.kept().0, 3 * CHUNK as u64);
    upload.restart().expect("restarted");
    assert_eq!(upload.kept().0, 0);
    upload.write(b"other content").expect("written");
    let stored = upload.finish(None).expect("stored");
    assert_eq!(
        read(&store, &stored.info.reference, None).expect("whole"),
        b"other content"
    );
}

#[test]
fn the_later_upload_of_a_key_takes_over() {
    let (_vault, store) = store_of(&Fixture::new());
    let mut first = store.begin(with_key(b"a", "")).expect("begin");
    let content = content(20 * CHUNK);
    first.write(&content[..15 * CHUNK]).expect("written");
    let mut second = store.begin(with_key(b"a", "")).expect("begin");
    assert_eq!(second.kept().0, 15 * CHUNK as u64);
    let refused = first.write(b"more");
    assert!(
        matches!(refused, Err(StoreError::InvalidArgument(_))),
        "{refused:?}"
    );
    assert!(first.finish(None).is_err());
    second.write(&content[15 * CHUNK..]).expect("written");
    let stored = second.finish(None).expect("stored");
    assert_eq!(stored.info.size, content.len() as u64);
}

#[test]
fn content_that_was_not_announced_is_refused() {
    let fixture = Fixture::new();
    let vault = fixture.create().expect("a new vault");
    let mut new = NewStore::new(name(STORE), Kind::Blobs);
    new.size_class = SizeClass::Auth;
    vault.create_store(new).expect("a new store");
    let store = vault.blobs(&name(STORE)).expect("open");
    let sized = |size| NewBlob {
        size: Some(size),
        ..NewBlob::default()
    };
    let too_large = |error| matches!(error, Some(StoreError::TooLarge { .. }));
    assert!(too_large(store.begin(sized(65_537)).err()));
    let mut upload = store.begin(NewBlob::default()).expect("begin");
    assert!(too_large(upload.write(&content(65_537)).err()));
    assert!(upload.write(b"x").is_err());
    let mut upload = store.begin(sized(5)).expect("begin");
    upload.write(b"four").expect("written");
    assert!(matches!(
        upload.finish(None),
        Err(StoreError::InvalidArgument(_))
    ));
    let mut upload = store.begin(sized(4)).expect("begin");
    upload.write(b"four").expect("written");
    let expected = BlobRef::new(vault_crypto::ContentHash::of(b"five"));
    assert!(matches!(
        upload.finish(Some(&expected)),
        Err(StoreError::InvalidArgument(_))
    ));
    assert!(store.put(&"x".repeat(256), b"").is_err());
    assert!(store.put("text/plain\n", b"").is_err());
    assert_eq!(store.stats().expect("open").objects, 0);
    assert_eq!(count(&fixture, "uploads"), 0);
}

#[test]
fn closing_ends_uploads_and_readers() {
    let fixture = Fixture::new();
    let (vault, store) = store_of(&fixture);
    let stored = store.put("", &content(40 * CHUNK)).expect("put");
    let mut reader = store.open_blob(&stored.info.reference).expect("open");
    let mut piece = Vec::new();
    reader.next(&mut piece).expect("read");
    let mut upload = store.begin(with_key(b"a", "")).expect("begin");
    upload.write(&content(9 * CHUNK)).expect("written");
    let snapshot = store.snapshot().expect("open");
    vault.close();
    assert!(matches!(reader.next(&mut piece), Err(StoreError::Closed)));
    assert!(matches!(upload.write(b"x"), Err(StoreError::Closed)));
    assert!(matches!(upload.finish(None), Err(StoreError::Closed)));
    assert!(matches!(snapshot.entry(0), Err(StoreError::Closed)));
    assert!(matches!(store.put("", b"x"), Err(StoreError::Closed)));
    assert!(matches!(store.stats(), Err(StoreError::Closed)));
    drop(snapshot);
    let vault = fixture.open().expect("open again");
    let store = vault.blobs(&name(STORE)).expect("open");
    let upload = store.begin(with_key(b"a", "")).expect("begin");
    assert_eq!(upload.kept().0, 9 * CHUNK as u64, "what was sealed is kept");
}

#[test]
fn a_snapshot_reads_what_is_removed_meanwhile() {
    let fixture = Fixture::new();
    let (vault, store) = store_of(&fixture);
    let contents = [content(3), content(2 * CHUNK)];
    let refs = contents.each_ref().map(|content| {
        let stored = store.put("text/plain", content).expect("put");
        stored.info.reference
    });
    let snapshot = store.snapshot().expect("open");
    store.remove(&refs[1]).expect("removed");
    assert!(matches!(
        store.stat(&refs[1]),
        Err(StoreError::NoSuchBlob(_))
    ));
    store.put("", b"later").expect("put");
    reencrypt(&vault, &fixture.keyring);
    let mut seen = Vec::new();
    for index in 0..2 {
        let object = snapshot.read(index).expect("there");
        assert_eq!(object.revision.0, index as u64 + 1);
        assert!(contents.contains(&object.body));
        seen.push(object.id);
    }
    assert!(
        refs.iter()
            .all(|reference| seen.contains(&reference.to_string()))
    );
    assert!(snapshot.entry(2).expect("open").is_none());
    assert_eq!(snapshot.amount().bytes, 3 + 2 * CHUNK as u64);
    assert_eq!(count(&fixture, "removed"), 1);
    drop(snapshot);
    assert_eq!(count(&fixture, "removed"), 0);
}

#[test]
fn a_snapshot_is_taken_while_removed_blobs_are_sealed_anew() {
    let fixture = Fixture::new();
    let removed = |call: &str, path: &std::path::Path| call == "list" && path.ends_with("removed");
    let (gate, keeper) = Gate::new(fixture.simulated.clone(), removed);
    let fixture = Fixture {
        fs: Arc::new(gate),
        ..fixture
    };
    let (vault, store) = store_of(&fixture);
    let held = store.snapshot().expect("open");
    // Dropped before the snapshot, which would wait for the rotation.
    let keeper = keeper;
    keeper.arm();
    let rotating = thread::spawn(move || reencrypt(&vault, &fixture.keyring));
    keeper.reached.recv_timeout(PATIENCE).expect("it stops");
    let (taken, is_taken) = mpsc::channel();
    thread::spawn(move || taken.send(store.snapshot().map(|snapshot| snapshot.amount())));
    let taken = is_taken.recv_timeout(PATIENCE).expect("it does not wait");
    assert_eq!(taken.expect("open").objects, 0);
    drop(keeper);
    rotating.join().expect("done");
    drop(held);
}

/// An upload that was begun before a rotation is stored under the key that is in force at its end.
#[test]
fn an_upload_outlives_the_key_it_was_begun_with() {
    let fixture = Fixture::new();
    let (vault, store) = store_of(&fixture);
    let content = content(19 * CHUNK + 7);
    let mut upload = store.begin(NewBlob::default()).expect("begin");
    upload.write(&content[..10 * CHUNK]).expect("written");
    reencrypt(&vault, &fixture.keyring);
    upload.write(&content[10 * CHUNK..]).expect("written");
    let stored = upload.finish(None).expect("stored");
    assert!(store.older_keys_in_use().expect("known").is_empty());
    let vault = fixture.open().expect("open again");
    let store = vault.blobs(&name(STORE)).expect("open");
    assert_eq!(
        read(&store, &stored.info.reference, None).expect("whole"),
        content
    );
}

/// A rotation that stops goes on where it was.
#[test]
fn a_rotation_stops_and_goes_on() {
    let fixture = Fixture::new();
    let (vault, store) = store_of(&fixture);
    let contents: Vec<_> = (0..40).map(content).collect();
    for content in &contents {
        store.put("", content).expect("put");
    }
    let next = NextKey::Random { drop_salt: false };
    vault
        .begin_rotation(&fixture.keyring, Depth::Reencrypt, next)
        .expect("begun");
    let mut reports = 0;
    vault
        .advance_rotation(&fixture.keyring, &mut |_| {
            reports += 1;
            if reports > 3 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .expect("stopped");
    let rest = store.outdated().expect("known").objects;
    assert!(0 < rest && rest < 40, "{rest}");
    advance(&vault, &fixture.keyring).expect("done");
    assert_eq!(store.outdated().expect("known").objects, 0);
    for content in contents {
        let reference = BlobRef::new(vault_crypto::ContentHash::of(&content));
        assert_eq!(read(&store, &reference, None).expect("whole"), content);
    }
}

#[test]
fn plain_blobs_are_refused() {
    let vault = Fixture::new().create().expect("a new vault");
    let mut new = NewStore::new(name(STORE), Kind::Blobs);
    new.protection = Protection::Plain;
    let refused = vault.create_store(new);
    assert!(matches!(refused, Err(StoreError::InvalidArgument(_))));
}

struct MovedClock(AtomicI64);

impl Clock for MovedClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn what_was_broken_off_long_ago_is_swept() {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let fixture = Fixture::new();
    let (vault, _) = store_of(&fixture);
    vault.close();
    let clock = Arc::new(MovedClock(AtomicI64::new(1_700_000_000_000)));
    let open = || {
        let options = VaultOptions {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ..fixture.options()
        };
        let vault = Vault::open(fixture.root(), &fixture.keyring, options).expect("open");
        let store = vault.blobs(&name(STORE)).expect("open");
        (vault, store)
    };
    let (vault, store) = open();
    let mut old = store.begin(with_key(b"old", "")).expect("begin");
    old.write(&content(2 * CHUNK)).expect("written");
    let held = store.begin(with_key(b"held", "")).expect("begin");
    drop(old);
    clock.0.fetch_add(6 * DAY, Ordering::Relaxed);
    drop(store.begin(with_key(b"new", "")).expect("begin"));
    assert_eq!(count(&fixture, "uploads"), 3, "{ROOT}");
    clock.0.fetch_add(2 * DAY, Ordering::Relaxed);
    drop(store.begin(with_key(b"newer", "")).expect("begin"));
    assert_eq!(
        count(&fixture, "uploads"),
        3,
        "the old one is gone, the one at work is not"
    );
    drop(held);
    vault.close();
    let _open = open();
    assert_eq!(count(&fixture, "uploads"), 2, "swept at the start, too");
}
