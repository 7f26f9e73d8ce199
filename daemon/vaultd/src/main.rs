//! The daemon: parse, build, run, drain.

use std::{io::IsTerminal as _, process::ExitCode};

use clap::Parser as _;
use tokio::signal;
use tracing_subscriber::{
    EnvFilter, filter::filter_fn, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};
use vaultd::{
    config::{Config, Flags},
    platform,
    server::Daemon,
};

/// Zeroes memory as it is freed: keys and documents pass through buffers of many crates, and not all
/// of them clean up behind themselves.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

/// Exit code where another daemon serves this vault already (`EX_TEMPFAIL` of sysexits.h): whoever
/// started us connects to that one.
const ALREADY_RUNNING: u8 = 75;
/// Exit code for a configuration that cannot be used (`EX_CONFIG`).
const BAD_CONFIGURATION: u8 = 78;

fn main() -> ExitCode {
    let mut flags = Flags::parse();
    // Before anything is created: nothing of ours is to be read by others.
    let hardening = platform::harden();
    vault_store::databases::prepare_by(platform::prepare_sqlite);
    vault_store::databases::memory::measure_by(platform::sqlite_memory_used);
    let passing = match passing_root(&mut flags) {
        Ok(passing) => passing,
        Err(error) => {
            eprintln!("vaultd: no folder for the ephemeral vault: {error}");
            return ExitCode::FAILURE;
        }
    };
    let config = match Config::load(&flags) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("vaultd: {error}");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    if let Err(error) = log_to_stderr(&config.log) {
        eprintln!("vaultd: configuration: log: {error}");
        return ExitCode::from(BAD_CONFIGURATION);
    }
    let code = run(config, hardening);
    drop(passing);
    code
}

/// The folder of a vault that names none and ends with its daemon.
fn passing_root(flags: &mut Flags) -> std::io::Result<Option<tempfile::TempDir>> {
    if !flags.ephemeral || flags.data_dir.is_some() {
        return Ok(None);
    }
    let folder = tempfile::Builder::new().prefix("vaultd-").tempdir()?;
    flags.data_dir = Some(folder.path().to_owned());
    Ok(Some(folder))
}

/// Whether a line of the log may be written at all, whatever the filter says.
///
/// Below `info`, libraries write out what they carry: HTTP/2 frames, messages of the session bus.
/// Those hold documents and passphrases, which are never logged.
fn may_be_logged(metadata: &tracing::Metadata<'_>) -> bool {
    let own = [
        "vaultd",
        "vault_auth",
        "vault_store",
        "vault_keyring",
        "vault_crypto",
        "audit",
    ];
    let source = metadata.target().split("::").next().unwrap_or_default();
    own.contains(&source) || *metadata.level() <= tracing::Level::INFO
}

fn log_to_stderr(filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::try_new(filter)?;
    let to_terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(to_terminal);
    tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(may_be_logged))
        .with(lines)
        .init();
    Ok(())
}

fn run(config: Config, hardening: platform::Hardening) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("vaultd: no threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let served = runtime.block_on(async {
        let daemon = Daemon::start(config, hardening)?;
        daemon.serve(told_to_stop()).await
    });
    // A keyring that still does not answer must not keep the process.
    runtime.shutdown_background();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vaultd: {error}");
            let code = if error.is_already_running() {
                ALREADY_RUNNING
            } else {
                1
            };
            ExitCode::from(code)
        }
    }
}

/// Threads that take calls in and send answers out; the work itself is done on others.
///
/// The callers run on this machine, too: half of its processors are left to them. Of two, a second
/// worker cost a small get a tenth of its time in wake-ups between the workers.
fn workers() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (processors / 2).clamp(1, 4)
}

/// Resolves on SIGTERM or SIGINT (Ctrl-C and its kin on Windows).
async fn told_to_stop() {
    let interrupt = async {
        if signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(mut signals) => {
                signals.recv().await;
            }
            Err(_) => std::future::pending::<()>().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
