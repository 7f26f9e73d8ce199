//! A log that cannot be written: what `required` and `best-effort` mean.

use std::fs;

use vault_client::{AuditSearch, Client, Error, Mend};

use super::{found, planted, problem, search, verify};
use crate::support::{Daemon, Home, until, vault::PASSPHRASE};

/// A daemon none of whose files grows beyond so many KiB: a segment of the log is full then, and the
/// next one has room. Nothing else in these tests grows so large.
fn bounded(home: &Home, kib: u32) -> Daemon {
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", kib * 2);
    let mut command = home.command("/bin/sh");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_vaultd")]);
    command.arg("--data-dir").arg(home.path("root"));
    home.serve("root", command)
}

async fn open(daemon: &Daemon) -> Client {
    let client = daemon.client().await;
    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    client
}

/// Sets secrets: how many were refused for want of a record, and the names of those that were set.
async fn set_many(client: &Client, count: usize) -> (usize, Vec<String>) {
    let (mut refused, mut set) = (0, Vec::new());
    for number in 0..count {
        let name = format!("a:{number}");
        match client.set_secret(planted(&name)).await {
            Ok(_) => set.push(name),
            Err(Error::Refused(refusal)) if refusal.reason == "AUDIT_UNAVAILABLE" => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    (refused, set)
}

/// Text of the notes of one kind.
async fn notes(client: &Client, wanted: &str) -> Vec<String> {
    let records = found(client, AuditSearch::default()).await;
    let notes = records.into_iter().filter_map(|record| match record.entry {
        vault_client::AuditEntry::Note { kind, text } if kind == wanted => Some(text),
        _ => None,
    });
    notes.collect()
}

#[tokio::test]
async fn required_what_cannot_be_recorded_is_not_done() {
    let home = Home::new();
    home.configure("audit = \"required\"");
    home.light_vault("root");
    let daemon = bounded(&home, 64);
    let client = open(&daemon).await;
    let (refused, set) = set_many(&client, 150).await;
    assert!(refused > 0, "the log was full once");
    assert!(set.len() > 100, "{}", set.len());
    // Refused is not done: those that are there are those that were not refused.
    let mut listed: Vec<String> = Vec::new();
    for secret in client.secrets("a:").await.expect("listed") {
        listed.push(secret.name);
    }
    listed.sort();
    let mut expected = set.clone();
    expected.sort();
    assert_eq!(listed, expected);
    until("what is lost is told", async || {
        !notes(&client, "lost").await.is_empty()
    })
    .await;
    let verified = verify(&client).await;
    assert!(verified.sound, "{verified:?}");
    let kinds: Vec<&str> = verified
        .findings
        .iter()
        .map(|one| one.kind.as_str())
        .collect();
    assert!(
        kinds.contains(&"records_lost") && kinds.contains(&"unfinished_write"),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn best_effort_it_is_done_and_what_is_missing_is_told() {
    let home = Home::new();
    home.light_vault("root");
    let daemon = bounded(&home, 64);
    let client = open(&daemon).await;
    let (refused, set) = set_many(&client, 150).await;
    assert_eq!((refused, set.len()), (0, 150));
    until("what is lost is told", async || {
        !notes(&client, "lost").await.is_empty()
    })
    .await;
    let verified = verify(&client).await;
    assert!(verified.sound, "{verified:?}");
    assert_eq!(client.audit_status().await.expect("served").lost, 0);
}

#[tokio::test]
async fn a_log_that_cannot_be_opened_is_told_and_locking_is_never_refused() {
    for (policy, refuses) in [("required", true), ("best-effort", false)] {
        let home = Home::new();
        home.configure(&format!("[audit]\npolicy = \"{policy}\""));
        home.light_vault("root");
        // Where its folder should be.
        fs::write(home.path("root/audit"), b"in the way").expect("written");
        let daemon = home.start("root", &[]);
        let client = open(&daemon).await;
        assert!(problem(&daemon).await.contains("not written"), "{policy}");
        let (refused, set) = set_many(&client, 3).await;
        let expected = if refuses { (3, 0) } else { (0, 3) };
        assert_eq!((refused, set.len()), expected, "{policy}");
        let report = client.doctor(Mend::Nothing).await.expect("served");
        let failing = report.reason_codes.iter().any(|one| one == "audit_failing");
        assert!(failing, "{policy}: {:?}", report.findings);
        client.lock().await.expect("never refused");

        fs::remove_file(home.path("root/audit")).expect("removed");
        client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
        assert_eq!(problem(&daemon).await, "");
        let (refused, _) = set_many(&client, 3).await;
        assert_eq!(refused, 0, "{policy}");
        // What was done meanwhile waited in memory, with its own time.
        let written = found(&client, search("Vault/Lock")).await;
        assert_eq!(written.len(), 1, "{policy}");
        assert!(verify(&client).await.sound, "{policy}");
    }
}

/// Its owner can always unlock it: by then there may be room.
#[tokio::test]
async fn a_vault_that_was_locked_while_its_log_was_full_opens_again() {
    let home = Home::new();
    home.configure("audit = \"required\"");
    home.light_vault("root");
    let daemon = bounded(&home, 64);
    let client = open(&daemon).await;
    // Until the log refuses.
    until("the log is full", async || set_many(&client, 1).await.0 > 0).await;
    client.lock().await.expect("never refused");
    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    assert_eq!(problem(&daemon).await, "");
    assert_eq!(set_many(&client, 3).await.0, 0);
}
