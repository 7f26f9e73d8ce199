//! `cli.token`: a line for each vault, the token and then the vault's folder or base URL.

use std::{
    collections::BTreeMap,
    fs::{self, Metadata},
    io,
    path::PathBuf,
};

use vault_client::Secret;
use zeroize::Zeroizing;

use crate::{failure::Failure, folder, newfile::Target};

/// Stands in a line in place of a token that lies in the keyring.
const IN_KEYRING: &str = "keyring";

/// Where the token of a vault lies.
#[derive(Debug)]
pub(super) enum Kept {
    Here(Secret),
    Keyring,
}

pub(super) type Entries = BTreeMap<String, Kept>;

/// The file.
pub(super) struct File(PathBuf);

impl File {
    /// In `$XDG_CONFIG_HOME/vaultctl` or what the platform has in its place.
    pub(super) fn of_user() -> Result<Self, Failure> {
        let beside = vault_client::paths::default_config_dir().ok_or_else(|| {
            Failure::usage("no folder for saved tokens: set HOME or XDG_CONFIG_HOME")
        })?;
        Ok(Self(beside.with_file_name("vaultctl").join("cli.token")))
    }

    pub(super) fn shown(&self) -> String {
        self.0.display().to_string()
    }

    /// Waits until nobody else is changing the file. Held until it is dropped; a lock that its
    /// process left behind is none.
    pub(super) async fn lock(&self) -> Result<fs::File, Failure> {
        self.create_folder()?;
        // Beside it: the file itself is another after each change.
        let path = self.0.with_extension("token.lock");
        let failed = format!("{} cannot be locked", path.display());
        let locked = tokio::task::spawn_blocking(move || {
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(false);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let lock = options.open(path)?;
            lock.lock()?;
            Ok(lock)
        });
        let locked = locked
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)));
        locked.map_err(|error: io::Error| Failure::other(format!("{failed}: {error}")))
    }

    /// Every entry; none where there is no file.
    pub(super) fn read(&self) -> Result<Entries, Failure> {
        let failed = |error: io::Error| Failure::other(format!("{}: {error}", self.shown()));
        let mut open = match fs::File::open(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Entries::new()),
            opened => opened.map_err(failed)?,
        };
        self.check(&open.metadata().map_err(failed)?)?;
        let mut text = Zeroizing::new(String::new());
        io::Read::read_to_string(&mut open, &mut text).map_err(failed)?;
        let lines = text.lines().filter(|line| !line.is_empty());
        let entries: Option<Entries> = lines.map(entry).collect();
        entries.ok_or_else(|| {
            Failure::other(format!(
                "{} holds a line that is no token and vault: remove it",
                self.shown()
            ))
        })
    }

    fn create_folder(&self) -> Result<(), Failure> {
        self.0.parent().map_or(Ok(()), folder::create)
    }

    /// Replaces the file, durably.
    pub(super) fn write(&self, entries: &Entries) -> Result<(), Failure> {
        self.create_folder()?;
        let mut file = Target::own(self.0.clone())?.create()?;
        for (vault, kept) in entries {
            // It is one line, whatever a folder is called.
            if vault.contains(['\n', '\r']) {
                return Err(Failure::usage(
                    "no token is saved for a folder of such a name",
                ));
            }
            file.write(match kept {
                Kept::Here(token) => token.expose(),
                Kept::Keyring => IN_KEYRING.as_bytes(),
            })?;
            file.write(format!(" {vault}\n").as_bytes())?;
        }
        file.keep()
    }

    #[cfg(unix)]
    fn check(&self, found: &Metadata) -> Result<(), Failure> {
        use std::os::unix::fs::MetadataExt as _;
        let shown = self.shown();
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(Failure::locked(format!("{shown} belongs to another user")));
        }
        if found.mode() & 0o077 != 0 {
            return Err(Failure::locked(format!(
                "{shown} can be read by others: revoke its tokens, or `chmod 600` it where nobody \
                 has read them"
            )));
        }
        Ok(())
    }

    #[cfg(windows)]
    fn check(&self, _: &Metadata) -> Result<(), Failure> {
        // The folder of a user's settings is closed to others.
        Ok(())
    }
}

fn entry(line: &str) -> Option<(String, Kept)> {
    let (token, vault) = line.split_once(' ')?;
    if token.is_empty() || vault.is_empty() {
        return None;
    }
    let kept = match token {
        IN_KEYRING => Kept::Keyring,
        token => Kept::Here(Secret::new(token.into())),
    };
    Some((vault.to_owned(), kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &tempfile::TempDir) -> File {
        File(folder.path().join("vaultctl/cli.token"))
    }

    fn entries() -> Entries {
        let token = Secret::new(b"vaultd_planted".to_vec());
        Entries::from([
            ("https://a.example".to_owned(), Kept::Here(token)),
            ("/home/a user/vault".to_owned(), Kept::Keyring),
        ])
    }

    #[test]
    fn a_token_is_kept_for_its_vault() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(&folder);
        assert!(file.read().expect("none yet").is_empty());
        file.write(&entries()).expect("written");
        let text = fs::read_to_string(&file.0).expect("readable");
        assert_eq!(
            text,
            "keyring /home/a user/vault\nvaultd_planted https://a.example\n"
        );
        let read = file.read().expect("read");
        assert!(!format!("{read:?}").contains("planted"));
        assert!(matches!(read["/home/a user/vault"], Kept::Keyring));
        let Kept::Here(token) = &read["https://a.example"] else {
            panic!("not here")
        };
        assert_eq!(token.expose(), b"vaultd_planted");
        let broken = Entries::from([("a\nb".to_owned(), Kept::Keyring)]);
        assert!(file.write(&broken).is_err());
        assert_eq!(file.read().expect("as it was").len(), 2);
    }

    #[tokio::test]
    async fn one_at_a_time_changes_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(&folder);
        let held = file.lock().await.expect("free");
        let path = folder.path().join("vaultctl/cli.token.lock");
        let other = fs::File::open(&path).expect("there");
        assert!(matches!(
            other.try_lock(),
            Err(fs::TryLockError::WouldBlock)
        ));
        file.write(&entries()).expect("written");
        drop(held);
        assert!(other.try_lock().is_ok());
        assert_eq!(fs::read(&path).expect("readable"), b"");
    }

    #[test]
    fn a_line_of_another_kind_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(&folder);
        file.write(&entries()).expect("written");
        for wrong in ["vaultd_planted", " https://a.example", "vaultd_planted "] {
            fs::write(&file.0, wrong).expect("written");
            let failure = file.read().expect_err(wrong);
            assert!(!format!("{failure:?}").contains("planted"), "{failure:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let file = file(&folder);
        file.write(&entries()).expect("written");
        let mode = |path: &std::path::Path| {
            let metadata = fs::metadata(path).expect("there");
            metadata.permissions().mode() & 0o777
        };
        assert_eq!(mode(&file.0), 0o600);
        assert_eq!(mode(file.0.parent().expect("a folder")), 0o700);
        for wide in [0o640, 0o604, 0o620, 0o601] {
            fs::set_permissions(&file.0, fs::Permissions::from_mode(wide)).expect("set");
            assert!(file.read().is_err(), "{wide:o}");
        }
        fs::set_permissions(&file.0, fs::Permissions::from_mode(0o400)).expect("set");
        assert!(file.read().is_ok());
    }
}
