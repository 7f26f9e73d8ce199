//! `vaultctl`, the command line of vaultd: `NOUN VERB`, one file a noun.

#![forbid(unsafe_code)]

mod archive;
mod backup;
mod bar;
mod completions;
mod context;
mod db;
mod demo;
mod doc;
mod doctor;
mod export;
mod failure;
mod import;
mod init;
mod input;
mod interrupt;
mod key;
mod lock;
mod maintenance;
mod man;
mod newfile;
mod output;
mod passphrase;
mod preset;
mod prompt;
mod restore;
mod seal;
mod status;
mod store;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{context::Context, failure::Failure};

/// Keeps an application's documents sealed, through the vaultd daemon.
#[derive(Parser, Debug)]
#[command(
    name = "vaultctl",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 locked or not permitted, \
                  5 conflict, 6 no daemon."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(clap::Args, Debug)]
pub(crate) struct Global {
    /// Folder of the vault [default: the platform's data folder]
    #[arg(long, global = true, value_name = "DIR", env = "VAULTD_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Socket of its daemon [default: the one that belongs to the folder]
    #[arg(long, global = true, value_name = "PATH", env = "VAULTD_SOCKET")]
    pub(crate) socket: Option<PathBuf>,
    /// Do not start a daemon where none runs
    #[arg(long, global = true)]
    pub(crate) no_autostart: bool,
    /// Print JSON; lists as JSON Lines
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// File with the vault's passphrase, for scripts; `-` reads it from standard input
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "VAULTD_PASSPHRASE_FILE"
    )]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Set up the vault: the first run
    Init(init::Init),
    /// Show the daemon, the vault and where its key stands
    Status,
    /// Explain what is wrong, and the way out
    Doctor(doctor::Doctor),
    /// Stores
    #[command(subcommand)]
    Store(store::Store),
    /// Documents
    #[command(subcommand)]
    Doc(doc::Doc),
    /// Databases
    #[command(subcommand)]
    Db(db::Db),
    /// Import JSON documents: a folder of *.json, an object of id to document, an array, or lines
    Import(import::Import),
    /// The storage key
    #[command(subcommand)]
    Key(key::Key),
    /// Write every object to a tar file, in the clear
    Export(export::Export),
    /// Write every object to a sealed file, or verify one
    Backup(backup::Backup),
    /// Put a backup or an export back
    Restore(restore::Restore),
    /// The upkeep of databases
    #[command(subcommand)]
    Maintenance(maintenance::Maintenance),
    /// Drop every key from memory
    Lock,
    /// Read the key again
    Unlock,
    /// Show in half a minute what a vault does, leaving nothing behind
    Demo(demo::Demo),
    /// Print completions for a shell
    Completions(completions::Completions),
    /// Print the manual page, or write the pages of all commands to a folder
    Man(man::Man),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return Failure::other(format!("no threads: {error}")).report(),
    };
    let done = runtime.block_on(run(cli));
    // A thread may still wait on standard input; nobody needs what it would read.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let context = Context::new(cli.global);
    match cli.command {
        Command::Init(init) => init.run(&context).await,
        Command::Status => status::run(&context).await,
        Command::Doctor(doctor) => doctor.run(&context).await,
        // Large, for all that a preset keeps at hand while it is applied.
        Command::Store(store) => Box::pin(store.run(&context)).await,
        Command::Doc(doc) => doc.run(&context).await,
        Command::Db(db) => db.run(&context).await,
        Command::Import(import) => import.run(&context).await,
        Command::Key(key) => key.run(&context).await,
        Command::Export(export) => export.run(&context).await,
        Command::Backup(backup) => backup.run(&context).await,
        Command::Restore(restore) => restore.run(&context).await,
        Command::Maintenance(maintenance) => maintenance.run(&context).await,
        Command::Lock => lock::lock(&context).await,
        Command::Unlock => lock::unlock(&context).await,
        Command::Demo(demo) => demo.run().await,
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    }
}
