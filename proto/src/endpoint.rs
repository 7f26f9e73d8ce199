//! Where a data root's daemon listens: both ends compute the same path.

use std::{
    env, io,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::paths::{self, DATA_DIR_VARIABLE, SOCKET_VARIABLE, absolute};
pub use crate::paths::{default_config_dir, default_data_root, default_state_dir, runtime_dir};

/// The socket of the default data root.
pub const DEFAULT_SOCKET: &str = "vaultd.sock";

/// The name of every pipe of vaultd begins so.
const PIPES: &str = r"\\.\pipe\vaultd-";

/// The named pipe of `root`, an absolute, canonical path, whichever user it belongs to: pipes have one
/// folder for all.
pub fn pipe_name(root: &Path) -> PathBuf {
    format!("{PIPES}{}", root_id(root)).into()
}

/// Tells the roots of a machine apart, in 64 bits: short enough for the 108 bytes of a socket's path.
fn root_id(root: &Path) -> String {
    let digest = Sha256::digest(root.as_os_str().as_encoded_bytes());
    HEXLOWER.encode(&digest[..8])
}

/// The socket path of `root`, an absolute, canonical path.
///
/// In the runtime directory where there is one: `vaultd/vaultd.sock` for the default root and
/// `vaultd/<hash of the root>.sock` for any other, so that two vaults never share a socket. Inside
/// the data root otherwise.
pub fn socket_path(root: &Path, default_root: Option<&Path>, runtime: Option<&Path>) -> PathBuf {
    let Some(runtime) = runtime else {
        return root.join(DEFAULT_SOCKET);
    };
    let folder = paths::own_runtime_dir(runtime);
    if default_root == Some(root) {
        return folder.join(DEFAULT_SOCKET);
    }
    folder.join(format!("{}.sock", root_id(root)))
}

/// Where a vault lies and where its daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Absolute path of the data root, links resolved as far as it exists.
    pub data_root: PathBuf,
    /// Path of the socket, or of the named pipe.
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
            None if cfg!(windows) => pipe_name(&data_root),
            None => socket_path(&data_root, default.as_deref(), runtime_dir().as_deref()),
        };
        Ok(Self { data_root, socket })
    }
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
    fn each_root_has_a_pipe_of_its_own() {
        let [one, two] = [r"C:\Users\a\vaultd", r"C:\Users\b\vaultd"].map(Path::new);
        let name = pipe_name(one);
        let name = name.to_str().and_then(|name| name.strip_prefix(PIPES));
        assert_eq!(name.map(str::len), Some(16));
        assert_ne!(pipe_name(one), pipe_name(two));
    }

    #[test]
    fn without_a_runtime_directory_the_socket_lies_in_the_root() {
        let root = Path::new("/srv/one");
        assert_eq!(socket_path(root, None, None), root.join("vaultd.sock"));
    }
}
