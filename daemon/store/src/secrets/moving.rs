//! Values on their way between the keyring and the vault, when the storage key moves to a backend
//! that holds secrets, or to one that does not.

use vault_crypto::SecretName;

use super::{
    SecretEntries, SecretPlace, SecretStore, entries::save_and_verify, list::Record, sealed,
};
use crate::error::{StoreError, StoreResult};

impl SecretStore {
    /// Brings every value that is not in `place` there, and lets values that are set from now on go
    /// there. `entries` is the keyring, as the caller may use it.
    ///
    /// Each value is written and read back in its new place before the list names that, and only
    /// then removed from the old: interrupted anywhere, every value is where the list says, and
    /// another call completes it. A value that is gone stays gone.
    pub fn move_to(&self, place: SecretPlace, entries: &dyn SecretEntries) -> StoreResult<()> {
        self.context.secrets.go_to(place);
        let names: Vec<SecretName> = {
            let guard = self.read_list();
            let records = &guard.as_ref().ok_or(StoreError::Closed)?.records;
            records.keys().cloned().collect()
        };
        for name in &names {
            // One turn each: others read and write meanwhile.
            let _turn = self.turn()?;
            let Some(record) = self.record(name)? else {
                continue;
            };
            match place {
                SecretPlace::Keyring => self.move_to_keyring(name, record, entries)?,
                SecretPlace::Vault => self.move_to_vault(name, record, entries)?,
            }
        }
        Ok(())
    }

    fn move_to_keyring(
        &self,
        name: &SecretName,
        record: Record,
        entries: &dyn SecretEntries,
    ) -> StoreResult<()> {
        let Some(revision) = record.sealed else {
            return Ok(());
        };
        if let Some(value) = sealed::load(&self.context, name, revision)? {
            save_and_verify(entries, self.context.vault, name, value.expose())?;
        }
        let moved = Record {
            sealed: None,
            left_behind: false,
            ..record
        };
        self.put(name, moved)?;
        sealed::remove(&self.context, name, revision);
        Ok(())
    }

    fn move_to_vault(
        &self,
        name: &SecretName,
        record: Record,
        entries: &dyn SecretEntries,
    ) -> StoreResult<()> {
        let vault = self.context.vault;
        if record.sealed.is_none() {
            let revision = self.next_revision()?;
            if let Some(value) = entries.load(vault, name)? {
                sealed::save(&self.context, name, revision, value.expose())?;
            }
            let moved = Record {
                sealed: Some(revision),
                // Should this end before it is removed, it is known of.
                left_behind: true,
                ..record
            };
            self.put(name, moved)?;
        }
        // Also of one that moved before: the call may have ended between the two.
        entries.remove(vault, name)?;
        self.note_removed(name)
    }
}
