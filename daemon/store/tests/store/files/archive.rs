//! Files as they leave a vault and come back.

use std::{fs, io::Read as _, ops::ControlFlow};

use vault_store::{
    StoreError,
    archive::{ArchiveError, Contents, Form, export},
    kind::Store as _,
};

use super::{create, everything, file, read, write};
use crate::{
    archive_world::{TAR, exported, restored, verified},
    support::{
        disk::OnDisk,
        fixture::{Fixture, name},
    },
};

#[test]
fn files_leave_a_vault_under_their_own_names_and_come_back() {
    let disk = OnDisk::new();
    let store = create(&disk.vault, "chat/cards");
    let large: Vec<u8> = (0..3 << 20).map(|n: u32| n.to_le_bytes()[1]).collect();
    let long = format!("{}/{}", "x".repeat(120), "é".repeat(60));
    for (name, content) in [
        ("a.png", &b"png"[..]),
        ("日本/é.txt", b"text"),
        ("models/large", &large),
        ("empty", b""),
        (&long, b"long"),
    ] {
        write(&store, name, content);
    }
    let (archive, summary) = exported(&disk.vault, TAR);
    assert_eq!(verified(&archive).expect("whole"), summary);
    let folder = tempfile::tempdir().expect("a folder");
    let unpacked = tar::Archive::new(&archive[..]).unpack(folder.path());
    unpacked.expect("any program can");
    let there = folder.path().join("stores/chat/cards~files");
    assert_eq!(fs::read(there.join("日本/é.txt")).expect("there"), b"text");
    assert_eq!(fs::read(there.join(&long)).expect("there"), b"long");

    let target = Fixture::new().create().expect("a new vault");
    let first = restored(&target, &archive[..], summary.manifest, false).expect("restored");
    assert_eq!(first.unchanged, 0);
    let back = target.files(&name("chat/cards")).expect("open");
    assert_eq!(
        everything(&back).expect("open"),
        everything(&store).expect("open")
    );
    write(&back, "a.png", b"gnp");
    write(&back, "other", b"stays");
    let again = restored(&target, &archive[..], summary.manifest, true).expect("restored");
    assert_eq!(again.unchanged, 4, "but for the one that differs");
    assert_eq!(read(&back, "a.png").expect("there"), b"png");
    assert_eq!(read(&back, "other").expect("there"), b"stays");
}

#[test]
fn a_restore_that_does_not_fit_the_folders_is_refused_before_it_begins() {
    let disk = OnDisk::new();
    create(&disk.vault, "a");
    write(&create(&disk.vault, "models/x"), "a", b"1");
    let (archive, summary) = exported(&disk.vault, TAR);
    let target = Fixture::new().create().expect("a new vault");
    create(&target, "models");
    let refused = restored(&target, &archive[..], summary.manifest, true);
    assert!(
        matches!(refused, Err(ArchiveError::Conflict { .. })),
        "{refused:?}"
    );
    assert_eq!(target.stores().len(), 1, "nothing of it was begun");
}

#[test]
fn a_snapshot_shows_what_was_there_whatever_is_written() {
    let disk = OnDisk::new();
    let store = create(&disk.vault, "cards");
    for name in ["a", "b", "c/d"] {
        write(&store, name, name.as_bytes());
    }
    let (snapshot, second) = (
        store.snapshot().expect("open"),
        store.snapshot().expect("open"),
    );
    write(&store, "a", b"new");
    write(&store, "a", b"newer");
    store.remove(&file("c/d")).expect("there");
    write(&store, "e", b"added");
    assert_eq!(snapshot.amount().objects, 3);
    for snapshot in [snapshot, second] {
        let all = (0..3).map(|index| {
            let object = snapshot.read(index).expect("as it was");
            assert_eq!(object.revision.0, index as u64 + 1);
            assert_eq!(object.id.as_bytes(), &object.body[..]);
            object.id
        });
        assert_eq!(all.collect::<Vec<_>>(), ["a", "b", "c/d"]);
        assert!(snapshot.entry(3).expect("open").is_none());
    }
    assert_eq!(read(&store, "a").expect("there"), b"newer");
}

#[test]
fn what_people_change_during_an_export_is_told() {
    let disk = OnDisk::new();
    let store = create(&disk.vault, "cards");
    for name in ["a", "b", "c", "d"] {
        write(&store, name, b"0123456789");
    }
    let snapshot = store.snapshot().expect("open");
    let folder = disk.root().join("plain/cards");
    for index in 0..4 {
        snapshot.entry(index).expect("hashed");
    }
    fs::write(folder.join("a"), b"9876543210").expect("written");
    fs::write(folder.join("b"), b"short").expect("written");
    fs::write(folder.join("c"), b"0123456789 and more").expect("written");
    fs::remove_file(folder.join("d")).expect("removed");
    for index in 0..4 {
        let read = snapshot.body(index).and_then(|mut body| {
            let mut all = Vec::new();
            let read = body.read_to_end(&mut all);
            read.map_err(|error| error.downcast().expect("a store's error"))
        });
        assert!(
            matches!(read, Err(StoreError::ChangedMeanwhile { .. })),
            "{index}: {read:?}"
        );
    }
    // Amid an export, that is how it ends.
    let mut report = |now: vault_store::archive::Progress<'_>| {
        if now.objects_done == 0 {
            fs::write(folder.join("c"), b"another one").expect("written");
        }
        ControlFlow::Continue(())
    };
    write(&store, "d", b"there again");
    let exported = export(
        &disk.vault,
        Vec::new(),
        &Form::Tar,
        &Contents::default(),
        &mut report,
    );
    assert!(
        matches!(
            exported,
            Err(ArchiveError::Store(StoreError::ChangedMeanwhile { .. }))
        ),
        "{exported:?}"
    );
}
