//! GNOME Keyring on a session bus of its own, headless: what people already let run for secrets.

use std::{
    fs,
    os::unix::{fs::DirBuilderExt as _, net::UnixStream},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{Result, daemon::Process};

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

const PROGRAMS: [&str; 3] = ["dbus-daemon", "dbus-send", "gnome-keyring-daemon"];

/// The program that is missing, if one is.
pub(crate) fn missing() -> Option<&'static str> {
    PROGRAMS.into_iter().find(|program| {
        let version = Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        version.is_err()
    })
}

/// A bus that nothing is on yet.
pub(crate) struct Session {
    folder: TempDir,
    _bus: Process,
}

/// A keyring that answers.
pub(crate) struct Started {
    /// From its start to the start of the first call that it answered.
    pub(crate) ready: Duration,
    pub(crate) process: Process,
}

impl Session {
    pub(crate) fn start() -> Result<Self> {
        // Not below the build's folder: the keyring makes sockets in here, whose paths are short.
        let folder = tempfile::Builder::new().prefix("rpc-").tempdir()?;
        let mut private = fs::DirBuilder::new();
        private.mode(0o700);
        private.create(folder.path().join("home"))?;
        private.create(folder.path().join("run"))?;
        let socket = folder.path().join("bus");
        let config = folder.path().join("bus.conf");
        fs::write(
            &config,
            BUS_CONFIG.replace("BUS", &socket.display().to_string()),
        )?;
        let bus = Command::new("dbus-daemon")
            .arg("--nofork")
            .arg(format!("--config-file={}", config.display()))
            .spawn()?;
        let bus = Process(bus);
        let begun = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            if begun.elapsed() > Duration::from_secs(10) {
                return Err("dbus-daemon does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(Self { folder, _bus: bus })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let bus = format!("unix:path={}", self.folder.path().join("bus").display());
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.folder.path().join("home"))
            .env("XDG_RUNTIME_DIR", self.folder.path().join("run"))
            .env("DBUS_SESSION_BUS_ADDRESS", bus)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Starts the keyring as a login without a password does: it reads no collection, which is the
    /// least it can have to do.
    pub(crate) fn keyring(&self) -> Result<Started> {
        let begun = Instant::now();
        let process = self
            .command("gnome-keyring-daemon")
            .args(["--foreground", "--components=secrets"])
            .spawn()?;
        let process = Process(process);
        loop {
            let ready = begun.elapsed();
            let asked = self
                .command("dbus-send")
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
                .status()?;
            if asked.success() {
                return Ok(Started { ready, process });
            }
            if ready > Duration::from_secs(20) {
                return Err("gnome-keyring-daemon does not answer".into());
            }
        }
    }
}
