//! Attachments of documents: what becomes a blob, what stays, and what a document may name.

use vault_store::{
    StoreError,
    attachments::AttachmentKind,
    catalogue::{AttachmentOptions, Kind, Protection},
    documents::{AdoptedFile, Change, Content, Outcome, Precondition, Write},
    kind::Store as _,
    vault::NewStore,
};

use crate::support::{
    blob_world::{BlobWorld, body_of, content, put, read, reference, with_data, with_refs},
    fixture::{Fixture, id, name, new_store, write_put},
    simulated::Operation,
};

#[test]
fn what_is_large_enough_for_its_kind_becomes_a_blob() {
    let world = BlobWorld::new();
    for (seed, content_type, kind, threshold) in [
        (0, "image/png", AttachmentKind::Image, 16 << 10),
        (10, "application/pdf", AttachmentKind::Document, 16 << 10),
        (20, "video/mp4", AttachmentKind::Video, 64 << 10),
        (30, "audio/ogg", AttachmentKind::Audio, 256 << 10),
    ] {
        assert_eq!(
            AttachmentOptions::default().threshold(kind),
            threshold as u64
        );
        for (more, size) in [(0, threshold - 1), (1, threshold), (2, threshold + 1)] {
            let content = content(seed + more, size);
            let body = with_data(content_type, &content);
            let head = world.put("a", &body).expect("put");
            let reference = reference(&content);
            if more == 0 {
                assert_eq!(world.body("a"), body, "it stays as it is");
                assert!(head.blobs().is_empty());
                continue;
            }
            let wanted = format!(
                r#"{{"n":1.0,"attachments":[{{"content_type":"{content_type}","ref":"{reference}","size":{size}}}]}}"#
            );
            assert_eq!(world.body("a"), wanted);
            assert_eq!(head.blobs(), [reference.to_string()]);
            assert_eq!(read(&world.blobs(), &reference).expect("stored"), content);
            let info = world.blobs().stat(&reference).expect("stored");
            assert_eq!(info.content_type, content_type);
        }
    }
}

#[test]
fn nothing_is_created_for_documents_without_large_attachments() {
    let world = BlobWorld::new();
    world
        .put("a", &with_data("image/png", b"small"))
        .expect("put");
    world.put("b", r#"{"attachments":[]}"#).expect("put");
    assert_eq!(world.vault.stores().len(), 1);
}

#[test]
fn every_way_in_spills() {
    let world = BlobWorld::new();
    let store = world.notes();
    let [a, b, c] = [1, 2, 3].map(|seed| content(seed, 20 << 10));
    let write = |document: &str, content: &[u8], change: fn(Content) -> Change| Write {
        id: id(document),
        change: change(Content::json(with_data("image/png", content))),
        precondition: Precondition::None,
    };
    store
        .write(vec![write("a", &a, Change::Put), write_put("x", "none")])
        .expect("a batch");
    for unchanged in [false, true] {
        let imported = store.write_each(vec![write("b", &b, Change::PutIfChanged)]);
        let outcome = imported.expect("made").remove(0).expect("taken");
        assert_eq!(matches!(outcome, Outcome::Unchanged(_)), unchanged);
    }
    let patch = with_data("image/png", &c);
    store
        .patch(&id("a"), patch.as_bytes(), None)
        .expect("patched");
    for content in [&a, &b, &c] {
        assert_eq!(
            &read(&world.blobs(), &reference(content)).expect("stored"),
            content
        );
    }
    for document in ["a", "b"] {
        assert!(!world.body(document).contains("data"), "{document}");
    }
    // What a file of an earlier application holds stays in it until it is sealed.
    let created = world
        .vault
        .create_store(new_store("old", Protection::Protected));
    let old = world
        .vault
        .documents(&created.expect("a store").name)
        .expect("open");
    let mut adoption = old.adopt().expect("begun");
    let d = content(4, 20 << 10);
    for (path, body) in [
        ("d.json", with_data("image/png", &d)),
        ("e.json", with_refs(&[reference(b"no blob")])),
    ] {
        let file = AdoptedFile {
            path: path.to_owned(),
            body: body.into_bytes(),
        };
        adoption.add(&file).expect("added");
    }
    adoption.finish().expect("adopted");
    assert_eq!(
        old.references().expect("read"),
        [reference(b"no blob").to_string()]
    );
    let mut failed = Vec::new();
    old.migrate(|progress| failed.extend(progress.failed))
        .expect("migrated");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0].0, "e");
    assert!(body_of(&old, "d").contains(&reference(&d).to_string()));
}

#[test]
fn a_second_save_writes_no_byte_of_a_blob() {
    let world = BlobWorld::new();
    let contents = [1, 2].map(|seed| content(seed, 40 << 10));
    for (document, content) in ["a", "b"].iter().zip(&contents) {
        world
            .put(document, &with_data("image/png", content))
            .expect("put");
    }
    let folder = world.fixture.root().store(world.blobs().record().id);
    world.fixture.simulated.settle();
    let before = world.fixture.simulated.log().len();
    for document in ["a", "b"] {
        let body = world.body(document).replace("1.0", "2.0");
        world.put(document, &body).expect("put");
        world
            .put(document, &body.replace("\"size\":40960", "\"size\":7"))
            .expect("put");
        assert_eq!(world.body(document), body, "the size is put right");
    }
    let log = world.fixture.simulated.log();
    let touched: Vec<_> = log[before..]
        .iter()
        .filter(|operation| match operation {
            Operation::Create { path, .. }
            | Operation::Unlink { path }
            | Operation::SyncDirectory { path } => path.starts_with(&folder),
            Operation::Rename { to, .. } => to.starts_with(&folder),
            _ => false,
        })
        .collect();
    assert!(touched.is_empty(), "{touched:?}");
    assert!(log.len() > before, "the documents were written");
}

#[test]
fn a_document_names_no_blob_that_is_not_stored() {
    let world = BlobWorld::new();
    let missing = reference(b"nothing");
    let is_missing = |error: StoreError| match error {
        StoreError::BlobMissing(found) => assert_eq!(found, missing),
        other => panic!("{other}"),
    };
    let body = with_refs(&[missing]);
    is_missing(world.put("a", &body).expect_err("no store of blobs"));
    assert_eq!(world.vault.stores().len(), 1, "none is made for nothing");
    let there = world
        .blobs()
        .put("image/png", b"there")
        .expect("put")
        .info
        .reference;
    world.put("a", &with_refs(&[there])).expect("put");
    is_missing(
        world
            .put("a", &with_refs(&[there, missing]))
            .expect_err("one is missing"),
    );
    let sized = format!(r#"{{"attachments":[{{"ref":"{missing}","size":1}}]}}"#);
    is_missing(world.put("a", &sized).expect_err("missing"));
    let patched = world.notes().patch(&id("a"), body.as_bytes(), None);
    is_missing(patched.expect_err("missing"));
    let write = |document: &str, body: &str| Write {
        id: id(document),
        change: Change::Put(Content::json(body)),
        precondition: Precondition::None,
    };
    let batch = || vec![write("b", "{}"), write("c", &body), write("d", "{}")];
    is_missing(world.notes().write(batch()).expect_err("all or none"));
    assert!(world.notes().get(&id("b")).is_err());
    let mut each = world.notes().write_each(batch()).expect("each by itself");
    is_missing(each.remove(1).expect_err("missing"));
    assert!(each.into_iter().all(|made| made.is_ok()));
    assert_eq!(world.body("a"), with_refs(&[there]));
    // Elsewhere in a body a ref is noticed, and nothing is asked of it.
    let elsewhere = format!(r#"{{"cover":{{"ref":"{missing}"}}}}"#);
    let head = world.put("e", &elsewhere).expect("put");
    assert_eq!(head.blobs(), [missing.to_string()]);
    // In another store of blobs, too.
    let other = NewStore::new(name("other"), Kind::Blobs);
    world.vault.create_store(other).expect("a store");
    let other = world.vault.blobs(&name("other")).expect("open");
    other.put("", b"nothing").expect("put");
    world.put("f", &sized).expect("put");
    assert_eq!(world.body("f"), sized.replace("\"size\":1", "\"size\":7"));
}

#[test]
fn what_is_declared_counts_from_the_next_write_on() {
    let mut world = BlobWorld::new();
    let picture = content(1, 1000);
    let body = with_data("image/png", &picture);
    world.put("a", &body).expect("put");
    let options = AttachmentOptions {
        blobs: Some(name("pictures")),
        image: Some(1000),
        ..AttachmentOptions::default()
    };
    let configured = world
        .vault
        .configure_attachments(&name("notes"), options.clone());
    assert_eq!(configured.expect("configured").attachments, options);
    assert_eq!(world.body("a"), body, "it stays until it is written");
    for reopened in [false, true] {
        world.put("b", &body).expect("put");
        let pictures = world.vault.blobs(&name("pictures")).expect("made");
        assert!(
            pictures.contains(&reference(&picture)).expect("looked up"),
            "{reopened}"
        );
        world.reopen();
    }
    let small = AttachmentOptions {
        video: Some(127),
        ..options
    };
    for refused in [
        world
            .vault
            .configure_attachments(&name("notes"), small.clone())
            .err(),
        world
            .vault
            .configure_attachments(&name("pictures"), AttachmentOptions::default())
            .err(),
        world
            .vault
            .create_store(NewStore {
                attachments: small,
                ..NewStore::new(name("x"), Kind::Documents)
            })
            .err(),
        world
            .vault
            .create_store(NewStore {
                attachments: AttachmentOptions {
                    video: Some(1 << 20),
                    ..AttachmentOptions::default()
                },
                ..NewStore::new(name("x"), Kind::Blobs)
            })
            .err(),
    ] {
        assert!(
            matches!(refused, Some(StoreError::InvalidArgument(_))),
            "{refused:?}"
        );
    }
}

#[test]
fn other_content_and_plain_stores() {
    let world = BlobWorld::new();
    let picture = content(1, 20 << 10);
    let body = with_data("image/png", &picture);
    let text = Content {
        content_type: "text/plain".to_owned(),
        ..Content::json(body.clone())
    };
    world
        .notes()
        .put(id("a"), text, Precondition::None)
        .expect("put");
    assert_eq!(world.body("a"), body, "what is no JSON has no attachments");
    world
        .vault
        .create_store(new_store("shared", Protection::Plain))
        .expect("a store");
    let shared = world.vault.documents(&name("shared")).expect("open");
    let head = put(&shared, "a", &body).expect("put");
    assert_eq!(head.blobs(), [reference(&picture).to_string()]);
    assert!(world.holds(&reference(&picture)));
}

#[test]
fn the_size_class_applies_to_the_body_as_sent() {
    let world = BlobWorld::new();
    let large = content(1, 2 << 20);
    let refused = world
        .put("a", &with_data("image/png", &large))
        .expect_err("too large");
    assert!(matches!(refused, StoreError::TooLarge { .. }), "{refused}");
    assert_eq!(world.vault.stores().len(), 1, "nothing was stored");
}

#[test]
fn more_refs_than_metadata_holds_are_found_in_the_body() {
    let mut world = BlobWorld::new();
    let blobs: Vec<_> = (0..300_u32)
        .map(|number| {
            let stored = world.blobs().put("", &number.to_le_bytes());
            stored.expect("put").info.reference
        })
        .collect();
    let few = world.put("few", &with_refs(&blobs[..256])).expect("put");
    assert_eq!(few.blobs().len(), 256);
    let many = world.put("many", &with_refs(&blobs)).expect("put");
    assert!(many.blobs().is_empty());
    // Labels that take all of the room leave the refs to the body.
    let labels = [("label".to_owned(), "x".repeat(60 << 10))].into();
    let labelled = Content {
        labels,
        ..Content::json(with_refs(&blobs[..200]))
    };
    let labelled = world
        .notes()
        .put(id("labelled"), labelled, Precondition::None);
    assert!(labelled.expect("put").blobs().is_empty());
    world.reopen();
    world
        .notes()
        .delete(&id("few"), Precondition::None)
        .expect("deleted");
    assert_eq!(world.notes().references().expect("read").len(), 300);
    world
        .notes()
        .delete(&id("many"), Precondition::None)
        .expect("deleted");
    assert_eq!(world.notes().references().expect("read").len(), 200);
}

#[test]
fn a_spill_that_fails_fails_the_put() {
    use crate::support::faulty::{Fault, FaultyFileSystem, Struck};
    let picture = content(1, 20 << 10);
    let mut refusals = 0;
    for call in 0.. {
        let simulated = Fixture::new().simulated;
        let fixture = Fixture::over(simulated.clone());
        let faulty = FaultyFileSystem::new(fixture.fs.clone(), Some(simulated));
        let world = BlobWorld::over(Fixture {
            fs: std::sync::Arc::new(faulty.clone()),
            ..fixture
        });
        world.put("a", "{}").expect("put");
        faulty.strike(call, Fault::Io);
        let done = world.put("a", &with_data("image/png", &picture));
        if faulty.heal() == Struck::Never {
            done.expect("nothing went wrong");
            break;
        }
        if done.is_err() {
            refusals += 1;
            let body = world.body("a");
            assert!(
                body == "{}" || world.holds(&reference(&picture)),
                "call {call}: {body}"
            );
        }
        world
            .put("a", &with_data("image/png", &picture))
            .expect("the disk is well again");
        let blob = read(&world.blobs(), &reference(&picture));
        assert_eq!(blob.expect("stored"), picture, "call {call}");
    }
    assert!(refusals > 10, "{refusals}");
}
