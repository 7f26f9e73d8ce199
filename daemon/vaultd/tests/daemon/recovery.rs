//! Exports of the storage key, and bringing it back with one.

use std::{fs, time::Duration};

use vault_client::{
    Client, Error, ImportedKey, KeyState, NextKey, OpenWith, RotationDepth, SealFor,
};
use vault_crypto::{
    Identities, Recipients, StorageKey, VaultId, key_export,
    passphrase::{open_key, seal_key},
};

use crate::support::{
    Daemon, Home, files,
    keyring::Session,
    reason, soon,
    vault::{KEY_FILE, PASSPHRASE, assert_filled, ended, fill, fingerprint, secret_bytes, settled},
};

/// Made by `age-keygen`, for these tests alone.
const RECIPIENT: &str = "age1v9w3p0qpu6jcp72wj25uatg90ktukpqa226tly08hd57u2m4n44qck6e7n";
const IDENTITY: &[u8] =
    b"# a comment\nAGE-SECRET-KEY-1H63E7782CN0XNLWREJ6RLD337UWLFVPFAP6RGPQEWDFEKPRZ030SX5P92J\n";
const FILE_PASSPHRASE: &[u8] = b"a passphrase of the file's own";

/// An export that opens in no time.
fn light_export(vault: VaultId, key: &StorageKey) -> Vec<u8> {
    let passphrase = secret_bytes(FILE_PASSPHRASE);
    let recipients = Recipients::Passphrase {
        passphrase: &passphrase,
        work_factor: Some(1),
    };
    key_export::seal(vault, key, &recipients).expect("sealed")
}

/// A vault with ten documents, stopped, whose key is gone; and an export of that key.
async fn without_key(home: &Home, root: &str) -> Vec<u8> {
    let (mut daemon, client) = home.new_light(root).await;
    fill(&client, 10).await;
    let id = client.status().await.expect("served").vault_id;
    daemon.kill();
    let export = light_export(id.parse().expect("an id"), &home.storage_key(root));
    fs::remove_file(home.path(root).join(KEY_FILE)).expect("removed");
    export
}

async fn start(home: &Home, root: &str) -> (Daemon, Client) {
    let daemon = home.start(root, &[]);
    let client = daemon.client().await;
    assert_eq!(settled(&client).await, KeyState::KeyMissing);
    (daemon, client)
}

async fn import(client: &Client, file: &[u8], passphrase: &[u8]) -> Result<ImportedKey, Error> {
    let opened = OpenWith::Passphrase(passphrase);
    client.import_key(file, opened, None).await
}

fn metadata<T>(answer: &Result<T, Error>, name: &str) -> String {
    match answer {
        Err(Error::Refused(refusal)) => refusal.metadata[name].clone(),
        _ => panic!("it was not refused"),
    }
}

#[tokio::test]
async fn an_export_brings_back_a_key_that_is_gone() {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, 10).await;
    let key = fingerprint(&client).await;
    let by_passphrase = client.export_key(SealFor::Passphrase(FILE_PASSPHRASE));
    let by_passphrase = by_passphrase.await.expect("exported");
    let recipients = [RECIPIENT.to_owned()];
    let by_key = client.export_key(SealFor::Recipients(&recipients)).await;
    let by_key = by_key.expect("exported");
    for (export, identities) in [
        (
            &by_passphrase,
            Identities::Passphrase(&secret_bytes(FILE_PASSPHRASE)),
        ),
        (&by_key, Identities::Keys(&secret_bytes(IDENTITY))),
    ] {
        assert_eq!(export.fingerprint, key);
        let held = key_export::open(&export.file, &identities).expect("it opens");
        let vault = held.vault.expect("it names its vault");
        assert_eq!(vault.to_string(), export.vault_id);
        assert!(held.key.expose() == home.storage_key("root").expose());
    }
    daemon.kill();

    // The file's passphrase is the vault's from now on.
    fs::remove_file(home.path("root").join(KEY_FILE)).expect("removed");
    let (mut daemon, client) = start(&home, "root").await;
    let imported = import(&client, &by_passphrase.file, FILE_PASSPHRASE).await;
    let imported = imported.expect("imported");
    assert_eq!(imported.fingerprint, key);
    assert_eq!(imported.vault_id, by_passphrase.vault_id);
    assert_eq!(settled(&client).await, KeyState::Open);
    assert_filled(&client, 10).await;
    daemon.kill();
    let daemon_again = home.start("root", &[]);
    let client = daemon_again.client().await;
    let before = client.unlock(Some(PASSPHRASE)).await;
    assert_eq!(reason(before), "WRONG_PASSPHRASE");
    client
        .unlock(Some(FILE_PASSPHRASE))
        .await
        .expect("unlocked");
    drop(daemon_again);

    // One for an age key has no passphrase that could be.
    fs::remove_file(home.path("root").join(KEY_FILE)).expect("removed");
    let (mut daemon, client) = start(&home, "root").await;
    let opened = OpenWith::Identity(IDENTITY);
    for unfit in [None, Some(&b"short"[..]), Some(b"aaaaaaaaaaaaaaaa")] {
        let refused = client.import_key(&by_key.file, opened, unfit).await;
        assert_eq!(reason(refused), "UNFIT_SECRET", "{unfit:?}");
        assert_eq!(settled(&client).await, KeyState::KeyMissing);
    }
    let imported = client
        .import_key(&by_key.file, opened, Some(PASSPHRASE))
        .await;
    assert_eq!(imported.expect("imported").fingerprint, key);
    assert_filled(&client, 10).await;
    daemon.kill();
    let (_daemon, client) = home.unlocked("root").await;
    assert_filled(&client, 10).await;
}

/// Tries again and again until it is not too early any more.
async fn when_allowed(
    client: &Client,
    file: &[u8],
    opened: OpenWith<'_>,
) -> Result<ImportedKey, Error> {
    let answer = async {
        loop {
            let answer = client.import_key(file, opened, None).await;
            let early = |error: &Error| error.reason() == Some("RATE_LIMITED");
            if !answer.as_ref().is_err_and(early) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon("the end of the wait", answer).await
}

/// Nor is the right passphrase looked at before it is time.
async fn assert_told_to_wait(client: &Client, file: &[u8], seconds: &str) {
    let refused = import(client, file, FILE_PASSPHRASE).await;
    let told = metadata(&refused, "retry_after_seconds");
    assert_eq!(reason(refused), "RATE_LIMITED");
    assert_eq!(told, seconds);
}

#[tokio::test]
async fn failures_are_slowed_down() {
    let home = Home::new();
    let export = without_key(&home, "root").await;
    let (_daemon, client) = start(&home, "root").await;
    let refused = import(&client, &export, b"a wrong passphrase").await;
    assert_eq!(reason(refused), "WRONG_PASSPHRASE");
    assert_told_to_wait(&client, &export, "1").await;
    let wrong = OpenWith::Identity(IDENTITY);
    let refused = when_allowed(&client, &export, wrong).await;
    assert_eq!(reason(refused), "WRONG_PASSPHRASE");
    assert_told_to_wait(&client, &export, "2").await;
    let right = OpenWith::Passphrase(FILE_PASSPHRASE);
    let imported = when_allowed(&client, &export, right).await;
    imported.expect("the right one");
    assert_filled(&client, 10).await;
    let again = import(&client, &export, FILE_PASSPHRASE).await;
    again.expect("a success ends the count of failures");
}

#[tokio::test]
async fn a_key_that_does_not_fit_leaves_all_as_it_was() {
    let home = Home::new();
    let export = without_key(&home, "root").await;
    let foreign = without_key(&home, "other").await;
    let passphrase = secret_bytes(FILE_PASSPHRASE);
    let own = key_export::open(&export, &Identities::Passphrase(&passphrase));
    let own = own.expect("it opens").vault.expect("an id");
    let another = StorageKey::generate().expect("random");
    let bare = seal_key(&another, &passphrase, Some(1)).expect("sealed");
    let before = files(&home.path("root"));
    for (file, names_keys) in [
        (foreign, false),
        (light_export(own, &another), true),
        (bare, true),
    ] {
        // Each start begins to count anew.
        let (mut daemon, client) = start(&home, "root").await;
        let refused = import(&client, &file, FILE_PASSPHRASE).await;
        if names_keys {
            let found = another.fingerprint(own).to_string();
            assert_eq!(metadata(&refused, "found"), found);
        }
        assert_eq!(reason(refused), "WRONG_KEY");
        assert_eq!(settled(&client).await, KeyState::KeyMissing);
        let next = import(&client, &export, FILE_PASSPHRASE).await;
        assert_eq!(reason(next), "RATE_LIMITED");
        daemon.kill();
        assert!(files(&home.path("root")) == before, "something was written");
    }
    let (_daemon, client) = start(&home, "root").await;
    let imported = import(&client, &export, FILE_PASSPHRASE).await;
    imported.expect("the right one still fits");
    assert_filled(&client, 10).await;
}

#[tokio::test]
async fn an_open_vault_keeps_its_key_whatever_is_imported() {
    let Some(session) = Session::start() else {
        return;
    };
    let home = &session.home;
    let mut daemon = home.start("root", &[]);
    let client = daemon.client().await;
    fill(&client, 10).await;
    let id = client.status().await.expect("served").vault_id;
    let another = StorageKey::generate().expect("random");
    let file = light_export(id.parse().expect("an id"), &another);
    let refused = import(&client, &file, FILE_PASSPHRASE).await;
    assert_eq!(reason(refused), "WRONG_KEY");
    assert_filled(&client, 10).await;
    assert_eq!(session.entries(), 1);
    daemon.kill();
    let daemon = home.start("root", &[]);
    assert_filled(&daemon.client().await, 10).await;
}

#[tokio::test]
async fn damaged_files_are_called_damaged() {
    let home = Home::new();
    let export = without_key(&home, "root").await;
    let before = files(&home.path("root"));
    let mut changed = export.clone();
    *changed.last_mut().expect("bytes") ^= 1;
    let mut header = export.clone();
    // In the header's own check value, at the end of its last line.
    let end = header.windows(4).position(|run| run == b"\n---");
    header[end.expect("an age file") + 8] ^= 1;
    for (what, file) in [
        ("cut short", &export[..export.len() - 1]),
        ("cut in the header", &export[..60]),
        ("changed at the end", &changed),
        ("changed in the header", &header),
        ("no age file", b"{\"format\":1}"),
        ("empty", b""),
        ("too long", &[&export[..], &vec![0; 64 << 10]].concat()),
    ] {
        let (_daemon, client) = start(&home, "root").await;
        let refused = import(&client, file, FILE_PASSPHRASE).await;
        assert_eq!(reason(refused), "ARCHIVE_DAMAGED", "{what}");
    }
    assert!(files(&home.path("root")) == before, "something was written");
}

#[tokio::test]
async fn exports_want_a_secret_that_is_fit_for_them() {
    let home = Home::new();
    let (_daemon, client) = home.new_light("root").await;
    for weak in [
        &b""[..],
        b"short",
        b"aaaaaaaaaaaaaaaa",
        b"\xff not text \xff",
    ] {
        let refused = client.export_key(SealFor::Passphrase(weak)).await;
        assert_eq!(reason(refused.map(drop)), "UNFIT_SECRET", "{weak:?}");
    }
    for none in [vec![], vec!["age1nonsense".to_owned()], vec![String::new()]] {
        let refused = client.export_key(SealFor::Recipients(&none)).await;
        assert_eq!(reason(refused.map(drop)), "UNFIT_SECRET", "{none:?}");
    }
    let status = client.key_status().await.expect("served");
    assert!(status.last_export.is_none(), "none was made");
    let moved = client.move_key("passphrase", Some(b"short")).await;
    assert_eq!(reason(moved), "UNFIT_SECRET");
}

#[tokio::test]
async fn a_new_vault_wants_a_passphrase_that_is_fit_for_it() {
    let home = Home::new();
    let daemon = home.start("root", &[]);
    let client = daemon.client().await;
    for weak in [&b"short"[..], b"aaaaaaaaaaaaaaaa"] {
        let refused = client.init(Some("passphrase"), Some(weak)).await;
        assert_eq!(reason(refused), "UNFIT_SECRET", "{weak:?}");
    }
    let set_up = client.init(Some("passphrase"), Some(PASSPHRASE)).await;
    set_up.expect("nothing was set up before");
}

#[tokio::test]
async fn an_import_changes_nothing_of_a_vault_that_is_open() {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, 10).await;
    let id = client.status().await.expect("served").vault_id;
    let export = light_export(id.parse().expect("an id"), &home.storage_key("root"));
    let opened = OpenWith::Passphrase(FILE_PASSPHRASE);
    let imported = client.import_key(&export, opened, None).await;
    imported.expect("the vault's own key");
    let file = fs::read(home.path("root").join(KEY_FILE)).expect("a key file");
    open_key(&file, &secret_bytes(PASSPHRASE)).expect("its passphrase is what it was");
    let rotation = client.rotate_key(RotationDepth::Rewrap, NextKey::AsBefore);
    let (_, rotation) = ended(rotation.await.expect("begun")).await;
    daemon.kill();
    let daemon = home.start("root", &[]);
    let client = daemon.client().await;
    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    assert_filled(&client, 10).await;
    rotation.expect("it ends well");
}
