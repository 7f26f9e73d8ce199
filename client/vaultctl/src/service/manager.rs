//! What keeps programs running for a user, and what it keeps for us.

use std::path::{Path, PathBuf};

use super::{
    Logs,
    host::{CommandLine, Host},
    launchd::Launchd,
    systemd::Systemd,
};
use crate::failure::Failure;

/// A part of the service that is installed by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// The daemon, and the command line with it.
    Daemon,
    /// The web gateway.
    Gateway,
    /// A backup from time to time.
    Backup,
}

impl Part {
    pub(super) const ALL: [Self; 3] = [Self::Daemon, Self::Gateway, Self::Backup];

    /// The programs that it needs besides those of the daemon.
    pub(super) const fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Daemon => &["vaultd", "vaultctl"],
            Self::Gateway => &["vault-gateway"],
            Self::Backup => &[],
        }
    }
}

/// A file that tells a manager what to run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) name: &'static str,
    pub(super) text: String,
}

/// What a manager knows of a unit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Its name.
    pub(super) unit: String,
    /// The file that it comes from; `None` where there is none.
    pub(super) file: Option<PathBuf>,
    /// Files of the user that change it.
    pub(super) drop_ins: Vec<PathBuf>,
    /// Whether it starts by itself; `None` where another one starts it.
    pub(super) enabled: Option<bool>,
    /// What it does, in the manager's words.
    pub(super) activity: String,
    /// Its process.
    pub(super) process: Option<u32>,
    /// The program that it runs.
    pub(super) program: Option<PathBuf>,
}

/// A manager of services.
pub(super) trait Manager {
    /// Refuses where it does not answer, or looks for a vault elsewhere than this program.
    fn check(&self, host: &dyn Host) -> Result<(), Failure>;
    /// Where it reads the units of the user.
    fn folder(&self) -> &Path;
    /// The units of a part; none where there are none for this manager.
    fn units(&self, part: Part) -> Result<Vec<Unit>, Failure>;
    /// Folders that have to be there before it starts a part.
    fn folders(&self) -> Vec<PathBuf>;
    /// The unit that is started and enabled for a part.
    fn main_unit(&self, part: Part) -> &'static str;
    /// The unit that the daemon's process belongs to.
    fn daemon_unit(&self) -> &'static str;
    /// Whether it listens on the daemon's socket already.
    fn is_listening(&self, host: &dyn Host) -> bool;
    /// Makes it read its files again.
    fn reload(&self) -> Vec<CommandLine>;
    /// Starts parts, now and at every login.
    fn enable(&self, parts: &[Part]) -> Vec<CommandLine>;
    /// Stops parts, now and for good.
    fn disable(&self, parts: &[Part]) -> Vec<CommandLine>;
    /// Starts parts now.
    fn start(&self, parts: &[Part]) -> Vec<CommandLine>;
    /// Stops parts now.
    fn stop(&self, parts: &[Part]) -> Vec<CommandLine>;
    /// What it knows of every unit that there may be.
    fn states(&self, host: &dyn Host) -> Result<Vec<State>, Failure>;
    /// Shows the log.
    fn logs(&self, logs: Logs) -> Result<CommandLine, Failure>;
}

/// The parts that are installed, by what their manager knows.
pub(super) fn installed(manager: &dyn Manager, states: &[State]) -> Vec<Part> {
    let is_installed = |part: &Part| {
        let main = manager.main_unit(*part);
        let state = states.iter().find(|state| state.unit == main);
        // A package brings the units of every part, and who enables one wants it.
        let wanted = |state: &State| *part == Part::Daemon || state.enabled == Some(true);
        state.is_some_and(|state| state.file.is_some() && wanted(state))
    };
    Part::ALL.into_iter().filter(is_installed).collect()
}

/// The manager that this system has.
pub(super) fn of_this_system() -> Result<Box<dyn Manager>, Failure> {
    let home = || Failure::usage("no folder for the service: set HOME");
    let folder = vault_client::paths::user_units_dir().ok_or_else(home)?;
    if cfg!(target_os = "macos") {
        return Ok(Box::new(Launchd::of_user(folder)?));
    }
    if cfg!(target_os = "linux") {
        return Ok(Box::new(Systemd::of_user(folder)));
    }
    Err(Failure::other(
        "a service of the user is kept by systemd or launchd, and this system has neither: vaultctl \
         starts the daemon when it is needed",
    ))
}
