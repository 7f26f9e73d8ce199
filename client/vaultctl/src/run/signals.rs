//! Signals that are meant for the program, and their way there.

use std::{fs, io, thread};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::{
    consts::{
        SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH,
    },
    iterator::{SignalsInfo, exfiltrator::WithOrigin},
    low_level::{self, siginfo::Origin},
};

use super::streams::Pumps;

/// What is passed on.
const PASSED_ON: [i32; 9] = [
    SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT,
];

/// Those of them that end a program.
const ENDING: [i32; 4] = [SIGINT, SIGQUIT, SIGTERM, SIGHUP];

/// Signals sent to this process, from when this was made on.
pub(super) struct Signals(SignalsInfo<WithOrigin>);

impl Signals {
    /// To be made before the program starts, so that none is lost. What was ignored from the
    /// beginning (`nohup`, `command &` in a script) stays ignored: the program is to inherit that.
    pub(super) fn listen() -> io::Result<Self> {
        let ignored = ignored();
        let passed_on = PASSED_ON.into_iter();
        let heard = passed_on.filter(|signal| ignored & (1 << (signal - 1)) == 0);
        SignalsInfo::with_exfiltrator(heard.chain([SIGCHLD]), WithOrigin::default()).map(Self)
    }

    /// Waits for signals and passes them on.
    pub(super) fn wait(&mut self, program: Pid) -> io::Result<()> {
        for origin in self.0.wait() {
            pass_on(&origin, program)?;
        }
        Ok(())
    }

    /// Passes on what has come already, and tells whether it asks to go on after a stop.
    pub(super) fn go_on(&mut self, program: Pid) -> io::Result<bool> {
        let mut go_on = false;
        for origin in self.0.pending() {
            pass_on(&origin, program)?;
            go_on |= origin.signal == SIGCONT;
        }
        Ok(go_on)
    }

    /// Waits for the end of the streams once the program has ended: something that it left running
    /// may still hold them, and its output is not cut off. Gives the signal that ended the wait.
    pub(super) fn until_drained(&mut self, pumps: Pumps) -> io::Result<Option<i32>> {
        let handle = self.0.handle();
        thread::Builder::new().spawn(move || {
            pumps.join();
            handle.close();
        })?;
        while !self.0.is_closed() {
            for origin in self.0.wait() {
                if ENDING.contains(&origin.signal) {
                    return Ok(Some(origin.signal));
                }
                if origin.signal == SIGTSTP {
                    stop()?;
                }
            }
        }
        Ok(None)
    }
}

/// Passes a signal on unless the program has it already: the terminal sends its own to every
/// process in the foreground, and the program itself may send one to its whole group.
fn pass_on(origin: &Origin, program: Pid) -> io::Result<()> {
    let program_id = program.as_raw_nonzero().get();
    // What the terminal sends is of no process. One outside of our PID namespace, such as that of
    // `docker stop`, is seen as process 0.
    let sent_by_another = origin
        .process
        .as_ref()
        .is_some_and(|sender| sender.pid != program_id);
    // Going on when one goes on already does nothing.
    let has_it = !sent_by_another && origin.signal != SIGCONT;
    if has_it || origin.signal == SIGCHLD {
        return Ok(());
    }
    let Some(signal) = Signal::from_named_raw(origin.signal) else {
        return Ok(());
    };
    match kill_process(program, signal) {
        // It runs as another user now (`sudo`), as that program wants it.
        Ok(()) | Err(rustix::io::Errno::PERM) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The signals that this process ignores, one bit each, the lowest for signal 1. Known on Linux
/// only; elsewhere the program may be ended by a signal that it was to ignore.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

/// Stops this process until it is told to go on.
pub(super) fn stop() -> io::Result<()> {
    low_level::raise(signal_hook::consts::SIGSTOP)
}

/// Ends this process by a signal, so that whoever waits for it sees the same as if it had waited
/// for the program. Comes back where the signal cannot be sent.
pub(super) fn end_by(signal: i32) {
    // The first process of a container is ended by no signal of its own. It would be taken for a
    // defect, and end as if it had crashed.
    if std::process::id() == 1 {
        return;
    }
    let no_core = rustix::process::Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // Without that, an image of our memory would be written beside the program's.
    if rustix::process::setrlimit(rustix::process::Resource::Core, no_core).is_ok() {
        let _ = low_level::emulate_default_handler(signal);
    }
}
