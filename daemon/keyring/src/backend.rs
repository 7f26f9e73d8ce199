//! What a keyring backend does.

use std::{fmt, str::FromStr};

use vault_crypto::{SecretBytes, SecretName, VaultId};

use crate::{account::Account, error::KeyringError};

/// A place that keeps the storage key, and secrets where it [can](BackendKind::holds_secrets).
///
/// Calls block, some for as long as a person looks at a dialog: reach a backend through
/// [`crate::Keyring`].
pub trait Backend: Send {
    /// Which backend this is.
    fn kind(&self) -> BackendKind;

    /// Reads an entry. [`KeyringError::NoEntry`] only where the keyring said that there is none.
    fn get(
        &mut self,
        account: &Account,
        interaction: Interaction,
    ) -> Result<SecretBytes, KeyringError>;

    /// Writes an entry, replacing an earlier one. It counts once it has been read back.
    fn set(
        &mut self,
        account: &Account,
        secret: &[u8],
        interaction: Interaction,
    ) -> Result<(), KeyringError>;

    /// Deletes an entry; [`KeyringError::NoEntry`] where there is none.
    fn delete(&mut self, account: &Account, interaction: Interaction) -> Result<(), KeyringError>;

    /// The secrets of a vault that have an entry, in any order. Where only those that are unlocked
    /// can be seen, fails with [`KeyringError::Locked`]: an entry that is not named is not there.
    fn list(&mut self, _: VaultId, _: Interaction) -> Result<Vec<SecretName>, KeyringError> {
        Err(KeyringError::Unsupported(
            "it does not list its entries".to_owned(),
        ))
    }

    /// Finds out whether the keyring takes and returns a secret. Never shows a dialog.
    fn probe(&mut self) -> Result<Probe, KeyringError>;

    /// Unlocks the keyring: with a passphrase where it is ours, with the desktop's dialog where it
    /// is not.
    fn unlock(&mut self, passphrase: Option<&SecretBytes>) -> Result<(), KeyringError>;

    /// Forgets every secret and connection held in memory.
    fn lock(&mut self);
}

/// May the desktop's keyring show a dialog during this call?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interaction {
    /// No: what would need one fails with [`KeyringError::Locked`]. For everything the daemon does
    /// on its own.
    Forbidden,
    /// Yes: a person asked for this call and sits in front of the screen.
    Allowed,
}

/// What a probe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// A secret was written, read back and deleted.
    Works,
    /// There, but locked. Nothing was written.
    Locked,
}

/// Where the storage key lives. Written `os`, `passphrase`, `systemd-creds` or `memory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BackendKind {
    /// The keyring of the desktop or of the operating system.
    Os,
    /// A file sealed with a passphrase.
    Passphrase,
    /// A credential of a systemd service, which the daemon cannot write.
    SystemdCreds,
    /// Memory only: gone with the process.
    Memory,
}

impl BackendKind {
    const ALL: [Self; 4] = [Self::Os, Self::Passphrase, Self::SystemdCreds, Self::Memory];

    /// Whether it holds any entry: secrets, and the anchor. The others hold the storage key and nothing
    /// else.
    pub const fn holds_secrets(self) -> bool {
        matches!(self, Self::Os | Self::Memory)
    }

    /// The word for it in the configuration, on the command line and in `vault.json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Os => "os",
            Self::Passphrase => "passphrase",
            Self::SystemdCreds => "systemd-creds",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that names no keyring backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown keyring backend; expected os, passphrase, systemd-creds or memory")]
pub struct ParseBackendKindError;

impl FromStr for BackendKind {
    type Err = ParseBackendKindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.as_str() == text)
            .ok_or(ParseBackendKindError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backend_names_round_trip() {
        for kind in BackendKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        for bad in ["", "OS", "keyring", "os "] {
            assert!(bad.parse::<BackendKind>().is_err(), "{bad}");
        }
    }
}
