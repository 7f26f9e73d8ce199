//! Vaults and users apart from each other.

use std::{
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::{Command, Stdio},
};

use vault_client::{Client, Error, KeyState, NewDocument, Options, StoreOptions};

use crate::support::{Home, available, keyring::Session, poll, signal, until};

async fn fill(client: &Client, text: &str) {
    client
        .create_store("notes", &StoreOptions::default())
        .await
        .expect("created");
    let body = format!("\"{text}\"");
    client
        .put("notes", NewDocument::json("a", body))
        .await
        .expect("put");
}

#[tokio::test]
async fn two_vaults_on_one_keyring_do_not_touch_each_other() {
    let Some(session) = Session::start() else {
        return;
    };
    let home = &session.home;
    let mut one = home.start("one", &[]);
    let mut two = home.start("two", &[]);
    assert_ne!(one.socket, two.socket);
    assert_eq!(
        one.socket.parent(),
        two.socket.parent(),
        "one runtime directory"
    );
    let (first, second) = (one.client().await, two.client().await);
    fill(&first, "first").await;
    fill(&second, "second").await;
    assert_eq!(session.entries(), 2);
    let ids = [&first, &second].map(async |client| client.status().await.expect("served").vault_id);
    let [id, other] = ids;
    assert_ne!(id.await, other.await);

    // Told the wrong socket, a client notices before it says or hears anything of a vault.
    let wrong = Options {
        socket: Some(two.socket.clone()),
        ..one.options()
    };
    match Client::connect(&wrong).await {
        Err(Error::OtherVault { wanted, found }) => {
            assert_eq!((wanted, found), (one.root.clone(), two.root.clone()));
        }
        other => panic!("{other:?}"),
    }

    first.lock().await.expect("locked");
    assert_eq!(
        second.status().await.expect("served").key_state,
        KeyState::Open
    );
    second.remove_store("notes").await.expect("removed");
    one.kill();
    two.kill();
    fs::remove_dir_all(home.path("two")).expect("the second vault goes");
    let one = home.start("one", &[]);
    let kept = one
        .client()
        .await
        .get("notes", "a")
        .await
        .expect("the first stays");
    assert_eq!(kept.body, b"\"first\"");
}

#[tokio::test]
async fn fifty_starts_at_once_leave_one_daemon() {
    let home = Home::new();
    let start = |_| {
        let mut command = home.vaultd("root");
        command.arg("--ephemeral").stderr(Stdio::null());
        command.spawn().expect("started")
    };
    let mut children: Vec<_> = (0..50).map(start).collect();
    let refused = poll(|| {
        let mut codes = Vec::new();
        for child in &mut children {
            codes.extend(child.try_wait().expect("its status"));
        }
        (codes.len() == 49).then_some(codes)
    });
    let options = there(&home);
    let serving = serving_pid(&options).await;
    let mut alive = Vec::new();
    for child in &mut children {
        if child.try_wait().expect("its status").is_none() {
            alive.push(child.id());
            signal("-KILL", child.id());
        }
        let _ = child.wait();
    }
    let refused = refused.expect("all but one end");
    assert!(
        refused.iter().all(|status| status.code() == Some(75)),
        "{refused:?}"
    );
    assert_eq!(alive, [serving.expect("one serves")]);
}

/// The daemon of a home, where one runs.
fn there(home: &Home) -> Options {
    Options {
        data_dir: Some(home.path("root")),
        socket: Some(home.socket("root")),
        no_autostart: true,
        ..Options::default()
    }
}

async fn serving_pid(options: &Options) -> Option<u32> {
    let client = Client::connect(options).await.ok()?;
    Some(client.status().await.ok()?.pid)
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_clients_at_once_start_one_daemon() {
    let home = Home::new();
    let program = std::env::current_exe().expect("this program");
    // Each is a copy of this test program, for the environment is a process's own.
    let client = |_| {
        let mut command = home.command(&program);
        let folder = std::path::Path::new(env!("CARGO_BIN_EXE_vaultd"))
            .parent()
            .expect("a folder");
        command
            .env("PATH", folder)
            .env("VAULTD_TEST_ROOT", home.path("root"))
            .args([
                "--exact",
                "isolation::one_client_that_starts_a_daemon",
                "--ignored",
            ])
            .args(["--nocapture", "--test-threads=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().expect("started")
    };
    let clients: Vec<_> = (0..50).map(client).collect();
    let mut pids: Vec<u32> = Vec::new();
    let mut failures = Vec::new();
    for client in clients {
        let output = client.wait_with_output().expect("ended");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        match said
            .split_once("\ndaemon ")
            .and_then(|(_, rest)| rest.lines().next()?.parse().ok())
        {
            Some(pid) => pids.push(pid),
            None => failures.push(said + &String::from_utf8_lossy(&output.stderr)),
        }
    }
    pids.sort_unstable();
    pids.dedup();
    // A daemon started by a client belongs to nobody: it is ended by its number.
    if let Some(pid) = serving_pid(&there(&home)).await {
        signal("-TERM", pid);
        until("the daemon stopped", async || !home.socket("root").exists()).await;
    }
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(pids.len(), 1, "{pids:?}");
}

#[tokio::test]
#[ignore = "a part of fifty_clients_at_once_start_one_daemon"]
async fn one_client_that_starts_a_daemon() {
    let Some(root) = std::env::var_os("VAULTD_TEST_ROOT") else {
        return;
    };
    let options = Options {
        data_dir: Some(root.into()),
        ..Options::default()
    };
    let client = Client::connect(&options).await.expect("connected");
    println!("\ndaemon {}", client.status().await.expect("served").pid);
}

/// Connects, says a preface and waits for the other end to say something or to close.
const STRANGER: &str = r#"
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
try:
    s.connect(sys.argv[1])
except OSError as error:
    print("refused", error.errno)
    sys.exit()
try:
    s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
    print("heard", s.recv(1))
except OSError as error:
    print("heard", b"")
"#;

#[tokio::test]
async fn another_user_is_refused_before_a_byte_is_read() {
    let root = rustix::process::geteuid().is_root();
    let python = std::path::Path::new("/usr/bin/python3");
    if !available("root, to become another user", root)
        || !available("/usr/bin/python3", python.exists())
    {
        return;
    }
    let home = Home::new();
    let daemon = home.ephemeral("root");
    let stranger = || {
        let mut command = Command::new(python);
        command
            .args(["-c", STRANGER])
            .arg(&daemon.socket)
            .env_clear()
            .current_dir("/");
        let output = command.uid(65534).gid(65534).output().expect("python");
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        said
    };
    // EACCES: the folder lets nobody through.
    assert_eq!(stranger(), "refused 13");
    // Were it to, by mistake, the daemon looks at who comes.
    let folder = daemon.socket.parent().expect("a folder");
    let mut opened = vec![(daemon.socket.clone(), 0o666)];
    for folder in folder
        .ancestors()
        .filter(|path| path.starts_with(home.path("")))
    {
        opened.push((folder.to_owned(), 0o755));
    }
    for (path, mode) in opened {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("opened");
    }
    let before = daemon.log().len();
    assert_eq!(stranger(), "heard b''", "closed without a word");
    // The stranger hears of it before it is written.
    until("the refusal is logged", || async {
        daemon.log()[before..].contains("65534")
    })
    .await;
    daemon
        .client()
        .await
        .status()
        .await
        .expect("its own user is served");
}
