//! Every crash amid whatever is done to secrets leaves the old value or the new, and nothing that an
//! inspection does not find.

use std::{collections::BTreeMap, ops::ControlFlow};

use vault_store::{
    StoreError, Vault,
    secrets::{Inspection, SecretPlace},
};

use crate::{
    secrets::{PLACES, create, get, open, secret, set},
    support::{
        crash::{Crash, enumerate},
        fixture::Fixture,
        simulated::Operation,
    },
};

/// Values by name.
type World = BTreeMap<&'static str, &'static [u8]>;

const NAMES: [&str; 3] = ["a:changed", "a:new", "a:deleted"];

/// What is done, and the value that a secret then has, or that it has none.
struct Step {
    work: fn(&Vault, &Fixture),
    after: Option<(&'static str, Option<&'static [u8]>)>,
}

const STEPS: [Step; 3] = [
    Step {
        work: |vault, _| set(vault, "a:changed", b"after"),
        after: Some(("a:changed", Some(b"after"))),
    },
    Step {
        work: |vault, _| set(vault, "a:new", b"new"),
        after: Some(("a:new", Some(b"new"))),
    },
    Step {
        work: |vault, _| {
            let store = vault.secrets_or_create().expect("open");
            store.delete(&secret("a:deleted")).expect("deleted");
        },
        after: Some(("a:deleted", None)),
    },
];

/// A world after a step.
fn next(mut world: World, step: &Step) -> World {
    match step.after {
        Some((name, Some(value))) => world.insert(name, value),
        Some((name, None)) => world.remove(name),
        None => None,
    };
    world
}

fn filled(vault: &Vault) -> World {
    let world: World = [
        ("a:changed", &b"before"[..]),
        ("a:deleted", b"to be deleted"),
    ]
    .into();
    for (name, value) in &world {
        set(vault, name, value);
    }
    world
}

/// Runs steps on a vault, and hands every state a crash may leave to `look`, with the worlds that may
/// be seen then. Returns how many there were.
fn crash_amid(
    fixture: &Fixture,
    vault: &Vault,
    before: World,
    steps: &[Step],
    look: &mut dyn FnMut(&Fixture, &Crash, &[World]),
) -> usize {
    fixture.simulated.settle();
    let (base, entries) = (fixture.simulated.image(), fixture.keyring.entries());
    let mut log = vec![Operation::Secrets {
        secrets: fixture.keyring.held_secrets(),
    }];
    let mut worlds = vec![before];
    for step in steps {
        (step.work)(vault, fixture);
        fixture.simulated.acknowledge();
        let world = worlds.last().expect("one").clone();
        worlds.push(next(world, step));
    }
    log.extend(fixture.simulated.log());
    let mut states = 0;
    let _ = enumerate(&base, &entries, &log, None, &mut |crash| {
        if crash.at > 0 {
            states += 1;
            let mut after = fixture.after_with(crash.image.clone(), crash.entries.clone());
            after.keyring = after.keyring.with_secrets(crash.secrets.clone());
            let last = worlds.len().min(crash.acknowledged + 2);
            look(&after, &crash, &worlds[crash.acknowledged..last]);
        }
        ControlFlow::Continue(())
    });
    states
}

#[test]
fn every_crash_amid_a_change_leaves_the_old_or_the_new() {
    for place in PLACES {
        let fixture = Fixture::new();
        let vault = create(&fixture, place);
        let before = filled(&vault);
        let states = crash_amid(
            &fixture,
            &vault,
            before,
            &STEPS,
            &mut |after, crash, worlds| {
                let vault = open(after, place);
                for name in NAMES {
                    let seen = get(&vault, name);
                    let fits = |world: &World| match &seen {
                        Ok(value) => value.as_deref() == world.get(name).copied(),
                        // Deleted amid which: the value went first.
                        Err(StoreError::SecretValueMissing(_)) => {
                            place == SecretPlace::Keyring && !world.contains_key(name)
                        }
                        Err(error) => panic!("{name}: {error}"),
                    };
                    assert!(
                        worlds.iter().any(fits),
                        "{place:?}, after operation {}: {name} is {seen:?}, not of {worlds:?}",
                        crash.at
                    );
                }
                // What is left over is found, and only a value under way may be.
                let found = vault.inspect_secrets().expect("inspected");
                assert!(found.left_behind.is_empty());
                assert!(found.unlisted.iter().all(|name| name.as_str() == "a:new"));
                vault.mend_secrets(&found).expect("mended");
                set(&vault, "a:new", b"later");
                assert_eq!(
                    get(&vault, "a:new").expect("read").as_deref(),
                    Some(&b"later"[..])
                );
                for name in found.missing {
                    let store = vault.secrets_or_create().expect("open");
                    store.delete(&name).expect("deleted for good");
                }
                let found = vault.inspect_secrets().expect("inspected");
                assert_eq!(found, Inspection::default());
            },
        );
        assert!(states > 20, "{place:?}: {states}");
    }
}

#[test]
fn every_crash_amid_a_move_leaves_every_value_where_the_list_says() {
    for (from, to) in [(PLACES[0], PLACES[1]), (PLACES[1], PLACES[0])] {
        let fixture = Fixture::new();
        let vault = create(&fixture, from);
        let before = filled(&vault);
        let to_vault = |vault: &Vault, fixture: &Fixture| {
            let moved = vault.move_secrets(SecretPlace::Vault, &fixture.keyring);
            moved.expect("moved");
        };
        let to_keyring = |vault: &Vault, fixture: &Fixture| {
            let moved = vault.move_secrets(SecretPlace::Keyring, &fixture.keyring);
            moved.expect("moved");
        };
        let step = Step {
            work: match to {
                SecretPlace::Vault => to_vault,
                SecretPlace::Keyring => to_keyring,
            },
            after: None,
        };
        let states = crash_amid(
            &fixture,
            &vault,
            before,
            &[step],
            &mut |after, crash, worlds| {
                // As before the storage key has arrived, and as after.
                for place in PLACES {
                    let vault = open(after, place);
                    for (name, value) in &worlds[0] {
                        let seen = get(&vault, name);
                        let seen = seen.unwrap_or_else(|error| panic!("{}: {error}", crash.at));
                        assert_eq!(seen.as_deref(), Some(*value), "{name} at {}", crash.at);
                    }
                }
                let vault = open(after, to);
                vault.move_secrets(to, &after.keyring).expect("goes on");
                for (name, value) in &worlds[0] {
                    assert_eq!(get(&vault, name).expect("read").as_deref(), Some(*value));
                }
                let held = after.keyring.held_secrets().len();
                let expected = if to == SecretPlace::Vault { 0 } else { 2 };
                assert_eq!(held, expected, "the old place is empty");
                assert_eq!(
                    vault.inspect_secrets().expect("read"),
                    Inspection::default()
                );
            },
        );
        assert!(states > 12, "{to:?}: {states}");
    }
}
