//! After a crash at any moment, every file is the old one or the new one, whole.

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use vault_store::{Vault, files::FileStore, fs::FileSystem as _};

use super::{create, everything, file, read, write};
use crate::support::{
    crash::{Crash, enumerate},
    fixture::{Fixture, name},
    keyring::Entries,
    simulated::{Image, Operation},
};

type World = BTreeMap<String, Vec<u8>>;
type Step = fn(&FileStore);

const STORE: &str = "chat/models";

/// What is done to a store that holds `a`, `b` and `deep/c`.
const STEPS: [(&str, &[Step]); 5] = [
    ("new", &[|store| write(store, "new", b"new content")]),
    (
        "folders",
        &[|store| write(store, "x/y/z", b"in new folders")],
    ),
    ("overwrite", &[|store| write(store, "a", b"other content")]),
    (
        "remove",
        &[
            |store| store.remove(&file("b")).expect("there"),
            |store| store.remove(&file("deep/c")).expect("there"),
        ],
    ),
    (
        "again",
        &[
            |store| store.remove(&file("deep/c")).expect("there"),
            |store| write(store, "deep/c/d", b"a folder now"),
            |store| write(store, "deep/c/d", b"and again"),
        ],
    ),
];

struct Run {
    fixture: Fixture,
    base: Image,
    entries: Entries,
    log: Vec<Operation>,
    worlds: Vec<World>,
}

/// The store, and its vault, which closes it in the end.
fn open(fixture: &Fixture) -> (Vault, Arc<FileStore>) {
    let vault = fixture.open().expect("open");
    let store = vault.files(&name(STORE)).expect("open");
    (vault, store)
}

fn seen(store: &FileStore) -> World {
    let (contents, skipped) = everything(store).expect("open");
    assert!(skipped.is_empty(), "{skipped:?}");
    contents
}

/// With `made`, somebody makes these folders amid it all and syncs none of them.
fn run(made: &[&str], steps: &[Step]) -> Run {
    let fixture = Fixture::new();
    let vault = fixture.create().expect("a new vault");
    create(&vault, STORE);
    let (_vault, store) = open(&fixture);
    // The store knows from then on that the folders they are in are durable.
    for name in ["a", "b", "deep/c"] {
        write(&store, name, name.as_bytes());
    }
    fixture.simulated.settle();
    let (base, entries) = (fixture.simulated.image(), fixture.keyring.entries());
    for folder in made {
        let path = fixture.root().plain(&name(STORE)).join(folder);
        fixture.simulated.create_dir(&path).expect("made");
    }
    let mut worlds = vec![seen(&store)];
    for step in steps {
        step(&store);
        fixture.simulated.acknowledge();
        worlds.push(seen(&store));
    }
    Run {
        log: fixture.simulated.log(),
        fixture,
        base,
        entries,
        worlds,
    }
}

impl Run {
    /// The first state that is neither what was acknowledged nor what was under way.
    fn check(&self, skip_sync: Option<usize>) -> Result<usize, String> {
        let (mut states, mut wrong) = (0, None);
        let _ = enumerate(
            &self.base,
            &self.entries,
            &self.log,
            skip_sync,
            &mut |crash| {
                states += 1;
                match self.look(&crash) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(what) => {
                        wrong = Some(format!("after operation {}: {what}", crash.at));
                        ControlFlow::Break(())
                    }
                }
            },
        );
        wrong.map_or(Ok(states), Err)
    }

    fn look(&self, crash: &Crash) -> Result<(), String> {
        let entries = crash.entries.clone();
        let fixture = self.fixture.after_with(crash.image.clone(), entries);
        let (_vault, store) = open(&fixture);
        let world = seen(&store);
        let under_way = self.worlds.get(crash.acknowledged + 1);
        if world != self.worlds[crash.acknowledged] && Some(&world) != under_way {
            return Err(format!("unexpected: {world:?}"));
        }
        let image = fixture.simulated.image();
        let left = image.tree.values().flat_map(BTreeMap::keys);
        if let Some(left) = left.into_iter().find(|name| name.starts_with(".tmp-")) {
            return Err(format!("{left} is left"));
        }
        write(&store, "afterwards/a", b"afterwards");
        let read = read(&store, "afterwards/a").map_err(|error| error.to_string())?;
        (read == b"afterwards")
            .then_some(())
            .ok_or("not there afterwards".to_owned())
    }
}

#[test]
fn every_crash_leaves_the_old_or_the_new() {
    for (what, steps) in STEPS {
        let run = run(&[], steps);
        let states = run
            .check(None)
            .unwrap_or_else(|wrong| panic!("{what}: {wrong}"));
        assert!(states > 5, "{what}: {states}");
        // None of the syncs is for nothing.
        let syncs = run.log.iter().filter(|operation| operation.is_sync());
        for sync in 0..syncs.count() {
            assert!(
                run.check(Some(sync)).is_err(),
                "{what}: without sync {sync}"
            );
        }
    }
}

/// As after a daemon that was killed before it synced the folders it had made.
#[test]
fn folders_that_are_there_already_are_made_durable() {
    let run = run(
        &["x", "x/y"],
        &[|store| write(store, "x/y/z", b"in folders that are there")],
    );
    let states = run.check(None).expect("nothing is lost");
    assert!(states > 5, "{states}");
}
