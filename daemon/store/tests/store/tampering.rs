//! Files that are not where, what or how they were left.

use std::{fs, path::Path};

use vault_store::{
    StoreError,
    catalogue::Protection,
    documents::{DocumentStore, Listed, Precondition},
    kind::Store as _,
};

use crate::support::{
    disk::{OnDisk, files},
    fixture::{body, content, id, put, write_put},
};

fn is_damaged<T>(result: Result<T, StoreError>, names: &str) {
    match result.err() {
        Some(StoreError::Damaged { object, .. }) => {
            assert!(object.contains(names), "`{object}` does not name {names}");
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) fn is_refused<T>(result: Result<T, StoreError>, names: &str) {
    match result.err() {
        Some(StoreError::PlaintextRefused { object, .. }) => {
            assert!(object.contains(names), "{object}");
        }
        other => panic!("{other:?}"),
    }
}

/// Ids listed, and how many objects are listed as damaged.
fn listed(store: &DocumentStore) -> (Vec<String>, usize) {
    let mut ids = Vec::new();
    let mut damaged = 0;
    for one in store.list("").expect("list") {
        match one {
            Listed::Head(head) => ids.push(head.id().as_str().to_owned()),
            Listed::Damaged(..) => damaged += 1,
        }
    }
    (ids, damaged)
}

fn swap(left: &Path, right: &Path) {
    let (left_bytes, right_bytes) = (
        fs::read(left).expect("read"),
        fs::read(right).expect("read"),
    );
    fs::write(left, right_bytes).expect("write");
    fs::write(right, left_bytes).expect("write");
}

#[test]
fn files_swapped_between_names_are_damaged() {
    let mut disk = OnDisk::new();
    let store = disk.store("notes", Protection::Protected);
    let a = disk.object_of(&store, || put(&store, "a", "x"));
    let b = disk.object_of(&store, || put(&store, "b", "x"));
    put(&store, "c", "x");
    swap(&a, &b);
    for running in [true, false] {
        if !running {
            disk.reopen();
        }
        let store = disk.documents("notes");
        is_damaged(store.get(&id("a")), "`a`");
        is_damaged(store.get(&id("b")), "`b`");
        assert_eq!(
            listed(&store),
            (vec!["c".to_owned()], 2),
            "running: {running}"
        );
        assert_eq!(store.stats().expect("open").damaged, 2);
    }
}

#[test]
fn files_of_another_store_or_vault_are_damaged() {
    let (mut disk, other) = (OnDisk::new(), OnDisk::new());
    let [mine, second] = ["mine", "second"].map(|text| disk.store(text, Protection::Protected));
    let theirs = other.store("mine", Protection::Protected);
    let target = disk.object_of(&mine, || put(&mine, "a", "x"));
    let sources = [
        disk.object_of(&second, || put(&second, "a", "x")),
        other.object_of(&theirs, || put(&theirs, "a", "x")),
    ];
    for source in sources {
        fs::copy(source, &target).expect("copy");
        disk.reopen();
        let store = disk.documents("mine");
        is_damaged(store.get(&id("a")), "`a`");
        assert_eq!(listed(&store), (Vec::new(), 1));
    }
    // A whole store of the other vault under this one's identifier.
    let (from, to) = (other.folder(&theirs), disk.folder(&mine));
    fs::remove_dir_all(&to).expect("remove");
    fs::rename(from, to).expect("rename");
    disk.reopen();
    assert_eq!(listed(&disk.documents("mine")), (Vec::new(), 1));
}

#[test]
fn an_older_file_put_back_under_a_running_store_is_damaged() {
    let disk = OnDisk::new();
    let store = disk.store("notes", Protection::Protected);
    let path = disk.object_of(&store, || put(&store, "a", "old"));
    let old = fs::read(&path).expect("read");
    put(&store, "a", "new");
    fs::write(&path, old).expect("write");
    is_damaged(store.get(&id("a")), "`a`");
    fs::remove_file(&path).expect("remove");
    put(&store, "b", "x");
    let path = disk.object_of(&store, || put(&store, "c", "x"));
    fs::remove_file(path).expect("remove");
    is_damaged(store.get(&id("c")), "`c`");
}

#[test]
fn every_kind_of_damage_is_named_kept_and_cleared_on_request() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 6] = [
        ("flipped body", |path| flip(path, |len| len - 1)),
        ("flipped head", |path| flip(path, |_| 100)),
        ("flipped revision", |path| flip(path, |_| 20)),
        ("cut short", |path| truncate(path, 50)),
        ("emptied", |path| truncate(path, 0)),
        ("grown", |path| {
            let mut bytes = fs::read(path).expect("read");
            bytes.push(0);
            fs::write(path, bytes).expect("write");
        }),
    ];
    for (what, damage) in damages {
        let mut disk = OnDisk::new();
        let store = disk.store("notes", Protection::Protected);
        put(&store, "other", "x");
        let path = disk.object_of(&store, || put(&store, "a", "x"));
        let last = store.snapshot().expect("open").revision();
        damage(&path);
        let left = fs::read(&path).expect("read");
        disk.reopen();
        let store = disk.documents("notes");
        let error = store.get(&id("a")).err();
        let named = matches!(&error, Some(StoreError::Damaged { object, .. } | StoreError::PlaintextRefused { object, .. })
            if object.contains("`a`"));
        assert!(named, "{what}: {error:?}");
        let refused = store.put(id("a"), content("over it"), Precondition::None);
        assert!(refused.is_err(), "{what}: not overwritten unasked");
        assert!(
            store
                .delete(&id("a"), Precondition::Revision(last))
                .is_err(),
            "{what}"
        );
        assert_eq!(fs::read(&path).expect("read"), left, "{what}");
        assert_eq!(**store.get(&id("other")).expect("whole").body, body("x"));

        let tombstone = store
            .delete(&id("a"), Precondition::None)
            .expect("moved aside");
        assert!(tombstone > last, "{what}");
        let aside = files(&disk.folder(&store).join("damaged"));
        assert_eq!(aside.len(), 1, "{what}");
        assert_eq!(
            fs::read(&aside[0]).expect("read"),
            left,
            "{what}: nothing of it is lost"
        );
        let gone = store.get(&id("a")).err();
        assert!(
            matches!(gone, Some(StoreError::NoSuchDocument { .. })),
            "{what}: {gone:?}"
        );
        let head = store
            .put(id("a"), content("again"), Precondition::Absent)
            .expect("put");
        assert!(head.revision() > tombstone, "{what}");
        disk.reopen();
        let store = disk.documents("notes");
        assert_eq!(
            **store.get(&id("a")).expect("whole").body,
            body("again"),
            "{what}"
        );
        assert_eq!(listed(&store).1, 0, "{what}");
    }
}

fn flip(path: &Path, at: impl Fn(usize) -> usize) {
    let mut bytes = fs::read(path).expect("read");
    let at = at(bytes.len());
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("write");
}

fn truncate(path: &Path, len: u64) {
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|file| file.set_len(len))
        .expect("cut");
}

/// Damage found while a record is still in a journal.
#[test]
fn a_damaged_journal_record_is_named_and_kept() {
    let mut disk = OnDisk::new();
    let store = disk.store("notes", Protection::Protected);
    put(&store, "a", "old");
    let writes = ["a", "b"].map(|document| write_put(document, "new"));
    store.write(writes.into()).expect("batch");
    let journal = files(&disk.folder(&store).join("journal")).remove(0);
    // In the head of the first record: magic, name and length come before it.
    flip(&journal, |_| 8 + 40 + 100);
    disk.reopen();
    let store = disk.documents("notes");
    is_damaged(store.get(&id("a")), "`a`");
    assert_eq!(**store.get(&id("b")).expect("whole").body, body("new"));
    store.checkpoint().expect("checkpoint");
    assert!(journal.exists(), "it holds what is left of the object");
    store
        .delete(&id("a"), Precondition::None)
        .expect("moved aside");
    assert!(!files(&disk.folder(&store).join("damaged")).is_empty());
    store.checkpoint().expect("checkpoint");
    disk.reopen();
    let store = disk.documents("notes");
    assert_eq!(listed(&store), (vec!["b".to_owned()], 0));
}

/// An older journal under the name of a newer one would bring back what was replaced.
#[test]
fn an_older_journal_put_in_the_place_of_a_newer_one_is_damage() {
    let mut disk = OnDisk::new();
    let store = disk.store("notes", Protection::Protected);
    let batch = |text| {
        store
            .write(vec![write_put("a", text), write_put("b", text)])
            .expect("batch");
    };
    batch("old");
    let journals = disk.folder(&store).join("journal");
    let old = files(&journals).remove(0);
    batch("new");
    let mut both = files(&journals);
    both.retain(|path| *path != old);
    fs::rename(&old, &both[0]).expect("rename");
    disk.reopen();
    is_damaged(disk.documents("notes").get(&id("a")), "`a`");
    assert_eq!(listed(&disk.documents("notes")), (Vec::new(), 2));
}

#[test]
fn planted_plaintext_is_refused() {
    let mut disk = OnDisk::new();
    let store = disk.store("notes", Protection::Protected);
    let path = disk.object_of(&store, || put(&store, "a", "x"));
    fs::write(&path, body("planted")).expect("write");
    is_refused(store.get(&id("a")), "`a`");
    disk.reopen();
    is_refused(disk.documents("notes").get(&id("a")), "`a`");
}

#[cfg(unix)]
#[test]
fn a_planted_link_or_folder_is_refused() {
    let mut disk = OnDisk::new();
    let store = disk.store("notes", Protection::Protected);
    let a = disk.object_of(&store, || put(&store, "a", "x"));
    let b = disk.object_of(&store, || put(&store, "b", "x"));
    let elsewhere = disk.root().join("elsewhere");
    fs::rename(&a, &elsewhere).expect("rename");
    std::os::unix::fs::symlink(&elsewhere, &a).expect("link");
    fs::remove_file(&b).expect("remove");
    fs::create_dir(&b).expect("folder");
    for running in [true, false] {
        if !running {
            disk.reopen();
        }
        let store = disk.documents("notes");
        is_damaged(store.get(&id("a")), "`a`");
        is_damaged(store.get(&id("b")), "`b`");
        assert!(
            store
                .put(id("a"), content("y"), Precondition::None)
                .is_err()
        );
    }
    let store = disk.documents("notes");
    store
        .delete(&id("a"), Precondition::None)
        .expect("moved aside");
    assert!(elsewhere.exists(), "what the link led to is left alone");
    put(&store, "a", "again");
    assert!(fs::symlink_metadata(&a).expect("there").is_file());
}

#[test]
fn a_lost_folder_is_not_an_empty_store() {
    for folder in ["objects", "journal"] {
        let mut disk = OnDisk::new();
        let store = disk.store("notes", Protection::Protected);
        put(&store, "a", "x");
        fs::remove_dir_all(disk.folder(&store).join(folder)).expect("remove");
        disk.reopen();
        let opened = disk
            .vault
            .documents(&crate::support::fixture::name("notes"));
        is_damaged(opened.map(|_| ()), folder);
    }
}
