//! The table of reason codes: the README's is made of it.

/// Makes the codes of lines: name, what it means, and what `--fix` does about it.
macro_rules! codes {
    ($($code:ident = $name:literal, $meaning:literal $(, fix $fix:literal)?;)*) => {
        /// What a finding is, stable for programs.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Code {
            $(
                #[doc = $meaning]
                $code,
            )*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// Its name in `reason_codes`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => $name,)*
                }
            }

            /// What it means, in a sentence.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$code => $meaning,)*
                }
            }

            /// What `--fix` does about it; empty where it can do nothing.
            pub const fn fix(self) -> &'static str {
                match self {
                    $(Self::$code => concat!($($fix)?),)*
                }
            }
        }
    };
}

codes! {
    Healthy = "healthy", "the vault is open, and nothing is wrong with it";

    Starting = "starting", "the daemon has just started and is asking the keyring";
    Uninitialized = "uninitialized", "there is no vault yet";
    Locked = "locked", "the vault was locked on purpose, or by `idle_lock`";
    KeyringLocked = "keyring_locked", "the keyring, or the passphrase file, waits to be unlocked";
    KeyringUnavailable = "keyring_unavailable", "no keyring answers";
    KeyringDenied = "keyring_denied", "the keyring refuses, or its key file cannot be read";
    KeyringTimeout = "keyring_timeout", "the keyring did not answer in time";
    KeyMissing = "key_missing", "data is there, and its key is not";
    WrongKey = "wrong_key", "the key found is not the vault's";
    Damaged = "damaged", "key table or catalogue cannot be read: the vault cannot be opened";
    Reset = "reset", "the storage key was destroyed on purpose";

    HeaderDamaged = "header_damaged", "`vault.json` is damaged or gone",
        fix "writes it anew from what the open vault knows";
    KeyTableCopyDamaged = "key_table_copy_damaged",
        "one of the two copies of the key table is damaged or gone",
        fix "writes it anew from what the open vault knows";
    CatalogueDamaged = "catalogue_damaged", "the list of stores is damaged or gone",
        fix "writes it anew from what the open vault knows";
    KeyNotInKeyring = "key_not_in_keyring",
        "the keyring lost the key of a vault that is still open",
        fix "puts the key back into the keyring";
    StorageFailed = "storage_failed", "the disk failed while the vault's own files were read";

    Rotating = "rotating", "a rotation is under way";
    RotationAwaitsCredential = "rotation_awaits_credential",
        "a rotation waits until systemd presents the new credential";
    RotationHalfDone = "rotation_half_done", "a rotation stopped, was paused or was interrupted",
        fix "goes on with it, unless it was paused";
    MoveHalfDone = "move_half_done", "the storage key is between two backends";
    ExportOutdated = "export_outdated", "the last export of the key does not open the vault any more";
    SaltUnchecked = "salt_unchecked", "nobody could look at the salt of a derived key";
    SaltCopyMissing = "salt_copy_missing",
        "one of the two copies of the salt of a derived key is gone",
        fix "writes it anew from the other";
    SaltMismatch = "salt_mismatch", "the salt of a derived key makes another key";

    ObjectsDamaged = "objects_damaged", "objects of a store cannot be read";
    StoreDamaged = "store_damaged", "a store cannot be opened";
    AwaitingMigration = "awaiting_migration", "adopted files are still plaintext";
    SecretsUnchecked = "secrets_unchecked", "nobody could look for the values of secrets";
    SecretUnlisted = "secret_unlisted", "the keyring holds a secret that the vault does not list",
        fix "lists it";
    SecretLeftBehind = "secret_left_behind",
        "the keyring holds a copy of a secret that is sealed in the vault",
        fix "removes the copy";
    SecretValueMissing = "secret_value_missing", "a secret is listed, and its value is gone";
    AccessRolledBack = "access_rolled_back",
        "an older copy of the tables of passkeys, sessions and tokens was put back";
    AccessUnreadable = "access_unreadable",
        "the tables of passkeys, sessions and tokens cannot be read";
    AuditFailing = "audit_failing", "audit records cannot be written";
    AuditMismatch = "audit_mismatch", "the audit log is an older copy, or its end was cut off";
    AuditUnanchored = "audit_unanchored",
        "the keyring does not know the newest audit records, which could be cut off unnoticed";

    RootNotCompliant = "root_not_compliant",
        "the data root lies outside the platform's folder for data";
    LegacyRootFound = "legacy_root_found", "a data root of an earlier version was not moved in yet",
        fix "moves it in; it stays as it is";
    LegacyRootUnreadable = "legacy_root_unreadable",
        "what lies in the legacy root is no vault that could be moved in";
    LegacyRootMovedIn = "legacy_root_moved_in",
        "the legacy root was moved in, and is still there: you may remove it";
    MergeMarkerDamaged = "merge_marker_damaged",
        "`moved-in.json`, which says what was moved in, cannot be read";
    MoveInInterrupted = "move_in_interrupted", "a copy is there of a legacy root that did not move in",
        fix "removes the copy; the legacy root stays as it is";
    ModelsRootMissing = "models_root_missing", "the folder that `models_dir` names is not there",
        fix "creates it, for you alone";
    LocationSilent = "location_silent",
        "the disk of a legacy root or of models does not answer: a network mount, perhaps";

    PathOfOthers = "path_of_others", "something of the vault belongs to another user";
    PathOpenToOthers = "path_open_to_others", "others may read, or change, something of the vault",
        fix "takes those rights from them";
    FileSystemRemote = "file_system_remote",
        "the data root lies on another machine, whose disk may not keep what was acknowledged";
    FileSystemWeak = "file_system_weak",
        "the data root's file system promises neither durable nor atomic renames";
    FileSystemVolatile = "file_system_volatile", "the data root lies in memory";
    DiskSpaceLow = "disk_space_low", "the disk of the data root is nearly full";
    DumpsPossible = "dumps_possible", "debuggers of the same user, or core dumps, reach the keys";
    SandboxPartial = "sandbox_partial",
        "the daemon runs without the sandbox that its systemd unit gives it";
    ServiceNotInstalled = "service_not_installed", "nothing starts the daemon but `vaultctl` itself";
    ServiceBroken = "service_broken", "the installed unit names a program that is not there";
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Code {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let mut codes = Self::ALL.iter().copied();
        codes
            .find(|code| code.as_str() == name)
            .ok_or_else(|| format!("`{name:.64}` is no code of a finding"))
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, fs, path::Path};

    use super::*;

    #[test]
    fn codes_are_snake_case_and_each_is_there_once() {
        let names: HashSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            let name = code.as_str();
            assert!(
                name.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
                "{name}"
            );
            assert_eq!(name.parse(), Ok(*code));
        }
        assert!("key-missing".parse::<Code>().is_err());
    }

    /// The README's table is this one.
    #[test]
    fn the_readme_lists_every_code() {
        let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
        let readme = fs::read_to_string(readme).expect("a README");
        let heading = "| reason code | what it means | `--fix` |\n|---|---|---|\n";
        let (_, table) = readme.split_once(heading).expect("a table");
        let rows: Vec<&str> = table
            .lines()
            .take_while(|line| line.starts_with('|'))
            .collect();
        let expected = Code::ALL.iter().map(|code| {
            let (meaning, fix) = (code.meaning(), code.fix());
            format!("| `{code}` | {meaning} | {fix} |")
        });
        assert_eq!(rows, expected.collect::<Vec<_>>());
    }
}
