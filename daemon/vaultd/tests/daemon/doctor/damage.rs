//! The vault's own files, damaged while it is open and while it is not.

use std::{fs, path::PathBuf};

use vault_client::{KeyState, Severity};

use super::{DOCUMENTS, assert_all_answer, assert_healthy, start};
use crate::support::{
    Home, reason,
    vault::{PASSPHRASE, assert_advises, fill, finding, found, mended, settled},
};

/// The vault's own files, as they are.
fn own_files(home: &Home) -> Vec<(PathBuf, Vec<u8>)> {
    let names = ["vault.json", "keys.a", "keys.b", "catalogue"];
    let paths = names.map(|name| home.path("root").join(name));
    let read = |path: PathBuf| (path.clone(), fs::read(path).expect("read"));
    paths.into_iter().map(read).collect()
}

#[tokio::test]
async fn what_is_damaged_while_it_is_open_is_mended() {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, DOCUMENTS).await;
    let whole = own_files(&home);
    for (broken, names) in [
        (&["keys.a"][..], &["key_table_copy_damaged"][..]),
        (&["keys.b"], &["key_table_copy_damaged"]),
        (
            &["keys.a", "keys.b"],
            &["key_table_copy_damaged", "key_table_copy_damaged"],
        ),
        (&["vault.json"], &["header_damaged"]),
        (
            &["vault.json", "keys.b"],
            &["header_damaged", "key_table_copy_damaged"],
        ),
    ] {
        for gone in [false, true] {
            for name in broken {
                let path = home.path("root").join(name);
                if gone {
                    fs::remove_file(path).expect("removed");
                } else {
                    fs::write(path, b"damage").expect("damaged");
                }
            }
            assert_eq!(found(&client).await, names, "{broken:?}");
            let damage = finding(&client, names[0]).await;
            assert_eq!(damage.severity, Severity::Warning);
            assert_advises(&damage, "vaultctl doctor --fix");
            assert_all_answer(&client).await;
            let fixed = mended(&client).await;
            assert!(fixed.iter().all(|finding| finding.fixed), "{fixed:?}");
            assert_healthy(&client).await;
        }
    }
    let [a, b] = ["keys.a", "keys.b"].map(|name| fs::read(home.path("root").join(name)));
    assert!(a.expect("read") == b.expect("read"), "one content");
    assert!(own_files(&home)[0] == whole[0], "the header is what it was");
    daemon.kill();
    let (_daemon, client) = home.unlocked("root").await;
    assert_healthy(&client).await;
}

#[tokio::test]
async fn a_damaged_bit_in_one_copy_is_found_while_it_is_open() {
    let home = Home::new();
    let (_daemon, client) = home.new_light("root").await;
    fill(&client, DOCUMENTS).await;
    let path = home.path("root").join("keys.a");
    let whole = fs::read(&path).expect("read");
    // In what is sealed: the clear part is as it was.
    for at in [100, whole.len() - 1] {
        let mut changed = fs::read(&path).expect("read");
        changed[at] ^= 1;
        fs::write(&path, &changed).expect("damaged");
        assert_eq!(
            found(&client).await,
            ["key_table_copy_damaged"],
            "byte {at}"
        );
        mended(&client).await;
        assert_ne!(fs::read(&path).expect("read"), changed);
        assert_healthy(&client).await;
    }
}

#[tokio::test]
async fn one_damaged_copy_is_mended_by_the_unlock() {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, DOCUMENTS).await;
    daemon.kill();
    for (name, damage) in [
        ("keys.a", None),
        ("keys.b", Some(b"damage")),
        ("keys.a", Some(b"damage")),
    ] {
        let path = home.path("root").join(name);
        match damage {
            None => fs::remove_file(&path).expect("removed"),
            Some(damage) => fs::write(&path, damage).expect("damaged"),
        }
        let (_daemon, client) = start(&home, "root", KeyState::KeyringLocked).await;
        assert_eq!(
            found(&client).await,
            ["keyring_locked", "key_table_copy_damaged"]
        );
        let damage = finding(&client, "key_table_copy_damaged").await;
        assert!(damage.explanation.contains(name), "{}", damage.explanation);
        assert_all_answer(&client).await;
        client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
        assert_healthy(&client).await;
    }
}

#[tokio::test]
async fn both_copies_are_put_back_by_hand() {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, DOCUMENTS).await;
    daemon.kill();
    let saved = own_files(&home);
    for (path, _) in &saved[1..3] {
        fs::write(path, b"damage").expect("damaged");
    }
    let (_daemon, client) = start(&home, "root", KeyState::KeyringLocked).await;
    assert_eq!(reason(client.unlock(Some(PASSPHRASE)).await), "CORRUPT");
    assert_eq!(settled(&client).await, KeyState::Damaged);
    assert_eq!(found(&client).await, ["damaged"]);
    let damaged = finding(&client, "damaged").await;
    assert_eq!(damaged.severity, Severity::Error);
    assert_advises(&damaged, "vaultctl restore FILE");
    assert_advises(&damaged, "`keys.a`");
    assert_all_answer(&client).await;
    for (path, content) in saved {
        fs::write(path, content).expect("put back");
    }
    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    assert_healthy(&client).await;
}

#[tokio::test]
async fn a_damaged_header_is_rebuilt_by_the_unlock() {
    let home = Home::new();
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, DOCUMENTS).await;
    client.lock().await.expect("locked");
    let path = home.path("root").join("vault.json");
    fs::write(&path, b"{}").expect("damaged");
    assert_eq!(found(&client).await, ["locked", "header_damaged"]);
    client
        .unlock(Some(PASSPHRASE))
        .await
        .expect("the doctor says no more is needed");
    assert_healthy(&client).await;
    daemon.kill();
    for damage in [None, Some(&b"{}"[..])] {
        match damage {
            None => fs::remove_file(&path).expect("removed"),
            Some(damage) => fs::write(&path, damage).expect("damaged"),
        }
        let (_daemon, client) = start(&home, "root", KeyState::KeyringLocked).await;
        assert_eq!(found(&client).await, ["keyring_locked", "header_damaged"]);
        assert_all_answer(&client).await;
        client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
        assert_healthy(&client).await;
    }
}
