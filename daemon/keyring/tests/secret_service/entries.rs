//! What is written, read and deleted.

use std::{collections::HashMap, process::Command};

use secret_service::{EncryptionType, blocking::SecretService};
use vault_crypto::SecretName;
use vault_keyring::{Account, EntryName, Interaction::Forbidden, KeyringError, Probe, SERVICE};

use super::{
    KEY, LONG, OTHER, account, get, labels,
    session::{Session, scenario},
};

#[test]
fn a_key_goes_round_and_other_programs_read_it() {
    scenario(|session| {
        session.start_bus();
        session.start_keyring();
        let keyring = Session::keyring(LONG);
        assert_eq!(get(&keyring, 1), Err(KeyringError::NoEntry));
        keyring.set(&account(1), &OTHER, Forbidden).expect("set");
        keyring.set(&account(1), &KEY, Forbidden).expect("replaced");
        assert_eq!(get(&keyring, 1), Ok(KEY.to_vec()));
        assert_eq!(labels(), ["vaultd storage key (01010101)"]);
        let name = account(1).to_string();
        let found = Command::new("secret-tool")
            .args(["lookup", "service", "vaultd", "username", &name])
            .output()
            .expect("secret-tool");
        assert_eq!(found.stdout, data_encoding::BASE64.encode(&KEY).as_bytes());
        keyring.delete(&account(1), Forbidden).expect("deleted");
        assert_eq!(get(&keyring, 1), Err(KeyringError::NoEntry));
        let again = keyring.delete(&account(1), Forbidden);
        assert_eq!(again, Err(KeyringError::NoEntry));
    });
}

#[test]
fn two_vaults_and_two_names_do_not_touch_each_other() {
    scenario(|session| {
        session.start_bus();
        session.start_keyring();
        let keyring = Session::keyring(LONG);
        let next = Account {
            name: EntryName::StorageKeyNext,
            ..account(1)
        };
        keyring.set(&account(1), &KEY, Forbidden).expect("set");
        assert_eq!(get(&keyring, 2), Err(KeyringError::NoEntry));
        let absent = keyring.get(&next, Forbidden).err();
        assert_eq!(absent, Some(KeyringError::NoEntry));
        keyring.set(&account(2), &OTHER, Forbidden).expect("set");
        keyring.set(&next, &OTHER, Forbidden).expect("set");
        keyring.delete(&account(2), Forbidden).expect("deleted");
        keyring.delete(&next, Forbidden).expect("deleted");
        assert_eq!(get(&keyring, 1), Ok(KEY.to_vec()));
    });
}

#[test]
fn secrets_of_any_bytes_go_round_and_are_listed_by_vault() {
    scenario(|session| {
        session.start_bus();
        session.start_keyring();
        let keyring = Session::keyring(LONG);
        let secret = |vault, name| Account {
            name: EntryName::Secret(SecretName::parse(name).expect("a name")),
            ..account(vault)
        };
        let largest: Vec<u8> = (0..=u8::MAX).cycle().take(64 << 10).collect();
        for value in [&b"\0\n\xFF"[..], &largest] {
            let one = secret(1, "connection:one");
            keyring.set(&one, value, Forbidden).expect("set");
            let back = keyring.get(&one, Forbidden).expect("read");
            assert!(back.expose() == value, "another value");
        }
        keyring.set(&account(1), &KEY, Forbidden).expect("set");
        keyring
            .set(&secret(2, "connection:two"), b"x", Forbidden)
            .expect("set");
        let listed = keyring.list(account(1).vault, Forbidden).expect("listed");
        let listed: Vec<&str> = listed.iter().map(SecretName::as_str).collect();
        assert_eq!(listed, ["connection:one"]);
        session.lock_keyring();
        let locked = keyring.list(account(1).vault, Forbidden);
        assert!(matches!(locked, Err(KeyringError::Locked(_))), "{locked:?}");
    });
}

#[test]
fn a_probe_leaves_nothing_behind() {
    scenario(|session| {
        session.start_bus();
        session.start_keyring();
        let keyring = Session::keyring(LONG);
        assert_eq!(keyring.probe(), Ok(Probe::Works));
        assert_eq!(labels(), [""; 0]);
    });
}

#[test]
fn foreign_and_doubled_entries_are_errors_and_not_absent() {
    scenario(|session| {
        session.start_bus();
        session.start_keyring();
        let keyring = Session::keyring(LONG);
        let service = SecretService::connect(EncryptionType::Plain).expect("connected");
        let collection = service.get_default_collection().expect("a collection");
        let name = account(1).to_string();
        let plant = |secret: &[u8]| {
            let attributes = HashMap::from([("service", SERVICE), ("username", name.as_str())]);
            let planted = collection.create_item("x", attributes, secret, false, "text/plain");
            planted.expect("planted");
        };
        plant(b"hunter2!");
        plant(b"hunter2!");
        let error = get(&keyring, 1).expect_err("two entries");
        assert!(matches!(error, KeyringError::Failed(_)), "{error}");
        println!("{error}");
        let items = collection.get_all_items().expect("items");
        items[0].delete().expect("one less");
        items[1]
            .set_secret(b"hunter2!?", "text/plain")
            .expect("set");
        let error = get(&keyring, 1).expect_err("not base64");
        assert!(matches!(error, KeyringError::Damaged(_)), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error}");
    });
}
