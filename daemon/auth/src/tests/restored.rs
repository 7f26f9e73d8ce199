//! Archives hold no tables: a restored vault is paired anew.

use std::ops::ControlFlow;

use vault_crypto::{Identities, Recipients, SecretBytes};
use vault_store::{
    Vault,
    archive::{self, Contents, Form, RestoreOptions},
};

use super::world::{World, admin_token, passkey, session};
use crate::{Change, Settings, SettingsChange};

fn passphrase() -> SecretBytes {
    SecretBytes::new(b"correct horse battery staple".to_vec())
}

fn backup(vault: &Vault) -> Vec<u8> {
    let mut out = Vec::new();
    let passphrase = passphrase();
    let form = Form::Sealed(Recipients::Passphrase {
        passphrase: &passphrase,
        work_factor: Some(1),
    });
    let mut report = |_: archive::Progress<'_>| ControlFlow::Continue(());
    archive::export(vault, &mut out, &form, &Contents::default(), &mut report).expect("exported");
    out
}

fn restore(vault: &Vault, archive: &[u8]) {
    let passphrase = passphrase();
    let identities = Identities::Passphrase(&passphrase);
    let mut report = |_: archive::Progress<'_>| ControlFlow::Continue(());
    let summary = archive::verify(archive, Some(&identities), &mut report).expect("verified");
    let options = RestoreOptions {
        merge: true,
        manifest: summary.manifest,
    };
    archive::restore(vault, archive, Some(&identities), &options, &mut report).expect("restored");
}

/// A vault with a passkey, a session, a token and a rule of its own, and its archive.
fn archived() -> (World, Vec<u8>) {
    let world = World::new();
    let opened = world.open();
    let paired = Change::AddPasskey {
        passkey: passkey("a", "localhost"),
        first: true,
        session: Some(session("s", "a", "localhost")),
        host: Some("nas.lan".to_owned()),
    };
    opened.auth.tables().change(paired).expect("paired");
    admin_token(&opened.auth, None);
    let off = SettingsChange {
        require_auth: Some(false),
        ..SettingsChange::default()
    };
    opened.auth.configure(&off).expect("configured");
    let archive = backup(&opened.vault);
    drop(opened);
    (world, archive)
}

#[test]
fn a_restored_vault_lets_nobody_in_who_was_let_in_before() {
    let (old, archive) = archived();
    let new = World::new();
    let vault = new.vault();
    restore(&vault, &archive);
    vault.close();
    let (before, after) = (old.reopened(), new.reopened());
    assert_ne!(after["signing_key"], before["signing_key"]);
    assert_eq!(after["settings"], serde_json::json!(Settings::default()));
    for gone in ["passkeys", "hosts", "sessions", "tokens"] {
        assert_eq!(before[gone].as_array().map(Vec::len), Some(1), "{gone}");
        assert_eq!(after[gone].as_array().map(Vec::len), Some(0), "{gone}");
    }
    assert_eq!(after["generation"].as_u64(), new.anchor.generation());
}

#[test]
fn an_archive_leaves_the_tables_there_are_alone() {
    let (world, archive) = archived();
    let opened = world.open();
    opened.auth.reset_tokens().expect("revoked");
    drop(opened);
    let before = world.reopened();
    let vault = world.vault();
    restore(&vault, &archive);
    vault.close();
    assert_eq!(world.reopened(), before);
}
