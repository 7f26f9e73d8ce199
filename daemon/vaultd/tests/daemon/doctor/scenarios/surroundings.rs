//! What no machine for tests can be made to show: the facts are handed in.

use std::path::PathBuf;

use vaultd::{
    doctor::surroundings::{Privacy, SeenPath, Surroundings},
    platform::{FileSystemKind, Guards, Ownership},
};

use super::Stage;

/// A machine on which all is well, but for what `spoil` does.
fn judged(spoil: impl FnOnce(&mut Surroundings)) -> Stage {
    let mut well = Surroundings {
        user: Some(1000),
        paths_seen: 9,
        file_system: Some((FileSystemKind::Local, "ext4".to_owned())),
        free_space: Some(1 << 40),
        guards: Guards {
            dumpable: Some(false),
            core_limit: Some(0),
            no_new_privileges: Some(true),
            seccomp: Some(true),
        },
        ..Surroundings::default()
    };
    well.service.unit = Some(PathBuf::from("/usr/lib/systemd/user/vaultd.service"));
    assert_eq!(well.judge(), [], "all is well");
    spoil(&mut well);
    Stage::Judged(well.judge())
}

fn seen(owner: u32, mode: u32, privacy: Privacy) -> SeenPath {
    SeenPath {
        path: PathBuf::from("/vault/keys.a"),
        ownership: Ownership { owner, mode },
        privacy,
    }
}

pub(super) fn path_of_others() -> Stage {
    let judge = |owner, privacy| judged(|facts| facts.paths = vec![seen(owner, 0o600, privacy)]);
    // The system's own files are to be expected where anybody's may be.
    for (owner, privacy) in [(1000, Privacy::Private), (0, Privacy::Shared)] {
        assert!(matches!(judge(owner, privacy), Stage::Judged(found) if found.is_empty()));
    }
    judge(0, Privacy::Private)
}

pub(super) fn file_system_remote() -> Stage {
    judged(|facts| facts.file_system = Some((FileSystemKind::Remote, "nfs".to_owned())))
}

pub(super) fn file_system_weak() -> Stage {
    judged(|facts| facts.file_system = Some((FileSystemKind::Weak, "vfat".to_owned())))
}

pub(super) fn file_system_volatile() -> Stage {
    let memory = || Some((FileSystemKind::Volatile, "tmpfs".to_owned()));
    // Of a vault that ends with the daemon nobody expects more.
    let ephemeral = judged(|facts| {
        facts.file_system = memory();
        facts.ephemeral = true;
    });
    assert!(matches!(ephemeral, Stage::Judged(found) if found.is_empty()));
    judged(|facts| facts.file_system = memory())
}

pub(super) fn disk_space_low() -> Stage {
    judged(|facts| facts.free_space = Some(1 << 20))
}

pub(super) fn dumps_possible() -> Stage {
    judged(|facts| facts.guards.dumpable = Some(true))
}

pub(super) fn sandbox_partial() -> Stage {
    judged(|facts| facts.guards.seccomp = Some(false))
}
