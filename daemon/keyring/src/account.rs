//! The names of keyring entries.

use std::fmt;

use vault_crypto::VaultId;

/// The service name of every entry.
pub const SERVICE: &str = "vaultd";

/// One entry of one vault. Several vaults share a keyring: the vault id keeps them apart.
///
/// Shown as `<vault id>/<name>`, which is also the account string in the keyring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    /// The vault it belongs to.
    pub vault: VaultId,
    /// What it holds.
    pub name: EntryName,
}

impl Account {
    /// What a person reads in the desktop's keyring application. Eight digits of the vault id tell
    /// vaults apart; the whole id stands in the account.
    pub fn label(&self) -> String {
        let what = match self.name {
            EntryName::StorageKey => "storage key",
            EntryName::StorageKeyNext => "next storage key",
            EntryName::Salt => "salt",
            EntryName::SaltNext => "next salt",
            EntryName::Probe => "probe",
        };
        format!("vaultd {what} ({:.8})", self.vault.to_string())
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.vault, self.name)
    }
}

/// What an entry holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryName {
    /// The storage key in force.
    StorageKey,
    /// The storage key a rotation has staged and not promoted yet.
    StorageKeyNext,
    /// The salt from which a derived storage key was made.
    Salt,
    /// The salt of a derived key that a rotation has staged.
    SaltNext,
    /// A random value written to see whether the keyring works, and deleted again.
    Probe,
}

impl EntryName {
    /// The name inside the account string.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StorageKey => "storage-key",
            Self::StorageKeyNext => "storage-key.next",
            Self::Salt => "salt",
            Self::SaltNext => "salt.next",
            Self::Probe => "probe",
        }
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_and_labels_are_what_scripts_and_people_look_for() {
        let vault = VaultId::from_bytes([0xA5; 16]);
        let name = EntryName::StorageKey;
        let account = Account { vault, name };
        assert_eq!(
            account.to_string(),
            "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5/storage-key"
        );
        assert_eq!(account.label(), "vaultd storage key (a5a5a5a5)");
        let next = Account {
            name: EntryName::StorageKeyNext,
            ..account
        };
        assert!(next.to_string().ends_with("/storage-key.next"));
        let probe = Account {
            name: EntryName::Probe,
            ..account
        };
        assert!(probe.to_string().ends_with("/probe"));
    }
}
