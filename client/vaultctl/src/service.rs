//! `vaultctl service`: the daemon as a service of the user, kept by systemd or launchd.

#![cfg_attr(
    not(unix),
    allow(dead_code, reason = "a system with neither refuses every verb")
)]

#[cfg(unix)]
mod host;
#[cfg(unix)]
mod install;
#[cfg(unix)]
mod launchd;
#[cfg(unix)]
mod logs;
#[cfg(unix)]
mod manager;
#[cfg(unix)]
mod place;
#[cfg(unix)]
mod power;
#[cfg(unix)]
mod record;
#[cfg(unix)]
mod status;
#[cfg(unix)]
mod steps;
#[cfg(unix)]
mod systemd;
#[cfg(unix)]
mod takeover;
#[cfg(unix)]
mod uninstall;

use crate::{context::Context, failure::Failure};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Service {
    /// Put the programs and units in place, and start on demand from now on
    Install(Install),
    /// Stop, and remove what `install` put in place; never the vault
    Uninstall(Uninstall),
    /// Start, or begin to listen where a call starts the daemon
    Start,
    /// Stop, until the next login or `start`
    Stop,
    /// Show what is installed, enabled and running, and its versions
    Status,
    /// Show the log
    Logs(Logs),
}

#[derive(clap::Args, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "flags of a command line, as clap has them"
)]
pub(crate) struct Install {
    /// The web gateway, too, from now on
    #[arg(long)]
    with_gateway: bool,
    /// A backup every day, too
    #[arg(long)]
    with_backup: bool,
    /// Replace programs and units that were changed or put there by other means
    #[arg(long)]
    force: bool,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Uninstall {
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Logs {
    /// Go on with what comes
    #[arg(short, long)]
    follow: bool,
    /// Only the last lines
    #[arg(short = 'n', long, value_name = "N")]
    lines: Option<u32>,
    /// For journalctl (on macOS, for tail), such as `-- --since today`
    #[arg(last = true)]
    arguments: Vec<std::ffi::OsString>,
}

impl Service {
    #[cfg(unix)]
    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        let host = host::System;
        let manager = manager::of_this_system()?;
        let manager = manager.as_ref();
        match self {
            Self::Install(install) => install.run(context, manager, &host).await,
            Self::Uninstall(uninstall) => uninstall.run(context, manager, &host),
            Self::Start => power::start(context, manager, &host).await,
            Self::Stop => power::stop(context, manager, &host),
            Self::Status => status::run(context, manager, &host).await,
            Self::Logs(logs) => logs.run(manager, &host),
        }
    }

    #[cfg(not(unix))]
    pub(crate) async fn run(self, _: &Context) -> Result<(), Failure> {
        Err(Failure::other(
            "a service of the user is kept by systemd or launchd, and this system has neither: \
             vaultctl starts the daemon when it is needed",
        ))
    }
}
