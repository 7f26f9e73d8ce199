//! Every crash of every scenario is survived, and none of the syncs is there in vain.

use vault_store::{
    catalogue::Protection,
    documents::{AdoptedFile, Content, DocumentStore, Precondition},
    durable,
};

use crate::{
    crash_harness::{Scenario, Stage, Tally},
    support::fixture::{body, id, name, new_store, put, write_delete, write_put},
};

const STORE: &str = "chat/conversations";

fn create_store(stage: &Stage, protection: Protection) {
    stage
        .vault()
        .create_store(new_store(STORE, protection))
        .expect("a new store");
}

/// A protected store with two documents and a tombstone.
fn protected(stage: &mut Stage) {
    create_store(stage, Protection::Protected);
    let store = stage.documents(STORE);
    for document in ["a", "b", "gone"] {
        put(&store, document, "before");
    }
    store
        .delete(&id("gone"), Precondition::None)
        .expect("delete");
}

fn empty_plain(stage: &mut Stage) {
    create_store(stage, Protection::Plain);
}

fn plain(stage: &mut Stage) {
    create_store(stage, Protection::Plain);
    let store = stage.documents(STORE);
    put(&store, "a", "before");
    put(&store, "b", "before");
}

fn empty(stage: &mut Stage) {
    create_store(stage, Protection::Protected);
}

fn put_new(stage: &mut Stage) {
    put(&stage.documents(STORE), "new", "new");
}

fn overwrite(stage: &mut Stage) {
    put(&stage.documents(STORE), "a", "after");
}

fn delete(stage: &mut Stage) {
    stage
        .documents(STORE)
        .delete(&id("a"), Precondition::None)
        .expect("delete");
}

fn batch(stage: &mut Stage) {
    let writes = vec![
        write_put("a", "batch"),
        write_delete("b"),
        write_put("c", "batch"),
        write_put("d", "batch"),
    ];
    stage.documents(STORE).write(writes).expect("batch");
}

fn second_batch(stage: &mut Stage) {
    let writes = vec![
        write_put("c", "second"),
        write_delete("d"),
        write_put("a", "second"),
    ];
    stage.documents(STORE).write(writes).expect("batch");
}

fn checkpoint(stage: &mut Stage) {
    stage.documents(STORE).checkpoint().expect("checkpoint");
}

fn adopt_into(stage: &mut Stage) {
    adopt(&stage.documents(STORE));
}

pub(crate) fn adopt(store: &DocumentStore) {
    let mut adoption = store.adopt().expect("an empty store");
    for document in ["x", "sub/y", "z"] {
        let path = format!("{document}.json");
        adoption
            .add(&AdoptedFile {
                path,
                body: body(document),
            })
            .expect("add");
    }
    assert_eq!(adoption.finish().expect("finish"), 3);
}

fn adopted(stage: &mut Stage) {
    create_store(stage, Protection::Protected);
    adopt_into(stage);
}

fn migrate(stage: &mut Stage) {
    let mut failed = Vec::new();
    stage
        .documents(STORE)
        .migrate(|progress| failed.extend(progress.failed))
        .expect("migrate");
    assert!(failed.is_empty(), "{failed:?}");
}

fn seal_one(stage: &mut Stage) {
    put(&stage.documents(STORE), "x", "sealed by a write");
}

fn delete_adopted(stage: &mut Stage) {
    stage
        .documents(STORE)
        .delete(&id("z"), Precondition::None)
        .expect("delete");
}

/// Somebody edits a plain document by the rules, but past the daemon.
fn edit_from_outside(stage: &mut Stage) {
    let folder = stage.fixture.root().plain(&name(STORE));
    let edited = body("edited by hand");
    durable::replace(&*stage.fixture.fs, &folder, "a.json", &[&edited]).expect("edit");
}

fn create_vault(stage: &mut Stage) {
    stage.vault = Some(stage.fixture.create().expect("a new vault"));
}

fn create_second(stage: &mut Stage) {
    stage
        .vault()
        .create_store(new_store("second", Protection::Protected))
        .expect("a new store");
}

fn create_plain(stage: &mut Stage) {
    let store = new_store("plain/second", Protection::Plain);
    stage.vault().create_store(store).expect("a new store");
}

fn remove(stage: &mut Stage) {
    stage.vault().remove_store(&name(STORE)).expect("remove");
}

/// Many tombstones, so that a checkpoint forgets some.
fn tombstones(stage: &mut Stage) {
    create_store(stage, Protection::Protected);
    let store = stage.documents(STORE);
    put(&store, "a", "before");
    for document in ["t1", "t2", "t3", "t4", "t5"] {
        put(&store, document, "short-lived");
        store
            .delete(&id(document), Precondition::None)
            .expect("delete");
    }
}

pub(crate) const MANY: u64 = 10_000;

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "put",
        tombstones: MANY,
        before: Some(protected),
        steps: &[put_new],
    },
    Scenario {
        name: "overwrite",
        tombstones: MANY,
        before: Some(protected),
        steps: &[overwrite],
    },
    Scenario {
        name: "delete",
        tombstones: MANY,
        before: Some(protected),
        steps: &[delete],
    },
    Scenario {
        name: "put, overwrite, delete",
        tombstones: MANY,
        before: Some(protected),
        steps: &[put_new, overwrite, delete],
    },
    Scenario {
        name: "batch",
        tombstones: MANY,
        before: Some(protected),
        steps: &[batch],
    },
    Scenario {
        name: "batch, checkpoint",
        tombstones: MANY,
        before: Some(protected),
        steps: &[batch, checkpoint],
    },
    Scenario {
        name: "batches, overwrite, checkpoint",
        tombstones: MANY,
        before: Some(protected),
        steps: &[batch, second_batch, overwrite, checkpoint],
    },
    Scenario {
        name: "adopt",
        tombstones: MANY,
        before: Some(empty),
        steps: &[adopt_into],
    },
    Scenario {
        name: "migrate, delete, forget",
        tombstones: 0,
        before: Some(adopted),
        steps: &[migrate, checkpoint, delete_adopted, checkpoint],
    },
    Scenario {
        name: "write to adopted, migrate, forget",
        tombstones: 0,
        before: Some(adopted),
        steps: &[seal_one, delete_adopted, migrate, checkpoint],
    },
    Scenario {
        name: "create vault",
        tombstones: MANY,
        before: None,
        steps: &[create_vault],
    },
    Scenario {
        name: "create store",
        tombstones: MANY,
        before: Some(protected),
        steps: &[create_second],
    },
    Scenario {
        name: "create plain store",
        tombstones: MANY,
        before: Some(protected),
        steps: &[create_plain],
    },
    Scenario {
        name: "remove store",
        tombstones: MANY,
        before: Some(protected),
        steps: &[remove],
    },
    Scenario {
        name: "plain create, edit",
        tombstones: MANY,
        before: Some(empty_plain),
        steps: &[overwrite, edit_from_outside],
    },
    Scenario {
        name: "plain overwrite, edit",
        tombstones: MANY,
        before: Some(plain),
        steps: &[overwrite, edit_from_outside],
    },
    Scenario {
        name: "plain delete, edit",
        tombstones: MANY,
        before: Some(plain),
        steps: &[delete, edit_from_outside],
    },
    Scenario {
        name: "plain batch, edit",
        tombstones: MANY,
        before: Some(plain),
        steps: &[batch, edit_from_outside],
    },
    Scenario {
        name: "forget",
        tombstones: 1,
        before: Some(tombstones),
        steps: &[checkpoint],
    },
];

fn scenario(name: &str) -> &'static Scenario {
    SCENARIOS
        .iter()
        .find(|scenario| scenario.name == name)
        .expect("listed")
}

pub(crate) fn survives(scenario: &Scenario, second: Option<usize>) {
    let run = scenario.run();
    let mut tally = Tally::default();
    let result = run.check(None, second, &mut tally);
    eprintln!(
        "{}: {} crash states, {} amid recovery",
        scenario.name, tally.states, tally.second
    );
    assert!(tally.states > 0);
    if let Err(what) = result {
        panic!("{}: {what}", scenario.name);
    }
}

#[test]
fn every_crash_is_survived() {
    for scenario in SCENARIOS {
        survives(scenario, None);
    }
}

#[test]
fn a_second_crash_amid_recovery_is_survived() {
    survives(scenario("put"), Some(1));
    survives(scenario("batch, checkpoint"), Some(7));
    survives(scenario("plain overwrite, edit"), Some(7));
}

/// A test of the test: were a sync left out, somebody would notice.
#[test]
fn no_sync_can_be_left_out() {
    let mut unnoticed = Vec::new();
    for scenario in SCENARIOS {
        let run = scenario.run();
        let mut tally = Tally::default();
        for number in 0..run.syncs() {
            if run.check(Some(number), None, &mut tally).is_ok() {
                unnoticed.push(format!("{}: {number}: {}", scenario.name, run.sync(number)));
            }
        }
        eprintln!(
            "{}: {} syncs left out, {} states",
            scenario.name,
            run.syncs(),
            tally.states
        );
    }
    assert!(
        unnoticed.is_empty(),
        "not noticed:\n{}",
        unnoticed.join("\n")
    );
}

/// Content that nobody marks is still content.
#[test]
fn bodies_of_every_length_survive() {
    let run = Scenario {
        name: "an empty body",
        tombstones: MANY,
        before: Some(protected),
        steps: &[|stage| {
            let content = Content {
                content_type: "application/octet-stream".to_owned(),
                labels: std::collections::BTreeMap::new(),
                body: Vec::new(),
            };
            stage
                .documents(STORE)
                .put(id("a"), content, Precondition::None)
                .expect("put");
        }],
    };
    survives(&run, None);
}
