//! What people do in the folder of a store.

use std::fs;

use vault_store::StoreError;

use super::{create, everything, file, read, write};
use crate::support::disk::OnDisk;

#[test]
fn what_people_add_and_change_is_served() {
    let disk = OnDisk::new();
    let store = create(&disk.vault, "cards");
    write(&store, "a", b"ours");
    let folder = disk.root().join("plain/cards");
    fs::create_dir(folder.join("new")).expect("made");
    fs::write(folder.join("new/b.txt"), b"theirs").expect("written");
    fs::write(folder.join("a"), b"edited").expect("written");
    let (contents, skipped) = everything(&store).expect("open");
    assert_eq!(contents["a"], b"edited");
    assert_eq!(contents["new/b.txt"], b"theirs");
    assert!(skipped.is_empty());
    fs::remove_dir_all(&folder).expect("removed");
    assert!(everything(&store).expect("open").0.is_empty());
    write(&store, "c/d", b"again");
    assert_eq!(read(&store, "c/d").expect("there"), b"again");
}

#[test]
fn what_no_client_may_name_is_said_to_be_passed_over() {
    let disk = OnDisk::new();
    let store = create(&disk.vault, "cards");
    write(&store, "Good", b"1");
    let folder = disk.root().join("plain/cards");
    for name in [".hidden", "CON.txt", "e\u{301}", "good", "trailing."] {
        fs::write(folder.join(name), b"x").expect("written");
    }
    fs::create_dir(folder.join("bad:")).expect("made");
    fs::write(folder.join("bad:/inside"), b"x").expect("written");
    let (contents, skipped) = everything(&store).expect("open");
    assert_eq!(contents.into_keys().collect::<Vec<_>>(), ["Good"]);
    for (name, why) in [
        (".hidden", "begins with `.`"),
        ("CON.txt", "device"),
        ("e\u{301}", "NFC"),
        ("good", "`Good`"),
        ("trailing.", "drops"),
        ("bad:", "`:`"),
    ] {
        assert!(skipped[name].contains(why), "{name}: {}", skipped[name]);
    }
    assert_eq!(skipped.len(), 6);
}

#[cfg(unix)]
#[test]
fn no_link_is_followed_wherever_it_stands() {
    use std::os::unix::fs::symlink;

    let disk = OnDisk::new();
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("secret"), b"secret").expect("written");
    let store = create(&disk.vault, "cards");
    write(&store, "real/a", b"1");
    let folder = disk.root().join("plain/cards");
    symlink(outside.path().join("secret"), folder.join("last")).expect("a link");
    symlink(outside.path(), folder.join("middle")).expect("a link");
    for name in ["last", "middle/secret"] {
        let refused = read(&store, name);
        assert!(
            matches!(refused, Err(StoreError::Damaged { .. })),
            "{refused:?}"
        );
        assert!(store.stat(&file(name)).is_err());
        assert!(store.remove(&file(name)).is_err());
    }
    let refused = store.put(file("middle/new"), b"2", false);
    assert!(
        matches!(refused, Err(StoreError::NameTaken { .. })),
        "{refused:?}"
    );
    let (contents, skipped) = everything(&store).expect("open");
    assert_eq!(contents.len(), 1);
    assert!(skipped["last"].contains("never followed"));
    assert!(skipped["middle"].contains("never followed"));
    // A write replaces a link, and not what it leads to.
    write(&store, "last", b"3");
    assert_eq!(
        fs::read(outside.path().join("secret")).expect("there"),
        b"secret"
    );
    assert!(
        fs::symlink_metadata(folder.join("last"))
            .expect("there")
            .is_file()
    );

    // The store's own folder, or one that leads to it.
    let moved = outside.path().join("moved");
    fs::rename(&folder, &moved).expect("moved");
    symlink(&moved, &folder).expect("a link");
    assert!(read(&store, "real/a").is_err());
    assert!(store.put(file("b"), b"4", false).is_err());
    assert!(everything(&store).is_err());
    disk.vault
        .remove_store(&crate::support::fixture::name("cards"))
        .expect("there");
    assert!(
        moved.join("real/a").exists(),
        "it is not the store's any more"
    );
}
