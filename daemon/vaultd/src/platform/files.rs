//! What the operating system says of files: whose they are, and what their disk promises.

use std::{io, path::Path};

/// Whose a file is, and what others may do with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ownership {
    /// The owner's number.
    pub owner: u32,
    /// The permission bits.
    pub mode: u32,
}

/// What a file system promises.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FileSystemKind {
    /// A local one that keeps what it synced.
    Local,
    /// On another machine.
    Remote,
    /// Without durable or atomic renames, or such that nobody can tell.
    Weak,
    /// In memory.
    Volatile,
    /// One that this build does not know.
    Unknown,
}

/// Of a file system by the number that `statfs` gives it, and the name it goes by. From Linux'
/// `include/uapi/linux/magic.h` and the sources of the file systems.
#[cfg(target_os = "linux")]
const KNOWN: &[(u32, FileSystemKind, &str)] = &[
    (0x6969, FileSystemKind::Remote, "nfs"),
    (0x517B, FileSystemKind::Remote, "smb"),
    (0xFF53_4D42, FileSystemKind::Remote, "cifs"),
    (0xFE53_4D42, FileSystemKind::Remote, "smb2"),
    (0x0102_1997, FileSystemKind::Remote, "9p"),
    (0x5346_414F, FileSystemKind::Remote, "afs"),
    (0x7375_7245, FileSystemKind::Remote, "coda"),
    (0x00C3_6400, FileSystemKind::Remote, "ceph"),
    (0x0BD0_0BD0, FileSystemKind::Remote, "lustre"),
    (0x4750_4653, FileSystemKind::Remote, "gpfs"),
    (0x6573_5546, FileSystemKind::Weak, "fuse"),
    (0x4D44, FileSystemKind::Weak, "vfat"),
    (0x2011_BAB0, FileSystemKind::Weak, "exfat"),
    (0x0102_1994, FileSystemKind::Volatile, "tmpfs"),
    (0x8584_58F6, FileSystemKind::Volatile, "ramfs"),
    (0xEF53, FileSystemKind::Local, "ext4"),
    (0x5846_5342, FileSystemKind::Local, "xfs"),
    (0x9123_683E, FileSystemKind::Local, "btrfs"),
    (0xF2F5_2010, FileSystemKind::Local, "f2fs"),
    (0x2FC1_2FC1, FileSystemKind::Local, "zfs"),
    (0xCA45_1A4E, FileSystemKind::Local, "bcachefs"),
    (0x794C_7630, FileSystemKind::Local, "overlay"),
];

/// What is known of the file system on which `path` lies, and what it is called.
#[cfg(target_os = "linux")]
pub fn file_system(path: &Path) -> io::Result<(FileSystemKind, String)> {
    let found = rustix::fs::statfs(path)?;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the numbers have 32 bits, in a field that is signed and wider on some machines"
    )]
    let magic = found.f_type as u32;
    let known = KNOWN.iter().find(|(known, ..)| *known == magic);
    Ok(known.map_or_else(
        || (FileSystemKind::Unknown, format!("{magic:#x}")),
        |(_, kind, name)| (*kind, (*name).to_owned()),
    ))
}

/// Nobody has asked this operating system yet.
#[cfg(not(target_os = "linux"))]
pub fn file_system(_path: &Path) -> io::Result<(FileSystemKind, String)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whose something is, a link's own; `None` for what has no such bits.
#[cfg(unix)]
pub fn ownership(path: &Path) -> io::Result<Option<Ownership>> {
    use std::os::unix::fs::MetadataExt as _;

    let found = std::fs::symlink_metadata(path)?;
    // The bits of a link mean nothing, and a socket's folder guards it.
    Ok((!found.is_symlink()).then(|| Ownership {
        owner: found.uid(),
        mode: found.mode() & 0o7777,
    }))
}

/// Whose something is: here, security descriptors tell, which nobody asks yet.
#[cfg(not(unix))]
pub fn ownership(path: &Path) -> io::Result<Option<Ownership>> {
    std::fs::symlink_metadata(path).map(|_| None)
}

/// Takes the rights in `mask` from a file or folder. A link in its place is refused.
#[cfg(unix)]
pub fn take_rights(path: &Path, mask: u32) -> io::Result<()> {
    use std::{
        fs::{File, Permissions},
        os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    };

    use rustix::fs::{Mode, OFlags, open};

    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(open(path, flags, Mode::empty())?);
    let found = file.metadata()?;
    if !found.is_file() && !found.is_dir() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    file.set_permissions(Permissions::from_mode(found.mode() & 0o7777 & !mask))
}

/// Takes rights from others.
#[cfg(not(unix))]
pub fn take_rights(_path: &Path, _mask: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{PermissionsExt as _, symlink},
    };

    use super::*;

    #[test]
    fn a_file_system_is_known_by_its_number() {
        let mut numbers: Vec<u32> = KNOWN.iter().map(|(number, ..)| *number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), KNOWN.len(), "each is there once");
        // One that nobody keeps a vault on, and so is not in the table.
        let (kind, name) = file_system(Path::new("/proc")).expect("asked");
        assert_eq!((kind, name.as_str()), (FileSystemKind::Unknown, "0x9fa0"));
        assert!(file_system(Path::new("/nowhere/at/all")).is_err());
    }

    #[test]
    fn rights_are_taken_from_others_and_not_through_a_link() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, b"").expect("written");
        symlink(&file, &link).expect("a link");
        fs::set_permissions(&file, Permissions::from_mode(0o754)).expect("set");
        assert!(take_rights(&link, 0o077).is_err());
        assert_eq!(ownership(&link).expect("asked"), None);
        let mode = |path: &Path| ownership(path).expect("asked").expect("no link").mode;
        assert_eq!(mode(&file), 0o754, "untouched");
        take_rights(&file, 0o022).expect("taken");
        assert_eq!(mode(&file), 0o754);
        take_rights(&file, 0o077).expect("taken");
        assert_eq!(mode(&file), 0o700, "the owner's stay");
    }
}
