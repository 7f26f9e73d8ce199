//! Archives hold everything under its full name, and show each store as of one moment.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    ops::ControlFlow,
    sync::atomic::{AtomicBool, Ordering},
};

use proptest::prelude::*;
use serde_json::Value;
use vault_crypto::ContentHash;
use vault_store::{
    archive::{ArchiveError, Contents, Form, Progress, export, verify},
    catalogue::Protection,
    documents::{Content, Precondition},
};

use crate::{
    archive_world::{FORMS, TAR, exported, restored, rich, seen, verified},
    support::{
        disk::{OnDisk, files},
        fixture::{Fixture, id, name, new_store, put, store_of, write_put},
    },
};

/// Every file of a tar archive as an ordinary reader sees it.
fn contents(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut tar = tar::Archive::new(archive);
    let mut found = Vec::new();
    for entry in tar.entries().expect("a tar file") {
        let mut entry = entry.expect("an entry");
        assert_eq!(entry.header().mode().expect("a mode"), 0o600);
        assert_eq!(entry.header().mtime().expect("a time"), 1_700_000_000);
        let path = String::from_utf8(entry.path_bytes().into_owned()).expect("ASCII");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("read");
        found.push((path, content));
    }
    found
}

#[test]
fn an_ordinary_tar_reader_finds_everything_under_its_full_name() {
    let vault = rich(&Fixture::new());
    let (archive, summary) = exported(&vault, TAR);
    let found = contents(&archive);
    let paths: BTreeSet<_> = found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths.len(), found.len(), "nothing is written over another");
    let manifest: Value = serde_json::from_slice(&found[0].1).expect("JSON");
    assert_eq!(found[0].0, "manifest.json");
    assert_eq!(summary.manifest, *ContentHash::of(&found[0].1).as_bytes());
    assert_eq!(manifest["format"], 1);
    assert_eq!(manifest["vault"], vault.id().to_string());
    for path in [
        "stores/chat/conversations.json",
        "stores/chat/conversations/a%2Fb.json",
        "stores/chat/conversations/%2E..json",
        "stores/chat/conversations/%2Ehidden.json",
        "stores/chat/conversations/a%7E.json",
        "stores/media/pictures/a~",
        "stores/media/pictures/a.json~",
        "stores/media/pictures/empty~",
        "stores/plain/notes/a%2Fb.json",
        "stores/adopted/sub%2Fx.json",
    ] {
        assert!(paths.contains(path), "{path} is not among {paths:?}");
    }
    // In the manifest's order, with the sizes and hashes that it says.
    let listed = manifest["stores"].as_array().expect("stores").iter();
    let listed: Vec<_> = listed
        .flat_map(|store| store["list"].as_array().expect("a list"))
        .collect();
    assert_eq!(listed.len(), found.len() - 1);
    for (listed, (path, content)) in listed.iter().zip(&found[1..]) {
        assert_eq!(listed["path"], path.as_str());
        assert_eq!(listed["size"], content.len());
        assert_eq!(listed["sha256"], ContentHash::of(content).to_string());
        assert!(path.rsplit('/').next().expect("a name").len() <= 240);
    }
    assert!(!paths.iter().any(|path| path.contains("gone")));
}

#[test]
fn every_form_is_verified() {
    let fixture = Fixture::new();
    let vault = rich(&fixture);
    let world = seen(&vault);
    for form in FORMS {
        let (archive, summary) = exported(&vault, form);
        assert_eq!(verified(&archive).expect("whole"), summary);
        assert_eq!(summary.vault, vault.id());
        assert_eq!(summary.created_ms, 1_700_000_000_000);
        let names: Vec<_> = world.keys().map(String::as_str).collect();
        let stores = summary.stores.iter();
        assert_eq!(
            stores.map(|store| store.name.as_str()).collect::<Vec<_>>(),
            names
        );
        let objects: usize = world.values().map(|store| store.documents.len()).sum();
        assert_eq!(summary.objects, objects as u64);
    }
}

#[test]
fn an_empty_vault_has_an_archive_too() {
    let vault = Fixture::new().create().expect("a new vault");
    for form in FORMS {
        let (archive, summary) = exported(&vault, form);
        assert_eq!(verified(&archive).expect("whole"), summary);
        assert_eq!((summary.stores.len(), summary.objects), (0, 0));
    }
}

#[test]
fn exporting_changes_nothing() {
    let fixture = Fixture::new();
    let vault = rich(&fixture);
    seen(&vault);
    let before = fixture.simulated.image();
    for form in FORMS {
        exported(&vault, form);
    }
    assert!(fixture.simulated.image() == before);
}

#[test]
fn progress_adds_up_and_can_be_stopped() {
    let vault = rich(&Fixture::new());
    let (archive, summary) = exported(&vault, TAR);
    let mut reports = Vec::new();
    let mut note = |progress: Progress<'_>| {
        reports.push((progress.objects_done, progress.bytes_done));
        assert_eq!(progress.objects_total, summary.objects);
        assert_eq!(progress.bytes_total, summary.bytes);
        ControlFlow::Continue(())
    };
    export(
        &vault,
        io::sink(),
        &Form::Tar,
        &Contents::default(),
        &mut note,
    )
    .expect("exported");
    verify(&archive[..], None, &mut note).expect("whole");
    assert!(reports.contains(&(summary.objects, summary.bytes)));
    let half = reports.len() / 2;
    assert_eq!(reports[..half], reports[half..], "both count alike");
    assert!(reports[..half].is_sorted());
    let mut stop = |progress: Progress<'_>| match progress.objects_done {
        3.. => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    for stopped in [
        export(
            &vault,
            io::sink(),
            &Form::Tar,
            &Contents::default(),
            &mut stop,
        ),
        verify(&archive[..], None, &mut stop),
    ] {
        assert!(matches!(stopped, Err(ArchiveError::Stopped)));
    }
}

/// Many write while an archive is made: it shows whole batches of one moment, and writers were not
/// kept waiting for it.
#[test]
fn an_export_amid_writers_is_of_one_moment() {
    const DOCUMENTS: usize = 8;
    let disk = OnDisk::new();
    let stores = [
        ("plain", Protection::Plain),
        ("sealed", Protection::Protected),
    ]
    .map(|(text, protection)| disk.store(text, protection));
    let batch = |round: usize| -> Vec<_> {
        let write = |number: usize| write_put(&number.to_string(), &round.to_string());
        (0..DOCUMENTS).map(write).collect()
    };
    for store in &stores {
        store.write(batch(0)).expect("the first round");
    }
    let done = AtomicBool::new(false);
    let mut archives = Vec::new();
    std::thread::scope(|scope| {
        for store in stores.iter().flat_map(|store| [store, store]) {
            let (done, batch) = (&done, &batch);
            scope.spawn(move || {
                for round in (1..).take_while(|_| !done.load(Ordering::Acquire)) {
                    store.write(batch(round)).expect("written");
                }
            });
        }
        let before = stores
            .each_ref()
            .map(|store| *store.latest().expect("open").borrow());
        let mut moved = 0;
        while archives.len() < 8 {
            let mut out = Vec::new();
            // Somebody writes between any two objects.
            let mut wait = |_: Progress<'_>| {
                let latest = || {
                    stores
                        .each_ref()
                        .map(|store| *store.latest().expect("open").borrow())
                };
                let now = latest();
                while latest() == now {
                    std::thread::yield_now();
                }
                moved += 1;
                ControlFlow::Continue(())
            };
            let summary = export(
                &disk.vault,
                &mut out,
                &Form::Tar,
                &Contents::default(),
                &mut wait,
            );
            if summary.is_err() {
                done.store(true, Ordering::Release);
            }
            archives.push((out, summary.expect("exported")));
        }
        done.store(true, Ordering::Release);
        assert!(moved >= 8 * 2 * DOCUMENTS);
        let after = stores
            .each_ref()
            .map(|store| *store.latest().expect("open").borrow());
        assert!(
            before
                .iter()
                .zip(&after)
                .all(|(before, after)| before < after)
        );
    });
    for (archive, summary) in archives {
        let fixture = Fixture::new();
        let vault = fixture.create().expect("a new vault");
        restored(&vault, &archive[..], summary.manifest, false).expect("restored");
        for (store, world) in seen(&vault) {
            assert_eq!(world.documents.len(), DOCUMENTS);
            let bodies: BTreeSet<_> = world.documents.values().map(|seen| &seen.body).collect();
            assert_eq!(bodies.len(), 1, "{store} mixes rounds");
            let revisions: Vec<_> = world.documents.values().map(|seen| seen.revision).collect();
            assert!(revisions.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        }
    }
    for store in &stores {
        assert!(files(&disk.folder(store).join("snapshot")).is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is in a store, its archive is whole and gives it back.
    #[test]
    fn any_store_comes_back(
        documents in prop::collection::btree_map(
            "[a-c./%~é ]{1,6}|[é]{90,100}",
            (prop::collection::vec(any::<u8>(), 0..1500), any::<bool>(), "[a-zé]{0,4}"),
            0..12,
        ),
        form in 0_usize..3,
    ) {
        let fixture = Fixture::new();
        let (vault, store) = store_of(&fixture, Protection::Protected);
        for (document, (bytes, json, label)) in &documents {
            let content = Content {
                content_type: if *json { "application/json" } else { "x/y" }.to_owned(),
                labels: [("label".to_owned(), label.clone())].into(),
                body: if *json { b"[1]".to_vec() } else { bytes.clone() },
            };
            store.put(id(document), content, Precondition::None).expect("put");
        }
        let (archive, summary) = exported(&vault, form);
        prop_assert_eq!(&verified(&archive).expect("whole"), &summary);
        let target = Fixture::new().create().expect("a new vault");
        restored(&target, &archive[..], summary.manifest, false).expect("restored");
        prop_assert_eq!(seen(&target), seen(&vault));
    }
}

#[test]
fn stores_may_be_named_like_documents() {
    let vault = Fixture::new().create().expect("a new vault");
    for store in ["a", "a/b", "a/b/c"] {
        vault
            .create_store(new_store(store, Protection::Protected))
            .expect("a new store");
        let store = vault.documents(&name(store)).expect("open");
        for document in ["a", "b", "b/c", "c"] {
            put(&store, document, document);
        }
    }
    let (archive, _) = exported(&vault, TAR);
    let found = contents(&archive);
    let paths: BTreeSet<_> = found.iter().map(|(path, _)| path).collect();
    assert_eq!(paths.len(), found.len());
    for path in &paths {
        let folder = format!("{path}/");
        assert!(!paths.iter().any(|other| other.starts_with(&folder)));
    }
}
