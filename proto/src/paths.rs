//! Every folder that a user's environment decides, and what it is called. The one module that asks
//! for `HOME`, `XDG_*` and their kin: a test looks for others.

use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Component, Path, PathBuf},
};

/// What our folder is called in each of the platform's.
const OWN: &str = "vaultd";

/// Environment variable that names the data root.
pub const DATA_DIR_VARIABLE: &str = "VAULTD_DATA_DIR";
/// Environment variable that names the socket.
pub const SOCKET_VARIABLE: &str = "VAULTD_SOCKET";
/// Environment variable that names the folder of configuration files.
pub const CONFIG_DIR_VARIABLE: &str = "VAULTD_CONFIG_DIR";

/// A path from the environment; relative ones are ignored, as the XDG specification asks.
fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

/// The user's own folder.
pub fn home() -> Option<PathBuf> {
    variable(if cfg!(windows) {
        "USERPROFILE"
    } else {
        HOME_VARIABLE
    })
}

/// A folder of the platform for one use: by its variable, or below the user's own folder.
fn base(xdg: &str, below_home: &str, apple: &str) -> Option<PathBuf> {
    if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        Some(home()?.join(apple))
    } else {
        variable(xdg).or_else(|| Some(home()?.join(below_home)))
    }
}

/// The folder in which programs keep their data: `$XDG_DATA_HOME`,
/// `~/Library/Application Support` on macOS, `%LOCALAPPDATA%` on Windows.
pub fn data_home() -> Option<PathBuf> {
    base(
        "XDG_DATA_HOME",
        ".local/share",
        "Library/Application Support",
    )
}

/// The folder in which programs keep their configuration, by the same rules.
pub fn config_home() -> Option<PathBuf> {
    base("XDG_CONFIG_HOME", ".config", "Library/Application Support")
}

/// The data root of a user who names none. `None` where the environment does not even have a home.
pub fn default_data_root() -> Option<PathBuf> {
    Some(data_home()?.join(OWN))
}

/// The folder of `config.toml`.
pub fn default_config_dir() -> Option<PathBuf> {
    Some(config_home()?.join(OWN))
}

/// The folder of `config.toml` that is in force: the one that the environment names, or the default.
pub fn config_dir() -> Option<PathBuf> {
    env::var_os(CONFIG_DIR_VARIABLE)
        .map(PathBuf::from)
        .or_else(default_config_dir)
}

/// The folder of logs and other state.
pub fn default_state_dir() -> Option<PathBuf> {
    Some(base("XDG_STATE_HOME", ".local/state", "Library/Logs")?.join(OWN))
}

/// The user's runtime directory, where there is one.
pub fn runtime_dir() -> Option<PathBuf> {
    variable("XDG_RUNTIME_DIR").filter(|path| path.is_dir())
}

/// Our folder in the user's runtime directory `runtime`.
pub fn own_runtime_dir(runtime: &Path) -> PathBuf {
    runtime.join(OWN)
}

/// Where runtime directories are that belong to the user, the likely one first; whoever takes one
/// sees to that it is there and the user's own.
pub fn runtime_dirs(user: u32) -> Vec<PathBuf> {
    let usual = PathBuf::from(format!("/run/user/{user}"));
    variable("XDG_RUNTIME_DIR")
        .into_iter()
        .chain([usual])
        .collect()
}

/// A folder for what must not outlive its use, where there is no runtime directory: in memory where
/// the system has such a place, else among the temporary files. Others may write beside it.
pub fn shared_memory_dir(user: u32) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let shared = if memory.is_dir() {
        memory.to_owned()
    } else {
        env::temp_dir()
    };
    shared.join(format!("{OWN}-{user}"))
}

/// The data root of earlier versions: `~/.vaultd`.
pub fn default_legacy_root() -> Option<PathBuf> {
    Some(home()?.join(".vaultd"))
}

/// Where systemd looks by itself for the credential that holds a storage key.
pub const CREDENTIAL_FILE: &str = "/etc/credstore.encrypted/vaultd.storage-key";

/// Below the user's own folder, that of programs which are installed without an administrator, as the
/// XDG specification has it.
pub const USER_PROGRAMS: &str = ".local/bin";

/// The folder of programs that a user installs without an administrator.
pub fn user_programs_dir() -> Option<PathBuf> {
    Some(home()?.join(USER_PROGRAMS))
}

/// The folder in which the user's service manager looks for units of the user:
/// `$XDG_CONFIG_HOME/systemd/user`, `~/Library/LaunchAgents` on macOS, none on Windows.
pub fn user_units_dir() -> Option<PathBuf> {
    service_folders().into_iter().next()
}

/// The variable that names the user's own folder.
pub const HOME_VARIABLE: &str = "HOME";

/// Variables that the folders of a vault depend on, each with the folder in the home that holds
/// where it is not set.
pub const BASE_FOLDERS: [(&str, &str); 4] = [
    (HOME_VARIABLE, ""),
    ("XDG_CONFIG_HOME", ".config"),
    ("XDG_DATA_HOME", ".local/share"),
    ("XDG_STATE_HOME", ".local/state"),
];

/// The folders that another process would start from, by the variable that names each, where
/// `lookup` reads its environment: two that differ here look for one vault in two places.
pub fn base_folders(
    lookup: impl Fn(&str) -> Option<OsString>,
) -> impl Iterator<Item = (&'static str, Option<PathBuf>)> {
    let folder = move |name: &str| {
        lookup(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    BASE_FOLDERS.into_iter().map(move |(name, default)| {
        let in_home = || Some(folder(HOME_VARIABLE)?.join(default));
        (name, folder(name).or_else(in_home))
    })
}

/// Where a package puts what it brings: programs in `bin`, units in `lib/systemd/user`.
pub const PACKAGE_PREFIXES: [&str; 2] = ["/usr", "/usr/local"];

/// Where an agent of launchd says that programs are, before it is put in place.
pub const AGENT_PROGRAMS: &str = "/usr/local/bin/";

/// What an agent of launchd needs below the user's own folder: the folders of its socket and its log.
pub fn agent_folders(home: &Path) -> [PathBuf; 2] {
    ["Library/Application Support", "Library/Logs"].map(|base| home.join(base).join(OWN))
}

/// The folders in which a service of this user may be installed, the user's own first: of systemd
/// units, and of launch agents on macOS.
pub fn service_folders() -> Vec<PathBuf> {
    if cfg!(windows) {
        Vec::new()
    } else if cfg!(target_os = "macos") {
        let own = home().map(|home| home.join("Library/LaunchAgents"));
        own.into_iter()
            .chain([PathBuf::from("/Library/LaunchAgents")])
            .collect()
    } else {
        let units = |folder: PathBuf| folder.join("systemd/user");
        let own = [config_home(), data_home()]
            .into_iter()
            .flatten()
            .map(units);
        let of_system = ["/etc", "/run", "/usr/local/lib", "/usr/lib"];
        own.chain(of_system.map(|folder| units(PathBuf::from(folder))))
            .collect()
    }
}

/// Where a folder lies, and by whose word.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LocationClass {
    /// In the data folder of the XDG Base Directory Specification.
    XdgDataHome,
    /// In `~/Library/Application Support`.
    AppleApplicationSupport,
    /// In `%LOCALAPPDATA%`.
    LocalAppData,
    /// In a folder of the user's own that begins with a dot, as before there was a specification.
    HomeDotDirectory,
    /// Where the environment says.
    EnvironmentOverride,
    /// Where the command line says.
    FlagOverride,
    /// Of a vault that ends with its daemon: for tests and trials.
    TestOverride,
    /// Anywhere else.
    Custom,
}

impl LocationClass {
    /// The platform's own.
    const PLATFORM: Self = if cfg!(windows) {
        Self::LocalAppData
    } else if cfg!(target_os = "macos") {
        Self::AppleApplicationSupport
    } else {
        Self::XdgDataHome
    };

    /// By where `path` lies.
    pub fn of(path: &Path) -> Self {
        let [data_home, home] =
            [data_home(), home()].map(|folder| folder.map(|path| resolved(&path)));
        if data_home.is_some_and(|folder| path.starts_with(folder)) {
            return Self::PLATFORM;
        }
        let below = home.and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned));
        let first = below.as_deref().and_then(|below| below.components().next());
        match first {
            Some(Component::Normal(name)) if name.as_encoded_bytes().starts_with(b".") => {
                Self::HomeDotDirectory
            }
            _ => Self::Custom,
        }
    }

    /// Whether the platform's specification asks for such a place.
    pub const fn is_of_platform(self) -> bool {
        matches!(
            self,
            Self::XdgDataHome | Self::AppleApplicationSupport | Self::LocalAppData
        )
    }
}

/// Absolute, with the links of the part that exists resolved: two spellings of one folder are one,
/// before and after it is created.
pub fn absolute(path: &Path) -> io::Result<PathBuf> {
    Ok(resolved(&std::path::absolute(path)?))
}

fn resolved(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        let rest = path.strip_prefix(ancestor);
        if let (Ok(resolved), Ok(rest)) = (fs::canonicalize(ancestor), rest) {
            return if rest.as_os_str().is_empty() {
                resolved
            } else {
                resolved.join(rest)
            };
        }
    }
    path.to_owned()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_told_by_where_a_folder_lies() {
        let (Some(home), Some(data)) = (home(), data_home()) else {
            return;
        };
        let [home, data] = [home, data].map(|path| resolved(&path));
        for (path, class) in [
            (data.join("vaultd"), LocationClass::XdgDataHome),
            (data.join("vaultd/plain/models"), LocationClass::XdgDataHome),
            (home.join(".vaultd"), LocationClass::HomeDotDirectory),
            (home.join(".models/large"), LocationClass::HomeDotDirectory),
            (home.join("vault"), LocationClass::Custom),
            (PathBuf::from("/srv/vault"), LocationClass::Custom),
        ] {
            assert_eq!(LocationClass::of(&path), class, "{}", path.display());
        }
    }
    #[test]
    fn folders_of_another_environment_follow_its_variables() {
        let lookup = |name: &str| match name {
            "HOME" => Some("/home/a".into()),
            "XDG_DATA_HOME" => Some("/srv/data".into()),
            // Ignored, as the specification asks.
            "XDG_STATE_HOME" => Some("state".into()),
            _ => None,
        };
        let folders: Vec<_> = base_folders(lookup)
            .map(|(name, folder)| (name, folder.expect("a home").display().to_string()))
            .collect();
        let expected = [
            ("HOME", "/home/a"),
            ("XDG_CONFIG_HOME", "/home/a/.config"),
            ("XDG_DATA_HOME", "/srv/data"),
            ("XDG_STATE_HOME", "/home/a/.local/state"),
        ];
        assert_eq!(
            folders,
            expected.map(|(name, path)| (name, path.to_owned()))
        );
        assert!(base_folders(|_| None).all(|(_, folder)| folder.is_none()));
    }
}
