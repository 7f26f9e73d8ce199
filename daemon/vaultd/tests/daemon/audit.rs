//! What is done is recorded, with who did it and how it came out, and nothing can be taken from it.

mod configured;
mod failing;
mod restarts;

use std::{
    path::PathBuf,
    sync::Mutex,
    time::{Duration, SystemTime},
};

use vault_client::{
    AuditEntry, AuditEvent, AuditOutcome, AuditRecord, AuditSearch, AuditStream, AuditVerification,
    AuditVerificationEvent, Client, NewSecret, Principal, Secret, StoreOptions,
};
use vault_proto::v1::{Permission, audit_client::AuditClient};

use crate::support::{
    self, Daemon, Home, PATIENCE,
    callers::{Sent, create_token, scope},
    files, reason, soon, until,
};

/// A value that is found wherever it is.
const VALUE: &[u8] = b"sk-planted-value-of-an-ocelot";

/// A secret with that value.
fn planted(name: &str) -> NewSecret<'_> {
    NewSecret {
        name,
        value: Secret::new(VALUE.to_vec()),
        label: None,
        create: false,
    }
}

pub(crate) async fn set(client: &Client, name: &str) {
    client.set_secret(planted(name)).await.expect("set");
}

/// The files of the log.
pub(crate) fn log_files(home: &Home) -> Vec<(PathBuf, Vec<u8>)> {
    files(&home.path("root/audit"))
}

/// Puts an older state of those files back.
pub(crate) fn put_back(before: &[(PathBuf, Vec<u8>)], home: &Home) {
    support::put_back(&home.path("root/audit"), before);
}

/// All that fit, once they are written.
async fn found(client: &Client, search: AuditSearch) -> Vec<AuditRecord> {
    all(client.audit_search(search).await.expect("searched")).await
}

async fn all(mut stream: AuditStream) -> Vec<AuditRecord> {
    let mut records = Vec::new();
    while let Some((page, unreadable)) = stream.next().await.expect("read") {
        assert_eq!(unreadable, 0);
        records.extend(page);
    }
    records
}

fn event(record: &AuditRecord) -> &AuditEvent {
    match &record.entry {
        AuditEntry::Event(event) => event,
        AuditEntry::Note { kind, text } => panic!("a note: {kind}: {text}"),
    }
}

fn search(action: &str) -> AuditSearch {
    AuditSearch {
        action: action.to_owned(),
        ..AuditSearch::default()
    }
}

/// The events of an action, once there are so many of them.
async fn events(client: &Client, action: &str, count: usize) -> Vec<AuditEvent> {
    let events = Mutex::new(Vec::new());
    until("they are recorded", async || {
        let records = found(client, search(action)).await;
        let recorded: Vec<AuditEvent> = records.iter().map(|one| event(one).clone()).collect();
        let enough = recorded.len() >= count;
        *events.lock().expect("nobody panicked") = recorded;
        enough
    })
    .await;
    events.into_inner().expect("nobody panicked")
}

pub(crate) async fn verify(client: &Client) -> AuditVerification {
    let mut events = client.audit_verify().await.expect("begun");
    let mut report = None;
    while let Some(event) = events.next().await.expect("read") {
        if let AuditVerificationEvent::Done(done) = event {
            report = Some(done);
        }
    }
    report.expect("a report")
}

#[tokio::test]
async fn what_is_done_with_secrets_is_recorded_with_who_and_how_it_came_out() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    set(&client, "connection:openai").await;
    client.secret("connection:openai").await.expect("read");
    assert_eq!(reason(client.secret("connection:none").await), "NOT_FOUND");

    let read = found(&client, search("Secrets/Get")).await;
    let read: Vec<&AuditEvent> = read.iter().map(event).collect();
    // Durable when the answer left: nothing is waited for.
    assert_eq!(read.len(), 2, "{read:?}");
    let (given, missing) = (read[0], read[1]);
    assert_eq!(given.object, "connection:openai");
    assert_eq!(given.outcome, Some(AuditOutcome::Done));
    assert_eq!(missing.object, "connection:none");
    assert_eq!(missing.outcome, Some(AuditOutcome::Failed));
    assert_eq!(missing.reason, "NOT_FOUND");

    let own = i32::try_from(std::process::id()).expect("a pid");
    assert_eq!(given.principal, Some(Principal::Owner));
    assert_eq!(given.pid, Some(own));
    let comm = std::fs::read_to_string("/proc/self/comm").expect("read");
    assert!(comm.trim().starts_with(&given.comm) && !given.comm.is_empty());
    let program = std::env::current_exe().expect("a program");
    assert_eq!(given.exe, program.to_string_lossy());
    assert!(given.uid.is_some());

    let written = events(&client, "Secrets/Set", 2).await;
    assert_eq!(written[0].outcome, Some(AuditOutcome::Begun));
    assert_eq!(written[1].outcome, Some(AuditOutcome::Done));
    assert_eq!(written[0].call, written[1].call);
    assert_ne!(written[0].call, given.call);
    assert!(verify(&client).await.sound);

    for (path, content) in files(&daemon.root.join("audit")) {
        for planted in [VALUE, b"openai", b"Secrets"] {
            let found = content.windows(planted.len()).any(|part| part == planted);
            assert!(!found, "{}", path.display());
        }
    }
    assert!(!daemon.log().contains("sk-planted"));
}

#[tokio::test]
async fn refusals_are_recorded_and_strangers_push_nothing_out() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    let notes = StoreOptions::default();
    client.create_store("notes", &notes).await.expect("created");
    let created = create_token(&daemon, vec![scope("chat/*", Permission::Read)]).await;
    let channel = daemon.channel().await;
    let calls = Sent::token(&created.secret).on(&channel);
    let refused = crate::support::callers::get(&calls, "notes").await;
    assert_eq!(reason(refused), "PERMISSION_DENIED");
    let recorded = events(&client, "Documents/Get", 1).await;
    assert_eq!(recorded[0].outcome, Some(AuditOutcome::Refused));
    assert_eq!(recorded[0].reason, "PERMISSION_DENIED");
    assert_eq!(recorded[0].store, "notes");
    assert_eq!(recorded[0].label, "a script");
    assert_eq!(recorded[0].principal, Some(Principal::Token));

    // A token that counts nowhere: its bearer is nobody.
    let stranger = Sent::token("vaultd_no-such-token").on(&daemon.channel().await);
    for _ in 0..300 {
        let refused = crate::support::callers::get(&stranger, "notes").await;
        assert_eq!(reason(refused), "UNAUTHENTICATED");
    }
    let nobody = AuditSearch {
        principal: Some(Principal::Nobody),
        ..AuditSearch::default()
    };
    // Sixty in each of two minutes, at most, and how many more there were.
    let recorded = found(&client, nobody).await.len();
    assert!(recorded <= 122, "{recorded}");
    assert!(verify(&client).await.sound);
}

#[tokio::test]
async fn a_grant_is_recorded_before_it_is_handed_out() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    create_token(&daemon, vec![scope("*", Permission::Admin)]).await;
    let granted = events(&client, "Tokens/Create", 2).await;
    assert_eq!(granted[0].object, "a script");
    let outcomes: Vec<_> = granted.iter().map(|event| event.outcome).collect();
    assert_eq!(
        outcomes,
        [Some(AuditOutcome::Begun), Some(AuditOutcome::Done)]
    );
}

#[tokio::test]
async fn a_tail_goes_on_with_what_comes() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    set(&client, "a:first").await;
    let mut tail = client.audit_tail(Some(0), true).await.expect("begun");
    client.secret("a:first").await.expect("read");
    let seen = soon("the record", async {
        loop {
            let page = tail.next().await.expect("read").expect("it goes on");
            let read = page.0.iter().find(|record| {
                matches!(&record.entry, AuditEntry::Event(event)
                    if event.action.ends_with("Secrets/Get"))
            });
            if let Some(read) = read {
                return event(read).object.clone();
            }
        }
    });
    assert_eq!(seen.await, "a:first");
    // A lock ends it, as it ends everything.
    client.lock().await.expect("locked");
    let ended = soon("the end", async {
        loop {
            match tail.next().await {
                Ok(Some(_)) => {}
                Ok(None) => return "ended".to_owned(),
                Err(error) => return reason(Err::<(), _>(error)),
            }
        }
    });
    assert_eq!(ended.await, "LOCKED");
}

#[tokio::test]
async fn a_search_finds_by_time_and_gives_the_newest() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    for name in ["a:one", "a:two", "a:three"] {
        set(&client, name).await;
    }
    events(&client, "Secrets/Set", 6).await;
    let newest = AuditSearch {
        newest: Some(1),
        outcome: Some(AuditOutcome::Begun),
        ..search("Secrets/Set")
    };
    let records = found(&client, newest).await;
    assert_eq!(records.len(), 1);
    assert_eq!(event(&records[0]).object, "a:three");
    let hour = Duration::from_secs(3600);
    let later = AuditSearch {
        since: Some(SystemTime::now() + hour),
        ..search("Secrets/Set")
    };
    assert!(found(&client, later).await.is_empty());
    let earlier = AuditSearch {
        until: Some(SystemTime::now() - hour),
        ..search("Secrets/Set")
    };
    assert!(found(&client, earlier).await.is_empty());
}

#[tokio::test]
async fn the_log_is_for_whoever_may_administer() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    set(&daemon.client().await, "a:one").await;
    let created = create_token(&daemon, vec![scope("*", Permission::Write)]).await;
    let calls = Sent::token(&created.secret).on(&daemon.channel().await);
    let request = vault_proto::v1::AuditStatusRequest {};
    let refused = AuditClient::new(calls).status(request).await;
    let refused = reason(refused.map_err(vault_client::Error::from));
    assert_eq!(refused, "PERMISSION_DENIED");
}

#[tokio::test]
async fn callers_at_once_share_syncs_and_each_has_its_record() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    set(&client, "a:one").await;
    let reads: Vec<_> = (0..64)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.secret("a:one").await.map(drop) })
        })
        .collect();
    for read in reads {
        let read = tokio::time::timeout(PATIENCE, read).await;
        read.expect("in time").expect("run").expect("read");
    }
    let read = found(&client, search("Secrets/Get")).await;
    assert_eq!(read.len(), 64);
    assert!(verify(&client).await.sound);
}

/// What a daemon says of its log.
pub(crate) async fn problem(daemon: &Daemon) -> String {
    let status = daemon.client().await.status().await;
    status.expect("served").audit_problem
}
