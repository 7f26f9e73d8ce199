//! A crash at any moment amid spills and collections: no document names a blob that is not there.

use std::{ops::ControlFlow, time::Duration};

use vault_store::documents::{Change, Content, Precondition, Write};

use super::GRACE;
use crate::support::{
    blob_world::{BlobWorld, collect, content, every_name_holds, reference, with_data, with_refs},
    crash::{Crash, enumerate},
    fixture::{Fixture, id, name},
    keyring::Entries,
    simulated::{Image, Operation},
};

type Step = fn(&BlobWorld);

const LARGE: usize = 16 << 10;

fn before(world: &BlobWorld) {
    world
        .put("old", &with_data("image/png", &content(1, LARGE)))
        .expect("put");
    world
        .put("garbage", &with_data("image/png", &content(2, LARGE)))
        .expect("put");
    world
        .notes()
        .delete(&id("garbage"), Precondition::None)
        .expect("deleted");
    world.collect(GRACE);
    world.pass(GRACE);
}

const STEPS: [(Step, &str); 6] = [
    (
        |world| {
            world
                .put("a", &with_data("image/png", &content(3, LARGE)))
                .expect("put");
        },
        "a",
    ),
    (
        |world| {
            let refs = [3, 1].map(|seed| reference(&content(seed, LARGE)));
            world.put("a", &with_refs(&refs)).expect("put");
        },
        "a",
    ),
    (
        |world| {
            world
                .notes()
                .delete(&id("old"), Precondition::None)
                .expect("deleted");
        },
        "a",
    ),
    (
        |world| {
            assert_eq!(world.collect(GRACE).removed, 1, "the garbage");
        },
        "a",
    ),
    (
        |world| {
            // What was removed comes back.
            world
                .put("b", &with_data("image/png", &content(2, LARGE)))
                .expect("put");
        },
        "b",
    ),
    (
        |world| {
            let write = |document: &str, seed| Write {
                id: id(document),
                change: Change::Put(Content::json(with_data("image/png", &content(seed, LARGE)))),
                precondition: Precondition::None,
            };
            world
                .notes()
                .write(vec![write("c", 4), write("d", 2)])
                .expect("a batch");
        },
        "d",
    ),
];

struct Run {
    fixture: Fixture,
    base: Image,
    entries: Entries,
    log: Vec<Operation>,
}

fn run() -> Run {
    let world = BlobWorld::new();
    before(&world);
    let fixture = world.fixture.clone();
    fixture.simulated.settle();
    let (base, entries) = (fixture.simulated.image(), fixture.keyring.entries());
    for (step, _) in STEPS {
        step(&world);
        fixture.simulated.acknowledge();
    }
    let log = fixture.simulated.log();
    Run {
        fixture,
        base,
        entries,
        log,
    }
}

fn check(fixture: &Fixture, crash: Crash) -> Result<(), String> {
    let after = fixture.after_with(crash.image, crash.entries);
    let started = after.start().map_err(|error| error.to_string())?;
    let vault = started?;
    every_name_holds(&vault)?;
    let notes = vault
        .documents(&name("notes"))
        .map_err(|error| error.to_string())?;
    for (_, document) in &STEPS[..crash.acknowledged] {
        notes
            .get(&id(document))
            .map_err(|error| error.to_string())?;
    }
    // Nor is what it names taken by whoever collects next.
    collect(&vault, Duration::ZERO).map_err(|error| error.to_string())?;
    every_name_holds(&vault).map(drop)
}

fn survives(run: &Run, skip_sync: Option<usize>) -> Result<usize, String> {
    let (mut states, mut failed) = (0, None);
    let _ = enumerate(&run.base, &run.entries, &run.log, skip_sync, &mut |crash| {
        let at = crash.at;
        states += 1;
        match check(&run.fixture, crash) {
            Ok(()) => ControlFlow::Continue(()),
            Err(what) => {
                let operation = at.checked_sub(1).map(|at| &run.log[at]);
                let operation = operation.map(|operation| match operation {
                    Operation::Write { inode, .. } => format!("write to {inode}"),
                    other => format!("{other:?}"),
                });
                failed = Some(format!("after operation {at} ({operation:?}): {what}"));
                ControlFlow::Break(())
            }
        }
    });
    failed.map_or(Ok(states), Err)
}

#[test]
fn no_crash_leaves_a_document_without_its_blobs() {
    let states = survives(&run(), None).expect("survived");
    eprintln!("{states} crash states");
    assert!(states > 100, "{states}");
}

/// A test of the test: of the syncs that make a blob durable before its document, none can be left
/// out unnoticed.
#[test]
fn a_sync_that_is_left_out_is_noticed() {
    let run = run();
    let blobs = |path: &std::path::Path| {
        let shard = path.file_name().is_some_and(|name| name.len() == 1);
        shard
            && path
                .parent()
                .is_some_and(|parent| parent.ends_with("objects"))
    };
    let syncs: Vec<&Operation> = run.log.iter().filter(|one| one.is_sync()).collect();
    let mut noticed = 0;
    for (number, sync) in syncs.iter().enumerate() {
        // A folder's, right before a document's.
        if let Operation::SyncDirectory { path } = sync
            && blobs(path)
        {
            noticed += usize::from(survives(&run, Some(number)).is_err());
        }
    }
    // Of the three blobs that are new: a removal that comes back harms nobody.
    assert!(noticed >= 3, "{noticed}");
}
