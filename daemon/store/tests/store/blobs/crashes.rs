//! Every crash amid what is done to blobs is survived, and none of the syncs is there in vain.

use std::sync::Arc;

use vault_crypto::ContentHash;
use vault_store::{
    blobs::{BlobRef, BlobStore, NewBlob},
    catalogue::Kind,
    kind::Store as _,
    vault::NewStore,
};

use super::{CHUNK, STORE};
use crate::{
    crash_harness::{Scenario, Stage, Tally},
    crashes::{MANY, survives},
    support::{
        fixture::{body, name},
        rotating::reencrypt,
    },
};

fn store(stage: &Stage) -> Arc<BlobStore> {
    stage.vault().blobs(&name(STORE)).expect("open")
}

fn empty(stage: &mut Stage) {
    stage
        .vault()
        .create_store(NewStore::new(name(STORE), Kind::Blobs))
        .expect("a new store");
}

fn put(stage: &Stage, text: &str) {
    store(stage).put("text/plain", &body(text)).expect("put");
}

fn filled(stage: &mut Stage) {
    empty(stage);
    put(stage, "before");
    put(stage, "another");
}

fn put_new(stage: &mut Stage) {
    put(stage, "new");
}

fn put_again(stage: &mut Stage) {
    let stored = store(stage).put("text/plain", &body("before"));
    assert!(stored.expect("put").existed);
}

/// More than a chunk, so that there is something to take up again.
fn long() -> Vec<u8> {
    let mut content = body("long");
    content.resize(CHUNK + 500, b'.');
    content
}

fn resumable() -> NewBlob {
    NewBlob {
        resume_key: Some(b"source".to_vec()),
        ..NewBlob::default()
    }
}

/// Nothing is promised of what was broken off.
fn break_off(stage: &mut Stage) {
    let mut upload = store(stage).begin(resumable()).expect("begin");
    upload.write(&long()[..CHUNK + 20]).expect("written");
}

fn go_on(stage: &mut Stage) {
    let mut upload = store(stage).begin(resumable()).expect("begin");
    let (kept, _) = upload.kept();
    let rest = usize::try_from(kept).expect("small");
    upload.write(&long()[rest..]).expect("written");
    let stored = upload.finish(None).expect("stored");
    assert_eq!(stored.info.size, long().len() as u64);
}

/// The blob that is there beforehand.
fn before() -> BlobRef {
    BlobRef::new(ContentHash::of(&body("before")))
}

fn remove(stage: &mut Stage) {
    store(stage).remove(&before()).expect("removed");
}

fn remove_while_a_snapshot_is_held(stage: &mut Stage) {
    let store = store(stage);
    let snapshot = store.snapshot().expect("open");
    store.remove(&before()).expect("removed");
    assert!(snapshot.read(0).is_ok() && snapshot.read(1).is_ok());
}

fn seal_anew(stage: &mut Stage) {
    reencrypt(stage.vault(), &stage.fixture.keyring);
}

fn seal_anew_and_put(stage: &mut Stage) {
    put(stage, "new");
    seal_anew(stage);
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "put a blob",
        tombstones: MANY,
        before: Some(filled),
        steps: &[put_new],
    },
    Scenario {
        name: "remove a blob",
        tombstones: MANY,
        before: Some(filled),
        steps: &[remove],
    },
    Scenario {
        name: "break off, go on",
        tombstones: MANY,
        before: Some(filled),
        steps: &[break_off, go_on],
    },
];

const MORE: &[Scenario] = &[
    Scenario {
        name: "put a blob that is there",
        tombstones: MANY,
        before: Some(filled),
        steps: &[put_again],
    },
    Scenario {
        name: "remove a blob that a snapshot reads",
        tombstones: MANY,
        before: Some(filled),
        steps: &[remove_while_a_snapshot_is_held, put_again_anew],
    },
    Scenario {
        name: "seal blobs anew",
        tombstones: MANY,
        before: Some(filled),
        steps: &[seal_anew_and_put, put_new],
    },
    Scenario {
        name: "break off, go on with another key",
        tombstones: MANY,
        before: Some(filled),
        steps: &[break_off, seal_anew, go_on],
    },
];

fn put_again_anew(stage: &mut Stage) {
    let stored = store(stage).put("text/plain", &body("before"));
    assert!(!stored.expect("put").existed);
}

#[test]
fn every_crash_is_survived() {
    for scenario in SCENARIOS.iter().chain(MORE) {
        survives(scenario, None);
    }
    survives(
        &Scenario {
            name: "create a store of blobs",
            tombstones: MANY,
            before: Some(|_| ()),
            steps: &[empty],
        },
        None,
    );
}

#[test]
fn a_second_crash_amid_recovery_is_survived() {
    survives(&SCENARIOS[0], Some(1));
    survives(&SCENARIOS[2], Some(31));
}

/// A test of the test: were a sync left out, somebody would notice.
#[test]
fn no_sync_can_be_left_out() {
    for scenario in SCENARIOS {
        let run = scenario.run();
        for number in 0..run.syncs() {
            let unnoticed = run.check(Some(number), None, &mut Tally::default()).is_ok();
            let syncs: Vec<_> = (0..run.syncs()).map(|number| run.sync(number)).collect();
            assert!(!unnoticed, "{}: {number} of {syncs:?}", scenario.name);
        }
    }
}
