//! A daemon that runs by itself makes room for the service: a vault has one daemon.

use std::{io, time::Duration};

use rustix::{io::Errno, process::Pid};

use crate::{context::Context, failure::Failure};

/// How long a daemon may take to end. It gives calls under way ten seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// Refuses where another vault than the user's own is meant: it has another socket and other files.
pub(super) fn refuse_another_vault(context: &Context) -> Result<(), Failure> {
    let global = &context.global;
    if global.data_dir.is_none() && global.socket.is_none() {
        return Ok(());
    }
    Err(Failure::usage(
        "the service keeps the vault in the default folder: leave out --data-dir and --socket, \
         VAULTD_DATA_DIR and VAULTD_SOCKET",
    ))
}

/// Ends the daemon that `vaultctl` or a person has started, where one answers, and waits until it
/// has let go of the vault; its process. Only while no service listens: this would start it.
pub(super) async fn take_over(context: &Context) -> Result<Option<u32>, Failure> {
    let Some(client) = context.connect_to_running().await? else {
        return Ok(None);
    };
    let process = client.status().await?.pid;
    // The daemon waits for its connections to end.
    drop(client);
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| Failure::other(format!("{process} is no process")))?;
    let ended = tokio::task::spawn_blocking(move || end(pid)).await;
    match ended.map_err(io::Error::other).flatten() {
        Ok(true) => Ok(Some(process)),
        Ok(false) => Err(Failure::other(format!(
            "the daemon, process {process}, still runs after {} s: `kill -KILL {process}` loses \
             nothing that was acknowledged; then try again",
            PATIENCE.as_secs()
        ))),
        Err(error) => Err(Failure::other(format!(
            "the daemon, process {process}, cannot be ended: {error}"
        ))),
    }
}

/// Asks a process to end, and waits until it has, whether or not its parent has noticed; whether it
/// has in time.
#[cfg(target_os = "linux")]
fn end(pid: Pid) -> io::Result<bool> {
    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        io::retry_on_intr,
        process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
    };

    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return Ok(true),
        opened => opened?,
    };
    // Its own number of itself: in a container it would be another's.
    let comm = std::fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero()))?;
    if comm.trim_end() != "vaultd" {
        return Err(io::Error::other("here this is another program"));
    }
    match pidfd_send_signal(&process, Signal::TERM) {
        Err(Errno::SRCH) => return Ok(true),
        sent => sent?,
    }
    let patience = Timespec::try_from(PATIENCE).map_err(io::Error::other)?;
    // Readable once it has ended.
    let mut watched = [PollFd::new(&process, PollFlags::IN)];
    Ok(retry_on_intr(|| poll(&mut watched, Some(&patience)))? > 0)
}

/// Asks a process to end, and waits until it has; whether it has in time.
#[cfg(not(target_os = "linux"))]
fn end(pid: Pid) -> io::Result<bool> {
    use rustix::process::{Signal, kill_process, test_kill_process};

    let begun = std::time::Instant::now();
    let mut told = kill_process(pid, Signal::TERM);
    while begun.elapsed() < PATIENCE {
        match told {
            Err(Errno::SRCH) => return Ok(true),
            told => told?,
        }
        std::thread::sleep(Duration::from_millis(10));
        told = test_kill_process(pid);
    }
    Ok(false)
}
