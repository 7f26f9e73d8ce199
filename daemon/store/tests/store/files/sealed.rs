//! Sealed objects among the files.

use std::fs;

use vault_crypto::{Address, DataKey, KeyId, KeyPurpose, KeyTable, StorageKey, envelope};
use vault_store::{StoreError, files::FileStore, kind::Store as _};

use super::{create, everything, file, read, write};
use crate::support::{disk::OnDisk, fixture::name, rotating::reencrypt};

/// The key of a store, as whoever sealed files for it has had it.
fn key_of(disk: &OnDisk, store: &FileStore) -> (KeyId, DataKey) {
    let (_, storage_key) = disk.keyring.storage_key();
    let storage_key = StorageKey::from_bytes(&storage_key).expect("32 bytes");
    let table = fs::read(disk.root().join("keys.a")).expect("there");
    let table = KeyTable::unwrap(&storage_key, &table).expect("its own");
    let purpose = KeyPurpose::store(&store.record().id.to_string());
    let (id, key) = table.find(&purpose).expect("a key");
    (id, key.duplicate())
}

fn seal(disk: &OnDisk, store: &FileStore, object: &str, body: &[u8]) -> Vec<u8> {
    let (id, key) = key_of(disk, store);
    let address = Address {
        vault: disk.vault.id(),
        store: store.record().id.as_bytes(),
        object: object.as_bytes(),
        revision: 7,
    };
    envelope::seal(&key, id, &address, b"{}", body).expect("sealed")
}

#[test]
fn a_sealed_file_is_opened_and_no_other_one_is_served() {
    let disk = OnDisk::new();
    let store = create(&disk.vault, "cards");
    let folder = disk.root().join("plain/cards");
    let body: Vec<u8> = (0..400_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let sealed = seal(&disk, &store, "a.png", &body);
    fs::write(folder.join("a.png"), &sealed).expect("written");
    let info = store.stat(&file("a.png")).expect("there");
    assert_eq!((info.size, info.sealed), (400_000, true));
    assert_eq!(read(&store, "a.png").expect("opened"), body);
    let mut reader = store.open_file(&file("a.png")).expect("opened");
    reader.range(299_999, Some(3)).expect("a range");
    let mut piece = Vec::new();
    reader.next(&mut piece).expect("read");
    assert_eq!(piece, body[299_999..300_002]);

    // Under another name, changed, cut short, or no envelope at all.
    let mut changed = sealed.clone();
    *changed.last_mut().expect("bytes") ^= 1;
    for (name, content) in [
        ("moved.png", &sealed[..]),
        ("changed.png", &changed),
        ("short.png", &sealed[..sealed.len() - 1]),
        ("magic.png", b"\x89VLT"),
    ] {
        fs::write(folder.join(name), content).expect("written");
        let refused = read(&store, name);
        assert!(
            matches!(refused, Err(StoreError::Damaged { .. })),
            "{name}: {refused:?}"
        );
    }
    // The form alone tells of two of them.
    assert_eq!(store.stats().expect("open").damaged, 2);
    assert!(
        store.snapshot().is_err(),
        "without them it would pass for the whole"
    );
    for name in ["moved.png", "changed.png", "short.png", "magic.png"] {
        write(&store, name, b"replaced");
    }
    write(&store, "a.png", b"plain");
    assert!(!store.stat(&file("a.png")).expect("there").sealed);
    assert_eq!(everything(&store).expect("open").0.len(), 5);
}

#[test]
fn a_rotation_seals_them_anew() {
    let mut disk = OnDisk::new();
    let store = create(&disk.vault, "cards");
    let path = disk.root().join("plain/cards/a");
    let sealed = seal(&disk, &store, "a", b"body");
    fs::write(&path, &sealed).expect("written");
    write(&store, "plain", b"1");
    assert_eq!(store.outdated().expect("open").objects, 0);
    reencrypt(&disk.vault, &disk.keyring);
    assert_ne!(fs::read(&path).expect("there"), sealed);
    assert_eq!(read(&store, "a").expect("opened"), b"body");
    assert!(store.older_keys_in_use().expect("open").is_empty());
    disk.reopen();
    let store = disk.vault.files(&name("cards")).expect("open");
    assert_eq!(read(&store, "a").expect("opened"), b"body");
    fs::write(&path, &sealed).expect("an older copy");
    assert!(read(&store, "a").is_err(), "its key is gone");
}
