//! The program as a job: in our place where that is possible, else beside us, in the same group of
//! processes, so that the terminal, its signals and a shell's job control work as without us.

use std::{fs::File, io, os::unix::process::CommandExt as _, process::ExitCode};

use rustix::process::{Pid, WaitOptions, WaitStatus, waitpid};

use crate::failure::Failure;

use super::{
    program::Program,
    signals::{self, Signals},
    streams::{Masking, Pumps},
    supervisor::Lease,
};

/// Keeps debuggers and core dumps of the same user out of a process that is to hold secrets. The
/// program that is run is not concerned.
pub(super) fn keep_secrets_in() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        // Where it is refused, nothing is lost that others had.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// Runs a program and ends as it ends.
pub(super) fn run(
    program: Program,
    masking: Option<Masking>,
    lease: Option<Lease>,
) -> Result<ExitCode, Failure> {
    if masking.is_none() && lease.is_none() {
        // Nothing is left to do: the program takes our place.
        return Err(program.failed(&program.command().exec()));
    }
    let mut signals = Signals::listen()?;
    let (child, pumps) = start(&program, masking)?;
    // Its values are zeroed now: the program has them.
    drop(program);
    let ending = wait(child, &mut signals)?;
    // Removed before we end, which is what whoever waits for us relies on.
    drop(lease);
    let interrupted = signals.until_drained(pumps)?;
    Ok(end(interrupted.map_or(ending, Ending::Signal)))
}

fn start(program: &Program, masking: Option<Masking>) -> Result<(Pid, Pumps), Failure> {
    let mut command = program.command();
    let pumps = match masking {
        Some(masking) => masking.connect(&mut command)?,
        None => Pumps::default(),
    };
    let child = command.spawn().map_err(|error| program.failed(&error))?;
    // The command holds the other ends of the pipes, which are to end with the program.
    drop(command);
    Ok((Pid::from_child(&child), pumps))
}

/// How a program ended.
#[derive(Clone, Copy)]
enum Ending {
    /// With an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

/// Waits for the end of a program, and stops and goes on with it.
fn wait(child: Pid, signals: &mut Signals) -> io::Result<Ending> {
    loop {
        signals.wait(child)?;
        while let Some(status) = state(child)? {
            if let Some(code) = status.exit_status() {
                return Ok(Ending::Code(code));
            }
            if let Some(signal) = status.terminating_signal() {
                return Ok(Ending::Signal(signal));
            }
            // A shell that waits for us is to see that the job has stopped. Where no terminal is,
            // nobody would tell us to go on. And where we were told so meanwhile, the stop is over.
            if status.stopped() && has_terminal() && !signals.go_on(child)? {
                signals::stop()?;
            }
        }
    }
}

/// What has changed with a program since it was last asked.
fn state(child: Pid) -> io::Result<Option<WaitStatus>> {
    let options = WaitOptions::NOHANG | WaitOptions::UNTRACED;
    match waitpid(Some(child), options) {
        Ok(changed) => Ok(changed.map(|(_, status)| status)),
        Err(rustix::io::Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

/// Ends as the program ended; by the same signal where that can be, else with the code that a shell
/// gives for it.
fn end(ending: Ending) -> ExitCode {
    let code = match ending {
        Ending::Code(code) => code,
        Ending::Signal(signal) => {
            signals::end_by(signal);
            128 + signal
        }
    };
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}
