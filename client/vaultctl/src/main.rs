//! `vaultctl`, the command line of vaultd: `NOUN VERB`, one file a noun.

#![forbid(unsafe_code)]

mod archive;
mod audit;
mod auth;
mod backup;
mod bar;
mod blob;
mod completions;
mod connection;
mod context;
mod db;
mod demo;
mod doc;
mod doctor;
mod duration;
mod export;
mod failure;
mod fetch;
mod file;
mod folder;
mod gateway;
mod get;
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
mod run;
mod seal;
mod secret;
mod service;
mod stats;
mod status;
mod store;
mod token;
mod transfer;

use std::{alloc::System, path::PathBuf, process::ExitCode};

use clap::{FromArgMatches as _, Parser, Subcommand};
use vault_client::BaseUrl;

use zeroizing_alloc::ZeroAlloc;

use crate::{context::Context, failure::Failure};

/// Zeroes memory as it is freed: secrets pass through buffers of other crates, too.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

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
    /// File with a token, in place of the one that `auth login` saved; `-` reads it from standard input
    #[arg(long, global = true, value_name = "FILE", env = "VAULTD_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// See [`gateway`].
    #[arg(skip)]
    pub(crate) base_url: Option<BaseUrl>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Set up the vault: the first run
    Init(init::Init),
    /// Show the daemon, the vault and where its key stands
    Status,
    /// Show what the daemon does: calls, times, bytes, memory
    Stats(stats::Stats),
    /// Explain what is wrong, and the way out
    Doctor(doctor::Doctor),
    /// Stores
    #[command(subcommand)]
    Store(store::Store),
    /// Documents
    #[command(subcommand)]
    Doc(doc::Doc),
    /// Blobs: sealed content of any size
    #[command(subcommand)]
    Blob(blob::Blob),
    /// Files that are never encrypted
    #[command(subcommand)]
    File(file::File),
    /// API keys, kept in the keyring
    #[command(subcommand)]
    Secret(secret::Secret),
    /// Connection profiles, and their keys
    #[command(subcommand)]
    Connection(connection::Connection),
    /// Run a program with secrets in its environment or in files
    Run(run::Run),
    /// Keep and remove the files of a run
    #[cfg(unix)]
    #[command(hide = true)]
    RunFiles(run::supervisor::RunFiles),
    /// Databases
    #[command(subcommand)]
    Db(db::Db),
    /// Import JSON documents (a folder of *.json, an object of id to document, an array, or lines), or
    /// folders into a store of files or blobs
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
    /// Who may reach the vault over HTTP: passkeys, sessions, tokens
    #[command(subcommand)]
    Auth(auth::Auth),
    /// Who did what: the audit log
    #[command(subcommand)]
    Audit(audit::Audit),
    /// The upkeep of databases
    #[command(subcommand)]
    Maintenance(maintenance::Maintenance),
    /// The daemon as a service of yours, kept by systemd or launchd
    #[command(subcommand)]
    Service(service::Service),
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
    let matches = gateway::command().get_matches();
    let base_url = gateway::given(&matches);
    let mut cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    cli.global.base_url = base_url;
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
    done.unwrap_or_else(|failure| failure.report())
}

async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let context = Context::new(cli.global);
    let done = match cli.command {
        Command::Init(init) => init.run(&context).await,
        Command::Status => status::run(&context).await,
        Command::Stats(stats) => stats.run(&context).await,
        Command::Doctor(doctor) => doctor.run(&context).await,
        // Large, for all that a preset keeps at hand while it is applied.
        Command::Store(store) => Box::pin(store.run(&context)).await,
        Command::Doc(doc) => doc.run(&context).await,
        Command::Blob(blob) => Box::pin(blob.run(&context)).await,
        Command::File(file) => Box::pin(file.run(&context)).await,
        Command::Secret(secret) => secret.run(&context).await,
        Command::Connection(connection) => connection.run(&context).await,
        Command::Run(run) => return run.run(&context).await,
        #[cfg(unix)]
        Command::RunFiles(files) => files.run(),
        Command::Db(db) => db.run(&context).await,
        Command::Import(import) => import.run(&context).await,
        Command::Key(key) => key.run(&context).await,
        Command::Export(export) => export.run(&context).await,
        Command::Backup(backup) => backup.run(&context).await,
        Command::Restore(restore) => restore.run(&context).await,
        Command::Auth(auth) => Box::pin(auth.run(&context)).await,
        Command::Audit(audit) => audit.run(&context).await,
        Command::Maintenance(maintenance) => maintenance.run(&context).await,
        Command::Service(service) => service.run(&context).await,
        Command::Lock => lock::lock(&context).await,
        Command::Unlock => lock::unlock(&context).await,
        Command::Demo(demo) => demo.run().await,
        Command::Completions(completions) => completions.run(),
        Command::Man(man) => man.run(),
    };
    done.map(|()| ExitCode::SUCCESS)
}
