//! Where the vault lies, and what is left of an earlier place.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
};

use vault_client::MoveInConflicts;

use super::{Stage, move_in};
use crate::support::{Home, private};

/// A vault, where something was done to the home before its daemon started.
async fn with(prepare: impl FnOnce(&Home)) -> Stage {
    let home = Home::new();
    home.light_vault("root");
    prepare(&home);
    let served = home.unlocked("root").await;
    Stage::of(home, served)
}

pub(super) async fn root_not_compliant() -> Stage {
    with(|_| ()).await
}

pub(super) async fn legacy_root_found() -> Stage {
    with(|home| home.light_vault("home/.vaultd")).await
}

/// Something is left of a vault, and nothing says of which.
pub(super) async fn legacy_root_unreadable() -> Stage {
    with(|home| {
        for folder in [
            "home/.vaultd",
            "home/.vaultd/stores",
            "home/.vaultd/stores/a",
        ] {
            private(&home.path(folder));
        }
    })
    .await
}

pub(super) async fn legacy_root_moved_in() -> Stage {
    let home = Home::new();
    home.light_vault("home/.vaultd");
    let (daemon, client) = home.new_light("root").await;
    move_in(&client, MoveInConflicts::Refuse).await;
    Stage::of(home, (daemon, client))
}

fn write_private(home: &Home, name: &str, content: &str) {
    let path = home.path(name);
    fs::write(&path, content).expect("written");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("set");
}

pub(super) async fn merge_marker_damaged() -> Stage {
    with(|home| write_private(home, "root/moved-in.json", "{}")).await
}

pub(super) async fn move_in_interrupted() -> Stage {
    with(|home| {
        private(&home.path("root/moving-in"));
        write_private(home, "root/moving-in/vault.json", "{}");
    })
    .await
}

pub(super) async fn models_root_missing() -> Stage {
    with(|home| {
        let models = home.path("models/large");
        home.configure(&format!("models_dir = '{}'\n", models.display()));
    })
    .await
}

pub(super) async fn path_open_to_others() -> Stage {
    with(|home| {
        for (name, mode) in [("root/vault.json", 0o644), ("root/stores", 0o755)] {
            fs::set_permissions(home.path(name), Permissions::from_mode(mode)).expect("set");
        }
    })
    .await
}

pub(super) async fn service_not_installed() -> Stage {
    with(|_| ()).await
}

pub(super) async fn service_broken() -> Stage {
    with(|home| {
        let units = home.path("home/.config/systemd/user");
        fs::create_dir_all(&units).expect("a folder");
        let unit = "[Service]\nExecStart=/nowhere/vaultd --log info\n";
        fs::write(units.join("vaultd.service"), unit).expect("a unit");
    })
    .await
}
