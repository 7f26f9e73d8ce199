//! Where a data root's daemon listens: both ends compute the same path.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// The folder of sockets inside the user's runtime directory.
pub const RUNTIME_FOLDER: &str = "vaultd";

/// The socket of the default data root.
pub const DEFAULT_SOCKET: &str = "vaultd.sock";

/// The socket path of `root`, an absolute, canonical path.
///
/// In the runtime directory where there is one: `vaultd/vaultd.sock` for the default root and
/// `vaultd/<hash of the root>.sock` for any other, so that two vaults never share a socket. Inside
/// the data root otherwise.
pub fn socket_path(root: &Path, default_root: Option<&Path>, runtime: Option<&Path>) -> PathBuf {
    let Some(runtime) = runtime else {
        return root.join(DEFAULT_SOCKET);
    };
    let folder = runtime.join(RUNTIME_FOLDER);
    if default_root == Some(root) {
        return folder.join(DEFAULT_SOCKET);
    }
    let digest = Sha256::digest(root.as_os_str().as_encoded_bytes());
    // 64 bits: enough to keep one user's roots apart, short enough for sun_path's 108 bytes.
    folder.join(format!("{}.sock", HEXLOWER.encode(&digest[..8])))
}

/// Environment variable that names the data root.
pub const DATA_DIR_VARIABLE: &str = "VAULTD_DATA_DIR";
/// Environment variable that names the socket.
pub const SOCKET_VARIABLE: &str = "VAULTD_SOCKET";

/// A path from the environment; relative ones are ignored, as the XDG specification asks.
fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

/// The data root of a user who names none: `$XDG_DATA_HOME/vaultd`,
/// `~/Library/Application Support/vaultd` on macOS, `%LOCALAPPDATA%\vaultd` on Windows. `None`
/// where the environment does not even have a home.
pub fn default_data_root() -> Option<PathBuf> {
    let base = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        variable("XDG_DATA_HOME").or_else(|| Some(variable("HOME")?.join(".local/share")))
    };
    base.map(|base| base.join("vaultd"))
}

/// The folder of `config.toml`, by the same rules.
pub fn default_config_dir() -> Option<PathBuf> {
    let base = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")))
    };
    base.map(|base| base.join("vaultd"))
}

/// The folder of logs and other state.
pub fn default_state_dir() -> Option<PathBuf> {
    let base = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Logs"))
    } else {
        variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state")))
    };
    base.map(|base| base.join("vaultd"))
}

/// The user's runtime directory, where there is one.
pub fn runtime_dir() -> Option<PathBuf> {
    variable("XDG_RUNTIME_DIR").filter(|path| path.is_dir())
}

/// Where a vault lies and where its daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Absolute path of the data root, links resolved as far as it exists.
    pub data_root: PathBuf,
    /// Path of the socket.
    pub socket: PathBuf,
}

impl Place {
    /// Works out both from what the caller named, then the environment, then the platform's
    /// default. Creates nothing.
    pub fn resolve(data_root: Option<&Path>, socket: Option<&Path>) -> io::Result<Self> {
        let default = default_data_root()
            .map(|path| absolute(&path))
            .transpose()?;
        let named = data_root
            .map(Path::to_owned)
            .or_else(|| env::var_os(DATA_DIR_VARIABLE).map(Into::into));
        let data_root = match named {
            Some(path) => absolute(&path)?,
            None => default.clone().ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::NotFound,
                    "no data root: set HOME, or VAULTD_DATA_DIR, or give --data-dir",
                )
            })?,
        };
        let named = socket
            .map(Path::to_owned)
            .or_else(|| env::var_os(SOCKET_VARIABLE).map(Into::into));
        let socket = match named {
            Some(path) => std::path::absolute(path)?,
            None => socket_path(&data_root, default.as_deref(), runtime_dir().as_deref()),
        };
        Ok(Self { data_root, socket })
    }
}

/// Absolute, with the links of the part that exists resolved: two spellings of one root must give
/// one socket, before and after the root is created.
fn absolute(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    for ancestor in path.ancestors() {
        if let Ok(resolved) = fs::canonicalize(ancestor) {
            let rest = path
                .strip_prefix(ancestor)
                .expect("an ancestor is a prefix");
            return Ok(if rest.as_os_str().is_empty() {
                resolved
            } else {
                resolved.join(rest)
            });
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_root_has_a_socket_of_its_own() {
        let runtime = Path::new("/run/user/1000");
        let home = Path::new("/home/a/.local/share/vaultd");
        let default = socket_path(home, Some(home), Some(runtime));
        assert_eq!(default, runtime.join("vaultd/vaultd.sock"));
        let one = socket_path(Path::new("/srv/one"), Some(home), Some(runtime));
        let two = socket_path(Path::new("/srv/two"), Some(home), Some(runtime));
        assert_ne!(one, two);
        assert_ne!(one, default);
        assert_eq!(one.parent(), Some(runtime.join("vaultd").as_path()));
    }

    #[test]
    fn without_a_runtime_directory_the_socket_lies_in_the_root() {
        let root = Path::new("/srv/one");
        assert_eq!(socket_path(root, None, None), root.join("vaultd.sock"));
    }
}
