//! The credential of backend `systemd-creds`: only root can put it in place, so that the daemon
//! hands the key out once and takes it back at its next start.

use std::path::{Path, PathBuf};

use vault_client::Secret;

use crate::{
    context::Context,
    failure::Failure,
    newfile::{NewFile, Target},
};

/// The backend.
pub(super) const BACKEND: &str = "systemd-creds";

const NAME: &str = "vaultd.storage-key";
use vault_client::paths::CREDENTIAL_FILE as PLACE;

#[derive(clap::Args, Debug)]
pub(super) struct CredentialOptions {
    /// For backend systemd-creds: the new file that takes the key to be handed to systemd; `-` is
    /// standard output
    #[arg(long, value_name = "FILE")]
    credential: Option<PathBuf>,
}

impl CredentialOptions {
    /// Makes sure, before the key is replaced, that there is a place for the credential.
    pub(super) fn target(
        &self,
        backend: &str,
        context: &Context,
    ) -> Result<Option<Target>, Failure> {
        if backend != BACKEND {
            return Ok(None);
        }
        let Some(file) = self.credential.clone() else {
            return Err(Failure::usage(
                "the key goes into a systemd credential, which only root can put in place: the \
                 daemon hands the new key out, once. Name a new file for it with --credential FILE",
            ));
        };
        Target::exclusive(file, context).map(Some)
    }
}

/// The file is created before the call: a folder that cannot be written to is found out in time.
pub(super) struct Credential {
    file: NewFile,
    path: PathBuf,
    stdout: bool,
}

impl Credential {
    pub(super) fn create(target: Target) -> Result<Self, Failure> {
        Ok(Self {
            path: target.path().to_owned(),
            stdout: target.is_stdout(),
            file: target.create()?,
        })
    }
}

/// Writes a credential that came, and says what to do with it; returns whether one came.
pub(super) fn hand_over(
    place: Option<Credential>,
    credential: Option<Secret>,
) -> Result<bool, Failure> {
    let Some(secret) = credential else {
        return Ok(false);
    };
    let Some(Credential {
        mut file,
        path,
        stdout,
    }) = place
    else {
        return Err(Failure::other(
            "the daemon handed out a credential, and no file was named to take it: undo this with \
             `vaultctl key rotate --rollback`, then begin again with --credential FILE",
        ));
    };
    file.write(secret.expose())?;
    file.keep()?;
    let shown = if stdout {
        "FILE".to_owned()
    } else {
        quoted(&path)
    };
    eprintln!(
        "The key was handed out as a credential, which takes effect once the daemon starts with it:\n  \
         1. sudo systemd-creds encrypt --name={NAME} {shown} {PLACE}\n  \
         2. shred -u {shown}\n  \
         3. restart the daemon's unit with LoadCredentialEncrypted={NAME}:{PLACE}"
    );
    Ok(true)
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let path = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if path.chars().all(plain) && !path.starts_with('-') {
        path.into_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_command_is_one_word() {
        assert_eq!(quoted(Path::new("/run/user/1/key")), "/run/user/1/key");
        assert_eq!(quoted(Path::new("my key")), "'my key'");
        assert_eq!(quoted(Path::new("it's")), r"'it'\''s'");
    }
}
