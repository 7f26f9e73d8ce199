//! Keys that live in an age plug-in, with plug-ins of ours in `fixtures/plugins`.
#![cfg(unix)]

use std::{env, path::Path, process::Command};

use vault_crypto::{
    Identities, PassphraseError, Recipients, SecretBytes, StorageKey, VaultId, key_export,
};

const VAULT: VaultId = VaultId::from_bytes([7; 16]);

fn storage_key() -> StorageKey {
    StorageKey::from_bytes(&[5; 32]).expect("32 bytes")
}

fn seal(recipients: &[&str]) -> Result<Vec<u8>, PassphraseError> {
    let keys: Vec<_> = recipients.iter().map(|key| (*key).to_owned()).collect();
    key_export::seal(VAULT, &storage_key(), &Recipients::Keys(&keys))
}

fn open(file: &[u8], identity: &str) -> Result<StorageKey, PassphraseError> {
    let identity = SecretBytes::new(identity.as_bytes().to_vec());
    key_export::open(file, &Identities::Keys(&identity)).map(|opened| opened.key)
}

/// age looks plug-ins up in `PATH`, which a process cannot safely change for itself: the test runs
/// once more in a process with another `PATH`.
#[test]
fn keys_of_plug_ins() {
    const WITH_PLUGINS: &str = "VAULT_CRYPTO_TEST_PLUGINS";
    if env::var_os(WITH_PLUGINS).is_some() {
        return with_plug_ins_in_the_path();
    }
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/plugins");
    let mut path = vec![plugins];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let status = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", "keys_of_plug_ins"])
        .env("PATH", env::join_paths(path).expect("no colon in a path"))
        .env(WITH_PLUGINS, "1")
        .status()
        .expect("this test starts");
    assert!(status.success());
}

fn with_plug_ins_in_the_path() {
    let file = seal(&["age1foobar10t5vyf"]).expect("sealed");
    let key = open(&file, "AGE-PLUGIN-FOOBAR-1QVHULF\n").expect("opened");
    assert_eq!(key.expose(), storage_key().expose());

    // What a plug-in would ask a person stays without an answer, and what it says is escaped.
    let error = open(&file, "AGE-PLUGIN-ASKPIN-17FKPNQ\n").expect_err("no PIN");
    let PassphraseError::Plugin(text) = &error else {
        panic!("{error}");
    };
    assert!(text.contains(r"\u{1b}no PIN"), "{text}");

    let error = seal(&["age1foobar10t5vyf", "age1absent1agzqlh"]).expect_err("not installed");
    assert!(error.to_string().contains("age-plugin-absent"), "{error}");
}
