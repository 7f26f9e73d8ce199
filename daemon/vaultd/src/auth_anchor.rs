//! What the keyring remembers of the tables of passkeys, sessions and tokens.

use std::sync::Arc;

use vault_auth::{Anchor, AnchorError, AuthResult, Tables};
use vault_crypto::VaultId;
use vault_keyring::{Interaction, Keyring};
use vault_store::{KeyEntry, KeySource as _, KeySourceError, Vault};

use crate::key_source::KeyringSource;

/// An entry beside the storage key: a decimal number.
pub struct KeyringAnchor {
    keyring: Arc<Keyring>,
    vault: VaultId,
}

impl KeyringAnchor {
    /// The anchor of a vault whose storage key is in this keyring.
    pub fn new(keyring: Arc<Keyring>, vault: VaultId) -> Self {
        Self { keyring, vault }
    }

    /// Never shows a dialog: nobody may be there who could answer.
    fn source(&self) -> KeyringSource<'_> {
        KeyringSource::new(&self.keyring, Interaction::Forbidden)
    }

    fn read(&self) -> Result<Option<u64>, KeySourceError> {
        let Some(entry) = self.source().load(self.vault, KeyEntry::Anchor)? else {
            return Ok(None);
        };
        let number = std::str::from_utf8(entry.expose()).ok();
        let number = number.and_then(|text| text.parse().ok());
        let damaged = || KeySourceError::Damaged("the anchor is no number".to_owned());
        number.map(Some).ok_or_else(damaged)
    }

    /// As with a key, it counts once the keyring gives it back.
    fn write(&self, generation: u64) -> Result<(), KeySourceError> {
        let text = generation.to_string();
        self.source()
            .save(self.vault, KeyEntry::Anchor, text.as_bytes())?;
        if self.read()? == Some(generation) {
            return Ok(());
        }
        let text = "it did not give back what was just written";
        Err(KeySourceError::Damaged(text.to_owned()))
    }
}

impl Anchor for KeyringAnchor {
    fn is_kept(&self) -> bool {
        self.keyring.kind().holds_secrets()
    }

    fn load(&self) -> Result<Option<u64>, AnchorError> {
        self.read().map_err(|error| match error {
            damaged @ KeySourceError::Damaged(_) => AnchorError::Damaged(damaged.to_string()),
            other => AnchorError::Unreachable(other.to_string()),
        })
    }

    fn save(&self, generation: u64) -> Result<(), AnchorError> {
        let written = self.write(generation);
        written.map_err(|error| AnchorError::Unreachable(error.to_string()))
    }
}

/// Brings the anchor along of a vault whose storage key has moved: before the old backend forgets it.
/// Where that could keep none, the tables as they are now count. Where it does not arrive, the tables
/// are refused until somebody accepts them.
pub fn carry(vault: &Vault, from: &Arc<Keyring>, to: &Arc<Keyring>) {
    let id = vault.id();
    let [from, to] = [from, to].map(|keyring| KeyringAnchor::new(Arc::clone(keyring), id));
    if let Err(error) = carry_anchor(&from, &to, || written(vault)) {
        tracing::warn!(%error, "the anchor of the sign-ins did not move along");
    }
}

fn carry_anchor(
    from: &KeyringAnchor,
    to: &KeyringAnchor,
    written: impl FnOnce() -> AuthResult<Option<u64>>,
) -> AuthResult<()> {
    if !to.is_kept() {
        return Ok(());
    }
    let anchored = if from.is_kept() {
        from.load()?
    } else {
        written()?
    };
    // Never back: it may have been carried before, and more was granted or revoked since.
    if let Some(generation) = anchored
        && to.load()? < Some(generation)
    {
        to.save(generation)?;
    }
    Ok(())
}

/// What the tables themselves say.
fn written(vault: &Vault) -> AuthResult<Option<u64>> {
    if !vault.has_auth_database() {
        return Ok(None);
    }
    Tables::generation_in(&*vault.auth_database()?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vault_crypto::SecretBytes;
    use vault_keyring::{
        Account, Backend, BackendKind, EntryName, KeyringError, MemoryBackend, PassphraseBackend,
        Probe,
    };

    use super::*;

    const VAULT: VaultId = VaultId::from_bytes([7; 16]);

    fn keyring(backend: impl Backend + 'static) -> Arc<Keyring> {
        Arc::new(Keyring::new(Box::new(backend), Duration::from_secs(60)))
    }

    fn account(vault: VaultId) -> Account {
        Account {
            vault,
            name: EntryName::Anchor,
        }
    }

    #[test]
    fn a_number_is_kept_for_each_vault_and_anything_else_is_an_error() {
        let keyring = keyring(MemoryBackend::new());
        let anchor = KeyringAnchor::new(Arc::clone(&keyring), VAULT);
        assert!(anchor.is_kept());
        assert_eq!(anchor.load(), Ok(None));
        for generation in [0, 1, u64::MAX] {
            anchor.save(generation).expect("saved");
            assert_eq!(anchor.load(), Ok(Some(generation)));
        }
        let other = KeyringAnchor::new(Arc::clone(&keyring), VaultId::from_bytes([8; 16]));
        assert_eq!(other.load(), Ok(None));
        for damaged in [&b""[..], b"-1", b"1 ", b"\xff", b"18446744073709551616"] {
            let written = keyring.set(&account(VAULT), damaged, Interaction::Forbidden);
            written.expect("written");
            let read = anchor.load();
            assert!(matches!(read, Err(AnchorError::Damaged(_))), "{damaged:?}");
        }
    }

    #[test]
    fn a_backend_that_holds_the_key_alone_keeps_no_anchor() {
        let folder = tempfile::tempdir().expect("a folder");
        let keyring = keyring(PassphraseBackend::new(folder.path().to_owned(), None));
        let anchor = KeyringAnchor::new(keyring, VAULT);
        assert!(!anchor.is_kept());
        assert!(anchor.save(1).is_err());
    }

    /// Takes what is written, and gives back something else.
    struct Forgetful;

    impl Backend for Forgetful {
        fn kind(&self) -> BackendKind {
            BackendKind::Memory
        }

        fn get(&mut self, _: &Account, _: Interaction) -> Result<SecretBytes, KeyringError> {
            Ok(SecretBytes::new(b"1".to_vec()))
        }

        fn set(&mut self, _: &Account, _: &[u8], _: Interaction) -> Result<(), KeyringError> {
            Ok(())
        }

        fn delete(&mut self, _: &Account, _: Interaction) -> Result<(), KeyringError> {
            Ok(())
        }

        fn probe(&mut self) -> Result<Probe, KeyringError> {
            Ok(Probe::Works)
        }

        fn unlock(&mut self, _: Option<&SecretBytes>) -> Result<(), KeyringError> {
            Ok(())
        }

        fn lock(&mut self) {}
    }

    #[test]
    fn what_does_not_come_back_was_not_saved() {
        let anchor = KeyringAnchor::new(keyring(Forgetful), VAULT);
        assert!(anchor.save(1).is_ok());
        assert!(anchor.save(2).is_err());
    }

    #[test]
    fn the_anchor_moves_along_with_the_key() {
        let (from, to) = (keyring(MemoryBackend::new()), keyring(MemoryBackend::new()));
        let [old, new] = [from, to].map(|keyring| KeyringAnchor::new(keyring, VAULT));
        let carry = || carry_anchor(&old, &new, || panic!("the old one remembers"));
        carry().expect("there is none");
        assert_eq!(new.load(), Ok(None));
        old.save(41).expect("saved");
        carry().expect("carried");
        assert_eq!(new.load(), Ok(Some(41)));
        new.save(42).expect("saved");
        carry().expect("nothing to do");
        assert_eq!(new.load(), Ok(Some(42)), "never back");
    }

    #[test]
    fn where_there_was_no_anchor_the_tables_as_they_are_count_from_now_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let passphrase = PassphraseBackend::new(folder.path().to_owned(), None);
        let [from, to] = [keyring(passphrase), keyring(MemoryBackend::new())];
        let [old, new] = [from, to].map(|keyring| KeyringAnchor::new(keyring, VAULT));
        carry_anchor(&old, &new, || Ok(Some(7))).expect("carried");
        assert_eq!(new.load(), Ok(Some(7)));
        carry_anchor(&new, &old, || panic!("it keeps none")).expect("nothing to do");
    }
}
