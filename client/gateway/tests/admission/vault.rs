//! The real daemon and the real gateway, each a process of its own, with their logs.

use std::{
    env, fs,
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

#[cfg(unix)]
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;
use vault_client::{Client, Options, Secret};

/// No condition takes a second; a loaded machine gets more.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the gateway's log says once it listens; its port follows.
const READY: &str = "http://localhost:";

/// A process that ends with this value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A vault whose key is in memory, its daemon and its gateway.
pub(crate) struct Vault {
    // They end before their folder goes.
    processes: Vec<Process>,
    folder: TempDir,
    port: u16,
}

impl Vault {
    /// Starts both; each logs what `log` lets through.
    pub(crate) fn start(log: &str) -> Self {
        let gateway = Path::new(env!("CARGO_BIN_EXE_vault-gateway"));
        // Whatever the umask: the daemon refuses a folder that is open to others.
        let mut folder = tempfile::Builder::new();
        #[cfg(unix)]
        folder.permissions(fs::Permissions::from_mode(0o700));
        let folder = folder.tempdir().expect("a folder");
        let spawn = |program: &Path, arguments: &[&str], name: &str| {
            let log_file = File::create(folder.path().join(name)).expect("a log");
            let child = Command::new(program)
                .env_clear()
                .env("HOME", folder.path())
                .args(arguments)
                .args(["--log", log])
                .arg("--data-dir")
                .arg(folder.path().join("root"))
                .arg("--socket")
                .arg(folder.path().join("socket"))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log_file)
                .spawn();
            Process(child.expect("it starts"))
        };
        let daemon = spawn(&vaultd(gateway), &["--ephemeral"], "vaultd.log");
        let arguments = ["--no-autostart", "--bind", "127.0.0.1:0"];
        let processes = vec![daemon, spawn(gateway, &arguments, "gateway.log")];
        let mut vault = Self {
            processes,
            folder,
            port: 0,
        };
        vault.port = poll("the gateway listens", || {
            let [_, log] = vault.logs();
            let (_, address) = log.split_once(READY)?;
            address.split('/').next()?.parse().ok()
        });
        vault
    }

    /// Where the gateway listens.
    pub(crate) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// A host name with the gateway's port.
    pub(crate) fn authority(&self, host: &str) -> String {
        format!("{host}:{}", self.port)
    }

    /// What the daemon and the gateway have logged.
    pub(crate) fn logs(&self) -> [String; 2] {
        ["vaultd.log", "gateway.log"]
            .map(|name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default())
    }

    /// Ends both: what they have logged.
    pub(crate) fn stop(mut self) -> [String; 2] {
        self.processes.clear();
        self.logs()
    }

    fn options(&self) -> Options {
        Options {
            data_dir: Some(self.folder.path().join("root")),
            socket: Some(self.folder.path().join("socket")),
            no_autostart: true,
            ..Options::default()
        }
    }

    /// How a program with a token reaches the daemon by its socket.
    pub(crate) fn over_socket(&self, token: &str) -> Options {
        Options {
            token: Some(Secret::new(token.into())),
            ..self.options()
        }
    }

    /// How it does by the gateway.
    pub(crate) fn over_web(&self, token: &str) -> Options {
        let address = format!("http://{}", self.authority("localhost"));
        Options {
            base_url: Some(address.parse().expect("an address")),
            token: Some(Secret::new(token.into())),
            no_autostart: true,
            ..Options::default()
        }
    }

    /// The user, on the socket; the vault is there.
    pub(crate) async fn owner(&self) -> Client {
        let client = self.connected().await;
        // Nobody can sign in to one that is not.
        client.init(None, None).await.expect("a vault");
        client
    }

    async fn connected(&self) -> Client {
        let options = self.options();
        let begun = Instant::now();
        loop {
            match Client::connect(&options).await {
                Ok(client) => return client,
                Err(error) if begun.elapsed() > PATIENCE => panic!("{error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }
}

/// Calls `attempt` until it answers.
fn poll<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = attempt() {
            return answer;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "it never came to be that {what}"
        );
        thread::sleep(Duration::from_millis(5));
    }
}

/// `vaultd`, beside the gateway. A test of the whole workspace has built it; a test of this package
/// alone has not. It is built as there, with a test that needs it: with other features of other packages
/// all of them would be built once more.
fn vaultd(gateway: &Path) -> PathBuf {
    let built = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args("test --quiet --workspace --no-run --test layering".split(' '))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo runs");
    assert!(built.success(), "vaultd builds");
    gateway.with_file_name(format!("vaultd{}", env::consts::EXE_SUFFIX))
}
