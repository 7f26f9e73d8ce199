//! Collection: what nothing names goes after its time, and nothing else ever does.

mod crashes;
mod faults;
mod races;
mod removal;

use std::{ops::ControlFlow, time::Duration};

use vault_store::{
    StoreError,
    blobs::BlobRef,
    catalogue::{BlobColumn, Kind, Protection},
    collection::Collection,
    databases::{Call, Statement},
    documents::Precondition,
    kind::Store as _,
    vault::NewStore,
};

use crate::support::{
    blob_world::{BlobWorld, content, put, reference, with_data, with_refs},
    fixture::{id, name, new_store},
};

const GRACE: Duration = Duration::from_secs(3600);
const MOMENT: Duration = Duration::from_millis(1);
/// A moment less than the grace.
const ALMOST: Duration = Duration::from_millis(3600 * 1000 - 1);

/// Puts a blob that nothing names.
fn stray(world: &BlobWorld, content: &[u8]) -> BlobRef {
    let stored = world.blobs().put("text/plain", content);
    stored.expect("put").info.reference
}

#[test]
fn what_nothing_names_goes_after_the_grace() {
    let mut world = BlobWorld::new();
    let (stray, named) = (stray(&world, b"stray"), stray(&world, b"named"));
    world.put("a", &with_refs(&[named])).expect("put");
    world.pass(100 * GRACE);
    let first = world.collect(GRACE);
    assert_eq!(
        (first.examined, first.named, first.waiting, first.removed),
        (2, 1, 1, 0)
    );
    world.pass(ALMOST);
    assert_eq!(world.collect(GRACE).removed, 0);
    world.reopen();
    world.pass(MOMENT);
    let last = world.collect(GRACE);
    assert_eq!(
        (last.named, last.waiting, last.removed, last.removed_bytes),
        (1, 0, 1, 5)
    );
    assert!(!world.holds(&stray));
    assert!(world.holds(&named));
    world.pass(100 * GRACE);
    assert_eq!(world.collect(Duration::ZERO).removed, 0);
}

#[test]
fn the_last_document_to_name_a_blob_starts_its_time() {
    let world = BlobWorld::new();
    let picture = content(1, 20 << 10);
    for document in ["a", "b"] {
        world
            .put(document, &with_data("image/png", &picture))
            .expect("put");
    }
    let reference = reference(&picture);
    world
        .notes()
        .delete(&id("a"), Precondition::None)
        .expect("deleted");
    world.collect(GRACE);
    world.pass(GRACE);
    assert_eq!(world.collect(GRACE).removed, 0, "the other one names it");
    world.put("b", "{}").expect("put");
    world.collect(GRACE);
    // Named for a moment, between two looks: its time starts anew.
    world.pass(ALMOST);
    world.put("c", &with_refs(&[reference])).expect("put");
    world
        .notes()
        .delete(&id("c"), Precondition::None)
        .expect("deleted");
    world.pass(MOMENT);
    assert_eq!(world.collect(GRACE).removed, 0, "it was named since");
    world.pass(GRACE);
    assert_eq!(world.collect(GRACE).removed, 1);
    assert!(!world.holds(&reference));
}

#[test]
fn putting_a_blob_again_starts_its_time_anew_durably() {
    let mut world = BlobWorld::new();
    let blob = stray(&world, b"stray");
    world.collect(GRACE);
    world.pass(GRACE);
    let again = world.blobs().put("text/plain", b"stray").expect("put");
    assert!(again.existed);
    world.reopen();
    assert_eq!(world.collect(GRACE).removed, 0);
    world.pass(ALMOST);
    assert_eq!(world.collect(GRACE).removed, 0);
    world.pass(MOMENT);
    assert_eq!(world.collect(GRACE).removed, 1);
    assert!(!world.holds(&blob));
    // Made anew, it owes nothing to the one before.
    stray(&world, b"stray");
    assert_eq!(world.collect(GRACE).waiting, 1);
}

#[test]
fn a_clock_that_is_set_back_shortens_no_grace() {
    let world = BlobWorld::new();
    world.pass(100 * GRACE);
    stray(&world, b"stray");
    world.collect(GRACE);
    world.set_back(50 * GRACE);
    assert_eq!(world.collect(GRACE).removed, 0);
    world.pass(ALMOST);
    assert_eq!(world.collect(GRACE).removed, 0);
    world.pass(MOMENT);
    assert_eq!(world.collect(GRACE).removed, 1);
}

#[test]
fn a_damaged_record_of_times_starts_them_anew() {
    let mut world = BlobWorld::new();
    let blob = stray(&world, b"stray");
    world.collect(GRACE);
    let file = world
        .fixture
        .root()
        .store(world.blobs().record().id)
        .join("unnamed");
    let fs = &world.fixture.fs;
    fs.remove_file(&file).expect("it is there");
    let mut damaged = fs.create_new(&file).expect("created");
    std::io::Write::write_all(&mut damaged, b"no envelope").expect("written");
    world.reopen();
    world.pass(GRACE);
    assert_eq!(world.collect(GRACE).removed, 0);
    assert!(
        world
            .blobs()
            .put("text/plain", b"stray")
            .expect("put")
            .existed
    );
    world.collect(GRACE);
    world.pass(GRACE);
    assert_eq!(world.collect(GRACE).removed, 1);
    assert!(!world.holds(&blob));
}

/// The record of times is sealed under the store's current key, like everything else.
#[test]
fn times_survive_a_rotation_and_need_no_old_key() {
    let mut world = BlobWorld::new();
    let blob = stray(&world, b"stray");
    world.collect(GRACE);
    world.pass(GRACE);
    crate::support::rotating::reencrypt(&world.vault, &world.fixture.keyring);
    assert!(world.blobs().older_keys_in_use().expect("read").is_empty());
    world.reopen();
    assert_eq!(world.collect(GRACE).removed, 1);
    assert!(!world.holds(&blob));
}

#[test]
fn a_dry_run_tells_and_does_nothing() {
    let world = BlobWorld::new();
    let blob = stray(&world, b"stray");
    let dry = |grace| {
        let collection = Collection {
            store: Some(name("blobs")),
            dry_run: true,
            grace,
        };
        let mut told = Vec::new();
        let mut report = |_: &_, garbage: &[vault_store::blobs::BlobInfo]| {
            told.extend(garbage.iter().map(|info| info.reference));
            ControlFlow::Continue(())
        };
        let collected = world
            .vault
            .collect(&collection, &mut report)
            .expect("looked");
        (collected.waiting, collected.removed, told)
    };
    assert_eq!(dry(GRACE), (1, 0, vec![]));
    world.pass(100 * GRACE);
    assert_eq!(dry(GRACE), (1, 0, vec![]), "a dry run is no look");
    assert_eq!(dry(Duration::ZERO), (0, 1, vec![blob]));
    assert!(world.holds(&blob));
}

#[test]
fn a_store_that_cannot_be_read_keeps_everything() {
    let world = BlobWorld::new();
    let blob = stray(&world, b"stray");
    world.put("a", "{}").expect("put");
    world.notes();
    let objects = world
        .fixture
        .root()
        .store(world.notes().record().id)
        .join("objects");
    let fs = &world.fixture.fs;
    let (object, _) = fs.read_dir(&objects).expect("listed").remove(0);
    fs.remove_file(&objects.join(&object)).expect("removed");
    let mut file = fs.create_new(&objects.join(&object)).expect("created");
    std::io::Write::write_all(&mut file, b"no envelope").expect("written");
    let mut world = world;
    world.reopen();
    for grace in [Duration::ZERO, GRACE] {
        let error = world
            .try_to_collect(grace)
            .expect_err("refused")
            .to_string();
        assert!(error.contains("store `notes`"), "{error}");
    }
    let error = world
        .vault
        .remove_blob(&name("blobs"), &blob)
        .expect_err("refused");
    assert!(error.to_string().contains("store `notes`"), "{error}");
    assert!(world.holds(&blob));
}

#[test]
fn what_is_named_cannot_be_removed() {
    let world = BlobWorld::new();
    let blob = stray(&world, b"named");
    world.put("a/b", &with_refs(&[blob])).expect("put");
    let refused = world
        .vault
        .remove_blob(&name("blobs"), &blob)
        .expect_err("in use");
    let StoreError::InUse { reference, by } = refused else {
        panic!("{refused}");
    };
    assert_eq!(
        (reference, by.as_str()),
        (blob, "document `a/b` in store `notes`")
    );
    world
        .notes()
        .delete(&id("a/b"), Precondition::None)
        .expect("deleted");
    world
        .vault
        .remove_blob(&name("blobs"), &blob)
        .expect("removed");
    assert!(!world.holds(&blob));
    let again = world.vault.remove_blob(&name("blobs"), &blob);
    assert!(matches!(again, Err(StoreError::NoSuchBlob(_))));
}

#[test]
fn files_of_a_plain_store_name_blobs_however_they_came() {
    let world = BlobWorld::new();
    let [first, second] = [&b"first"[..], b"second"].map(|content| stray(&world, content));
    world
        .vault
        .create_store(new_store("shared", Protection::Plain))
        .expect("a store");
    let shared = world.vault.documents(&name("shared")).expect("open");
    put(&shared, "a", &with_refs(&[first])).expect("put");
    // Somebody edits the file, without changing its length.
    let (fs, folder) = (
        &world.fixture.fs,
        world.fixture.root().plain(&name("shared")),
    );
    fs.remove_file(&folder.join("a.json")).expect("removed");
    let mut file = fs.create_new(&folder.join("a.json")).expect("created");
    std::io::Write::write_all(&mut file, with_refs(&[second]).as_bytes()).expect("written");
    file.sync().expect("synced");
    assert_eq!(world.collect(Duration::ZERO).removed, 1);
    assert!(world.holds(&second) && !world.holds(&first));
}

#[test]
fn columns_of_databases_name_blobs() {
    let disk = crate::support::disk::OnDisk::new();
    let vault = &disk.vault;
    let new = NewStore::new(name("app"), Kind::Database);
    vault.create_store(new).expect("a database");
    let database = vault.database(&name("app")).expect("open");
    let blobs = vault.blobs_or_create(&name("blobs")).expect("open");
    let [named, other] = [&b"named"[..], b"other"].map(|content| {
        let stored = blobs.put("", content);
        stored.expect("put").info.reference
    });
    let call = Call::within(Duration::from_secs(20));
    let execute = |sql: &str| database.execute(&call, &Statement::new(sql)).map(drop);
    execute("CREATE TABLE t (blob_ref TEXT)").expect("made");
    execute(&format!(
        "INSERT INTO t VALUES ('{named}'), ('no ref'), (NULL), (7)"
    ))
    .expect("put");
    let column = BlobColumn {
        table: "t".to_owned(),
        column: "blob_ref".to_owned(),
    };
    let declare = |options: &mut vault_store::catalogue::DatabaseOptions| {
        options.blob_columns = vec![column];
    };
    vault
        .configure_database(&name("app"), declare)
        .expect("declared");
    let refused = vault
        .remove_blob(&name("blobs"), &named)
        .expect_err("in use");
    assert!(
        refused
            .to_string()
            .contains("column `t.blob_ref` of database `app`"),
        "{refused}"
    );
    let collect = || crate::support::blob_world::collect(vault, Duration::ZERO);
    assert_eq!(collect().expect("collected").removed, 1);
    assert!(blobs.contains(&named).expect("looked up"));
    assert!(!blobs.contains(&other).expect("looked up"));
    database.close();
    vault.remove_store(&name("app")).expect("dropped");
    assert_eq!(collect().expect("collected").removed, 1);
    assert!(!blobs.contains(&named).expect("looked up"));
}
