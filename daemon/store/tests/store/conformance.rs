//! What rotation, export and upkeep rely on, whatever the kind of store.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};
use vault_store::{
    Revision, StoreError,
    catalogue::Protection,
    documents::{AdoptedFile, Content, DocumentStore, Precondition},
    kind::{Exported, Snapshot, Store, StoreStats},
};

use crate::support::{
    disk::{OnDisk, files},
    fixture::{MARKER, body, content, id, put, write_put},
    rotating::reencrypt,
};

fn export(store: &DocumentStore, document: &str) -> (Value, Vec<u8>) {
    let snapshot = store.snapshot().expect("open");
    let ids = ids(&*snapshot);
    let index = ids.iter().position(|id| id == document).expect("there");
    let exported = snapshot.read(index).expect("export");
    assert_eq!(exported.id, document);
    (
        serde_json::from_slice(&exported.metadata).expect("JSON"),
        exported.body.to_vec(),
    )
}

fn ids(snapshot: &dyn Snapshot) -> Vec<String> {
    let entries = (0..).map_while(|index| snapshot.entry(index).expect("open"));
    entries.map(|entry| entry.id).collect()
}

fn exported(document: &str, metadata: &Value, body: &[u8]) -> Exported {
    Exported {
        id: document.to_owned(),
        revision: Revision::ZERO,
        metadata: serde_json::to_vec(metadata).expect("JSON"),
        body: body.to_vec().into(),
    }
}

#[test]
fn objects_leave_one_vault_and_enter_another_unchanged() {
    for protection in [Protection::Protected, Protection::Plain] {
        let (from, mut to) = (OnDisk::new(), OnDisk::new());
        let [source, target] = [&from, &to].map(|disk| disk.store("notes", protection));
        put(&source, "a", "x");
        let (mut metadata, bytes) = export(&source, "a");
        // What a later version may have added, and what another clock said.
        metadata["later"] = json!({"nested": [1, 2]});
        metadata["refs"] = json!(["00ff"]);
        metadata["created"] = json!(5);
        metadata["modified"] = json!(6);
        target
            .import_one(exported("a", &metadata, &bytes))
            .expect("import");
        assert_eq!(
            export(&target, "a"),
            (metadata.clone(), bytes),
            "{protection:?}"
        );
        assert_eq!(target.references().expect("open"), ["00ff"]);
        target.verify_one("a").expect("whole");
        to.reopen();
        let target = to.documents("notes");
        // An ordinary write keeps what it does not know, and when the document was made.
        put(&target, "a", "y");
        let (after, bytes) = export(&target, "a");
        assert_eq!(
            (&after["later"], &after["created"]),
            (&metadata["later"], &json!(5))
        );
        assert_ne!(after["modified"], json!(6));
        assert_eq!(bytes, body("y"));
        let bad = target.import_one(exported("a", &json!({"id": 1}), b"{}"));
        assert!(
            matches!(bad, Err(StoreError::InvalidArgument(_))),
            "{bad:?}"
        );
    }
}

#[test]
fn an_object_is_sealed_anew_and_nobody_notices() {
    let mut disk = OnDisk::new();
    let store = disk.store("notes", Protection::Protected);
    let path = disk.object_of(&store, || put(&store, "a", "x"));
    store
        .write(vec![write_put("b", "x"), write_put("c", "x")])
        .expect("in a journal");
    let before = export(&store, "a");
    let revision = store.head(&id("a")).expect("there").revision();
    let sealed = fs::read(&path).expect("read");
    let plain = disk.store("plain", Protection::Plain);
    put(&plain, "a", "x");
    let plain_file = disk.root().join("plain/plain/a.json");
    let untouched = fs::metadata(&plain_file).expect("there");
    let objects = disk.objects(&store).len();
    reencrypt(&disk.vault, &disk.keyring);
    assert!(
        disk.objects(&store).len() > objects,
        "b and c have left their journal"
    );
    let left = fs::metadata(&plain_file).expect("there");
    assert_eq!(
        left.modified().expect("known"),
        untouched.modified().expect("known"),
        "left alone"
    );
    assert_ne!(
        fs::read(&path).expect("read"),
        sealed,
        "under a fresh nonce"
    );
    store.checkpoint().expect("checkpoint");
    disk.reopen();
    let store = disk.documents("notes");
    assert_eq!(export(&store, "a"), before);
    assert_eq!(store.head(&id("a")).expect("there").revision(), revision);
    assert_eq!(**store.get(&id("b")).expect("there").body, body("x"));
    for document in ["a", "b", "c"] {
        store.verify_one(document).expect("whole");
    }
}

#[test]
fn figures_and_listings_agree_with_what_was_written() {
    let disk = OnDisk::new();
    for (name, protection) in [
        ("sealed", Protection::Protected),
        ("plain", Protection::Plain),
    ] {
        let store = disk.store(name, protection);
        for document in ["b", "a", "c"] {
            put(&store, document, "x");
        }
        let snapshot = store.snapshot().expect("open");
        put(&store, "d", "x");
        store.delete(&id("c"), Precondition::None).expect("delete");
        assert_eq!(
            ids(&*snapshot),
            ["b", "a", "c"],
            "d is newer, c was there, and the order is that of writing"
        );
        assert_eq!(snapshot.revision(), Revision(3));
        let now = store.snapshot().expect("open");
        assert_eq!(ids(&*now), ["b", "a", "d"], "c is gone");
        let expected = StoreStats {
            objects: 3,
            body_bytes: 3 * body("x").len() as u64,
            revision: Revision(5),
            awaiting_migration: 0,
            damaged: 0,
        };
        assert_eq!(store.stats().expect("open"), expected);
        for document in ["a", "b", "d"] {
            store.verify_one(document).expect("whole");
        }
        assert!(store.references().expect("open").is_empty());
        assert!(store.verify_one("c").is_err());
    }
}

#[test]
fn nothing_is_written_while_a_store_is_quiet() {
    let disk = OnDisk::new();
    let store = disk.store("notes", Protection::Protected);
    put(&store, "a", "x");
    std::thread::scope(|scope| {
        let quiet = store.quiesce();
        let writer = scope.spawn(|| put(&store, "a", "y"));
        for _ in 0..200 {
            assert_eq!(**store.get(&id("a")).expect("readable").body, body("x"));
            std::thread::yield_now();
        }
        assert!(!writer.is_finished());
        drop(quiet);
        writer.join().expect("it goes on");
    });
    assert_eq!(**store.get(&id("a")).expect("readable").body, body("y"));
}

/// Runs of 16 bytes of anything a client gave are in no file.
#[test]
fn no_plaintext_lies_in_a_protected_vault() {
    let mut disk = OnDisk::new();
    let store_name = "private-conversations/with-nobody-else";
    let store = disk.store(store_name, Protection::Protected);
    let secret_id = "an-id-that-tells-too-much";
    let labels: BTreeMap<_, _> = [(
        "label-that-tells-too-much".to_owned(),
        "value-that-tells-too-much".to_owned(),
    )]
    .into();
    let content = || Content {
        content_type: "application/x-tells-too-much".to_owned(),
        labels: labels.clone(),
        body: body("first"),
    };
    store
        .put(id(secret_id), content(), Precondition::None)
        .expect("put");
    let batch = ["one-more-id-that-tells", "and-another-id-that-tells"];
    store
        .write(batch.map(|document| write_put(document, "batch")).into())
        .expect("batch");
    store
        .delete(&id(secret_id), Precondition::None)
        .expect("delete");
    let adopted = disk.store(
        "adopted-conversations/of-an-earlier-application",
        Protection::Protected,
    );
    let mut adoption = adopted.adopt().expect("an empty store");
    let path = "sub/adopted-id-that-tells.json".to_owned();
    adoption
        .add(&AdoptedFile {
            path,
            body: body("adopted"),
        })
        .expect("add");
    adoption.finish().expect("finish");
    adopted.migrate(|_| ()).expect("migrate");
    let secrets = [
        MARKER,
        store_name,
        secret_id,
        "label-that-tells-too-much",
        "value-that-tells-too-much",
        "application/x-tells-too-much",
        "one-more-id-that-tells",
        "adopted-conversations/of-an-earlier-application",
        "adopted-id-that-tells",
    ];
    // With the batch in a journal, and with each document in a file of its own.
    for _ in 0..2 {
        for file in files(disk.root()) {
            let bytes = fs::read(&file).expect("readable");
            let path = file.to_string_lossy().into_owned().into_bytes();
            for run in secrets
                .iter()
                .flat_map(|secret| secret.as_bytes().windows(16))
            {
                let found = |bytes: &[u8]| bytes.windows(16).any(|found| found == run);
                let text = String::from_utf8_lossy(run);
                assert!(
                    !found(&bytes) && !found(&path),
                    "{}: {text}",
                    file.display()
                );
            }
        }
        disk.documents(store_name).checkpoint().expect("checkpoint");
        disk.reopen();
    }
}

#[cfg(unix)]
#[test]
fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let disk = OnDisk::new();
    for (name, protection) in [
        ("sealed", Protection::Protected),
        ("plain", Protection::Plain),
    ] {
        let store = disk.store(name, protection);
        store
            .put(id("a"), content("x"), Precondition::None)
            .expect("put");
        store
            .write(vec![write_put("b", "x"), write_put("c", "x")])
            .expect("batch");
    }
    let mode =
        |path: &std::path::Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    let found = files(disk.root());
    assert!(found.len() > 8);
    for file in found {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        for folder in file
            .ancestors()
            .skip(1)
            .take_while(|folder| *folder != disk.root())
        {
            assert_eq!(mode(folder), 0o700, "{}", folder.display());
        }
    }
}
