//! Keyring and disk go wrong at every step of whatever is done to keys: a named error, the vault works
//! on, and going on completes it.

use std::{ops::ControlFlow, sync::Arc};

use vault_crypto::{MasterKey, Salt, StorageKey};
use vault_store::{
    KeySourceError, StoreError, Vault,
    documents::Precondition,
    rotation::{Depth, RotationError},
    vault::{MoveError, NextKey},
};

use crate::{
    fault_works::{STORE, documents, with_journal},
    support::{
        crash::sample_final,
        faulty::{Fault, FaultyFileSystem, Struck},
        fixture::{Fixture, content, id},
        keyring::{KeyringFault, OTHER},
        rotating::{advance, rotate},
        settled::nothing_half_done,
        simulated::Operation,
        world::{World, observe},
    },
};

/// Why a piece of work stopped.
#[derive(Debug)]
enum Stopped {
    Keyring(KeySourceError),
    Disk(StoreError),
    /// What was derived has to be derived again.
    Gone,
}

impl From<RotationError> for Stopped {
    fn from(error: RotationError) -> Self {
        match error {
            RotationError::KeySource(error) => Self::Keyring(error),
            RotationError::Store(error) => Self::Disk(error),
            RotationError::None => Self::Gone,
            other => panic!("{other}"),
        }
    }
}

impl From<MoveError> for Stopped {
    fn from(error: MoveError) -> Self {
        match error {
            MoveError::KeySource(error) => Self::Keyring(error),
            MoveError::Store(error) => Self::Disk(error),
            other => panic!("{other}"),
        }
    }
}

type Work = fn(&Vault, &Fixture) -> Result<(), Stopped>;

fn rewrap(vault: &Vault, fixture: &Fixture) -> Result<(), Stopped> {
    rotate(vault, &fixture.keyring, Depth::Rewrap)?;
    Ok(())
}

fn reencrypt(vault: &Vault, fixture: &Fixture) -> Result<(), Stopped> {
    rotate(vault, &fixture.keyring, Depth::Reencrypt)?;
    Ok(())
}

fn roll_back(vault: &Vault, fixture: &Fixture) -> Result<(), Stopped> {
    let next = NextKey::Random { drop_salt: false };
    vault.begin_rotation(&fixture.keyring, Depth::Reencrypt, next)?;
    vault.advance_rotation(&fixture.keyring, &mut |_| ControlFlow::Break(()))?;
    vault.roll_back_rotation(&fixture.keyring)?;
    advance(vault, &fixture.keyring)?;
    Ok(())
}

fn derive(vault: &Vault, fixture: &Fixture) -> Result<(), Stopped> {
    let master = MasterKey::from_bytes(&[3; 32]).expect("32 bytes");
    let salt = Salt::from_bytes([4; 32]);
    let key = StorageKey::derive(&master, &salt);
    let next = NextKey::Derived { key, salt };
    vault.begin_rotation(&fixture.keyring, Depth::Rewrap, next)?;
    advance(vault, &fixture.keyring)?;
    Ok(())
}

fn move_key(vault: &Vault, fixture: &Fixture) -> Result<(), Stopped> {
    vault.begin_move(&fixture.keyring.backend_named(OTHER))?;
    vault.finish_move(&fixture.keyring)?;
    Ok(())
}

const WORKS: &[(&str, Work)] = &[
    ("rewrap", rewrap),
    ("reencrypt", reencrypt),
    ("roll back", roll_back),
    ("derive", derive),
    ("move", move_key),
];

/// A vault with documents in objects and in a journal, everything of it durable.
fn vault() -> Fixture {
    let fixture = Fixture::new();
    with_journal(&fixture.create().expect("a new vault"));
    fixture.simulated.settle();
    fixture
}

/// The vault shows what it showed, takes a write, and goes on to the end when told.
fn works_on_and_completes(fixture: &Fixture, vault: &Vault, before: &World) -> Result<(), String> {
    if observe(vault)? != *before {
        return Err("other documents are seen".to_owned());
    }
    let written = documents(vault).and_then(|store| {
        store.put(id("amid"), content("amid"), Precondition::None)?;
        store.delete(&id("amid"), Precondition::None)
    });
    written.map_err(|error| format!("the vault does not work on: {error}"))?;
    fixture.resume(vault)?;
    let held = fixture.simulated.log().into_iter();
    let held: Vec<_> = held
        .filter_map(|operation| match operation {
            Operation::Keyring { entries } => Some(entries),
            _ => None,
        })
        .collect();
    nothing_half_done(fixture, vault, held.iter())?;
    let bodies = |world: &World| {
        let store = world.get(STORE).cloned().unwrap_or_default();
        store
            .bodies()
            .into_iter()
            .map(|(id, body)| (id.to_owned(), body.to_owned()))
            .collect::<Vec<_>>()
    };
    if bodies(&observe(vault)?) == bodies(before) {
        Ok(())
    } else {
        Err("other documents are seen afterwards".to_owned())
    }
}

#[test]
fn a_keyring_may_fail_at_every_step() {
    for (name, work) in WORKS {
        let mut steps = 0;
        for fault in KeyringFault::ALL {
            for call in 0.. {
                let context = format!("{name}: {fault:?} from call {call}");
                let fixture = vault();
                let vault = fixture.open().expect("open");
                let before = observe(&vault).expect("whole");
                fixture.keyring.strike(call, fault);
                let result = work(&vault, &fixture);
                if !fixture.keyring.heal() {
                    result.unwrap_or_else(|error| panic!("{context}: {error:?}"));
                    break;
                }
                steps += 1;
                if let Err(stopped) = &result {
                    let Stopped::Keyring(error) = stopped else {
                        panic!("{context}: {stopped:?}");
                    };
                    let named = match fault {
                        KeyringFault::Locked => matches!(error, KeySourceError::Locked(_)),
                        KeyringFault::Gone => matches!(error, KeySourceError::Unreachable(_)),
                        KeyringFault::Slow => matches!(error, KeySourceError::TimedOut(_)),
                        KeyringFault::RefusesWrites => matches!(error, KeySourceError::Denied(_)),
                        KeyringFault::Forgets => matches!(error, KeySourceError::Damaged(_)),
                    };
                    assert!(named, "{context}: {stopped:?}");
                }
                // As it is, and as the next start finds it.
                let after = fixture.after(fixture.simulated.image());
                works_on_and_completes(&fixture, &vault, &before)
                    .unwrap_or_else(|what| panic!("{context}: {result:?}, {what}"));
                let vault = after
                    .start()
                    .unwrap_or_else(|error| panic!("{context}: {error}"))
                    .unwrap_or_else(|what| panic!("{context}: {what}"));
                works_on_and_completes(&after, &vault, &before)
                    .unwrap_or_else(|what| panic!("{context}: {result:?}, next start: {what}"));
            }
        }
        eprintln!("{name}: {steps} failing steps");
        assert!(steps >= KeyringFault::ALL.len());
    }
}

/// Whatever the disk is left with, going back leads to a vault that its old key opens.
#[test]
fn a_rotation_that_the_disk_stopped_is_rolled_back() {
    for (name, work) in &WORKS[..2] {
        let mut undone = 0;
        for fault in [Fault::Io, Fault::IoAfterwards, Fault::Full] {
            for call in 0.. {
                let context = format!("{name}: {fault:?} at call {call}");
                let mut fixture = vault();
                let simulated = fixture.simulated.clone();
                let faulty = FaultyFileSystem::new(Arc::clone(&fixture.fs), Some(simulated));
                fixture.fs = Arc::new(faulty.clone());
                let vault = fixture.open().expect("open");
                let before = (observe(&vault).expect("whole"), vault.fingerprint());
                faulty.strike(call, fault);
                let result = work(&vault, &fixture);
                if faulty.heal() == Struck::Never {
                    break;
                }
                if result.is_ok() {
                    continue;
                }
                match vault.roll_back_rotation(&fixture.keyring) {
                    Ok(()) => undone += 1,
                    Err(RotationError::TooLate | RotationError::None) => continue,
                    Err(error) => panic!("{context}: {error}"),
                }
                advance(&vault, &fixture.keyring)
                    .unwrap_or_else(|error| panic!("{context}: {error}"));
                assert_eq!(vault.fingerprint(), before.1, "{context}");
                let after = fixture.after(fixture.simulated.image());
                for fixture in [&fixture, &after] {
                    let vault = fixture
                        .open()
                        .unwrap_or_else(|error| panic!("{context}: {error}"));
                    nothing_half_done(fixture, &vault, [].iter())
                        .unwrap_or_else(|what| panic!("{context}: {what}"));
                    assert_eq!(observe(&vault).expect("whole"), before.0, "{context}");
                    assert_eq!(vault.fingerprint(), before.1, "{context}");
                }
            }
        }
        eprintln!("{name}: {undone} rotations undone");
        assert!(undone > 20, "{name}: {undone}");
    }
}

#[test]
fn the_disk_may_fail_at_every_call() {
    for (name, work) in WORKS {
        let mut calls = 0;
        for fault in Fault::ALL {
            for call in 0.. {
                let context = format!("{name}: {fault:?} at call {call}");
                let mut fixture = vault();
                let simulated = fixture.simulated.clone();
                let faulty = FaultyFileSystem::new(Arc::clone(&fixture.fs), Some(simulated));
                fixture.fs = Arc::new(faulty.clone());
                let base = fixture.simulated.image();
                let vault = fixture.open().expect("open");
                let before = observe(&vault).expect("whole");
                faulty.strike(call, fault);
                let result = work(&vault, &fixture);
                match faulty.heal() {
                    Struck::Never => break,
                    Struck::Elsewhere => continue,
                    Struck::There => calls += 1,
                }
                if let Err(stopped) = &result {
                    let named = matches!(
                        stopped,
                        Stopped::Disk(StoreError::Io { .. }) | Stopped::Gone
                    );
                    assert!(named, "{context}: {stopped:?}");
                }
                let log = fixture.simulated.log();
                let entries = fixture.keyring.entries();
                works_on_and_completes(&fixture, &vault, &before)
                    .unwrap_or_else(|what| panic!("{context}: {result:?}, {what}"));
                // A power cut right after the failure, instead.
                for image in sample_final(&base, &log, call as u64) {
                    let after = fixture.after_with(image, entries.clone());
                    let vault = after
                        .start()
                        .unwrap_or_else(|error| panic!("{context}: after a crash: {error}"))
                        .unwrap_or_else(|what| panic!("{context}: after a crash: {what}"));
                    works_on_and_completes(&after, &vault, &before)
                        .unwrap_or_else(|what| panic!("{context}: after a crash: {what}"));
                }
            }
        }
        eprintln!("{name}: {calls} failing calls");
    }
}
