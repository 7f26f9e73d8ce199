//! What the daemon counts, and what it says of that.

use std::collections::BTreeSet;

use vault_client::{
    Client, DatabaseOptions, Error, MethodStats, NewDocument, Stats, StoreOptions,
    TransactionOptions,
};
use vault_proto::v1::{GetStatsRequest, OpenMetricsRequest, Permission, stats_client::StatsClient};

use crate::support::{
    Daemon, Home,
    callers::{Sent, create_token, scope},
    raw::{Raw, failure, prefix},
    reason, soon, until,
};

/// Names that no figure may hold.
const STORE: &str = "letters-to-nobody";
const ID: &str = "an-id-of-its-own";

async fn with_store(daemon: &Daemon) -> Client {
    let client = daemon.client().await;
    let created = client.create_store(STORE, &StoreOptions::default()).await;
    created.expect("created");
    client
}

async fn stats(client: &Client) -> Stats {
    client.stats().await.expect("served")
}

fn method<'a>(stats: &'a Stats, name: &str) -> &'a MethodStats {
    let found = stats.counts.methods.get(&format!("vault.v1.{name}"));
    found.unwrap_or_else(|| panic!("no {name} in {:?}", stats.counts.methods.keys()))
}

/// How often calls of a method ended so.
fn calls(stats: &Stats, name: &str, reason: &str) -> u64 {
    let outcomes = &method(stats, name).outcomes;
    outcomes.get(reason).copied().unwrap_or_default()
}

#[tokio::test]
async fn calls_are_counted_by_how_they_ended_and_how_long_they_took() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let before = stats(&client).await;
    let body = format!(r#"{{"text":"{}"}}"#, "x".repeat(10_000));
    for _ in 0..3 {
        let put = client.put(STORE, NewDocument::json(ID, body.clone()));
        put.await.expect("put");
    }
    for _ in 0..5 {
        client.get(STORE, ID).await.expect("got");
    }
    assert_eq!(reason(client.get(STORE, "other").await), "NOT_FOUND");
    let now = stats(&client).await;

    assert_eq!(calls(&now, "Documents/Put", "OK"), 3);
    assert_eq!(calls(&now, "Documents/Get", "OK"), 5);
    assert_eq!(calls(&now, "Documents/Get", "NOT_FOUND"), 1);
    assert_eq!(method(&now, "Documents/Get").calls(), 6);
    assert_eq!(method(&now, "Documents/Get").failures(), 1);
    let puts = &method(&now, "Documents/Put").durations;
    assert_eq!(puts.count(), 3);
    let (half, most) = (puts.percentile(50), puts.percentile(99));
    assert!(half <= most && half.is_some_and(|time| !time.is_zero()));
    assert!(!puts.total().is_zero());

    let (counts, time) = now.since(&before);
    assert!(time.as_millis() < 60_000);
    assert_eq!(counts.methods.len(), 3, "{:?}", counts.methods.keys());
    let sent_by_us = 3 * body.len() as u64..10 * body.len() as u64;
    assert!(sent_by_us.contains(&counts.received_bytes));
    assert!((5 * body.len() as u64..15 * body.len() as u64).contains(&counts.sent_bytes));
    // Each put syncs its file and the folder.
    assert!(counts.syncs >= 6, "{}", counts.syncs);
}

#[tokio::test]
async fn what_is_under_way_is_seen_until_it_ends() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let options = DatabaseOptions::default();
    client.create_database("db", options).await.expect("made");
    // The one that found the daemon listening may not be over yet.
    until("this client is alone", async || {
        stats(&client).await.levels.connections == 1
    })
    .await;
    let quiet = stats(&client).await;
    assert_eq!(quiet.levels.unary_calls, 1, "itself");
    assert_eq!((quiet.levels.streams, quiet.levels.transactions), (0, 0));
    assert!(quiet.levels.open_stores >= 1);

    let other = daemon.client().await;
    let watch = other.watch(STORE, 0).await.expect("a watch");
    let options = TransactionOptions::default();
    let transaction = client.transaction("db", options).await.expect("begun");
    let busy = stats(&client).await.levels;
    assert_eq!((busy.connections, busy.streams), (2, 2));
    assert_eq!((busy.transactions, busy.statements), (1, 0));
    assert!(busy.open_files > quiet.levels.open_files);
    assert!(busy.resident_bytes <= busy.peak_resident_bytes);
    assert!(busy.resident_bytes > Some(1 << 20));

    transaction.rollback().await.expect("rolled back");
    drop((watch, other));
    until("all of it is over", async || {
        let levels = stats(&client).await.levels;
        (levels.connections, levels.streams, levels.transactions) == (1, 0, 0)
    })
    .await;
    let over = stats(&client).await;
    assert_eq!(calls(&over, "Documents/Watch", "CANCELLED"), 1);
    assert_eq!(calls(&over, "Databases/Transact", "OK"), 1);
}

#[tokio::test]
async fn a_call_that_is_refused_or_given_up_is_counted_as_that() {
    let home = Home::new();
    home.configure("[limits]\nstream_idle_seconds = 1\n");
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    let mut raw = Raw::connect(&daemon.socket).await;
    let (unknown, _) = raw.call("/vault.v1.Documents/Steal");
    soon("the refusal", failure(unknown)).await;
    let (too_long, mut body) = raw.call("/vault.v1.Documents/Put");
    body.send_data(prefix(u32::MAX).into(), false)
        .expect("sent");
    soon("the refusal", failure(too_long)).await;
    // Its client goes away before its message has come.
    let (answer, body) = raw.call("/vault.v1.Documents/Patch");
    until("it has begun", async || {
        stats(&client).await.levels.unary_calls == 2
    })
    .await;
    drop((answer, body));
    until("it is over", async || {
        stats(&client).await.levels.unary_calls == 1
    })
    .await;
    let now = stats(&client).await;
    assert_eq!(calls(&now, "Documents/Put", "TOO_LARGE"), 1);
    assert_eq!(calls(&now, "Documents/Patch", "CANCELLED"), 1);
    assert_eq!(now.counts.methods["unknown"].failures(), 1);
}

#[tokio::test]
async fn figures_are_had_in_every_state_of_the_key() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    client.lock().await.expect("locked");
    assert_eq!(reason(client.get(STORE, ID).await), "LOCKED");
    let locked = stats(&client).await;
    assert_eq!(locked.levels.open_stores, 0);
    assert_eq!(calls(&locked, "Documents/Get", "LOCKED"), 1);
    assert!(
        client
            .open_metrics()
            .await
            .expect("served")
            .ends_with("# EOF\n")
    );
}

#[tokio::test]
async fn no_label_names_anything_of_the_vault() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = with_store(&daemon).await;
    client
        .put(STORE, NewDocument::json(ID, "{}"))
        .await
        .expect("put");
    let missing = client.get("another-store", ID).await;
    assert_eq!(reason(missing), "NOT_FOUND");
    let mut raw = Raw::connect(&daemon.socket).await;
    let (unknown, _) = raw.call("/vault.v1.Documents/Letters");
    soon("the refusal", failure(unknown)).await;

    let text = client.open_metrics().await.expect("served");
    for secret in [
        STORE,
        "another-store",
        ID,
        "Letters",
        &daemon.root.to_string_lossy(),
    ] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
    let labels: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('{')?.1.split_once('}'))
        .flat_map(|(labels, _)| labels.split(','))
        .filter_map(|label| label.split('=').next())
        .collect();
    assert_eq!(Vec::from_iter(labels), ["le", "method", "reason"]);
}

#[tokio::test]
async fn they_are_for_whoever_may_read_all() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    with_store(&daemon).await;
    for (stores, expected) in [("*", None), (STORE, Some("PERMISSION_DENIED"))] {
        let created = create_token(&daemon, vec![scope(stores, Permission::Read)]).await;
        let calls = Sent::token(&created.secret).on(&daemon.channel().await);
        let mut client = StatsClient::new(calls);
        let figures = client.get(GetStatsRequest {}).await.map(drop);
        let text = client.open_metrics(OpenMetricsRequest {}).await.map(drop);
        for answer in [figures, text] {
            match expected {
                None => answer.expect("served"),
                Some(expected) => {
                    let refused = reason(answer.map_err(Error::from));
                    assert_eq!(refused, expected, "{stores}");
                }
            }
        }
    }
}
