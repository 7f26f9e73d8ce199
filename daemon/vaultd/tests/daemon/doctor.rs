//! What the doctor says of each state a key can be in, and that its advice leads to a vault that
//! works. In every one of them, whoever asks is answered.

mod damage;
mod locations;
mod moving_in;
mod scenarios;

use std::fs;

use vault_client::{
    Client, Error, KeyState, Mend, NextKey, OpenWith, RotationDepth, SealFor, Severity,
};

use crate::support::{
    Daemon, Home,
    keyring::Session,
    reason, soon, until,
    vault::{
        KEY_FILE, PASSPHRASE, amid, assert_advises, assert_filled, ended, fill, finding, findings,
        found, mended, outcome, rotated, settled,
    },
};

pub(crate) const DOCUMENTS: usize = 10;

/// An answer, be it a refusal: with a reason, and without the word that there is a defect.
fn assert_answered<T>(what: &str, answer: Result<T, Error>) {
    if let Err(error) = answer {
        let reason = error.reason().unwrap_or_default().to_owned();
        let known = !["", "INTERNAL", "PERMISSION_DENIED", "TIMED_OUT"].contains(&reason.as_str());
        assert!(known, "{what}: {error:?}");
    }
}

/// Whoever asks is answered, whatever the state; and none of this leads out or makes it worse.
pub(crate) async fn assert_all_answer(client: &Client) {
    let state = settled(client).await;
    let before = found(client).await;
    let calls = async {
        assert_answered("status", client.status().await);
        assert_answered("key status", client.key_status().await);
        assert_answered("doctor", client.doctor(Mend::Nothing).await);
        assert_answered("key loss", client.key_loss().await);
        assert_answered("reset", client.reset_key(&"0".repeat(32)).await);
        let opened = OpenWith::Passphrase(PASSPHRASE);
        assert_answered("import", client.import_key(b"none", opened, None).await);
        if state != KeyState::Open {
            let derived = client.derive_key(&[9; 32], Some(PASSPHRASE)).await;
            assert!(derived.is_err(), "from a master key that is not its own");
            assert_answered("derive", derived);
        }
        assert_answered("unlock", client.unlock(Some(b"a wrong passphrase")).await);
    };
    soon("an answer", calls).await;
    // After a wrong guess the passphrase is what is wrong, until somebody asks again.
    until("all is what it was", async || {
        let _ = client.stores().await;
        settled(client).await == state
    })
    .await;
    assert_eq!(found(client).await, before);
}

/// A vault under a passphrase with an export of its key.
async fn exported(home: &Home, root: &str) -> (Daemon, Client, Vec<u8>) {
    let (daemon, client) = home.new_light(root).await;
    fill(&client, DOCUMENTS).await;
    let exported = client.export_key(SealFor::Passphrase(PASSPHRASE)).await;
    (daemon, client, exported.expect("exported").file)
}

pub(crate) async fn start(home: &Home, root: &str, state: KeyState) -> (Daemon, Client) {
    let daemon = home.start(root, &[]);
    let client = daemon.client().await;
    assert_eq!(settled(&client).await, state);
    (daemon, client)
}

/// The same daemon anew: its count of failed imports begins again.
async fn import_after_restart(home: &Home, root: &str, daemon: Daemon, export: &[u8]) -> Daemon {
    drop(daemon);
    let daemon = home.start(root, &[]);
    let client = daemon.client().await;
    let opened = OpenWith::Passphrase(PASSPHRASE);
    let imported = client.import_key(export, opened, None).await;
    imported.expect("imported");
    assert_healthy(&client).await;
    daemon
}

pub(crate) async fn assert_healthy(client: &Client) {
    assert_filled(client, DOCUMENTS).await;
    let findings = findings(client).await;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].reason_code, "healthy");
    assert_eq!(findings[0].severity, Severity::Ok);
}

#[tokio::test]
async fn a_key_that_is_missing_or_wrong_is_imported() {
    let home = Home::new();
    let (mut other, _, _) = exported(&home, "other").await;
    other.kill();
    let (mut daemon, _, export) = exported(&home, "root").await;
    daemon.kill();
    let file = home.path("root").join(KEY_FILE);
    fs::remove_file(&file).expect("removed");
    let (daemon, client) = start(&home, "root", KeyState::KeyMissing).await;
    assert_eq!(found(&client).await, ["key_missing"]);
    let missing = finding(&client, "key_missing").await;
    assert_eq!(missing.severity, Severity::Error);
    assert_advises(&missing, "vaultctl key import");
    assert_advises(&missing, "vaultctl key derive");
    assert_all_answer(&client).await;
    let mut daemon = import_after_restart(&home, "root", daemon, &export).await;

    daemon.kill();
    fs::copy(home.path("other").join(KEY_FILE), &file).expect("another's key");
    let (daemon, client) = start(&home, "root", KeyState::KeyringLocked).await;
    let unlocked = client.unlock(Some(PASSPHRASE)).await;
    assert_eq!(reason(unlocked), "WRONG_KEY");
    assert_eq!(settled(&client).await, KeyState::WrongKey);
    assert_eq!(found(&client).await, ["wrong_key"]);
    let wrong = finding(&client, "wrong_key").await;
    assert_eq!(wrong.severity, Severity::Error);
    assert_advises(&wrong, "vaultctl key import");
    assert_all_answer(&client).await;
    import_after_restart(&home, "root", daemon, &export).await;
}

#[tokio::test]
async fn a_locked_vault_and_a_locked_file_are_unlocked() {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, DOCUMENTS).await;
    client.lock().await.expect("locked");
    assert_eq!(found(&client).await, ["locked"]);
    let locked = finding(&client, "locked").await;
    assert_eq!(locked.severity, Severity::Note);
    assert_advises(&locked, "vaultctl unlock");
    assert_all_answer(&client).await;
    mended(&client).await;
    assert_eq!(settled(&client).await, KeyState::Locked, "on purpose");
    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    assert_healthy(&client).await;

    daemon.kill();
    let (_daemon, client) = start(&home, "root", KeyState::KeyringLocked).await;
    assert_eq!(found(&client).await, ["keyring_locked"]);
    let locked = finding(&client, "keyring_locked").await;
    assert_eq!(locked.severity, Severity::Error);
    assert_advises(&locked, "vaultctl unlock");
    assert_all_answer(&client).await;
    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    assert_healthy(&client).await;
}

#[tokio::test]
async fn a_keyring_that_is_locked_or_gone_comes_back() {
    let Some(mut session) = Session::start() else {
        return;
    };
    let mut daemon = session.home.start("root", &[]);
    let client = daemon.client().await;
    fill(&client, DOCUMENTS).await;
    let export = client.export_key(SealFor::Passphrase(PASSPHRASE)).await;
    let export = export.expect("exported").file;
    daemon.kill();
    session.lock_keyring();
    let (mut daemon, client) = start(&session.home, "root", KeyState::KeyringLocked).await;
    assert_eq!(found(&client).await, ["keyring_locked"]);
    let locked = finding(&client, "keyring_locked").await;
    assert_advises(&locked, "unlock the desktop's keyring");
    session.unlock_keyring();
    client.unlock(None).await.expect("unlocked");
    assert_healthy(&client).await;

    daemon.kill();
    session.end_keyring();
    let (mut daemon, client) = start(&session.home, "root", KeyState::KeyringUnavailable).await;
    assert_eq!(found(&client).await, ["keyring_unavailable"]);
    let gone = finding(&client, "keyring_unavailable").await;
    assert_eq!(gone.severity, Severity::Error);
    assert_advises(&gone, "start a Secret Service keyring");
    assert_advises(&gone, "vaultd --keyring passphrase");
    assert_all_answer(&client).await;
    session.start_locked_keyring();
    session.unlock_keyring();
    client.unlock(None).await.expect("unlocked");
    assert_healthy(&client).await;

    // The other way out.
    daemon.kill();
    session.end_keyring();
    let mut daemon = session.home.start("root", &["--keyring", "passphrase"]);
    let client = daemon.client().await;
    settled(&client).await;
    let opened = OpenWith::Passphrase(PASSPHRASE);
    let imported = client.import_key(&export, opened, None).await;
    imported.expect("imported");
    assert_healthy(&client).await;
    daemon.kill();
    let (_daemon, client) = start(&session.home, "root", KeyState::KeyringLocked).await;
    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    assert_healthy(&client).await;
}

#[tokio::test]
async fn a_rotation_that_a_keyring_stopped_goes_on() {
    let Some(mut session) = Session::start() else {
        return;
    };
    let daemon = session.home.start("root", &[]);
    let client = daemon.client().await;
    fill(&client, 400).await;
    let rotation = client.rotate_key(RotationDepth::Reencrypt, NextKey::AsBefore);
    let mut rotation = rotation.await.expect("begun");
    amid(&mut rotation).await;
    session.end_keyring();
    let (_, stopped) = ended(rotation).await;
    assert_eq!(reason(stopped), "KEYRING_UNAVAILABLE");
    let status = client.key_status().await.expect("served");
    let rotation = status.rotation.expect("half done");
    assert!(!rotation.running && !rotation.paused && !rotation.error.is_empty());
    // Nor can anybody say what the keyring holds of secrets.
    assert_eq!(
        found(&client).await,
        [
            "keyring_unavailable",
            "rotation_half_done",
            "secrets_unchecked"
        ]
    );
    let silent = finding(&client, "keyring_unavailable").await;
    assert_eq!(silent.severity, Severity::Warning, "the vault is open");
    let half = finding(&client, "rotation_half_done").await;
    assert_eq!(half.severity, Severity::Warning);
    assert_advises(&half, "vaultctl key rotate --resume");
    assert_filled(&client, 400).await;

    session.start_locked_keyring();
    session.unlock_keyring();
    let resumed = client.resume_rotation().await.expect("resumed");
    let done = outcome(resumed).await;
    assert_eq!(done.fingerprint, rotation.to);
    assert_eq!(found(&client).await, ["healthy"]);
    assert_eq!(session.entries(), 1);
    assert_filled(&client, 400).await;

    // The doctor may go on with it, too.
    let rotation = client.rotate_key(RotationDepth::Reencrypt, NextKey::AsBefore);
    let mut rotation = rotation.await.expect("begun");
    amid(&mut rotation).await;
    session.end_keyring();
    let (_, stopped) = ended(rotation).await;
    assert_eq!(reason(stopped), "KEYRING_UNAVAILABLE");
    session.start_locked_keyring();
    session.unlock_keyring();
    let fixed = mended(&client).await;
    assert!(
        fixed
            .iter()
            .any(|finding| finding.reason_code == "rotation_half_done" && finding.fixed)
    );
    rotated(&client).await;
    assert_eq!(found(&client).await, ["healthy"]);
    assert_eq!(session.entries(), 1);
}
