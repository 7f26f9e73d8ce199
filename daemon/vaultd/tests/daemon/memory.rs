//! What is left of keys in the daemon's memory once it is locked, and who can look there at all.

mod databases;
mod scan;
mod secrets;

use std::{
    fs,
    os::unix::{
        fs::chown,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use vault_client::{Client, NewDocument, NextKey, RotationDepth, SealFor};

use crate::support::{
    Daemon, Home, PATIENCE, available, poll, signal,
    vault::{PASSPHRASE, STORE, fill, outcome, read},
};
use scan::{Needles, scan};

const EXPORT_PASSPHRASE: &[u8] = b"a passphrase for a file that leaves";
const MASTER: [u8; 32] = *b"\x8a\x1f\xc3\x5d\x07\xe2\x94\x6b\xb0\x39\xd8\x41\x7c\xf5\x2e\xa6\
    \x13\xcb\x58\x9d\xe4\x70\x2a\xb7\x4f\x86\xd1\x0c\x63\xfa\x95\x3e";
const NOBODY: u32 = 65534;

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    available("root, to read another process's memory", root)
}

async fn use_it(client: &Client) {
    let document = NewDocument::json("mine", r#"{"n":1}"#);
    client.put(STORE, document).await.expect("put");
    read(client, 3).await;
    let patch = br#"{"m":2}"#.to_vec();
    client
        .patch(STORE, "mine", patch, None)
        .await
        .expect("patched");
    client.delete(STORE, "mine", None).await.expect("deleted");
    let mut listing = client.list(STORE, "", true).await.expect("listed");
    while listing.next().await.expect("listed").is_some() {}
    let mut watch = client.watch(STORE, 0).await.expect("a watch");
    watch.next().await.expect("a change");
}

async fn rotate(client: &Client, depth: RotationDepth) {
    let rotation = client.rotate_key(depth, NextKey::AsBefore).await;
    outcome(rotation.expect("begun")).await;
}

/// The keys that are in force now, beside those known before.
fn learn(needles: &mut Needles, home: &Home, when: &str) {
    let key = home.storage_key("root");
    needles.add(&format!("storage key {when}"), key.expose());
    for (purpose, key) in home.data_keys("root") {
        needles.add(&format!("key of {purpose} {when}"), key.expose());
    }
}

/// Locks, and says what is still to be found. What a client sent lies in the buffer of its connection
/// until that is closed, which the daemon does a moment after the client.
async fn left(daemon: &Daemon, client: Client, needles: &Needles, after: &str) -> usize {
    client.lock().await.expect("locked");
    drop(client);
    let begun = Instant::now();
    loop {
        let hits = scan(daemon.pid(), needles);
        if hits.is_empty() || begun.elapsed() > PATIENCE {
            for hit in &hits {
                println!("after {after}: {hit}");
            }
            return hits.len();
        }
        // The client's end of the connection closes on this thread.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A new connection to a vault that was locked.
async fn unlocked(daemon: &Daemon) -> Client {
    let client = daemon.client().await;
    client.unlock(Some(PASSPHRASE)).await.expect("unlocked");
    client
}

#[tokio::test]
async fn a_locked_daemon_holds_no_key_and_no_passphrase() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    let (daemon, client) = home.new_light("root").await;
    fill(&client, 20).await;
    let mut needles = Needles::default();
    needles.add("passphrase", PASSPHRASE);
    learn(&mut needles, &home, "at first");
    let hits = scan(daemon.pid(), &needles);
    for name in ["storage key at first", "passphrase"] {
        let found = hits.iter().any(|hit| hit.needle == name);
        assert!(found, "an open vault has its {name} in memory: {hits:?}");
    }

    use_it(&client).await;
    let mut found = left(&daemon, client, &needles, "reading and writing").await;

    let client = unlocked(&daemon).await;
    rotate(&client, RotationDepth::Rewrap).await;
    learn(&mut needles, &home, "after a rewrap");
    found += left(&daemon, client, &needles, "a rewrap").await;

    let client = unlocked(&daemon).await;
    rotate(&client, RotationDepth::Reencrypt).await;
    learn(&mut needles, &home, "after a re-encryption");
    use_it(&client).await;
    found += left(&daemon, client, &needles, "a re-encryption").await;

    let client = unlocked(&daemon).await;
    needles.add("passphrase of an export", EXPORT_PASSPHRASE);
    let exported = client.export_key(SealFor::Passphrase(EXPORT_PASSPHRASE));
    exported.await.expect("exported");
    found += left(&daemon, client, &needles, "an export").await;

    let client = unlocked(&daemon).await;
    needles.add("master key", &MASTER);
    client.derive_key(&MASTER, None).await.expect("derived");
    learn(&mut needles, &home, "after a derivation");
    found += left(&daemon, client, &needles, "a derivation").await;
    assert_eq!(found, 0, "runs of secret bytes, listed above");
}

/// Of keys that never travel: what is left of one is a copy that somebody forgot, on a stack or in
/// a box.
#[tokio::test]
async fn work_on_keys_leaves_no_copy_of_them() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    let (daemon, mut client) = home.new_light("root").await;
    fill(&client, 1).await;
    let mut needles = Needles::default();
    learn(&mut needles, &home, "at first");
    let mut found = 0;
    for round in 1..=2 {
        let derived = client.derive_key(&MASTER, None).await;
        derived.expect("derived");
        learn(&mut needles, &home, &format!("of round {round}"));
        found += left(&daemon, client, &needles, &format!("round {round}")).await;
        client = unlocked(&daemon).await;
    }
    assert_eq!(found, 0, "runs of secret bytes, listed above");
}

/// A folder, and all in it, for a user without rights.
fn give(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).expect("given");
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("listed") {
            give(&entry.expect("an entry").path());
        }
    }
}

/// Runs a program as that user.
fn as_nobody(program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).uid(NOBODY).gid(NOBODY);
    command.env_clear().env("HOME", "/").current_dir("/");
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.output().expect("it runs")
}

/// A process of that user that keeps nobody out.
struct Open(Child);

impl Open {
    fn start() -> Self {
        let mut command = Command::new("sleep");
        command.arg("600").uid(NOBODY).gid(NOBODY);
        Self(command.stdout(Stdio::null()).spawn().expect("sleep"))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn reads_memory(pid: u32) -> bool {
    let script = format!("exec 3</proc/{pid}/mem");
    as_nobody("/bin/sh", &["-c", &script]).status.success()
}

fn attaches(pid: u32) -> bool {
    let arguments = [
        "-batch",
        "-nx",
        "-p",
        &pid.to_string(),
        "-ex",
        "info registers",
    ];
    let output = as_nobody("gdb", &arguments);
    String::from_utf8_lossy(&output.stdout).contains("rip")
}

#[tokio::test]
async fn its_own_user_cannot_look_into_its_memory() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    // Where that user may read it.
    let program = home.path("vaultd");
    fs::copy(env!("CARGO_BIN_EXE_vaultd"), &program).expect("copied");
    let mut command = home.command(&program);
    command
        .arg("--data-dir")
        .arg(home.path("root"))
        .arg("--ephemeral");
    command.uid(NOBODY).gid(NOBODY);
    give(&home.path(""));
    let daemon = home.serve("root", command);
    let open = Open::start();
    let read = poll(|| reads_memory(open.0.id()).then_some(()));
    assert!(read.is_some(), "that user may look into other processes");
    assert!(!reads_memory(daemon.pid()), "it may look into the daemon");
    let there = Command::new("gdb").arg("--version").output().is_ok();
    if available("gdb", there) {
        assert!(attaches(open.0.id()), "that user may debug others");
        assert!(!attaches(daemon.pid()), "it may debug the daemon");
    }
}

/// Whether a process that ends by SIGABRT leaves a core in its working folder.
fn cores(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("listed");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let name = |path: &PathBuf| path.file_name()?.to_str().map(str::to_owned);
    paths
        .filter(|path| name(path).is_some_and(|name| name.starts_with("core")))
        .collect()
}

#[tokio::test]
async fn a_crash_leaves_no_core() {
    const UNLIMITED: &str = "ulimit -c unlimited 2>/dev/null; exec \"$0\" \"$@\"";
    let home = Home::new();
    let folder = home.path("cwd");
    fs::create_dir(&folder).expect("a folder");
    // Another process does, wherever cores are written here.
    let mut control = home.command("/bin/sh");
    control.args(["-c", UNLIMITED, "/bin/sh", "-c", "kill -ABRT $$"]);
    let control = control.current_dir(&folder).status().expect("sh");
    assert_eq!(control.signal(), Some(6));
    println!("a core of another process: {}", control.core_dumped());
    for core in cores(&folder) {
        fs::remove_file(core).expect("removed");
    }

    let mut command = home.command("/bin/sh");
    command.args([
        "-c",
        UNLIMITED,
        env!("CARGO_BIN_EXE_vaultd"),
        "--ephemeral",
        "--data-dir",
    ]);
    command.arg(home.path("root")).current_dir(&folder);
    let mut daemon = home.serve("root", command);
    let client = daemon.client().await;
    assert!(client.status().await.expect("served").non_dumpable);
    fill(&client, 1).await;
    signal("-ABRT", daemon.pid());
    let status = daemon.stopped().await;
    assert_eq!(status.signal(), Some(6));
    assert!(!status.core_dumped(), "{status:?}");
    assert_eq!(cores(&folder), Vec::<PathBuf>::new());
}
