//! What clients rely on.

use std::{collections::BTreeMap, sync::Arc};

use vault_store::{
    Revision, SizeClass, StoreError, Vault,
    catalogue::Protection,
    documents::{Change, Content, DocumentStore, Listed, Outcome, Precondition, Write},
};

use crate::support::{
    fixture::{Fixture, body, content, id, put, store_of, write_delete, write_put},
    world::observe_store,
};

fn protected() -> (Vault, Arc<DocumentStore>) {
    store_of(&Fixture::new(), Protection::Protected)
}

#[test]
fn changes_tell_of_deletions_and_page() {
    let (_vault, store) = protected();
    for document in ["a", "b", "c"] {
        put(&store, document, "x");
    }
    store.delete(&id("b"), Precondition::None).expect("delete");
    let changes = store.changes(Revision(1), 2).expect("changes");
    assert_eq!(
        changes
            .iter()
            .map(|head| head.revision().0)
            .collect::<Vec<_>>(),
        [3, 4]
    );
    assert!(changes[1].is_deleted() && changes[1].id() == &id("b"));
    assert!(store.changes(Revision(4), 2).expect("changes").is_empty());
    let missing = store.get(&id("b"));
    assert!(matches!(missing, Err(StoreError::NoSuchDocument { .. })));
}

#[test]
fn preconditions_hold_or_tell_the_current_revision() {
    let (_vault, store) = protected();
    let try_put = |precondition| {
        store
            .put(id("a"), content("x"), precondition)
            .map(|head| head.revision().0)
    };
    let conflict = |result: Result<u64, StoreError>, at: u64| match result {
        Err(StoreError::RevisionConflict { current, id, .. }) => {
            assert_eq!((current.0, id.as_str()), (at, "a"));
        }
        other => panic!("{other:?}"),
    };
    conflict(try_put(Precondition::Present), 0);
    conflict(try_put(Precondition::Revision(Revision(1))), 0);
    assert_eq!(try_put(Precondition::Absent).expect("absent"), 1);
    conflict(try_put(Precondition::Absent), 1);
    assert_eq!(try_put(Precondition::Present).expect("present"), 2);
    conflict(try_put(Precondition::Revision(Revision(1))), 2);
    assert_eq!(
        try_put(Precondition::Revision(Revision(2))).expect("the current one"),
        3
    );
    let delete = store.delete(&id("a"), Precondition::Revision(Revision(2)));
    conflict(delete.map(|revision| revision.0), 3);
    store
        .delete(&id("a"), Precondition::Revision(Revision(3)))
        .expect("delete");
    // A tombstone is not a document.
    conflict(try_put(Precondition::Revision(Revision(4))), 0);
    let missing = store.delete(&id("a"), Precondition::None);
    assert!(
        matches!(missing, Err(StoreError::NoSuchDocument { .. })),
        "{missing:?}"
    );
    assert_eq!(try_put(Precondition::Absent).expect("absent again"), 5);
}

#[test]
fn a_batch_is_all_or_none() {
    let (_vault, store) = protected();
    put(&store, "a", "before");
    let before = observe_store(&store).expect("whole");
    let failing = Write {
        precondition: Precondition::Absent,
        ..write_put("a", "batch")
    };
    for last in [failing, write_delete("nobody")] {
        let result = store.write(vec![
            write_put("b", "batch"),
            write_delete("a"),
            write_put("a", "x"),
            last,
        ]);
        assert!(result.is_err(), "{result:?}");
        assert_eq!(observe_store(&store).expect("whole"), before);
    }
    // Within a batch, each write sees those before it.
    let again = Write {
        precondition: Precondition::Revision(Revision(2)),
        ..write_put("b", "again")
    };
    let outcomes = store
        .write(vec![write_put("b", "batch"), again, write_delete("a")])
        .expect("batch");
    assert_eq!(
        outcomes
            .iter()
            .map(|outcome| outcome.head().revision().0)
            .collect::<Vec<_>>(),
        [2, 3, 4]
    );
    assert_eq!(&**store.get(&id("b")).expect("there").body, body("again"));
    assert!(store.write(Vec::new()).expect("nothing to do").is_empty());
}

#[test]
fn writes_that_stand_alone_fail_alone() {
    let (_vault, store) = protected();
    let absent = |document| Write {
        precondition: Precondition::Absent,
        ..write_put(document, "x")
    };
    let answers = store
        .write_each(vec![absent("a"), absent("a"), absent("b")])
        .expect("written");
    let revisions: Vec<_> = answers
        .iter()
        .map(|answer| answer.as_ref().ok().map(|one| one.head().revision().0))
        .collect();
    assert_eq!(revisions, [Some(1), None, Some(2)]);
    assert_eq!(store.list("").expect("list").len(), 2);
}

#[test]
fn an_unchanged_document_is_not_written() {
    let (_vault, store) = protected();
    let put_if_changed = |content| {
        let write = Write {
            id: id("a"),
            change: Change::PutIfChanged(content),
            precondition: Precondition::None,
        };
        store.write(vec![write]).expect("put").remove(0)
    };
    assert!(matches!(put_if_changed(content("x")), Outcome::Written(_)));
    assert!(matches!(
        put_if_changed(content("x")),
        Outcome::Unchanged(_)
    ));
    let relabelled = Content {
        labels: BTreeMap::new(),
        ..content("x")
    };
    assert!(matches!(put_if_changed(relabelled), Outcome::Written(_)));
    store.delete(&id("a"), Precondition::None).expect("delete");
    let relabelled = Content {
        labels: BTreeMap::new(),
        ..content("x")
    };
    assert!(matches!(put_if_changed(relabelled), Outcome::Written(_)));
}

#[test]
fn bodies_are_bounded_and_json_is_checked() {
    let (_vault, store) = protected();
    let limit = usize::try_from(SizeClass::Card.default_limit()).expect("small");
    let binary = |body: Vec<u8>| Content {
        content_type: "application/octet-stream".to_owned(),
        ..Content::json(body)
    };
    let try_put = |content| store.put(id("a"), content, Precondition::None).map(|_| ());
    try_put(binary(vec![0xff; limit])).expect("as large as may be");
    let over = try_put(binary(vec![0xff; limit + 1]));
    assert!(
        matches!(over, Err(StoreError::TooLarge { size, limit: most })
        if size == limit as u64 + 1 && most == limit as u64)
    );
    for bad in [
        &b""[..],
        b"{",
        b"{}x",
        b"nul",
        b"\"\xff\"",
        b"{\"a\":1,}",
        b"01",
    ] {
        let refused = try_put(Content::json(bad));
        assert!(
            matches!(refused, Err(StoreError::InvalidArgument(_))),
            "{bad:?}: {refused:?}"
        );
        try_put(binary(bad.to_vec())).expect("any bytes under another type");
    }
    for good in [
        &b"{}"[..],
        b"null",
        b" [1e400] ",
        "\"\u{1F600}\"".as_bytes(),
    ] {
        try_put(Content::json(good)).expect("JSON");
    }
    let labels = [("label".to_owned(), "x".repeat(70_000))].into();
    let refused = try_put(Content {
        labels,
        ..Content::json("{}")
    });
    assert!(
        matches!(refused, Err(StoreError::InvalidArgument(_))),
        "{refused:?}"
    );
}

#[test]
fn a_patch_changes_the_body_and_nothing_else() {
    let (_vault, store) = protected();
    let labels: BTreeMap<_, _> = [("kind".to_owned(), "draft".to_owned())].into();
    let content = Content {
        labels: labels.clone(),
        ..Content::json(r#"{"n":1e400,"gone":1}"#)
    };
    store
        .put(id("a"), content, Precondition::None)
        .expect("put");
    let head = store
        .patch(&id("a"), br#"{"gone":null,"new":[1]}"#, None)
        .expect("patch");
    assert_eq!((head.revision().0, head.labels()), (2, &labels));
    assert_eq!(
        &**store.get(&id("a")).expect("there").body,
        br#"{"n":1e400,"new":[1]}"#
    );
    let stale = store.patch(&id("a"), b"{}", Some(Revision(1)));
    assert!(matches!(
        stale,
        Err(StoreError::RevisionConflict {
            current: Revision(2),
            ..
        })
    ));
    for bad in [&b"{"[..], b"\xff", b""] {
        let refused = store.patch(&id("a"), bad, None);
        assert!(
            matches!(refused, Err(StoreError::InvalidArgument(_))),
            "{refused:?}"
        );
    }
    let missing = store.patch(&id("nobody"), b"{}", None);
    assert!(matches!(missing, Err(StoreError::NoSuchDocument { .. })));
    let deep = r#"{"a":"#.repeat(20_000) + "1" + &"}".repeat(20_000);
    let refused = store.patch(&id("a"), deep.as_bytes(), None);
    assert!(
        matches!(refused, Err(StoreError::InvalidArgument(_))),
        "{refused:?}"
    );
}

#[test]
fn a_list_is_ordered_and_takes_a_prefix() {
    let (_vault, store) = protected();
    for document in ["b/2", "a", "b/1", "c"] {
        put(&store, document, "x");
    }
    let ids = |prefix| -> Vec<String> {
        let listed = store.list(prefix).expect("list").into_iter();
        let id = |one| match one {
            Listed::Head(head) => head.id().as_str().to_owned(),
            Listed::Damaged(name, error) => panic!("{name}: {error}"),
        };
        listed.map(id).collect()
    };
    assert_eq!(ids(""), ["a", "b/1", "b/2", "c"]);
    assert_eq!(ids("b/"), ["b/1", "b/2"]);
    assert!(ids("z").is_empty());
}
