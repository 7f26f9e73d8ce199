//! The real daemon, with folders and an environment of its own.

pub(crate) mod callers;
pub(crate) mod frames;
pub(crate) mod keyring;
pub(crate) mod random;
pub(crate) mod raw;
pub(crate) mod vault;

use std::{
    ffi::{OsStr, OsString},
    fs::{self, DirBuilder, OpenOptions},
    io::Write as _,
    os::unix::{fs::DirBuilderExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};
use vault_client::{Client, Error, Options};
use vault_proto::endpoint;

/// No condition takes a second; a loaded machine gets more.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A person's folders: home, runtime directory and data roots. Goes with everything in it.
pub(crate) struct Home {
    folder: TempDir,
    environment: Vec<(OsString, OsString)>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("vd-")
            .tempdir()
            .expect("a temporary folder");
        let home = Self {
            folder,
            environment: Vec::new(),
        };
        for name in ["home", "run"] {
            private(&home.path(name));
        }
        // Where nothing listens: no keyring unless a test brings one.
        let nowhere = format!("unix:path={}", home.path("no-bus").display());
        home.with("DBUS_SESSION_BUS_ADDRESS", nowhere)
    }

    /// The same with one variable more in the daemon's environment.
    pub(crate) fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Writes `config.toml`.
    pub(crate) fn configure(&self, toml: &str) {
        let folder = self.path("home/.config/vaultd");
        fs::create_dir_all(&folder).expect("a configuration folder");
        fs::write(folder.join("config.toml"), toml).expect("a configuration");
    }

    /// A path inside, with links resolved as the daemon does it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.folder.path())
            .expect("the folder is there")
            .join(name)
    }

    pub(crate) fn runtime(&self) -> PathBuf {
        self.path("run")
    }

    /// Where the daemon of a data root of this name listens.
    pub(crate) fn socket(&self, root: &str) -> PathBuf {
        endpoint::socket_path(&self.path(root), None, Some(&self.runtime()))
    }

    /// Nothing of the test's own environment reaches the daemon.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path(""))
            .env("XDG_RUNTIME_DIR", self.runtime())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    /// The daemon of a data root of this name, not yet started.
    pub(crate) fn vaultd(&self, root: &str) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_vaultd"));
        command.arg("--data-dir").arg(self.path(root));
        command
    }

    /// Starts the daemon of a data root and waits until it listens.
    pub(crate) fn start(&self, root: &str, arguments: &[&str]) -> Daemon {
        let mut command = self.vaultd(root);
        command.args(arguments);
        self.serve(root, command)
    }

    /// The same by a command of one's own.
    pub(crate) fn serve(&self, root: &str, command: Command) -> Daemon {
        self.serve_at(root, &self.socket(root), command)
    }

    /// The same, listening somewhere else.
    pub(crate) fn serve_at(&self, root: &str, socket: &Path, command: Command) -> Daemon {
        let log = self.path(&format!("{}.log", root.replace('/', "-")));
        Daemon::spawn(command, &self.path(root), socket, log)
    }

    /// The same with its key in memory: quick, and gone with the process.
    pub(crate) fn ephemeral(&self, root: &str) -> Daemon {
        self.start(root, &["--ephemeral"])
    }

    /// Runs the daemon of a data root that is expected to end by itself.
    pub(crate) fn refused(&self, root: &str, arguments: &[&str]) -> (Option<i32>, String) {
        let log = self.path(&format!("{root}.refused"));
        let mut command = self.vaultd(root);
        let child = command
            .args(arguments)
            .stderr(fs::File::create(&log).expect("a log"))
            .spawn();
        let mut child = child.expect("vaultd starts");
        let ended = poll(|| child.try_wait().expect("its status"));
        if ended.is_none() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let said = fs::read_to_string(log).expect("what it said");
        (
            ended
                .unwrap_or_else(|| panic!("it was not refused:\n{said}"))
                .code(),
            said,
        )
    }
}

/// A folder for its owner alone.
pub(crate) fn private(path: &Path) {
    DirBuilder::new()
        .mode(0o700)
        .create(path)
        .expect("a folder");
}

/// A running daemon. Ends with this value.
pub(crate) struct Daemon {
    child: Child,
    ended: bool,
    pub(crate) root: PathBuf,
    pub(crate) socket: PathBuf,
    log: PathBuf,
}

impl Daemon {
    fn spawn(mut command: Command, root: &Path, socket: &Path, log: PathBuf) -> Self {
        let stderr = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log");
        let child = command.stderr(stderr).spawn().expect("vaultd starts");
        let mut daemon = Self {
            child,
            ended: false,
            root: root.into(),
            socket: socket.into(),
            log,
        };
        let listens = poll(|| {
            let listens = std::os::unix::net::UnixStream::connect(&daemon.socket).is_ok();
            let ended = daemon.child.try_wait().expect("its status");
            (listens || ended.is_some()).then_some(listens)
        });
        assert_eq!(listens, Some(true), "it does not listen:\n{}", daemon.log());
        daemon
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said on stderr, over all its starts.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            data_dir: Some(self.root.clone()),
            socket: Some(self.socket.clone()),
            no_autostart: true,
            ..Options::default()
        }
    }

    /// A new connection.
    pub(crate) async fn client(&self) -> Client {
        match Client::connect(&self.options()).await {
            Ok(client) => client,
            Err(error) => panic!("{error}\n{}", self.log()),
        }
    }

    /// A new connection for the generated clients.
    pub(crate) async fn channel(&self) -> Channel {
        let path = self.socket.clone();
        let connector = tower::service_fn(move |_: http::Uri| {
            let path = path.clone();
            async move {
                Ok::<_, std::io::Error>(hyper_util::rt::TokioIo::new(
                    tokio::net::UnixStream::connect(path).await?,
                ))
            }
        });
        let endpoint = Endpoint::from_static("http://vaultd.local");
        endpoint
            .connect_with_connector(connector)
            .await
            .expect("connected")
    }

    /// Kills it, as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("killed");
        let status = self.child.wait().expect("its status");
        self.ended = true;
        assert_eq!(
            status.signal(),
            Some(9),
            "it ended before it was killed:\n{}",
            self.log()
        );
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        self.ask_to_stop();
        self.stopped().await
    }

    pub(crate) fn ask_to_stop(&self) {
        signal("-TERM", self.pid());
    }

    /// Waits until it has stopped. Meanwhile this test's connections go on: one that does not
    /// answer is waited for.
    pub(crate) async fn stopped(&mut self) -> ExitStatus {
        let mut status = None;
        until("the daemon stopped", || {
            status = self.child.try_wait().expect("its status");
            std::future::ready(status.is_some())
        })
        .await;
        self.ended = true;
        status.expect("it has ended")
    }

    /// A line of `/proc/PID/status` that is a number of KiB.
    pub(crate) fn memory(&self, line: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("read");
        let found = status
            .lines()
            .find_map(|found| found.strip_prefix(line)?.strip_prefix(':'));
        let text = found.expect("the line").trim().trim_end_matches(" kB");
        text.parse().expect("a number")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if thread::panicking() {
            eprintln!("log of {}:\n{}", self.root.display(), self.log());
        }
    }
}

/// Calls `attempt` until it answers or patience ends.
pub(crate) fn poll<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = attempt() {
            return Some(answer);
        }
        if begun.elapsed() > PATIENCE {
            return None;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// The same for a condition that has to be asked for over the wire.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let begun = Instant::now();
    while !holds().await {
        assert!(
            begun.elapsed() < PATIENCE,
            "it never came to be that {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Ends a wait that would otherwise never end.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let answered = tokio::time::timeout(PATIENCE, future).await;
    answered.unwrap_or_else(|_| panic!("{what} takes too long"))
}

/// Waits until the vault is open.
pub(crate) async fn settled_open(client: &Client) {
    until("the vault is open", async || {
        client.status().await.expect("served").key_state == vault_client::KeyState::Open
    })
    .await;
}

/// Sends a signal to a process of this test.
pub(crate) fn signal(signal: &str, pid: u32) {
    let sent = Command::new("kill")
        .args([signal, &pid.to_string()])
        .status();
    assert!(
        sent.is_ok_and(|status| status.success()),
        "{signal} to {pid}"
    );
}

/// The daemon's reason for a refusal.
#[track_caller]
pub(crate) fn reason<T>(answer: Result<T, Error>) -> String {
    match answer {
        Ok(_) => panic!("it was not refused"),
        Err(Error::Refused(refusal)) if !refusal.reason.is_empty() => refusal.reason,
        Err(error) => panic!("refused without a reason: {error:?}"),
    }
}

/// Whether a test can run that needs something of the machine. In CI it must; elsewhere what is
/// not tested is said aloud.
pub(crate) fn available(what: &str, there: bool) -> bool {
    if !there {
        assert!(std::env::var_os("CI").is_none(), "CI must have {what}");
        // Not `eprintln!`, which a passing test keeps to itself.
        let text = format!("SKIPPED for want of {what}: NOT TESTED\n");
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
    there
}

/// Every file below a folder with its content.
pub(crate) fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let content = fs::read(&path).expect("read");
                found.push((path, content));
            }
        }
    }
    found.sort();
    found
}

/// Puts an older state of the files below a folder back, as [`files`] read it, and nothing else in its
/// place.
pub(crate) fn put_back(folder: &Path, before: &[(PathBuf, Vec<u8>)]) {
    for (path, _) in files(folder) {
        fs::remove_file(path).expect("removed");
    }
    for (path, content) in before {
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a folder");
        fs::write(path, content).expect("written");
    }
}
