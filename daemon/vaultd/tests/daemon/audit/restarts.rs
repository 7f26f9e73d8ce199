//! The log over stops, kills, locks and older copies.

use std::fs;

use super::{event, events, found, log_files, put_back, search, set, verify};
use crate::support::{
    Home,
    keyring::Session,
    raw::{Raw, failure},
    soon, until,
    vault::PASSPHRASE,
};
use vault_client::{AuditAnchor, AuditEntry, AuditOutcome, Mend};

#[tokio::test]
async fn what_left_the_daemon_was_recorded_though_it_was_killed() {
    let home = Home::new();
    home.light_vault("root");
    let mut expected = Vec::new();
    for round in 0..5 {
        let (mut daemon, client) = home.unlocked("root").await;
        let name = format!("a:round-{round}");
        set(&client, &name).await;
        client.secret(&name).await.expect("read");
        expected.push(name);
        daemon.kill();
    }
    let (_daemon, client) = home.unlocked("root").await;
    let read = found(&client, search("Secrets/Get")).await;
    let read: Vec<String> = read.iter().map(|one| event(one).object.clone()).collect();
    assert_eq!(read, expected);
    let verified = verify(&client).await;
    assert!(verified.sound, "{verified:?}");
    assert_eq!(
        verified.anchor,
        AuditAnchor::NotKept,
        "a file under a passphrase"
    );
}

#[tokio::test]
async fn what_is_refused_while_the_vault_is_locked_is_written_when_it_opens() {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    client.lock().await.expect("locked");
    let mut raw = Raw::connect(&daemon.socket).await;
    let (response, _body) = raw.call("/vault.v1.Documents/Steal");
    soon("the refusal", failure(response)).await;
    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    let stolen = events(&client, "Documents/Steal", 1).await;
    assert_eq!(stolen[0].outcome, Some(AuditOutcome::Refused));
    let records = found(&client, search("")).await;
    // The newest of them: the vault was unlocked before, too.
    let at = |wanted: &str| {
        let found = records.iter().rev().find(|record| {
            matches!(&record.entry, AuditEntry::Event(event) if event.action.ends_with(wanted))
        });
        found.map(|record| (record.sequence, record.at))
    };
    let (stolen, opened) = (
        at("Steal").expect("there"),
        at("Vault/Unlock").expect("there"),
    );
    assert!(stolen.1 <= opened.1, "with its own time");
    let closed = found(&client, search("vault closed")).await;
    assert_eq!(closed.len(), 1);
    assert!(verify(&client).await.sound);
    assert!(daemon.terminate().await.success());
}

#[tokio::test]
async fn a_record_that_is_changed_while_no_daemon_runs_is_found() {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    for number in 0..5 {
        set(&client, &format!("a:{number}")).await;
    }
    assert!(verify(&client).await.sound);
    assert!(daemon.terminate().await.success());
    let files = log_files(&home);
    let (path, content) = files.last().expect("a segment");
    let mut changed = content.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    fs::write(path, &changed).expect("written");
    let (_daemon, client) = home.unlocked("root").await;
    let verified = verify(&client).await;
    assert!(!verified.sound);
    assert_eq!(verified.findings[0].kind, "record_damaged");
}

#[tokio::test]
async fn an_older_copy_of_the_log_is_found_by_what_the_keyring_remembers() {
    let Some(session) = Session::start() else {
        return;
    };
    let home = &session.home;
    let mut daemon = home.start("root", &[]);
    let client = daemon.client().await;
    set(&client, "a:one").await;
    assert!(daemon.terminate().await.success());
    let before = log_files(home);

    let mut daemon = home.start("root", &[]);
    let client = daemon.client().await;
    until("the vault is open", async || {
        client.secret("a:one").await.is_ok()
    })
    .await;
    let last = client.audit_status().await.expect("served").last;
    assert!(daemon.terminate().await.success());
    // As it was when it ended: all of it is remembered.
    let after = log_files(home);
    put_back(&before, home);

    let mut daemon = home.start("root", &[]);
    let client = daemon.client().await;
    until("the vault is open", async || {
        client.secret("a:one").await.is_ok()
    })
    .await;
    until("it was compared", async || {
        client
            .audit_status()
            .await
            .is_ok_and(|status| !status.mismatch.is_empty())
    })
    .await;
    let verified = verify(&client).await;
    assert!(!verified.sound);
    assert!(
        verified
            .findings
            .iter()
            .any(|one| one.kind == "anchor_mismatch")
    );
    assert!(super::problem(&daemon).await.contains("anchored"));
    let report = client.doctor(Mend::Nothing).await.expect("served");
    let told = report
        .reason_codes
        .iter()
        .any(|one| one == "audit_mismatch");
    assert!(told, "{:?}", report.findings);
    client.accept_audit().await.expect("accepted");
    assert!(verify(&client).await.sound, "somebody knows why");
    assert_eq!(super::problem(&daemon).await, "");
    assert!(daemon.terminate().await.success());

    // The true one back in place is behind what is remembered by now: that is found as well.
    put_back(&after, home);
    let daemon = home.start("root", &[]);
    let client = daemon.client().await;
    until("the vault is open", async || {
        client.secret("a:one").await.is_ok()
    })
    .await;
    until("it was compared", async || {
        client
            .audit_status()
            .await
            .is_ok_and(|status| !status.mismatch.is_empty())
    })
    .await;
    assert!(client.audit_status().await.expect("served").last > last);
}

#[tokio::test]
async fn the_keyring_remembers_all_of_it_when_the_vault_is_closed() {
    let Some(session) = Session::start() else {
        return;
    };
    let home = &session.home;
    let mut daemon = home.start("root", &[]);
    let client = daemon.client().await;
    for number in 0..3 {
        set(&client, &format!("a:{number}")).await;
    }
    assert!(daemon.terminate().await.success());
    let daemon = home.start("root", &[]);
    let client = daemon.client().await;
    until("the vault is open", async || {
        client.secret("a:0").await.is_ok()
    })
    .await;
    let verified = verify(&client).await;
    assert!(verified.sound, "{verified:?}");
    let closed = found(&client, search("vault closed")).await;
    let closed = closed.last().expect("a record").sequence;
    match verified.anchor {
        AuditAnchor::Record { sequence, .. } => assert!(sequence >= closed),
        other => panic!("{other:?}"),
    }
}
