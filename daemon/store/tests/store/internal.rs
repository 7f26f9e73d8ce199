//! The store of vaultd's own: out of clients' sight, and a part of the vault all the same.

use vault_store::{StoreName, Vault, catalogue::Protection, kind::Store as _};

use crate::{
    archive_world::{FORMS, exported, restored},
    database_world::{execute, text},
    support::{disk::OnDisk, rotating::reencrypt},
};

/// Writes one row into the store.
fn fill(vault: &Vault, who: &str) {
    let database = vault.auth_database().expect("the database");
    execute(&database, "CREATE TABLE who(name TEXT)");
    execute(&database, &format!("INSERT INTO who VALUES ('{who}')"));
}

fn who(vault: &Vault) -> String {
    text(
        &vault.auth_database().expect("the database"),
        "SELECT name FROM who",
    )
}

/// A vault with a store of a client's and one of vaultd's own.
fn filled() -> OnDisk {
    let disk = OnDisk::new();
    disk.store("notes", Protection::Protected);
    assert!(!disk.vault.has_auth_database());
    fill(&disk.vault, "alice");
    disk
}

#[test]
fn clients_do_not_see_it() {
    let disk = filled();
    let names = |stores: Vec<vault_store::catalogue::StoreRecord>| -> Vec<_> {
        stores
            .into_iter()
            .map(|record| record.name.to_string())
            .collect()
    };
    assert_eq!(names(disk.vault.stores()), ["notes"]);
    assert_eq!(names(disk.vault.all_stores()), [".auth", "notes"]);
    assert!(StoreName::parse(".auth").is_err());
}

#[test]
fn it_is_made_once_and_stays() {
    let mut disk = filled();
    let id = disk
        .vault
        .auth_database()
        .expect("the database")
        .record()
        .id;
    disk.reopen();
    assert!(disk.vault.has_auth_database());
    assert_eq!(who(&disk.vault), "alice");
    assert_eq!(
        disk.vault.auth_database().expect("the same").record().id,
        id
    );
}

#[test]
fn a_rotation_seals_it_anew() {
    let mut disk = filled();
    let id = disk
        .vault
        .auth_database()
        .expect("the database")
        .record()
        .id;
    let folder = disk.root().join("stores").join(id.to_string());
    let head = || std::fs::read(folder.join("head")).expect("a head");
    let before = head();
    reencrypt(&disk.vault, &disk.keyring);
    assert_ne!(head(), before);
    let database = disk.vault.auth_database().expect("the database");
    assert!(database.older_keys_in_use().expect("known").is_empty());
    drop(database);
    disk.reopen();
    assert_eq!(who(&disk.vault), "alice");
}

#[test]
fn no_archive_holds_it_and_no_restore_touches_it() {
    let disk = filled();
    for form in FORMS {
        let (archive, summary) = exported(&disk.vault, form);
        let names: Vec<_> = summary.stores.iter().map(|store| &store.name).collect();
        assert_eq!(names, [&StoreName::parse("notes").expect("a name")]);

        let new = OnDisk::new();
        restored(&new.vault, &archive[..], summary.manifest, false).expect("restored");
        assert!(!new.vault.has_auth_database());
        // A vault with nothing but its own counts as new.
        let own = OnDisk::new();
        fill(&own.vault, "bob");
        restored(&own.vault, &archive[..], summary.manifest, false).expect("restored");
        assert_eq!(who(&own.vault), "bob");
        assert_eq!(own.vault.stores().len(), 1);
    }
}
