//! Keyring and disk go wrong at every step of whatever is done to secrets: a named error, never "no
//! such secret"; the old value or the new, and another try does it.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use vault_crypto::{SecretBytes, SecretName, VaultId};
use vault_store::{
    KeySourceError, StoreError, Vault,
    secrets::{Inspection, SecretEntries, SecretKeyring, SecretPlace},
    vault::VaultOptions,
};

use crate::{
    secrets::{PLACES, create, get, open, secret, set},
    support::{
        faulty::{Fault, FaultyFileSystem, Struck},
        fixture::Fixture,
        keyring::KeyringFault,
    },
};

type Work = fn(&Vault, &Fixture) -> Result<(), StoreError>;

fn replace(vault: &Vault, _: &Fixture) -> Result<(), StoreError> {
    let store = vault.secrets_or_create()?;
    store.set(&crate::secrets::new("a:b", b"after")).map(drop)
}

fn read(vault: &Vault, _: &Fixture) -> Result<(), StoreError> {
    let store = vault.secrets_or_create()?;
    store.get(&secret("a:b")).map(drop)
}

fn delete(vault: &Vault, _: &Fixture) -> Result<(), StoreError> {
    vault.secrets_or_create()?.delete(&secret("a:b"))
}

fn to_vault(vault: &Vault, fixture: &Fixture) -> Result<(), StoreError> {
    vault.move_secrets(SecretPlace::Vault, &fixture.keyring)
}

fn to_keyring(vault: &Vault, fixture: &Fixture) -> Result<(), StoreError> {
    vault.move_secrets(SecretPlace::Keyring, &fixture.keyring)
}

/// What is done, and the values that may be seen after it failed.
const WORKS: [(Work, &[Option<&[u8]>]); 5] = [
    (replace, &[Some(b"before"), Some(b"after")]),
    (read, &[Some(b"before")]),
    (delete, &[Some(b"before"), None]),
    (to_vault, &[Some(b"before")]),
    (to_keyring, &[Some(b"before")]),
];

fn check(vault: &Vault, fixture: &Fixture, number: usize, what: &str) {
    let (work, allowed) = WORKS[number];
    let seen = match get(vault, "a:b") {
        // The value of one that is being deleted goes first.
        Err(StoreError::SecretValueMissing(_)) => None,
        seen => seen.unwrap_or_else(|error| panic!("{what}: {error}")),
    };
    assert!(allowed.contains(&seen.as_deref()), "{what}: {seen:?}");
    match work(vault, fixture) {
        Ok(()) => {}
        // It was done, though nobody said so.
        Err(StoreError::NoSuchSecret(_)) if number == 2 => {}
        Err(error) => panic!("{what}, once more: {error}"),
    }
    let last = *allowed.last().expect("one");
    assert_eq!(get(vault, "a:b").expect("read").as_deref(), last, "{what}");
}

#[test]
fn a_keyring_that_fails_is_told_apart_from_one_that_has_no_entry() {
    for place in PLACES {
        for (number, (work, allowed)) in WORKS.into_iter().enumerate() {
            for fault in KeyringFault::ALL {
                for call in 0.. {
                    let what = format!("{place:?}, work {number}, {fault:?} at call {call}");
                    let fixture = Fixture::new();
                    let vault = create(&fixture, place);
                    set(&vault, "a:b", b"before");
                    fixture.keyring.strike(call, fault);
                    let done = work(&vault, &fixture);
                    if !fixture.keyring.heal() {
                        done.unwrap_or_else(|error| panic!("{what}: {error}"));
                        break;
                    }
                    match done {
                        Ok(()) | Err(StoreError::Keyring(_)) => {}
                        Err(error) => panic!("{what}: {error}"),
                    }
                    check(&vault, &fixture, number, &what);
                    vault.close();
                    let target = match number {
                        3 => SecretPlace::Vault,
                        4 => SecretPlace::Keyring,
                        _ => place,
                    };
                    let last = *allowed.last().expect("one");
                    let seen = get(&open(&fixture, target), "a:b").expect("read");
                    assert_eq!(seen.as_deref(), last, "{what}, opened again");
                }
            }
        }
    }
}

#[test]
fn a_locked_keyring_says_so() {
    let fixture = Fixture::new();
    let vault = create(&fixture, SecretPlace::Keyring);
    set(&vault, "a:b", b"before");
    fixture.keyring.strike(0, KeyringFault::Locked);
    for name in ["a:b", "a:never-set"] {
        let store = vault.secrets_or_create().expect("open");
        let set = store.set(&crate::secrets::new(name, b"value"));
        assert!(matches!(
            set,
            Err(StoreError::Keyring(KeySourceError::Locked(_)))
        ));
        let deleted = store.delete(&secret(name));
        assert!(matches!(
            deleted,
            Err(StoreError::Keyring(KeySourceError::Locked(_)))
        ));
    }
    let read = get(&vault, "a:b");
    assert!(matches!(
        read,
        Err(StoreError::Keyring(KeySourceError::Locked(_)))
    ));
    assert_eq!(get(&vault, "a:never-set").expect("not listed"), None);
    fixture.keyring.heal();
    assert_eq!(
        get(&vault, "a:b").expect("read").as_deref(),
        Some(&b"before"[..])
    );
    assert_eq!(
        vault.inspect_secrets().expect("read"),
        Inspection::default()
    );
}

#[test]
fn a_value_that_the_keyring_keeps_after_a_move_goes_with_its_secret() {
    let fixture = Fixture::new();
    let vault = create(&fixture, SecretPlace::Keyring);
    set(&vault, "a:b", b"before");
    // The value is read, and then not removed.
    fixture.keyring.strike(1, KeyringFault::Locked);
    to_vault(&vault, &fixture).expect_err("half a move");
    fixture.keyring.heal();
    vault.close();
    let vault = open(&fixture, SecretPlace::Vault);
    let found = vault.inspect_secrets().expect("inspected");
    assert_eq!(found.left_behind, [secret("a:b")]);
    // A value set anew does not make it forgotten.
    fixture.keyring.strike(0, KeyringFault::Locked);
    set(&vault, "a:b", b"after");
    let refused = delete(&vault, &fixture);
    assert!(matches!(
        refused,
        Err(StoreError::Keyring(KeySourceError::Locked(_)))
    ));
    assert_eq!(
        get(&vault, "a:b").expect("read").as_deref(),
        Some(&b"after"[..])
    );
    fixture.keyring.heal();
    assert_eq!(fixture.keyring.held_secrets().len(), 1);
    delete(&vault, &fixture).expect("deleted");
    assert!(fixture.keyring.held_secrets().is_empty());
}

#[test]
fn a_secret_of_the_vault_can_be_deleted_without_the_keyring() {
    let fixture = Fixture::new();
    let vault = create(&fixture, SecretPlace::Keyring);
    set(&vault, "a:b", b"before");
    fixture.keyring.strike(1, KeyringFault::Gone);
    to_vault(&vault, &fixture).expect_err("half a move");
    delete(&vault, &fixture).expect("nothing to wait for");
    assert_eq!(get(&vault, "a:b").expect("read"), None);
    set(&vault, "a:c", b"sealed");
    fixture.keyring.strike(0, KeyringFault::Locked);
    let store = vault.secrets_or_create().expect("open");
    store.delete(&secret("a:c")).expect("the keyring has none");
    assert!(!fixture.keyring.heal(), "and is not asked");
}

#[test]
fn a_disk_that_fails_loses_no_value() {
    for place in PLACES {
        for (number, (work, _)) in WORKS.into_iter().enumerate() {
            for fault in Fault::ALL {
                for call in 0.. {
                    let what = format!("{place:?}, work {number}, {fault:?} at call {call}");
                    let mut fixture = Fixture::new();
                    let faulty = FaultyFileSystem::new(
                        Arc::clone(&fixture.fs),
                        Some(fixture.simulated.clone()),
                    );
                    let faulty = Arc::new(faulty);
                    fixture.fs = Arc::clone(&faulty) as Arc<dyn vault_store::FileSystem>;
                    let vault = create(&fixture, place);
                    set(&vault, "a:b", b"before");
                    faulty.strike(call, fault);
                    let done = work(&vault, &fixture);
                    match faulty.heal() {
                        Struck::Never => {
                            done.unwrap_or_else(|error| panic!("{what}: {error}"));
                            break;
                        }
                        Struck::Elsewhere => continue,
                        Struck::There => {}
                    }
                    check(&vault, &fixture, number, &what);
                    assert!(faulty.retried_syncs().is_empty(), "{what}");
                }
            }
        }
    }
}

/// A keyring that says when it is asked for its entries, and answers when it is let go.
struct Hesitant {
    asked: mpsc::Sender<()>,
    answer: Mutex<mpsc::Receiver<()>>,
}

impl SecretEntries for Hesitant {
    fn load(&self, _: VaultId, _: &SecretName) -> Result<Option<SecretBytes>, KeySourceError> {
        Ok(None)
    }

    fn save(&self, _: VaultId, _: &SecretName, _: &[u8]) -> Result<(), KeySourceError> {
        Ok(())
    }

    fn remove(&self, _: VaultId, _: &SecretName) -> Result<(), KeySourceError> {
        Ok(())
    }

    fn list(&self, _: VaultId) -> Result<Vec<SecretName>, KeySourceError> {
        self.asked.send(()).expect("heard");
        let _ = self.answer.lock().expect("whole").recv();
        Ok(Vec::new())
    }
}

#[test]
fn a_vault_is_locked_while_the_keyring_takes_its_time() {
    let fixture = Fixture::new();
    let (asked, hear) = mpsc::channel();
    let (let_go, answer) = mpsc::channel();
    let answer = Mutex::new(answer);
    let entries = Arc::new(Hesitant { asked, answer });
    let options = VaultOptions {
        secrets: SecretKeyring::new(entries, SecretPlace::Keyring),
        ..fixture.options()
    };
    let vault = Vault::create(fixture.root(), &fixture.keyring, options).expect("a new vault");
    let store = vault.secrets_or_create().expect("open");
    thread::scope(|scope| {
        scope.spawn(|| store.inspect());
        hear.recv().expect("asked");
        let (closed, hear) = mpsc::channel();
        scope.spawn(move || {
            vault.close();
            let _ = closed.send(());
        });
        let in_time = hear.recv_timeout(Duration::from_secs(20));
        let_go.send(()).expect("waited for");
        in_time.expect("locked meanwhile");
    });
}
