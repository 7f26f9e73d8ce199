//! Runs a scenario, then opens the vault in every state a crash may have left and looks at it.

use std::{collections::BTreeMap, ops::ControlFlow, path::Path, sync::Arc};

use vault_crypto::{KeyPurpose, KeyTable, StorageKey};
use vault_store::{
    OpenError, Vault,
    catalogue::Kind,
    documents::{Content, DocumentStore, Precondition},
    header::Header,
};

use crate::crash_aftermath::{check_plaintext, go_on};
use crate::support::{
    crash::{Crash, enumerate},
    fixture::{Fixture, ROOT, body, id, name},
    keyring::Entries,
    settled::nothing_half_done,
    simulated::{Image, Operation},
    world::{World, observe},
};

/// What a step works on.
pub(crate) struct Stage {
    pub(crate) fixture: Fixture,
    pub(crate) vault: Option<Vault>,
}

impl Stage {
    pub(crate) fn vault(&self) -> &Vault {
        self.vault.as_ref().expect("the scenario has a vault")
    }

    pub(crate) fn documents(&self, store: &str) -> Arc<DocumentStore> {
        self.vault()
            .documents(&name(store))
            .expect("open the store")
    }

    fn observe(&self) -> Option<World> {
        self.vault
            .as_ref()
            .map(|vault| observe(vault).expect("a vault without crash is whole"))
    }
}

/// A piece of work that is acknowledged when it returns.
pub(crate) type Step = fn(&mut Stage);

/// What happens to a vault.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Tombstones each store keeps.
    pub(crate) tombstones: u64,
    /// Makes what is there beforehand; `None` where there is no vault beforehand.
    pub(crate) before: Option<Step>,
    pub(crate) steps: &'static [Step],
}

/// A scenario that was run, with what was to be seen after each step.
pub(crate) struct Run {
    fixture: Fixture,
    base: Image,
    entries: Entries,
    log: Vec<Operation>,
    worlds: Vec<Option<World>>,
}

/// How many states were looked at.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) states: usize,
    pub(crate) second: usize,
}

impl Scenario {
    pub(crate) fn run(&self) -> Run {
        let fixture = Fixture {
            tombstones: self.tombstones,
            ..Fixture::new()
        };
        if let Some(before) = self.before {
            let vault = Some(fixture.create().expect("a new vault"));
            before(&mut Stage {
                fixture: fixture.clone(),
                vault,
            });
        }
        fixture.simulated.settle();
        run_steps(fixture, self.steps, self.before.is_some())
    }
}

/// Opens the vault, runs the steps, and notes what there is to be seen in between.
fn run_steps(fixture: Fixture, steps: &[Step], exists: bool) -> Run {
    let (base, entries) = (fixture.simulated.image(), fixture.keyring.entries());
    let vault = exists.then(|| fixture.open().expect("open the vault"));
    let mut stage = Stage { fixture, vault };
    let mut worlds = vec![stage.observe()];
    for step in steps {
        step(&mut stage);
        stage.fixture.simulated.acknowledge();
        worlds.push(stage.observe());
    }
    let mut log = stage.fixture.simulated.log();
    // What is done after the last answer (a look takes in edits of plain files) proves nothing.
    let last = log
        .iter()
        .rposition(|operation| matches!(operation, Operation::Acknowledged));
    log.truncate(last.map_or(0, |last| last + 1));
    Run {
        fixture: stage.fixture.clone(),
        base,
        entries,
        log,
        worlds,
    }
}

impl Run {
    pub(crate) fn syncs(&self) -> usize {
        self.log
            .iter()
            .filter(|operation| operation.is_sync())
            .count()
    }

    /// What a sync of this number was for, to tell which one is missing.
    pub(crate) fn sync(&self, number: usize) -> String {
        let mut syncs = self.log.iter().filter(|operation| operation.is_sync());
        format!("{:?}", syncs.nth(number))
    }

    /// Looks at every state; the first thing that is wrong, if any. Crashes again amid the
    /// recovery from each `second`-th state.
    pub(crate) fn check(
        &self,
        skip_sync: Option<usize>,
        second: Option<usize>,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let mut wrong = None;
        let _ = enumerate(
            &self.base,
            &self.entries,
            &self.log,
            skip_sync,
            &mut |crash| {
                tally.states += 1;
                let mut result = self.look(&crash);
                if result.is_ok() && second.is_some_and(|every| tally.states.is_multiple_of(every))
                {
                    result = self.crash_again(&crash, tally);
                }
                match result {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(what) => {
                        wrong = Some(format!("after operation {}: {what}", crash.at));
                        ControlFlow::Break(())
                    }
                }
            },
        );
        wrong.map_or(Ok(()), Err)
    }

    /// The worlds a crash may have left: all that was acknowledged, and perhaps what was under way.
    fn allowed(&self, crash: &Crash) -> impl Iterator<Item = &Option<World>> {
        let before = &self.worlds[crash.acknowledged];
        std::iter::once(before).chain(self.worlds.get(crash.acknowledged + 1))
    }

    /// The vault as a crash left it.
    fn after(&self, crash: &Crash) -> Fixture {
        self.fixture
            .after_with(crash.image.clone(), crash.entries.clone())
    }

    fn look(&self, crash: &Crash) -> Result<(), String> {
        let fixture = self.after(crash);
        let vault = match fixture.start() {
            Ok(vault) => vault?,
            Err(OpenError::Uninitialized) if self.allowed(crash).any(Option::is_none) => {
                fixture
                    .create()
                    .map_err(|error| format!("create anew: {error}"))?;
                return Ok(());
            }
            Err(error) => return Err(format!("open: {error}")),
        };
        let seen = observe(&vault)?;
        let fits = |world: &Option<World>| match world {
            Some(world) => *world == seen,
            // A vault under creation may be there already.
            None => seen.is_empty(),
        };
        if !self.allowed(crash).any(fits) {
            return Err(format!(
                "unexpected: {seen:?}, not {:?}",
                self.worlds[crash.acknowledged]
            ));
        }
        check_plaintext(&fixture, &vault, &seen)?;
        nothing_half_done(&fixture, &vault, self.history())?;
        if crash.acknowledged > 0 && crash.image.tree.len() > 1 {
            self.check_redundancy(crash, &seen)?;
        }
        let acknowledged = self.worlds[crash.acknowledged].clone().unwrap_or_default();
        go_on(&fixture, &vault, seen, &acknowledged)
    }

    /// What the keyrings ever held.
    fn history(&self) -> impl Iterator<Item = &Entries> {
        let held = self.log.iter().filter_map(|operation| match operation {
            Operation::Keyring { entries } => Some(entries),
            _ => None,
        });
        held.chain([&self.entries])
    }

    /// The key table is there twice and the header beside it, so that each can be lost.
    fn check_redundancy(&self, crash: &Crash, seen: &World) -> Result<(), String> {
        self.check_destroyed(crash)?;
        let keys_written = self.log.iter().any(
            |operation| matches!(operation, Operation::Rename { to, .. } if to.ends_with("keys.a")),
        );
        if !keys_written {
            return Ok(());
        }
        for file in ["keys.a", "keys.b"] {
            let path = Path::new(ROOT).join(file);
            if crash.image.file(&path).is_none() {
                return Err(format!("{file} is gone"));
            }
            let fixture = self
                .fixture
                .after_with(crash.image.without(&path), crash.entries.clone());
            let vault = fixture
                .open()
                .map_err(|error| format!("without {file}: {error}"))?;
            if observe(&vault)? != *seen {
                return Err(format!("without {file}, other things are seen"));
            }
        }
        let header = Header::read(&self.after(crash).root());
        match header {
            Ok(Some(_)) => Ok(()),
            other => Err(format!("the header is {other:?}")),
        }
    }

    /// A store that was removed leaves no key.
    fn check_destroyed(&self, crash: &Crash) -> Result<(), String> {
        let kept = &self.worlds[crash.acknowledged];
        let stores = Path::new(ROOT).join("stores");
        if kept.as_ref().is_none_or(|kept| !kept.is_empty()) || self.worlds.len() > 2 {
            return Ok(());
        }
        for ((_, vault, _), key) in &crash.entries {
            let key = StorageKey::from_bytes(key).expect("32 bytes");
            for file in ["keys.a", "keys.b"] {
                let bytes = crash
                    .image
                    .file(&Path::new(ROOT).join(file))
                    .unwrap_or_default();
                let table = KeyTable::unwrap(&key, bytes).map_err(|error| error.to_string())?;
                assert_eq!(table.vault(), *vault);
                for store in self
                    .base
                    .tree
                    .get(&stores)
                    .into_iter()
                    .flat_map(BTreeMap::keys)
                {
                    if table.find(&KeyPurpose::store(store)).is_some() {
                        return Err(format!("{file} has a key of a store that is gone"));
                    }
                }
            }
        }
        Ok(())
    }

    fn crash_again(&self, crash: &Crash, tally: &mut Tally) -> Result<(), String> {
        let fixture = self.after(crash);
        if matches!(fixture.open(), Err(OpenError::Uninitialized)) {
            return Ok(());
        }
        // What that look mended is part of what may crash.
        let fixture = self.after(crash);
        let steps: &[Step] = &[
            |stage| stage.fixture.resume(stage.vault()).expect("whole"),
            |stage| {
                for record in stage.vault().stores() {
                    if record.kind == Kind::Documents {
                        let store = stage.documents(record.name.as_str());
                        store.checkpoint().expect("checkpoint");
                    }
                }
            },
            |stage| {
                if let Some(record) = stage.vault().stores().first() {
                    if record.kind == Kind::Blobs {
                        let store = stage.vault().blobs(&record.name).expect("open");
                        store.put("", &body("recovered")).expect("put");
                        return;
                    }
                    let content = Content::json(body("recovered"));
                    let store = stage.documents(record.name.as_str());
                    store
                        .put(id("a"), content, Precondition::None)
                        .expect("put");
                }
            },
        ];
        let run = run_steps(fixture, steps, true);
        let mut inner = Tally::default();
        let result = run.check(None, None, &mut inner);
        tally.second += inner.states;
        result.map_err(|what| format!("amid recovery, {what}"))
    }
}
