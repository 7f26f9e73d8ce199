//! Stores and their objects.

use std::{fs, path::PathBuf};

use tokio::sync::mpsc;
use vault_client::{AdoptFile, DatabaseOptions};

use super::Stage;
use crate::support::{Home, files, soon, vault::fill};

/// The files of the stores whose name fits.
fn files_of(home: &Home, fits: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let all = files(&home.path("root/stores")).into_iter();
    let fits = |path: &PathBuf| path.to_str().is_some_and(&fits);
    all.map(|(path, _)| path).filter(fits).collect()
}

pub(super) async fn objects_damaged() -> Stage {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, 1).await;
    daemon.kill();
    let objects = files_of(&home, |path| path.contains("/objects/"));
    fs::write(objects.first().expect("one object"), b"damage").expect("damaged");
    let served = home.unlocked("root").await;
    Stage::of(home, served)
}

pub(super) async fn store_damaged() -> Stage {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    let created = client
        .create_database("app", DatabaseOptions::default())
        .await;
    created.expect("created");
    daemon.kill();
    let heads = files_of(&home, |path| path.ends_with("/head"));
    fs::remove_file(heads.first().expect("one head")).expect("removed");
    let served = home.unlocked("root").await;
    Stage::of(home, served)
}

pub(super) async fn awaiting_migration() -> Stage {
    let home = Home::new();
    let (daemon, client) = home.new_light("root").await;
    let (sender, receiver) = mpsc::channel(1);
    let file = AdoptFile {
        path: "a.json".into(),
        body: b"{}".to_vec(),
    };
    sender.send(Ok(file)).await.expect("there is room");
    drop(sender);
    let adopted = soon("an adoption", client.adopt("old", receiver)).await;
    assert_eq!(adopted.expect("adopted"), 1);
    Stage::of(home, (daemon, client))
}
