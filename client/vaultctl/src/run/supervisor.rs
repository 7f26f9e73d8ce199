//! A process that removes the files of a run, whatever becomes of `vaultctl`.
//!
//! It is `vaultctl` itself, started anew in a session of its own. It makes the folder, tells its
//! path, and waits for the end of its standard input: a pipe whose other end the system closes when
//! `vaultctl` ends, however it does. It never sees a secret.

use std::{
    env, fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    sync::{Arc, atomic::AtomicBool},
};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use crate::failure::Failure;

use super::folder::{self, Folder, Place};

/// What the supervisor's answer begins with where it holds a path, and where it holds a problem.
const PATH: u8 = b'/';
/// What the supervisor's answer ends with.
const END: u8 = 0;

/// Keeps a folder for the files of a run until standard input ends.
#[derive(clap::Args, Debug)]
pub(crate) struct RunFiles {
    /// Where the folder is made
    place: PathBuf,
}

impl RunFiles {
    pub(crate) fn run(self) -> Result<(), Failure> {
        // Away from the terminal, whose Ctrl-C is not meant for it. It is nobody's leader.
        rustix::process::setsid().map_err(io::Error::from)?;
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            // It ends with `vaultctl`, also where a service manager ends both at once.
            signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
        }
        // No folder of the user's is kept busy.
        env::set_current_dir("/")?;
        let made = Place::make(&self.place).and_then(|place| place.make_folder());
        let folder = match made {
            Ok(folder) => folder,
            Err(error) => return answer(error.to_string().as_bytes()),
        };
        let answered = answer(folder.path().as_os_str().as_bytes());
        let waited = answered.and_then(|()| Ok(io::copy(&mut io::stdin(), &mut io::sink())?));
        folder.remove()?;
        waited.map(drop)
    }
}

fn answer(text: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text)?;
    stdout.write_all(&[END])?;
    Ok(stdout.flush()?)
}

/// The folder of this run, removed when this is dropped, or else by the supervisor.
pub(super) struct Lease {
    folder: Folder,
    _supervisor: ChildStdin,
}

impl Lease {
    /// Starts a supervisor, and waits until it watches.
    pub(super) fn begin() -> Result<Self, Failure> {
        let place = folder::place();
        let failed = |error: io::Error| {
            let shown = place.display();
            Failure::other(format!("no folder for secrets in {shown}: {error}"))
        };
        Self::start(&place).map_err(failed)
    }

    fn start(place: &Path) -> io::Result<Self> {
        let mut supervisor = Command::new(this_program()?)
            .arg0("vaultctl")
            .arg("run-files")
            .arg(place)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(stdin), Some(stdout)) = (supervisor.stdin.take(), supervisor.stdout.take())
        else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let mut answer = Vec::new();
        BufReader::new(stdout.take(64 << 10)).read_until(END, &mut answer)?;
        if answer.pop() != Some(END) {
            return Err(io::Error::other("the process that keeps it did not start"));
        }
        if answer.first() != Some(&PATH) {
            return Err(io::Error::other(String::from_utf8_lossy(&answer)));
        }
        let folder = Folder::open(&PathBuf::from(std::ffi::OsString::from_vec(answer)))?;
        Ok(Self {
            folder,
            _supervisor: stdin,
        })
    }

    /// Writes a file.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
        let written = self.folder.write(name, bytes);
        written.map_err(|error| Failure::other(format!("the file of {name}: {error}")))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Here and not by the supervisor, so that it is done when `vaultctl` ends.
        if let Err(error) = self.folder.remove() {
            let shown = self.folder.path().display();
            Failure::other(format!("{shown} was not removed: {error}")).show();
        }
    }
}

/// This program as it runs, even where an update has replaced its file.
fn this_program() -> io::Result<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    if fs::metadata(&running).is_ok() {
        return Ok(running);
    }
    env::current_exe()
}
