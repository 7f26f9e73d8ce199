//! Secrets in files, for programs that want a path.

use std::path::PathBuf;

use crate::failure::Failure;

use super::{plan::Plan, program::Program, values::Values};

#[cfg(unix)]
pub(super) use super::supervisor::Lease;
#[cfg(windows)]
pub(super) use temporary::Lease;

/// Writes the files of the plan, and sets the variables that name them. They are there for as long
/// as what is returned; none where the plan has none.
pub(super) fn hand_over(
    plan: &Plan,
    values: &Values,
    program: &mut Program,
) -> Result<Option<Lease>, Failure> {
    let mut files = plan.files().peekable();
    if files.peek().is_none() {
        return Ok(None);
    }
    let lease = Lease::begin()?;
    for (variable, secret) in files {
        let path: PathBuf = lease.write(variable.as_str(), values.get(secret)?)?;
        program.set([(variable.clone(), path.into())]);
    }
    Ok(Some(lease))
}

/// No process watches over them here: they go with this process, and stay where it is killed.
#[cfg(windows)]
mod temporary {
    use std::{fs, path::PathBuf};

    use tempfile::TempDir;

    use crate::failure::Failure;

    /// A folder among the user's temporary files, which only the user may read.
    pub(in super::super) struct Lease(TempDir);

    impl Lease {
        pub(super) fn begin() -> Result<Self, Failure> {
            let mut builder = tempfile::Builder::new();
            Ok(Self(builder.prefix("vaultd-run-").tempdir()?))
        }

        pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
            let path = self.0.path().join(name);
            fs::write(&path, bytes)?;
            Ok(path)
        }
    }
}
