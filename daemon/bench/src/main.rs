//! What vaultd costs its callers: the real release daemon against floors measured in the same run.
//!
//! Prints one JSON line a figure. A figure and its floor take turns in short blocks, since a
//! machine's disk and clock drift by more than what is to be told apart; each number is the median
//! of its blocks. `--quick` does a few hundred operations of each instead of thousands.
//!
//! Missing a bar is no failure of the run: machines are noisy. Failing to measure is.

mod bare;
mod blobs;
mod bulk;
mod calls;
mod daemon;
mod database_files;
mod databases;
mod dataset;
mod empty;
mod in_process;
mod keyring;
mod listing;
mod measure;
mod processors;
mod report;
mod rotation;
mod start;

use std::process::ExitCode;

/// Whatever goes wrong ends the run.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Asks a copy of this program to be the empty server.
const EMPTY_SERVER: &str = "--empty-server";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let done = match arguments.as_slice() {
        [flag, socket] if flag == EMPTY_SERVER => empty::serve(socket),
        _ => run(has("--quick"), Part::of(has)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vault-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Which of the figures are wanted.
#[derive(Clone, Copy)]
enum Part {
    All,
    Rotation,
    Databases,
    Blobs,
}

impl Part {
    fn of(has: impl Fn(&str) -> bool) -> Self {
        if has("--only-rotation") {
            Self::Rotation
        } else if has("--only-databases") {
            Self::Databases
        } else if has("--only-blobs") {
            Self::Blobs
        } else {
            Self::All
        }
    }
}

fn run(quick: bool, part: Part) -> Result<()> {
    // One thread: the callers' own scheduling is the least it can be, on both sides of a ratio.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match part {
            Part::Rotation => rotation::rotation(quick).await,
            Part::Databases => {
                databases::databases(quick).await?;
                database_files::files(quick).await
            }
            Part::Blobs => blobs::blobs(quick).await,
            Part::All => all(quick).await,
        }
    })
}

async fn all(quick: bool) -> Result<()> {
    calls::latencies(quick).await?;
    calls::putters(quick).await?;
    bulk::import(quick).await?;
    listing::listing(quick).await?;
    rotation::rotation(quick).await?;
    databases::databases(quick).await?;
    database_files::files(quick).await?;
    blobs::blobs(quick).await?;
    start::start(quick).await
}
