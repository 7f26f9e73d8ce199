//! Files: names, overwriting, what people do in the folder, and what fails.

mod archive;
mod crashes;
mod failures;
mod outside;
mod sealed;

use std::{collections::BTreeMap, fs, ops::ControlFlow, sync::Arc, time::UNIX_EPOCH};

use vault_store::{
    SizeClass, StoreError, StoreResult, Vault,
    catalogue::{Kind, Protection},
    files::{FileName, FileStore, Listed},
    kind::Store as _,
    vault::NewStore,
};

use crate::support::{
    disk::{OnDisk, files},
    fixture::name,
};

pub(crate) fn file(text: &str) -> FileName {
    FileName::parse(text).expect("a good name")
}

pub(crate) fn create(vault: &Vault, store: &str) -> Arc<FileStore> {
    let new = NewStore::new(name(store), Kind::Files);
    vault.create_store(new).expect("a new store");
    vault.files(&name(store)).expect("open")
}

pub(crate) fn write(store: &FileStore, text: &str, content: &[u8]) {
    store.put(file(text), content, false).expect("put");
}

pub(crate) fn read(store: &FileStore, text: &str) -> StoreResult<Vec<u8>> {
    let mut reader = store.open_file(&file(text))?;
    let (mut content, mut piece) = (Vec::new(), Vec::new());
    loop {
        reader.next(&mut piece)?;
        if piece.is_empty() {
            return Ok(content);
        }
        content.extend_from_slice(&piece);
    }
}

/// Files with their content, and what was skipped with the reason.
pub(crate) type Everything = (BTreeMap<String, Vec<u8>>, BTreeMap<String, String>);

/// Every file with its content, and what is skipped with the reason.
pub(crate) fn everything(store: &FileStore) -> StoreResult<Everything> {
    let (mut names, mut skipped) = (Vec::new(), BTreeMap::new());
    store.list("", &mut |listed| {
        match listed {
            Listed::File(info) => names.push(info.name.to_string()),
            Listed::Skipped { name, detail } => _ = skipped.insert(name, detail),
        }
        ControlFlow::Continue(())
    })?;
    assert!(names.is_sorted(), "{names:?}");
    let contents = names.into_iter().map(|name| {
        let content = read(store, &name)?;
        Ok((name, content))
    });
    Ok((contents.collect::<StoreResult<_>>()?, skipped))
}

fn names(store: &FileStore, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut each = |listed| {
        if let Listed::File(info) = listed {
            names.push(info.name.to_string());
        }
        ControlFlow::Continue(())
    };
    store.list(prefix, &mut each).expect("open");
    names
}

#[test]
fn a_file_lies_where_its_name_says_and_comes_back() {
    let mut disk = OnDisk::new();
    let store = create(&disk.vault, "chat/models");
    let content: Vec<u8> = (0..700_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    write(&store, "llama/weights.safetensors", &content);
    write(&store, "card.png", b"png");
    write(&store, "empty", b"");
    let path = disk
        .root()
        .join("plain/chat/models/llama/weights.safetensors");
    assert_eq!(fs::read(&path).expect("there"), content);
    let info = store.stat(&file("card.png")).expect("there");
    assert_eq!((info.size, info.sealed), (3, false));
    assert!(info.modified_ms > 1_700_000_000_000, "the disk's own time");
    disk.reopen();
    let store = disk.vault.files(&name("chat/models")).expect("open");
    assert_eq!(
        read(&store, "llama/weights.safetensors").expect("there"),
        content
    );
    assert_eq!(
        names(&store, ""),
        ["card.png", "empty", "llama/weights.safetensors"]
    );
    assert_eq!(names(&store, "ll"), ["llama/weights.safetensors"]);
    assert_eq!(names(&store, "llama/w"), ["llama/weights.safetensors"]);
    assert!(names(&store, "llama/x").is_empty() && names(&store, "lla/").is_empty());
    let stats = store.stats().expect("open");
    assert_eq!((stats.objects, stats.body_bytes), (3, 700_003));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &std::path::Path| {
            fs::metadata(path).expect("there").permissions().mode() & 0o777
        };
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().expect("a folder")), 0o700);
    }
}

#[test]
fn ranges_are_read_alone() {
    let disk = OnDisk::new();
    let store = create(&disk.vault, "models");
    write(&store, "a", b"0123456789");
    let range = |offset, length| {
        let mut reader = store.open_file(&file("a")).expect("there");
        reader.range(offset, length)?;
        let mut piece = Vec::new();
        reader.next(&mut piece)?;
        Ok::<_, StoreError>(String::from_utf8(piece).expect("digits"))
    };
    for (offset, length, expected) in [
        (0, None, "0123456789"),
        (3, Some(2), "34"),
        (8, Some(100), "89"),
        (8, Some(u64::MAX), "89"),
        (10, None, ""),
        (4, Some(0), ""),
    ] {
        assert_eq!(range(offset, length).expect("a range"), expected);
    }
    let beyond = range(11, None);
    assert!(
        matches!(beyond, Err(StoreError::InvalidArgument(_))),
        "{beyond:?}"
    );
}

#[test]
fn names_that_some_system_takes_for_the_same_are_not_both_there() {
    let disk = OnDisk::new();
    let store = create(&disk.vault, "cards");
    write(&store, "Straße/Photo.PNG", b"1");
    for (other, there) in [
        ("Straße/photo.png", "Straße/Photo.PNG"),
        ("STRASSE/b", "Straße"),
        ("straße/Photo.PNG", "Straße"),
        ("Straße/Photo.PNG/x", "Straße/Photo.PNG"),
        ("Straße", "Straße"),
    ] {
        for create in [false, true] {
            match store.put(file(other), b"2", create) {
                Err(StoreError::NameTaken { by, .. }) => assert_eq!(by, there, "{other}"),
                wrong => panic!("{other}: {wrong:?}"),
            }
        }
    }
    // Known from before, and after others have changed the folder.
    write(&store, "Straße/b", b"3");
    let folder = disk.root().join("plain/cards/Straße");
    let modified = || {
        let metadata = fs::metadata(&folder).expect("there");
        let since = metadata
            .modified()
            .expect("a time")
            .duration_since(UNIX_EPOCH);
        since.expect("after 1970").as_millis()
    };
    // The system's clock for files ticks every few milliseconds: a change within the same tick as the
    // one before is not seen.
    let before = modified();
    while modified() == before {
        let _ = fs::remove_file(folder.join("C"));
        fs::write(folder.join("C"), b"4").expect("written");
    }
    assert!(store.put(file("Straße/c"), b"5", false).is_err());
    assert!(store.put(file("Straße/B"), b"5", false).is_err());
    write(&store, "Straße/Photo.PNG", b"6");
    assert_eq!(
        names(&store, ""),
        ["Straße/C", "Straße/Photo.PNG", "Straße/b"]
    );
    store.remove(&file("Straße/b")).expect("there");
    write(&store, "Straße/B", b"7");
}

#[test]
fn a_reader_keeps_what_it_has_opened() {
    let disk = OnDisk::new();
    let store = create(&disk.vault, "models");
    let old = vec![1; 600_000];
    write(&store, "a", &old);
    write(&store, "b", &old);
    let begin = |name: &str| {
        let mut reader = store.open_file(&file(name)).expect("there");
        let mut piece = Vec::new();
        reader.next(&mut piece).expect("read");
        (reader, piece)
    };
    let readers = [begin("a"), begin("b")];
    write(&store, "a", b"new");
    store.remove(&file("b")).expect("there");
    for (mut reader, mut content) in readers {
        let mut piece = vec![0];
        while !piece.is_empty() {
            reader.next(&mut piece).expect("the old content");
            content.extend_from_slice(&piece);
        }
        assert_eq!(content, old);
    }
    assert_eq!(read(&store, "a").expect("there"), b"new");
    let gone = store.remove(&file("b"));
    assert!(
        matches!(gone, Err(StoreError::NoSuchFile { .. })),
        "{gone:?}"
    );
}

#[test]
fn folders_go_with_their_last_file() {
    let disk = OnDisk::new();
    let store = create(&disk.vault, "models");
    write(&store, "a/b/c", b"1");
    write(&store, "a/d", b"2");
    let folder = disk.root().join("plain/models/a");
    store.remove(&file("a/b/c")).expect("there");
    assert!(folder.exists() && !folder.join("b").exists());
    store.remove(&file("a/d")).expect("there");
    assert!(!folder.exists() && disk.root().join("plain/models").exists());
    write(&store, "a", b"a file now");
}

#[test]
fn an_upload_that_does_not_come_to_its_end_leaves_nothing() {
    let disk = OnDisk::new();
    let store = create(&disk.vault, "models");
    let before = files(disk.root());
    let begin = |size| store.begin(file("deep/a"), true, size).expect("begun");
    let mut dropped = begin(None);
    dropped.write(&vec![1; 100_000]).expect("written");
    assert_ne!(files(disk.root()), before);
    drop(dropped);
    let mut short = begin(Some(10));
    short.write(b"123").expect("written");
    assert!(short.finish().is_err(), "less than announced");
    let mut long = begin(Some(2));
    assert!(long.write(b"123").is_err(), "more than announced");
    drop(long);
    let mut late = begin(None);
    late.write(b"late").expect("written");
    write(&store, "deep/a", b"first");
    let refused = late.finish();
    assert!(
        matches!(refused, Err(StoreError::ObjectExists(_))),
        "{refused:?}"
    );
    store.remove(&file("deep/a")).expect("there");
    assert_eq!(files(disk.root()), before);
    let sealed = store.put(file("a"), b"\x89VLT and more", false);
    assert!(
        matches!(sealed, Err(StoreError::InvalidArgument(_))),
        "{sealed:?}"
    );
    assert_eq!(files(disk.root()), before);
}

#[test]
fn a_store_takes_what_its_class_allows() {
    let disk = OnDisk::new();
    let new = NewStore {
        size_class: SizeClass::Auth,
        ..NewStore::new(name("small"), Kind::Files)
    };
    disk.vault.create_store(new).expect("a new store");
    let store = disk.vault.files(&name("small")).expect("open");
    let limit = 64 << 10;
    write(&store, "a", &vec![0; limit]);
    let announced = store
        .begin(file("b"), false, Some(limit as u64 + 1))
        .map(|_| ());
    let mut upload = store.begin(file("b"), false, None).expect("begun");
    upload.write(&vec![0; limit]).expect("as much as fits");
    for refused in [announced, upload.write(b"1")] {
        assert!(
            matches!(refused, Err(StoreError::TooLarge { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn files_are_plain_and_have_their_folder_for_themselves() {
    let mut disk = OnDisk::new();
    let new = |store: &str, kind, protection| NewStore {
        protection,
        ..NewStore::new(name(store), kind)
    };
    let sealed = new("models", Kind::Files, Protection::Protected);
    let refused = disk.vault.create_store(sealed).expect_err("never");
    assert!(refused.to_string().contains("blobs"), "{refused}");
    let store = create(&disk.vault, "models");
    write(&store, "x/a", b"1");
    for (inner, kind, protection) in [
        ("models/x", Kind::Files, Protection::Plain),
        ("Models", Kind::Files, Protection::Plain),
        ("models/x", Kind::Documents, Protection::Plain),
    ] {
        let refused = disk.vault.create_store(new(inner, kind, protection));
        assert!(
            matches!(refused, Err(StoreError::InvalidArgument(_))),
            "{refused:?}"
        );
    }
    let beside = new("models/x", Kind::Documents, Protection::Protected);
    disk.vault.create_store(beside).expect("it lies elsewhere");
    assert_eq!(names(&store, ""), ["x/a"]);
    disk.vault.remove_store(&name("models")).expect("there");
    assert!(!disk.root().join("plain/models").exists());
    assert!(store.stat(&file("x/a")).is_err(), "closed");
    disk.reopen();
    assert!(create(&disk.vault, "models").stat(&file("x/a")).is_err());
}
