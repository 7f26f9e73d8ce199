//! Where the vault says that everything lies: by whose word, in status and in the doctor's report.

use std::{
    collections::BTreeSet,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    process::Command,
};

use vault_client::{LocationClass, Mend, StorageLocations};

use super::scenarios::tree;
use crate::support::{
    Daemon, Home, files,
    vault::{fill, findings},
};

/// What a daemon says that is started like this. Both answers that hold the block hold the same.
async fn located(daemon: &Daemon) -> StorageLocations {
    let client = daemon.client().await;
    let status = client.status().await.expect("served").storage_locations;
    let report = client.doctor(Mend::Nothing).await.expect("served");
    assert_eq!(report.locations, status);
    let codes: BTreeSet<_> = report.reason_codes.iter().collect();
    assert!(status.reason_codes.iter().all(|code| codes.contains(code)));
    status
}

/// A daemon that is told of its root in one way, or not at all.
fn told(home: &Home, root: &str, tell: impl FnOnce(&mut Command)) -> Daemon {
    let mut command = home.command(env!("CARGO_BIN_EXE_vaultd"));
    let socket = home.path("run/named.sock");
    command.arg("--socket").arg(&socket);
    tell(&mut command);
    home.serve_at(root, &socket, command)
}

#[tokio::test]
async fn the_root_of_a_user_who_names_none_is_the_platform_s() {
    let home = Home::new();
    let name = "home/.local/share/vaultd";
    let root = home.path(name);
    let daemon = told(&home, name, |_| ());
    let locations = located(&daemon).await;
    assert_eq!(locations.active_root, root);
    assert_eq!(locations.active_root_class, LocationClass::XdgDataHome);
    assert!(locations.spec_compliant);
    assert_eq!(locations.models_root, root.join("plain/models"));
    assert_eq!(locations.models_root_class, LocationClass::XdgDataHome);
    assert_eq!(locations.legacy_root, Some(home.path("home/.vaultd")));
    assert!(!locations.legacy_root_exists && !locations.merge_marker);
    assert!(locations.reason_codes.is_empty(), "{locations:?}");
    drop(daemon);

    // Whoever names it on the command line, as `vaultctl` does, overrides nothing.
    let daemon = told(&home, name, |command| {
        command.arg("--data-dir").arg(&root);
    });
    let locations = located(&daemon).await;
    assert_eq!(locations.active_root_class, LocationClass::XdgDataHome);
}

#[tokio::test]
async fn an_override_says_whose_word_it_was() {
    let home = Home::new();
    for (daemon, class) in [
        (
            told(&home, "root", |command| {
                command.env("VAULTD_DATA_DIR", home.path("root"));
            }),
            LocationClass::EnvironmentOverride,
        ),
        (home.start("other", &[]), LocationClass::FlagOverride),
        (home.ephemeral("third"), LocationClass::TestOverride),
    ] {
        let locations = located(&daemon).await;
        assert_eq!(locations.active_root_class, class);
        assert_eq!(locations.models_root_class, class, "it lies in the root");
        assert!(!locations.spec_compliant);
        let told = locations
            .reason_codes
            .contains(&"root_not_compliant".to_owned());
        assert_eq!(told, class != LocationClass::TestOverride);
    }
}

#[tokio::test]
async fn the_configuration_names_a_legacy_root_and_a_models_root() {
    let home = Home::new();
    home.light_vault("old");
    for (models, class) in [
        (home.path("home/.models"), LocationClass::HomeDotDirectory),
        (home.path("models"), LocationClass::Custom),
        (
            home.path("home/.local/share/models"),
            LocationClass::XdgDataHome,
        ),
    ] {
        let legacy = home.path("old");
        home.configure(&format!(
            "legacy_dir = {legacy:?}\nmodels_dir = {models:?}\n"
        ));
        let daemon = home.start("root", &[]);
        let locations = located(&daemon).await;
        assert_eq!(locations.models_root, models);
        assert_eq!(locations.models_root_class, class);
        assert_eq!(locations.legacy_root, Some(legacy));
        assert!(locations.legacy_root_exists && !locations.merge_marker);
        assert_eq!(
            locations.reason_codes,
            [
                "root_not_compliant",
                "legacy_root_found",
                "models_root_missing"
            ]
        );
    }
    home.configure("legacy_dir = \"old\"\n");
    let (code, said) = home.refused("root", &[]);
    assert_eq!(code, Some(78));
    assert!(said.contains("legacy_dir"), "{said}");
}

/// Not the vault, not a store that nobody has opened, not the folder of an earlier version, not the
/// rest of the home.
#[tokio::test]
async fn an_examination_changes_nothing() {
    let home = Home::new();
    home.light_vault("home/.vaultd");
    let (mut daemon, client) = home.new_light("root").await;
    fill(&client, 20).await;
    crate::support::vault::of_every_kind(&client).await;
    daemon.kill();
    let (_daemon, client) = home.unlocked("root").await;
    // Counts the secrets, and so opens their list.
    client.status().await.expect("served");
    // What crashes leave, and a start clears away.
    for (path, _) in files(&home.path("root/stores")) {
        let folder = path.parent().expect("a folder");
        let left = folder.join(".tmp-left-by-a-crash");
        fs::write(&left, b"half").expect("written");
        fs::set_permissions(left, Permissions::from_mode(0o600)).expect("set");
    }
    let all = || ["root", "home"].map(|folder| tree(&home.path(folder)));
    let before = all();
    for _ in 0..3 {
        assert!(!findings(&client).await.is_empty());
        client.status().await.expect("served");
    }
    assert_eq!(all(), before);
}
