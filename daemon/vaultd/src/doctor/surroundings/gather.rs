//! Looking at the machine. Reads, and changes nothing.

use std::{
    fs,
    path::{Path, PathBuf},
};

use vault_proto::paths;
use vault_store::{DiskFileSystem, FileSystem as _};

use super::{Privacy, SeenPath, Service, Surroundings};
use crate::platform;

/// What a unit's file is called.
const UNIT: &str = if cfg!(target_os = "macos") {
    "org.vaultd.vaultd.plist"
} else {
    "vaultd.service"
};

/// In this folder of the data root lie files that their user may handle as any other.
const PLAIN: &str = "plain";

/// Where to look.
#[derive(Clone, Debug)]
pub struct Places {
    /// The data root.
    pub root: PathBuf,
    /// The socket.
    pub socket: PathBuf,
    /// The file with the passphrase, where one is configured.
    pub passphrase_file: Option<PathBuf>,
    /// Where models lie, unless nothing there answers.
    pub models: Option<PathBuf>,
    /// The vault ends with the daemon.
    pub ephemeral: bool,
}

impl Surroundings {
    /// Looks at the places, and at this process.
    pub fn gather(places: &Places) -> Self {
        let mut seen = Self {
            user: platform::user_id(),
            file_system: platform::file_system(&places.root).ok(),
            free_space: DiskFileSystem.free_space(&places.root).ok(),
            guards: platform::guards(),
            service: service(),
            ephemeral: places.ephemeral,
            ..Self::default()
        };
        seen.look_at_tree(&places.root);
        seen.look_at(&places.root.join(PLAIN), Privacy::Private);
        seen.look_at(&places.socket, Privacy::Private);
        if let Some(folder) = places
            .socket
            .parent()
            .filter(|folder| *folder != places.root)
        {
            seen.look_at(folder, Privacy::Private);
        }
        if let Some(file) = &places.passphrase_file {
            seen.look_at(file, Privacy::Private);
        }
        if let Some(state) = paths::default_state_dir() {
            seen.look_at(&state, Privacy::Private);
        }
        if let Some(folder) = paths::config_dir() {
            seen.look_at(&folder, Privacy::Shared);
            seen.look_at(&folder.join("config.toml"), Privacy::Shared);
        }
        let models = places.models.as_ref();
        if let Some(models) = models.filter(|models| !models.starts_with(&places.root)) {
            seen.look_at(models, Privacy::Shared);
        }
        if let Some(unit) = seen.service.unit.clone() {
            seen.look_at(&unit, Privacy::Shared);
        }
        seen
    }

    /// Looks at one path; what is not there is passed over.
    fn look_at(&mut self, path: &Path, privacy: Privacy) {
        let (Ok(Some(ownership)), Some(user)) = (platform::ownership(path), self.user) else {
            return;
        };
        self.paths_seen += 1;
        let seen = SeenPath {
            path: path.to_owned(),
            ownership,
            privacy,
        };
        if seen.is_wrong(user) {
            self.paths.push(seen);
        }
    }

    /// Looks at the data root and all in it, but for what is plain by design.
    fn look_at_tree(&mut self, root: &Path) {
        let plain = root.join(PLAIN);
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            self.look_at(&folder, Privacy::Private);
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path == plain {
                    continue;
                }
                // Not through links.
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(path),
                    Ok(_) => self.look_at(&path, Privacy::Private),
                    Err(_) => {}
                }
            }
        }
    }

    /// Takes the rights from others that they should not have. Returns whether all are gone.
    pub fn close_to_others(&self) -> bool {
        let open = self.paths.iter().filter(|seen| seen.is_open_to_others());
        let mut closed = true;
        for seen in open {
            if let Err(error) = platform::take_rights(&seen.path, seen.privacy.forbidden()) {
                tracing::warn!(path = %seen.path.display(), %error, "it stays open to others");
                closed = false;
            }
        }
        closed
    }
}

/// The unit that is in force, by the order in which the system looks.
fn service() -> Service {
    let mut files = paths::service_folders()
        .into_iter()
        .map(|folder| folder.join(UNIT));
    let Some(unit) = files.find(|file| file.is_file()) else {
        return Service::default();
    };
    let text = fs::read_to_string(&unit).unwrap_or_default();
    let program = text
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let program = program.and_then(program_of);
    Service {
        unit: Some(unit),
        missing_program: program.filter(|program| !program.is_file()),
    }
}

/// The program that an `ExecStart=` names, where it is sure which.
fn program_of(line: &str) -> Option<PathBuf> {
    let first = line
        .trim_start_matches(['-', '@', ':', '+', '!'])
        .split_whitespace()
        .next()?;
    let path = match first.strip_prefix("%h/") {
        Some(below) => paths::home()?.join(below),
        None => PathBuf::from(first),
    };
    let plain = !path.to_string_lossy().contains(['%', '"', '\'', '$', '\\']);
    (plain && path.is_absolute()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_unit_is_known_or_left_alone() {
        for (line, program) in [
            ("/usr/bin/vaultd", Some("/usr/bin/vaultd")),
            ("-/usr/bin/vaultd --log info", Some("/usr/bin/vaultd")),
            ("vaultd", None),
            ("%t/vaultd", None),
            ("\"/a b/vaultd\"", None),
            ("", None),
        ] {
            assert_eq!(program_of(line), program.map(PathBuf::from), "{line}");
        }
    }
}
