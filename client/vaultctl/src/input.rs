//! Small files that are read whole: secrets and key files, where `-` is standard input; and content
//! of any size.

use std::{
    fs::{File, Metadata},
    io::{self, IsTerminal as _, Read as _},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use zeroize::Zeroizing;

use crate::failure::Failure;

/// Largest of them, in bytes (64 KiB: what the daemon takes for a key file).
const LIMIT: u64 = 64 << 10;

/// Standard input was read.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Says that standard input is being read: it can give one thing only.
pub(crate) fn take_stdin() -> Result<(), Failure> {
    if TAKEN.swap(true, Ordering::Relaxed) {
        let text = "standard input can give one thing only: name files for the others";
        return Err(Failure::usage(text));
    }
    Ok(())
}

/// Content of any size from standard input, without the buffer that others read it through.
pub(crate) fn content_of_stdin() -> Result<File, Failure> {
    if io::stdin().is_terminal() {
        return Err(Failure::usage("standard input is a terminal: name a file"));
    }
    take_stdin()?;
    #[cfg(unix)]
    let own = std::os::fd::AsFd::as_fd(&io::stdin()).try_clone_to_owned();
    #[cfg(windows)]
    let own = std::os::windows::io::AsHandle::as_handle(&io::stdin()).try_clone_to_owned();
    Ok(own.map(File::from)?)
}

/// Content of any size from a path that is no folder. It may be a pipe, say.
pub(crate) fn content_of(path: &Path) -> Result<(File, Metadata), Failure> {
    let open = || {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok((file, metadata))
    };
    let opened = open().map_err(|error| unreadable(path, &error))?;
    if opened.1.is_dir() {
        let shown = path.display();
        let text = format!("{shown} is a folder: `vaultctl import` takes folders");
        return Err(Failure::usage(text));
    }
    Ok(opened)
}

pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("cannot read {}: {error}", path.display()))
}

/// Every byte of `file`; `what` names it where it cannot be read.
pub(crate) fn whole(file: &Path, what: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    let read = if file == Path::new("-") {
        take_stdin()?;
        io::stdin().take(LIMIT + 1).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|open| open.take(LIMIT + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| {
        Failure::usage(format!("{what} {} cannot be read: {error}", file.display()))
    })?;
    if bytes.len() as u64 > LIMIT {
        return Err(Failure::usage(format!(
            "{what} {} has more than 64 KiB",
            file.display()
        )));
    }
    Ok(bytes)
}

/// A secret of one line: editors and `echo` end a file with a newline that is no part of it.
pub(crate) fn line(file: &Path, what: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = whole(file, what)?;
    while matches!(bytes.last(), Some(b'\n' | b'\r')) {
        bytes.pop();
    }
    Ok(bytes)
}

/// The path of an open file descriptor.
#[cfg(unix)]
pub(crate) fn descriptor(number: u32) -> std::path::PathBuf {
    Path::new("/dev/fd").join(number.to_string())
}
