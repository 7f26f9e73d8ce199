//! What the keyring remembers of the audit log.

use std::sync::Arc;

use vault_crypto::VaultId;
use vault_keyring::{Interaction, Keyring};
use vault_store::{
    KeyEntry, KeySource as _, KeySourceError,
    audit::{Anchored, AuditAnchor},
};

use crate::key_source::KeyringSource;

/// An entry beside the storage key: a line of text.
pub struct KeyringAuditAnchor {
    keyring: Arc<Keyring>,
    vault: VaultId,
}

impl KeyringAuditAnchor {
    /// The anchor of a vault whose storage key is in this keyring.
    pub fn new(keyring: Arc<Keyring>, vault: VaultId) -> Self {
        Self { keyring, vault }
    }

    /// Never shows a dialog: nobody may be there who could answer.
    fn source(&self) -> KeyringSource<'_> {
        KeyringSource::new(&self.keyring, Interaction::Forbidden)
    }
}

impl AuditAnchor for KeyringAuditAnchor {
    fn is_kept(&self) -> bool {
        self.keyring.kind().holds_secrets()
    }

    fn load(&self) -> Result<Option<Anchored>, KeySourceError> {
        let entry = self.source().load(self.vault, KeyEntry::AuditAnchor)?;
        let Some(entry) = entry else { return Ok(None) };
        let text = std::str::from_utf8(entry.expose()).ok();
        let anchored = text.and_then(|text| text.parse().ok());
        let damaged = || {
            let text = "the keyring's entry of the audit log cannot be read";
            KeySourceError::Damaged(text.to_owned())
        };
        anchored.map(Some).ok_or_else(damaged)
    }

    fn save(&self, anchored: &Anchored) -> Result<(), KeySourceError> {
        let text = anchored.to_string();
        self.source()
            .save(self.vault, KeyEntry::AuditAnchor, text.as_bytes())
    }
}

/// Brings the anchor along of a vault whose storage key has moved: before the old backend forgets it,
/// and the log is opened and compared with what the new one remembers.
pub fn carry(vault: VaultId, from: &Arc<Keyring>, to: &Arc<Keyring>) {
    let [from, to] = [from, to].map(|keyring| KeyringAuditAnchor::new(Arc::clone(keyring), vault));
    if let Err(error) = carry_anchor(&from, &to) {
        tracing::warn!(%error, "the anchor of the audit log did not move along");
    }
}

fn carry_anchor(from: &KeyringAuditAnchor, to: &KeyringAuditAnchor) -> Result<(), KeySourceError> {
    if !from.is_kept() || !to.is_kept() {
        return Ok(());
    }
    // Never back: it may have been carried before, and more was recorded since.
    let known = to.load()?.map(|anchored| anchored.sequence);
    match from.load()? {
        Some(anchored) if known < Some(anchored.sequence) => to.save(&anchored),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vault_crypto::ChainHash;
    use vault_keyring::{Account, EntryName, MemoryBackend, PassphraseBackend};

    use super::*;

    const VAULT: VaultId = VaultId::from_bytes([7; 16]);

    #[test]
    fn an_anchor_is_kept_for_each_vault_and_anything_else_is_an_error() {
        let backend = Box::new(MemoryBackend::new());
        let keyring = Arc::new(Keyring::new(backend, Duration::from_secs(60)));
        let anchor = KeyringAuditAnchor::new(Arc::clone(&keyring), VAULT);
        assert!(anchor.is_kept());
        assert_eq!(anchor.load(), Ok(None));
        let anchored = Anchored {
            sequence: 7,
            hash: ChainHash::from_bytes([1; 32]),
            first_segment: 1,
            at_ms: 5,
        };
        anchor.save(&anchored).expect("saved");
        assert_eq!(anchor.load(), Ok(Some(anchored)));
        let other = KeyringAuditAnchor::new(Arc::clone(&keyring), VaultId::from_bytes([8; 16]));
        assert_eq!(other.load(), Ok(None));
        let account = Account {
            vault: VAULT,
            name: EntryName::AuditAnchor,
        };
        let written = keyring.set(&account, b"something else", Interaction::Forbidden);
        written.expect("written");
        assert!(matches!(anchor.load(), Err(KeySourceError::Damaged(_))));
    }

    #[test]
    fn the_anchor_moves_along_with_the_key_and_never_back() {
        let keyring = || {
            let backend = Box::new(MemoryBackend::new());
            Arc::new(Keyring::new(backend, Duration::from_secs(60)))
        };
        let [from, to] = [keyring(), keyring()].map(|one| KeyringAuditAnchor::new(one, VAULT));
        carry_anchor(&from, &to).expect("there is none");
        assert_eq!(to.load(), Ok(None));
        let anchored = |sequence| Anchored {
            sequence,
            hash: ChainHash::from_bytes([1; 32]),
            first_segment: 1,
            at_ms: 5,
        };
        from.save(&anchored(41)).expect("saved");
        carry_anchor(&from, &to).expect("carried");
        assert_eq!(to.load(), Ok(Some(anchored(41))));
        to.save(&anchored(42)).expect("saved");
        carry_anchor(&from, &to).expect("nothing to do");
        assert_eq!(to.load(), Ok(Some(anchored(42))));
    }

    #[test]
    fn a_backend_that_holds_the_key_alone_keeps_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let backend = Box::new(PassphraseBackend::new(folder.path().to_owned(), None));
        let keyring = Arc::new(Keyring::new(backend, Duration::from_secs(60)));
        assert!(!KeyringAuditAnchor::new(keyring, VAULT).is_kept());
    }
}
