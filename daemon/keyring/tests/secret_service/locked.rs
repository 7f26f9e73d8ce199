//! A keyring that is there, but locked.

use vault_crypto::SecretBytes;
use vault_keyring::{
    Interaction::{Allowed, Forbidden},
    Keyring, KeyringError, Probe,
};

use super::{
    KEY, LONG, OTHER, account, get, labels,
    session::{Session, scenario},
};

#[track_caller]
fn assert_locked<T>(answer: Result<T, KeyringError>) {
    let error = answer.err().expect("locked");
    assert!(matches!(error, KeyringError::Locked(_)), "{error}");
}

/// What every call answers while the collection is locked and holds vault 1 only.
fn assert_all_locked(keyring: &Keyring) {
    assert_locked(get(keyring, 1));
    assert_eq!(
        get(keyring, 2),
        Err(KeyringError::NoEntry),
        "absent is known to be absent"
    );
    for vault in [1, 2] {
        assert_locked(keyring.set(&account(vault), &OTHER, Forbidden));
    }
    assert_locked(keyring.delete(&account(1), Forbidden));
    assert_eq!(keyring.probe(), Ok(Probe::Locked));
    assert_eq!(labels().len(), 1, "nothing was written");
}

#[test]
fn a_locked_keyring_is_told_from_an_absent_key_and_comes_to_life() {
    scenario(|session| {
        session.start_bus();
        session.start_keyring();
        let keyring = Session::keyring(LONG);
        keyring.set(&account(1), &KEY, Forbidden).expect("set");
        session.lock_keyring();
        assert_all_locked(&keyring);
        session.unlock_keyring();
        assert_eq!(get(&keyring, 1), Ok(KEY.to_vec()));
        // A new login: the keyring starts locked, with the entry from its file.
        session.kill_keyring();
        session.start_locked_keyring();
        assert_all_locked(&keyring);
        session.unlock_keyring();
        assert_eq!(get(&keyring, 1), Ok(KEY.to_vec()));
        assert_eq!(keyring.probe(), Ok(Probe::Works));
    });
}

#[test]
fn a_locked_keyring_that_lists_nothing_is_not_an_absent_key() {
    scenario(|session| {
        session.start_bus();
        session.start_keyring();
        let keyring = Session::keyring(LONG);
        session.lock_keyring();
        assert_locked(get(&keyring, 1));
        session.unlock_keyring();
        assert_eq!(get(&keyring, 1), Err(KeyringError::NoEntry));
    });
}

#[test]
fn without_a_default_collection_the_keyring_counts_as_locked() {
    scenario(|session| {
        session.start_bus();
        session.start_locked_keyring();
        let keyring = Session::keyring(LONG);
        assert_locked(get(&keyring, 1));
        assert_locked(keyring.get(&account(1), Allowed));
        assert_locked(keyring.set(&account(1), &KEY, Forbidden));
        assert_eq!(keyring.probe(), Ok(Probe::Locked));
    });
}

#[test]
fn where_a_dialog_cannot_be_shown_an_allowed_call_is_denied() {
    scenario(|session| {
        session.start_bus();
        session.start_keyring();
        let keyring = Session::keyring(LONG);
        keyring
            .set(&account(1), &KEY, Allowed)
            .expect("no dialog needed");
        assert_eq!(keyring.unlock(None), Ok(()), "unlocked already");
        let passphrase = SecretBytes::new(b"not ours to ask".to_vec());
        let error = keyring.unlock(Some(&passphrase)).expect_err("refused");
        assert!(matches!(error, KeyringError::Unsupported(_)), "{error}");
        session.lock_keyring();
        for answer in [
            keyring.get(&account(1), Allowed).map(drop),
            keyring.set(&account(1), &OTHER, Allowed),
            keyring.unlock(None),
        ] {
            let error = answer.expect_err("no dialog can be shown");
            assert!(matches!(error, KeyringError::Denied(_)), "{error}");
        }
        session.unlock_keyring();
        assert_eq!(get(&keyring, 1), Ok(KEY.to_vec()));
    });
}
