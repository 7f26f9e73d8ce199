//! Folders of any content, on their way into a store of files or of blobs.

use std::{
    collections::HashSet,
    fs::FileType,
    io,
    path::{Path, PathBuf},
};

use unicode_normalization::UnicodeNormalization as _;

/// A file to import.
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// Its path below the folder that was named, with `/` between its parts.
    pub(super) name: String,
    pub(super) len: u64,
}

/// What lies below the paths that were named, ordered by name.
#[derive(Default)]
pub(super) struct Walked {
    pub(super) files: Vec<Found>,
    /// What is passed over, and why.
    pub(super) skipped: Vec<String>,
    /// What should have been imported, and why it is not.
    pub(super) rejected: Vec<String>,
    names: HashSet<String>,
}

impl Walked {
    /// Looks at all of them. A folder's files are named by their path in it, a file by its own name.
    pub(super) fn of(paths: &[PathBuf]) -> Self {
        let mut walked = Self::default();
        for path in paths {
            // The paths that were named may be links: they are meant.
            match path.metadata() {
                Ok(found) if found.is_dir() => walked.folder(path, ""),
                Ok(found) if found.is_file() => match text(path) {
                    Some(name) => walked.add(path.clone(), name, found.len()),
                    None => walked.reject(path, "its name is not UTF-8"),
                },
                Ok(_) => walked.reject(path, "neither a file nor a folder"),
                Err(error) => walked.reject(path, &error.to_string()),
            }
        }
        walked.files.sort_by(|one, other| one.name.cmp(&other.name));
        walked
    }

    /// Bytes of all.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.len).sum()
    }

    fn reject(&mut self, path: &Path, why: &str) {
        self.rejected.push(format!("{}: {why}", path.display()));
    }

    fn folder(&mut self, folder: &Path, above: &str) {
        let read = || -> io::Result<Vec<(PathBuf, FileType)>> {
            let entries = std::fs::read_dir(folder)?;
            let entry = |entry: io::Result<std::fs::DirEntry>| {
                let entry = entry?;
                Ok((entry.path(), entry.file_type()?))
            };
            entries.map(entry).collect()
        };
        match read() {
            Ok(entries) => {
                for (path, kind) in entries {
                    self.entry(path, kind, above);
                }
            }
            Err(error) => self.reject(folder, &error.to_string()),
        }
    }

    fn entry(&mut self, path: PathBuf, kind: FileType, above: &str) {
        let Some(name) = text(&path) else {
            return self.reject(&path, "its name is not UTF-8");
        };
        let mut skip = |why| self.skipped.push(format!("{}: {why}", path.display()));
        if name.starts_with('.') {
            return skip("hidden files are not imported");
        }
        if !kind.is_dir() && !kind.is_file() {
            return skip("a link or a device, which is not followed");
        }
        let name = format!("{above}{name}");
        if kind.is_dir() {
            return self.folder(&path, &format!("{name}/"));
        }
        match path.symlink_metadata() {
            Ok(found) => self.add(path, name, found.len()),
            Err(error) => self.reject(&path, &error.to_string()),
        }
    }

    fn add(&mut self, path: PathBuf, name: String, len: u64) {
        if self.names.insert(name.clone()) {
            self.files.push(Found { path, name, len });
        } else {
            self.reject(&path, &format!("there are two of the name `{name}`"));
        }
    }
}

/// The name of a file, in the one form in which names are kept. Some systems keep them in another.
fn text(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    Some(name.nfc().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_walked_and_nothing_is_lost_silently() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, name).expect("written");
        };
        for name in ["b/c/d.txt", "a.png", ".hidden", "b/e\u{301}.md"] {
            write(name);
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc", folder.path().join("link")).expect("a link");
        let paths = [
            folder.path().to_owned(),
            folder.path().join("a.png"),
            folder.path().join("none"),
        ];
        let walked = Walked::of(&paths);
        let names: Vec<_> = walked.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["a.png", "b/c/d.txt", "b/é.md"]);
        // Each holds its path as it was written, the last with an accent of two bytes of its own.
        assert_eq!(walked.bytes(), 5 + 9 + 8);
        assert_eq!(walked.rejected.len(), 2, "{:?}", walked.rejected);
        assert!(
            walked
                .rejected
                .iter()
                .any(|why| why.contains("two of the name `a.png`"))
        );
        let skipped = if cfg!(unix) { 2 } else { 1 };
        assert_eq!(walked.skipped.len(), skipped, "{:?}", walked.skipped);
    }
}
