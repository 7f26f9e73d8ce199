//! The daemon: parse, build, run, drain.

use std::{io::IsTerminal as _, process::ExitCode};

use clap::Parser as _;
use vaultd::{
    config::{Config, Flags},
    logging::{self, LogFilter},
    platform::{self, InheritedSocket},
    reload::Reload,
    server::Daemon,
    signals,
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
    // Before any file is opened here: descriptors are handed over by number.
    let inherited = match platform::inherited_sockets() {
        Ok(inherited) => inherited,
        Err(error) => {
            eprintln!("vaultd: the service manager's socket cannot be had: {error}");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
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
    let log = match logging::start(&config.log) {
        Ok(log) => log,
        Err(error) => {
            eprintln!("vaultd: configuration: log: {error}");
            return ExitCode::from(BAD_CONFIGURATION);
        }
    };
    let code = run(Start {
        flags,
        config,
        hardening,
        inherited,
        log,
    });
    drop(passing);
    code
}

/// What a daemon is started with.
struct Start {
    flags: Flags,
    config: Config,
    hardening: platform::Hardening,
    inherited: Vec<InheritedSocket>,
    log: LogFilter,
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

fn run(start: Start) -> ExitCode {
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
        let daemon = Daemon::start(start.config, start.hardening, start.inherited)?;
        let on_terminal = std::io::stderr().is_terminal();
        let reload = Reload {
            flags: start.flags,
            log: start.log,
            asked: if on_terminal {
                signals::never()
            } else {
                signals::hangups()
            },
        };
        daemon
            .serve(signals::told_to_stop(on_terminal), reload)
            .await
    });
    // A keyring that still does not answer must not keep the process.
    runtime.shutdown_background();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vaultd: {error}");
            if error.is_already_running() {
                ExitCode::from(ALREADY_RUNNING)
            } else if error.is_bad_configuration() {
                ExitCode::from(BAD_CONFIGURATION)
            } else {
                ExitCode::FAILURE
            }
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
