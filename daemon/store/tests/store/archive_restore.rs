//! An archive put back gives what was exported, and an interrupted restore loses nothing.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    ops::ControlFlow,
};

use vault_store::{
    SizeClass,
    archive::{ArchiveError, RestoreOptions, restore},
    catalogue::{DatabaseOptions, Kind, Protection},
    documents::{Content, DocumentStore, Precondition},
    kind::Store as _,
    vault::NewStore,
};

use crate::{
    archive_world::{
        FORMS, TAR, check_part, exported, put_labelled, restorable, restored, rich, seen, verified,
    },
    support::{
        fixture::{Fixture, body, id, name, new_store},
        world::World,
    },
};

fn metadata(store: &DocumentStore) -> Vec<(String, u64, Vec<u8>)> {
    let snapshot = store.snapshot().expect("open");
    let entries = (0..).map_while(|index| snapshot.entry(index).expect("open"));
    entries
        .map(|entry| (entry.id, entry.revision.0, entry.metadata))
        .collect()
}

#[test]
fn a_new_vault_becomes_what_the_old_one_was() {
    let vault = rich(&Fixture::new());
    let world = seen(&vault);
    for form in FORMS {
        let (archive, summary) = exported(&vault, form);
        let fixture = Fixture::new();
        let target = fixture.create().expect("a new vault");
        let done = restored(&target, &archive[..], summary.manifest, false).expect("restored");
        assert_eq!((&done.summary, done.unchanged), (&summary, 0));
        assert_eq!(seen(&target), restorable(&world), "form {form}");
        for record in vault.stores() {
            let [from, to] =
                [&vault, &target].map(|vault| vault.documents(&record.name).expect("open"));
            assert_eq!(metadata(&from), metadata(&to), "times and all");
            assert_eq!(
                (from.record().protection, from.record().size_class),
                (to.record().protection, to.record().size_class)
            );
        }
        drop(target);
        let again = fixture.open().expect("open");
        assert_eq!(seen(&again), restorable(&world), "opened again");
        // What was restored can be exported again.
        let (second, _) = exported(&again, TAR);
        verified(&second).expect("whole");
    }
}

#[test]
fn merging_replaces_what_differs_and_leaves_the_rest() {
    let vault = rich(&Fixture::new());
    let (archive, summary) = exported(&vault, TAR);
    let target = Fixture::new().create().expect("a new vault");
    target
        .create_store(new_store("mine", Protection::Protected))
        .expect("a new store");
    put_labelled(&target, "mine", "a", "mine");
    let refused = restored(&target, &archive[..], summary.manifest, false);
    assert!(matches!(refused, Err(ArchiveError::NotEmpty)));
    assert_eq!(target.stores().len(), 1, "nothing was done");

    let first = restored(&target, &archive[..], summary.manifest, true).expect("merged");
    assert_eq!(first.unchanged, 0);
    let expected = seen(&target);
    put_labelled(&target, "chat/conversations", "mine too", "mine");
    put_labelled(&target, "chat/conversations", "..", "changed");
    let pictures = target.documents(&name("media/pictures")).expect("open");
    pictures
        .delete(&id("empty"), Precondition::None)
        .expect("delete");
    let head = pictures.head(&id("a")).expect("there");
    let relabelled = Content {
        content_type: head.content_type().to_owned(),
        labels: BTreeMap::new(),
        body: pictures.get(&id("a")).expect("there").body.to_vec(),
    };
    pictures
        .put(id("a"), relabelled, Precondition::None)
        .expect("put");

    let second = restored(&target, &archive[..], summary.manifest, true).expect("merged");
    assert_eq!(second.unchanged, summary.objects - 3);
    let mut now = seen(&target);
    let conversations = now.get_mut("chat/conversations").expect("there");
    assert!(conversations.documents.remove("mine too").is_some());
    for (store, world) in &expected {
        let bare = |world: &World| -> Vec<_> {
            let documents = world[store].documents.iter();
            documents
                .map(|(id, seen)| (id.clone(), seen.body.clone(), seen.labels.clone()))
                .collect()
        };
        assert_eq!(bare(&now), bare(&expected), "{store}");
        assert!(world.last() <= now[store].last());
    }
    let third = restored(&target, &archive[..], summary.manifest, true).expect("merged");
    assert_eq!(third.unchanged, summary.objects);
}

#[test]
fn another_manifest_is_refused_before_anything_is_written() {
    let vault = rich(&Fixture::new());
    let (archive, mut summary) = exported(&vault, TAR);
    summary.manifest[31] ^= 1;
    let fixture = Fixture::new();
    let target = fixture.create().expect("a new vault");
    let before = fixture.simulated.image();
    let refused = restored(&target, &archive[..], summary.manifest, true);
    assert!(matches!(refused, Err(ArchiveError::OtherManifest)));
    assert!(fixture.simulated.image() == before);
}

#[test]
fn stores_that_do_not_fit_are_refused_before_anything_is_written() {
    let vault = rich(&Fixture::new());
    let large = Content {
        content_type: "x/y".to_owned(),
        labels: BTreeMap::new(),
        body: vec![1; 100 << 10],
    };
    let chat = vault.documents(&name("chat")).expect("open");
    chat.put(id("large"), large, Precondition::None)
        .expect("put");
    let (archive, summary) = exported(&vault, TAR);
    let conflicting = [
        new_store("plain/notes", Protection::Protected),
        new_store("media/pictures", Protection::Plain),
        NewStore {
            name: name("chat"),
            kind: Kind::Documents,
            protection: Protection::Protected,
            size_class: SizeClass::Auth,
            database: DatabaseOptions::default(),
            attachments: vault_store::catalogue::AttachmentOptions::default(),
        },
    ];
    for new in conflicting {
        let fixture = Fixture::new();
        let target = fixture.create().expect("a new vault");
        target.create_store(new.clone()).expect("a new store");
        let before = fixture.simulated.image();
        let refused = restored(&target, &archive[..], summary.manifest, true);
        assert!(
            matches!(&refused, Err(ArchiveError::Conflict { store, .. }) if store == new.name.as_str()),
            "{refused:?}"
        );
        assert!(fixture.simulated.image() == before);
    }
}

/// Reads so far and then no more.
struct Interrupted<'a>(&'a [u8]);

impl Read for Interrupted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::ErrorKind::ConnectionReset.into()),
            read => Ok(read),
        }
    }
}

#[test]
fn what_was_interrupted_is_completed_by_another_run() {
    let vault = rich(&Fixture::new());
    let whole = restorable(&seen(&vault));
    let (archive, summary) = exported(&vault, TAR);
    for length in (0..archive.len()).step_by(1777) {
        let target = Fixture::new().create().expect("a new vault");
        let cut = Interrupted(&archive[..length]);
        let error = restored(&target, cut, summary.manifest, false).expect_err("interrupted");
        assert!(
            matches!(error, ArchiveError::Io(io::ErrorKind::ConnectionReset, _)),
            "{error:?}"
        );
        let part = seen(&target);
        check_part(&part, &whole).expect("a part of it");
        let there: usize = part.values().map(|store| store.documents.len()).sum();
        let again = restored(&target, &archive[..], summary.manifest, true).expect("completed");
        assert_eq!(again.unchanged, there as u64);
        assert_eq!(seen(&target), whole);
    }
}

#[test]
fn a_restore_can_be_stopped() {
    let vault = rich(&Fixture::new());
    let (archive, summary) = exported(&vault, TAR);
    let target = Fixture::new().create().expect("a new vault");
    let options = RestoreOptions {
        merge: false,
        manifest: summary.manifest,
    };
    let stopped = restore(
        &target,
        &archive[..],
        None,
        &options,
        &mut |progress| match progress.objects_done {
            0 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        },
    );
    assert!(matches!(stopped, Err(ArchiveError::Stopped)));
    check_part(&seen(&target), &restorable(&seen(&vault))).expect("a part of it");
}

/// A body that is not the manifest's does not get in, nor does anything behind it.
#[test]
fn no_damaged_object_is_restored() {
    let vault = Fixture::new().create().expect("a new vault");
    for store in ["first", "second"] {
        vault
            .create_store(new_store(store, Protection::Protected))
            .expect("a new store");
        put_labelled(&vault, store, "a", "x");
    }
    let (mut archive, summary) = exported(&vault, TAR);
    let text = body("x");
    let at = archive.windows(text.len()).rposition(|run| run == text);
    archive[at.expect("in the clear")] ^= 1;
    let target = Fixture::new().create().expect("a new vault");
    let error = restored(&target, &archive[..], summary.manifest, false).expect_err("damaged");
    assert!(
        matches!(&error, ArchiveError::Damaged(what) if what.contains("stores/second/a.json")),
        "{error}"
    );
    assert!(seen(&target)["second"].documents.is_empty());
    assert_eq!(seen(&target)["first"].documents.len(), 1);
}
