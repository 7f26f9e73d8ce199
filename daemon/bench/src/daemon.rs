//! The daemon under measurement: the real program, on a folder of the build's own disk.

use std::{
    fs::File,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};
use vault_client::{Client, Options};

use crate::Result;

const PATIENCE: Duration = Duration::from_secs(30);

/// Where the storage key is.
#[derive(Clone, Copy)]
pub(crate) enum Key {
    Memory,
    Passphrase,
}

/// The passphrase of every vault here.
pub(crate) const PASSPHRASE: &[u8] = b"a passphrase of the benchmark";

/// A process that ends with this value.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// Bytes of memory that it keeps resident.
    pub(crate) fn resident(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line
            .and_then(|line| line.trim().strip_suffix(" kB"))
            .ok_or("no VmRSS")?;
        Ok(f64::from(kib.trim().parse::<u32>()?) * 1024.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The folder of the build, `target`.
pub(crate) fn target() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2);
    Ok(target.ok_or("this program lies in no build")?.to_owned())
}

/// A folder on the disk that holds the build, so that floors and figures share a file system.
pub(crate) fn folder() -> Result<TempDir> {
    let private = std::fs::Permissions::from_mode(0o700);
    let mut builder = tempfile::Builder::new();
    Ok(builder
        .prefix("bench-")
        .permissions(private)
        .tempdir_in(target()?)?)
}

/// A running daemon.
pub(crate) struct Daemon {
    /// When its program was started.
    pub(crate) started: Instant,
    pub(crate) process: Process,
    folder: TempDir,
}

impl Daemon {
    /// Starts one and waits until it answers.
    pub(crate) async fn start(key: Key) -> Result<Self> {
        let daemon = Self::spawn(key)?;
        daemon.client().await?;
        Ok(daemon)
    }

    /// Starts one.
    pub(crate) fn spawn(key: Key) -> Result<Self> {
        let folder = folder()?;
        let program = std::env::current_exe()?.with_file_name("vaultd");
        if !program.exists() {
            return Err(format!(
                "no {}: cargo build --release --workspace",
                program.display()
            )
            .into());
        }
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", folder.path())
            .arg("--data-dir")
            .arg(folder.path().join("root"))
            .arg("--socket")
            .arg(folder.path().join("socket"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("log"))?);
        match key {
            Key::Memory => command.arg("--ephemeral"),
            Key::Passphrase => command.args(["--keyring", "passphrase"]),
        };
        let started = Instant::now();
        let process = Process(command.spawn()?);
        Ok(Self {
            started,
            process,
            folder,
        })
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// A folder for the floors, beside the data root.
    pub(crate) fn beside(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        std::fs::create_dir(&path)?;
        Ok(path)
    }

    /// A client of its own connection, as soon as the daemon answers.
    pub(crate) async fn client(&self) -> Result<Client> {
        let options = Options {
            data_dir: Some(self.root()),
            socket: Some(self.socket()),
            no_autostart: true,
            ..Options::default()
        };
        let begun = Instant::now();
        loop {
            match Client::connect(&options).await {
                Ok(client) => return Ok(client),
                Err(vault_client::Error::NoDaemon { .. }) if begun.elapsed() < PATIENCE => {
                    // Not tokio's sleep, which counts in milliseconds.
                    std::thread::sleep(Duration::from_micros(100));
                }
                Err(error) => {
                    let log = std::fs::read_to_string(self.folder.path().join("log"));
                    return Err(format!("{error}\n{}", log.unwrap_or_default()).into());
                }
            }
        }
    }

    /// Waits until what was imported lies in files of its own: the daemon is idle again.
    pub(crate) async fn settled(&self) -> Result<()> {
        let begun = Instant::now();
        while journals(&self.root())? > 0 {
            if begun.elapsed() > 4 * PATIENCE {
                return Err("the daemon's checkpoint does not end".into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

fn journals(root: &Path) -> Result<usize> {
    let mut count = 0;
    for store in std::fs::read_dir(root.join("stores"))? {
        count += std::fs::read_dir(store?.path().join("journal"))?.count();
    }
    Ok(count)
}

/// A bare channel to a socket.
pub(crate) async fn channel(socket: &Path) -> Result<Channel> {
    Ok(Endpoint::try_from(format!("unix://{}", socket.display()))?
        .connect()
        .await?)
}
