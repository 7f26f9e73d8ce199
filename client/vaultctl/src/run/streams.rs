//! The program's output on its way through the mask.

use std::{
    fs::File,
    io::{self, ErrorKind, IsTerminal as _, PipeReader, Read as _, Write as _},
    process::Command,
    sync::Arc,
    thread::{self, JoinHandle},
};

use crate::failure::Failure;

use super::mask::{Masker, Needles};

/// How much is read at once, in bytes: as much as a pipe holds.
const CHUNK: usize = 64 << 10;

/// Which streams are masked: those that are no terminal. Somebody who looks at a terminal may see
/// what the program shows, and a full-screen program needs the terminal itself.
pub(super) struct Masking {
    needles: Arc<Needles>,
    stdout: bool,
    stderr: bool,
}

impl Masking {
    /// None where both are terminals.
    pub(super) fn new(needles: Needles) -> Option<Self> {
        let stdout = !io::stdout().is_terminal();
        let stderr = !io::stderr().is_terminal();
        let needles = Arc::new(needles);
        (stdout || stderr).then_some(Self {
            needles,
            stdout,
            stderr,
        })
    }

    /// Leads the streams of a program that is about to run through the mask.
    pub(super) fn connect(&self, command: &mut Command) -> io::Result<Pumps> {
        let mut pumps = Vec::new();
        if self.stdout {
            let (source, writer) = io::pipe()?;
            if self.stderr && go_to_one_place() {
                // One pipe, so that their order is kept.
                command.stderr(writer.try_clone()?);
                command.stdout(writer);
                pumps.push(self.pump(source, stdout()?)?);
                return Ok(Pumps(pumps));
            }
            command.stdout(writer);
            pumps.push(self.pump(source, stdout()?)?);
        }
        if self.stderr {
            let (source, writer) = io::pipe()?;
            command.stderr(writer);
            pumps.push(self.pump(source, stderr()?)?);
        }
        Ok(Pumps(pumps))
    }

    fn pump(&self, source: PipeReader, sink: File) -> io::Result<JoinHandle<()>> {
        let masker = Masker::new(Arc::clone(&self.needles));
        thread::Builder::new().spawn(move || {
            if let Err(error) = pump(source, sink, masker) {
                Failure::other(format!("cannot write the output: {error}")).show();
            }
        })
    }
}

/// Threads that mask what comes through a pipe, until every process that holds it has let go.
#[derive(Default)]
pub(super) struct Pumps(Vec<JoinHandle<()>>);

impl Pumps {
    /// Waits for the end of every stream.
    pub(super) fn join(self) {
        for pump in self.0 {
            // One that panicked has told so, and its stream is closed.
            let _ = pump.join();
        }
    }
}

/// Masks one stream. Where its reader goes away the pipe is closed, which the program then notices
/// as it would without us.
fn pump(mut source: PipeReader, mut sink: File, mut masker: Masker) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut shown = Vec::with_capacity(CHUNK);
    loop {
        let read = match source.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read == 0 {
            masker.finish(&mut shown);
        } else {
            masker.push(&chunk[..read], &mut shown);
        }
        match write(&mut sink, &shown) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
        if read == 0 {
            return Ok(());
        }
        shown.clear();
    }
}

/// Writes everything, also where whoever shares the stream has set it not to block.
fn write(sink: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match sink.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => until_writable(sink)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(unix)]
fn until_writable(sink: &File) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};

    match poll(&mut [PollFd::new(sink, PollFlags::OUT)], None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(windows)]
fn until_writable(_: &File) -> io::Result<()> {
    Err(ErrorKind::WouldBlock.into())
}

/// Whether standard output and standard error are one file, pipe or socket (`2>&1`).
#[cfg(unix)]
fn go_to_one_place() -> bool {
    let place = |stat: rustix::fs::Stat| (stat.st_dev, stat.st_ino);
    match (
        rustix::fs::fstat(io::stdout()),
        rustix::fs::fstat(io::stderr()),
    ) {
        (Ok(stdout), Ok(stderr)) => place(stdout) == place(stderr),
        _ => false,
    }
}

#[cfg(windows)]
fn go_to_one_place() -> bool {
    false
}

// Past the buffers of the standard library, which wait for the end of a line.

#[cfg(unix)]
fn stdout() -> io::Result<File> {
    use std::os::fd::AsFd as _;
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

#[cfg(unix)]
fn stderr() -> io::Result<File> {
    use std::os::fd::AsFd as _;
    Ok(io::stderr().as_fd().try_clone_to_owned()?.into())
}

#[cfg(windows)]
fn stdout() -> io::Result<File> {
    use std::os::windows::io::AsHandle as _;
    Ok(io::stdout().as_handle().try_clone_to_owned()?.into())
}

#[cfg(windows)]
fn stderr() -> io::Result<File> {
    use std::os::windows::io::AsHandle as _;
    Ok(io::stderr().as_handle().try_clone_to_owned()?.into())
}
