//! The daemon: parse, build, run, drain.

use std::{io::IsTerminal as _, process::ExitCode};

use clap::Parser as _;
use tokio::signal;
use tracing_subscriber::EnvFilter;
use vaultd::{
    config::{Config, Flags},
    platform,
    server::Daemon,
};

/// Exit code where another daemon serves this vault already (`EX_TEMPFAIL` of sysexits.h): whoever
/// started us connects to that one.
const ALREADY_RUNNING: u8 = 75;
/// Exit code for a configuration that cannot be used (`EX_CONFIG`).
const BAD_CONFIGURATION: u8 = 78;

fn main() -> ExitCode {
    let flags = Flags::parse();
    // The folder of a vault that names none and ends with its daemon.
    let mut flags = flags;
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
    let code = run(config);
    drop(passing);
    code
}

fn passing_root(flags: &mut Flags) -> std::io::Result<Option<tempfile::TempDir>> {
    if !flags.ephemeral || flags.data_dir.is_some() {
        return Ok(None);
    }
    let folder = tempfile::Builder::new().prefix("vaultd-").tempdir()?;
    flags.data_dir = Some(folder.path().to_owned());
    Ok(Some(folder))
}

fn log_to_stderr(filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::try_new(filter)?;
    let to_terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(to_terminal)
        .init();
    Ok(())
}

fn run(config: Config) -> ExitCode {
    let hardening = platform::harden();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
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
            let code = if error.is_already_running() { ALREADY_RUNNING } else { 1 };
            ExitCode::from(code)
        }
    }
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
