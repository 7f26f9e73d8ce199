//! The upkeep of databases, asked for and by itself.

use std::{fs, path::Path};

use vault_client::{
    Client, DatabaseOptions, MaintenanceOperation, MaintenanceRun, Statement, StoreOptions,
};

use crate::support::{Home, reason};

async fn run(client: &Client, database: &str, sql: &str) {
    let done = client.execute(database, Statement::new(sql), None).await;
    done.expect("executed");
}

/// A database of some megabytes, all of it free again.
async fn emptied(client: &Client, database: &str, without_maintenance: bool) {
    let options = DatabaseOptions {
        without_maintenance,
        ..DatabaseOptions::default()
    };
    client
        .create_database(database, options)
        .await
        .expect("created");
    run(client, database, "CREATE TABLE notes (text)").await;
    let fill = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
                INSERT INTO notes SELECT hex(randomblob(1000)) FROM n";
    run(client, database, fill).await;
    run(client, database, "DELETE FROM notes").await;
}

async fn maintain(
    client: &Client,
    database: Option<&str>,
    operation: Option<MaintenanceOperation>,
) -> Vec<MaintenanceRun> {
    let stream = client.run_maintenance(database, operation).await;
    let mut stream = stream.expect("begun");
    let mut results = Vec::new();
    while let Some(result) = stream.next().await.expect("a result") {
        results.push(result);
    }
    results
}

#[tokio::test]
async fn a_vacuum_that_was_asked_for_shrinks_the_database_and_is_remembered() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    emptied(&client, "chat", false).await;
    let before = client.maintenance_status().await.expect("status");
    assert!(before.excluded.is_empty());
    assert_eq!(before.tasks.len(), 3);
    for task in &before.tasks {
        assert_eq!((task.database.as_str(), task.last_ms), ("chat", None));
        assert!(task.next_ms.is_some(), "{task:?}");
    }

    let vacuum = Some(MaintenanceOperation::Vacuum);
    let results = maintain(&client, None, vacuum).await;
    let [result] = results.as_slice() else {
        panic!("one result: {results:?}")
    };
    assert_eq!(
        (result.database.as_str(), result.operation),
        ("chat", vacuum)
    );
    assert_eq!(result.failure, "");
    assert!(result.bytes_before > 3_000_000, "{result:?}");
    assert!(result.bytes_after < 100_000, "{result:?}");
    let listed = client.databases().await.expect("listed");
    assert_eq!(listed[0].bytes, result.bytes_after);

    let after = client.maintenance_status().await.expect("status");
    let task = after.tasks.iter().find(|task| task.operation == vacuum);
    let task = task.expect("it is listed");
    let last = task.last_ms.expect("it ran");
    assert_eq!(task.next_ms, Some(last + 30 * 24 * 60 * 60 * 1000));
    assert!(
        Some(last)
            > before.tasks[2]
                .next_ms
                .map(|next| next - 30 * 24 * 60 * 60 * 1000)
    );
}

#[tokio::test]
async fn a_database_that_is_left_out_is_looked_after_by_name_only() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let client = daemon.client().await;
    emptied(&client, "chat", false).await;
    emptied(&client, "plugins/one", true).await;
    let options = StoreOptions::default();
    client
        .create_store("notes", &options)
        .await
        .expect("created");

    let all = maintain(&client, None, None).await;
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(
        all.iter()
            .all(|result| result.database == "chat" && result.failure.is_empty())
    );
    let named = maintain(&client, Some("plugins/one"), None).await;
    assert_eq!(named.len(), 3, "{named:?}");
    let status = client.maintenance_status().await.expect("status");
    assert_eq!(status.excluded, ["plugins/one"]);

    assert_eq!(
        reason(client.run_maintenance(Some("gone"), None).await),
        "NOT_FOUND"
    );
    assert_eq!(
        reason(client.run_maintenance(Some("notes"), None).await),
        "INVALID_ARGUMENT"
    );
    assert_eq!(
        reason(client.run_maintenance(Some("../x"), None).await),
        "INVALID_ID"
    );
    client.lock().await.expect("locked");
    assert_eq!(reason(client.maintenance_status().await), "LOCKED");
    assert_eq!(reason(client.run_maintenance(None, None).await), "LOCKED");
}

/// Destroys what is in the file of the only database there is.
fn destroy(root: &Path) {
    let stores = fs::read_dir(root.join("stores")).expect("listed");
    let files = stores.flat_map(|store| fs::read_dir(store.expect("one").path()).expect("listed"));
    let files = files.map(|file| file.expect("a file").path());
    let largest = files.max_by_key(|file| fs::metadata(file).map_or(0, |found| found.len()));
    let largest = largest.expect("a file");
    let length = fs::metadata(&largest).expect("there").len();
    let zeros = vec![0; usize::try_from(length).expect("it is small")];
    fs::write(largest, zeros).expect("written");
}

#[tokio::test]
async fn what_fails_keeps_no_other_from_its_turn() {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    emptied(&client, "chat", false).await;
    maintain(&client, None, Some(MaintenanceOperation::Checkpoint)).await;
    drop(client);
    daemon.terminate().await;
    destroy(&daemon.root);

    let (_daemon, client) = home.unlocked("root").await;
    emptied(&client, "ledger", false).await;
    let results = maintain(&client, None, None).await;
    assert_eq!(results.len(), 6, "{results:?}");
    for result in results {
        assert_eq!(
            result.failure.is_empty(),
            result.database == "ledger",
            "{result:?}"
        );
    }
    let status = client.maintenance_status().await.expect("status");
    for task in status.tasks {
        let done = task.database == "ledger";
        assert_eq!(task.failure.is_empty(), done, "{task:?}");
        // The checkpoint was done before.
        let before = task.operation == Some(MaintenanceOperation::Checkpoint);
        assert_eq!(task.last_ms.is_some(), done || before, "{task:?}");
    }
    assert_eq!(
        reason(client.run_maintenance(Some("chat"), None).await),
        "CORRUPT"
    );
}

#[test]
fn an_interval_that_is_none_is_named() {
    let home = Home::new();
    home.configure("[maintenance]\nvacuum = \"sometimes\"\n");
    let (code, said) = home.refused("root", &[]);
    assert_eq!(code, Some(78));
    assert!(said.contains("maintenance.vacuum"), "{said}");
}
