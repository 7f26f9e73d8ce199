//! Starting the daemon where none runs.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::process::{Child, Command};
use tonic::transport::Channel;
use vault_proto::endpoint::{self, Place};

use crate::{connect, error::Error};

/// How long a daemon may take to listen. It listens before it asks the keyring.
const DEADLINE: Duration = Duration::from_secs(15);

/// `vaultd` ends with this code where another one serves the vault: that one will answer.
const ALREADY_RUNNING: i32 = 75;

/// Largest part of the daemon's log that an error shows, in bytes.
const SHOWN: u64 = 2 << 10;

fn failed(text: impl Into<String>) -> Error {
    Error::StartFailed(text.into())
}

/// Starts `vaultd`, found beside this program or on `PATH`, and waits until it listens.
pub(crate) async fn start(place: &Place) -> Result<Channel, Error> {
    let program = daemon_program()?;
    let log = Log::open()?;
    let mut child = spawn(&program, place, &log)?;
    let begun = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        match connect::dial(&place.socket).await {
            Err(Error::NoDaemon { .. }) if begun.elapsed() < DEADLINE => {}
            dialled => return dialled,
        }
        if let Some(status) = child
            .try_wait()
            .map_err(|error| failed(error.to_string()))?
        {
            if status.code() != Some(ALREADY_RUNNING) {
                let said = log.said();
                return Err(failed(format!(
                    "{} ended with {status}: {said}",
                    program.display()
                )));
            }
            // Another one held the vault at that moment: it will answer soon, or it was just about
            // to end, and then this one starts.
            child = spawn(&program, place, &log)?;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

/// Where the daemon's program is: beside this program, else on `PATH`.
pub fn daemon_program() -> Result<PathBuf, Error> {
    let name = format!("vaultd{}", env::consts::EXE_SUFFIX);
    let beside = env::current_exe()
        .ok()
        .and_then(|program| Some(program.parent()?.join(&name)));
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|folder| folder.join(&name));
    beside.into_iter().chain(on_path).find(|program| program.is_file()).ok_or_else(|| {
        failed("there is no `vaultd` beside this program or on PATH: install it, or start it yourself")
    })
}

/// The daemon's log, and how long it was when the daemon was started.
struct Log {
    path: PathBuf,
    file: File,
    start: u64,
}

impl Log {
    fn open() -> Result<Self, Error> {
        let folder = endpoint::default_state_dir()
            .ok_or_else(|| failed("no folder for its log: set HOME or XDG_STATE_HOME"))?;
        let path = folder.join("vaultd.log");
        let unusable =
            |error: std::io::Error| failed(format!("its log {}: {error}", path.display()));
        create_private(&folder).map_err(unusable)?;
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(unusable)?;
        let start = file.metadata().map_or(0, |metadata| metadata.len());
        Ok(Self { path, file, start })
    }

    /// What was logged since, the end of it.
    fn said(&self) -> String {
        let mut text = Vec::new();
        if let Ok(mut log) = File::open(&self.path) {
            let len = log.metadata().map_or(0, |metadata| metadata.len());
            let from = self.start.max(len.saturating_sub(SHOWN));
            if log.seek(SeekFrom::Start(from)).is_ok() {
                let _ = log.read_to_end(&mut text);
            }
        }
        String::from_utf8_lossy(&text).trim().to_owned()
    }
}

fn create_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn spawn(program: &Path, place: &Place, log: &Log) -> Result<Child, Error> {
    let log = log
        .file
        .try_clone()
        .map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new(program);
    command
        .arg("--data-dir")
        .arg(&place.data_root)
        .arg("--socket")
        .arg(&place.socket)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    // Its own process group: Ctrl-C in this terminal is not meant for it.
    #[cfg(unix)]
    command.process_group(0);
    command
        .spawn()
        .map_err(|error| failed(format!("{}: {error}", program.display())))
}
