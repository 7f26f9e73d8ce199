//! Transcripts of the command line against a real daemon.

mod access;
mod connections;
mod databases;
#[cfg(unix)]
mod doctor;
mod folders;
#[cfg(unix)]
mod run;
#[cfg(target_os = "linux")]
mod service;
mod stats;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A daemon of its own for the transcripts, ended with the test.
struct Daemon {
    child: Child,
    folder: tempfile::TempDir,
}

impl Daemon {
    fn start(program: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let child = Command::new(program)
            .args(["--ephemeral", "--log", "error", "--data-dir"])
            .arg(folder.path().join("root"))
            .arg("--socket")
            .arg(folder.path().join("root/vaultd.sock"))
            .stdin(Stdio::null())
            .spawn()
            .expect("vaultd starts");
        let daemon = Self { child, folder };
        // It listens before it does anything else; until then the client says "no daemon".
        let answers = || {
            let status = daemon
                .vaultctl()
                .args(["--no-autostart", "status"])
                .output();
            status.expect("vaultctl runs").status.success()
        };
        assert!((0..2000).any(|_| answers()), "the daemon never answered");
        daemon
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn vaultctl(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vaultctl"));
        command.env("VAULTD_DATA_DIR", self.root());
        command.env("VAULTD_SOCKET", self.root().join("vaultd.sock"));
        command
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `vaultd`, beside `vaultctl`. A test of the whole workspace has built it; a test of this package
/// alone has not. It is built as there, with a test that needs it: with other features of other packages
/// all of them would be built once more.
fn vaultd() -> PathBuf {
    let vaultctl = Path::new(env!("CARGO_BIN_EXE_vaultctl"));
    let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args("test --quiet --workspace --no-run --test layering".split(' '))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo runs");
    assert!(built.success(), "vaultd builds");
    vaultctl.with_file_name(format!("vaultd{}", env::consts::EXE_SUFFIX))
}

/// Runs transcripts against a daemon that they share.
fn run_transcripts(pattern: &str) {
    let daemon = Daemon::start(&vaultd());
    let cases = trycmd::TestCases::new();
    cases
        .env("VAULTD_DATA_DIR", daemon.root().to_string_lossy())
        .env(
            "VAULTD_SOCKET",
            daemon.root().join("vaultd.sock").to_string_lossy(),
        )
        .env("XDG_CONFIG_HOME", daemon.root().to_string_lossy())
        .env("COLUMNS", "100")
        .case(pattern);
    cases.run();
}

#[test]
fn transcripts() {
    run_transcripts("tests/cmd/*.trycmd");
}

// These have a vault of their own: a rotation changes what others print, and a restore brings back
// what others have deleted.

#[test]
fn the_transcript_of_keys() {
    run_transcripts("tests/cmd/vault/key.trycmd");
}

#[test]
fn the_transcript_of_the_audit_log() {
    run_transcripts("tests/cmd/vault/audit.trycmd");
}

#[test]
fn the_transcript_of_archives() {
    run_transcripts("tests/cmd/vault/archive.trycmd");
}

#[test]
fn the_transcript_of_access() {
    run_transcripts("tests/cmd/vault/auth.trycmd");
}

// In a folder of its own: it writes files.

#[test]
fn the_transcript_of_attachments() {
    run_transcripts("tests/cmd/vault/attachments.trycmd");
}

#[test]
fn the_demo_leaves_nothing_behind() {
    vaultd();
    let temporary = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_vaultctl"))
        .arg("demo")
        .env("TMPDIR", temporary.path())
        .output()
        .expect("vaultctl runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for expected in ["imported 4", "revision 5", "is at revision 5", ": 0 found"] {
        assert!(
            text.contains(expected),
            "`{expected}` is missing from:\n{text}"
        );
    }
    let left = fs::read_dir(temporary.path()).expect("readable").count();
    assert_eq!(left, 0, "the demo left files behind");
}

#[test]
fn a_daemon_is_started_where_none_runs_and_exit_codes_tell_where_none_may_be() {
    let program = vaultd();
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("root");
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_vaultctl"))
            .args(arguments)
            .arg("--data-dir")
            .arg(&root)
            .arg("--socket")
            .arg(root.join("vaultd.sock"))
            .env("XDG_STATE_HOME", folder.path().join("state"))
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
            .env_remove("VAULTD_PASSPHRASE_FILE")
            .stdin(Stdio::null())
            .output()
            .expect("vaultctl runs")
    };
    assert_eq!(
        run(&["--no-autostart", "status"]).status.code(),
        Some(6),
        "no daemon"
    );
    let status = run(&["status", "--json"]);
    assert!(
        status.status.success(),
        "{}",
        String::from_utf8_lossy(&status.stderr)
    );
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
    let pid = status["pid"].to_string();
    assert_eq!(status["key_state"], "keyring-unavailable");
    assert_eq!(
        status["remedies"].as_array().map(Vec::len),
        Some(3),
        "the three ways out"
    );
    assert_eq!(run(&["doc", "ls", "x"]).status.code(), Some(4), "no key");
    assert_eq!(
        run(&["init"]).status.code(),
        Some(4),
        "nothing to keep a key in"
    );

    let passphrase = folder.path().join("passphrase");
    fs::write(&passphrase, "a passphrase for a test\n").expect("written");
    let passphrase = passphrase.to_str().expect("UTF-8");
    let init = run(&[
        "init",
        "--keyring",
        "passphrase",
        "--passphrase-file",
        passphrase,
    ]);
    assert!(
        init.status.success(),
        "{}",
        String::from_utf8_lossy(&init.stderr)
    );
    assert!(run(&["store", "ls"]).status.success());
    assert!(run(&["lock"]).status.success());
    assert_eq!(run(&["store", "ls"]).status.code(), Some(4), "locked");
    assert_eq!(run(&["unlock"]).status.code(), Some(4), "nothing to ask on");
    assert!(
        run(&["unlock", "--passphrase-file", passphrase])
            .status
            .success()
    );
    assert!(run(&["store", "ls"]).status.success());

    let killed = Command::new("kill").arg(&pid).status().expect("kill runs");
    assert!(killed.success(), "{} with id {pid} runs", program.display());
}
