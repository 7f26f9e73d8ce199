//! What an interrupted upload is recognised by.

use std::{fs::Metadata, io, path::Path, time::UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

/// The resume key of a file's content on its way into `store`. Another file, and the same one
/// changed since, have another key.
pub fn file_resume_key(store: &str, path: &Path, metadata: &Metadata) -> io::Result<Vec<u8>> {
    let path = std::fs::canonicalize(path)?;
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH);
    let modified = modified.map_or(0, |since| since.as_nanos());
    let mut hash = Sha256::new();
    for text in [store.as_bytes(), path.as_os_str().as_encoded_bytes()] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.update(metadata.len().to_be_bytes());
    hash.update(modified.to_be_bytes());
    hash.update(inode(metadata).to_be_bytes());
    Ok(hash.finalize().to_vec())
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(windows)]
fn inode(metadata: &Metadata) -> u64 {
    // A file's number is not to be had here; when it was made tells it from one that took its name.
    std::os::windows::fs::MetadataExt::creation_time(metadata)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_key_is_of_one_file_as_it_is_and_of_one_store() {
        let folder = std::env::temp_dir().join(format!("vault-resume-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let key = |store: &str, name: &str| {
            let path = folder.join(name);
            let metadata = fs::metadata(&path).expect("there");
            file_resume_key(store, &path, &metadata).expect("a key")
        };
        fs::write(folder.join("a"), "content").expect("written");
        fs::write(folder.join("b"), "content").expect("written");
        let first = key("blobs", "a");
        assert_eq!(first.len(), 32);
        assert_eq!(first, key("blobs", "./a"), "by another path");
        assert_ne!(first, key("blobs", "b"), "another file");
        assert_ne!(first, key("other", "a"), "another store");
        fs::write(folder.join("a"), "content, longer").expect("written");
        assert_ne!(first, key("blobs", "a"), "changed since");
        fs::remove_dir_all(&folder).expect("removed");
    }
}
