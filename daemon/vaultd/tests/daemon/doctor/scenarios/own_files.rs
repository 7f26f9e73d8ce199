//! The vault's own files and its entry in the keyring, spoilt while it is open.

use std::fs;

use super::Stage;
use crate::support::{Home, keyring::Session, vault::fill};

async fn spoilt(name: &str) -> Stage {
    let home = Home::new();
    let (daemon, client) = home.new_light("root").await;
    fill(&client, 3).await;
    fs::write(home.path("root").join(name), b"damage").expect("damaged");
    Stage::of(home, (daemon, client))
}

pub(super) async fn header_damaged() -> Stage {
    spoilt("vault.json").await
}

pub(super) async fn key_table_copy_damaged() -> Stage {
    spoilt("keys.b").await
}

pub(super) async fn catalogue_damaged() -> Stage {
    spoilt("catalogue").await
}

pub(super) async fn key_not_in_keyring() -> Stage {
    let Some(session) = Session::start() else {
        return Stage::Skipped;
    };
    let daemon = session.home.start("root", &[]);
    let client = daemon.client().await;
    fill(&client, 3).await;
    let id = client.status().await.expect("served").vault_id;
    session.clear_entry(&id, "storage-key");
    Stage::in_session(session, (daemon, client))
}

/// No file where one must be.
pub(super) async fn storage_failed() -> Stage {
    let home = Home::new();
    let (daemon, client) = home.new_light("root").await;
    fill(&client, 3).await;
    let table = home.path("root").join("keys.a");
    fs::remove_file(&table).expect("removed");
    crate::support::private(&table);
    Stage::of(home, (daemon, client))
}
