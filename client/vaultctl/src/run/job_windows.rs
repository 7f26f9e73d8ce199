//! The program beside us. A console sends Ctrl-C to both; the program decides what it means.

use std::process::ExitCode;

use crate::failure::Failure;

use super::{
    files::Lease,
    program::Program,
    streams::{Masking, Pumps},
};

/// There is nothing to keep out.
pub(super) fn keep_secrets_in() {}

/// Runs a program and ends with its exit code.
pub(super) fn run(
    program: Program,
    masking: Option<Masking>,
    lease: Option<Lease>,
) -> Result<ExitCode, Failure> {
    // Hearing it keeps it from ending us before the program.
    drop(tokio::spawn(async {
        while tokio::signal::ctrl_c().await.is_ok() {}
    }));
    let mut command = program.command();
    let pumps = match masking {
        Some(masking) => masking.connect(&mut command)?,
        None => Pumps::default(),
    };
    let mut child = command.spawn().map_err(|error| program.failed(&error))?;
    drop(command);
    drop(program);
    let status = child.wait()?;
    drop(lease);
    pumps.join();
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
