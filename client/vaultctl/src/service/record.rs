//! What `install` put in place, so that nothing else is replaced or removed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::{failure::Failure, folder, newfile::Target};

/// The SHA-256 of each file that was put in place, by its path.
///
/// Several where it is being replaced: whenever that stops, the file is one of them.
type Files = BTreeMap<PathBuf, BTreeSet<String>>;

/// `service.json`, beside what else `vaultctl` keeps.
pub(super) struct Record {
    path: PathBuf,
    files: Files,
}

impl Record {
    /// The one of this user; empty where nothing was installed.
    pub(super) fn of_user() -> Result<Self, Failure> {
        let beside = vault_client::paths::default_config_dir()
            .ok_or_else(|| Failure::usage("no folder for the service: set HOME"))?;
        Self::read(beside.with_file_name("vaultctl").join("service.json"))
    }

    fn read(path: PathBuf) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::other(format!(
                "{} cannot be read: {error}; without it nothing counts as installed",
                path.display()
            ))
        };
        let files = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| failed(&error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Files::new(),
            Err(error) => return Err(failed(&error)),
        };
        Ok(Self { path, files })
    }

    /// Whether nothing is installed.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The files that were put in place.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.keys().map(PathBuf::as_path)
    }

    /// Whether a file was put in place.
    pub(super) fn lists(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    /// Whether a file of this digest was put in place.
    pub(super) fn knows(&self, path: &Path, digest: &str) -> bool {
        let digests = self.files.get(path);
        digests.is_some_and(|digests| digests.contains(digest))
    }

    /// Adds what is about to be put in place.
    pub(super) fn expect(&mut self, path: &Path, digest: &str) {
        let digests = self.files.entry(path.to_owned()).or_default();
        digests.insert(digest.to_owned());
    }

    /// Leaves of a file only what is in place.
    pub(super) fn settle(&mut self, path: &Path, digest: &str) {
        if let Some(digests) = self.files.get_mut(path) {
            digests.retain(|known| known == digest);
        }
    }

    /// Writes it, durably.
    pub(super) fn write(&self) -> Result<(), Failure> {
        self.path.parent().map_or(Ok(()), folder::create)?;
        let text = serde_json::to_vec_pretty(&self.files)
            .map_err(|error| Failure::other(format!("{}: {error}", self.path.display())))?;
        let mut file = Target::own(self.path.clone())?.create()?;
        file.write(&text)?;
        file.write(b"\n")?;
        file.keep()
    }

    /// Removes it.
    pub(super) fn remove(self) -> Result<(), Failure> {
        let removed = fs::remove_file(&self.path);
        removed.map_err(|error| Failure::other(format!("{}: {error}", self.path.display())))
    }
}

/// The SHA-256 of a file's content, in hex.
pub(super) fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(HEXLOWER.encode(&hash.finalize())),
            read => hash.update(&piece[..read]),
        }
    }
}

/// The SHA-256 of a text, in hex.
pub(super) fn digest_of(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_is_known_before_and_after() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("vaultctl/service.json");
        let unit = Path::new("/u/vaultd.service");
        let mut record = Record::read(path.clone()).expect("none yet");
        assert!(record.is_empty() && !record.lists(unit));
        record.expect(unit, "old");
        record.expect(unit, "new");
        record.write().expect("written");

        let mut record = Record::read(path.clone()).expect("read");
        assert!(record.knows(unit, "old") && record.knows(unit, "new"));
        record.settle(unit, "new");
        assert!(!record.knows(unit, "old") && record.knows(unit, "new"));
        record.remove().expect("removed");
        assert!(Record::read(path).expect("none").is_empty());
    }

    #[test]
    fn a_record_that_cannot_be_read_is_not_taken_for_an_empty_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("service.json");
        fs::write(&path, "{").expect("written");
        assert!(Record::read(path).is_err());
    }

    #[test]
    fn a_file_and_its_text_have_one_digest() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("abc");
        fs::write(&path, "abc").expect("written");
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest(&path).expect("readable"), expected);
        assert_eq!(digest_of("abc"), expected);
    }
}
