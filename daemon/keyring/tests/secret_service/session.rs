//! A session bus and a GNOME Keyring of the test's own.
//!
//! The bus address and the home directory are environment variables, so each scenario runs in a
//! copy of the test program started with them. The bus has no service files: nothing starts a
//! keyring or a dialog behind the test's back, and both processes can be killed and started again
//! at the same address.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    os::unix::{fs::DirBuilderExt as _, net::UnixStream, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use secret_service::{EncryptionType, blocking::SecretService};
use vault_keyring::{Keyring, OsBackend};

/// Set in the copy of the test program: the folder of its session.
const FOLDER: &str = "VAULTD_TEST_SESSION";

/// No step of a scenario takes a second; a loaded machine gets more.
const PATIENCE: Duration = Duration::from_secs(4);
/// For a whole scenario.
const LONG_PATIENCE: Duration = Duration::from_secs(90);

const PROGRAMS: [&str; 4] = [
    "dbus-daemon",
    "dbus-send",
    "gnome-keyring-daemon",
    "secret-tool",
];

const PASSWORD: &str = "a login password";

const BUS_CONFIG: &str = r#"<busconfig>
  <type>session</type>
  <listen>unix:path=BUS</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// Runs `body`, the whole of a test, in a session of its own.
pub(crate) fn scenario<F: FnOnce(&mut Session)>(body: F) {
    let Some(folder) = env::var_os(FOLDER) else {
        // `crate::module::test::{{closure}}`. Were that ever to change, the copy would run no test,
        // which is noticed.
        let path = std::any::type_name::<F>().trim_end_matches("::{{closure}}");
        let (_, name) = path.split_once("::").expect("a path");
        return run_copy(name);
    };
    body(&mut Session {
        folder: folder.into(),
        bus: None,
        keyring: None,
    });
}

fn run_copy(name: &str) {
    for program in PROGRAMS {
        let found = Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if found.is_err() {
            assert!(env::var_os("CI").is_none(), "CI must have {program}");
            // Not `eprintln!`, which a passing test keeps to itself.
            let text = format!("SKIPPED {name}: no {program}; Secret Service is NOT TESTED\n");
            let _ = std::io::stderr().write_all(text.as_bytes());
            return;
        }
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    let mut private = fs::DirBuilder::new();
    private.mode(0o700);
    private.create(path("home")).expect("a home");
    private.create(path("run")).expect("a runtime directory");
    let bus = path("bus").display().to_string();
    fs::write(path("bus.conf"), BUS_CONFIG.replace("BUS", &bus)).expect("a bus configuration");
    let output = fs::File::create(path("output")).expect("an output file");

    let mut copy = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", path("home"))
        .env("XDG_RUNTIME_DIR", path("run"))
        .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={bus}"))
        .env(FOLDER, folder.path())
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("the output file"))
        .stderr(output)
        // One group, so that whatever a crash leaves behind is ended by number.
        .process_group(0)
        .spawn()
        .expect("a copy of this program");
    let group = format!("-{}", copy.id());
    let status = poll_for(LONG_PATIENCE, || copy.try_wait().expect("its status"));
    let clean = !signal("-0", &group);
    if !clean {
        signal("-KILL", &group);
        let _ = copy.wait();
    }
    let output = fs::read_to_string(path("output")).unwrap_or_default();
    let status = status.unwrap_or_else(|| panic!("{name} hung:\n{output}"));
    assert!(status.success(), "{name}: {status}\n{output}");
    assert!(
        output.contains("1 passed"),
        "{name} is not a test:\n{output}"
    );
    assert!(clean, "{name} left processes behind:\n{output}");
}

/// The bus and the keyring. Both end with this value.
pub(crate) struct Session {
    folder: PathBuf,
    bus: Option<Child>,
    keyring: Option<Child>,
}

impl Session {
    /// A keyring object as the daemon makes it, connected to nothing yet.
    pub(crate) fn keyring(deadline: Duration) -> Keyring {
        Keyring::new(Box::new(OsBackend::new()), deadline)
    }

    pub(crate) fn start_bus(&mut self) {
        let mut config = std::ffi::OsString::from("--config-file=");
        config.push(self.folder.join("bus.conf"));
        let bus = Command::new("dbus-daemon")
            .arg("--nofork")
            .arg(config)
            .spawn();
        self.bus = Some(bus.expect("dbus-daemon"));
        let socket = self.folder.join("bus");
        poll(|| UnixStream::connect(&socket).ok()).expect("the bus listens");
    }

    pub(crate) fn kill_bus(&mut self) {
        end(self.bus.take());
        fs::remove_file(self.folder.join("bus")).expect("the old socket");
    }

    /// Starts the keyring as a login without a password does: locked, or without a collection.
    pub(crate) fn start_locked_keyring(&mut self) {
        self.start_keyring_with(&[], "");
    }

    /// Starts the keyring, unlocked. The first time this makes the default collection; unlocking
    /// later makes one too, but leaves it off the bus.
    pub(crate) fn start_keyring(&mut self) {
        self.start_keyring_with(&["--unlock"], PASSWORD);
        wait_until_unlocked();
    }

    fn start_keyring_with(&mut self, arguments: &[&str], input: &str) {
        let mut keyring = Command::new("gnome-keyring-daemon")
            .args(["--foreground", "--components=secrets"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("gnome-keyring-daemon");
        let mut stdin = keyring.stdin.take().expect("a pipe");
        stdin.write_all(input.as_bytes()).expect("the password");
        drop(stdin);
        self.keyring = Some(keyring);
        poll(answers).expect("the keyring answers");
    }

    /// Unlocks the running keyring as a login does. (`gnome-keyring-daemon --unlock` would start a
    /// second daemon instead.)
    pub(crate) fn unlock_keyring(&self) {
        control_unlock(&self.folder.join("run/keyring/control"));
        wait_until_unlocked();
    }

    pub(crate) fn lock_keyring(&self) {
        assert!(self.keyring.is_some(), "a running keyring");
        let service = SecretService::connect(EncryptionType::Plain).expect("connected");
        let collection = service.get_default_collection().expect("a collection");
        collection.lock().expect("locked");
        assert!(collection.is_locked().expect("an answer"));
    }

    pub(crate) fn kill_keyring(&mut self) {
        end(self.keyring.take());
    }

    pub(crate) fn pause_keyring(&self) {
        assert!(signal("-STOP", &self.keyring_id()));
    }

    pub(crate) fn resume_keyring(&self) {
        assert!(signal("-CONT", &self.keyring_id()));
    }

    fn keyring_id(&self) -> String {
        let keyring = self.keyring.as_ref().expect("a running keyring");
        keyring.id().to_string()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        end(self.keyring.take());
        end(self.bus.take());
    }
}

/// Calls `attempt` until it answers or patience ends.
pub(crate) fn poll<T>(attempt: impl FnMut() -> Option<T>) -> Option<T> {
    poll_for(PATIENCE, attempt)
}

fn poll_for<T>(patience: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = attempt() {
            return Some(answer);
        }
        if begun.elapsed() > patience {
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// GNOME Keyring owns its name a moment before it is ready, and aborts when a session is opened in
/// that moment. This call needs no session.
fn answers() -> Option<()> {
    let asked = Command::new("dbus-send")
        .args([
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.secrets",
        ])
        .args([
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service.ReadAlias",
        ])
        .arg("string:default")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("dbus-send");
    asked.success().then_some(())
}

fn wait_until_unlocked() {
    let unlocked = poll(|| {
        let service = SecretService::connect(EncryptionType::Plain).ok()?;
        let locked = service.get_default_collection().ok()?.is_locked().ok()?;
        (!locked).then_some(())
    });
    unlocked.expect("the keyring is unlocked");
}

fn end(child: Option<Child>) {
    if let Some(mut child) = child {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Sends a signal to a process, or to a group by its negative number.
fn signal(signal: &str, id: &str) -> bool {
    let sent = Command::new("kill")
        .args([signal, "--", id])
        .stderr(Stdio::null())
        .status();
    sent.is_ok_and(|status| status.success())
}

/// Speaks to the keyring's control socket as its PAM module does: a credentials byte, then length,
/// operation (1: unlock) and password; the answer is a length and a result (0: done).
fn control_unlock(socket: &Path) {
    let mut stream = poll(|| UnixStream::connect(socket).ok()).expect("a control socket");
    let number = |number: usize| u32::try_from(number).expect("small").to_be_bytes();
    let mut message = vec![0];
    message.extend(number(12 + PASSWORD.len()));
    message.extend(number(1));
    message.extend(number(PASSWORD.len()));
    message.extend(PASSWORD.as_bytes());
    stream.write_all(&message).expect("sent");
    let mut answer = [0; 8];
    stream.read_exact(&mut answer).expect("answered");
    assert_eq!(answer, [0, 0, 0, 8, 0, 0, 0, 0], "the password is accepted");
}
