//! The tables of passkeys, sessions and tokens: read when they are first asked for, dropped with the
//! vault's keys.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use tonic::Status;
use vault_auth::{Auth, AuthError, Older, Settings, SettingsChange, Tables};
use vault_keyring::{BackendKind, Keyring};
use vault_store::{SystemClock, Vault};

use super::{Keeper, RETRY_AFTER, State};
use crate::{
    auth_anchor::{self, KeyringAnchor},
    auth_error::auth_error,
};

/// The tables, as far as they were read.
#[derive(Default)]
pub(super) struct AuthTables {
    read: RwLock<Option<Arc<Auth>>>,
    /// Held while they are read, so that they are read once; why they could not be, lately.
    reading: Mutex<Option<(Instant, Status)>>,
    /// Whether it is known that clients on the socket need no token.
    not_strict: AtomicBool,
    /// Held while that is found out or changed.
    changing_strict: Mutex<()>,
}

impl AuthTables {
    fn at_hand(&self) -> Option<Arc<Auth>> {
        self.read
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn lock_reading(&self) -> MutexGuard<'_, Option<(Instant, Status)>> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_strict(&self) -> MutexGuard<'_, ()> {
        let lock = self.changing_strict.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was read of a vault that is closed.
    pub(super) fn forget(&self) {
        let mut reading = self.lock_reading();
        self.not_strict.store(false, Ordering::Release);
        self.keep(None);
        *reading = None;
    }

    fn keep(&self, auth: Option<Arc<Auth>>) {
        *self.read.write().unwrap_or_else(PoisonError::into_inner) = auth;
    }
}

impl Keeper {
    /// The tables, if they were read: does not block on the disk or the keyring.
    pub fn auth_at_hand(&self) -> Option<Arc<Auth>> {
        self.auth.at_hand()
    }

    /// The tables, read now where they were not; made where the vault has none yet. Where they
    /// cannot be read, or are older than the keyring remembers, nobody is judged by anything else.
    pub fn auth(&self) -> Result<Arc<Auth>, Box<Status>> {
        let vault = self.existing_vault()?;
        // Held to the end, so that the key does not move away from the keyring that is asked.
        let in_use = self.lock_attempt();
        let mut reading = self.auth.lock_reading();
        if let Some(auth) = self.auth.at_hand() {
            return Ok(auth);
        }
        if let Some((at, status)) = &*reading
            && at.elapsed() < RETRY_AFTER
        {
            return Err(Box::new(status.clone()));
        }
        let opened = vault.auth_database().map_err(AuthError::from);
        let opened = opened.and_then(|database| {
            let keyring = self.keyring_of(&vault, in_use.as_ref());
            let anchor = KeyringAnchor::new(keyring, vault.id());
            Auth::open(database, Arc::new(anchor), Arc::new(SystemClock))
        });
        match opened {
            Ok(auth) => {
                let auth = Arc::new(auth);
                self.auth.keep(Some(Arc::clone(&auth)));
                *reading = None;
                Ok(auth)
            }
            Err(error) => {
                let status = auth_error(&error);
                *reading = Some((Instant::now(), status.clone()));
                Err(Box::new(status))
            }
        }
    }

    /// Why the tables cannot be used, as far as that is known without opening them anew.
    pub fn auth_problem(&self) -> Option<Box<Status>> {
        if self.auth.at_hand().is_some() {
            return None;
        }
        let known = self.auth.lock_reading().clone();
        known.map(|(_, status)| Box::new(status))
    }

    /// The same for whoever was let in: an empty data root gets its vault, as by any other first use.
    pub fn auth_or_create(&self) -> Result<Arc<Auth>, Box<Status>> {
        match self.auth() {
            Err(_) if self.uninitialized() => {
                self.vault()?;
                self.auth()
            }
            auth => auth,
        }
    }

    /// Takes tables that are older than the keyring remembers, on purpose: how many sessions and
    /// tokens went.
    pub fn accept_auth(&self) -> Result<(u32, u32), Box<Status>> {
        if self.auth().is_ok() {
            // They are as new as they should be: nothing in them need go.
            return Ok((0, 0));
        }
        let vault = self.existing_vault()?;
        let in_use = self.lock_attempt();
        let keyring = self.keyring_of(&vault, in_use.as_ref());
        let mut reading = self.auth.lock_reading();
        let database = vault.auth_database().map_err(AuthError::from);
        let accepted = database.and_then(|database| {
            Tables::accept(&database, &KeyringAnchor::new(keyring, vault.id()))
        });
        // Whatever came of it, they are read anew.
        self.auth.keep(None);
        *reading = None;
        accepted.map_err(|error| Box::new(auth_error(&error)))
    }

    /// What would come of that; `None` where they are as new as they should be.
    pub fn older_auth(&self) -> Result<Option<Older>, Box<Status>> {
        if self.auth().is_ok() {
            return Ok(None);
        }
        let vault = self.existing_vault()?;
        let database = vault.auth_database().map_err(AuthError::from);
        let told = database.and_then(|database| Tables::older(&database));
        told.map(Some).map_err(|error| Box::new(auth_error(&error)))
    }

    /// Whether it is known, without asking anybody, that clients on the socket need no token.
    pub fn is_known_not_strict(&self) -> bool {
        self.auth.not_strict.load(Ordering::Acquire)
    }

    /// Whether clients on the socket need a token, too.
    ///
    /// A vault that is closed has no tables to ask: what would bring it back stays the user's, and
    /// everything else ends here. So it is where the tables cannot be read: whoever can spoil them can
    /// start another daemon, too, and documents must not be lost with them.
    pub fn is_strict(&self, serves_closed: bool) -> Result<bool, Box<Status>> {
        if serves_closed && !matches!(&*self.read(), State::Open(_)) {
            return Ok(false);
        }
        let vault = match self.existing_vault() {
            Ok(vault) => vault,
            Err(_) if self.uninitialized() => return Ok(false),
            Err(status) => return Err(status),
        };
        let _alone = self.auth.lock_strict();
        let strict = if vault.has_auth_database() {
            match self.auth() {
                Ok(auth) => auth.tables().settings().strict,
                Err(status) => {
                    let text = status.message();
                    tracing::warn!(text, "whether a token is needed on the socket is not known");
                    return Ok(false);
                }
            }
        } else {
            false
        };
        self.auth.not_strict.store(!strict, Ordering::Release);
        Ok(strict)
    }

    /// Changes the rules.
    pub fn configure_auth(&self, change: SettingsChange) -> Result<Settings, Box<Status>> {
        let auth = self.auth_or_create()?;
        let _alone = self.auth.lock_strict();
        let settings = auth
            .configure(&change)
            .map_err(|error| Box::new(auth_error(&error)))?;
        let not_strict = !settings.strict;
        self.auth.not_strict.store(not_strict, Ordering::Release);
        Ok(settings)
    }

    /// Writes down when sessions and tokens were used last, which waits in memory.
    pub fn write_auth_uses(&self) {
        if let Some(auth) = self.auth_at_hand()
            && let Err(error) = auth.tables().write_uses()
        {
            tracing::warn!(%error, "when sessions and tokens were used last was not written");
        }
    }

    /// Brings along what the keyring remembers of the tables, as the storage key has moved. For whoever
    /// holds the attempt, so that nobody begins to read them. Where it does not arrive, the next
    /// change writes it.
    pub(super) fn move_anchor(&self, vault: &Vault, from: &Arc<Keyring>, to: &Arc<Keyring>) {
        self.move_audit_anchor(vault, to);
        let _reading = self.auth.lock_reading();
        let Some(auth) = self.auth.at_hand() else {
            auth_anchor::carry(vault, from, to);
            return;
        };
        // The same tables go on: two at once would each write what the other does not know.
        let anchor = KeyringAnchor::new(Arc::clone(to), vault.id());
        if let Err(error) = auth.tables().move_anchor(Arc::new(anchor)) {
            tracing::warn!(%error, "the anchor of the sign-ins did not move along");
        }
    }

    /// The keyring in use, which opened this vault.
    fn keyring_of(&self, vault: &Vault, in_use: Option<&Arc<Keyring>>) -> Arc<Keyring> {
        in_use.cloned().unwrap_or_else(|| {
            let kind = vault.backend().parse().unwrap_or(BackendKind::Os);
            self.new_keyring(kind)
        })
    }
}
