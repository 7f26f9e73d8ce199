//! Linux: the Secret Service of the session bus (GNOME Keyring, `KWallet`, `KeePassXC`).

use std::{collections::HashMap, fmt, sync::Arc};

use keyring::Entry;
use keyring_core::api::CredentialStoreApi as _;
use secret_service::{
    EncryptionType,
    blocking::{Collection, SecretService},
};
use vault_crypto::{SecretName, VaultId};
use zbus_secret_service_keyring_store::Store;

use super::error;
use crate::{
    account::{self, Account, SERVICE},
    backend::Interaction,
    error::KeyringError,
};

/// What a person calls the collection made where there is none.
const DEFAULT_LABEL: &str = "Default keyring";

/// The connection, made when first needed.
///
/// `keyring::Entry::new` is not used here: its store is a `LazyLock` that remembers a failed first
/// connection for ever, and a daemon started before the desktop would never see the keyring.
#[derive(Debug, Default)]
pub(super) struct Platform {
    connection: Option<Connection>,
}

impl Platform {
    pub(super) fn get(
        &mut self,
        account: &Account,
        interaction: Interaction,
    ) -> Result<Vec<u8>, KeyringError> {
        self.call(|connection| {
            connection.make_readable(account, interaction)?;
            let entry = connection.entry(account)?;
            entry.get_secret().map_err(error::from_keyring)
        })
    }

    pub(super) fn set(
        &mut self,
        account: &Account,
        secret: &[u8],
        interaction: Interaction,
    ) -> Result<(), KeyringError> {
        self.call(|connection| {
            connection.make_writable(account, interaction)?;
            let entry = connection.entry(account)?;
            entry.set_secret(secret).map_err(error::from_keyring)
        })
    }

    pub(super) fn delete(
        &mut self,
        account: &Account,
        interaction: Interaction,
    ) -> Result<(), KeyringError> {
        self.call(|connection| {
            connection.make_readable(account, interaction)?;
            let entry = connection.entry(account)?;
            entry.delete_credential().map_err(error::from_keyring)
        })
    }

    pub(super) fn list(
        &mut self,
        vault: VaultId,
        interaction: Interaction,
    ) -> Result<Vec<SecretName>, KeyringError> {
        self.call(|connection| connection.list(vault, interaction))
    }

    pub(super) fn unlock(&mut self) -> Result<(), KeyringError> {
        self.call(Connection::unlock_or_create)
    }

    pub(super) fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Makes a call on the kept connection, and once more on a new one where that turned out to be
    /// dead: the keyring service may have been restarted since. Every call may be repeated, for
    /// each replaces a whole entry or none.
    fn call<T>(
        &mut self,
        call: impl Fn(&Connection) -> Result<T, KeyringError>,
    ) -> Result<T, KeyringError> {
        // Taken, so that a panic below drops it too: the store's mutex stays poisoned for ever.
        if let Some(kept) = self.connection.take() {
            match call(&kept) {
                Err(KeyringError::Unreachable(reason)) => {
                    tracing::debug!(reason, "connecting to the Secret Service again");
                }
                answer => {
                    self.connection = Some(kept);
                    return answer;
                }
            }
        }
        let fresh = Connection::open()?;
        let answer = call(&fresh);
        self.connection = Some(fresh);
        answer
    }
}

/// Two sessions with the Secret Service.
struct Connection {
    /// Reads and writes secrets, encrypted on the bus. Every one of its calls first unlocks what
    /// it finds, with a dialog.
    store: Arc<Store>,
    /// Asks what is locked, which needs no dialog and no encryption: no secret passes through it.
    service: SecretService<'static>,
}

/// What a search for an entry showed. A search needs no unlocking.
enum Found {
    Unlocked,
    Locked,
    Nothing,
}

impl Connection {
    fn open() -> Result<Self, KeyringError> {
        let service = SecretService::connect(EncryptionType::Plain).map_err(from_service)?;
        let store = Store::new().map_err(error::from_keyring)?;
        Ok(Self { store, service })
    }

    fn entry(&self, account: &Account) -> Result<Entry, KeyringError> {
        let label = account.label();
        let modifiers = HashMap::from([("label", label.as_str())]);
        let built = self
            .store
            .build(SERVICE, &account.to_string(), Some(&modifiers));
        let inner = built.map_err(error::from_keyring)?;
        Ok(Entry { inner })
    }

    /// After this the store shows no dialog when it reads or deletes the entry.
    fn make_readable(
        &self,
        account: &Account,
        interaction: Interaction,
    ) -> Result<(), KeyringError> {
        match (self.find(account)?, interaction) {
            // What is locked, the store unlocks, in whatever collection it lies.
            (Found::Unlocked, _) | (Found::Locked, Interaction::Allowed) => Ok(()),
            (Found::Locked, Interaction::Forbidden) => Err(collection_locked()),
            (Found::Nothing, Interaction::Allowed) => {
                let collection = self.default_collection()?.ok_or_else(no_collection)?;
                unlock(&collection)
            }
            (Found::Nothing, Interaction::Forbidden) => Err(self.absence()?),
        }
    }

    /// After this the store shows no dialog when it writes the entry.
    fn make_writable(
        &self,
        account: &Account,
        interaction: Interaction,
    ) -> Result<(), KeyringError> {
        match (self.find(account)?, interaction) {
            (Found::Unlocked, _) => Ok(()),
            (Found::Locked, Interaction::Forbidden) => Err(collection_locked()),
            (Found::Nothing, Interaction::Forbidden) => {
                let collection = self.default_collection()?.ok_or_else(no_collection)?;
                if collection.is_locked().map_err(from_service)? {
                    return Err(collection_locked());
                }
                Ok(())
            }
            (Found::Locked | Found::Nothing, Interaction::Allowed) => self.unlock_or_create(),
        }
    }

    /// Searches without the store, whose own search unlocks what it finds.
    fn find(&self, account: &Account) -> Result<Found, KeyringError> {
        let username = account.to_string();
        let attributes = HashMap::from([("service", SERVICE), ("username", username.as_str())]);
        let found = self
            .service
            .search_items(attributes)
            .map_err(from_service)?;
        Ok(if !found.locked.is_empty() {
            Found::Locked
        } else if !found.unlocked.is_empty() {
            Found::Unlocked
        } else {
            Found::Nothing
        })
    }

    /// What it means that a search found nothing.
    ///
    /// GNOME Keyring finds items in a locked collection. A locked `KWallet` or `KeePassXC` does
    /// not show them, and there nothing found means nothing known. One listed item tells them apart.
    fn absence(&self) -> Result<KeyringError, KeyringError> {
        let Some(collection) = self.default_collection()? else {
            return Ok(no_collection());
        };
        let shows_items = !collection.is_locked().map_err(from_service)?
            || !collection.get_all_items().map_err(from_service)?.is_empty();
        Ok(if shows_items {
            KeyringError::NoEntry
        } else {
            collection_locked()
        })
    }

    /// The secrets of a vault. A locked item does not tell its attributes, and a locked collection
    /// may not tell of its items at all: whatever is locked is unlocked first, or nothing is said.
    fn list(
        &self,
        vault: VaultId,
        interaction: Interaction,
    ) -> Result<Vec<SecretName>, KeyringError> {
        let collection = self.default_collection()?.ok_or_else(no_collection)?;
        if collection.is_locked().map_err(from_service)? {
            match interaction {
                Interaction::Forbidden => return Err(collection_locked()),
                Interaction::Allowed => unlock(&collection)?,
            }
        }
        let attributes = HashMap::from([("service", SERVICE)]);
        let found = self
            .service
            .search_items(attributes)
            .map_err(from_service)?;
        if !found.locked.is_empty() {
            return Err(collection_locked());
        }
        let mut secrets = Vec::new();
        for item in found.unlocked {
            let attributes = item.get_attributes().map_err(from_service)?;
            let account = attributes.get("username");
            secrets.extend(account.and_then(|account| account::secret_of(vault, account)));
        }
        Ok(secrets)
    }

    fn default_collection(&self) -> Result<Option<Collection<'_>>, KeyringError> {
        match self.service.get_default_collection() {
            Ok(collection) => Ok(Some(collection)),
            Err(secret_service::Error::NoResult) => Ok(None),
            Err(error) => Err(from_service(error)),
        }
    }

    /// Shows a dialog where the collection is locked, or where there is none yet.
    fn unlock_or_create(&self) -> Result<(), KeyringError> {
        match self.default_collection()? {
            Some(collection) => unlock(&collection),
            None => self
                .service
                .create_collection(DEFAULT_LABEL, "default")
                .map(drop)
                .map_err(from_service),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

fn unlock(collection: &Collection<'_>) -> Result<(), KeyringError> {
    if collection.is_locked().map_err(from_service)? {
        collection.unlock().map_err(from_service)?;
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` calls")]
fn from_service(error: secret_service::Error) -> KeyringError {
    error::from_secret_service(&error)
}

fn collection_locked() -> KeyringError {
    KeyringError::Locked("its collection is locked".to_owned())
}

fn no_collection() -> KeyringError {
    KeyringError::Locked("it has no default collection".to_owned())
}
