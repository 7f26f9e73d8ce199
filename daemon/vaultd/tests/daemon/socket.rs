//! What may lie at the socket's path, and around it.

use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{PermissionsExt as _, chown, symlink},
        net::UnixListener,
    },
    path::Path,
};

use crate::support::{Home, available, private};

const EPHEMERAL: &[&str] = &["--ephemeral"];

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("changed");
}

/// A home with the sockets' folder, where an earlier daemon left it.
fn used() -> Home {
    let home = Home::new();
    private(&home.path("run/vaultd"));
    home
}

#[track_caller]
fn assert_refused(home: &Home, arguments: &[&str], said: &str) {
    let (code, text) = home.refused("root", arguments);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(said), "{text}");
}

#[tokio::test]
async fn what_is_no_socket_is_refused_and_left_alone() {
    let home = used();
    let socket = home.socket("root");
    let victim = home.path("victim");
    fs::write(&victim, "precious").expect("written");
    symlink(&victim, &socket).expect("a link");
    assert_refused(&home, EPHEMERAL, "in the way");
    assert_eq!(fs::read_link(&socket).expect("still a link"), victim);
    assert_eq!(fs::read(&victim).expect("still there"), b"precious");

    // Nor through a link to a socket.
    fs::remove_file(&socket).expect("removed");
    fs::remove_file(&victim).expect("removed");
    drop(UnixListener::bind(&victim).expect("bound"));
    symlink(&victim, &socket).expect("a link");
    assert_refused(&home, EPHEMERAL, "in the way");
    assert!(victim.exists() && socket.is_symlink());

    fs::remove_file(&socket).expect("removed");
    fs::create_dir(&socket).expect("a folder");
    fs::write(socket.join("kept"), "").expect("written");
    assert_refused(&home, EPHEMERAL, "in the way");
    assert!(socket.join("kept").exists());

    fs::remove_dir_all(&socket).expect("removed");
    fs::write(&socket, "precious").expect("written");
    assert_refused(&home, EPHEMERAL, "in the way");
    assert_eq!(fs::read(&socket).expect("still there"), b"precious");

    // The lock beside it is no way in either.
    fs::remove_file(&socket).expect("removed");
    let lock = home.path("run/vaultd").join(format!(
        "{}.lock",
        socket.file_name().expect("a name").to_str().expect("UTF-8")
    ));
    let _ = fs::remove_file(&lock);
    fs::write(&victim, "precious").expect_err("a socket lies there");
    symlink(home.path("target"), &lock).expect("a link");
    let (code, text) = home.refused("root", EPHEMERAL);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        !home.path("target").exists(),
        "nothing was created through the link"
    );
}

#[tokio::test]
async fn a_socket_that_a_daemon_left_is_replaced() {
    let home = used();
    drop(UnixListener::bind(home.socket("root")).expect("bound"));
    let mut daemon = home.ephemeral("root");
    daemon.client().await.status().await.expect("served");
    daemon.kill();
    assert!(daemon.socket.exists(), "a kill leaves it");
    let mut daemon = home.ephemeral("root");
    daemon.client().await.status().await.expect("served");
    assert!(daemon.terminate().await.success());
    assert!(!daemon.socket.exists(), "an orderly end does not");
}

#[tokio::test]
async fn a_socket_that_another_vault_serves_is_refused() {
    let home = used();
    let one = home.ephemeral("one");
    let socket = one.socket.to_str().expect("UTF-8");
    let (code, text) = home.refused("two", &["--ephemeral", "--socket", socket]);
    assert_eq!(code, Some(75), "{text}");
    assert!(text.contains("already listens"), "{text}");
    one.client().await.status().await.expect("it goes on");
    // And so is a root that is served elsewhere.
    let elsewhere = home.path("run/vaultd/elsewhere.sock");
    let (code, text) = home.refused(
        "one",
        &[
            "--ephemeral",
            "--socket",
            elsewhere.to_str().expect("UTF-8"),
        ],
    );
    assert_eq!(code, Some(75), "{text}");
    assert!(!elsewhere.exists());
}

#[tokio::test]
async fn a_folder_that_others_could_reach_into_is_refused() {
    let home = used();
    let folder = home.path("run/vaultd");
    for open in [0o770, 0o720, 0o705, 0o701, 0o777] {
        mode(&folder, open);
        assert_refused(&home, EPHEMERAL, "open to others");
    }
    fs::remove_dir(&folder).expect("removed");
    let elsewhere = home.path("elsewhere");
    private(&elsewhere);
    symlink(&elsewhere, &folder).expect("a link");
    assert_refused(&home, EPHEMERAL, "links are refused");
    assert_eq!(fs::read_dir(&elsewhere).expect("listed").count(), 0);

    fs::remove_file(&folder).expect("removed");
    fs::write(&folder, "").expect("a file");
    assert_refused(&home, EPHEMERAL, "not a folder");

    if available(
        "root, to give a folder away",
        rustix::process::geteuid().is_root(),
    ) {
        fs::remove_file(&folder).expect("removed");
        private(&folder);
        chown(&folder, Some(65534), None).expect("given away");
        assert_refused(&home, EPHEMERAL, "belongs to user 65534");
    }
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_named() {
    let home = Home::new();
    let long = home.path(&format!("{}/vaultd.sock", "x".repeat(100)));
    assert_refused(
        &home,
        &["--ephemeral", "--socket", long.to_str().expect("UTF-8")],
        "103 bytes",
    );
    assert!(
        !long.parent().expect("a folder").exists(),
        "nothing was created"
    );
}

#[tokio::test]
async fn a_data_root_that_others_could_change_is_refused() {
    let home = Home::new();
    let root = home.path("root");
    private(&root);
    for open in [0o720, 0o702, 0o777] {
        mode(&root, open);
        assert_refused(&home, EPHEMERAL, "others can write");
    }
    fs::remove_dir_all(&root).expect("removed");
    let elsewhere = home.path("elsewhere");
    fs::write(&elsewhere, "").expect("a file");
    symlink(&elsewhere, &root).expect("a link");
    let (code, text) = home.refused("root", EPHEMERAL);
    assert_eq!(code, Some(1), "{text}");
    if available(
        "root, to give a folder away",
        rustix::process::geteuid().is_root(),
    ) {
        fs::remove_file(&root).expect("removed");
        private(&root);
        chown(&root, Some(65534), None).expect("given away");
        assert_refused(&home, EPHEMERAL, "belongs to another user");
    }
}

#[tokio::test]
async fn what_the_daemon_creates_is_for_its_user_alone() {
    let home = Home::new();
    let daemon = home.ephemeral("root");
    daemon.client().await.stores().await.expect("served");
    for path in [
        home.path("run/vaultd"),
        home.path("root"),
        daemon.socket.clone(),
    ] {
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    }
}
