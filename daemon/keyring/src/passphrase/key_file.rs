//! One sealed key file: reading, replacing and removing it so that a crash leaves old or new.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use vault_crypto::{
    SecretBytes, StorageKey,
    passphrase::{PassphraseError, open_key, seal_key},
};

use crate::{account::EntryName, error::KeyringError};

/// A key file has about 220 bytes. Anything much longer is not one and is not read whole.
const MAX_LEN: u64 = 64 * 1024;

/// The place of one sealed key.
pub(super) struct KeyFile {
    name: EntryName,
    folder: PathBuf,
    path: PathBuf,
}

/// A sealed key and what is inside.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) sealed: Vec<u8>,
    pub(super) key: StorageKey,
}

impl Opened {
    pub(super) fn open(sealed: Vec<u8>, passphrase: &SecretBytes) -> Result<Self, KeyringError> {
        let key = open_key(&sealed, passphrase).map_err(refused)?;
        Ok(Self { sealed, key })
    }

    pub(super) fn seal(
        key: StorageKey,
        passphrase: &SecretBytes,
        work_factor: Option<u8>,
    ) -> Result<Self, KeyringError> {
        let sealed = seal_key(&key, passphrase, work_factor).map_err(refused)?;
        Ok(Self { sealed, key })
    }
}

impl KeyFile {
    pub(super) fn new(folder: &Path, name: &EntryName) -> Result<Self, KeyringError> {
        match name {
            EntryName::StorageKey | EntryName::StorageKeyNext => Ok(Self::at(folder, name.clone())),
            EntryName::Salt
            | EntryName::SaltNext
            | EntryName::Anchor
            | EntryName::AuditAnchor
            | EntryName::Probe
            | EntryName::Secret(_) => Err(KeyringError::Unsupported(
                "key files hold storage keys only".to_owned(),
            )),
        }
    }

    /// The key in force and the one a rotation has staged, in this order.
    pub(super) fn both(folder: &Path) -> [Self; 2] {
        [EntryName::StorageKey, EntryName::StorageKeyNext].map(|name| Self::at(folder, name))
    }

    fn at(folder: &Path, name: EntryName) -> Self {
        Self {
            folder: folder.to_owned(),
            path: folder.join(format!("{name}.age")),
            name,
        }
    }

    pub(super) fn name(&self) -> &EntryName {
        &self.name
    }

    /// The sealed bytes. Only a file that is not there is `NoEntry`; an unreadable one is not.
    pub(super) fn read(&self) -> Result<Vec<u8>, KeyringError> {
        let mut sealed = Vec::new();
        File::open(&self.path)
            .and_then(|file| file.take(MAX_LEN + 1).read_to_end(&mut sealed))
            .map_err(|error| absent_or_failed("read", &self.path, &error))?;
        if sealed.len() as u64 > MAX_LEN {
            let text = format!("{} is too long for a key file", self.path.display());
            return Err(KeyringError::Damaged(text));
        }
        Ok(sealed)
    }

    /// Replaces the file and returns once that is durable. The name never points at half a file.
    pub(super) fn write(&self, sealed: &[u8]) -> Result<(), KeyringError> {
        create_folder(&self.folder)?;
        self.replace(sealed)
            .map_err(|error| failed("write", &self.path, &error))
    }

    fn replace(&self, sealed: &[u8]) -> io::Result<()> {
        // Mode 0600 from the start, on Unix.
        let mut temporary = tempfile::Builder::new()
            .prefix(".storage-key-")
            .tempfile_in(&self.folder)?;
        temporary.write_all(sealed)?;
        temporary.as_file().sync_all()?;
        temporary.persist(&self.path)?;
        sync_folder(&self.folder)
    }

    /// Removes the file and returns once that is durable.
    pub(super) fn remove(&self) -> Result<(), KeyringError> {
        fs::remove_file(&self.path)
            .map_err(|error| absent_or_failed("remove", &self.path, &error))?;
        sync_folder(&self.folder).map_err(|error| failed("sync", &self.folder, &error))
    }
}

/// Fails where a key file could not be written. Leaves nothing behind but the folder itself.
pub(super) fn check_writable(folder: &Path) -> Result<(), KeyringError> {
    create_folder(folder)?;
    tempfile::Builder::new()
        .prefix(".probe-")
        .tempfile_in(folder)
        .and_then(tempfile::NamedTempFile::close)
        .map_err(|error| failed("write to", folder, &error))
}

fn create_folder(folder: &Path) -> Result<(), KeyringError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|error| failed("create", folder, &error))
}

/// Makes a rename or removal durable.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows has no such call; NTFS journals the rename.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature as on Unix")]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// For the two calls where a missing file is the answer and not a failure.
fn absent_or_failed(action: &str, path: &Path, error: &io::Error) -> KeyringError {
    match error.kind() {
        io::ErrorKind::NotFound => KeyringError::NoEntry,
        _ => failed(action, path, error),
    }
}

fn failed(action: &str, path: &Path, error: &io::Error) -> KeyringError {
    let text = format!("cannot {action} {}: {error}", path.display());
    match error.kind() {
        io::ErrorKind::PermissionDenied => KeyringError::Denied(text),
        _ => KeyringError::Failed(text),
    }
}

fn refused(error: PassphraseError) -> KeyringError {
    match error {
        PassphraseError::WrongPassphrase => KeyringError::WrongPassphrase,
        PassphraseError::Io(..) => KeyringError::Failed(error.to_string()),
        PassphraseError::Damaged(text) => KeyringError::Damaged(text),
        PassphraseError::NoMatch | PassphraseError::TooMuchWork(_) => {
            KeyringError::Damaged(error.to_string())
        }
        _ => KeyringError::Unsupported(error.to_string()),
    }
}
