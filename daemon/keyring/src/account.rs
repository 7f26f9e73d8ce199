//! The names of keyring entries.

use std::{borrow::Cow, fmt};

use vault_crypto::{SecretName, VaultId};

/// The service name of every entry.
pub const SERVICE: &str = "vaultd";

/// One entry of one vault. Several vaults share a keyring: the vault id keeps them apart.
///
/// Shown as `<vault id>/<name>`, which is also the account string in the keyring.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
        let what = match &self.name {
            EntryName::StorageKey => "storage key".into(),
            EntryName::StorageKeyNext => "next storage key".into(),
            EntryName::Salt => "salt".into(),
            EntryName::SaltNext => "next salt".into(),
            EntryName::Anchor => "anchor".into(),
            EntryName::AuditAnchor => "audit anchor".into(),
            EntryName::Probe => "probe".into(),
            EntryName::Secret(name) => Cow::from(format!("secret {name}")),
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryName {
    /// The storage key in force.
    StorageKey,
    /// The storage key a rotation has staged and not promoted yet.
    StorageKeyNext,
    /// The salt from which a derived storage key was made.
    Salt,
    /// The salt of a derived key that a rotation has staged.
    SaltNext,
    /// What shows that tables of passkeys, sessions and tokens are an older copy: how often something
    /// was granted or revoked.
    Anchor,
    /// What shows that the audit log is an older copy, or was cut: the number and hash of its newest
    /// record.
    AuditAnchor,
    /// A random value written to see whether the keyring works, and deleted again.
    Probe,
    /// The value of a secret, such as an API key.
    Secret(SecretName),
}

/// What the names of secrets follow in the account string.
const SECRET_FOLDER: &str = "secret/";

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StorageKey => "storage-key",
            Self::StorageKeyNext => "storage-key.next",
            Self::Salt => "salt",
            Self::SaltNext => "salt.next",
            Self::Anchor => "anchor",
            Self::AuditAnchor => "anchor.audit",
            Self::Probe => "probe",
            Self::Secret(name) => return write!(f, "{SECRET_FOLDER}{name}"),
        })
    }
}

/// The secret of `vault` that an account string names; `None` where it names anything else.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "only the Secret Service lists its entries")
)]
pub(crate) fn secret_of(vault: VaultId, account: &str) -> Option<SecretName> {
    let name = account
        .strip_prefix(&vault.to_string())?
        .strip_prefix('/')?
        .strip_prefix(SECRET_FOLDER)?;
    SecretName::parse(name).ok()
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
            ..account.clone()
        };
        assert!(next.to_string().ends_with("/storage-key.next"));
        let anchor = Account {
            name: EntryName::Anchor,
            ..account.clone()
        };
        assert!(anchor.to_string().ends_with("/anchor"));
        let audit = Account {
            name: EntryName::AuditAnchor,
            ..account.clone()
        };
        assert!(audit.to_string().ends_with("/anchor.audit"));
        let probe = Account {
            name: EntryName::Probe,
            ..account
        };
        assert!(probe.to_string().ends_with("/probe"));
    }

    #[test]
    fn the_account_of_a_secret_leads_back_to_it() {
        let vault = VaultId::from_bytes([0xA5; 16]);
        let secret = SecretName::parse("connection:openai").expect("a name");
        let account = Account {
            vault,
            name: EntryName::Secret(secret.clone()),
        };
        assert_eq!(
            account.to_string(),
            "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5/secret/connection:openai"
        );
        assert_eq!(
            account.label(),
            "vaultd secret connection:openai (a5a5a5a5)"
        );
        assert_eq!(secret_of(vault, &account.to_string()), Some(secret));
        let other = VaultId::from_bytes([0xA6; 16]);
        assert_eq!(secret_of(other, &account.to_string()), None);
        let key = Account {
            name: EntryName::StorageKey,
            ..account
        };
        assert_eq!(secret_of(vault, &key.to_string()), None);
        assert_eq!(secret_of(vault, &format!("{vault}/secret/no name")), None);
    }
}
